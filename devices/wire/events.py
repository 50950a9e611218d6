"""Things that happened at a station, each on a topic of its own.

Names follow OCPP 2.1 block S where it has a word. Note: OCPP ``Available`` means that a slot is EMPTY.
"""

from typing import Annotated, Literal

from pydantic import Field

from devices.wire.envelope import (
    INT32_MAX,
    INT63_MAX,
    Envelope,
    Instant,
    Percent,
    SlotNumber,
    StationClock,
    Version,
    WattsCeiling,
    WireModel,
)
from devices.wire.ids import SerialNumber, Text36, Text40, Text50, Text255, Text500
from devices.wire.telemetry import BatteryData

SlotStatus = Literal["Available", "Occupied", "Reserved", "Unavailable", "Faulted"]
RequestId = Annotated[int, Field(ge=1, le=INT32_MAX)]
"""Unique per station: 1 .. 2^30-1 issued by the station, 2^30 .. 2^31-1 by the service."""

SERVICE_REQUEST_ID_FIRST = 2**30


class IdToken(WireModel):
    """Who asks (OCPP ``IdTokenType``): a reservation, a card, a plate, an app code."""

    id_token: Text255
    type: Text40 = "Central"


class SeqRange(WireModel):
    """Messages `first` to `last` (both included) of one boot."""

    epoch: int = Field(ge=0, le=INT32_MAX)
    boot: int = Field(ge=0, le=INT32_MAX)
    first: int = Field(ge=1, le=INT63_MAX)
    last: int = Field(ge=1, le=INT63_MAX)


class Connection(WireModel):
    """Retained, and the MQTT will. Compared as (epoch, boot, session): a late will of an older session is ignored."""

    v: Version = 1
    ts: Instant
    epoch: int = Field(ge=0, le=INT32_MAX)
    boot: int = Field(ge=0, le=INT32_MAX)
    session: int = Field(ge=0, le=INT63_MAX)
    online: bool
    firmware: Text50 | None = None
    clock: StationClock


class JournalSpan(WireModel):
    """What a station still holds of one boot of its own epoch; everything below `first_seq` counts as settled."""

    boot: int = Field(ge=0, le=INT32_MAX)
    first_seq: int = Field(ge=1, le=INT63_MAX)
    last_seq: int = Field(ge=0, le=INT63_MAX)


class Site(WireModel):
    """The grid connection of a station, AC side."""

    phases: int = Field(default=1, ge=1, le=3)
    max_import_ac_w: WattsCeiling
    max_export_ac_w: WattsCeiling = 0.0
    max_stored_wh: WattsCeiling | None = None


class LaneDescriptor(WireModel):
    """A place where a vehicle stands to be swapped, and how long one swap takes there."""

    lane_id: int = Field(ge=1, le=999)
    cycle_s: float = Field(ge=0, le=86_400)
    automatic: bool


class ChargerGroup(WireModel):
    """Slots behind one converter. `efficiency` = DC out / AC in."""

    id: int = Field(ge=1, le=999)
    max_ac_w: WattsCeiling
    efficiency: float = Field(gt=0, le=1)


class SlotState(WireModel):
    """One slot as it stands at birth."""

    evse_id: SlotNumber
    status: SlotStatus
    accepts: list[Text40] = Field(default_factory=list, max_length=64)
    zone: Text40 | None = None
    max_charge_dc_w: WattsCeiling
    max_discharge_dc_w: WattsCeiling = 0.0
    charger_group: int | None = Field(default=None, ge=1, le=999)


class Birth(Envelope):
    """Everything about a station, after each connect and on Resync. Replaces what was known before it."""

    vendor: Text50
    model: Text50
    firmware: Text50
    swap_order: Literal["In-Out", "Out-In"] = "In-Out"
    target_soc_pct: Percent = Field(alias="targetSoC")
    max_soc_pct: Percent = Field(alias="maxSoC", default=100.0)
    timeout_in_s: float = Field(ge=0, le=86_400)
    timeout_out_s: float = Field(ge=0, le=86_400)
    schedule_id: Text36 | None = None
    trust_list_version: int | None = Field(default=None, ge=0, le=INT63_MAX)
    clock: StationClock
    journal: list[JournalSpan] = Field(default_factory=list, max_length=1000)
    site: Site
    lanes: list[LaneDescriptor] = Field(default_factory=list, max_length=99)
    charger_groups: list[ChargerGroup] = Field(default_factory=list, max_length=999)
    slot_state: list[SlotState] = Field(max_length=999)
    battery_data: list[BatteryData] = Field(max_length=999)


class SlotNotice(Envelope):
    """A slot changed, sent at once."""

    evse_id: SlotNumber
    status: SlotStatus
    serial_number: SerialNumber | None = None
    reason: Text50 | None = None


class Lane(Envelope):
    """A lane changed (automatic stations: the lane, not the packs, is the bottleneck)."""

    lane_id: int = Field(ge=1, le=999)
    state: Literal["free", "entering", "aligned", "swapping", "latched", "leaving", "blocked"]
    vehicle_id: Text50 | None = None


class Authorize(Envelope):
    """A swap that starts at the station; answered within 3 s by RequestBatterySwap or RefuseSwap."""

    request_id: RequestId
    id_token: IdToken
    vehicle_id: Text50 | None = None
    evse_id: SlotNumber | None = None
    packs_in: list[BatteryData] = Field(default_factory=list, max_length=16)


class Swap(Envelope):
    """Packs went in or out (OCPP 2.1 ``BatterySwapRequest`` with our envelope). It cannot be refused."""

    event_type: Literal["BatteryIn", "BatteryOut", "BatteryOutTimeout"]
    request_id: RequestId
    id_token: IdToken
    battery_data: list[BatteryData] = Field(max_length=16)


class Event(Envelope):
    """Safety, faults, doors, tampering, firmware, and the journal's own notices (``Dropped``, ``NotHeard``)."""

    kind: Literal["safety", "fault", "door", "tamper", "security", "firmware", "journal"]
    code: Text50
    phase: Literal["raised", "cleared", "once"]
    severity: Literal["info", "warning", "critical"]
    evse_ids: list[SlotNumber] = Field(default_factory=list, max_length=999)
    zone: Text40 | None = None
    serial_numbers: list[SerialNumber] = Field(default_factory=list, max_length=999)
    ranges: list[SeqRange] = Field(default_factory=list, max_length=1000)
    detail: Text500 | None = None


class Ack(Envelope):
    """A station's answer to a command; motion and firmware answer twice (Accepted, then Completed or Failed)."""

    command_id: Text50
    status: Literal["Accepted", "Rejected", "Completed", "Failed"]
    reason_code: Text50 | None = None


class HostState(WireModel):
    """Retained birth and will of one ingest worker: which parts of the topic tree it owns, as ``00-1f``."""

    v: Version = 1
    ts: Instant
    session: int = Field(ge=0, le=INT63_MAX)
    online: bool
    parts: list[Annotated[str, Field(pattern=r"^[0-3][0-9a-f](-[0-3][0-9a-f])?$")]] = Field(max_length=64)


class Committed(WireModel):
    """Every message 1 to `seq` of this boot is settled; says nothing of any other boot."""

    epoch: int = Field(ge=0, le=INT32_MAX)
    boot: int = Field(ge=0, le=INT32_MAX)
    seq: int = Field(ge=0, le=INT63_MAX)
