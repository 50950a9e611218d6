"""What riders' apps send and get: offers, reservations, swaps, receipts, himself."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from service.api.schemas import Finite, Given, Id, Instant, Price, Shown, StationId

_OFFER_ID = "eyJhbGciOiJIUzI1NiIsInR5cCI6ImRlbmNoaS1vZmZlcitqd3QifQ.eyJvZmZlciI6Int9In0.c2lnbmF0dXJl"
_PRICE = Price.example
_WHY = "Healthiest complete set that gives the promised energy."


class Position(Given):
    """A place on the map, degrees."""

    latitude: Annotated[Finite, Field(ge=-90, le=90)]
    longitude: Annotated[Finite, Field(ge=-180, le=180)]
    example: ClassVar[dict[str, Any]] = {"latitude": 33.59, "longitude": 130.40}


class OfferRequest(Given):
    """Who wants a pack set, where and when. Without `arrive_from`: now."""

    vehicle_id: Id
    rider_id: Id | None = None
    near: Position | None = None
    station_id: StationId | None = None
    arrive_from: Instant | None = None
    least_usable_wh: Annotated[Finite, Field(ge=0, le=1e6)] | None = None
    limit: Annotated[int, Field(ge=1, le=20)] = 5
    example: ClassVar[dict[str, Any]] = {"vehicle_id": "vehicle-0001", "near": Position.example, "least_usable_wh": 900}


class OfferItem(Shown):
    """One proposal; nothing is held by it. Instants are fleet time."""

    offer_id: str
    station_id: str
    station_name: str
    latitude: float
    longitude: float
    distance_m: float | None
    pack_model_id: str
    pack_count: int
    usable_wh: float
    probability: float
    wait_s: float
    price: Price
    location_gco2e: float
    carbon_source: str
    why: str
    arrive_from: datetime
    valid_until: datetime
    hold_until: datetime
    example: ClassVar[dict[str, Any]] = {
        "offer_id": _OFFER_ID,
        "station_id": "st-0001",
        "station_name": "Hakata 1",
        "latitude": 33.5902,
        "longitude": 130.4017,
        "distance_m": 412.5,
        "pack_model_id": "pm-48-1300",
        "pack_count": 2,
        "usable_wh": 2310.0,
        "probability": 0.97,
        "wait_s": 0,
        "price": _PRICE,
        "location_gco2e": 840.0,
        "carbon_source": "synthetic",
        "why": _WHY,
        "arrive_from": "2026-04-06T00:00:00Z",
        "valid_until": "2026-04-06T00:02:00Z",
        "hold_until": "2026-04-06T01:00:00Z",
    }


class OffersAnswer(Shown):
    """Offers, the best first; with none of them `reason` says why."""

    offers: list[OfferItem]
    reason: str | None = None
    example: ClassVar[dict[str, Any]] = {"offers": [OfferItem.example], "reason": None}


class ReservationRequest(Given):
    """The offer to hold."""

    offer_id: Annotated[str, Field(min_length=1, max_length=4000, pattern=r"^[!-~]+$")]
    rider_id: Id | None = None
    example: ClassVar[dict[str, Any]] = {"offer_id": _OFFER_ID}


class ReservationAnswer(Shown):
    """A hold on a pack set and on the empty slots it needs, until `expires_at`."""

    reservation_id: str
    status: str
    rider_id: str
    vehicle_id: str
    station_id: str
    pack_count: int
    promised_usable_wh: float
    price: Price
    why: str
    created_at: datetime
    arrive_from: datetime
    expires_at: datetime
    ended_at: datetime | None
    example: ClassVar[dict[str, Any]] = {
        "reservation_id": "rsv_01kp3v9x800123456789abcdef",
        "status": "reserved",
        "rider_id": "rider-0001",
        "vehicle_id": "vehicle-0001",
        "station_id": "st-0001",
        "pack_count": 2,
        "promised_usable_wh": 2310.0,
        "price": _PRICE,
        "why": _WHY,
        "created_at": "2026-04-06T00:00:30Z",
        "arrive_from": "2026-04-06T00:00:30Z",
        "expires_at": "2026-04-06T01:00:30Z",
        "ended_at": None,
    }


class ReservationList(Shown):
    """Reservations, the newest first."""

    reservations: list[ReservationAnswer]
    next_cursor: str | None
    example: ClassVar[dict[str, Any]] = {"reservations": [ReservationAnswer.example], "next_cursor": None}


class SwapRequest(Given):
    """Start the swap of this reservation: the rider stands at the station."""

    reservation_id: Id
    rider_id: Id | None = None
    example: ClassVar[dict[str, Any]] = {"reservation_id": "rsv_01kp3v9x800123456789abcdef"}


class SwapPack(Shown):
    """One pack that has moved."""

    direction: Literal["in", "out"]
    serial_number: str
    slot_no: int
    soc: float
    usable_wh: float | None
    moved_at: datetime
    example: ClassVar[dict[str, Any]] = {
        "direction": "in",
        "serial_number": "PK-000017",
        "slot_no": 4,
        "soc": 0.21,
        "usable_wh": 268.0,
        "moved_at": "2026-04-06T00:21:10Z",
    }


class SwapAnswer(Shown):
    """A swap and what has moved. `packs_in` and `packs_out` are counts."""

    swap_id: str
    status: str
    status_reason: str | None
    reservation_id: str | None
    rider_id: str
    vehicle_id: str
    station_id: str
    pack_count: int
    packs_in: int
    packs_out: int
    promised_usable_wh: float
    price: Price
    created_at: datetime
    ended_at: datetime | None
    packs: list[SwapPack]
    example: ClassVar[dict[str, Any]] = {
        "swap_id": "swp_01kp3wg4800123456789abcdef",
        "status": "half_in",
        "status_reason": None,
        "reservation_id": "rsv_01kp3v9x800123456789abcdef",
        "rider_id": "rider-0001",
        "vehicle_id": "vehicle-0001",
        "station_id": "st-0001",
        "pack_count": 2,
        "packs_in": 1,
        "packs_out": 0,
        "promised_usable_wh": 2310.0,
        "price": _PRICE,
        "created_at": "2026-04-06T00:20:45Z",
        "ended_at": None,
        "packs": [SwapPack.example],
    }


class SwapList(Shown):
    """Swaps, the newest first."""

    swaps: list[SwapAnswer]
    next_cursor: str | None
    example: ClassVar[dict[str, Any]] = {"swaps": [SwapAnswer.example], "next_cursor": None}


class ReceiptPackItem(Shown):
    """One pack on a receipt."""

    direction: Literal["in", "out"]
    serial_number: str
    slot_no: int
    soc: float
    usable_wh: float
    moved_at: datetime
    example: ClassVar[dict[str, Any]] = SwapPack.example


class ReceiptAnswer(Shown):
    """What a completed swap gave and cost. Three things about carbon and origin are kept apart and never mixed."""

    swap_id: str
    rider_id: str
    vehicle_id: str
    station_id: str
    completed_at: datetime
    energy_kwh: float = Field(description="Usable energy handed out less usable energy handed in.")
    price: Price
    tariff: str
    location_gco2e: float = Field(description="Grams, by the factor of the area; no claim of origin.")
    carbon_g_per_kwh: float
    carbon_source: str = Field(description="Where the factor comes from, with version and period.")
    certified_renewable_wh: float = Field(description="Only against held certificates; 0 without any.")
    surplus_timing_share: float | None = Field(description="Share charged while the area was curtailed; null when not known.")
    packs: list[ReceiptPackItem]
    example: ClassVar[dict[str, Any]] = {
        "swap_id": "swp_01kp3wg4800123456789abcdef",
        "rider_id": "rider-0001",
        "vehicle_id": "vehicle-0001",
        "station_id": "st-0001",
        "completed_at": "2026-04-06T00:21:50Z",
        "energy_kwh": 1.78,
        "price": _PRICE,
        "tariff": "flat-2026",
        "location_gco2e": 640.8,
        "carbon_g_per_kwh": 360.0,
        "carbon_source": "synthetic",
        "certified_renewable_wh": 0,
        "surplus_timing_share": None,
        "packs": [ReceiptPackItem.example],
    }


class VehicleShown(Shown):
    """A vehicle, its recipe, and the packs that are in it now."""

    vehicle_id: str
    rider_id: str | None
    pack_model_id: str
    pack_count: int
    wiring: str
    serial_numbers: list[str]
    registered_at: datetime
    example: ClassVar[dict[str, Any]] = {
        "vehicle_id": "vehicle-0001",
        "rider_id": "rider-0001",
        "pack_model_id": "pm-48-1300",
        "pack_count": 2,
        "wiring": "series",
        "serial_numbers": ["PK-000017", "PK-000018"],
        "registered_at": "2026-04-06T00:00:00Z",
    }


class MeAnswer(Shown):
    """Who the token speaks for. `name` is null for callers who are no registered rider."""

    subject: str
    scopes: list[str]
    name: str | None
    status: str | None
    vehicles: list[VehicleShown]
    open_debts: int
    example: ClassVar[dict[str, Any]] = {
        "subject": "rider-0001",
        "scopes": ["rider"],
        "name": "Sato Hanako",
        "status": "active",
        "vehicles": [VehicleShown.example],
        "open_debts": 0,
    }
