"""The world against a running service: registers it, runs the stations' agents, steps the plant, sends out the riders.

Talks to the service over MQTT and HTTP only. `run_online` is the composition root: the one place that reads clocks and chance.
"""

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import httpx

from simulator.demand import Demand
from simulator.faults import Faults
from simulator.fleet import Fleet, Login
from simulator.fleet_clock import SimulatedClock, read_clock_file
from simulator.plant import Plant
from simulator.register import register
from simulator.rider_client import RiderClient
from simulator.scenario import load_scenario
from simulator.store.world_store import WorldStore
from simulator.tally import Tally, Tell
from simulator.town import Town
from simulator.world import make_world

TICK_S = 1.0
"""Wall seconds between two steps of the plant."""
PROGRESS_S = 10.0
RIDERS_WAIT_S = 20.0
"""Riders start when nine tenths of the stations are online, or after this many wall seconds with any."""
SETTLE_S = 3.0
"""Wall seconds between the last birth and the first offer asked for: the service must have read the births."""
LAST_SWAPS_S = 30.0
DRAIN_S = 60.0
WORLD_FILE = "world.sqlite"


class CredentialsError(ValueError):
    """The credentials file cannot be used; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class OnlineOptions:
    """What ``denchi-sim online`` was asked to do."""

    api_url: str
    broker_host: str
    broker_port: int
    credentials: Path
    clock_file: Path
    data_dir: Path
    stations: int
    seed: int
    scenario: str = "default"
    fault_rates: dict[str, float] = field(default_factory=dict)
    parent: int | None = None
    """Process without which this one ends; None: nobody."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the simulator may do: an operator's token, one login per station, one token per rider."""

    operator_token: str = field(repr=False)
    stations: dict[str, Login] = field(repr=False)
    rider_tokens: dict[str, str] = field(repr=False)


