"""Stations for riders and operators: where they are, what is ready now by the desk's own gates, how many slots are empty."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query

from service.api.deps import Cursor, Door, DoorDep, Limit, RiderOrOperator
from service.api.errors import invalid, not_found
from service.api.schemas import IdInPath, operation
from service.api.schemas_stations import PackInSlot, ReadyOfModel, SlotItem, StationDetail, StationItem, StationList
from service.domain.desk import Gates, unfit_reason
from service.domain.pack import PackNow
from service.store import listings
from service.store.listings import Row
from service.store.packs import pack_now
from service.store.pool import Connection

router = APIRouter(tags=["riders", "operators"])

Near = Annotated[
    str | None,
    Query(
        pattern=r"^-?[0-9]{1,2}(\.[0-9]{1,12})?,-?[0-9]{1,3}(\.[0-9]{1,12})?$",
        description="latitude,longitude",
        examples=["33.59,130.40"],
    ),
]
Radius = Annotated[float | None, Query(gt=0, le=100_000, allow_inf_nan=False, description="Around `near`, metres.")]
ModelFilter = Annotated[str | None, Query(pattern=r"^[!-~]{1,40}$", description="Only stations that have packs of this model.")]


@router.get("/v1/stations", summary="List stations", **operation(StationList, "cursor_invalid"))
async def list_stations(
    door: DoorDep,
    caller: RiderOrOperator,
    near: Near = None,
    radius_m: Radius = None,
    pack_model_id: ModelFilter = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> StationList:
    """List stations with what is ready now; the nearest first when `near` is given, else by id."""
    if radius_m is not None and near is None:
        raise invalid("a radius needs a position: give `near` too", parameter="near", code="missing")
    position = _position(near)
    scope = ("stations", near, radius_m, pack_model_id, str(caller.is_operator))
    key = door.cursors.open(scope, cursor)
    async with door.connection() as connection:
        rows = await listings.stations(
            connection,
            position=position,
            radius_m=radius_m,
            after=(float(key[0]), str(key[1])) if key else None,
            all_lifecycles=caller.is_operator,
            row_limit=limit + 1,
        )
        slots = await _slots_by_station(connection, [row["station_id"] for row in rows[:limit]])
    items = [_item(door, row, slots[row["station_id"]], near is not None) for row in rows[:limit]]
    more = door.cursors.seal(scope, (rows[limit - 1]["distance_m"], rows[limit - 1]["station_id"])) if len(rows) > limit else None
    if pack_model_id is not None:
        items = [item for item in items if any(model.pack_model_id == pack_model_id for model in item.models)]
    return StationList(stations=items, next_cursor=more, reason=None if items or more else "no_station_found")


@router.get("/v1/stations/{station_id}", summary="Show a station", **operation(StationDetail, "not_found"))
async def show_station(door: DoorDep, caller: RiderOrOperator, station_id: IdInPath) -> StationDetail:
    """Show one station; operators see its slots and packs."""
    async with door.connection() as connection:
        rows = await listings.stations(connection, station_id=station_id, all_lifecycles=caller.is_operator, row_limit=1)
        if not rows:
            raise not_found("station")
        slots = (await _slots_by_station(connection, [station_id]))[station_id]
    item = _item(door, rows[0], slots, False)
    shown = [_slot(row, door.clock.now()) for row in slots] if caller.is_operator else None
    return StationDetail(**item.model_dump(), slots=shown)


def _position(near: str | None) -> tuple[float, float] | None:
    if near is None:
        return None
    latitude, longitude = (float(part) for part in near.split(","))
    if abs(latitude) > 90 or abs(longitude) > 180:
        raise invalid("latitude must be within 90 degrees, longitude within 180", parameter="near", code="out_of_range")
    return latitude, longitude


async def _slots_by_station(connection: Connection, station_ids: Sequence[str]) -> defaultdict[str, list[Row]]:
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for row in await listings.slots(connection, station_ids):
        found[row["station_id"]].append(row)
    return found


def _item(door: Door, row: Row, slots: Sequence[Row], measured: bool) -> StationItem:
    now = door.clock.now()
    promising = (
        row["lifecycle"] == "in_service"
        and row["connected"]
        and row["heard_at"] is not None
        and (now - row["heard_at"]).total_seconds() <= door.station_silence_s
    )
    packs: defaultdict[str, list[PackNow]] = defaultdict(list)
    ready: defaultdict[str, list[PackNow]] = defaultdict(list)
    for slot in slots:
        if slot["serial_number"] is not None:
            pack = pack_now(slot)
            packs[pack.model.pack_model_id].append(pack)
            if promising and _handing_out(slot) and unfit_reason(pack, Gates(now)) is None:
                ready[pack.model.pack_model_id].append(pack)
    models = [
        ReadyOfModel(
            pack_model_id=model,
            packs=len(there),
            ready_packs=len(ready[model]),
            best_usable_wh=max((pack.usable_wh for pack in ready[model]), default=None),
        )
        for model, there in sorted(packs.items())
    ]
    return StationItem(
        **{name: row[name] for name in ("station_id", "name", "latitude", "longitude", "lifecycle", "connected", "heard_at")},
        distance_m=row["distance_m"] if measured else None,
        promising=promising,
        ready_packs=sum(model.ready_packs for model in models),
        empty_slots=sum(
            slot["status"] == "empty"
            and not slot["quarantined"]
            and slot["slot_held_by"] is None
            and slot["serial_number"] is None
            for slot in slots
        ),
        slot_count=len(slots),
        models=models,
    )


def _handing_out(slot: Row) -> bool:
    # As the desk sees it.
    return slot["status"] == "occupied" and not slot["quarantined"]


def _slot(row: Row, now: datetime) -> SlotItem:
    pack = pack_now(row) if row["serial_number"] is not None else None
    shown = (
        None
        if pack is None
        else PackInSlot(
            **{name: row[name] for name in ("serial_number", "pack_model_id", "condition", "soc", "soh", "charging_state")},
            **{name: row[name] for name in ("power_dc_w", "temp_max_degc", "reading_at")},
            held_by=row["pack_held_by"],
            usable_wh=pack.usable_wh if pack.reading_at else None,
            not_ready_because=unfit_reason(pack, Gates(now)),
        )
    )
    return SlotItem(
        **{name: row[name] for name in ("slot_no", "status", "quarantined", "accepts", "max_charge_dc_w")},
        held_by=row["slot_held_by"],
        pack=shown,
    )
