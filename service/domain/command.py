"""What the service asks of stations, in our words. The gate `dispatch` turns an order into a wire command."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StartSwap(_Value):
    """Hand out exactly these packs and take `count` in."""

    kind: Literal["start_swap"] = "start_swap"
    request_id: int
    token: str
    token_type: str = "Central"
    count: int
    offer_serials: tuple[str, ...]
    in_slots: tuple[int, ...] = ()


class RefuseSwap(_Value):
    """There will be no swap; the answer to a swap asked for at the station."""

    kind: Literal["refuse_swap"] = "refuse_swap"
    request_id: int
    reason_code: str
    message: str | None = None


class CancelSwap(_Value):
    """Stop a swap in which nothing has moved."""

    kind: Literal["cancel_swap"] = "cancel_swap"
    request_id: int


class SchedulePeriod(_Value):
    """From `start_s` after the schedule's start until the next period: a ceiling and a target."""

    start_s: int
    limit_dc_w: float
    target_soc: float


class ScheduleRow(_Value):
    """One pack's row; holds only while this serial is in this slot."""

    slot_no: int
    serial_number: str
    periods: tuple[SchedulePeriod, ...]


class SitePeriod(_Value):
    """The station's own ceiling from `start_s`."""

    start_s: int
    limit_ac_w: float


class NeedReady(_Value):
    """What the station works towards when it is alone."""

    pack_model_id: str
    count: int
    min_usable_wh: float
    by_at: datetime


class SetSchedule(_Value):
    """One station's part of a plan."""

    kind: Literal["set_schedule"] = "set_schedule"
    schedule_id: str
    start_at: datetime
    rows: tuple[ScheduleRow, ...]
    site: tuple[SitePeriod, ...]
    fallback_limit_ac_w: float
    need_ready: tuple[NeedReady, ...]
    max_offline_s: float


class UnlockSlot(_Value):
    """Open a slot once; never retried blindly."""

    kind: Literal["unlock_slot"] = "unlock_slot"
    slot_no: int


class SetSlotAvailability(_Value):
    """Take a slot out of service, or back in."""

    kind: Literal["set_slot_availability"] = "set_slot_availability"
    slot_no: int
    operational: bool


class AskBirth(_Value):
    """Ask for a birth."""

    kind: Literal["ask_birth"] = "ask_birth"


class MessageRange(_Value):
    """Messages `first` to `last`, both included, of one boot."""

    epoch: int
    boot: int
    first: int
    last: int


class AskReplay(_Value):
    """Ask again for messages that never arrived."""

    kind: Literal["ask_replay"] = "ask_replay"
    ranges: tuple[MessageRange, ...]


Order = Annotated[
    StartSwap | RefuseSwap | CancelSwap | SetSchedule | UnlockSlot | SetSlotAvailability | AskBirth | AskReplay,
    Field(discriminator="kind"),
]
order: TypeAdapter[Order] = TypeAdapter(Order)

MOTION = frozenset({"start_swap", "unlock_slot"})
"""Orders that move something: sent at most once, never again on reconnection."""


class Command(_Value):
    """An order to one station with its lifetime on the fleet clock, half-open ``[issued_at, valid_until)``."""

    command_id: str
    station_id: str
    order: Order
    issued_at: datetime
    valid_until: datetime
    swap_id: str | None = None
