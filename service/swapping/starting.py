"""Starting a swap: from a reservation to a command in the outbox, and what became of that command."""

from datetime import timedelta

import asyncpg

from service.domain.command import Command, StartSwap
from service.domain.swap import NoAnswer
from service.store import desk as rows
from service.store import outbox, swaps
from service.store.pool import Connection
from service.store.swaps import ReservationRow, SwapRow
from service.swapping import progress
from service.swapping.means import Means
from service.swapping.offering import choose_for, recipe_of, refuse_station, slots_needed
from service.swapping.outcomes import RefusalReason, Refused, Started, StartOutcome
from service.swapping.reserving import alternatives, end


async def start_swap(means: Means, connection: Connection, reservation_id: str, rider_id: str) -> Started | Refused:
    """Request the swap of a reservation, or refuse; the reservation stays as it is when refused."""
    row = await swaps.reservation(connection, reservation_id)
    if row is None or row.rider_id != rider_id:
        return Refused("reservation_unknown")
    started = await start(means, connection, row)
    if isinstance(started, Started):
        return started
    if started in {"swap_in_progress", "reservation_ended"}:
        return Refused(started)
    # Who is late gets a new offer, also where he stands; otherwise this station is the one that cannot.
    but_not = None if started == "reservation_expired" else row.station_id
    return Refused(started, await alternatives(means, connection, row.rider_id, row.asset_id, row.station_id, but_not))


async def start(
    means: Means, connection: Connection, row: ReservationRow, *, request_id: int | None = None, token: str | None = None
) -> Started | RefusalReason:
    """Write the swap and its command. `request_id` and `token` are the station's when it was asked for there."""
    await rows.lock_station(connection, row.station_id)
    again = await swaps.reservation(connection, row.reservation_id)
    now = means.now()
    if again is None or again.status != "reserved":
        return "reservation_ended" if again is None or again.status != "no_show" else "reservation_expired"
    if await swaps.live_swap_of(connection, row.asset_id) is not None:
        return "swap_in_progress"
    if now >= again.expires_at:
        await end(means, connection, again, "no_show")
        return "reservation_expired"
    found = await rows.stations_near(connection, station_id=row.station_id)
    if not found:
        return "station_out_of_service"
    station = found[0]
    closed = refuse_station(means, station, now)
    if closed is not None:
        return closed
    pinned = await _pin(means, connection, again, station.swap_order)
    if isinstance(pinned, str):
        return pinned
    serials, slots = pinned
    swap_id, command_id = means.new_id("swp"), means.new_id("cmd")
    request_id = request_id or await rows.take_request_id(connection, row.station_id)
    token = token or row.reservation_id
    try:
        async with connection.transaction():
            await swaps.insert_swap(
                connection,
                swap_id=swap_id,
                reservation_id=row.reservation_id,
                rider_id=row.rider_id,
                asset_id=row.asset_id,
                station_id=row.station_id,
                request_id=request_id,
                token=token,
                swap_order=station.swap_order,
                pack_count=row.pack_count,
                promised_usable_wh=row.promised_usable_wh,
                price_micro=row.price_micro,
                currency=row.currency,
                created_at=now,
                deadline_at=means.after(means.rules.command_s + means.rules.grace_s),
            )
    except asyncpg.UniqueViolationError:
        return "swap_in_progress"
    order = StartSwap(request_id=request_id, token=token, count=row.pack_count, offer_serials=serials, in_slots=slots)
    until = now + timedelta(seconds=means.rules.command_s)
    await outbox.enqueue(
        connection,
        [
            Command(
                command_id=command_id, station_id=row.station_id, order=order, issued_at=now, valid_until=until, swap_id=swap_id
            )
        ],
    )
    await swaps.write_event(
        connection,
        "swap_requested",
        now,
        station_id=row.station_id,
        reservation_id=row.reservation_id,
        swap_id=swap_id,
        body={"command_id": command_id, "packs": list(serials), "slots": list(slots)},
    )
    return Started(swap_id, command_id)


async def settle_start(connection: Connection, swap_id: str, command_id: str) -> StartOutcome:
    """Return what is known of a start; `waiting` while only time can tell."""
    row = await swaps.swap_by_id(connection, swap_id)
    if row is None:
        return StartOutcome("rejected", "swap_unknown")
    match row.status:
        case "requested":
            return StartOutcome("waiting")
        case "unresolved":
            return StartOutcome("unresolved", row.status_reason)
        case "rejected" | "expired":
            return StartOutcome("rejected", row.status_reason)
        case "cancelled":
            return StartOutcome("not_delivered" if row.status_reason == "not_delivered" else "rejected", row.status_reason)
        case _:
            return StartOutcome("authorised")


async def give_up_start(means: Means, connection: Connection, swap_id: str, command_id: str) -> StartOutcome:
    """Decide by the outbox row: still queued is withdrawn and surely not delivered; sent without an answer is unresolved."""
    row = await swaps.swap_by_id(connection, swap_id)
    if row is not None:
        await rows.lock_station(connection, row.station_id)
        row = await swaps.swap_by_id(connection, swap_id)
    if row is not None and row.status == "requested":
        await give_up(means, connection, row, command_id)
    return await settle_start(connection, swap_id, command_id)


async def give_up(means: Means, connection: Connection, row: SwapRow, command_id: str | None) -> None:
    """The same for a swap whose station the caller holds."""
    withdrawn = command_id is not None and await outbox.withdraw(connection, command_id, means.now())
    command = await swaps.start_command(connection, row.swap_id)
    sent = not withdrawn and command is not None and command.sent_at is not None
    await progress.apply(means, connection, row, NoAnswer(sent=sent))


async def _pin(
    means: Means, connection: Connection, row: ReservationRow, swap_order: str
) -> tuple[tuple[str, ...], tuple[int, ...]] | RefusalReason:
    """Look at the held packs and slots once more; take others where one has become unfit."""
    vehicle = await rows.vehicle(connection, row.asset_id)
    if vehicle is None:
        return "vehicle_unknown"
    now = means.now()
    held_packs, held_slots = await rows.holds_of(connection, row.reservation_id)
    packs = (await rows.packs_at(connection, [row.station_id], vehicle.pack_model_id)).get(row.station_id, [])
    held = [pack for pack in packs if pack.serial_number in held_packs]
    recipe = recipe_of(vehicle)
    chosen = choose_for(means, held, recipe, row.promised_usable_wh, row.reservation_id, None, now)
    if chosen is None:
        last_soh = await rows.last_soh(connection, row.rider_id)
        chosen = choose_for(means, packs, recipe, row.promised_usable_wh, row.reservation_id, last_soh, now)
    if chosen is None:
        return "no_ready_pack"
    needed = slots_needed(swap_order, row.pack_count)
    free = (await rows.free_slots(connection, [row.station_id], vehicle.pack_model_id, row.reservation_id)).get(
        row.station_id, []
    )
    if len(free) < needed:
        return "no_empty_slot"
    # Those held before come first in `free`, so that nothing changes unless it has to.
    serials, slots = chosen.serial_numbers, tuple(free[:needed])
    if set(serials) != set(held_packs) or set(slots) != set(held_slots):
        await rows.release_all(connection, row.reservation_id, now)
        await rows.hold(connection, row.reservation_id, row.station_id, serials, slots, now)
        await swaps.write_event(
            connection,
            "holds_changed",
            now,
            station_id=row.station_id,
            reservation_id=row.reservation_id,
            body={"packs": list(serials), "slots": list(slots), "why": chosen.why},
        )
    return serials, slots
