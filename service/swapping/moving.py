"""Packs that moved at a station: where they are now, and what that means for the swap they moved in.

The physical truth is recorded whether or not anybody had allowed it; what is wrong with it becomes an anomaly or a debt.
"""

from collections.abc import Sequence

from service.domain.observation import MessageKey, PackReading
from service.domain.swap import Direction, Moved, Outcome
from service.store import desk as rows
from service.store import swaps
from service.store.desk import Believed
from service.store.pool import Connection
from service.store.swaps import SwapRow
from service.swapping import progress
from service.swapping.means import Means


async def move(
    means: Means,
    connection: Connection,
    station_id: str,
    row: SwapRow | None,
    direction: Direction,
    readings: Sequence[PackReading],
    key: MessageKey,
    *,
    why: str = "swap",
) -> Outcome | None:
    """Record packs that went in or out, then advance the swap. What the swap has counted before is not placed again."""
    counted: set[str] = set()
    if row is not None:
        counted = {pack.serial_number for pack in await swaps.swap_packs(connection, row.swap_id) if pack.direction == direction}
    believed = await rows.packs_believed(connection, [reading.serial_number for reading in readings])
    lawful: list[PackReading] = []
    for reading in readings:
        if reading.serial_number in counted:
            lawful.append(reading)
        elif reading.serial_number not in believed:
            await _foreign(means, connection, station_id, row, direction, reading, key)
        elif direction == "in":
            lawful.append(reading)
            await _put_in(means, connection, station_id, row, reading, believed[reading.serial_number], key, why)
        else:
            lawful.append(reading)
            await _take_out(means, connection, station_id, row, reading, key, why)
    if row is None or not lawful:
        return None
    serials = tuple(reading.serial_number for reading in lawful)
    outcome = await progress.apply(means, connection, row, Moved(direction, serials), tuple(lawful))
    if direction == "in":
        await _exchange(means, connection, row, [believed[serial] for serial in outcome.moved if serial in believed])
    else:
        await _say_unpinned(means, connection, row, outcome.moved)
    return outcome


async def put_in_slot(
    means: Means,
    connection: Connection,
    station_id: str,
    slot_no: int,
    serial_number: str,
    *,
    why: str,
    swap_id: str | None = None,
) -> None:
    """Place a pack in a slot. A pack believed to be there is not: it is lost until it is seen somewhere."""
    occupant = await rows.pack_in_slot(connection, station_id, slot_no)
    if occupant == serial_number:
        return
    now = means.now()
    if occupant is not None:
        await rows.release_pack(connection, occupant, now)
        await rows.place_pack(connection, occupant, "lost", why="displaced", now=now, swap_id=swap_id, seen_at_station=station_id)
        detail = {"slot_no": slot_no, "by": serial_number}
        await swaps.write_anomaly(
            connection, "pack_displaced", now, station_id=station_id, serial_number=occupant, swap_id=swap_id, detail=detail
        )
    believed = (await rows.packs_believed(connection, [serial_number])).get(serial_number)
    if believed is None or believed.station_id != station_id:
        # Inside its station a pack stays promised to whom it was.
        await rows.release_pack(connection, serial_number, now)
    await rows.place_pack(
        connection, serial_number, "slot", why=why, now=now, station_id=station_id, slot_no=slot_no, swap_id=swap_id
    )


async def _put_in(
    means: Means,
    connection: Connection,
    station_id: str,
    row: SwapRow | None,
    reading: PackReading,
    believed: Believed,
    key: MessageKey,
    why: str,
) -> None:
    swap_id = row.swap_id if row else None
    await rows.say_slot(connection, station_id, reading.slot_no, "occupied", key)
    await put_in_slot(means, connection, station_id, reading.slot_no, reading.serial_number, why=why, swap_id=swap_id)
    if row is not None:
        for holder in (row.swap_id, row.reservation_id):
            if holder is not None:
                await rows.release_slot_held_by(connection, holder, station_id, reading.slot_no, means.now())
    if believed.place == "slot" and believed.station_id != station_id:
        await swaps.write_anomaly(
            connection,
            "pack_came_from_another_station",
            means.now(),
            station_id=station_id,
            serial_number=reading.serial_number,
            swap_id=swap_id,
            detail={"believed_at": believed.station_id},
        )


async def _take_out(
    means: Means, connection: Connection, station_id: str, row: SwapRow | None, reading: PackReading, key: MessageKey, why: str
) -> None:
    now = means.now()
    await rows.say_slot(connection, station_id, reading.slot_no, "empty", key)
    await rows.release_pack(connection, reading.serial_number, now)
    # Without a swap nobody knows who has it: lost, with the event as the last evidence.
    await rows.place_pack(
        connection,
        reading.serial_number,
        "asset" if row else "lost",
        why=why,
        now=now,
        asset_id=row.asset_id if row else None,
        swap_id=row.swap_id if row else None,
        seen_at_station=station_id,
    )


async def _foreign(
    means: Means,
    connection: Connection,
    station_id: str,
    row: SwapRow | None,
    direction: Direction,
    reading: PackReading,
    key: MessageKey,
) -> None:
    """A pack nobody registered: its slot is closed, it counts for nothing and no pack is owed for it."""
    await rows.say_slot(connection, station_id, reading.slot_no, "occupied" if direction == "in" else "empty", key)
    await rows.quarantine_slot(connection, station_id, reading.slot_no, direction == "in")
    await swaps.write_anomaly(
        connection,
        "foreign_pack",
        means.now(),
        station_id=station_id,
        serial_number=reading.serial_number,
        swap_id=row.swap_id if row else None,
        detail={"slot_no": reading.slot_no, "direction": direction},
    )


async def _exchange(means: Means, connection: Connection, row: SwapRow, came_in: Sequence[Believed]) -> None:
    """A pack that was not this vehicle's came in: the vehicle's own one is where that one was believed. Both are re-bound."""
    packs = await swaps.swap_packs(connection, row.swap_id)
    given = {pack.serial_number for pack in packs if pack.direction == "out"}
    count_in = sum(1 for pack in packs if pack.direction == "in")
    for other in came_in:
        if other.asset_id == row.asset_id:
            continue
        own = [serial for serial in await rows.vehicle_packs(connection, row.asset_id) if serial not in given]
        now = means.now()
        detail: dict[str, object] = {"believed_place": other.place, "believed_asset": other.asset_id}
        if len(own) > max(row.pack_count - count_in, 0):
            place = "lost" if other.place == "slot" else other.place
            await rows.place_pack(
                connection,
                own[0],
                place,
                why="exchanged",
                now=now,
                asset_id=other.asset_id if place == "asset" else None,
                swap_id=row.swap_id,
                seen_at_station=row.station_id,
            )
            detail["exchanged_for"] = own[0]
        await swaps.write_anomaly(
            connection,
            "pack_of_other_vehicle",
            now,
            station_id=row.station_id,
            serial_number=other.serial_number,
            swap_id=row.swap_id,
            detail=detail,
        )


async def _say_unpinned(means: Means, connection: Connection, row: SwapRow, moved: Sequence[str]) -> None:
    """Say so when the station handed out packs other than those it was told to."""
    command = await swaps.start_command(connection, row.swap_id)
    if command is None:
        return
    pinned = await swaps.pinned_serials(connection, command.command_id)
    for serial in moved:
        if serial not in pinned:
            await swaps.write_anomaly(
                connection,
                "other_pack_handed_out",
                means.now(),
                station_id=row.station_id,
                serial_number=serial,
                swap_id=row.swap_id,
            )
