"""A stage for riders in virtual time: a town with a scripted service, on a loop whose clock jumps."""

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator.cabinet import SimulatedCabinet
from simulator.faults import Faults
from simulator.places import Point
from simulator.plant import Plant
from simulator.rider_client import Begun, Held, Offer, Refused, SwapNow, Unresolved
from simulator.scenario import load_scenario
from simulator.store.world_store import WorldStore
from simulator.tally import Tally
from simulator.town import Town
from simulator.world import make_world

SPEED = 4.0


class _JumpingSelector(selectors.SelectSelector):
    """Nobody waits: the time that the loop would sleep is added to its clock."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout:
            self.now_s += timeout
        return ready


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now_s


class _LoopClock:
    def monotonic(self) -> float:
        return self.wall_monotonic() * SPEED

    def wall_monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def wall_seconds(self, fleet_seconds: float) -> float:
        return fleet_seconds / SPEED


@dataclass
class Script:
    """The other side: a service that answers as it is told, and a station that does an In-Out swap."""

    cabinets: list[SimulatedCabinet] = field(default_factory=list)
    plant: Plant | None = None
    offers_answer: Refused | None = None
    reserve_answers: list[Refused] = field(default_factory=list)
    start_answers: list[Refused | Unresolved] = field(default_factory=list)
    opens: bool = True
    hands_out: bool = True
    keys: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    released: list[str] = field(default_factory=list)
    statuses: dict[str, str] = field(default_factory=dict)
    stations: set[asyncio.Task[None]] = field(default_factory=set)

    async def offers(self, rider_id: str, vehicle_id: str, near: Point) -> list[Offer] | Refused:
        return self.offers_answer or [Offer("far", "st-00002", 5000.0, 0.0), Offer("near", "st-00001", 100.0, 0.0)]

    async def reserve(self, rider_id: str, offer_id: str, key: str) -> Held | Refused:
        if self.reserve_answers:
            return self.reserve_answers.pop(0)
        return Held(f"rsv-{offer_id}-{rider_id}", {"near": "st-00001", "far": "st-00002"}[offer_id])

    async def cancel(self, rider_id: str, reservation_id: str) -> None:
        self.cancelled.append(reservation_id)

    async def release(self, rider_id: str) -> None:
        self.released.append(rider_id)

    async def start_swap(self, rider_id: str, reservation_id: str, key: str) -> Begun | Refused | Unresolved:
        assert key not in self.keys
        self.keys.append(key)
        answer = self.start_answers.pop(0) if self.start_answers else Begun(f"swp-{rider_id}")
        if not isinstance(answer, Refused) and self.opens:
            assert self.plant is not None
            count = len(self.plant.with_rider[int(rider_id[-6:]) - 1])
            station = 0 if "near" in reservation_id else 1
            self.stations.add(asyncio.create_task(self._station(f"swp-{rider_id}", station, count)))
        return answer

    async def swap(self, rider_id: str, swap_id: str) -> SwapNow | None:
        return SwapNow(swap_id, self.statuses.get(swap_id, "authorised"), None)

    async def _station(self, swap_id: str, station: int, count: int) -> None:
        cabinet, plant = self.cabinets[station], self.plant
        assert plant is not None
        full = [int(n) + 1 for n in np.flatnonzero(plant.in_slot[station] >= 0)][:count]
        empty = [int(n) + 1 for n in np.flatnonzero(plant.in_slot[station] < 0)][:count]
        for slot_no in empty:
            await cabinet.open_slot(slot_no)
            while cabinet.read_pack(slot_no) is None or cabinet.door_open(slot_no):
                await asyncio.sleep(0.2)
        self.statuses[swap_id] = "half_in"
        if not self.hands_out:
            return
        for slot_no in full:
            await cabinet.open_slot(slot_no)
            while cabinet.read_pack(slot_no) is not None or cabinet.door_open(slot_no):
                await asyncio.sleep(0.2)
        self.statuses[swap_id] = "completed"


@dataclass
class Stage:
    """A town of two stations with a scripted other side."""

    town: Town
    script: Script
    told: list[dict[str, object]]

    def rider_with(self, packs: int) -> int:
        return next(n for n, rider in enumerate(self.town.world.riders) if len(rider.packs) == packs)

    def swaps(self) -> dict[str, int]:
        return {ending: count for ending, count in self.town.tally.swaps().items() if count}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Callable[..., Stage]]:
    stores: list[WorldStore] = []

    def make(rates: dict[str, float] | None = None, *, opening_riders: int = 0, **script: Any) -> Stage:
        usual = load_scenario("default")
        demand = usual.demand.model_copy(update={"opening_riders": opening_riders})
        world = make_world(usual.model_copy(update={"demand": demand}), 2, 3)
        store = WorldStore(tmp_path / f"world-{len(stores)}.sqlite")
        stores.append(store)
        plant = Plant(world, store)
        scripted = Script(plant=plant, **script)
        told: list[dict[str, object]] = []
        clock, faults = _LoopClock(), Faults(rates or {}, 1)
        numbers = iter(range(10**6))
        town = Town(world, plant, store, scripted, clock, faults, Tally(told.append), new_key=lambda: f"key-{next(numbers)}")
        scripted.cabinets = [
            SimulatedCabinet(plant, n, station.station_id, world.scenario, faults, clock.monotonic)
            for n, station in enumerate(world.stations)
        ]
        return Stage(town, scripted, told)

    yield make
    for store in stores:
        store.close()


@contextmanager
def _loop() -> Iterator[_VirtualLoop]:
    loop = _VirtualLoop()
    try:
        yield loop
    finally:
        loop.close()


def play(work: Callable[[], Awaitable[Any]]) -> tuple[Any, float]:
    """Run `work` in virtual time; return its result and the wall seconds that passed."""
    with _loop() as loop:
        result = loop.run_until_complete(work())
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        return result, loop.time()
