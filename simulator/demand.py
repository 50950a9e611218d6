"""Who wants to swap now: watches the packs of all riders and sends out those who are low, a few at a time."""

import asyncio

import numpy as np
from numpy.typing import NDArray

from simulator.rider import Rider
from simulator.store.world_store import Errand
from simulator.tally import Ending
from simulator.town import Town

FIRST_RETRY_S = 30.0
"""How long a rider waits after his first failure, fleet seconds; then twice as long each time, up to the scenario's."""
STARTS_PER_TICK = 4
"""Most riders who ask for an offer in one tick: a real crowd does not press the button in the same second."""


class Demand:
    """All riders of the town as tasks: `tick` sends out who is low, `finish` waits until all are home."""

    def __init__(self, town: Town) -> None:
        self._town = town
        world = town.world
        self._riders = [Rider(town, number) for number in range(len(world.riders))]
        self._below = np.array([rider.swap_below_soc for rider in world.riders])
        self._not_before_s = np.full(len(world.riders), -np.inf)
        self._failures = np.zeros(len(world.riders), dtype=np.int64)
        self._out: dict[int, asyncio.Task[None]] = {}
        self._early_s = np.full(len(world.riders), np.inf)
        self._opened = False
        self._most = max(1, min(world.scenario.demand.most_riders_at_once, 2 * len(world.stations)))

    @property
    def out_count(self) -> int:
        """Return how many riders are on an errand."""
        return len(self._out)

    def resume(self, errands: list[Errand]) -> None:
        """Send riders on with the errands that a former process left behind."""
        for errand in errands:
            self._town.tally.begin()
            self._send(errand.rider, errand)

    def tick(self) -> None:
        """Send out riders who are low, the lowest first."""
        free = self._most - len(self._out)
        if free <= 0 or self._town.closing.is_set() or not self._riders:
            return
        now_s = self._town.clock.monotonic()
        soc = self._town.plant.rider_soc()
        if not self._opened:
            self._open(soc, now_s)
        early = self._early_s <= now_s
        wanting = ((soc < self._below) | early) & (self._not_before_s <= now_s)
        wanting[list(self._out)] = False
        for number in np.flatnonzero(wanting)[np.argsort(soc[wanting], kind="stable")][: min(free, STARTS_PER_TICK)]:
            self._send(int(number), None)

    def _open(self, soc: NDArray[np.float64], now_s: float) -> None:
        """Let the lowest riders set out one after the other though they could still ride: a start shows swaps soon, each time."""
        demand = self._town.world.scenario.demand
        lowest = np.argsort(soc, kind="stable")[: demand.opening_riders]
        self._early_s[lowest] = now_s + demand.opening_first_s + demand.opening_gap_s * np.arange(lowest.size)
        self._opened = True

    async def finish(self, wall_s: float) -> None:
        """Let those who are out come home within `wall_s`; what is left then is cut off, and goes on after a restart."""
        tasks = list(self._out.values())
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=max(wall_s, 0.0))
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _send(self, number: int, errand: Errand | None) -> None:
        self._early_s[number] = np.inf
        task = asyncio.create_task(self._errand(number, errand), name=f"rider {number}")
        self._out[number] = task
        task.add_done_callback(lambda done: self._home(number, done))

    async def _errand(self, number: int, errand: Errand | None) -> None:
        rider = self._riders[number]
        ending = await (rider.swap_packs() if errand is None else rider.visit(errand))
        self._note(number, ending)

    def _note(self, number: int, ending: Ending) -> None:
        if ending == "completed":
            self._failures[number] = 0
            return
        wait_s = min(FIRST_RETRY_S * 2.0 ** min(int(self._failures[number]), 10), self._town.terms.retry_after_s)
        self._failures[number] += 1
        self._not_before_s[number] = self._town.clock.monotonic() + wait_s

    def _home(self, number: int, task: "asyncio.Task[None]") -> None:
        del self._out[number]
        if not task.cancelled() and (error := task.exception()) is not None:
            # A rider must not end the world, nor end in silence.
            self._not_before_s[number] = np.inf
            self._town.tally.broken(number, error)
