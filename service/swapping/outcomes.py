"""What the desk is asked and what it answers: plain values. A refusal is a value with a reason, never an exception."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from service.domain.offer import OfferTerms

RefusalReason = Literal[
    "vehicle_unknown",
    "rider_blocked",
    "unpaid",
    "packs_owed",
    "offer_expired",
    "offer_not_yours",
    "reservation_exists",
    "reservation_unknown",
    "reservation_expired",
    "reservation_ended",
    "too_early",
    "swap_in_progress",
    "station_unknown",
    "station_offline",
    "station_out_of_service",
    "no_ready_pack",
    "no_empty_slot",
]


@dataclass(frozen=True, slots=True)
class DeskRules:
    """Times of the desk, all in fleet seconds; wiring fills them from the settings."""

    offer_s: float = 120.0
    reservation_s: float = 3600.0
    station_silence_s: float = 600.0
    command_s: float = 60.0
    step_s: float = 120.0
    """How long one step at the station (packs in, packs out) may take."""
    grace_s: float = 60.0
    """How much later than the station itself the desk gives up on a step: its own word should come first."""
    orphan_hold_s: float = 1800.0
    overdue_s: float = 86_400.0
    unresolved_s: float = 300.0
    """How often an unresolved swap is looked at."""
    idle_interval_s: float = 1800.0
    """Longest reporting interval of a pack that rests; one that charges reports more often."""
    area: str | None = None
    """Whose emission factor stands on the receipt; None: the default factor."""


@dataclass(frozen=True, slots=True)
class OfferQuery:
    """Who wants a pack set where. Without a position the offers are not ranked by distance."""

    rider_id: str
    asset_id: str
    latitude: float | None = None
    longitude: float | None = None
    station_id: str | None = None
    arrive_from: datetime | None = None
    least_usable_wh: float | None = None
    limit: int = 5


@dataclass(frozen=True, slots=True)
class OffersFound:
    """Offers, best first; `reason` says why there are none."""

    offers: tuple[OfferTerms, ...]
    reason: RefusalReason | None = None


@dataclass(frozen=True, slots=True)
class Reservation:
    """A hold on a pack set and on the empty slots it needs. `status` as in OCPI Bookings."""

    reservation_id: str
    rider_id: str
    asset_id: str
    station_id: str
    status: str
    pack_count: int
    promised_usable_wh: float
    price_micro: int
    currency: str
    reason: str
    """Why these packs, in one sentence."""
    created_at: datetime
    arrive_from: datetime
    expires_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Reserved:
    """The reservation was made."""

    reservation: Reservation


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The reservation was cancelled and its holds are free."""

    reservation: Reservation


@dataclass(frozen=True, slots=True)
class Refused:
    """No, why not, and what else there is."""

    reason: RefusalReason
    alternatives: tuple[OfferTerms, ...] = ()


@dataclass(frozen=True, slots=True)
class Started:
    """A swap was requested and its command is in the outbox."""

    swap_id: str
    command_id: str


@dataclass(frozen=True, slots=True)
class StartOutcome:
    """What is known of a start. `waiting`: ask again; `not_delivered`: surely never sent; `unresolved`: it may have opened."""

    status: Literal["authorised", "rejected", "not_delivered", "unresolved", "waiting"]
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ReceiptPack:
    """One pack of a receipt."""

    direction: Literal["in", "out"]
    serial_number: str
    slot_no: int
    soc: float
    usable_wh: float
    moved_at: datetime


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a completed swap gave and cost. Energy = out less in [Wh]; carbon with the source of its factor."""

    swap_id: str
    rider_id: str
    asset_id: str
    station_id: str
    completed_at: datetime
    energy_wh: float
    price_micro: int
    currency: str
    tariff: str
    co2e_g: float
    carbon_g_per_kwh: float
    carbon_source: str
    packs: tuple[ReceiptPack, ...]
