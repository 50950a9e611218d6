"""Swaps over HTTP: starting one and waiting for the station's word, watching it, the receipt.

The start commits before the wait. Whoever dies while waiting leaves the swap and its command behind, and a retry with the
same key waits on from there.
"""

import asyncio
import json
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from service.api.deps import Cursor, Door, DoorDep, Limit, RiderId, RiderOrOperator, acting_rider, seen_rider
from service.api.errors import ProblemError, not_found
from service.api.idempotency import IdempotencyKey, Once
from service.api.riders_offers import after_instant, refusal
from service.api.schemas import IdInPath, Price, operation
from service.api.schemas_riders import ReceiptAnswer, ReceiptPackItem, SwapAnswer, SwapList, SwapRequest
from service.store import listings
from service.store.listings import Row
from service.store.pool import Connection
from service.swapping.desk import Refused, Started, StartOutcome

router = APIRouter(tags=["riders"])

_POLL_S = 0.25
"""A ring of the bell can be lost: look by ourselves this often, wall seconds."""
_LEASE_EXTRA_S = 5.0
"""Guess: what a live attempt may need beyond its patience before a retry takes it for dead; wall seconds."""


@router.post(
    "/v1/swaps",
    summary="Start a swap",
    **operation(
        SwapAnswer,
        "refused",
        "not_found",
        "swap_rejected",
        "not_delivered",
        "unresolved",
        "key_reused",
        "still_running",
        status=201,
        body=SwapRequest,
    ),
)
async def start_swap(
    request: Request, door: DoorDep, caller: RiderOrOperator, wish: SwapRequest, key: IdempotencyKey
) -> Response:
    """Start the swap of a reservation and wait some seconds for the station's answer.

    201: the station is at it. 409: refused by the desk (`reason`, `alternatives`) or rejected by the station; 503: surely not
    delivered; 504: unknown, it may have opened (`swap_id`). After 409 and 503 `reservation_id` names the hold that lives on.
    """
    rider_id = acting_rider(caller, wish.rider_id)
    once = Once(caller, key, "POST /v1/swaps", wish, door.wall_now(), door.answer_patience_s + _LEASE_EXTRA_S)
    async with door.transaction() as connection:
        kept = await once.claim(connection)
        if isinstance(kept, Response):
            return kept
        if kept is not None:
            started = Started(**json.loads(kept))
        else:
            outcome = await door.desk.start_swap(connection, wish.reservation_id, rider_id)
            if isinstance(outcome, Refused):
                return await once.answer(connection, refusal(door, outcome).response(request.state.trace_id))
            started = outcome
            await once.progress(connection, json.dumps(asdict(started)).encode())
    return await _wait(door, once, started, request.state.trace_id)


@router.get("/v1/swaps", summary="List swaps", **operation(SwapList, "cursor_invalid"))
async def list_swaps(
    door: DoorDep, caller: RiderOrOperator, rider_id: RiderId = None, cursor: Cursor = None, limit: Limit = 50
) -> SwapList:
    """List swaps, the newest first: a rider's own, an operator's choice."""
    rider = seen_rider(caller, rider_id)
    scope = ("swaps", rider)
    after = after_instant(door.cursors.open(scope, cursor))
    async with door.connection() as connection:
        rows = await listings.swaps(connection, rider_id=rider, after=after, row_limit=limit + 1)
    items = [_shown(row) for row in rows[:limit]]
    more = door.cursors.seal(scope, (items[-1].created_at.isoformat(), items[-1].swap_id)) if len(rows) > limit else None
    return SwapList(swaps=items, next_cursor=more)


@router.get("/v1/swaps/{swap_id}", summary="Show a swap", **operation(SwapAnswer, "not_found"))
async def show_swap(door: DoorDep, caller: RiderOrOperator, swap_id: IdInPath) -> SwapAnswer:
    """Show one swap and the packs that have moved."""
    async with door.connection() as connection:
        return await _one(connection, seen_rider(caller, None), swap_id)


