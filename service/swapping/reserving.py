"""Reservations: holding a pack set and empty slots, and letting them go."""

import asyncpg

from service.domain import reservation as rules
from service.domain.offer import OfferTerms
from service.store import desk as rows
from service.store import swaps
from service.store.pool import Connection
from service.store.swaps import ReservationRow
from service.swapping.means import Means
from service.swapping.offering import choose_for, find_offers, recipe_of, refuse_station, refuse_vehicle, slots_needed
from service.swapping.outcomes import Cancelled, OfferQuery, RefusalReason, Refused, Reservation, Reserved


async def reserve(means: Means, connection: Connection, rider_id: str, terms: OfferTerms) -> Reserved | Refused:
    """Hold what an offer promised, or refuse. The database's unique indexes have the last word."""
    if terms.rider_id != rider_id:
        return Refused("offer_not_yours")
    await rows.lock_station(connection, terms.station_id)
    made = await _hold(means, connection, terms)
    if isinstance(made, Reserved):
        return made
    return Refused(made, await alternatives(means, connection, rider_id, terms.asset_id, terms.station_id, terms.station_id))


async def alternatives(
    means: Means, connection: Connection, rider_id: str, asset_id: str, near_station_id: str, but_not: str | None
) -> tuple[OfferTerms, ...]:
    """Return what else there is near a station; nothing of `but_not`."""
    here = await rows.stations_near(connection, station_id=near_station_id)
    latitude, longitude = (here[0].latitude, here[0].longitude) if here else (None, None)
    query = OfferQuery(rider_id, asset_id, latitude, longitude, limit=3)
    return (await find_offers(means, connection, query, but_not=but_not)).offers


async def cancel(means: Means, connection: Connection, reservation_id: str, rider_id: str) -> Cancelled | Refused:
    """Cancel a reservation and release what it holds."""
    row = await _lock(connection, reservation_id)
    if row is None or row.rider_id != rider_id:
        return Refused("reservation_unknown")
    if row.status == "cancelled":
        return Cancelled(Reservation(*row))
    if not rules.may_become(row.status, "cancelled"):
        return Refused("reservation_ended")
    swap_id = await swaps.live_swap_of(connection, row.asset_id)
    swap = await swaps.swap_by_id(connection, swap_id) if swap_id else None
    if swap is not None and swap.reservation_id == reservation_id:
        return Refused("swap_in_progress")
    await end(means, connection, row, "cancelled")
    ended = await swaps.reservation(connection, reservation_id)
    return Cancelled(Reservation(*(ended or row)))


async def end(means: Means, connection: Connection, row: ReservationRow, status: rules.ReservationStatus) -> None:
    """End a live reservation in this way and release its holds. The caller holds the station."""
    now = means.now()
    await swaps.end_reservation(connection, row.reservation_id, status, now)
    await rows.release_all(connection, row.reservation_id, now)


async def _lock(connection: Connection, reservation_id: str) -> ReservationRow | None:
    """Read a reservation, take the turn at its station, and read it again: it may have changed meanwhile."""
    row = await swaps.reservation(connection, reservation_id)
    if row is None:
        return None
    await rows.lock_station(connection, row.station_id)
    return await swaps.reservation(connection, reservation_id)


async def _hold(means: Means, connection: Connection, terms: OfferTerms) -> Reserved | RefusalReason:
    now = means.now()
    if now >= terms.valid_until or now >= terms.hold_until:
        return "offer_expired"
    vehicle = await rows.vehicle(connection, terms.asset_id)
    refusal = await refuse_vehicle(connection, vehicle, terms.rider_id)
    if vehicle is None or refusal is not None:
        return refusal or "vehicle_unknown"
    if (vehicle.pack_model_id, vehicle.pack_count) != (terms.pack_model_id, terms.pack_count):
        return "offer_expired"
    if await swaps.live_swap_of(connection, terms.asset_id) is not None:
        return "swap_in_progress"
    if await swaps.live_reservation_of(connection, terms.asset_id) is not None:
        return "reservation_exists"
    stations = await rows.stations_near(connection, station_id=terms.station_id)
    if not stations:
        return "station_unknown"
    closed = refuse_station(means, stations[0], now)
    if closed is not None:
        return closed
    packs = await rows.packs_at(connection, [terms.station_id], vehicle.pack_model_id)
    last_soh = await rows.last_soh(connection, terms.rider_id)
    chosen = choose_for(means, packs.get(terms.station_id, []), recipe_of(vehicle), terms.usable_wh, None, last_soh, now)
    if chosen is None:
        return "no_ready_pack"
    needed = slots_needed(stations[0].swap_order, vehicle.pack_count)
    free = (await rows.free_slots(connection, [terms.station_id], vehicle.pack_model_id)).get(terms.station_id, [])
    if len(free) < needed:
        return "no_empty_slot"
    row = ReservationRow(
        reservation_id=means.new_id("rsv"),
        rider_id=terms.rider_id,
        asset_id=terms.asset_id,
        station_id=terms.station_id,
        status="reserved",
        pack_count=terms.pack_count,
        promised_usable_wh=terms.usable_wh,
        price_micro=terms.price_micro,
        currency=terms.currency,
        reason=chosen.why,
        created_at=now,
        arrive_from=terms.arrive_from,
        expires_at=terms.hold_until,
        ended_at=None,
    )
    return await _store(connection, row, chosen.serial_numbers, free[:needed])


async def _store(
    connection: Connection, row: ReservationRow, serials: tuple[str, ...], slots: list[int]
) -> Reserved | RefusalReason:
    try:
        async with connection.transaction():
            await swaps.insert_reservation(connection, row)
            await rows.hold(connection, row.reservation_id, row.station_id, serials, slots, row.created_at)
    except asyncpg.UniqueViolationError as error:
        # Two requests for one vehicle at two stations do not meet at a station's row; they meet here.
        by_index: dict[str, RefusalReason] = {
            "reservation_one_live_per_asset": "reservation_exists",
            "slot_hold_one_live": "no_empty_slot",
        }
        return by_index.get(error.constraint_name or "", "no_ready_pack")
    await swaps.write_event(
        connection,
        "reservation_made",
        row.created_at,
        station_id=row.station_id,
        reservation_id=row.reservation_id,
        body={"packs": list(serials), "slots": slots, "promised_usable_wh": row.promised_usable_wh, "why": row.reason},
    )
    return Reserved(Reservation(*row))
