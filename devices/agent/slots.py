"""What the agent knows of its slots now: read from the hardware, plus what it has decided itself (stops, faults, holds)."""

import json
from dataclasses import replace
from datetime import datetime

from devices.agent.safety import SafetyRules, SlotNow, slots_stopped_by
from devices.agent.speech import slot_status
from devices.hardware.ports import Cabinet, PackSample, SafetySignal
from devices.wire.events import SlotStatus


class Slots:
    """All slots of a cabinet. `read` refreshes; the rest answers from what was read."""

    def __init__(self, cabinet: Cabinet, rules: SafetyRules) -> None:
        self.cabinet, self.rules = cabinet, rules
        self.descriptors = {slot.slot_no: slot for slot in cabinet.descriptor.slots}
        self.disabled: set[int] = set()
        self.faults: dict[int, str] = {}
        """Faults the agent itself has latched (a jammed door), until a person clears them."""
        self.stopped: dict[int, str] = {}
        """Slots in the safe state and why, latched until somebody on site clears it."""
        self.reserved: dict[int, tuple[str, datetime]] = {}
        self.now: dict[int, SlotNow] = {}
        self.read()

    def read(self) -> None:
        """Read every slot."""
        for slot_no in self.descriptors:
            self.read_one(slot_no)

    def read_one(self, slot_no: int) -> SlotNow:
        """Read one slot and return it."""
        cabinet = self.cabinet
        now = self.now[slot_no] = SlotNow(
            self.descriptors[slot_no],
            _lawful(cabinet.read_pack(slot_no)),
            cabinet.door_open(slot_no),
            cabinet.slot_fault(slot_no) or self.faults.get(slot_no),
            slot_no in self.stopped,
            slot_no in self.disabled,
        )
        return now

    def packs(self) -> dict[int, PackSample]:
        """Return the packs by slot."""
        return {slot_no: now.pack for slot_no, now in self.now.items() if now.pack is not None}

    def slot_of(self, serial_number: str) -> int | None:
        """Return where a pack is, None when it is not here."""
        for slot_no, now in self.now.items():
            if now.pack is not None and now.pack.serial_number == serial_number:
                return slot_no
        return None

    def status(self, slot_no: int) -> SlotStatus:
        """Return a slot's status in the words of the wire."""
        return slot_status(self.now[slot_no], reserved=slot_no in self.reserved)

    def statuses(self) -> dict[int, SlotStatus]:
        """Return the status of every slot."""
        return {slot_no: self.status(slot_no) for slot_no in self.now}

    def stop(self, signal: SafetySignal) -> frozenset[int]:
        """Latch the safe state for what a signal concerns; return the slots it newly stops."""
        fresh = slots_stopped_by(signal, self.descriptors) - self.stopped.keys()
        self.stopped.update(dict.fromkeys(fresh, signal.code))
        for slot_no in fresh:
            self.cabinet.set_charge_limit(slot_no, 0.0)
        return fresh

    def release_holds(self, now: datetime) -> None:
        """Forget holds whose time is over."""
        for slot_no in [slot_no for slot_no, (_, expires_at) in self.reserved.items() if expires_at <= now]:
            del self.reserved[slot_no]

    def to_note(self) -> bytes:
        """Return the agent's own decisions, to be kept over a restart."""
        return json.dumps(
            {
                "disabled": sorted(self.disabled),
                "faults": [[slot_no, fault] for slot_no, fault in self.faults.items()],
                "stopped": [[slot_no, code] for slot_no, code in self.stopped.items()],
            }
        ).encode()

    def from_note(self, body: bytes) -> None:
        """Take up the decisions of an earlier boot for the slots that still exist."""
        kept = json.loads(body)
        self.disabled = {slot_no for slot_no in kept["disabled"] if slot_no in self.descriptors}
        self.faults = {slot_no: fault for slot_no, fault in kept["faults"] if slot_no in self.descriptors}
        self.stopped = {slot_no: code for slot_no, code in kept["stopped"] if slot_no in self.descriptors}


def _lawful(pack: PackSample | None) -> PackSample | None:
    """Return a pack whose names the wire can carry; one that had to be mended counts as faulty."""
    if pack is None or (0 < len(pack.serial_number) <= 50 and len(pack.pack_model_id) <= 40 and "\x00" not in pack.serial_number):
        return pack
    serial_number = pack.serial_number.replace("\x00", "?")[:50] or "unreadable"
    return replace(pack, serial_number=serial_number, pack_model_id=pack.pack_model_id[:40], faults=(*pack.faults, "BadReading"))
