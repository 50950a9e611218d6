"""A small cabinet on the bench: packs charge linearly, doors obey, and a hand can take and put packs.

Good enough for `denchi-station bench` and for trying agents; it knows no physics (the simulator brings its own).
"""

from dataclasses import dataclass, replace

from devices.hardware.ports import (
    ChargerGroupDescriptor,
    PackSample,
    RegisterSample,
    SafetySignal,
    SlotDescriptor,
    StationClock,
    StationDescriptor,
    SwapOrder,
)

MODEL = "BENCH-1300"
NOMINAL_WH = 1314.0
"""Source: Honda Mobile Power Pack e: data sheet, 50.26 V, 1,314 Wh."""
NOMINAL_V = 50.26
_SLOT_W = 500.0
_EFFICIENCY = 0.92


@dataclass(slots=True)
class _Slot:
    pack: PackSample | None = None
    uncounted_wh: float = 0.0
    limit_dc_w: float = 0.0
    open: bool = False
    fault: str | None = None
    jammed: bool = False


def bench_pack(serial_number: str, soc: float) -> PackSample:
    """Return a healthy pack at rest."""
    return PackSample(
        serial_number=serial_number, pack_model_id=MODEL, soc=soc, soh=0.97, nominal_wh=NOMINAL_WH, voltage_v=NOMINAL_V,
        current_a=0.0, power_dc_w=0.0, temp_min_degc=24.0, temp_max_degc=25.0, cell_min_mv=3590, cell_max_mv=3600,
        full_cycles=100.0, energy_in_wh=150_000, energy_out_wh=140_000, charge_limit_w=_SLOT_W, discharge_limit_w=_SLOT_W,
    )  # fmt: skip


class BenchCabinet:
    """`slot_count` slots; the first `pack_count` hold packs, from empty to full.

    Parameters
    ----------
    name : goes into the serial numbers, so that two benches have different packs.
    """

    def __init__(
        self,
        clock: StationClock,
        *,
        name: str = "BENCH",
        slot_count: int = 6,
        pack_count: int = 4,
        swap_order: SwapOrder = "In-Out",
    ) -> None:
        if not 1 <= slot_count <= 999 or not 0 <= pack_count <= slot_count:
            raise ValueError(f"a bench has 1 to 999 slots and no more packs than slots, got {slot_count} and {pack_count}")
        self._clock = clock
        self._since_s = clock.monotonic()
        self._import_wh = 0.0
        self._slots = {number: _Slot() for number in range(1, slot_count + 1)}
        for number in range(1, pack_count + 1):
            self._slots[number].pack = bench_pack(f"{name}-{number:04d}", (number - 1) / max(pack_count - 1, 1))
        self.signals: list[SafetySignal] = []
        self._descriptor = StationDescriptor(
            vendor="denchi",
            model="bench",
            firmware="1",
            slots=tuple(SlotDescriptor(number, (MODEL,), "A", _SLOT_W, 0.0, 1) for number in self._slots),
            max_import_ac_w=_SLOT_W * slot_count / _EFFICIENCY,
            charger_groups=(ChargerGroupDescriptor(1, _SLOT_W * slot_count / _EFFICIENCY, _EFFICIENCY),),
            swap_order=swap_order,
        )

    @property
    def descriptor(self) -> StationDescriptor:
        """Return what this bench is."""
        return self._descriptor

    def read_pack(self, slot_no: int) -> PackSample | None:
        """Return the pack in a slot, charged up to now."""
        self._charge()
        return self._slots[slot_no].pack

    def door_open(self, slot_no: int) -> bool:
        """Tell whether a door is open."""
        return self._slots[slot_no].open

    def slot_fault(self, slot_no: int) -> str | None:
        """Return a slot's fault."""
        return self._slots[slot_no].fault

    def set_charge_limit(self, slot_no: int, limit_dc_w: float) -> None:
        """Set a slot's ceiling [W DC]."""
        self._charge()
        self._slots[slot_no].limit_dc_w = limit_dc_w
        self._settle(self._slots[slot_no])

    def charge_limit_w(self, slot_no: int) -> float:
        """Return the ceiling a slot was told last [W DC]."""
        return self._slots[slot_no].limit_dc_w

    async def open_slot(self, slot_no: int) -> bool:
        """Open a door unless it jams."""
        slot = self._slots[slot_no]
        slot.open = slot.open or not slot.jammed
        return slot.open

    async def close_slot(self, slot_no: int) -> bool:
        """Close a door."""
        self._slots[slot_no].open = False
        return True

    def read_registers(self) -> list[RegisterSample]:
        """Return the site's register."""
        self._charge()
        return [RegisterSample("main", None, "site", int(self._import_wh))]

    def safety_signals(self) -> list[SafetySignal]:
        """Return the detectors that speak now."""
        return self.signals

    # -- the hand on the bench ------------------------------------------------------------------------------------

    def take(self, slot_no: int) -> PackSample:
        """Take the pack out of an open slot and close it.

        Raises
        ------
        ValueError : when the door is closed or nothing is there.
        """
        self._charge()
        slot = self._slots[slot_no]
        if not slot.open or slot.pack is None:
            raise ValueError(f"slot {slot_no} is closed or empty")
        pack, slot.pack, slot.open = slot.pack, None, False
        return replace(pack, power_dc_w=0.0, current_a=0.0)

    def put(self, slot_no: int, pack: PackSample) -> None:
        """Put a pack into an open, empty slot and close it.

        Raises
        ------
        ValueError : when the door is closed or a pack is there.
        """
        self._charge()
        slot = self._slots[slot_no]
        if not slot.open or slot.pack is not None:
            raise ValueError(f"slot {slot_no} is closed or occupied")
        slot.pack, slot.open = pack, False

    def jam(self, slot_no: int, *, jammed: bool = True) -> None:
        """Make a door refuse to open."""
        self._slots[slot_no].jammed = jammed

    def change_pack(self, slot_no: int, pack: PackSample | None) -> None:
        """Replace what a slot reads, without any door."""
        self._charge()
        self._slots[slot_no].pack = pack

    # -- charging -------------------------------------------------------------------------------------------------

    def _charge(self) -> None:
        now_s = self._clock.monotonic()
        hours, self._since_s = (now_s - self._since_s) / 3600.0, now_s
        if hours <= 0:
            return
        for slot in self._slots.values():
            if slot.pack is not None and slot.pack.power_dc_w > 0:
                room_wh = (1.0 - slot.pack.soc) * slot.pack.nominal_wh
                taken_wh = min(slot.pack.power_dc_w * hours, room_wh)
                self._import_wh += taken_wh / _EFFICIENCY
                whole_wh, slot.uncounted_wh = divmod(slot.uncounted_wh + taken_wh, 1.0)
                slot.pack = replace(
                    slot.pack,
                    soc=slot.pack.soc + taken_wh / slot.pack.nominal_wh,
                    energy_in_wh=slot.pack.energy_in_wh + int(whole_wh),
                )
            self._settle(slot)

    @staticmethod
    def _settle(slot: _Slot) -> None:
        if slot.pack is not None:
            power_w = min(slot.limit_dc_w, slot.pack.charge_limit_w) if slot.pack.soc < 1.0 and not slot.open else 0.0
            if power_w != slot.pack.power_dc_w:
                slot.pack = replace(slot.pack, power_dc_w=power_w, current_a=power_w / slot.pack.voltage_v)
