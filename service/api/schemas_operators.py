"""What operators send and get: bulk registration and lists."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from service.api.schemas import Finite, Given, Id, PackModelId, SerialNumber, Shown
from service.api.schemas_riders import VehicleShown

BULK_MOST = 1000
Wiring = Literal["series", "parallel", "independent"]


class PackModelItem(Given):
    """A type of pack. Powers are DC, at the pack."""

    pack_model_id: PackModelId
    nominal_wh: Annotated[Finite, Field(gt=0, le=1e6)]
    nominal_v: Annotated[Finite, Field(gt=0, le=2000)]
    max_charge_w: Annotated[Finite, Field(gt=0, le=1e6)]
    hand_out_soc: Annotated[Finite, Field(gt=0, le=1)] = 0.80
    target_soc: Annotated[Finite, Field(gt=0, le=1)] = 1.0
    max_hand_out_degc: Annotated[Finite, Field(ge=-40, le=100)] = 45.0
    max_cell_spread_mv: Annotated[int, Field(ge=1, le=5000)] = 150
    example: ClassVar[dict[str, Any]] = {
        "pack_model_id": "pm-48-1300",
        "nominal_wh": 1300,
        "nominal_v": 48,
        "max_charge_w": 500,
        "hand_out_soc": 0.8,
        "target_soc": 1.0,
    }


class PackItem(Given):
    """A pack that comes into the depot."""

    serial_number: SerialNumber
    pack_model_id: PackModelId
    example: ClassVar[dict[str, Any]] = {"serial_number": "PK-000017", "pack_model_id": "pm-48-1300"}


def _no_blank(name: str) -> str:
    if not name.strip():
        raise ValueError("must not be blank")
    return name


class RiderItem(Given):
    """Somebody who swaps. `rider_id` is the `sub` of his tokens."""

    rider_id: Id
    name: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_no_blank)]
    example: ClassVar[dict[str, Any]] = {"rider_id": "rider-0001", "name": "Sato Hanako"}


class VehicleItem(Given):
    """A vehicle, its recipe, and the registered packs that are in it now."""

    vehicle_id: Id
    rider_id: Id
    pack_model_id: PackModelId
    pack_count: Annotated[int, Field(ge=1, le=3)]
    wiring: Wiring
    serial_numbers: Annotated[tuple[SerialNumber, ...], Field(max_length=3)] = ()
    example: ClassVar[dict[str, Any]] = {
        "vehicle_id": "vehicle-0001",
        "rider_id": "rider-0001",
        "pack_model_id": "pm-48-1300",
        "pack_count": 2,
        "wiring": "series",
        "serial_numbers": ["PK-000017", "PK-000018"],
    }

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.serial_numbers) > self.pack_count:
            raise ValueError("more serial_numbers than pack_count")
        return self


class PackModelsBody(Given):
    """At most 1000 pack models."""

    pack_models: Annotated[list[PackModelItem], Field(min_length=1, max_length=BULK_MOST)]
    example: ClassVar[dict[str, Any]] = {"pack_models": [PackModelItem.example]}


class PacksBody(Given):
    """At most 1000 packs."""

    packs: Annotated[list[PackItem], Field(min_length=1, max_length=BULK_MOST)]
    example: ClassVar[dict[str, Any]] = {"packs": [PackItem.example]}


class RidersBody(Given):
    """At most 1000 riders."""

    riders: Annotated[list[RiderItem], Field(min_length=1, max_length=BULK_MOST)]
    example: ClassVar[dict[str, Any]] = {"riders": [RiderItem.example]}


class VehiclesBody(Given):
    """At most 1000 vehicles."""

    vehicles: Annotated[list[VehicleItem], Field(min_length=1, max_length=BULK_MOST)]
    example: ClassVar[dict[str, Any]] = {"vehicles": [VehicleItem.example]}


class BulkAnswer(Shown):
    """How many items are new and how many were registered before with the same values."""

    created: int
    unchanged: int
    example: ClassVar[dict[str, Any]] = {"created": 1, "unchanged": 0}


class PackModelShown(Shown):
    """A type of pack."""

    pack_model_id: str
    nominal_wh: float
    nominal_v: float
    max_charge_w: float
    hand_out_soc: float
    target_soc: float
    max_hand_out_degc: float
    max_cell_spread_mv: int
    example: ClassVar[dict[str, Any]] = {**PackModelItem.example, "max_hand_out_degc": 45.0, "max_cell_spread_mv": 150}


class PackModelList(Shown):
    """Pack models by id."""

    pack_models: list[PackModelShown]
    next_cursor: str | None
    example: ClassVar[dict[str, Any]] = {"pack_models": [PackModelShown.example], "next_cursor": None}


class PackShown(Shown):
    """A pack and its place; exactly one of slot, vehicle or neither is named, as `place` says."""

    serial_number: str
    pack_model_id: str
    place: str
    station_id: str | None
    slot_no: int | None
    vehicle_id: str | None
    condition: str
    registered_at: datetime
    placed_at: datetime
    example: ClassVar[dict[str, Any]] = {
        "serial_number": "PK-000031",
        "pack_model_id": "pm-48-1300",
        "place": "slot",
        "station_id": "st-0001",
        "slot_no": 4,
        "vehicle_id": None,
        "condition": "ok",
        "registered_at": "2026-04-06T00:00:00Z",
        "placed_at": "2026-04-06T00:00:20Z",
    }


class PackList(Shown):
    """Packs by serial number."""

    packs: list[PackShown]
    next_cursor: str | None
    example: ClassVar[dict[str, Any]] = {"packs": [PackShown.example], "next_cursor": None}


class RiderShown(Shown):
    """A rider."""

    rider_id: str
    name: str
    status: str
    registered_at: datetime
    example: ClassVar[dict[str, Any]] = {
        "rider_id": "rider-0001",
        "name": "Sato Hanako",
        "status": "active",
        "registered_at": "2026-04-06T00:00:00Z",
    }


class RiderList(Shown):
    """Riders by id."""

    riders: list[RiderShown]
    next_cursor: str | None
    example: ClassVar[dict[str, Any]] = {"riders": [RiderShown.example], "next_cursor": None}


class VehicleList(Shown):
    """Vehicles by id."""

    vehicles: list[VehicleShown]
    next_cursor: str | None
    example: ClassVar[dict[str, Any]] = {"vehicles": [VehicleShown.example], "next_cursor": None}
