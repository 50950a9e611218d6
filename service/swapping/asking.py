"""Somebody asks for a swap at the station itself (card, plate, app code): answered by a start command or a refusal."""

from datetime import timedelta

from service.domain.command import Command, RefuseSwap
from service.domain.observation import ReceivedEvent, SwapAsked
from service.store import desk as rows
from service.store import outbox, swaps
from service.store.pool import Connection
from service.store.swaps import ReservationRow
from service.swapping.means import Means
from service.swapping.offering import find_offers
from service.swapping.outcomes import OfferQuery, RefusalReason, Refused, Started
from service.swapping.reserving import end, reserve
from service.swapping.starting import start

RIDER_TOKEN = "rider:"

_WIRE_REASONS: dict[str, str] = {
    "no_ready_pack": "NoBatteryAvailable",
    "no_empty_slot": "NoEmptySlot",
    "swap_in_progress": "Busy",
    "vehicle_unknown": "UnknownToken",
    "reservation_exists": "ReservedElsewhere",
    "unpaid": "Unpaid",
}


async def handle_asked(means: Means, connection: Connection, received: ReceivedEvent, event: SwapAsked) -> None:
    """Start the swap of whoever asks: his reservation here, else one made on the spot."""
    if await swaps.swap_by_request(connection, received.station_id, event.request_id) is not None:
        return
    now = means.now()
    if now - received.received_at > timedelta(seconds=means.rules.command_s):
        # Nobody stands there any more; what happened meanwhile comes as events.
        await swaps.write_event(
            connection, "swap_asked_too_late", now, station_id=received.station_id, body={"request_id": event.request_id}
        )
        return
    row, on_the_spot = await _reservation(means, connection, received.station_id, event)
    started: Started | RefusalReason
    if isinstance(row, ReservationRow):
        started = await start(means, connection, row, request_id=event.request_id, token=event.token)
        if on_the_spot and not isinstance(started, Started):
            await end(means, connection, row, "cancelled")
    else:
        started = row
    if isinstance(started, Started):
        return
    order = RefuseSwap(request_id=event.request_id, reason_code=_WIRE_REASONS.get(started, "Refused"), message=started)
    command = Command(
        command_id=means.new_id("cmd"),
        station_id=received.station_id,
        order=order,
        issued_at=now,
        valid_until=now + timedelta(seconds=means.rules.command_s),
    )
    await outbox.enqueue(connection, [command])
    await swaps.write_event(
        connection,
        "swap_refused",
        now,
        station_id=received.station_id,
        body={"request_id": event.request_id, "reason": started, "token_type": event.token_type},
    )


async def _reservation(
    means: Means, connection: Connection, station_id: str, event: SwapAsked
) -> tuple[ReservationRow | RefusalReason, bool]:
    """Return the reservation to start, and whether it was made on the spot; or why there is none."""
    named = await swaps.reservation(connection, event.token)
    if named is not None:
        return (named if named.station_id == station_id else "reservation_exists"), False
    asset_id = await _vehicle(connection, event)
    vehicle = await rows.vehicle(connection, asset_id) if asset_id else None
    if vehicle is None or vehicle.rider_id is None:
        return "vehicle_unknown", False
    live = await swaps.live_reservation_of(connection, vehicle.asset_id)
    if live is not None:
        return (live if live.station_id == station_id else "reservation_exists"), False
    found = await find_offers(means, connection, OfferQuery(vehicle.rider_id, vehicle.asset_id, station_id=station_id))
    if not found.offers:
        return found.reason or "no_ready_pack", False
    made = await reserve(means, connection, vehicle.rider_id, found.offers[0])
    if isinstance(made, Refused):
        return made.reason, False
    row = await swaps.reservation(connection, made.reservation.reservation_id)
    return (row if row is not None else "reservation_unknown"), True


async def _vehicle(connection: Connection, event: SwapAsked) -> str | None:
    """Return the vehicle meant: the one named, the rider's only one, or the token itself."""
    if event.asset_id is not None:
        return event.asset_id
    if event.token.startswith(RIDER_TOKEN):
        owned = await rows.vehicles_of(connection, event.token.removeprefix(RIDER_TOKEN))
        return owned[0] if len(owned) == 1 else None
    return event.token
