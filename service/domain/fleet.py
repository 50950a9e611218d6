"""The fleet as it is at one instant: values that `state` loads and that forecast, planning and the cycle read.

No arrays here and no rules: what a value means is said once, in its docstring.
"""

from dataclasses import dataclass, field
from datetime import datetime

from service.domain.command import SetSchedule
from service.domain.observation import SlotStatus
from service.domain.pack import PackModel, PackNow


@dataclass(frozen=True, slots=True)
class SlotNow:
    """A slot as its station describes it; the ceiling is DC, at the pack."""

    slot_no: int
    status: SlotStatus
    max_charge_dc_w: float
    quarantined: bool

    @property
    def charges(self) -> bool:
        """Return whether a pack in this slot may be charged."""
        return self.status in ("occupied", "empty") and not self.quarantined


@dataclass(frozen=True, slots=True)
class Claim:
    """A live reservation: `pack_count` packs of one model leave at `arrive_from` or later, before `expires_at`."""

    reservation_id: str
    pack_model_id: str
    pack_count: int
    arrive_from: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class HourCount:
    """Packs handed out at a station in the hour that begins at `hour_at`."""

    hour_at: datetime
    pack_count: int


@dataclass(frozen=True, slots=True)
class SentSchedule:
    """The newest schedule that was queued for a station, and whether the station may be following it."""

    schedule: SetSchedule
    issued_at: datetime
    stands: bool
    """False when it expired, was withdrawn or was refused: the station does not follow it."""


@dataclass(frozen=True, slots=True)
class StationNow:
    """One station in service that has been born at least once."""

    station_id: str
    name: str
    connected: bool
    heard_at: datetime | None
    first_birth_at: datetime
    max_import_ac_w: float
    charger_efficiency: float
    slots: tuple[SlotNow, ...]
    packs: tuple[PackNow, ...]
    claims: tuple[Claim, ...] = ()
    handed_out: tuple[HourCount, ...] = ()
    sent: SentSchedule | None = None


@dataclass(frozen=True, slots=True)
class FleetNow:
    """All stations in service at `at`, in the order of their ids."""

    at: datetime
    stations: tuple[StationNow, ...]
    models: dict[str, PackModel] = field(default_factory=dict)
    return_soc: float | None = None
    """Mean SoC of the packs that came back lately; None when too few came back to say."""
