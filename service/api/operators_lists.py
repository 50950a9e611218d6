"""Lists of what is registered, for operators."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from service.api.deps import Cursor, DoorDep, Limit, Operator, RiderId
from service.api.schemas import operation
from service.api.schemas_operators import (
    PackList,
    PackModelList,
    PackModelShown,
    PackShown,
    RiderList,
    RiderShown,
    VehicleList,
)
from service.api.schemas_riders import VehicleShown
from service.store import listings

router = APIRouter(tags=["operators"])

PlaceFilter = Annotated[Literal["slot", "asset", "truck", "depot", "workshop", "recycler", "lost"] | None, Query()]
ModelFilter = Annotated[str | None, Query(pattern=r"^[!-~]{1,40}$")]


@router.get("/v1/pack-models", summary="List pack models", **operation(PackModelList, "cursor_invalid"))
async def list_pack_models(door: DoorDep, caller: Operator, cursor: Cursor = None, limit: Limit = 50) -> PackModelList:
    """List pack models by id."""
    scope = ("pack_models",)
    after = _text(door.cursors.open(scope, cursor))
    async with door.connection() as connection:
        rows = await listings.pack_models(connection, after=after, row_limit=limit + 1)
    items = [PackModelShown(**row) for row in rows[:limit]]
    more = door.cursors.seal(scope, (items[-1].pack_model_id,)) if len(rows) > limit else None
    return PackModelList(pack_models=items, next_cursor=more)


@router.get("/v1/packs", summary="List packs", **operation(PackList, "cursor_invalid"))
async def list_packs(
    door: DoorDep,
    caller: Operator,
    place: PlaceFilter = None,
    pack_model_id: ModelFilter = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> PackList:
    """List packs by serial number, with their places."""
    scope = ("packs", place, pack_model_id)
    after = _text(door.cursors.open(scope, cursor))
    async with door.connection() as connection:
        rows = await listings.packs(connection, after=after, place=place, pack_model_id=pack_model_id, row_limit=limit + 1)
    items = [PackShown(**row) for row in rows[:limit]]
    more = door.cursors.seal(scope, (items[-1].serial_number,)) if len(rows) > limit else None
    return PackList(packs=items, next_cursor=more)


@router.get("/v1/riders", summary="List riders", **operation(RiderList, "cursor_invalid"))
async def list_riders(door: DoorDep, caller: Operator, cursor: Cursor = None, limit: Limit = 50) -> RiderList:
    """List riders by id."""
    scope = ("riders",)
    after = _text(door.cursors.open(scope, cursor))
    async with door.connection() as connection:
        rows = await listings.riders(connection, after=after, row_limit=limit + 1)
    items = [RiderShown(**row) for row in rows[:limit]]
    more = door.cursors.seal(scope, (items[-1].rider_id,)) if len(rows) > limit else None
    return RiderList(riders=items, next_cursor=more)


@router.get("/v1/vehicles", summary="List vehicles", **operation(VehicleList, "cursor_invalid"))
async def list_vehicles(
    door: DoorDep, caller: Operator, rider_id: RiderId = None, cursor: Cursor = None, limit: Limit = 50
) -> VehicleList:
    """List vehicles by id, with the packs that are in them now."""
    scope = ("vehicles", rider_id)
    after = _text(door.cursors.open(scope, cursor))
    async with door.connection() as connection:
        rows = await listings.vehicles(connection, after=after, rider_id=rider_id, row_limit=limit + 1)
    items = [VehicleShown(**row) for row in rows[:limit]]
    more = door.cursors.seal(scope, (items[-1].vehicle_id,)) if len(rows) > limit else None
    return VehicleList(vehicles=items, next_cursor=more)


def _text(key: tuple[str | float | int, ...] | None) -> str | None:
    return str(key[0]) if key else None
