"""One session against a real broker: manual acknowledgement, reconnection, the will."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from devices.wire.topics import host_state, up
from service.broker import Broker, BrokerAddress, BrokerAwayError
from service.provisioning import rules_nats

FILTER = [("denchi/v1/+/station/+/up/+", 1)]
TOPIC = up("st-1", "telemetry")


def worker(broker: Any, **more: Any) -> Broker:
    return Broker(broker.address(), "worker", clean_session=False, subscriptions=FILTER, **more)


def station(broker: Any) -> Broker:
    return Broker(broker.address(broker.provision("st-1")), "st-1")


async def take_all(session: Broker, count: int) -> list[bytes]:
    bodies: list[bytes] = []
    async with asyncio.timeout(45):
        while len(bodies) < count:
            for received in await session.take(100, 0.01):
                bodies.append(received.body)
                session.acknowledge(received)
    return bodies


@pytest.fixture
def quick_nats(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Any:
    """A nats-server that delivers again after 2 s instead of 30 s."""
    monkeypatch.setattr(rules_nats, "ACK_WAIT_S", 2)
    return request.getfixturevalue("nats_broker")


async def test_what_is_not_acknowledged_or_finds_the_queue_full_comes_again(
    quick_nats: Any, eventually: Callable[..., Any]
) -> None:
    nats_broker = quick_nats
    async with station(nats_broker) as source:
        async with worker(nats_broker, queue_size=5) as first:
            assert await first.wait_connected(10)
            assert await source.wait_connected(10)
            for number in range(8):
                await source.publish(TOPIC, b"%d" % number)
            await eventually(lambda: first.left_with_broker == 3)
            taken = await first.take(10, 0.01)
            assert len(taken) == 5
            for received in taken[:2]:
                first.acknowledge(received)
        async with worker(nats_broker) as second:
            assert await second.wait_connected(10)
            # A mid belongs to its connection: on the next one it names another message.
            for received in taken[2:]:
                second.acknowledge(received._replace(generation=0))
            # nats-server delivers again after its ack_wait.
            assert sorted(await take_all(second, 6)) == [b"2", b"3", b"4", b"5", b"6", b"7"]


async def test_a_session_comes_back_by_itself_after_the_broker_died(nats_broker: Any, eventually: Callable[..., Any]) -> None:
    connects: list[int] = []
    async with worker(nats_broker, on_connected=lambda: connects.append(1)) as session, station(nats_broker) as source:
        assert await session.wait_connected(10)
        assert await source.wait_connected(10)
        await source.publish(TOPIC, b"before")
        assert await take_all(session, 1) == [b"before"]
        nats_broker.kill()
        await eventually(lambda: not source.is_connected and not session.is_connected, 10)
        with pytest.raises(BrokerAwayError):
            await source.publish(TOPIC, b"lost")
        nats_broker.restart()
        assert await session.wait_connected(20)
        assert await source.wait_connected(20)
        await source.publish(TOPIC, b"after")
        assert await take_all(session, 1) == [b"after"]
    assert len(connects) == 2


async def test_entering_does_not_wait_and_a_wrong_password_is_no_connection(nats_broker: Any) -> None:
    address = nats_broker.address()
    wrong = BrokerAddress(address.host, address.port, address.user, "wrong")
    async with Broker(wrong, "nobody") as session:
        assert not await session.wait_connected(1.0)
        with pytest.raises(BrokerAwayError):
            await session.publish(TOPIC, b"x")


async def test_the_will_of_a_worker_is_published_when_its_connection_dies(nats_broker: Any) -> None:
    topic = host_state("one")
    login = nats_broker.provision("st-1")
    async with Broker(nats_broker.address(login), "st-1", subscriptions=[("denchi/v1/host/+/state", 0)]) as watcher:
        assert await watcher.wait_connected(10)
        session = worker(nats_broker, will=(topic, b"gone", True))
        async with session:
            assert await session.wait_connected(10)
            await session.publish(topic, b"here", retain=True)
            assert await take_all(watcher, 1) == [b"here"]
            session._client._sock_close()  # as if the network were cut: no goodbye
            assert (await take_all(watcher, 1)) == [b"gone"]
