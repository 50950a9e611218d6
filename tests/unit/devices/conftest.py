"""What the devices' unit tests share: a clock that is moved by hand, a bench station with a real journal, no broker."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from devices.agent.agent import StationAgent
from devices.agent.settings import AgentSettings
from devices.agent.station import Station
from devices.hardware.bench import BenchCabinet
from devices.hardware.ports import ClockStatus, SwapOrder
from devices.link.journal import StationJournal
from devices.link.order import SendRules
from devices.link.outbox import MessageKey, Outbox
from devices.link.port import Listener

ORIGIN = datetime(2026, 4, 6, 0, 0, tzinfo=UTC)


class HandClock:
    """Fleet and wall time that move together, only when the test says so."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.trusted = ClockStatus("ntp")

    def now(self) -> datetime:
        return ORIGIN + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def wall_monotonic(self) -> float:
        return self.seconds

    def wall_seconds(self, fleet_seconds: float) -> float:
        return fleet_seconds

    def status(self) -> ClockStatus:
        return self.trusted

    def advance(self, seconds: float) -> None:
        self.seconds += seconds


class LooseLink:
    """A link that leads nowhere: what is said stays in the journal, where the test reads it."""

    def __init__(self, journal: StationJournal) -> None:
        self.journal = journal

    @property
    def is_up(self) -> bool:
        return self.journal.live

    async def run(self, listener: Listener, stop: Any) -> None:
        listener.link_came_up()
        await stop.wait()


@dataclass
class Bench:
    """A station without a broker."""

    clock: HandClock
    outbox: Outbox
    cabinet: BenchCabinet
    journal: StationJournal
    settings: AgentSettings = field(default_factory=AgentSettings)

    @property
    def station(self) -> Station:
        if not hasattr(self, "_station"):
            self._station = Station(self.cabinet, self.journal, self.clock, self.settings)
        return self._station

    def said(self, leaf: str | None = None) -> list[dict[str, Any]]:
        """Everything in the journal, oldest first, with its leaf under ``_leaf``."""
        import json

        out = []
        for held in self.outbox.held(self.journal.station_id):
            body = self.outbox.body(self.journal.station_id, MessageKey(*held.key))
            assert body is not None
            if leaf in (None, held.leaf):
                out.append({**json.loads(body), "_leaf": held.leaf})
        return out


def make_bench(path: Path, *, swap_order: SwapOrder = "In-Out", slots: int = 6, packs: int = 4, live: bool = True) -> Bench:
    clock = HandClock()
    outbox = Outbox(path, durable=False)
    journal = StationJournal("st-1", 1, outbox, clock, SendRules())
    journal.live = live
    return Bench(clock, outbox, BenchCabinet(clock, slot_count=slots, pack_count=packs, swap_order=swap_order), journal)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = make_bench(tmp_path / "journal.db")
    yield bench
    bench.outbox.close()


@pytest.fixture
def hand_clock() -> HandClock:
    return HandClock()


@pytest.fixture
def chance() -> random.Random:
    return random.Random(7)


def agent_of(bench: Bench) -> StationAgent:
    settings = AgentSettings(swap_tick_wall_s=0.0, tick_wall_s=0.001)
    return StationAgent("st-1", 1, bench.cabinet, LooseLink(bench.journal), bench.clock, settings, random.Random(1))


@pytest.fixture
def agent(bench: Bench) -> Iterator[StationAgent]:
    return agent_of(bench)


def command(
    bench: Bench, name: str, args: dict[str, Any], command_id: str = "cmd-1", lifetime_s: float = 60.0, **more: Any
) -> bytes:
    now = bench.clock.now()
    body = {"v": 1, "commandId": command_id, "name": name, "issuedAt": now.isoformat(), "args": args}
    return json.dumps({**body, "validUntil": (now + timedelta(seconds=lifetime_s)).isoformat()}).encode()


def acks(bench: Bench) -> list[tuple[str, str | None]]:
    return [(body["status"], body.get("reasonCode")) for body in bench.said("ack")]


SWAP = {"requestId": 2**30, "idToken": {"idToken": "rsv_1"}, "count": 1, "offerSerials": ["BENCH-0004"]}
