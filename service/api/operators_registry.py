"""Bulk registration of pack models, packs, riders and vehicles: one transaction a body, all or nothing."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import Response

from service.api.auth import Caller
from service.api.bodies import pointer
from service.api.deps import Door, DoorDep, Operator
from service.api.errors import FieldError, ProblemError
from service.api.idempotency import Once, OptionalIdempotencyKey
from service.api.schemas import Given, operation
from service.api.schemas_operators import BulkAnswer, PackModelsBody, PacksBody, RidersBody, VehiclesBody
from service.domain.pack import PackModel
from service.store import registry
from service.store.pool import Connection
from service.store.registry import Conflict, NewPack, NewRider, NewVehicle, Registered

router = APIRouter(tags=["operators"])

_LEASE_S = 30.0
"""Guess: only a dead process leaves a claim that is older than this; wall seconds."""
_ERRORS_SHOWN = 100


def _bulk(body: type[Given]) -> dict[str, Any]:
    return operation(
        BulkAnswer,
        "conflict",
        "still_running",
        "key_reused",
        status=201,
        also={200: "Nothing new: all was registered before"},
        body=body,
    )


@router.post("/v1/pack-models", summary="Register pack models", **_bulk(PackModelsBody))
async def add_pack_models(door: DoorDep, caller: Operator, body: PackModelsBody, key: OptionalIdempotencyKey = None) -> Response:
    """Register pack models."""
    _check_distinct("pack_models", [item.pack_model_id for item in body.pack_models])
    models = [PackModel(**item.model_dump()) for item in body.pack_models]
    return await _register(
        door, caller, key, body, "pack_models", lambda connection: registry.add_pack_models(connection, models)
    )


@router.post("/v1/packs", summary="Register packs", **_bulk(PacksBody))
async def add_packs(door: DoorDep, caller: Operator, body: PacksBody, key: OptionalIdempotencyKey = None) -> Response:
    """Register packs; their place is the depot until a vehicle or the first birth of a station places them."""
    _check_distinct("packs", [item.serial_number for item in body.packs])
    packs = [NewPack(item.serial_number, item.pack_model_id) for item in body.packs]
    return await _register(
        door, caller, key, body, "packs", lambda connection: registry.add_packs(connection, packs, door.clock.now())
    )


@router.post("/v1/riders", summary="Register riders", **_bulk(RidersBody))
async def add_riders(door: DoorDep, caller: Operator, body: RidersBody, key: OptionalIdempotencyKey = None) -> Response:
    """Register riders."""
    _check_distinct("riders", [item.rider_id for item in body.riders])
    riders = [NewRider(item.rider_id, item.name) for item in body.riders]
    return await _register(
        door, caller, key, body, "riders", lambda connection: registry.add_riders(connection, riders, door.clock.now())
    )


@router.post("/v1/vehicles", summary="Register vehicles", **_bulk(VehiclesBody))
async def add_vehicles(door: DoorDep, caller: Operator, body: VehiclesBody, key: OptionalIdempotencyKey = None) -> Response:
    """Register vehicles with the packs that are in them: from the depot into the vehicle."""
    _check_distinct("vehicles", [item.vehicle_id for item in body.vehicles])
    owned = [(i, j, serial) for i, item in enumerate(body.vehicles) for j, serial in enumerate(item.serial_numbers)]
    _check_distinct("vehicles", [serial for _, _, serial in owned], [f"{i}/serial_numbers/{j}" for i, j, _ in owned])
    vehicles = [
        NewVehicle(v.vehicle_id, v.rider_id, v.pack_model_id, v.pack_count, v.wiring, v.serial_numbers) for v in body.vehicles
    ]
    return await _register(
        door, caller, key, body, "vehicles", lambda connection: registry.add_vehicles(connection, vehicles, door.clock.now())
    )


async def _register(
    door: Door,
    caller: Caller,
    key: str | None,
    body: BaseModel,
    member: str,
    work: Callable[[Connection], Awaitable[Registered]],
) -> Response:
    once = Once(caller, key, f"POST {member}", body, door.wall_now(), _LEASE_S) if key is not None else None
    async with door.transaction() as connection:
        if once is not None:
            kept = await once.claim(connection)
            if isinstance(kept, Response):
                return kept
        outcome = await work(connection)
        if outcome.conflicts:  # leaving by an exception rolls back what was written before the conflict was seen
            raise _conflict(member, outcome.conflicts)
        answer = BulkAnswer(created=outcome.created, unchanged=outcome.unchanged)
        response = Response(answer.model_dump_json(), 201 if outcome.created else 200, media_type="application/json")
        return await once.answer(connection, response) if once is not None else response


def _conflict(member: str, conflicts: Sequence[Conflict]) -> ProblemError:
    errors = [
        FieldError(pointer=pointer(member, one["index"], *one["field"].split("/")), code=one["code"], detail=one["detail"])
        for one in map(asdict, conflicts[:_ERRORS_SHOWN])
    ]
    return ProblemError("conflict", f"{len(conflicts)} item(s) do not fit; nothing was written", errors=errors)


def _check_distinct(member: str, values: Sequence[str], places: Sequence[str] | None = None) -> None:
    seen: set[str] = set()
    errors = []
    for index, value in enumerate(values):
        if value in seen:
            where = (places[index] if places else str(index)).split("/")
            errors.append(FieldError(pointer=pointer(member, *where), code="duplicate", detail="comes twice in this body"))
        seen.add(value)
    if errors:
        raise ProblemError("invalid", f"{len(errors)} value(s) come twice", errors=errors[:_ERRORS_SHOWN])