@router.get(
    "/v1/swaps/{swap_id}/receipt", summary="Show a receipt", **operation(ReceiptAnswer, "not_found", "swap_not_completed")
)
async def show_receipt(door: DoorDep, caller: RiderOrOperator, swap_id: IdInPath) -> ReceiptAnswer:
    """Show what a completed swap gave and cost; 409 until it is completed."""
    async with door.transaction() as connection:
        swap = await _one(connection, seen_rider(caller, None), swap_id)
        receipt = await door.desk.receipt(connection, swap_id)
    if receipt is None:
        raise ProblemError(
            "swap_not_completed", f"the swap is {swap.status}", members={"swap_id": swap_id, "swap_status": swap.status}
        )
    known = asdict(receipt)
    return ReceiptAnswer(
        **{
            name: known[name]
            for name in ("swap_id", "rider_id", "station_id", "completed_at", "tariff", "carbon_g_per_kwh", "carbon_source")
        },
        vehicle_id=receipt.asset_id,
        energy_kwh=receipt.energy_wh / 1000,
        price=Price(amount_micro=receipt.price_micro, currency=receipt.currency),
        location_gco2e=receipt.co2e_g,
        # Nobody holds a certificate for this fleet yet, and nobody measures curtailment in its areas.
        certified_renewable_wh=0,
        surplus_timing_share=None,
        packs=[ReceiptPackItem(**pack) for pack in known["packs"]],
    )


async def _wait(door: Door, once: Once, started: Started, trace_id: str) -> Response:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + door.answer_patience_s
    with door.bell.listening() as rung:
        while True:
            rung.clear()  # before looking: what happens after the look rings again
            late = loop.time() >= deadline
            async with door.transaction() as connection:
                settle = door.desk.give_up_start if late else door.desk.settle_start
                outcome = await settle(connection, started.swap_id, started.command_id)
                if outcome.status != "waiting":
                    return await once.answer(connection, await _answer(connection, started.swap_id, outcome, trace_id))
            if late:
                raise RuntimeError(f"the desk neither settled nor gave up the start of {started.swap_id}")
            try:
                await asyncio.wait_for(rung.wait(), min(_POLL_S, max(0.0, deadline - loop.time())))
            except TimeoutError:
                continue


async def _answer(connection: Connection, swap_id: str, outcome: StartOutcome, trace_id: str) -> Response:
    swap = await _one(connection, None, swap_id)
    if outcome.status == "authorised":
        return Response(swap.model_dump_json(), 201, {"Location": f"/v1/swaps/{swap_id}"}, "application/json")
    members: dict[str, Any] = {
        "swap_id": swap_id,
        "swap_status": swap.status,
        "reason": outcome.reason or outcome.status,
        "alternatives": [],
    }
    if outcome.status == "unresolved":
        problem = ProblemError("unresolved", "the station has not answered; GET the swap to see how it ends", members=members)
    else:
        members["reservation_id"] = await listings.live_reservation(connection, swap_id)
        if outcome.status == "rejected":
            members["status_reason"] = swap.status_reason
            problem = ProblemError(
                "swap_rejected", f"the station said no: {outcome.reason or 'without a reason'}", members=members
            )
        else:
            problem = ProblemError(
                "not_delivered",
                "the command did not reach the station; nothing opened",
                headers={"Retry-After": "5"},
                members=members,
            )
    return problem.response(trace_id)


async def _one(connection: Connection, rider: str | None, swap_id: str) -> SwapAnswer:
    rows = await listings.swaps(connection, rider_id=rider, swap_id=swap_id, row_limit=1)
    if not rows:
        raise not_found("swap")
    return _shown(rows[0])


def _shown(row: Row) -> SwapAnswer:
    names = SwapAnswer.model_fields.keys() - {"price", "packs"}
    price = Price(amount_micro=row["price_micro"], currency=row["currency"])
    return SwapAnswer(price=price, packs=json.loads(row["packs"]), **{name: row[name] for name in names})
