"""One planning cycle: state -> forecast -> plan -> check -> packs, then plan and commands in one transaction.

What is decided is decided in `planning`; here is only the order of things, the clock and what happens when one fails.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from service.domain.clock import Clock
from service.domain.command import Command
from service.domain.fleet import FleetNow, StationNow
from service.domain.plan import PlanOfStation, PlanRecord, StepGrid
from service.forecast.demand import HISTORY_S, forecast_demand
from service.forecast.supply import DECISION_SERIES, HISTORY, SupplyForecast, forecast_sites, forecast_supply
from service.grid.synthetic import synthetic_signals
from service.planning.build import Outlook, StationJobs, build
from service.planning.check import Violation
from service.planning.disaggregate import disaggregate
from service.planning.plan import Plan
from service.planning.planner import decide
from service.planning.policies import Policy
from service.planning.problem import Problem
from service.planning.schedule import differs, make_schedule
from service.state.load import load_fleet
from service.store.outbox import enqueue
from service.store.plans import add_plan
from service.store.pool import DATABASE_AWAY, Connection, Pool
from service.store.signals import add_missing, known_signals

COMMAND_VALID_S = 900.0
"""How long a schedule may wait for its station [fleet s]. Guess: the next one is at most ten minutes behind it."""
RESEND_S = 600.0
"""A schedule older than this is sent anew although it still says the same [fleet s]. Guess."""
SIGNAL_DAYS = 3
"""Synthetic days kept ahead: today, tomorrow, and the day that tomorrow's horizon reaches into."""
PATIENCE_S = 2.0
"""Wall seconds until the next try while there is no database or no station."""
POLICY = Policy()

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Decision:
    """All that one cycle found out, before anything is written."""

    problem: Problem
    plan: Plan
    refused: tuple[Violation, ...]
    orders: tuple[Command, ...]
    solve_s: float
    """Wall seconds from problem to lawful plan."""


async def run_cycles(
    pool: Pool,
    clock: Clock,
    *,
    area: str,
    cycle_s: float,
    solve_limit_s: float,
    new_id: Callable[[str], str],
    stop: asyncio.Event,
    policy: Policy = POLICY,
) -> None:
    """Plan at once and then every `cycle_s` fleet seconds until `stop`. One cycle that fails is logged; the next goes on."""
    while not stop.is_set():
        due = clock.now() + timedelta(seconds=cycle_s)
        again_soon = False
        try:
            async with pool.acquire() as connection:
                plan_id = await run_cycle(connection, clock, area=area, solve_limit_s=solve_limit_s, new_id=new_id, policy=policy)
            again_soon = plan_id is None
        except DATABASE_AWAY as error:
            log.warning("plan.database_away", error=str(error))
            again_soon = True
        except Exception:
            # Planning never dies of one fleet state; stations go on with the schedule they have.
            log.exception("plan.failed")
        wait_s = max(0.0, clock.wall_seconds((due - clock.now()).total_seconds()))
        try:
            await asyncio.wait_for(stop.wait(), min(wait_s, PATIENCE_S) if again_soon else wait_s)
        except TimeoutError:
            continue


