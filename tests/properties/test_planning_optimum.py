"""The linear program against another one, written in another form for another solver; greedy and check beside them."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from service.domain.plan import StepGrid
from service.planning.build import build
from service.planning.check import check
from service.planning.envelopes import project
from service.planning.examples import example_fleet, example_outlook
from service.planning.greedy import greedy
from service.planning.plan import Plan
from service.planning.policies import Policy
from service.planning.problem import Problem
from service.planning.solve import solve


def independent_optimum(problem: Problem) -> float:
    """Minimise over (pv, grid, beyond) with cumulative sums as inequalities: no energy columns, no green columns."""
    stations, steps = problem.station_count, problem.step_count
    cells = stations * steps
    hold = problem.holding_jpy_per_kwh_step * np.arange(steps, 0, -1)
    cost = np.concatenate([np.tile(hold, stations), np.tile(problem.green_jpy_per_kwh + hold, stations)])
    cost = np.concatenate([cost, problem.brown_jpy_per_kwh - problem.green_jpy_per_kwh])
    sums = np.kron(np.eye(stations), np.tril(np.ones((steps, steps))))
    none = np.zeros((cells, steps))
    both = np.hstack([np.eye(cells), np.eye(cells), none])
    fleet = np.hstack([np.zeros((steps, cells)), np.tile(np.eye(steps), stations), -np.eye(steps)])
    answer = linprog(
        cost,
        A_ub=np.vstack([np.hstack([sums, sums, none]), -np.hstack([sums, sums, none]), both, fleet]),
        b_ub=np.concatenate(
            [problem.reach_wh.ravel(), -problem.need_wh.ravel(), problem.step_limit_wh.ravel(), problem.green_wh]
        ),
        bounds=[
            *((0, top) for top in problem.own_pv_wh.ravel()),
            *((0, top) for top in problem.connection_wh.ravel()),
            *((0, None) for _ in range(steps)),
        ],
        method="highs",
    )
    assert answer.status == 0, answer.message
    assert answer.fun is not None
    return float(answer.fun) / 1000.0


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    """Small problems with every feature: sun of its own, held volume, narrow connections, holding prices of both signs."""
    stations, steps = draw(st.integers(1, 4)), draw(st.integers(1, 8))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (stations, steps)
    limit = random.uniform(0, 500, shape)
    connection = random.uniform(0, 500, shape)
    pv = random.uniform(0, 200, shape) * (random.random(shape) < 0.3)
    reach = np.cumsum(random.uniform(0, 400, shape), axis=1)
    raw = np.cumsum(random.uniform(0, 300, shape) * (random.random(shape) < 0.5), axis=1)
    need, short = project(raw, reach, np.minimum(limit, connection + pv))
    price = random.choice([0.01, 5.0, 5.0, 8.0, 12.5, 20.0], steps)
    return Problem(
        start_at=datetime(2026, 4, 6, tzinfo=UTC),
        step_s=900,
        first_share=draw(st.floats(0.01, 1.0)),
        station_ids=tuple(f"st-{row}" for row in range(stations)),
        need_wh=need,
        reach_wh=reach,
        step_limit_wh=limit,
        connection_wh=connection,
        own_pv_wh=pv,
        shortfall_wh=short,
        green_wh=random.uniform(0, 600, steps) * (random.random(steps) < 0.5),
        green_jpy_per_kwh=np.minimum(draw(st.sampled_from([0.0, 4.0, 8.0])), price),
        brown_jpy_per_kwh=price,
        holding_jpy_per_kwh_step=draw(st.sampled_from([0.0, -0.0005, 0.01, -2.0])),
        price_source="test",
    )


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(problems())
def test_the_plan_costs_what_an_independent_program_finds_and_its_bound_proves_it(problem: Problem) -> None:
    plan = solve(problem, limit_s=20)
    assert isinstance(plan, Plan)
    assert check(problem, plan) == ()
    assert plan.objective_jpy == pytest.approx(independent_optimum(problem), rel=1e-6, abs=1e-6)
    assert plan.bound_jpy == pytest.approx(plan.objective_jpy, rel=1e-6, abs=1e-6)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(problems())
def test_greedy_is_always_lawful_and_never_below_the_bound(problem: Problem) -> None:
    plan = greedy(problem)
    assert check(problem, plan) == ()
    best = solve(problem, limit_s=20)
    assert isinstance(best, Plan)
    assert best.bound_jpy is not None
    assert plan.objective_jpy >= best.bound_jpy - 1e-6


@pytest.mark.parametrize("seed", [1, 2])
def test_a_whole_fleet_over_a_day_costs_what_an_independent_program_finds(seed: int) -> None:
    fleet = example_fleet(3, seed)
    grid = StepGrid(fleet.at)
    problem, _ = build(fleet, grid, example_outlook(fleet, grid, seed), Policy())
    plan = solve(problem, limit_s=60)
    assert isinstance(plan, Plan)
    assert plan.coupled_by == ("contracted_volume",)
    assert plan.objective_jpy == pytest.approx(independent_optimum(problem), rel=1e-6)


def test_the_same_problem_gives_the_same_bytes() -> None:
    fleet = example_fleet(8, seed=4)
    grid = StepGrid(fleet.at)
    first, second = (solve(build(fleet, grid, example_outlook(fleet, grid, 4), Policy())[0], limit_s=60) for _ in range(2))
    assert isinstance(first, Plan)
    assert isinstance(second, Plan)
    assert first.energy_wh.tobytes() == second.energy_wh.tobytes()
    assert (first.objective_jpy, first.bound_jpy) == (second.objective_jpy, second.bound_jpy)
