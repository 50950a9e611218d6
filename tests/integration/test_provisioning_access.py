"""What a station can say and hear, measured by what is delivered: a broker's SUBACK and PUBACK prove nothing."""

import queue
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import paho.mqtt.client as mqtt
import pytest

from devices.wire import topics
from service.standalone.children import wait_for


class _Listener:
    def __init__(self, port: int, login: Any, client_id: str) -> None:
        self.heard: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self.lost = 0
        self._acked: set[int] = set()
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=True)
        self.client.username_pw_set(login.user, login.password)
        self.client.on_message = lambda _c, _u, message: self.heard.put((message.topic, message.payload))
        self.client.on_subscribe = lambda _c, _u, mid, *_: self._acked.add(mid)
        self.client.on_disconnect = self._count_loss
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert wait_for(self.client.is_connected, 10)

    def _count_loss(self, *_: Any) -> None:
        self.lost += 1

    def subscribe(self, topic: str, qos: int = 0) -> None:
        _, mid = self.client.subscribe(topic, qos)
        assert mid is not None
        assert wait_for(lambda: mid in self._acked, 10), f"no SUBACK for {topic}"

    def publish(self, topic: str, body: bytes, *, retain: bool = False) -> None:
        self.client.publish(topic, body, qos=1, retain=retain).wait_for_publish(10)

    def hear(self, timeout_s: float = 10.0) -> tuple[str, bytes]:
        return self.heard.get(timeout=timeout_s)

    def all_heard(self) -> list[tuple[str, bytes]]:
        said = []
        while not self.heard.empty():
            said.append(self.heard.get_nowait())
        return said


@contextmanager
def _on(broker: Any, login: Any, client_id: str | None = None) -> Iterator[_Listener]:
    listener = _Listener(broker.port, login, client_id or login.user)
    try:
        yield listener
    finally:
        listener.client.disconnect()
        listener.client.loop_stop()


@pytest.fixture(params=["nats", pytest.param("mosquitto", marks=pytest.mark.mosquitto)])
def broker(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(f"{request.param}_broker")


def test_a_station_speaks_to_the_service_and_the_service_to_it(broker: Any) -> None:
    login = broker.provision("st-1")
    with _on(broker, broker.service) as service, _on(broker, login) as station:
        service.subscribe("denchi/v1/#", 1)
        station.subscribe(topics.down("st-1", "command"))
        station.subscribe(topics.down("st-1", "committed"))
        station.subscribe(topics.host_state("+"))
        station.publish(topics.up("st-1", "telemetry"), b"reading")
        assert service.hear() == (topics.up("st-1", "telemetry"), b"reading")
        for topic in (topics.down("st-1", "command"), topics.down("st-1", "committed"), topics.host_state("ingest-1")):
            service.publish(topic, b"down")
            assert station.hear() == (topic, b"down")


def test_what_a_station_says_as_another_is_never_delivered(broker: Any) -> None:
    login = broker.provision("st-1", "st-2", "st-10", "st-1")
    assert login.user == "st-1"
    forbidden = [
        topics.up("st-2", "telemetry"),
        topics.up("st-10", "birth"),
        topics.down("st-2", "command"),
        topics.down("st-1", "command"),
        topics.host_state("ingest-1"),
        "denchi/v1/00/station/x/up/birth",
        "elsewhere/entirely",
    ]
    with _on(broker, broker.service) as service, _on(broker, broker.provision("st-2")) as victim:
        service.subscribe("denchi/v1/#", 1)
        victim.subscribe(topics.down("st-2", "command"))
        for topic in forbidden:
            with _on(broker, login) as station:  # a broker may close the connection over it
                station.client.publish(topic, b"forged", qos=1, retain=True)
                _publish_lawfully(broker, login, station)
        marks = [body for topic, body in _until_count(service, len(forbidden)) if topic == topics.up("st-1", "slot")]
        assert len(marks) == len(forbidden)
        assert service.all_heard() == []
        service.publish(topics.down("st-2", "command"), b"mark")
        assert victim.hear() == (topics.down("st-2", "command"), b"mark")
    with _on(broker, broker.service, "later") as later:  # nothing forged was retained either
        later.subscribe("denchi/v1/#", 1)
        later.publish("denchi/v1/host/mark/state", b"end")
        assert later.hear() == ("denchi/v1/host/mark/state", b"end")


def _publish_lawfully(broker: Any, login: Any, station: _Listener) -> None:
    """Say something allowed after the forged message: when it arrives, the forged one has been decided on."""
    try:
        station.publish(topics.up("st-1", "slot"), b"lawful")
    except (RuntimeError, ValueError):
        with _on(broker, login, "again") as again:
            again.publish(topics.up("st-1", "slot"), b"lawful")


def _until_count(service: _Listener, count: int) -> list[tuple[str, bytes]]:
    return [service.hear() for _ in range(count)]


@pytest.mark.parametrize(
    "ask",
    [
        lambda: "#",
        lambda: "denchi/#",
        lambda: "denchi/v1/#",
        lambda: "+/+/+/+/+/+/+",
        lambda: topics.down("st-2", "command"),
        lambda: topics.down("st-2", "#"),
        lambda: topics.up("st-2", "#"),
        lambda: topics.up("st-2", "telemetry"),
    ],
)
def test_a_station_hears_nothing_that_is_not_its_own(broker: Any, ask: Callable[[], str]) -> None:
    login = broker.provision("st-2", "st-1")
    with _on(broker, broker.service) as service, _on(broker, broker.provision("st-2")) as other, _on(broker, login) as station:
        service.subscribe("denchi/v1/#", 1)
        station.client.subscribe(ask(), 0)  # granted or not: delivery decides
        station.subscribe(topics.down("st-1", "committed"))
        other.publish(topics.up("st-2", "telemetry"), b"private")
        service.hear()
        service.publish(topics.down("st-2", "command"), b"private")
        service.publish(topics.down("st-2", "committed"), b"private")
        service.publish(topics.down("st-1", "committed"), b"mine")
        said = [station.hear()]
        while said[-1][1] != b"mine":
            said.append(station.hear())
        assert {topic for topic, _ in said} == {topics.down("st-1", "committed")}


def test_a_station_added_while_the_broker_runs_comes_in_and_nobody_is_thrown_out(broker: Any) -> None:
    first = broker.provision("st-1")
    with _on(broker, broker.service) as service, _on(broker, first) as station:
        service.subscribe("denchi/v1/#", 1)
        station.subscribe(topics.down("st-1", "command"))
        with _on(broker, broker.provision("st-new")) as added:
            added.publish(topics.up("st-new", "birth"), b"hello")
            assert service.hear() == (topics.up("st-new", "birth"), b"hello")
        service.publish(topics.down("st-1", "command"), b"still here")
        assert station.hear() == (topics.down("st-1", "command"), b"still here")
        assert (service.lost, station.lost) == (0, 0)


def test_a_wrong_password_is_refused(broker: Any) -> None:
    login = broker.provision("st-1")
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="st-1")
    answers: queue.Queue[bool] = queue.Queue()
    client.on_connect = lambda _c, _u, _f, reason, _p: answers.put(reason.is_failure)
    client.username_pw_set(login.user, "guess")
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    try:
        assert answers.get(timeout=10) is True
    finally:
        client.disconnect()
        client.loop_stop()
