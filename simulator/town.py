"""What all riders share: the plant, the stations and who stands in front of them, the app, the clock, the tally."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Protocol

from simulator.faults import Faults
from simulator.places import Point
from simulator.plant import Plant
from simulator.rider_client import Begun, Held, Offer, Refused, SwapNow, Unresolved
from simulator.store.world_store import WorldStore
from simulator.tally import Tally
from simulator.world import World


class App(Protocol):
    """What a rider can ask of the service; ``simulator.rider_client.RiderClient`` asks over HTTP."""

    async def offers(self, rider_id: str, vehicle_id: str, near: Point) -> list[Offer] | Refused:
        """Ask where to swap."""
        ...

    async def reserve(self, rider_id: str, offer_id: str, key: str) -> Held | Refused:
        """Take an offer."""
        ...

    async def cancel(self, rider_id: str, reservation_id: str) -> None:
        """Give a reservation back."""
        ...

    async def release(self, rider_id: str) -> None:
        """Give every live reservation of a rider back."""
        ...

    async def start_swap(self, rider_id: str, reservation_id: str, key: str) -> Begun | Refused | Unresolved:
        """Say at the station that the swap may begin."""
        ...

    async def swap(self, rider_id: str, swap_id: str) -> SwapNow | None:
        """Return how far a swap is."""
        ...


class RiderTime(Protocol):
    """The part of the fleet clock that a rider feels."""

    def monotonic(self) -> float:
        """Return fleet seconds that never go back [s]."""
        ...

    def wall_monotonic(self) -> float:
        """Return wall seconds that never go back [s]."""
        ...

    def wall_seconds(self, fleet_seconds: float) -> float:
        """Return how long `fleet_seconds` take on the wall [s]."""
        ...


class Town:
    """Everything outside one rider's head. `closing` set: nobody begins a swap any more."""

    def __init__(
        self,
        world: World,
        plant: Plant,
        store: WorldStore,
        app: App,
        clock: RiderTime,
        faults: Faults,
        tally: Tally,
        *,
        new_key: Callable[[], str],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.world = world
        self.terms = world.scenario.riders
        self.plant = plant
        self.store = store
        self.app = app
        self.clock = clock
        self.faults = faults
        self.tally = tally
        self.new_key = new_key
        self.closing = asyncio.Event()
        self.fronts = [asyncio.Lock() for _ in world.stations]
        """Only one rider stands in front of a station; the others queue."""
        self.number_of = {station.station_id: number for number, station in enumerate(world.stations)}
        self._sleep = sleep
        self._chance = random.Random(f"{world.seed}/hands")

    async def pause(self, fleet_s: float) -> None:
        """Let `fleet_s` fleet seconds go by."""
        await self._sleep(self.clock.wall_seconds(fleet_s))

    async def wall_pause(self, wall_s: float) -> None:
        """Let `wall_s` wall seconds go by."""
        await self._sleep(wall_s)

    async def travel(self, fleet_s: float) -> bool:
        """Let the time of a ride go by; tell whether the rider arrived before the town closed."""
        until_s = self.clock.monotonic() + fleet_s
        while not self.closing.is_set():
            left_s = self.clock.wall_seconds(until_s - self.clock.monotonic())
            if left_s <= 0:
                return True
            await self._sleep(min(left_s, 1.0))
        return False

    def hand_s(self) -> float:
        """Return how long a rider's hands need for one pack, fleet seconds."""
        return self._chance.uniform(*self.terms.hand_s)

    def station_id(self, station: int) -> str:
        """Return the id of station number `station`."""
        return self.world.stations[station].station_id
