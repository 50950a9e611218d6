"""A real agent with the bench cabinet over a real broker; a small host commits what it has, as ingest does."""

import asyncio
import contextlib
import json
import random
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from devices.agent.agent import StationAgent
from devices.agent.settings import AgentSettings
from devices.hardware.bench import BenchCabinet, bench_pack
from devices.hardware.ports import ClockStatus
from devices.link.address import LinkAddress
from devices.link.order import SendRules
from devices.link.outbox import Outbox
from devices.link.session import LinkSettings, MqttLink
from devices.wire import topics

STATION = "st-agent-1"
ORIGIN = datetime(2026, 4, 6, tzinfo=UTC)


class FastClock:
    """Fleet time that runs `speed` times as fast as the wall."""

    def __init__(self, speed: float = 1.0) -> None:
        self._start, self._speed = time.monotonic(), speed

    def now(self) -> datetime:
        return ORIGIN + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return (time.monotonic() - self._start) * self._speed

    def wall_monotonic(self) -> float:
        return time.monotonic()

    def wall_seconds(self, fleet_seconds: float) -> float:
        return fleet_seconds / self._speed

    def status(self) -> ClockStatus:
        return ClockStatus("ntp")


class Host:
    """An ingest worker in small: keeps every key once, says how far each boot is complete."""

    def __init__(self, broker: Any) -> None:
        self.kept: dict[tuple[int, int, int], tuple[str, dict[str, Any]]] = {}
        self.connections: list[dict[str, Any]] = []
        self.twice = 0
        self._lock = threading.Lock()
        self._session = 0
        self._commits = True
        self._client = Client(CallbackAPIVersion.VERSION2, "host-1", clean_session=False, protocol=MQTTProtocolVersion.MQTTv311)
        self._client.username_pw_set(broker.service.user, broker.service.password)
        self._client.will_set(topics.host_state("ingest-1"), self._state(online=False), qos=1, retain=True)
        self._client.reconnect_delay_set(0.2, 1)
        self._client.on_connect = self._connected
        self._client.on_message = self._received
        self._client.connect_async(broker.host, broker.port)
        self._client.loop_start()

    def _state(self, *, online: bool) -> str:
        return json.dumps({"v": 1, "ts": ORIGIN.isoformat(), "session": 1, "online": online, "parts": ["00-3f"]})

    def say_online(self, online: bool) -> None:
        self._client.publish(topics.host_state("ingest-1"), self._state(online=online), qos=1, retain=True)

    def commit_nothing(self) -> None:
        self._commits = False

    def commit_again(self) -> None:
        self._commits = True
        with self._lock:
            self._commit()

    def _connected(self, client: Client, *_rest: Any) -> None:
        client.subscribe(f"{topics.ROOT}/+/station/+/up/+", qos=1)
        self.say_online(True)

    def _received(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        topic = topics.parse_up(message.topic)
        body = json.loads(message.payload)
        assert topic is not None
        with self._lock:
            if topic.leaf == "connection":
                self.connections.append(body)
                return
            key = (body["epoch"], body["boot"], body["seq"])
            self.twice += key in self.kept
            self.kept.setdefault(key, (topic.leaf, body))
            if self._commits:
                self._commit()

    def _commit(self) -> None:
        for epoch, boot in {key[:2] for key in self.kept}:
            seq = 0
            while (epoch, boot, seq + 1) in self.kept:
                seq += 1
            body = json.dumps({"epoch": epoch, "boot": boot, "seq": seq})
            self._client.publish(topics.down(STATION, "committed"), body, qos=0)

    def said(self, leaf: str) -> list[dict[str, Any]]:
        with self._lock:
            return [body for key, (said_leaf, body) in sorted(self.kept.items()) if said_leaf == leaf]

    def command(self, name: str, args: dict[str, Any], *, now: datetime, command_id: str | None = None) -> str:
        command_id = command_id or f"cmd-{name}-{time.monotonic_ns()}"
        body = {
            "v": 1,
            "commandId": command_id,
            "name": name,
            "issuedAt": now.isoformat(),
            "validUntil": (now + timedelta(seconds=60)).isoformat(),
            "args": args,
        }
        self._client.publish(topics.down(STATION, "command"), json.dumps(body), qos=0)
        return command_id

    def raw(self, body: bytes) -> None:
        self._client.publish(topics.down(STATION, "command"), body, qos=0)

    def acks(self, command_id: str) -> list[tuple[str, str | None]]:
        return [(body["status"], body.get("reasonCode")) for body in self.said("ack") if body["commandId"] == command_id]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


async def until(condition: Callable[[], object], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            pytest.fail(f"did not happen in {seconds} s")
        await asyncio.sleep(0.02)


@dataclass
class Rig:
    agent: StationAgent
    cabinet: BenchCabinet
    outbox: Outbox
    clock: FastClock
    stop: asyncio.Event
    task: asyncio.Task[None]


@contextlib.asynccontextmanager
async def running(broker: Any, path: Path, *, speed: float = 1.0) -> AsyncIterator[Rig]:
    login = broker.provision(STATION)
    clock = FastClock(speed)
    cabinet = BenchCabinet(clock, slot_count=6, pack_count=4)
    outbox = Outbox(path, durable=False)
    send = SendRules(history_per_s=200, resend_after_s=2.0)
    link_settings = LinkSettings(connect_jitter_s=0.05, backoff_first_s=0.1, backoff_max_s=0.5, send=send)
    address = LinkAddress(broker.host, broker.port, login.user, login.password)
    link = MqttLink(address, STATION, 1, outbox, clock, link_settings, random.Random(1))
    settings = AgentSettings(tick_wall_s=0.05, swap_tick_wall_s=0.02)
    agent = StationAgent(STATION, 1, cabinet, link, clock, settings, random.Random(2))
    stop = asyncio.Event()
    rig = Rig(agent, cabinet, outbox, clock, stop, asyncio.create_task(agent.run(stop)))
    try:
        yield rig
    finally:
        stop.set()
        await asyncio.wait_for(rig.task, 10)
        outbox.close()


@pytest.fixture
async def host(nats_broker: Any) -> AsyncIterator[Host]:
    # Before anybody connects: a broker that reloads its rules may stall a session that is just being made.
    nats_broker.provision(STATION)
    host = Host(nats_broker)
    yield host
    host.close()


async def test_birth_telemetry_command_and_ack_reach_the_host_and_are_forgotten_when_committed(
    nats_broker: Any, host: Host, tmp_path: Path
) -> None:
    async with running(nats_broker, tmp_path / "o.db", speed=60) as rig:
        await until(lambda: host.said("birth") and host.said("telemetry"))
        birth = host.said("birth")[0]
        assert len(birth["slotState"]) == 6
        assert [slot["status"] for slot in birth["slotState"]].count("Available") == 2
        assert {pack["serialNumber"] for pack in birth["batteryData"]} == {f"BENCH-{n:04d}" for n in range(1, 5)}

        command_id = host.command("Resync", {}, now=rig.clock.now())
        await until(lambda: host.acks(command_id) and len(host.said("birth")) == 2)
        assert host.acks(command_id) == [("Accepted", None)]

        host.command("Resync", {}, now=rig.clock.now(), command_id=command_id)
        await until(lambda: len(host.acks(command_id)) == 2)
        assert len(host.said("birth")) == 2, "a repeated command must get its first answer again, and nothing else"

        host.raw(b"\xff{not json")
        host.raw(b'{"commandId":"odd-1","name":5}')
        unknown = host.command("BrewCoffee", {}, now=rig.clock.now())
        late = host.command("Resync", {}, now=rig.clock.now() - timedelta(minutes=5))
        await until(lambda: host.acks("odd-1") and host.acks(unknown) and host.acks(late))
        assert host.acks("odd-1") == [("Rejected", "Invalid")]
        assert host.acks(unknown) == [("Rejected", "NotSupported")]
        assert host.acks(late) == [("Rejected", "Expired")]

        await until(lambda: host.said("meter"))
        rig.agent.quiet = True
        await until(lambda: rig.outbox.pending_count() == 0)
        assert host.connections[0]["online"] is True
    await until(lambda: host.connections[-1]["online"] is False)


async def test_a_swap_over_the_broker_moves_one_pack_in_and_the_offered_one_out(
    nats_broker: Any, host: Host, tmp_path: Path
) -> None:
    async with running(nats_broker, tmp_path / "o.db") as rig:
        await until(lambda: host.said("birth"))
        args = {
            "requestId": 2**30 + 7,
            "idToken": {"idToken": "rsv_1", "type": "Central"},
            "count": 1,
            "offerSerials": ["BENCH-0004"],
            "inSlots": [6],
        }
        command_id = host.command("RequestBatterySwap", args, now=rig.clock.now())
        await until(lambda: rig.cabinet.door_open(6))
        busy = host.command("UnlockSlot", {"evseId": 1}, now=rig.clock.now())
        await until(lambda: host.acks(busy))
        assert host.acks(busy) == [("Rejected", "Busy")]
        rig.cabinet.put(6, bench_pack("RIDER-1", 0.1))
        await until(lambda: rig.cabinet.door_open(4))
        rig.cabinet.take(4)
        await until(lambda: len(host.acks(command_id)) == 2)
        assert host.acks(command_id) == [("Accepted", None), ("Completed", None)]
        moved = [(body["eventType"], [p["serialNumber"] for p in body["batteryData"]]) for body in host.said("swap")]
        assert moved == [("BatteryIn", ["RIDER-1"]), ("BatteryOut", ["BENCH-0004"])]


async def test_a_swap_asked_for_at_the_station_begins_when_the_service_says_so(
    nats_broker: Any, host: Host, tmp_path: Path
) -> None:
    async with running(nats_broker, tmp_path / "o.db") as rig:
        await until(lambda: rig.agent.online)
        asking = asyncio.create_task(rig.agent.request_swap("card-1"))
        await until(lambda: host.said("authorize"))
        request_id = host.said("authorize")[0]["requestId"]
        assert 1 <= request_id < 2**30
        host.command("RefuseSwap", {"requestId": request_id, "reasonCode": "Unknown"}, now=rig.clock.now())
        assert await asking == "refused"

        asking = asyncio.create_task(rig.agent.request_swap("card-1"))
        await until(lambda: len(host.said("authorize")) == 2)
        token = {"idToken": "card-1", "type": "ISO14443"}
        args = {"requestId": request_id + 1, "idToken": token, "count": 1, "offerSerials": ["BENCH-0004"]}
        host.command("RequestBatterySwap", args, now=rig.clock.now())
        assert await asking == "authorised"
        await until(lambda: rig.agent.swap_state is not None and rig.agent.swap_state.slot_numbers == (5,))


async def test_nothing_is_lost_and_nothing_forgotten_when_the_broker_dies_in_between(
    nats_broker: Any, host: Host, tmp_path: Path
) -> None:
    async with running(nats_broker, tmp_path / "o.db", speed=300) as rig:
        await until(lambda: host.said("telemetry"))
        nats_broker.kill()
        await until(lambda: not rig.agent.online)
        before = rig.outbox.journal_totals()[STATION][1, 1]
        await until(lambda: rig.outbox.journal_totals()[STATION][1, 1] > before + 5)
        assert rig.outbox.pending_count() > 5
        nats_broker.restart()
        await until(lambda: rig.agent.online)
        rig.agent.quiet = True
        await until(lambda: rig.outbox.pending_count() == 0, 30)
        last = rig.outbox.journal_totals()[STATION][1, 1]
        assert sorted(host.kept) == [(1, 1, seq) for seq in range(1, last + 1)]
        assert host.said("history"), "telemetry of the outage goes to history"
        assert len(host.said("birth")) >= 2


async def test_what_the_broker_took_but_nobody_committed_is_sent_again(nats_broker: Any, host: Host, tmp_path: Path) -> None:
    host.commit_nothing()
    async with running(nats_broker, tmp_path / "o.db", speed=60) as rig:
        await until(lambda: host.said("birth") and host.said("telemetry"))
        held = rig.outbox.pending_count()
        assert held >= 2
        await until(lambda: host.twice >= 2)
        rig.agent.quiet = True
        host.commit_again()
        await until(lambda: rig.outbox.pending_count() == 0)


async def test_while_no_host_is_online_the_station_stores_and_the_next_boot_sends_it(
    nats_broker: Any, host: Host, tmp_path: Path
) -> None:
    async with running(nats_broker, tmp_path / "o.db", speed=60) as rig:
        await until(lambda: rig.agent.online)
        host.say_online(False)
        await until(lambda: not rig.agent.online)
        last_said_to_somebody = rig.outbox.journal_totals()[STATION][1, 1]
        await until(lambda: rig.outbox.journal_totals()[STATION][1, 1] > last_said_to_somebody + 3)
    assert max(host.kept) <= (1, 1, last_said_to_somebody)
    host.say_online(True)
    async with running(nats_broker, tmp_path / "o.db") as rig:
        rig.agent.quiet = True
        await until(lambda: host.said("birth")[-1]["boot"] == 2)
        spans = {span["boot"]: span for span in host.said("birth")[-1]["journal"]}
        assert set(spans) == {1, 2}
        await until(lambda: rig.outbox.pending_count() == 0)
        totals = rig.outbox.journal_totals()[STATION]
        assert sorted(host.kept) == [(1, boot, seq) for boot in (1, 2) for seq in range(1, totals[1, boot] + 1)]
