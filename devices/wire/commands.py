"""What the service asks of a station, all on ``down/command``. Every command expires.

`SetTrustList`, `SetTrustKeys`, `UpdateFirmware`, `GetLog`, `ClearSafety` and `RotateCredential` carry their arguments
openly; an agent that does not know a name answers Rejected(``NotSupported``).
"""

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from devices.wire.envelope import (
    ClosedModel,
    CustomData,
    Instant,
    Percent,
    SlotNumber,
    Version,
    WattsCeiling,
    WireModel,
)
from devices.wire.events import IdToken, RequestId, SeqRange
from devices.wire.ids import SerialNumber, Text36, Text40, Text50, Text255

CommandId = Text50
ScheduleId = Annotated[Text36, Field(min_length=1)]


class RequestBatterySwap(ClosedModel):
    """Carry out a swap: hand out exactly `offer_serials`, take `count` packs in.

    `in_slots` names the empty slots held for the packs that come in; empty means any.
    """

    request_id: RequestId
    id_token: IdToken
    count: int = Field(ge=1, le=16)
    offer_serials: list[SerialNumber] = Field(default_factory=list, max_length=16)
    in_slots: list[SlotNumber] = Field(default_factory=list, max_length=16)


class RefuseSwap(ClosedModel):
    """The answer to ``up/authorize`` when there will be no swap."""

    request_id: RequestId
    reason_code: Text50
    message: Text255 | None = None


class CancelSwap(ClosedModel):
    """Stop a swap in which no pack has moved yet."""

    request_id: RequestId


class ReserveNow(ClosedModel):
    """Hold a slot's pack for a reservation (shown on the cabinet; the hold itself lives in the service)."""

    reservation_id: Text50
    evse_id: SlotNumber
    serial_number: SerialNumber | None = None
    expires_at: Instant


class CancelReservation(ClosedModel):
    """Release what ReserveNow held."""

    reservation_id: Text50


class SchedulePeriod(ClosedModel):
    """From `start_period` (whole seconds from the schedule's start) until the next period."""

    start_period: int = Field(ge=0, le=86_400)
    limit_dc_w: WattsCeiling
    target_soc_pct: Percent = Field(alias="targetSoC")
    discharge_limit_dc_w: WattsCeiling | None = None


class ScheduleRow(ClosedModel):
    """One pack's row. It holds only while that serial is in that slot."""

    evse_id: SlotNumber
    serial_number: SerialNumber
    periods: list[SchedulePeriod] = Field(min_length=1, max_length=96)

    @model_validator(mode="after")
    def _starts_at_zero_and_grows(self) -> "ScheduleRow":
        starts = [period.start_period for period in self.periods]
        if starts[0] != 0 or any(b <= a for a, b in pairwise(starts)):
            raise ValueError("periods must start at 0 and grow")
        return self


class SitePeriod(ClosedModel):
    """The station's own ceiling, AC side, from `start_period` until the next."""

    start_period: int = Field(ge=0, le=86_400)
    site_limit_ac_w: WattsCeiling


class SiteSchedule(ClosedModel):
    """The station's own ceilings over the schedule."""

    periods: list[SitePeriod] = Field(default_factory=list, max_length=96)


class NeedReady(ClosedModel):
    """`count` packs of a model with at least `min_usable_wh` by `by_at`: what the agent works towards when alone."""

    pack_model_id: Text40
    count: int = Field(ge=0, le=999)
    min_usable_wh: float = Field(ge=0, le=1e9)
    by_at: Instant


class SetChargingProfile(ClosedModel):
    """A new schedule; it replaces the whole old one and ends 24 h after `start_at`."""

    schedule_id: ScheduleId
    start_at: Instant
    rows: list[ScheduleRow] = Field(max_length=999)
    site: SiteSchedule = SiteSchedule()
    fallback_limit_ac_w: WattsCeiling
    need_ready: list[NeedReady] = Field(default_factory=list, max_length=256)
    max_offline_duration_s: float = Field(ge=0, le=604_800)


class ChangeAvailability(ClosedModel):
    """Take a slot out of service, or back in."""

    evse_id: SlotNumber
    operational: bool


class SetVariables(ClosedModel):
    """Telemetry settings. A field that is absent stays as it is."""

    soc_dead_band_pct: Percent | None = None
    temp_dead_band_degc: float | None = Field(default=None, ge=0, le=100)
    power_dead_band_fraction: float | None = Field(default=None, ge=0, le=1)
    charging_interval_s: float | None = Field(default=None, gt=0, le=86_400)
    idle_interval_s: float | None = Field(default=None, gt=0, le=86_400)
    fixed_interval_s: float | None = Field(default=None, ge=0, le=86_400)


class UnlockSlot(ClosedModel):
    """Open a slot once. Never retried blindly."""

    evse_id: SlotNumber


class SafeState(ClosedModel):
    """Open the contactors of a zone (or of the whole station when absent) and stop charging."""

    zone: Text40 | None = None
    reason: Text50


class Resync(ClosedModel):
    """Send a birth."""


class Replay(ClosedModel):
    """Send again what is still held of these messages; name in ``Dropped`` what is not."""

    ranges: list[SeqRange] = Field(min_length=1, max_length=100)


class ClearFault(ClosedModel):
    """Clear a latched slot fault after a person has looked at it."""

    evse_id: SlotNumber


class Reset(ClosedModel):
    """Restart the controller."""

    reason: Text50


COMMAND_ARGS: dict[str, type[ClosedModel]] = {
    model.__name__: model
    for model in (
        RequestBatterySwap,
        RefuseSwap,
        CancelSwap,
        ReserveNow,
        CancelReservation,
        SetChargingProfile,
        ChangeAvailability,
        SetVariables,
        UnlockSlot,
        SafeState,
        Resync,
        Replay,
        ClearFault,
        Reset,
    )
}
"""The arguments of each command this version defines."""

MOTION_COMMANDS = frozenset({"RequestBatterySwap", "UnlockSlot"})
"""Commands that move something: they answer twice, and are never carried out after their lifetime."""

CommandName = Literal[
    "RequestBatterySwap",
    "RefuseSwap",
    "CancelSwap",
    "ReserveNow",
    "CancelReservation",
    "SetChargingProfile",
    "ChangeAvailability",
    "SetVariables",
    "SetTrustList",
    "SetTrustKeys",
    "UnlockSlot",
    "SafeState",
    "ClearSafety",
    "Resync",
    "Replay",
    "UpdateFirmware",
    "GetLog",
    "Reset",
    "ClearFault",
    "RotateCredential",
]


class Command(WireModel):
    """One command. `args` is validated by the model that `COMMAND_ARGS` names."""

    v: Version = 1
    command_id: CommandId
    name: Text40
    issued_at: Instant
    valid_until: Instant
    args: CustomData
