"""The simulated world against the real service: database, broker, ingest, desk, dispatch and API run; riders swap."""

import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from service.api.app import make_app
from service.api.auth import TokenVerifier
from service.dispatch.dispatch import run_dispatch
from service.domain.clock import FleetTime
from service.domain.ids import make_id
from service.ingest.ingest import run_ingest
from service.provisioning.keys import make_token_key
from service.provisioning.stations import add_station
from service.provisioning.tokens import mint_token
from service.standalone.ports import free_port
from service.store.pool import Pool
from service.swapping.desk import Desk, DeskRules
from service.swapping.worker import run_desk
from simulator.scenario import load_scenario
from simulator.world import make_world, world_summary

ISSUER, AUDIENCE = "https://issuer.invalid", "denchi"
STATIONS, SEED = 4, 11


class WallClock:
    def __init__(self, line: FleetTime) -> None:
        self.line = line

    def now(self) -> datetime:
        return self.line.at(datetime.now(UTC))

    def wall_seconds(self, fleet_seconds: float) -> float:
        return self.line.wall_seconds(fleet_seconds)


@dataclass
class Service:
    """A running service, and how to send a simulator to it."""

    pool: Pool
    arguments: list[str]
    summary: dict[str, Any]
    simulators: list["Simulator"] = field(default_factory=list)

    def simulator(self, *, parent: Sequence[str] = ()) -> "Simulator":
        simulator = Simulator(self.arguments, parent)
        self.simulators.append(simulator)
        return simulator


class Simulator:
    """A ``denchi-sim online --json`` child process; `lines` is what it has said."""

    def __init__(self, arguments: Sequence[str], parent: Sequence[str]) -> None:
        command = [*parent, sys.executable, "-m", "simulator", "online", "--json", *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.lines: list[dict[str, Any]] = []
        self.reader = asyncio.create_task(asyncio.to_thread(self._read))
        self.errors = asyncio.create_task(asyncio.to_thread(self._read_errors))

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            for line in output:
                self.lines.append(json.loads(line))

    def _read_errors(self) -> str:
        assert self.process.stderr is not None
        with self.process.stderr as output:
            return output.read().decode()

    def said(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == event]

    async def until(self, event: str, count: int = 1, timeout_s: float = 60.0) -> None:
        deadline = time.monotonic() + timeout_s
        while len(self.said(event)) < count:
            assert self.process.poll() is None, (self.process.returncode, await self.errors)
            assert time.monotonic() < deadline, f"not {count} x {event} in {timeout_s} s: {self.lines[-3:]}"
            await asyncio.sleep(0.1)

    async def end(self, timeout_s: float = 100.0) -> dict[str, Any]:
        """Stop it as `denchi up` does, and return its last line."""
        self.process.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(asyncio.to_thread(self.process.wait), timeout_s)
        await self.reader
        assert code == 0, await self.errors
        return self.lines[-1]

    async def kill(self) -> None:
        self.process.kill()
        await asyncio.to_thread(self.process.wait)
        await asyncio.gather(self.reader, self.errors)


@pytest.fixture
async def service(pool: Pool, nats_broker: Any, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Service]:
    speed = float(getattr(request, "param", 4.0))
    wall = datetime.now(UTC)
    clock = WallClock(FleetTime(datetime(2026, 4, 6, 9, 0, tzinfo=UTC), wall, speed))
    clock_file = tmp_path / "clock.json"
    clock_file.write_text(
        json.dumps({"origin": clock.line.origin.isoformat(), "anchor": clock.line.anchor.isoformat(), "speed": clock.line.speed})
    )
    summary = world_summary(make_world(load_scenario("default"), STATIONS, SEED))
    credentials = await _provision(pool, nats_broker, tmp_path, summary, clock, wall)
    rules = DeskRules()

    def new_id(prefix: str) -> str:
        return make_id(prefix, clock.now(), os.urandom(10))

    app = make_app(
        pool,
        clock,
        Desk(clock, rules, new_id),
        TokenVerifier(issuer=ISSUER, audience=AUDIENCE, jwks_file=tmp_path / "jwks.json"),
        b"0" * 32,
        wall_now=lambda: datetime.now(UTC),
        station_silence_s=rules.station_silence_s,
    )
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=free_port(), log_level="warning"))
    stop = asyncio.Event()
    address = nats_broker.address()
    tasks = [
        asyncio.create_task(run_ingest(pool, address, clock, host_id="ingest-1", parts="00-3f", queue_size=4096, stop=stop)),
        asyncio.create_task(run_desk(pool, clock, rules=rules, new_id=new_id, stop=stop)),
        asyncio.create_task(run_dispatch(pool, address, clock, stop=stop)),
        asyncio.create_task(server.serve()),
    ]
    running = Service(
        pool,
        [
            *("--api-url", f"http://127.0.0.1:{server.config.port}", "--broker-host", "127.0.0.1"),
            *("--broker-port", str(nats_broker.port), "--credentials", str(credentials), "--clock-file", str(clock_file)),
            *("--data-dir", str(tmp_path / "sim"), "--stations", str(STATIONS), "--seed", str(SEED)),
        ],
        summary,
    )
    try:
        yield running
    finally:
        for simulator in running.simulators:
            if simulator.process.poll() is None:
                await simulator.kill()
        stop.set()
        server.should_exit = True
        _, late = await asyncio.wait(tasks, timeout=15)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _provision(pool: Pool, broker: Any, directory: Path, summary: dict[str, Any], clock: WallClock, wall: datetime) -> Path:
    key = directory / "key.pem"
    make_token_key(key, directory / "jwks.json")
    async with pool.acquire() as connection:
        for station in summary["stations"]:
            place = station["latitude"], station["longitude"]
            await add_station(connection, station["station_id"], station["name"], *place, clock.now())
    names = [station["station_id"] for station in summary["stations"]]
    broker.provision(*names)
    logins = {name: broker.provision(name) for name in names}

    def token(subject: str, scope: str) -> str:
        return mint_token(key, ISSUER, AUDIENCE, subject, [scope], 3600, wall - timedelta(seconds=1))

    path = directory / "credentials.json"
    path.write_text(
        json.dumps(
            {
                "operator_token": token("sim", "operator"),
                "stations": {name: {"user": login.user, "password": login.password} for name, login in logins.items()},
                "rider_tokens": {rider: token(rider, "rider") for rider in summary["riders"]},
            }
        )
    )
    return path


