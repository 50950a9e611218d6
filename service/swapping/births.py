"""Births: what a station says of itself after each connect, compared slot by slot with what the desk believes.

A birth never creates a pack. The first one places the registered packs that are still in the depot; a later one moves a pack only
where that is safe (into a slot believed empty, from another slot of this station or from where nobody has it), and says so.
Everything else that disagrees becomes an anomaly for a person.
"""

from service.domain.observation import PackReading, ReceivedEvent, StationBorn
from service.domain.swap import LIVE, NothingMoved
from service.store import desk as rows
from service.store import swaps
from service.store.desk import Believed
from service.store.pool import Connection
from service.store.swaps import SwapRow
from service.swapping import moving, progress
from service.swapping.means import Means

_NOBODY_HAS_IT = frozenset({"depot", "truck", "workshop", "lost"})
"""Places from which a pack that a station reports in an empty slot may simply have come: nobody else is said to have it."""


async def handle_birth(means: Means, connection: Connection, received: ReceivedEvent, born: StationBorn) -> None:
    """Take over what the station says of itself, then reconcile. A birth older than the newest one is history."""
    station_id = received.station_id
    first = await rows.first_birth_pending(connection, station_id)
    if not await rows.say_station(connection, station_id, born, received.key, received.received_at):
        return
    reported = {pack.slot_no: pack for pack in born.packs}
    open_swaps = await swaps.open_swaps_at(connection, station_id)
    await swaps.write_event(
        connection, "station_born", means.now(), station_id=station_id, body={"first": first, "packs": len(reported)}
    )
    await _explain_missing(means, connection, received, reported, open_swaps)
    await _place_reported(means, connection, received, reported, open_swaps, first)
    await _settle_unresolved(means, connection, received, reported)


async def _explain_missing(
    means: Means, connection: Connection, received: ReceivedEvent, reported: dict[int, PackReading], open_swaps: list[SwapRow]
) -> None:
    """A pack that is gone was taken out when an open swap here was to hand it out; else nobody knows."""
    serials_here = {pack.serial_number for pack in reported.values()}
    for slot_no, serial in (await rows.packs_in_slots(connection, received.station_id)).items():
        if serial in serials_here:
            continue
        row = await _swap_that_offers(connection, open_swaps, serial)
        if row is not None:
            reading = await _last_known(means, connection, received.station_id, slot_no, serial)
            await moving.move(
                means, connection, received.station_id, row, "out", [reading], received.key, why="seen_gone_at_birth"
            )
            continue
        await swaps.write_anomaly(
            connection,
            "pack_missing",
            means.now(),
            station_id=received.station_id,
            serial_number=serial,
            detail={"slot_no": slot_no},
            once=True,
        )


async def _place_reported(
    means: Means,
    connection: Connection,
    received: ReceivedEvent,
    reported: dict[int, PackReading],
    open_swaps: list[SwapRow],
    first: bool,
) -> None:
    station_id = received.station_id
    believed = await rows.packs_believed(connection, [pack.serial_number for pack in reported.values()])
    quarantined = await rows.quarantined_slots(connection, station_id)
    for slot_no, pack in sorted(reported.items()):
        where = believed.get(pack.serial_number)
        if where is None:
            await rows.quarantine_slot(connection, station_id, slot_no, True)
            await swaps.write_anomaly(
                connection,
                "foreign_pack",
                means.now(),
                station_id=station_id,
                serial_number=pack.serial_number,
                detail={"slot_no": slot_no},
                once=True,
            )
            quarantined.discard(slot_no)
            continue
        await _place_one(means, connection, received, pack, where, open_swaps, first)
    # What is left in quarantine has been emptied, or holds a pack of ours: it serves again.
    for slot_no in sorted(quarantined):
        await rows.quarantine_slot(connection, station_id, slot_no, False)


async def _place_one(
    means: Means,
    connection: Connection,
    received: ReceivedEvent,
    pack: PackReading,
    where: Believed,
    open_swaps: list[SwapRow],
    first: bool,
) -> None:
    station_id = received.station_id
    if where.place == "slot" and where.station_id == station_id and where.slot_no == pack.slot_no:
        return
    for row in open_swaps:
        if where.place == "asset" and where.asset_id == row.asset_id:
            fresh = await swaps.swap_by_id(connection, row.swap_id)
            await moving.move(means, connection, station_id, fresh, "in", [pack], received.key, why="seen_at_birth")
            return
    occupant = await rows.pack_in_slot(connection, station_id, pack.slot_no)
    safe = occupant is None and (where.place in _NOBODY_HAS_IT or (where.place == "slot" and where.station_id == station_id))
    if safe:
        why = "first_birth" if first and where.place == "depot" else "seen_at_birth"
        await moving.put_in_slot(means, connection, station_id, pack.slot_no, pack.serial_number, why=why)
    if not (first and where.place == "depot" and safe):
        await swaps.write_anomaly(
            connection,
            "pack_misplaced",
            means.now(),
            station_id=station_id,
            serial_number=pack.serial_number,
            detail={**where._asdict(), "reported_slot": pack.slot_no, "moved": safe},
            once=True,
        )


async def _settle_unresolved(
    means: Means, connection: Connection, received: ReceivedEvent, reported: dict[int, PackReading]
) -> None:
    """An inventory from after the command's life in which nothing moved settles a swap nobody knew anything of."""
    serials_here = {pack.serial_number for pack in reported.values()}
    for row in await swaps.open_swaps_at(connection, received.station_id):
        command = await swaps.start_command(connection, row.swap_id)
        if row.status not in {"requested", "unresolved"} or command is None or received.received_at < command.valid_until:
            continue
        pinned = await swaps.pinned_serials(connection, command.command_id)
        if pinned <= serials_here and not row.packs_in and not row.packs_out:
            await progress.apply(means, connection, row, NothingMoved())


async def _swap_that_offers(connection: Connection, open_swaps: list[SwapRow], serial: str) -> SwapRow | None:
    """Return the open swap, as it is by now, that was to hand out this pack: the one that holds it, else one that names it."""
    named: SwapRow | None = None
    for row in open_swaps:
        command = await swaps.start_command(connection, row.swap_id)
        if command is None or command.sent_at is None:
            continue
        for holder in (row.swap_id, row.reservation_id):
            if holder is not None and serial in (await rows.holds_of(connection, holder))[0]:
                return await swaps.swap_by_id(connection, row.swap_id)
        if row.status in LIVE and serial in await swaps.pinned_serials(connection, command.command_id):
            named = row
    return await swaps.swap_by_id(connection, named.swap_id) if named else None


async def _last_known(means: Means, connection: Connection, station_id: str, slot_no: int, serial: str) -> PackReading:
    for pack in (await rows.packs_at(connection, [station_id])).get(station_id, []):
        if pack.serial_number == serial:
            return PackReading(slot_no=slot_no, serial_number=serial, soc=pack.soc, soh=pack.soh)
    return PackReading(slot_no=slot_no, serial_number=serial, soc=0.0, soh=0.0)
