"""What an agent needs of the cabinet it stands in: small abilities, and the values they hand over.

A driver for real hardware, the bench cabinet and the simulator's cabinet all fit these protocols. No wire types here:
a driver must not know how its readings travel. Shares are fractions 0..1; power is positive into the pack and into the
site; AC and DC never share a name.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

SwapOrder = Literal["In-Out", "Out-In"]
MeterPoint = Literal["site", "charger", "slot", "pv", "storage", "aux"]


@dataclass(frozen=True, slots=True)
class ClockStatus:
    """How far a station trusts its own clock; `source` ``none`` means not at all."""

    source: Literal["ntp", "gnss", "rtc", "none"]
    offset_ms: float | None = None
    last_sync_at: datetime | None = None


class StationClock(Protocol):
    """Time at a station: the fleet's, and the wall's for what touches the network."""

    def now(self) -> datetime:
        """Return the fleet instant, aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Return fleet seconds that never go back [s]."""
        ...

    def wall_monotonic(self) -> float:
        """Return wall seconds that never go back [s]."""
        ...

    def wall_seconds(self, fleet_seconds: float) -> float:
        """Return how long `fleet_seconds` take on the wall [s]."""
        ...

    def status(self) -> ClockStatus:
        """Return how far this clock can be trusted."""
        ...


@dataclass(frozen=True, slots=True)
class PackSample:
    """One pack as its slot reads it now. Energies are registers that only grow [Wh]."""

    serial_number: str
    pack_model_id: str
    soc: float
    soh: float
    nominal_wh: float
    voltage_v: float
    current_a: float
    power_dc_w: float
    temp_min_degc: float
    temp_max_degc: float
    cell_min_mv: int
    cell_max_mv: int
    full_cycles: float
    energy_in_wh: int
    energy_out_wh: int
    charge_limit_w: float
    """What the BMS allows now."""
    discharge_limit_w: float
    faults: tuple[str, ...] = ()
    minutes_hot: int | None = None
    minutes_cold: int | None = None
    minutes_hot_charging: int | None = None
    minutes_cold_charging: int | None = None
    deep_discharges: int | None = None
    resistance_mohm: float | None = None
    lot: str | None = None
    bms_firmware: str | None = None


@dataclass(frozen=True, slots=True)
class SlotDescriptor:
    """One slot as it is built. `accepts` names pack models; `zone` is what burns together."""

    slot_no: int
    accepts: tuple[str, ...]
    zone: str | None
    max_charge_dc_w: float
    max_discharge_dc_w: float = 0.0
    charger_group: int | None = None


@dataclass(frozen=True, slots=True)
class ChargerGroupDescriptor:
    """Slots behind one converter. `efficiency` = DC out / AC in."""

    group_id: int
    max_ac_w: float
    efficiency: float


@dataclass(frozen=True, slots=True)
class LaneDescriptor:
    """A place where a vehicle stands to be swapped."""

    lane_id: int
    cycle_s: float
    automatic: bool


@dataclass(frozen=True, slots=True)
class StationDescriptor:
    """What a station is; never changes while the process runs."""

    vendor: str
    model: str
    firmware: str
    slots: tuple[SlotDescriptor, ...]
    max_import_ac_w: float
    charger_groups: tuple[ChargerGroupDescriptor, ...] = ()
    lanes: tuple[LaneDescriptor, ...] = ()
    swap_order: SwapOrder = "In-Out"
    target_soc: float = 0.95
    max_soc: float = 1.0
    timeout_in_s: float = 60.0
    timeout_out_s: float = 60.0
    phases: int = 1
    max_export_ac_w: float = 0.0


@dataclass(frozen=True, slots=True)
class RegisterSample:
    """One energy register. Import is energy into the site or the device [Wh]; both only grow."""

    meter_id: str
    serial: str | None
    point: MeterPoint
    import_wh: int
    export_wh: int = 0


@dataclass(frozen=True, slots=True)
class SafetySignal:
    """A detector that is speaking now (``Smoke``, ``Water``, ``OverTemperature`` ...); gone from the list = cleared."""

    code: str
    zone: str | None = None
    slot_numbers: tuple[int, ...] = field(default=())


class Cabinet(Protocol):
    """A cabinet of slots. Reads are synchronous and cheap: the agent reads every slot about once a second."""

    @property
    def descriptor(self) -> StationDescriptor:
        """Return what this station is."""
        ...

    def read_pack(self, slot_no: int) -> PackSample | None:
        """Return the pack in a slot, None when the slot is empty."""
        ...

    def door_open(self, slot_no: int) -> bool:
        """Tell whether the slot's door is open (a rider can reach the pack)."""
        ...

    def slot_fault(self, slot_no: int) -> str | None:
        """Return the slot's own fault, not the pack's; None when it works."""
        ...

    def set_charge_limit(self, slot_no: int, limit_dc_w: float) -> None:
        """Set the ceiling of a slot's charger [W DC]; the pack may take less. Holds until set again."""
        ...

    async def open_slot(self, slot_no: int) -> bool:
        """Unlock and open a slot; False when it jams. A rider, not the agent, closes it after he took or put a pack."""
        ...

    async def close_slot(self, slot_no: int) -> bool:
        """Close and latch a slot that nobody used in time; False when it does not close."""
        ...

    def read_registers(self) -> Sequence[RegisterSample]:
        """Return every energy register of the station."""
        ...

    def safety_signals(self) -> Sequence[SafetySignal]:
        """Return the detectors that are speaking now."""
        ...
