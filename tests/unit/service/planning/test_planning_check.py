"""Every rule of `check` is broken once on purpose; the plans of both engines break none."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from service.domain.plan import StepGrid
from service.planning.build import build
from service.planning.check import check
from service.planning.examples import example_fleet, example_outlook
from service.planning.greedy import greedy
from service.planning.plan import Plan
from service.planning.policies import Policy
from service.planning.problem import Problem
from service.planning.solve import solve


@pytest.fixture(scope="module")
def case() -> tuple[Problem, Plan]:
    fleet = example_fleet(5, seed=3)
    grid = StepGrid(fleet.at)
    problem, _ = build(fleet, grid, example_outlook(fleet, grid, seed=3), Policy())
    sun = np.tile(problem.green_wh / 10, (5, 1))
    problem = replace(problem, own_pv_wh=sun)
    plan = solve(problem, limit_s=30)
    assert isinstance(plan, Plan)
    return problem, plan


def changed(array: Any, row: int, step: int, by: float) -> Any:
    copy = np.array(array)
    copy[row, step] += by
    return copy


def moved_up(plan: Plan, by: float, step: int) -> dict[str, Any]:
    """Draw more in a step, told consistently everywhere but in the objective."""
    brown = np.array(plan.brown_wh)
    brown[step] += by
    return {
        "energy_wh": changed(plan.energy_wh, 0, step, by),
        "grid_wh": changed(plan.grid_wh, 0, step, by),
        "brown_wh": brown,
    }


PLANTED: dict[str, Callable[[Problem, Plan], dict[str, Any]]] = {
    "Shape": lambda problem, plan: {"energy_wh": plan.energy_wh[:, :-1]},
    "NotFinite": lambda problem, plan: {"grid_wh": changed(plan.grid_wh, 0, 0, np.nan)},
    "Negative": lambda problem, plan: {"grid_wh": changed(plan.grid_wh, 1, 2, -1e5)},
    "BelowNeed": lambda problem, plan: {"energy_wh": np.zeros_like(plan.energy_wh), "grid_wh": np.zeros_like(plan.grid_wh)},
    "AboveReach": lambda problem, plan: moved_up(plan, 1e6, 3),
    "AboveChargers": lambda problem, plan: moved_up(plan, float(problem.step_limit_wh[0, 3]) + 1.0, 3),
    "AboveConnection": lambda problem, plan: moved_up(plan, float(problem.connection_wh[0, 3]) + 1.0, 3),
    "AbovePv": lambda problem, plan: {"own_pv_wh": changed(plan.own_pv_wh, 2, 40, 1e4)},
    "Balance": lambda problem, plan: {"energy_wh": changed(plan.energy_wh, 0, 5, 1.0)},
    "FleetBalance": lambda problem, plan: {"brown_wh": plan.brown_wh + 5.0},
    "AboveVolume": lambda problem, plan: {"green_wh": plan.green_wh + problem.green_wh + 1.0},
    "Shortfall": lambda problem, plan: {"shortfall_wh": plan.shortfall_wh + 1.0},
    "Objective": lambda problem, plan: {"objective_jpy": plan.objective_jpy * 1.001},
    "Bound": lambda problem, plan: {"bound_jpy": plan.objective_jpy * 1.1},
    "Gap": lambda problem, plan: {"gap": 0.5},
    "Coupling": lambda problem, plan: {"coupled_by": ("shared_feeder",)},
    "Reasons": lambda problem, plan: {"reasons": plan.reasons[1:]},
}


@pytest.mark.parametrize("name", sorted(PLANTED))
def test_a_planted_violation_is_found_by_its_name(name: str, case: tuple[Problem, Plan]) -> None:
    problem, plan = case
    broken = replace(plan, **PLANTED[name](problem, plan))
    assert name in {violation.name for violation in check(problem, broken)}


def test_a_violation_says_where_it_is(case: tuple[Problem, Plan]) -> None:
    problem, plan = case
    found = [each for each in check(problem, replace(plan, **moved_up(plan, 1e6, 7))) if each.name == "AboveConnection"]
    assert [(each.station_id, each.step) for each in found] == [(problem.station_ids[0], 7)]
    assert found[0].excess == pytest.approx(1e6, rel=0.01)


def test_the_plans_of_both_engines_are_lawful_and_greedy_is_not_better_than_the_bound(case: tuple[Problem, Plan]) -> None:
    problem, plan = case
    assert check(problem, plan) == ()
    quick = greedy(problem)
    assert check(problem, quick) == ()
    assert plan.bound_jpy is not None
    assert quick.objective_jpy >= plan.bound_jpy - 1e-6
    assert plan.own_pv_wh.sum() > 0


def test_a_gap_that_is_not_a_number_is_found(case: tuple[Problem, Plan]) -> None:
    problem, plan = case
    assert "NotFinite" in {violation.name for violation in check(problem, replace(plan, gap=float("nan")))}
