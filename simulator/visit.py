"""One rider in front of one station: he says that he is there, puts his packs in, takes the new ones, or loses patience.

He only sees doors. Which door opens is between the service and the station; he puts a pack into an open empty slot and
takes one out of an open full slot, and that is all a swap is to him.
"""

import asyncio
from dataclasses import replace

from simulator.rider_client import Begun, Unresolved
from simulator.store.world_store import Errand
from simulator.tally import Ending
from simulator.town import Town
from simulator.world import RiderAtStart

LOOK_S = 1.0
"""How often a rider looks at the doors, fleet seconds."""
DOOR_S = 1.0
"""How long a door takes to fall shut, fleet seconds."""
STARTS = 3
"""How often he tries to start when the station could not be reached."""
CONFIRM_WALL_S = 45.0
"""How long he waits for the app to say that the swap is completed."""
DONE = frozenset({"completed", "settled"})
OVER = frozenset({"rejected", "expired", "cancelled"})


class Visit:
    """One errand's last part. `run` returns when the rider turns away, and has told the tally why."""

    def __init__(self, town: Town, rider: int, at_start: RiderAtStart, errand: Errand) -> None:
        self._town = town
        self._rider = rider
        self._id = at_start.rider_id
        self._count = len(at_start.packs)
        self._errand = errand
        mine = sorted(town.plant.with_rider[rider], key=lambda number: float(town.plant.packs.stored_wh[number]))
        # After a restart in the middle of a visit the fullest packs in his hands are those he has taken already.
        keep = len(mine) - errand.packs_out
        self._old, self._new = mine[:keep], mine[keep:]
        self._given: set[int] = set()
        self._back: list[int] = []
        self._no: str | None = None
        self._unknown = False

    async def run(self) -> Ending:
        """Swap, or give up; return how it ended."""
        starting = asyncio.create_task(self._start())
        try:
            await self._stand(starting)
            if not starting.done():
                await asyncio.wait([starting], timeout=CONFIRM_WALL_S)
        finally:
            if not starting.done():
                starting.cancel()
        return await self._leave()

    async def _start(self) -> None:
        if self._errand.swap_id is not None:
            return
        for attempt in range(STARTS):
            if attempt:
                # The answer to a key is final, so another try needs another key. It is written down before it is used.
                self._remember(replace(self._errand, swap_key=self._town.new_key()))
                await self._town.wall_pause(2.0)
            answer = await self._town.app.start_swap(self._id, self._errand.reservation_id, self._errand.swap_key)
            if isinstance(answer, Begun):
                self._remember(replace(self._errand, swap_id=answer.swap_id))
                return
            if isinstance(answer, Unresolved):
                self._unknown = True
                if answer.swap_id is not None:
                    self._remember(replace(self._errand, swap_id=answer.swap_id))
                return
            if answer.reason != "not_delivered" or self._moved() or attempt == STARTS - 1:
                self._no = answer.reason
                return
            self._town.tally.no(answer.reason)

    async def _stand(self, starting: "asyncio.Task[None]") -> None:
        clock = self._town.clock
        seen_s = clock.monotonic()
        while len(self._new) < self._count or self._old:
            if await self._act():
                seen_s = clock.monotonic()
                if not self._old and not self._new and self._given and self._town.faults.happens("rider_leaves"):
                    return
                continue
            if starting.done() and self._no is not None and not self._moved():
                return
            if clock.monotonic() - seen_s > self._town.terms.patience_s:
                return
            await self._town.pause(LOOK_S)

    async def _act(self) -> bool:
        """Do one thing at one open door; tell whether there was one to do."""
        plant, station = self._town.plant, self._errand.station
        for index in plant.door_open[station].nonzero()[0]:
            slot_no = int(index) + 1
            number = int(plant.in_slot[station, index])
            if number < 0:
                if not self._old:
                    continue
                await self._town.pause(self._town.hand_s())
                if plant.door_open[station, index] and plant.in_slot[station, index] < 0:
                    self._put(slot_no)
            else:
                mine_again = number in self._given
                if not mine_again and len(self._new) >= self._count:
                    continue
                await self._town.pause(self._town.hand_s())
                if plant.door_open[station, index] and plant.in_slot[station, index] == number:
                    self._take(slot_no, number, mine_again)
            await self._town.pause(DOOR_S)
            plant.door_open[station, index] = False
            return True
        return False

    def _put(self, slot_no: int) -> None:
        plant = self._town.plant
        number = self._old.pop()
        if self._town.faults.happens("pack_foreign"):
            plant.foreign_labels[number] = f"FOREIGN-{number:06d}"
        if self._town.faults.happens("pack_faulty"):
            plant.pack_faults[number] = ("CellImbalance",)
        self._errand = plant.put(self._rider, number, self._errand.station, slot_no, self._errand) or self._errand
        self._given.add(number)

    def _take(self, slot_no: int, number: int, mine_again: bool) -> None:
        plant = self._town.plant
        taken = plant.take(self._rider, self._errand.station, slot_no, self._errand, back=mine_again)
        self._errand = taken or self._errand
        if mine_again:
            # The station does not want it. He does not try again with the same pack.
            self._given.discard(number)
            plant.foreign_labels.pop(number, None)
            self._back.append(number)
        else:
            self._new.append(number)

    async def _leave(self) -> Ending:
        town, station_id = self._town, self._town.station_id(self._errand.station)
        if self._no is not None and not self._moved():
            town.tally.refused(self._no)
            return "refused"
        ending, why = await self._ending()
        town.tally.end(ending, self._errand.swap_id, station_id, why)
        return ending

    async def _ending(self) -> tuple[Ending, str | None]:
        """Ask the app until it knows, for a while; return how the swap ended and why."""
        swap_id = self._errand.swap_id
        complete = len(self._new) >= self._count
        if swap_id is None:
            return ("unresolved", "no_answer") if self._unknown or self._moved() else ("abandoned", "not_started")
        clock = self._town.clock
        until_s = clock.wall_monotonic() + (CONFIRM_WALL_S if complete else 2.0)
        status = "unknown"
        while True:
            now = await self._town.app.swap(self._id, swap_id)
            status = now.status if now is not None else status
            if status in DONE:
                return "completed", None
            if clock.wall_monotonic() >= until_s:
                break
            await self._town.wall_pause(0.5)
        if self._unknown or complete:
            return "unresolved", status
        return "abandoned", status

    def _moved(self) -> bool:
        return self._errand.packs_in > 0 or self._errand.packs_out > 0

    def _remember(self, errand: Errand) -> None:
        self._errand = errand
        self._town.store.save_errand(errand)
