"""What stations said, in our words: the values between the gate `ingest` and everything behind it.

Shares are fractions 0..1, energies Wh, power W positive into the pack. Instants: `ts` is the station's own clock,
`received_at` the fleet clock when the service received it; only the key orders, never `ts`.
"""

from datetime import datetime
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

SlotStatus = Literal["empty", "occupied", "faulted", "disabled"]
ChargingState = Literal["unknown", "idle", "ev_connected", "charging", "suspended_ev", "suspended_evse"]


class MessageKey(NamedTuple):
    """Orders the messages of one station; newest = highest."""

    epoch: int
    boot: int
    seq: int


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PackReading(_Value):
    """One pack in one slot at one moment."""

    slot_no: int
    serial_number: str
    soc: float
    soh: float
    pack_model_id: str | None = None
    charging_state: ChargingState = "unknown"
    voltage_v: float | None = None
    current_a: float | None = None
    power_dc_w: float | None = None
    temp_min_degc: float | None = None
    temp_max_degc: float | None = None
    cell_min_mv: int | None = None
    cell_max_mv: int | None = None
    energy_in_wh: int | None = None
    energy_out_wh: int | None = None
    faults: tuple[str, ...] = ()
    more: dict[str, object] = Field(default_factory=dict)
    """Fields of the wire that have no column of their own, by their wire names."""


class SlotDescription(_Value):
    """One slot as its station describes it."""

    slot_no: int
    status: SlotStatus
    accepts: tuple[str, ...]
    zone: str | None
    max_charge_dc_w: float
    max_discharge_dc_w: float
    charger_group: int | None


class StationBorn(_Value):
    """The whole station: replaces everything known before it."""

    kind: Literal["birth"] = "birth"
    vendor: str
    model: str
    firmware: str
    swap_order: Literal["In-Out", "Out-In"]
    target_soc: float
    max_import_ac_w: float
    charger_efficiency: float
    schedule_id: str | None
    slots: tuple[SlotDescription, ...]
    packs: tuple[PackReading, ...]


class SlotChanged(_Value):
    """A slot changed its status."""

    kind: Literal["slot"] = "slot"
    slot_no: int
    status: SlotStatus
    serial_number: str | None
    reason: str | None


class LaneChanged(_Value):
    """A lane changed (automatic stations)."""

    kind: Literal["lane"] = "lane"
    lane_id: int
    state: str
    vehicle_id: str | None


class SwapAsked(_Value):
    """Somebody asks for a swap at the station itself."""

    kind: Literal["authorize"] = "authorize"
    request_id: int
    token: str
    token_type: str
    asset_id: str | None
    slot_no: int | None
    packs: tuple[PackReading, ...]


class PacksMoved(_Value):
    """Packs of a swap went in or out, or nobody took them."""

    kind: Literal["swap"] = "swap"
    what: Literal["in", "out", "out_timeout"]
    request_id: int
    token: str
    packs: tuple[PackReading, ...]


class StationNotice(_Value):
    """Safety, fault, door, tamper, security, firmware or journal notice."""

    kind: Literal["event"] = "event"
    topic: str
    code: str
    phase: Literal["raised", "cleared", "once"]
    severity: Literal["info", "warning", "critical"]
    slot_numbers: tuple[int, ...]
    serial_numbers: tuple[str, ...]
    zone: str | None
    detail: str | None


class CommandAnswered(_Value):
    """A station's answer to a command."""

    kind: Literal["ack"] = "ack"
    command_id: str
    answer: Literal["accepted", "rejected", "completed", "failed"]
    reason_code: str | None


StationEvent = Annotated[
    StationBorn | SlotChanged | LaneChanged | SwapAsked | PacksMoved | StationNotice | CommandAnswered,
    Field(discriminator="kind"),
]
"""What the desk handles, one by one, in the order of the key."""

station_event: TypeAdapter[StationEvent] = TypeAdapter(StationEvent)


class ReceivedEvent(NamedTuple):
    """A station event with who, which and when."""

    station_id: str
    key: MessageKey
    ts: datetime
    received_at: datetime
    event: StationEvent
