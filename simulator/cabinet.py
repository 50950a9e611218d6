"""One simulated exchanger: the hardware ports of the real agent over the plant's truth, and the doors that riders use.

The agent opens and closes doors and sets charge limits; riders move packs (``simulator.rider`` through the plant).
"""

from collections.abc import Callable, Sequence

from devices.hardware.ports import (
    ChargerGroupDescriptor,
    PackSample,
    RegisterSample,
    SafetySignal,
    SlotDescriptor,
    StationDescriptor,
)
from simulator.faults import Faults
from simulator.plant import Plant
from simulator.scenario import Scenario

FIRMWARE = "sim-1.0.0"
# Guess: a cabinet of twelve is two stacks of six behind a fire wall.
SLOTS_PER_ZONE = 6
# Guess: a jammed door is seen to within ten minutes.
JAM_S = 600.0


class SimulatedCabinet:
    """The cabinet of one station. `monotonic` is fleet seconds.

    Implements ``devices.hardware.ports.Cabinet``.
    """

    def __init__(
        self,
        plant: Plant,
        station: int,
        station_id: str,
        scenario: Scenario,
        faults: Faults,
        monotonic: Callable[[], float],
    ) -> None:
        self._plant = plant
        self._station = station
        self._faults = faults
        self._monotonic = monotonic
        self._model_id = scenario.pack_model.pack_model_id
        self._slots = scenario.station.slots
        self._jammed_until_s: dict[int, float] = {}
        self._meter_serial = f"SIM-{station_id}"
        self._descriptor = _describe(plant, scenario)

    @property
    def descriptor(self) -> StationDescriptor:
        """Return what this station is."""
        return self._descriptor

    def read_pack(self, slot_no: int) -> PackSample | None:
        """Return the pack in a slot, None when the slot is empty."""
        number = int(self._plant.in_slot[self._station, slot_no - 1])
        if number < 0:
            return None
        told = self._plant.read(number)
        return PackSample(
            serial_number=self._plant.label(number),
            pack_model_id=self._model_id,
            soc=told.soc,
            soh=told.soh,
            nominal_wh=self._plant.kind.nominal_wh,
            voltage_v=told.voltage_v,
            current_a=told.current_a,
            power_dc_w=told.power_dc_w,
            temp_min_degc=told.temp_min_degc,
            temp_max_degc=told.temp_max_degc,
            cell_min_mv=told.cell_min_mv,
            cell_max_mv=told.cell_max_mv,
            full_cycles=told.full_cycles,
            energy_in_wh=told.energy_in_wh,
            energy_out_wh=told.energy_out_wh,
            charge_limit_w=told.charge_limit_w,
            discharge_limit_w=self._plant.kind.max_discharge_w,
            faults=self._plant.pack_faults.get(number, ()),
            minutes_hot=told.minutes_hot,
            minutes_cold=told.minutes_cold,
            minutes_hot_charging=told.minutes_hot_charging,
        )

    def door_open(self, slot_no: int) -> bool:
        """Tell whether the slot's door is open."""
        return bool(self._plant.door_open[self._station, slot_no - 1])

    def slot_fault(self, slot_no: int) -> str | None:
        """Return ``DoorJam`` while the slot's door does not move."""
        if slot_no not in self._jammed_until_s:
            return None
        if self._monotonic() < self._jammed_until_s[slot_no]:
            return "DoorJam"
        del self._jammed_until_s[slot_no]
        return None

    def set_charge_limit(self, slot_no: int, limit_dc_w: float) -> None:
        """Set the ceiling of a slot's charger [W DC]; the pack may take less."""
        self._plant.slot_limit_w[self._station, slot_no - 1] = max(limit_dc_w, 0.0)

    async def open_slot(self, slot_no: int) -> bool:
        """Unlock and open a slot; False when it jams."""
        if self.slot_fault(slot_no) is not None:
            return False
        if self._faults.happens("door_jam"):
            self._jammed_until_s[slot_no] = self._monotonic() + JAM_S
            return False
        self._plant.door_open[self._station, slot_no - 1] = True
        return True

    async def close_slot(self, slot_no: int) -> bool:
        """Close and latch a slot."""
        self._plant.door_open[self._station, slot_no - 1] = False
        return True

    def read_registers(self) -> Sequence[RegisterSample]:
        """Return the site's meter."""
        import_wh = int(self._plant.meters.import_wh[self._station])
        return [RegisterSample(meter_id="site", serial=self._meter_serial, point="site", import_wh=import_wh)]

    def safety_signals(self) -> Sequence[SafetySignal]:
        """Return nothing: no detector of this world speaks yet."""
        return ()


def _describe(plant: Plant, scenario: Scenario) -> StationDescriptor:
    kind, connection = plant.kind, plant.connection
    slots = tuple(
        SlotDescriptor(
            slot_no=number,
            accepts=(scenario.pack_model.pack_model_id,),
            zone="ABCDEFGHIJ"[(number - 1) // SLOTS_PER_ZONE],
            max_charge_dc_w=kind.max_charge_w,
            charger_group=1,
        )
        for number in range(1, scenario.station.slots + 1)
    )
    group = ChargerGroupDescriptor(group_id=1, max_ac_w=connection.max_import_ac_w, efficiency=connection.charger_efficiency)
    return StationDescriptor(
        vendor=scenario.station.vendor,
        model=scenario.station.model,
        firmware=FIRMWARE,
        slots=slots,
        max_import_ac_w=connection.max_import_ac_w,
        charger_groups=(group,),
        target_soc=scenario.pack_model.target_soc,
    )
