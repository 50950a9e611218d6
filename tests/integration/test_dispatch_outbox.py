"""From the outbox to a station over a real broker, and the answers back into it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from devices.wire.ids import part_of
from devices.wire.topics import down
from service.broker import Broker, BrokerAwayError
from service.dispatch.dispatch import run_dispatch, send_due
from service.domain.command import AskBirth, Command, SetSchedule, StartSwap, UnlockSlot
from service.store import outbox
from service.store.pool import Pool

Eventually = Callable[..., Awaitable[Any]]


@pytest.fixture
async def registered(pool: Pool) -> Pool:
    for name in ("st-1", "st-2"):
        await pool.execute(
            "INSERT INTO station (station_id, part, name, latitude, longitude, registered_at) VALUES ($1, $2, $1, 0, 0, $3)",
            name, int(part_of(name), 16), datetime(2026, 4, 1, tzinfo=UTC),
        )  # fmt: skip
        await pool.execute("INSERT INTO station_live (station_id) VALUES ($1)", name)
    return pool


@pytest.fixture
async def heard(nats_broker: Any) -> AsyncIterator[list[dict[str, Any]]]:
    """What station st-1 hears, as it comes."""
    commands: list[dict[str, Any]] = []
    address = nats_broker.address(nats_broker.provision("st-1"))
    async with Broker(address, "st-1", subscriptions=[(down("st-1", "command"), 0)]) as session:
        assert await session.wait_connected(10)

        async def listen() -> None:
            while True:
                commands.extend(json.loads(received.body) for received in await session.take(100, 0))

        task = asyncio.create_task(listen())
        yield commands
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def dispatching(pool: Pool, broker: Any, clock: Any) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(run_dispatch(pool, broker.address(), clock, stop=stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 20)


def swap_order() -> StartSwap:
    return StartSwap(request_id=2**30, token="rsv_1", count=1, offer_serials=("P-1",))


def schedule() -> SetSchedule:
    return SetSchedule(
        schedule_id="pln_1", start_at=datetime(2026, 4, 6, tzinfo=UTC), rows=(), site=(), fallback_limit_ac_w=1.0,
        need_ready=(), max_offline_s=1.0,
    )  # fmt: skip


def command(
    clock: Any, name: str, order: Any, *, station: str = "st-1", valid_s: float = 60, swap_id: str | None = None
) -> Command:
    now = clock.now()
    return Command(
        command_id=name,
        station_id=station,
        order=order,
        issued_at=now,
        valid_until=now + timedelta(seconds=valid_s),
        swap_id=swap_id,
    )


async def enqueue(pool: Pool, *commands: Command) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await outbox.enqueue(connection, commands)


async def statuses(pool: Pool) -> dict[str, tuple[str, int]]:
    return {row["command_id"]: (row["status"], row["sends"]) for row in await pool.fetch("SELECT * FROM command")}


async def test_a_queued_command_reaches_its_station_at_once(
    registered: Pool, nats_broker: Any, clock: Any, heard: list[dict[str, Any]], eventually: Eventually
) -> None:
    async with dispatching(registered, nats_broker, clock):
        await enqueue(registered, command(clock, "warm-up", AskBirth()))
        await eventually(lambda: len(heard) == 1)
        await enqueue(
            registered,
            command(clock, "swap", swap_order()),
            command(clock, "birth", AskBirth()),
            command(clock, "else", AskBirth(), station="st-2"),
        )
        await eventually(lambda: len(heard) == 3, 0.8)  # by the signal, not by the poll
        await eventually(lambda: _all_sent(registered))
    assert [said["commandId"] for said in heard] == ["warm-up", "swap", "birth"]
    assert [said["name"] for said in heard] == ["Resync", "RequestBatterySwap", "Resync"]
    assert await statuses(registered) == dict.fromkeys(("warm-up", "swap", "birth", "else"), ("sent", 1))


async def _all_sent(pool: Pool) -> bool:
    return all(status == "sent" for status, _ in (await statuses(pool)).values())


async def test_a_command_past_its_time_is_never_sent(
    registered: Pool, nats_broker: Any, clock: Any, heard: list[dict[str, Any]], eventually: Eventually
) -> None:
    await enqueue(registered, command(clock, "late", swap_order(), valid_s=5))
    clock.advance(5)
    await enqueue(registered, command(clock, "fresh", swap_order()))
    async with dispatching(registered, nats_broker, clock):
        await eventually(lambda: heard)
        clock.advance(60)
        await eventually(lambda: _is(registered, "fresh", "expired"))
    assert [said["commandId"] for said in heard] == ["fresh"]
    assert await statuses(registered) == {"late": ("expired", 0), "fresh": ("expired", 1)}


async def _is(pool: Pool, name: str, status: str) -> bool:
    return (await statuses(pool))[name][0] == status


async def test_a_reborn_station_gets_what_it_missed_but_no_motion(
    registered: Pool, nats_broker: Any, clock: Any, heard: list[dict[str, Any]], eventually: Eventually
) -> None:
    await enqueue(
        registered,
        command(clock, "swap", swap_order()),
        command(clock, "unlock", UnlockSlot(slot_no=1)),
        command(clock, "plan", schedule()),
        command(clock, "answered", AskBirth()),
    )
    async with dispatching(registered, nats_broker, clock):
        await eventually(lambda: len(heard) == 4)
        await eventually(lambda: _all_sent(registered))
        async with registered.acquire() as connection:
            await outbox.record_answer(connection, "answered", "accepted", None, clock.now())
        clock.advance(1)
        await registered.execute("UPDATE station_live SET birth_at = $1", clock.now())
        clock.advance(1)
        await eventually(lambda: len(heard) == 5)
        await enqueue(registered, command(clock, "last", AskBirth()))
        await eventually(lambda: len(heard) == 6)
    assert [said["commandId"] for said in heard][4:] == ["plan", "last"]


async def test_a_motion_is_written_down_before_it_is_published(registered: Pool, clock: Any) -> None:
    class Dying:
        """A broker connection that ends the moment something is published."""

        is_connected = True

        async def publish(self, *_: Any, **__: Any) -> None:
            raise BrokerAwayError("gone")

    await enqueue(registered, command(clock, "swap", swap_order()), command(clock, "birth", AskBirth()))
    for _ in range(2):
        with pytest.raises(BrokerAwayError):
            await send_due(registered, Dying(), clock)  # type: ignore[arg-type]
    assert await statuses(registered) == {"swap": ("sent", 1), "birth": ("queued", 0)}


async def test_a_newer_schedule_withdraws_the_older_queued_one_of_its_station(registered: Pool, clock: Any) -> None:
    await enqueue(registered, command(clock, "old", schedule()), command(clock, "other", schedule(), station="st-2"))
    await enqueue(registered, command(clock, "new", schedule()), command(clock, "birth", AskBirth()))
    assert {name: status for name, (status, _) in (await statuses(registered)).items()} == {
        "old": "withdrawn", "other": "queued", "new": "queued", "birth": "queued"
    }  # fmt: skip


async def test_what_the_wire_cannot_say_is_taken_back_and_holds_nobody_up(
    registered: Pool, nats_broker: Any, clock: Any, heard: list[dict[str, Any]], eventually: Eventually
) -> None:
    await enqueue(registered, command(clock, "bad", UnlockSlot(slot_no=0)), command(clock, "good", AskBirth()))
    async with dispatching(registered, nats_broker, clock):
        await eventually(lambda: heard)
        await eventually(lambda: _is(registered, "bad", "withdrawn"))
    assert [said["commandId"] for said in heard] == ["good"]


async def test_only_what_was_not_sent_can_be_withdrawn(registered: Pool, clock: Any) -> None:
    await enqueue(registered, command(clock, "one", swap_order()), command(clock, "two", swap_order()))
    async with registered.acquire() as connection:
        await outbox.mark_sent(connection, ["two"], clock.now())
        assert await outbox.withdraw(connection, "one", clock.now())
        assert not await outbox.withdraw(connection, "one", clock.now())
        assert not await outbox.withdraw(connection, "two", clock.now())
        assert not await outbox.withdraw(connection, "nobody", clock.now())


async def test_an_answer_counts_once_and_never_goes_back(registered: Pool, clock: Any) -> None:
    await enqueue(registered, command(clock, "swap", swap_order(), swap_id="swp_1"))
    async with registered.acquire() as connection:
        await outbox.mark_sent(connection, ["swap"], clock.now())

        async def answer(word: outbox.Answer, station: str | None = None) -> outbox.RecordedAnswer | None:
            return await outbox.record_answer(connection, "swap", word, None, clock.now(), station_id=station)

        assert await answer("accepted", "st-2") is None, "only its own station answers a command"
        assert await answer("accepted", "st-1") == ("swp_1", "start_swap", True)
        assert await answer("accepted") == ("swp_1", "start_swap", False)
        assert await answer("completed") == ("swp_1", "start_swap", True)
        assert await answer("accepted") == ("swp_1", "start_swap", False)
        row = await connection.fetchrow("SELECT status, answer FROM command")
        assert row is not None
        assert tuple(row) == ("acknowledged", "completed")
        assert await outbox.record_answer(connection, "nobody", "accepted", None, clock.now()) is None


async def test_two_dispatchers_side_by_side_send_each_command_once(
    registered: Pool, nats_broker: Any, clock: Any, heard: list[dict[str, Any]], eventually: Eventually
) -> None:
    await enqueue(registered, *(command(clock, f"c{number:03}", UnlockSlot(slot_no=1)) for number in range(100)))
    async with Broker(nats_broker.address(), "one") as one, Broker(nats_broker.address(), "two") as two:
        assert await one.wait_connected(10)
        assert await two.wait_connected(10)
        await asyncio.gather(*(send_due(registered, broker, clock) for broker in (one, two, one, two)))
        await eventually(lambda: len(heard) >= 100)
    assert sorted(said["commandId"] for said in heard) == [f"c{number:03}" for number in range(100)]
