"""Tables `plan` and `plan_station`: written once per cycle, then only read."""

from service.domain.plan import PlanOfStation, PlanRecord
from service.store.pool import Connection
from service.store.queries import statements

_sql = statements("plans")


async def add_plan(connection: Connection, plan: PlanRecord) -> None:
    """Write a plan with all its stations and signal `plan_made` (on commit). Call it inside a transaction."""
    await _sql.add_plan(
        connection,
        plan_id=plan.plan_id,
        made_at=plan.made_at,
        start_at=plan.start_at,
        step_s=plan.step_s,
        step_count=plan.step_count,
        station_count=len(plan.stations),
        engine=plan.engine,
        coupled_by=list(plan.coupled_by),
        objective_jpy=plan.objective_jpy,
        bound_jpy=plan.bound_jpy,
        gap=plan.gap,
        shortfall_wh=plan.shortfall_wh,
        truncated=plan.truncated,
        solve_s=plan.solve_s,
        price_source=plan.price_source,
        supply_source=plan.supply_source,
        fleet_ac_w=list(plan.fleet_ac_w),
        price_jpy_per_kwh=list(plan.price_jpy_per_kwh),
        renewable_w=list(plan.renewable_w),
    )
    await _sql.add_plan_station(
        connection,
        [
            {
                "plan_id": plan.plan_id,
                "station_id": station.station_id,
                "energy_ac_wh": list(station.energy_ac_wh),
                "shortfall_wh": station.shortfall_wh,
                "reason": station.reason,
            }
            for station in plan.stations
        ],
    )
    await _sql.plan_made(connection)


async def newest_plan_id(connection: Connection) -> str | None:
    """Return the id of the newest plan, or None before the first."""
    found = await _sql.newest_plan_id(connection)
    return None if found is None else str(found)


async def read_plan(connection: Connection, plan_id: str) -> PlanRecord | None:
    """Return a plan with its stations, or None when there is none of that id."""
    row = await _sql.plan_row(connection, plan_id=plan_id)
    if row is None:
        return None
    stations = [
        PlanOfStation(each["station_id"], tuple(each["energy_ac_wh"]), each["shortfall_wh"], each["reason"])
        async for each in _sql.plan_stations(connection, plan_id=plan_id)
    ]
    values = dict(row)
    for name in ("coupled_by", "fleet_ac_w", "price_jpy_per_kwh", "renewable_w"):
        values[name] = tuple(values[name])
    return PlanRecord(**values, stations=tuple(stations))
