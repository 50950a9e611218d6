"""What exists: bulk registration of pack models, packs, riders and vehicles. Nothing that is registered is overwritten.

The caller owns the transaction and rolls it back when conflicts come back. Stations are registered by ``provisioning``.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.domain.pack import PackModel
from service.store.pool import Connection
from service.store.queries import statements

_q = statements("registry")


@dataclass(frozen=True, slots=True)
class NewPack:
    """A pack that comes into the depot."""

    serial_number: str
    pack_model_id: str


@dataclass(frozen=True, slots=True)
class NewRider:
    """Somebody who will swap."""

    rider_id: str
    name: str


@dataclass(frozen=True, slots=True)
class NewVehicle:
    """A vehicle with its recipe and the packs that are in it at registration."""

    vehicle_id: str
    rider_id: str
    pack_model_id: str
    pack_count: int
    wiring: str
    serial_numbers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Conflict:
    """What is in the way of item `index`: `field` of it, a short code and a sentence."""

    index: int
    field: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Registered:
    """How many items are new, how many were there already, and what is in the way (then the caller rolls back)."""

    created: int
    unchanged: int
    conflicts: tuple[Conflict, ...] = ()


async def add_pack_models(connection: Connection, models: Sequence[PackModel]) -> Registered:
    """Register pack models."""
    created = await _all(
        _q.add_pack_models(
            connection,
            ids=[m.pack_model_id for m in models],
            nominal_wh=[m.nominal_wh for m in models],
            nominal_v=[m.nominal_v for m in models],
            max_charge_w=[m.max_charge_w for m in models],
            hand_out_soc=[m.hand_out_soc for m in models],
            target_soc=[m.target_soc for m in models],
            max_hand_out_degc=[m.max_hand_out_degc for m in models],
            max_cell_spread_mv=[m.max_cell_spread_mv for m in models],
        )
    )
    there = {
        row["pack_model_id"]: PackModel(**row)
        for row in await _all(_q.take_pack_models(connection, ids=[m.pack_model_id for m in models]))
    }
    return _judged(models, _ids(created), "pack_model_id", lambda model: there[model.pack_model_id] == model)


async def add_packs(connection: Connection, packs: Sequence[NewPack], now: datetime) -> Registered:
    """Register packs; a new one is in the depot. A pack that is there already stays where it is."""
    known = {
        row["pack_model_id"] for row in await _all(_q.take_pack_models(connection, ids=list({p.pack_model_id for p in packs})))
    }
    missing = [
        _unknown(i, "pack_model_id", "pack model", p.pack_model_id) for i, p in enumerate(packs) if p.pack_model_id not in known
    ]
    if missing:
        return Registered(0, 0, tuple(missing))
    ids = [p.serial_number for p in packs]
    created = await _all(_q.add_packs(connection, ids=ids, pack_model_ids=[p.pack_model_id for p in packs], now=now))
    there = {row["serial_number"]: row["pack_model_id"] for row in await _all(_q.take_packs(connection, ids=ids))}
    return _judged(packs, _ids(created), "serial_number", lambda pack: there[pack.serial_number] == pack.pack_model_id)


async def add_riders(connection: Connection, riders: Sequence[NewRider], now: datetime) -> Registered:
    """Register riders."""
    ids = [r.rider_id for r in riders]
    created = await _all(_q.add_riders(connection, ids=ids, names=[r.name for r in riders], now=now))
    there = {row["rider_id"]: row["name"] for row in await _all(_q.take_riders(connection, ids=ids))}
    return _judged(riders, _ids(created), "rider_id", lambda rider: there[rider.rider_id] == rider.name)


async def add_vehicles(connection: Connection, vehicles: Sequence[NewVehicle], now: datetime) -> Registered:
    """Register vehicles and put their packs from the depot into them.

    For a vehicle that is there already only the recipe and the rider are compared: its packs have moved on by swaps.
    """
    riders = {row["rider_id"] for row in await _all(_q.take_riders(connection, ids=list({v.rider_id for v in vehicles})))}
    models = {
        row["pack_model_id"] for row in await _all(_q.take_pack_models(connection, ids=list({v.pack_model_id for v in vehicles})))
    }
    missing = [_unknown(i, "rider_id", "rider", v.rider_id) for i, v in enumerate(vehicles) if v.rider_id not in riders]
    missing += [
        _unknown(i, "pack_model_id", "pack model", v.pack_model_id)
        for i, v in enumerate(vehicles)
        if v.pack_model_id not in models
    ]
    if missing:
        return Registered(0, 0, tuple(missing))
    ids = [v.vehicle_id for v in vehicles]
    created = _ids(
        await _all(
            _q.add_vehicles(
                connection,
                ids=ids,
                rider_ids=[v.rider_id for v in vehicles],
                pack_model_ids=[v.pack_model_id for v in vehicles],
                pack_counts=[v.pack_count for v in vehicles],
                wirings=[v.wiring for v in vehicles],
                now=now,
            )
        )
    )
    there = {row["asset_id"]: row for row in await _all(_q.take_vehicles(connection, ids=ids))}
    judged = _judged(vehicles, created, "vehicle_id", lambda vehicle: _same_recipe(there[vehicle.vehicle_id], vehicle))
    misplaced = await _place(connection, [(i, v) for i, v in enumerate(vehicles) if v.vehicle_id in created], now)
    return Registered(judged.created, judged.unchanged, (*judged.conflicts, *misplaced))


async def _place(connection: Connection, vehicles: Sequence[tuple[int, NewVehicle]], now: datetime) -> list[Conflict]:
    owners = {serial: vehicle.vehicle_id for _, vehicle in vehicles for serial in vehicle.serial_numbers}
    if not owners:
        return []
    serials = list(owners)
    packs = {row["serial_number"]: row for row in await _all(_q.lock_packs(connection, ids=serials))}
    conflicts = [
        Conflict(index, f"serial_numbers/{place}", *fault)
        for index, vehicle in vehicles
        for place, serial in enumerate(vehicle.serial_numbers)
        if (fault := _fault(packs.get(serial), vehicle)) is not None
    ]
    if not conflicts:
        await _q.place_in_vehicles(connection, serial_numbers=serials, asset_ids=list(owners.values()), now=now)
        await _q.note_placed(connection, serial_numbers=serials, asset_ids=list(owners.values()), now=now)
    return conflicts


def _fault(pack: Mapping[str, Any] | None, vehicle: NewVehicle) -> tuple[str, str] | None:
    if pack is None:
        return "unknown_pack", "this pack is not registered"
    if pack["pack_model_id"] != vehicle.pack_model_id:
        return "wrong_model", f"this pack is of the model {pack['pack_model_id']}"
    if pack["place"] != "depot":
        return "pack_elsewhere", f"this pack is not in the depot: its place is {pack['place']}"
    return None


def _same_recipe(row: Mapping[str, Any], vehicle: NewVehicle) -> bool:
    return (row["kind"], row["rider_id"], row["pack_model_id"], row["pack_count"], row["wiring"]) == (
        "vehicle",
        vehicle.rider_id,
        vehicle.pack_model_id,
        vehicle.pack_count,
        vehicle.wiring,
    )


def _ids(rows: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    return frozenset(row["id"] for row in rows)


def _judged(items: Sequence[Any], created: frozenset[str], id_field: str, equal: Callable[[Any], bool]) -> Registered:
    conflicts = tuple(
        Conflict(index, id_field, "registered_otherwise", "this id is registered with other values")
        for index, item in enumerate(items)
        if getattr(item, id_field) not in created and not equal(item)
    )
    return Registered(len(created), len(items) - len(created) - len(conflicts), conflicts)


def _unknown(index: int, field: str, what: str, value: str) -> Conflict:
    return Conflict(index, field, f"unknown_{field.removesuffix('_id')}", f"there is no {what} {value}")


async def _all(stream: AsyncIterator[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [row async for row in stream]
