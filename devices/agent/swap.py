"""One swap at the cabinet: doors, packs, timeouts on the fleet clock, and what is said of it. One swap at a time."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

from devices.agent.safety import SlotNow, fits, why_not_hand_out, why_not_take_in
from devices.agent.station import Station
from devices.hardware.ports import PackSample
from devices.link.outbox import Answer
from devices.wire.commands import RequestBatterySwap

COMPLETED = Answer("Completed", None)


@dataclass(slots=True)
class SwapState:
    """Where a swap stands, for whoever stands before the cabinet."""

    request_id: int
    token: str
    phase: Literal["in", "out", "done"]
    slot_numbers: tuple[int, ...] = ()
    """Slots that are open for the rider now."""
    moved_in: list[str] = field(default_factory=list)
    moved_out: list[str] = field(default_factory=list)


def why_not_start(station: Station, wanted: RequestBatterySwap) -> str | None:
    """Return why a swap cannot be done here now, None when it can."""
    slots, rules = station.slots, station.settings.safety
    slots.read()
    freed: set[int] = set()
    for serial_number in wanted.offer_serials:
        slot_no = slots.slot_of(serial_number)
        reason = "NoBatteryAvailable" if slot_no is None else why_not_hand_out(slots.now[slot_no], rules)
        if reason is not None or slot_no is None:
            return reason
        freed.add(slot_no)
    empty = [slot_no for slot_no, now in slots.now.items() if why_not_take_in(now, rules) is None]
    if station.cabinet.descriptor.swap_order == "Out-In":
        empty += sorted(freed - set(empty))
    return None if len(empty) >= wanted.count else "NoEmptySlot"


class SwapRun:
    """Carry out one swap.

    Parameters
    ----------
    pause : waits a moment between two looks at the cabinet.
    """

    def __init__(self, station: Station, wanted: RequestBatterySwap, pause: Callable[[], Awaitable[None]]) -> None:
        self._station, self._wanted, self._pause = station, wanted, pause
        self._in_out = station.cabinet.descriptor.swap_order == "In-Out"
        self._cancelled = asyncio.Event()
        self._jammed: set[int] = set()
        self.state = SwapState(wanted.request_id, wanted.id_token.id_token, "in" if self._in_out else "out")

    def cancel(self) -> bool:
        """Ask to stop; False when a pack has moved already and the swap must go on."""
        if self.state.moved_in or self.state.moved_out:
            return False
        self._cancelled.set()
        return True

    async def run(self) -> Answer:
        """Move the sets and return the final answer: Completed, or Failed with the reason.

        Raises
        ------
        JournalError : when a movement could not be journalled; nothing further moves then.
        """
        directions = (self._take_in, self._hand_out) if self._in_out else (self._hand_out, self._take_in)
        for direction in directions:
            reason = await direction()
            self.state.slot_numbers = ()
            if reason is not None:
                self.state.phase = "done"
                return Answer("Failed", reason)
        self.state.phase = "done"
        return COMPLETED

    # -- in -------------------------------------------------------------------------------------------------------

    async def _take_in(self) -> str | None:
        self.state.phase = "in"
        while len(self.state.moved_in) < self._wanted.count:
            slot_no = self._next_empty()
            if slot_no is None:
                return "NoEmptySlot"
            if not await self._open(slot_no):
                continue
            reason = await self._await_in(slot_no)
            if reason is not None:
                return reason
        return None

    def _next_empty(self) -> int | None:
        """Return the next slot: those named for this swap first, then any that is empty and not held."""
        slots, rules = self._station.slots, self._station.settings.safety
        slots.read()
        named = self._wanted.in_slots
        others = sorted(slots.now, key=lambda slot_no: (slot_no in slots.reserved, slot_no))
        for slot_no in [*named, *(other for other in others if other not in named)]:
            now = slots.now.get(slot_no)
            if now is not None and slot_no not in self._jammed and why_not_take_in(now, rules) is None:
                return slot_no
        return None

    async def _await_in(self, slot_no: int) -> str | None:
        station = self._station
        deadline_s = station.clock.monotonic() + station.cabinet.descriptor.timeout_in_s
        left_open = _LeftOpen(station, slot_no)
        while True:
            now = station.slots.read_one(slot_no)
            if now.stopped:
                return "SafeState"
            if now.pack is not None and (not now.door_open or await left_open.given_up()):
                if not fits(now.slot, now.pack):
                    if not await self._give_back(now, now.pack):
                        return "ForeignPack"
                    deadline_s = station.clock.monotonic() + station.cabinet.descriptor.timeout_in_s
                    continue
                self.state.moved_in.append(now.pack.serial_number)
                station.say_swap("BatteryIn", self._wanted.request_id, self._wanted.id_token, [(slot_no, now.pack)])
                return None
            if now.pack is None and (self._cancelled.is_set() or station.clock.monotonic() >= deadline_s):
                await station.cabinet.close_slot(slot_no)
                if station.slots.read_one(slot_no).pack is None:
                    return "Cancelled" if self._cancelled.is_set() else "TimeoutIn"
            await self._pause()

    async def _give_back(self, now: SlotNow, pack: PackSample) -> bool:
        """Open again for a pack that does not belong here; True when it is gone and the slot waits for the right one."""
        station, slot_no = self._station, now.slot.slot_no
        serials, model = [pack.serial_number], pack.pack_model_id
        station.say_event("security", "ForeignPack", "once", "warning", [slot_no], serial_numbers=serials, detail=model)
        until_s = station.clock.monotonic() + station.cabinet.descriptor.timeout_out_s
        await station.cabinet.open_slot(slot_no)
        while station.slots.read_one(slot_no).pack is not None:
            if station.clock.monotonic() >= until_s:
                await station.cabinet.close_slot(slot_no)
                return False
            await self._pause()
        return await self._open(slot_no)

    # -- out ------------------------------------------------------------------------------------------------------

    async def _hand_out(self) -> str | None:
        self.state.phase = "out"
        slots, rules = self._station.slots, self._station.settings.safety
        for serial_number in self._wanted.offer_serials:
            slots.read()
            slot_no = slots.slot_of(serial_number)
            if slot_no is None:
                return "NoBatteryAvailable"
            while True:
                now = slots.now[slot_no]
                reason = why_not_hand_out(now, rules)
                if reason is not None:
                    return reason
                if await self._open(slot_no):
                    break
                substitute = self._substitute(now.pack)
                if substitute is None:
                    return "DoorJammed"
                slot_no = substitute
            reason = await self._await_out(slot_no, now.pack)
            if reason is not None:
                return reason
        return None

    def _substitute(self, jammed: PackSample | None) -> int | None:
        """Return the slot of the next best pack when a door jams: same model, no less energy, promised to nobody."""
        slots, rules = self._station.slots, self._station.settings.safety
        slots.read()
        if jammed is None:
            return None
        fit = [
            (now.pack.soc * now.pack.soh, slot_no)
            for slot_no, now in slots.now.items()
            if now.pack is not None
            and now.pack.pack_model_id == jammed.pack_model_id
            and now.pack.serial_number not in (*self._wanted.offer_serials, *self.state.moved_in)
            and slot_no not in slots.reserved
            and slot_no not in self._jammed
            and now.pack.soc * now.pack.soh >= jammed.soc * jammed.soh
            and why_not_hand_out(now, rules) is None
        ]
        return min(fit)[1] if fit else None

    async def _await_out(self, slot_no: int, pack: PackSample | None) -> str | None:
        station = self._station
        deadline_s = station.clock.monotonic() + station.cabinet.descriptor.timeout_out_s
        while pack is not None:
            now = station.slots.read_one(slot_no)
            if now.pack is None or now.pack.serial_number != pack.serial_number:
                self.state.moved_out.append(pack.serial_number)
                station.say_swap("BatteryOut", self._wanted.request_id, self._wanted.id_token, [(slot_no, pack)])
                await self._await_closed(slot_no)
                return None
            if now.stopped:
                return "SafeState"
            pack = now.pack
            if self._cancelled.is_set() or station.clock.monotonic() >= deadline_s:
                await station.cabinet.close_slot(slot_no)
                if station.slots.read_one(slot_no).pack is not None:
                    if self._cancelled.is_set():
                        return "Cancelled"
                    station.say_swap("BatteryOutTimeout", self._wanted.request_id, self._wanted.id_token, [(slot_no, pack)])
                    return "TimeoutOut"
                continue
            await self._pause()
        return "NoBatteryAvailable"

    async def _await_closed(self, slot_no: int) -> None:
        left_open = _LeftOpen(self._station, slot_no)
        while self._station.slots.read_one(slot_no).door_open and not await left_open.given_up():
            await self._pause()

    # -- doors ----------------------------------------------------------------------------------------------------

    async def _open(self, slot_no: int) -> bool:
        """Open a slot; after the last try it counts as faulted and the swap goes on elsewhere."""
        station = self._station
        for _ in range(station.settings.unlock_tries):
            if await station.cabinet.open_slot(slot_no):
                self.state.slot_numbers = (slot_no,)
                return True
        self._jammed.add(slot_no)
        station.slots.faults[slot_no] = "DoorJammed"
        station.keep_decisions()
        station.say_event("door", "DoorJammed", "raised", "warning", [slot_no])
        return False


class _LeftOpen:
    """Closes a door that a rider left open, once; says so when it does not close."""

    def __init__(self, station: Station, slot_no: int) -> None:
        self._station, self._slot_no = station, slot_no
        self._since_s: float | None = None

    async def given_up(self) -> bool:
        """Return True when the door has been open too long and everything was tried."""
        clock = self._station.clock
        if self._since_s is None:
            self._since_s = clock.monotonic()
        if clock.monotonic() - self._since_s < self._station.settings.door_left_open_s:
            return False
        if not await self._station.cabinet.close_slot(self._slot_no):
            self._station.say_event("door", "DoorLeftOpen", "raised", "warning", [self._slot_no])
        return True
