"""Offers and reservations over HTTP: a wish, what can be had, and a hold on it."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from service.api.deps import Cursor, Door, DoorDep, Limit, RiderId, RiderOrOperator, acting_rider, seen_rider
from service.api.errors import ProblemError, not_found
from service.api.idempotency import IdempotencyKey, Once
from service.api.schemas import IdInPath, Price, operation
from service.api.schemas_riders import (
    OfferItem,
    OfferRequest,
    OffersAnswer,
    ReservationAnswer,
    ReservationList,
    ReservationRequest,
)
from service.domain.offer import OfferTerms
from service.store import listings
from service.store.listings import FIRST_PAGE, After, Row
from service.swapping.desk import OfferQuery, Refused, Reservation

router = APIRouter(tags=["riders"])

_NOT_THERE = frozenset({"reservation_unknown"})
"""Refusals that mean: not there, or not yours."""
LEASE_S = 30.0
"""Guess: a claim without an answer is older than this only when its process died; wall seconds."""


@router.post("/v1/offers", summary="Ask for offers", **operation(OffersAnswer, "not_found", body=OfferRequest))
async def ask_for_offers(door: DoorDep, caller: RiderOrOperator, wish: OfferRequest) -> OffersAnswer:
    """Ask what can be had for a vehicle, best first. Nothing is held; with no offers `reason` says why."""
    rider_id = acting_rider(caller, wish.rider_id)
    query = OfferQuery(
        rider_id=rider_id,
        asset_id=wish.vehicle_id,
        latitude=wish.near.latitude if wish.near else None,
        longitude=wish.near.longitude if wish.near else None,
        station_id=wish.station_id,
        arrive_from=wish.arrive_from,
        least_usable_wh=wish.least_usable_wh,
        limit=wish.limit,
    )
    async with door.transaction() as connection:
        found = await door.desk.offers(connection, query)
    if found.reason == "vehicle_unknown":
        raise not_found("vehicle")
    return OffersAnswer(offers=[offer_item(door, terms) for terms in found.offers], reason=found.reason)


@router.post(
    "/v1/reservations",
    summary="Reserve an offer",
    **operation(
        ReservationAnswer,
        "refused",
        "offer_expired",
        "offer_invalid",
        "key_reused",
        "still_running",
        status=201,
        body=ReservationRequest,
    ),
)
async def reserve(
    request: Request, door: DoorDep, caller: RiderOrOperator, wish: ReservationRequest, key: IdempotencyKey
) -> Response:
    """Hold a pack set and the empty slots it needs. Refused (409): `reason`, and `alternatives` at other stations."""
    rider_id = acting_rider(caller, wish.rider_id)
    once = Once(caller, key, "POST /v1/reservations", wish, door.wall_now(), LEASE_S)
    async with door.transaction() as connection:
        kept = await once.claim(connection)
        if isinstance(kept, Response):
            return kept
        # Behind the claim: a retry must get its answer even when the offer has expired meanwhile.
        terms = door.seal.open(wish.offer_id, rider_id, door.clock.now())
        outcome = await door.desk.reserve(connection, rider_id, terms)
        if isinstance(outcome, Refused):
            return await once.answer(connection, refusal(door, outcome).response(request.state.trace_id))
        answer = reservation_answer(outcome.reservation)
        response = Response(
            answer.model_dump_json(), 201, {"Location": f"/v1/reservations/{answer.reservation_id}"}, "application/json"
        )
        return await once.answer(connection, response)


@router.get("/v1/reservations", summary="List reservations", **operation(ReservationList, "cursor_invalid"))
async def list_reservations(
    door: DoorDep,
    caller: RiderOrOperator,
    rider_id: RiderId = None,
    status: Annotated[
        Literal["pending", "reserved", "rejected", "expired", "fulfilled", "cancelled", "no_show"] | None, Query()
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> ReservationList:
    """List reservations, the newest first: a rider's own, an operator's choice."""
    rider = seen_rider(caller, rider_id)
    scope = ("reservations", rider, status)
    after = after_instant(door.cursors.open(scope, cursor))
    async with door.connection() as connection:
        rows = await listings.reservations(connection, rider_id=rider, status=status, after=after, row_limit=limit + 1)
    items = [_shown(row) for row in rows[:limit]]
    more = door.cursors.seal(scope, (items[-1].created_at.isoformat(), items[-1].reservation_id)) if len(rows) > limit else None
    return ReservationList(reservations=items, next_cursor=more)


@router.get("/v1/reservations/{reservation_id}", summary="Show a reservation", **operation(ReservationAnswer, "not_found"))
async def show_reservation(door: DoorDep, caller: RiderOrOperator, reservation_id: IdInPath) -> ReservationAnswer:
    """Show one reservation."""
    return _shown(await _own(door, seen_rider(caller, None), reservation_id))


@router.delete(
    "/v1/reservations/{reservation_id}", summary="Cancel a reservation", **operation(ReservationAnswer, "not_found", "refused")
)
async def cancel(door: DoorDep, caller: RiderOrOperator, reservation_id: IdInPath) -> ReservationAnswer:
    """Give the holds back. Cancelling twice answers the same; one that is used or over is refused."""
    row = await _own(door, seen_rider(caller, None), reservation_id)
    async with door.transaction() as connection:
        outcome = await door.desk.cancel_reservation(connection, reservation_id, row["rider_id"])
    if isinstance(outcome, Refused):
        raise refusal(door, outcome)
    return reservation_answer(outcome.reservation)


def offer_item(door: Door, terms: OfferTerms) -> OfferItem:
    """Return an offer as a rider sees it, sealed."""
    known = terms.model_dump(exclude={"rider_id", "asset_id", "price_micro", "currency", "co2e_g"})
    price = Price(amount_micro=terms.price_micro, currency=terms.currency)
    return OfferItem(offer_id=door.seal.seal(terms), price=price, location_gco2e=terms.co2e_g, **known)


def refusal(door: Door, refused: Refused) -> ProblemError:
    """Return the problem of a refusal: not found for what is not there or not his, else its reason and the alternatives."""
    if refused.reason in _NOT_THERE:
        return not_found("reservation")
    name = "offer_expired" if refused.reason == "offer_expired" else "refused"
    alternatives = [offer_item(door, terms).model_dump(mode="json") for terms in refused.alternatives]
    return ProblemError(name, refused.reason.replace("_", " "), members={"reason": refused.reason, "alternatives": alternatives})


def reservation_answer(reservation: Reservation) -> ReservationAnswer:
    """Return a reservation as a rider sees it."""
    known = asdict(reservation)
    return _shown({**known, "vehicle_id": reservation.asset_id, "why": reservation.reason})


def after_instant(key: tuple[str | float | int, ...] | None) -> After:
    """Return where a page of newest-first things goes on, from the key of its cursor."""
    return After(datetime.fromisoformat(str(key[0])), str(key[1])) if key else FIRST_PAGE


async def _own(door: Door, rider: str | None, reservation_id: str) -> Row:
    async with door.connection() as connection:
        rows = await listings.reservations(connection, rider_id=rider, reservation_id=reservation_id, row_limit=1)
    if not rows:
        raise not_found("reservation")
    return rows[0]


def _shown(row: Row | dict[str, Any]) -> ReservationAnswer:
    price = Price(amount_micro=row["price_micro"], currency=row["currency"])
    names = ReservationAnswer.model_fields.keys() - {"price"}
    return ReservationAnswer(price=price, **{name: row[name] for name in names})