async def run_cycle(
    connection: Connection,
    clock: Clock,
    *,
    area: str,
    solve_limit_s: float,
    new_id: Callable[[str], str],
    policy: Policy = POLICY,
) -> str | None:
    """Make one plan, store it with its commands in one transaction and return its id; None when there is no station.

    Raises
    ------
    UnlawfulPlanError, ProblemError
        When no lawful plan can be made; nothing is then stored or sent.
    """
    now = clock.now()
    fleet = await load_fleet(connection, now, HISTORY_S)
    if not fleet.stations:
        log.info("plan.skipped", reason="no station in service has been born yet")
        return None
    await add_missing(connection, synthetic_signals(area, now, SIGNAL_DAYS, now))
    grid = StepGrid(now)
    signals = await known_signals(connection, area, DECISION_SERIES, grid.start_at - HISTORY, grid.end_at, now)
    supply = forecast_supply(signals, area, grid)
    sites = forecast_sites(signals, [station.station_id for station in fleet.stations], grid)
    demand = forecast_demand(fleet.stations, grid, policy.lead_h * 3600.0)
    outlook = Outlook(
        handed_out=demand.mean,
        lead_deviation=demand.lead_deviation,
        price_jpy_per_kwh=supply.price_jpy_per_kwh,
        renewable_w=supply.renewable_w,
        own_pv_w=sites.own_pv_w,
        site_limit_w=sites.limit_w,
        fleet_limit_w=supply.limit_w,
        price_source=supply.price_source,
    )
    decision = await asyncio.to_thread(_decide, fleet, grid, outlook, policy, solve_limit_s, new_id)
    record = _record(new_id("pln"), now, decision, supply)
    async with connection.transaction():
        await add_plan(connection, record)
        await enqueue(connection, decision.orders)
    if decision.refused:
        log.error("plan.solver_refused", plan_id=record.plan_id, violations=[v._asdict() for v in decision.refused])
    log.info(
        "plan.made",
        plan_id=record.plan_id,
        engine=record.engine,
        stations=len(record.stations),
        objective_jpy=round(record.objective_jpy, 3),
        gap=record.gap,
        shortfall_wh=round(record.shortfall_wh, 1),
        solve_s=round(record.solve_s, 3),
        commands=len(decision.orders),
        price_source=record.price_source,
        supply_source=record.supply_source,
    )
    return record.plan_id


def _decide(
    fleet: FleetNow,
    grid: StepGrid,
    outlook: Outlook,
    policy: Policy,
    limit_s: float,
    new_id: Callable[[str], str],
) -> Decision:
    """Run in a thread of its own: everything here computes and touches nothing."""
    problem, jobs = build(fleet, grid, outlook, policy)
    began = time.perf_counter()
    plan, refused = decide(problem, limit_s=limit_s)
    solve_s = time.perf_counter() - began
    orders = []
    for row, station in enumerate(fleet.stations):
        order = _order(station, jobs[row], problem, plan, row, grid, policy, new_id)
        if order is not None:
            orders.append(order)
    return Decision(problem, plan, refused, tuple(orders), solve_s)


def _order(
    station: StationNow,
    jobs: StationJobs,
    problem: Problem,
    plan: Plan,
    row: int,
    grid: StepGrid,
    policy: Policy,
    new_id: Callable[[str], str],
) -> Command | None:
    """Return the command for one station; None when it is away or already does what the plan wants."""
    if not station.connected:
        return None
    powers = disaggregate(jobs, plan.energy_wh[row], problem.step_h, station.charger_efficiency)
    schedule = make_schedule(station, jobs, powers, plan.energy_wh[row], grid, policy, new_id("sch"))
    sent = station.sent
    if (
        sent is not None
        and sent.stands
        and grid.now - sent.issued_at < timedelta(seconds=RESEND_S)
        and not differs(sent.schedule, schedule, grid.now)
    ):
        return None
    return Command(
        command_id=new_id("cmd"),
        station_id=station.station_id,
        order=schedule,
        issued_at=grid.now,
        valid_until=grid.now + timedelta(seconds=COMMAND_VALID_S),
    )


def _record(plan_id: str, now: datetime, decision: Decision, supply: SupplyForecast) -> PlanRecord:
    problem, plan = decision.problem, decision.plan
    return PlanRecord(
        plan_id=plan_id,
        made_at=now,
        start_at=problem.start_at,
        step_s=problem.step_s,
        step_count=problem.step_count,
        engine=plan.engine,
        coupled_by=plan.coupled_by,
        objective_jpy=plan.objective_jpy,
        bound_jpy=plan.bound_jpy,
        gap=plan.gap,
        shortfall_wh=float(plan.shortfall_wh.sum()),
        truncated=plan.truncated,
        solve_s=decision.solve_s,
        price_source=problem.price_source,
        supply_source=supply.supply_source,
        fleet_ac_w=tuple((plan.energy_wh.sum(axis=0) / problem.step_h).tolist()),
        price_jpy_per_kwh=tuple(supply.price_jpy_per_kwh.tolist()),
        renewable_w=tuple((problem.green_wh / problem.step_h).tolist()),
        stations=tuple(
            PlanOfStation(station_id, tuple(plan.energy_wh[row].tolist()), float(plan.shortfall_wh[row]), plan.reasons[row])
            for row, station_id in enumerate(problem.station_ids)
        ),
    )
