"""Stations, slots, packs and holds as the desk needs them. Who changes them holds the row of the station."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from service.domain.observation import MessageKey, SlotDescription, StationBorn
from service.domain.pack import PackNow
from service.store.packs import pack_now
from service.store.pool import Connection
from service.store.queries import statements

_sql = statements("desk")

Place = Literal["slot", "asset", "truck", "depot", "workshop", "recycler", "lost"]


class StationRow(NamedTuple):
    """A station and whether it is there."""

    station_id: str
    name: str
    latitude: float
    longitude: float
    lifecycle: str
    swap_order: Literal["In-Out", "Out-In"]
    connected: bool
    heard_at: datetime | None


class VehicleRow(NamedTuple):
    """A vehicle and the recipe of its pack set."""

    asset_id: str
    rider_id: str | None
    pack_model_id: str
    pack_count: int
    wiring: Literal["series", "parallel", "independent"]
    rider_status: str | None


class Believed(NamedTuple):
    """Where the service believes a pack to be."""

    serial_number: str
    place: Place
    station_id: str | None
    slot_no: int | None
    asset_id: str | None


async def lock_station(connection: Connection, station_id: str) -> bool:
    """Take the turn at a station until the transaction ends. False: there is no such station."""
    return await _sql.lock_station(connection, station_id=station_id) is not None


async def try_lock_station(connection: Connection, station_id: str) -> bool:
    """Take the turn at a station, or return False at once when somebody else has it."""
    return await _sql.try_lock_station(connection, station_id=station_id) is not None


async def stations_near(
    connection: Connection,
    *,
    latitude: float | None = None,
    longitude: float | None = None,
    station_id: str | None = None,
    but_not: str | None = None,
    most: int = 24,
) -> list[StationRow]:
    """Return stations, the nearest first; the one named, or all but one."""
    rows = _sql.stations_near(
        connection, latitude=latitude, longitude=longitude, station_id=station_id, but_not=but_not, most=most
    )
    return [StationRow(**dict(row)) async for row in rows]


async def take_request_id(connection: Connection, station_id: str) -> int:
    """Return the next request id of the service at a station."""
    return int(await _sql.take_request_id(connection, station_id=station_id))


async def packs_at(
    connection: Connection, station_ids: Sequence[str], pack_model_id: str | None = None
) -> dict[str, list[PackNow]]:
    """Return the packs in usable slots of these stations, each with its newest reading in that slot."""
    found: dict[str, list[PackNow]] = defaultdict(list)
    async for row in _sql.packs_at(connection, station_ids=list(station_ids), pack_model_id=pack_model_id):
        found[row["station_id"]].append(pack_now(row))
    return found


async def free_slots(
    connection: Connection, station_ids: Sequence[str], pack_model_id: str, for_holder: str | None = None
) -> dict[str, list[int]]:
    """Return the empty slots that take the model and that nobody but `for_holder` holds; its own first."""
    found: dict[str, list[tuple[bool, int]]] = defaultdict(list)
    rows = _sql.free_slots(connection, station_ids=list(station_ids), pack_model_id=pack_model_id, for_holder=for_holder)
    async for row in rows:
        found[row["station_id"]].append((row["held_by"] is None, row["slot_no"]))
    return {station_id: [slot_no for _, slot_no in sorted(slots)] for station_id, slots in found.items()}


async def vehicle(connection: Connection, asset_id: str) -> VehicleRow | None:
    """Return a vehicle, or None."""
    row = await _sql.vehicle(connection, asset_id=asset_id)
    return None if row is None else VehicleRow(**dict(row))


async def vehicles_of(connection: Connection, rider_id: str) -> list[str]:
    """Return the ids of a rider's vehicles."""
    return [row["asset_id"] async for row in _sql.vehicles_of(connection, rider_id=rider_id)]


async def vehicle_packs(connection: Connection, asset_id: str) -> list[str]:
    """Return the serials believed to be in a vehicle."""
    return [row["serial_number"] async for row in _sql.vehicle_packs(connection, asset_id=asset_id)]


async def last_soh(connection: Connection, rider_id: str) -> float | None:
    """Return the mean health of the packs that a rider took last, 0..1, or None."""
    value = await _sql.last_soh(connection, rider_id=rider_id)
    return None if value is None else float(value)


async def hold(
    connection: Connection, reservation_id: str, station_id: str, serials: Sequence[str], slots: Sequence[int], now: datetime
) -> None:
    """Hold packs and slots for a reservation.

    Raises
    ------
    asyncpg.UniqueViolationError
        When one of them is held already: the index is the guard, whoever asks.
    """
    await _sql.hold_packs(connection, serials=list(serials), reservation_id=reservation_id, now=now)
    await _sql.hold_slots(connection, station_id=station_id, slots=list(slots), reservation_id=reservation_id, now=now)


async def holds_of(connection: Connection, holder: str) -> tuple[list[str], list[int]]:
    """Return the packs and the slots that a reservation or swap holds."""
    packs = [row["serial_number"] async for row in _sql.packs_held(connection, holder=holder)]
    slots = [row["slot_no"] async for row in _sql.slots_held(connection, holder=holder)]
    return packs, slots


async def release_all(connection: Connection, holder: str, now: datetime) -> None:
    """Release everything that a reservation or swap holds."""
    await _sql.release_packs_of(connection, holder=holder, now=now)
    await _sql.release_slots_of(connection, holder=holder, now=now)