async def _settled(pool: Pool) -> dict[tuple[str, int, int], int]:
    rows = await pool.fetch("SELECT station_id, epoch, boot, settled FROM station_boot")
    return {(row["station_id"], row["epoch"], row["boot"]): _unbroken(row["settled"]) for row in rows}


def _unbroken(settled: list[Any]) -> int:
    """Return up to which message everything from the first on is settled."""
    return settled[0].upper - 1 if settled and settled[0].lower == 1 else 0


async def _everything_said_is_stored(pool: Pool, report: dict[str, Any]) -> None:
    assert report["outbox_left"] == 0
    settled = await _settled(pool)
    for station_id, epoch, boot, last_seq in report["journal"]["by_boot"]:
        assert settled.get((station_id, epoch, boot), 0) == last_seq, (station_id, epoch, boot)


async def test_riders_swap_at_real_agents_and_everything_said_is_stored(service: Service) -> None:
    simulator = service.simulator()
    await simulator.until("registered", timeout_s=30)
    await simulator.until("station_online", STATIONS, timeout_s=30)
    await simulator.until("swap_completed", 3, timeout_s=60)
    report = await simulator.end()
    assert report["event"] == "report", report
    assert report["swaps"]["completed"] >= 3
    assert report["swaps"]["unresolved"] == 0
    assert sum(count for name, count in report["swaps"].items() if name != "attempted") == report["swaps"]["attempted"]
    assert report["riders_broken"] == 0
    assert report["energy_charged_wh"] > 0
    assert report["journal"]["messages_sent"] > 0
    await _everything_said_is_stored(service.pool, report)
    completed = await service.pool.fetchval("SELECT count(*) FROM swap WHERE status IN ('completed', 'settled')")
    assert completed == report["swaps"]["completed"]


async def _all_handled(pool: Pool) -> bool:
    return not await pool.fetchval("SELECT count(*) FROM station_event WHERE handled_at IS NULL")


async def _disagreements(pool: Pool, world_file: Path) -> set[str]:
    """Compare the service's belief with the world's truth, pack by pack; return the serials of those that are elsewhere."""
    with contextlib.closing(sqlite3.connect(world_file)) as file:
        truth = {row[0]: row[1:] for row in file.execute("SELECT serial_number, station, slot_no, rider FROM pack_place")}
    rows = await pool.fetch("SELECT serial_number, place, station_id, slot_no, asset_id FROM pack")
    assert len(rows) == len(truth) > 0
    wrong = set()
    for row in rows:
        station, slot_no, rider = truth[row["serial_number"]]
        there: tuple[str | None, ...] = ("slot", f"st-{(station or 0) + 1:05d}", slot_no, None)
        if station is None:
            there = ("asset", None, None, f"veh-{rider + 1:06d}")
        if there != (row["place"], row["station_id"], row["slot_no"], row["asset_id"]):
            wrong.add(row["serial_number"])
    return wrong


@pytest.mark.long
async def test_a_second_run_goes_on_with_the_same_world(service: Service, tmp_path: Path, eventually: Callable[..., Any]) -> None:
    first = service.simulator()
    await first.until("swap_completed", 1, timeout_s=60)
    await first.end()
    second = service.simulator()
    await second.until("registered", timeout_s=30)
    told = second.said("registered")[0]
    assert (told["world"], told["created"]) == ("found", 0)
    await second.until("swap_completed", 1, timeout_s=90)
    report = await second.end()
    assert {boot for _, _, boot, _ in report["journal"]["by_boot"]} == {1, 2}
    await _everything_said_is_stored(service.pool, report)
    await eventually(lambda: _all_handled(service.pool), 20)
    assert await _disagreements(service.pool, tmp_path / "sim" / "world.sqlite") == set()


@pytest.mark.long
async def test_a_killed_simulator_loses_nothing_and_misplaces_no_pack(
    service: Service, tmp_path: Path, eventually: Callable[..., Any]
) -> None:
    first = service.simulator()
    await first.until("swap_completed", 1, timeout_s=60)
    await first.kill()
    second = service.simulator()
    await second.until("station_online", STATIONS, timeout_s=60)
    report = await second.end()
    await _everything_said_is_stored(service.pool, report)
    assert await service.pool.fetchval("SELECT count(*) FROM dead_letter") == 0
    await eventually(lambda: _all_handled(service.pool), 20)
    assert await _disagreements(service.pool, tmp_path / "sim" / "world.sqlite") == set()


async def test_a_simulator_ends_with_its_parent(service: Service) -> None:
    parent = [sys.executable, "-c", "import subprocess, sys; subprocess.Popen(sys.argv[1:]).wait()"]
    simulator = service.simulator(parent=parent)
    await simulator.until("station_online", STATIONS, timeout_s=60)
    simulator.process.kill()
    # Its end of the pipe closes when the simulator itself is gone.
    await asyncio.wait_for(simulator.reader, 20)
    assert simulator.lines[-1]["event"] == "report"
