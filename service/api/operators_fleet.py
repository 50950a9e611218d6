"""The running fleet for operators: counts, plans and why, anomalies, debts."""

import json
from typing import Annotated

from fastapi import APIRouter, Query

from service.api.deps import Cursor, DoorDep, Limit, Operator, RiderId
from service.api.errors import not_found
from service.api.riders_offers import after_instant
from service.api.schemas import IdInPath, Price, operation
from service.api.schemas_fleet import AnomalyItem, AnomalyList, DebtItem, DebtList, FleetAnswer, PlanAnswer
from service.store import listings

router = APIRouter(tags=["operators"])

KindFilter = Annotated[str | None, Query(pattern=r"^[a-zA-Z0-9_.-]{1,64}$")]
StationFilter = Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_-]{1,48}$")]


@router.get("/v1/fleet", summary="Count the fleet", **operation(FleetAnswer))
async def show_fleet(door: DoorDep, caller: Operator) -> FleetAnswer:
    """Count stations, slots, packs, swaps, debts and anomalies."""
    now = door.clock.now()
    async with door.connection() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        counts = await listings.fleet_counts(connection)
        plan = await listings.plan(connection, plan_id=None, now=now)
    groups = ("stations", "slots", "packs_by_place", "packs_by_condition", "riders", "live_reservations", "swaps", "open_debts")
    return FleetAnswer(
        at=now,
        stations_connected=counts.get("stations_connected", {}).get("connected", 0),
        vehicles=counts.get("vehicles", {}).get("vehicle", 0),
        open_anomalies=counts.get("open_anomalies", {}),
        plan_id=plan["plan_id"] if plan else None,
        **{group: counts.get(group, {}) for group in groups},
    )


@router.get("/v1/plans/current", summary="Show the newest plan", **operation(PlanAnswer, "not_found"))
async def show_current_plan(door: DoorDep, caller: Operator) -> PlanAnswer:
    """Show the newest plan with bound, gap, and why per station."""
    return await _plan(door, None)


@router.get("/v1/plans/{plan_id}", summary="Show a plan", **operation(PlanAnswer, "not_found"))
async def show_plan(door: DoorDep, caller: Operator, plan_id: IdInPath) -> PlanAnswer:
    """Show one plan with bound, gap, and why per station."""
    return await _plan(door, plan_id)


@router.get("/v1/anomalies", summary="List anomalies", **operation(AnomalyList, "cursor_invalid"))
async def list_anomalies(
    door: DoorDep,
    caller: Operator,
    kind: KindFilter = None,
    station_id: StationFilter = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> AnomalyList:
    """List what did not fit, the newest first."""
    scope = ("anomalies", kind, station_id)
    key = door.cursors.open(scope, cursor)
    async with door.connection() as connection:
        rows = await listings.anomalies(
            connection, kind=kind, station_id=station_id, after_id=int(key[0]) if key else None, row_limit=limit + 1
        )
    items = [AnomalyItem(**{**row, "detail": json.loads(row["detail"])}) for row in rows[:limit]]
    more = door.cursors.seal(scope, (items[-1].anomaly_id,)) if len(rows) > limit else None
    return AnomalyList(anomalies=items, next_cursor=more)


@router.get("/v1/debts", summary="List debts", **operation(DebtList, "cursor_invalid"))
async def list_debts(
    door: DoorDep,
    caller: Operator,
    rider_id: RiderId = None,
    open_only: Annotated[bool, Query(description="False: the closed ones too.")] = True,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> DebtList:
    """List packs that somebody owes, the newest first."""
    scope = ("debts", rider_id, str(open_only))
    after = after_instant(door.cursors.open(scope, cursor))
    now = door.clock.now()
    async with door.connection() as connection:
        rows = await listings.debts(connection, rider_id=rider_id, open_only=open_only, after=after, row_limit=limit + 1)
    items = [
        DebtItem(
            **row,
            value=Price(amount_micro=row["value_micro"], currency=row["currency"]),
            overdue=row["closed_at"] is None and row["due_at"] < now,
        )
        for row in rows[:limit]
    ]
    more = door.cursors.seal(scope, (items[-1].opened_at.isoformat(), items[-1].debt_id)) if len(rows) > limit else None
    return DebtList(debts=items, next_cursor=more)


async def _plan(door: DoorDep, plan_id: str | None) -> PlanAnswer:
    async with door.connection() as connection:
        found = await listings.plan(connection, plan_id=plan_id, now=door.clock.now())
    if found is None:
        raise not_found("plan")
    return PlanAnswer(**found)