def read_credentials(path: Path, station_ids: list[str], rider_ids: list[str]) -> Credentials:
    """Read the credentials file and check that everybody is in it. Raises CredentialsError."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        stations = {name: Login(each["user"], each["password"]) for name, each in told["stations"].items()}
        credentials = Credentials(str(told["operator_token"]), stations, dict(told["rider_tokens"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CredentialsError(f"credentials file {path}: {type(error).__name__}: {error}") from error
    for what, wanted, given in (("station", station_ids, credentials.stations), ("rider", rider_ids, credentials.rider_tokens)):
        missing = [name for name in wanted if name not in given]
        if missing:
            raise CredentialsError(f"credentials file {path} lacks {len(missing)} {what}s, the first is {missing[0]}")
    return credentials


async def run_online(options: OnlineOptions, tell: Tell, wall_now: Callable[[], datetime]) -> dict[str, object]:
    """Run the world until SIGTERM, SIGINT or the end of the parent; return the report.

    `wall_now` : the wall clock, aware; it is read once.

    Raises
    ------
    ScenarioError, ClockFileError, CredentialsError, WorldMismatchError, RegistrationError, OutboxInUseError
        It could not begin; nothing is left behind but the world's file.
    """
    world = make_world(load_scenario(options.scenario), options.stations, options.seed)
    clock = SimulatedClock(read_clock_file(options.clock_file), wall_now())
    credentials = read_credentials(
        options.credentials, [station.station_id for station in world.stations], [rider.rider_id for rider in world.riders]
    )
    faults = Faults(options.fault_rates, options.seed)
    tally = Tally(tell)
    options.data_dir.mkdir(parents=True, exist_ok=True)
    limits = httpx.Limits(max_connections=32, max_keepalive_connections=32)
    with WorldStore(options.data_dir / WORLD_FILE) as store:
        plant = Plant(world, store)
        async with httpx.AsyncClient(base_url=options.api_url, timeout=15.0, limits=limits, trust_env=False) as http:
            counts = await register(http, credentials.operator_token, world)
            tell({"event": "registered", **counts, "riders": len(world.riders), "world": "found" if plant.was_there else "new"})
            fleet = Fleet(
                world,
                plant,
                store,
                options.data_dir,
                clock,
                (options.broker_host, options.broker_port),
                credentials.stations,
                faults,
            )
            app = RiderClient(http, credentials.rider_tokens, monotonic=time.monotonic)
            town = Town(world, plant, store, app, clock, faults, tally, new_key=lambda: os.urandom(16).hex())
            run = _Run(options, clock, plant, store, fleet, town, Demand(town), tell)
            try:
                await run.until_told()
                await run.wind_down()
            finally:
                fleet.outbox.close()
            return run.report


class _Run:
    """One run's loop and its end."""

    def __init__(
        self,
        options: OnlineOptions,
        clock: SimulatedClock,
        plant: Plant,
        store: WorldStore,
        fleet: Fleet,
        town: Town,
        demand: Demand,
        tell: Tell,
    ) -> None:
        self._options, self._clock, self._plant, self._store = options, clock, plant, store
        self._fleet, self._town, self._demand, self._tell = fleet, town, demand, tell
        self._stop, self._hurry = asyncio.Event(), asyncio.Event()
        self._stepped_s = clock.monotonic()
        self.report: dict[str, object] = {}

    async def until_told(self) -> None:
        """Step the world until somebody ends it."""
        self._listen()
        began_s = told_s = self._clock.wall_monotonic()
        riders_from_s: float | None = None
        riding = False
        self._fleet.start()
        while not self._stop.is_set():
            now_s = self._clock.wall_monotonic()
            self._step()
            online = self._fleet.look(self._tell)
            if riders_from_s is None and online and (online >= 0.9 * len(self._fleet.agents) or now_s - began_s > RIDERS_WAIT_S):
                riders_from_s = now_s + SETTLE_S
            if riders_from_s is not None and now_s >= riders_from_s:
                if not riding:
                    riding = True
                    self._demand.resume(self._store.errands())
                self._demand.tick()
            if now_s - told_s >= PROGRESS_S:
                told_s = now_s
                self._tell(self._progress(online))
            self._watch_parent()
            used_s = self._clock.wall_monotonic() - now_s
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), max(TICK_S - used_s, 0.05))

    async def wind_down(self) -> None:
        """End errands, let the stations say everything, stop them, and make the report."""
        self._town.closing.set()
        # The agents' timers run on, and so does the plant, until the last rider has left.
        moving = asyncio.Event()
        moving.set()
        watching = asyncio.create_task(self._watch(moving))
        await self._until_hurry(self._demand.finish(0.0 if self._hurry.is_set() else LAST_SWAPS_S))
        await self._demand.finish(0.0)
        moving.clear()
        await self._fleet.drain(DRAIN_S, self._hurry)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await self._fleet.stop(5.0)
        self._plant.save(self._clock.now())
        self.report = {
            "event": "report",
            "journal": self._fleet.journal(),
            "outbox_left": self._fleet.outbox.pending_count(),
            "swaps": self._town.tally.swaps_at_the_end(),
            "refusals": dict(self._town.tally.refusals),
            "energy_charged_wh": round(self._plant.charged_wh, 1),
            "site_over_limit_s": round(float(self._plant.meters.over_limit_s.sum()), 1),
            "riders": len(self._town.world.riders),
            "riders_broken": self._town.tally.faults_of_ours,
        }

    def _step(self) -> None:
        now_s = self._clock.monotonic()
        self._plant.step(now_s - self._stepped_s, self._town.world.scenario.demand.riding_at(self._clock.now()))
        self._stepped_s = now_s
        self._plant.save(self._clock.now())

    async def _watch(self, moving: asyncio.Event) -> None:
        while True:
            if moving.is_set():
                self._step()
            self._watch_parent()
            await asyncio.sleep(TICK_S)

    async def _until_hurry(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        hurry = asyncio.create_task(self._hurry.wait())
        await asyncio.wait([task, hurry], return_when=asyncio.FIRST_COMPLETED)
        for each in (task, hurry):
            each.cancel()
        await asyncio.gather(task, hurry, return_exceptions=True)

    def _progress(self, online: int) -> dict[str, object]:
        return {
            "event": "progress",
            "fleet_at": self._clock.now().isoformat(timespec="seconds"),
            "stations_online": online,
            "riders_out": self._demand.out_count,
            "swaps": self._town.tally.swaps(),
            "site_power_ac_w": round(float(self._plant.meters.power_ac_w.sum()), 1),
            "energy_charged_wh": round(self._plant.charged_wh, 1),
            "outbox": self._fleet.outbox.pending_count(),
        }

    def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._asked_to_stop)

    def _asked_to_stop(self) -> None:
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    def _watch_parent(self) -> None:
        # Nobody is left to read the report, and the service is going too: end at once, keep what is on disk.
        if self._options.parent is not None and os.getppid() != self._options.parent:
            self._hurry.set()
            self._stop.set()