async def release_pack(connection: Connection, serial_number: str, now: datetime) -> None:
    """Release a pack, whoever holds it: it has left its slot."""
    await _sql.release_pack(connection, serial_number=serial_number, now=now)


async def release_slot_held_by(connection: Connection, holder: str, station_id: str, slot_no: int, now: datetime) -> None:
    """Release a slot that has got the pack it was held for."""
    await _sql.release_slot_held_by(connection, holder=holder, station_id=station_id, slot_no=slot_no, now=now)


async def pass_holds_to_swap(connection: Connection, reservation_id: str, swap_id: str) -> None:
    """Make a reservation's holds those of its swap."""
    await _sql.pass_pack_holds(connection, holder=reservation_id, swap_id=swap_id, reservation_id=None)
    await _sql.pass_slot_holds(connection, holder=reservation_id, swap_id=swap_id, reservation_id=None)


async def pass_holds_to_reservation(connection: Connection, swap_id: str, reservation_id: str) -> None:
    """Give a swap's holds to a reservation."""
    await _sql.pass_pack_holds(connection, holder=swap_id, swap_id=None, reservation_id=reservation_id)
    await _sql.pass_slot_holds(connection, holder=swap_id, swap_id=None, reservation_id=reservation_id)


async def packs_believed(connection: Connection, serials: Iterable[str]) -> dict[str, Believed]:
    """Lock these packs and return where they are believed to be; unknown serials are absent."""
    rows = _sql.packs_believed(connection, serials=sorted(set(serials)))
    return {
        row["serial_number"]: Believed(row["serial_number"], row["place"], row["station_id"], row["slot_no"], row["asset_id"])
        async for row in rows
    }


async def packs_in_slots(connection: Connection, station_id: str) -> dict[int, str]:
    """Return which pack is believed to be in which slot of a station."""
    return {row["slot_no"]: row["serial_number"] async for row in _sql.packs_in_slots(connection, station_id=station_id)}


async def pack_in_slot(connection: Connection, station_id: str, slot_no: int) -> str | None:
    """Return the pack believed to be in a slot."""
    serial: str | None = await _sql.pack_in_slot(connection, station_id=station_id, slot_no=slot_no)
    return serial


async def place_pack(
    connection: Connection,
    serial_number: str,
    place: Place,
    *,
    why: str,
    now: datetime,
    station_id: str | None = None,
    slot_no: int | None = None,
    asset_id: str | None = None,
    swap_id: str | None = None,
    seen_at_station: str | None = None,
) -> None:
    """Move a pack and write the event that proves it, in one statement."""
    await _sql.place_pack(
        connection,
        serial_number=serial_number,
        place=place,
        station_id=station_id,
        slot_no=slot_no,
        asset_id=asset_id,
        swap_id=swap_id,
        seen_at_station=seen_at_station or station_id,
        why=why,
        now=now,
    )


async def say_slot(connection: Connection, station_id: str, slot_no: int, status: str, key: MessageKey) -> None:
    """Take over a slot's status when the message is newer than what is known."""
    await _sql.say_slot(connection, station_id=station_id, slot_no=slot_no, status=status, **key._asdict())


async def quarantine_slot(connection: Connection, station_id: str, slot_no: int, quarantined: bool) -> None:
    """Close a slot to offers, or open it again."""
    await _sql.quarantine_slot(connection, station_id=station_id, slot_no=slot_no, quarantined=quarantined)


async def quarantined_slots(connection: Connection, station_id: str) -> set[int]:
    """Return the slots of a station that are in quarantine."""
    return {row["slot_no"] async for row in _sql.quarantined_slots(connection, station_id=station_id)}


async def first_birth_pending(connection: Connection, station_id: str) -> bool:
    """Tell whether a station has never been born."""
    row = await _sql.lock_station(connection, station_id=station_id)
    return row is not None and row["first_birth_at"] is None


async def say_station(connection: Connection, station_id: str, born: StationBorn, key: MessageKey, now: datetime) -> bool:
    """Take over what a station says of itself and its slots; False when something newer is known."""
    known = await _sql.say_station(
        connection,
        station_id=station_id,
        vendor=born.vendor,
        model=born.model,
        firmware=born.firmware,
        swap_order=born.swap_order,
        max_import_ac_w=born.max_import_ac_w,
        charger_efficiency=born.charger_efficiency,
        schedule_id=born.schedule_id,
        now=now,
        **key._asdict(),
    )
    if known is None:
        return False
    await _sql.describe_slots(connection, station_id=station_id, slots=_slots_json(born.slots), **key._asdict())
    await _sql.slots_not_described(connection, station_id=station_id, slots=[slot.slot_no for slot in born.slots])
    return True


async def set_lifecycle(connection: Connection, station_id: str, lifecycle: str) -> None:
    """Set a station's lifecycle."""
    await _sql.set_lifecycle(connection, station_id=station_id, lifecycle=lifecycle)


async def emission(connection: Connection, area: str, now: datetime) -> tuple[float, str] | None:
    """Return the newest emission factor of an area [gCO2e per kWh] known at `now`, with its source, or None."""
    row = await _sql.emission(connection, area=area, now=now)
    return None if row is None else (float(row["value"]), row["source"])


def _slots_json(slots: Sequence[SlotDescription]) -> str:
    return "[" + ",".join(slot.model_dump_json() for slot in slots) + "]"


async def live_serials(connection: Connection, station_id: str) -> set[str]:
    """Return the serials in a station's newest state: what it says is in it, not what the desk believes."""
    return {row["serial_number"] async for row in _sql.live_serials(connection, station_id=station_id)}
