"""Plans so small that the best one can be seen: steps as columns, checked by hand."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from service.planning.check import check
from service.planning.files import load_problem
from service.planning.greedy import greedy
from service.planning.plan import Plan
from service.planning.planner import UnlawfulPlanError, decide
from service.planning.problem import Problem, ProblemError
from service.planning.solve import Unsolved, solve

START = datetime(2026, 4, 6, 0, 0, tzinfo=UTC)


def problem(
    need: list[list[float]],
    reach: list[list[float]],
    *,
    limit: float = 1000.0,
    connection: float = 1000.0,
    pv: list[list[float]] | None = None,
    green: list[float] | None = None,
    green_price: float = 0.0,
    price: list[float],
    holding: float = 0.0,
) -> Problem:
    shape = (len(need), len(price))
    return Problem(
        start_at=START,
        step_s=900,
        first_share=1.0,
        station_ids=tuple(f"st-{row}" for row in range(len(need))),
        need_wh=np.array(need),
        reach_wh=np.array(reach),
        step_limit_wh=np.full(shape, limit),
        connection_wh=np.full(shape, connection),
        own_pv_wh=np.zeros(shape) if pv is None else np.array(pv),
        shortfall_wh=np.zeros(len(need)),
        green_wh=np.zeros(len(price)) if green is None else np.array(green),
        green_jpy_per_kwh=np.minimum(green_price, np.array(price)),
        brown_jpy_per_kwh=np.array(price),
        holding_jpy_per_kwh_step=holding,
        price_source="test",
    )


def solved(of: Problem) -> Plan:
    plan = solve(of, limit_s=10)
    assert isinstance(plan, Plan)
    assert check(of, plan) == ()
    return plan


def test_energy_goes_into_the_cheapest_step_before_it_is_due() -> None:
    #                        due:  0    0   900  900
    of = problem([[0, 0, 900, 900]], [[1000, 2000, 2000, 2000]], price=[10, 8, 9, 1])
    plan = solved(of)
    np.testing.assert_allclose(plan.energy_wh, [[0, 900, 0, 0]], atol=1e-6)
    assert plan.objective_jpy == pytest.approx(7.2)
    assert plan.bound_jpy == pytest.approx(7.2)
    assert plan.gap == pytest.approx(0, abs=1e-12)
    assert plan.coupled_by == ()
    assert "by 00:45 UTC" in plan.reasons[0]


def test_a_narrow_connection_spreads_energy_over_the_next_cheapest_steps() -> None:
    of = problem([[0, 0, 0, 900]], [[1000, 2000, 3000, 4000]], connection=400, price=[10, 8, 9, 1])
    plan = solved(of)
    np.testing.assert_allclose(plan.energy_wh, [[0, 400, 100, 400]], atol=1e-6)
    assert plan.objective_jpy == pytest.approx(0.4 * 8 + 0.1 * 9 + 0.4 * 1)
    assert "connection binds in 2 of 3" in plan.reasons[0]


def test_packs_that_are_not_there_yet_cannot_be_charged_early() -> None:
    of = problem([[0, 0, 600]], [[100, 300, 900]], price=[1, 2, 3])
    np.testing.assert_allclose(solved(of).energy_wh, [[100, 200, 300]], atol=1e-6)


def test_two_stations_share_a_held_volume_and_the_one_that_can_wait_waits() -> None:
    # st-0 must charge in step 0; st-1 may use step 1, where nothing is held but the price is lower than beyond in step 0.
    of = problem(
        [[100, 100], [0, 100]],
        [[100, 100], [100, 100]],
        green=[100, 0],
        green_price=1,
        price=[20, 5],
    )
    plan = solved(of)
    np.testing.assert_allclose(plan.energy_wh, [[100, 0], [0, 100]], atol=1e-6)
    assert plan.objective_jpy == pytest.approx(0.1 * 1 + 0.1 * 5)
    assert plan.coupled_by == ("contracted_volume",)


def test_own_sun_is_used_before_any_bought_energy() -> None:
    of = problem([[0, 500]], [[600, 600]], pv=[[300, 0]], price=[1, 1])
    plan = solved(of)
    np.testing.assert_allclose(plan.own_pv_wh, [[300, 0]], atol=1e-6)
    assert plan.objective_jpy == pytest.approx(0.2)


def test_among_equal_prices_readiness_chooses_the_earlier_step() -> None:
    of = problem([[0, 0, 100]], [[500, 500, 500]], price=[5, 5, 5], holding=-0.001)
    np.testing.assert_allclose(solved(of).energy_wh, [[100, 0, 0]], atol=1e-6)
    np.testing.assert_allclose(greedy(of).energy_wh, [[100, 0, 0]], atol=1e-6)


def test_greedy_finds_the_optimum_of_one_station() -> None:
    of = problem([[0, 50, 900, 900]], [[10, 500, 2000, 2000]], limit=450, price=[1, 8, 9, 1])
    assert greedy(of).objective_jpy == pytest.approx(solved(of).objective_jpy)
    assert check(of, greedy(of)) == ()


def test_a_solver_that_is_cut_off_is_replaced_by_greedy_and_the_plan_says_so() -> None:
    of = problem([[0, 0, 900, 900]], [[1000, 2000, 2000, 2000]], price=[10, 8, 9, 1])
    plan, wrong = decide(of, limit_s=0.0)
    assert wrong == ()
    assert plan.engine == "greedy"
    assert plan.truncated
    assert plan.bound_jpy is None
    assert plan.gap is None
    np.testing.assert_allclose(plan.energy_wh, [[0, 900, 0, 0]], atol=1e-6)


def test_an_unlawful_plan_of_the_solver_is_refused_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    of = problem([[0, 0, 900, 900]], [[1000, 2000, 2000, 2000]], price=[10, 8, 9, 1])
    wrong = replace(solved(of), energy_wh=np.zeros((1, 4)), grid_wh=np.zeros((1, 4)))
    monkeypatch.setattr("service.planning.planner.solve", lambda problem, limit_s: wrong)
    plan, violations = decide(of, limit_s=10)
    assert plan.engine == "greedy"
    assert not plan.truncated
    assert "BelowNeed" in {violation.name for violation in violations}


def test_what_glop_gives_up_at_first_is_solved_another_way() -> None:
    # Two stations of a running fleet: with its preprocessing GLOP ends this one as "abnormal".
    of = load_problem(Path(__file__).parent / "hard_for_glop.npz")
    plan, wrong = decide(of, limit_s=30)
    assert (plan.engine, wrong) == ("glop", ())
    assert plan.gap is not None
    assert plan.gap < 1e-9


def test_a_solver_that_fails_is_named_and_is_no_matter_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    of = problem([[0, 0, 900, 900]], [[1000, 2000, 2000, 2000]], price=[10, 8, 9, 1])
    monkeypatch.setattr("service.planning.planner.solve", lambda problem, limit_s: Unsolved("abnormal", cut_off=False))
    plan, violations = decide(of, limit_s=10)
    assert (plan.engine, plan.truncated) == ("greedy", False)
    assert [violation.name for violation in violations] == ["Solver: abnormal"]


def test_when_even_greedy_is_unlawful_nothing_is_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    of = problem([[0, 0, 900, 900]], [[1000, 2000, 2000, 2000]], price=[10, 8, 9, 1])
    wrong = replace(solved(of), objective_jpy=1.0)
    monkeypatch.setattr("service.planning.planner.solve", lambda problem, limit_s: Unsolved("cut off", cut_off=True))
    monkeypatch.setattr("service.planning.planner.greedy", lambda problem, truncated: wrong)
    with pytest.raises(UnlawfulPlanError, match="Objective"):
        decide(of, limit_s=10)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"need_wh": np.array([[0.0, 500.0, 100.0, 900.0]])}, "Order"),
        ({"reach_wh": np.array([[0.0, 0.0, 0.0, 0.0]])}, "Order"),
        ({"reach_wh": np.zeros((1, 3))}, "Shape"),
        ({"green_wh": np.array([0.0, np.nan, 0.0, 0.0])}, "NotFinite"),
        ({"connection_wh": np.full((1, 4), -1.0)}, "Negative"),
        ({"green_jpy_per_kwh": np.full(4, 100.0)}, "Order"),
        ({"first_share": 0.0}, "Steps"),
        ({"start_at": START.replace(minute=7)}, "Steps"),
        ({"start_at": START.replace(tzinfo=None)}, "Steps"),
        ({"station_ids": ()}, "Shape"),
        ({"holding_jpy_per_kwh_step": float("inf")}, "NotFinite"),
    ],
)
def test_a_problem_that_means_nothing_is_refused_by_name(change: dict[str, object], name: str) -> None:
    of = problem([[0, 0, 900, 900]], [[1000, 2000, 2000, 2000]], price=[10, 8, 9, 1])
    with pytest.raises(ProblemError) as refused:
        replace(of, **change)  # type: ignore[arg-type]
    assert refused.value.name == name


def test_a_problem_cannot_be_changed_after_it_was_made() -> None:
    of = problem([[0, 900]], [[1000, 1000]], price=[10, 8])
    with pytest.raises(ValueError, match="read-only"):
        of.need_wh[0, 0] = 1.0
