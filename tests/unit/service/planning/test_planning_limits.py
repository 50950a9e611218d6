"""Grid limits and own generation, from outlook to plan: limits bind, shortfall is named, own sun comes first."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from service.domain.fleet import Claim, FleetNow
from service.domain.plan import StepGrid
from service.planning.build import Outlook, build
from service.planning.examples import MODEL, NOW, example_fleet
from service.planning.plan import Plan
from service.planning.planner import decide
from service.planning.policies import Policy
from service.planning.problem import FloatArray, Problem

CAREFREE = Policy(end_stock_share=0.0, safety_z=0.0, green_share=0.0)
GRID = StepGrid(NOW)
STEPS = 96


def outlook(stations: int, *, price: FloatArray | None = None, **more: FloatArray | None) -> Outlook:
    return Outlook(
        handed_out=np.zeros((stations, STEPS)),
        lead_deviation=np.zeros((stations, STEPS)),
        price_jpy_per_kwh=np.full(STEPS, 20.0) if price is None else price,
        renewable_w=np.zeros(STEPS),
        price_source="test",
        **more,
    )


def fleet_of(stations: int, *, claim_in_h: float = 4.0, import_w: float = 6000.0) -> FleetNow:
    """Return stations with packs at 20 % of which two are reserved."""
    fleet = example_fleet(stations, seed=1)
    at = NOW + timedelta(hours=claim_in_h)
    changed = []
    for number, station in enumerate(fleet.stations):
        packs = tuple(replace(pack, soc=0.2, soh=1.0) for pack in station.packs)
        claim = Claim(f"rsv_{number}", MODEL.pack_model_id, 2, at, at + timedelta(hours=1))
        changed.append(replace(station, packs=packs, claims=(claim,), max_import_ac_w=import_w))
    return replace(fleet, stations=tuple(changed))


def planned(fleet: FleetNow, expected: Outlook) -> tuple[Problem, Plan]:
    problem, _ = build(fleet, GRID, expected, CAREFREE)
    plan, refused = decide(problem, limit_s=10)
    assert refused == ()
    return problem, plan


def needed_wh(fleet: FleetNow) -> float:
    return 2 * 0.8 * 1300 / fleet.stations[0].charger_efficiency


def test_without_limits_the_connection_is_the_stations_own() -> None:
    fleet = fleet_of(2)
    none = outlook(
        2, site_limit_w=np.full((2, STEPS), np.inf), fleet_limit_w=np.full(STEPS, np.inf), own_pv_w=np.zeros((2, STEPS))
    )
    plain, _ = build(fleet, GRID, outlook(2), CAREFREE)
    unlimited, _ = build(fleet, GRID, none, CAREFREE)
    np.testing.assert_array_equal(plain.connection_wh, unlimited.connection_wh)
    np.testing.assert_array_equal(plain.need_wh, unlimited.need_wh)
    np.testing.assert_allclose(plain.connection_wh, np.broadcast_to(6000 * plain.step_h, (2, STEPS)))


def test_a_site_limit_lowers_the_connection_of_its_station_only_and_the_plan_keeps_to_it() -> None:
    fleet = fleet_of(2)
    limit = np.full((2, STEPS), np.inf)
    limit[0, :20] = 700.0
    problem, plan = planned(fleet, outlook(2, site_limit_w=limit, price=np.linspace(10, 20, STEPS)))
    np.testing.assert_allclose(problem.connection_wh[0, :20], 700 * problem.step_h[:20])
    np.testing.assert_allclose(problem.connection_wh[0, 20:], 6000 * problem.step_h[20:])
    np.testing.assert_allclose(problem.connection_wh[1], 6000 * problem.step_h)
    assert (plan.energy_wh[0, :20] <= 700 * problem.step_h[:20] + 1e-6).all()
    assert plan.energy_wh[0].sum() == pytest.approx(needed_wh(fleet), rel=1e-6)
    assert plan.shortfall_wh.tolist() == [0, 0]
    assert plan.reasons[0].startswith("The grid connection binds in")


def test_a_limit_above_the_connection_changes_nothing() -> None:
    problem, _ = build(fleet_of(1), GRID, outlook(1, site_limit_w=np.full((1, STEPS), 9000.0)), CAREFREE)
    np.testing.assert_allclose(problem.connection_wh[0], 6000 * problem.step_h)


def test_a_fleet_limit_is_shared_out_and_never_passed() -> None:
    fleet = fleet_of(3)
    limit = np.full(STEPS, np.inf)
    limit[2:10] = 1800.0
    limit[10] = 0.0
    problem, plan = planned(fleet, outlook(3, fleet_limit_w=limit, price=np.linspace(10, 20, STEPS)))
    np.testing.assert_allclose(problem.connection_wh[:, 2:10].sum(axis=0), 1800 * problem.step_h[2:10])
    usable = np.minimum(problem.step_limit_wh[:, 2], 6000 * problem.step_h[2])
    np.testing.assert_allclose(problem.connection_wh[:, 2], 1800 * problem.step_h[2] * usable / usable.sum())
    assert problem.connection_wh[:, 10].max() == plan.energy_wh[:, 10].max() == 0
    np.testing.assert_allclose(problem.connection_wh[:, 11:], np.broadcast_to(6000 * problem.step_h[11:], (3, STEPS - 11)))
    assert (plan.energy_wh.sum(axis=0)[2:10] <= 1800 * problem.step_h[2:10] + 1e-6).all()


def test_a_fleet_limit_is_shared_out_among_those_that_their_own_limit_leaves_something() -> None:
    sites = np.full((2, STEPS), np.inf)
    sites[0] = 0.0
    problem, _ = build(fleet_of(2), GRID, outlook(2, site_limit_w=sites, fleet_limit_w=np.full(STEPS, 1000.0)), CAREFREE)
    assert problem.connection_wh[0].max() == 0
    np.testing.assert_allclose(problem.connection_wh[1], 1000 * problem.step_h)


def test_a_station_without_packs_takes_nothing_from_the_others_and_what_fits_is_not_cut() -> None:
    fleet = fleet_of(2)
    fleet = replace(fleet, stations=(replace(fleet.stations[0], packs=()), fleet.stations[1]))
    problem, _ = build(fleet, GRID, outlook(2, fleet_limit_w=np.full(STEPS, 1000.0)), CAREFREE)
    assert problem.connection_wh[0].max() == 0
    np.testing.assert_allclose(problem.connection_wh[1], 1000 * problem.step_h)
    most_w = float((problem.step_limit_wh[1] / problem.step_h).max())
    wide, _ = build(fleet, GRID, outlook(2, fleet_limit_w=np.full(STEPS, most_w)), CAREFREE)
    np.testing.assert_allclose(wide.connection_wh, np.broadcast_to(6000 * wide.step_h, (2, STEPS)))


@pytest.mark.parametrize("whose", ["site", "fleet"])
def test_what_a_limit_makes_unreachable_is_named_as_shortfall_and_everything_possible_is_done(whose: str) -> None:
    fleet = fleet_of(1, claim_in_h=2.0)
    unlimited, _ = planned(fleet, outlook(1))
    assert unlimited.shortfall_wh[0] == 0
    low = (
        outlook(1, site_limit_w=np.full((1, STEPS), 300.0))
        if whose == "site"
        else outlook(1, fleet_limit_w=np.full(STEPS, 300.0))
    )
    problem, plan = planned(fleet, low)
    reserved = GRID.step_of(NOW + timedelta(hours=2))
    possible = 300 * problem.step_h[:reserved].sum()
    assert plan.energy_wh[0, :reserved].sum() == pytest.approx(possible, rel=1e-6)
    assert 0 < plan.shortfall_wh[0] <= needed_wh(fleet) - possible + 1e-6
    assert "cannot be in them in time" in plan.reasons[0]


def test_a_limit_of_nothing_at_all_makes_a_plan_that_charges_nothing() -> None:
    _, plan = planned(fleet_of(2), outlook(2, fleet_limit_w=np.zeros(STEPS)))
    assert plan.energy_wh.sum() == 0
    assert (plan.shortfall_wh > 0).all()


def test_own_sun_is_used_before_the_grid_even_before_the_cheapest_hour() -> None:
    fleet = fleet_of(1, claim_in_h=12.0)
    price = np.full(STEPS, 20.0)
    price[:12] = 1.0
    own = np.zeros((1, STEPS))
    own[0, 24:32] = 800.0
    problem, plan = planned(fleet, outlook(1, own_pv_w=own, price=price))
    np.testing.assert_allclose(problem.own_pv_wh[0, 24:32], 800 * problem.step_h[24:32])
    np.testing.assert_allclose(plan.energy_wh[0, 24:32], 800 * problem.step_h[24:32], rtol=1e-6)
    from_grid_wh = plan.energy_wh[0].sum() - plan.energy_wh[0, 24:32].sum()
    assert plan.energy_wh[0, :12].sum() == pytest.approx(from_grid_wh, rel=1e-6)
    _, without = planned(fleet, outlook(1, price=price))
    assert plan.objective_jpy < without.objective_jpy


def test_own_sun_comes_on_top_of_what_the_grid_lets_in() -> None:
    fleet = fleet_of(1, claim_in_h=2.0)
    limit, own = np.full((1, STEPS), 300.0), np.full((1, STEPS), 900.0)
    short, _ = build(fleet, GRID, outlook(1, site_limit_w=limit), CAREFREE)
    enough, plan = planned(fleet, outlook(1, site_limit_w=limit, own_pv_w=own))
    assert short.shortfall_wh[0] > 0
    assert enough.shortfall_wh[0] == plan.shortfall_wh[0] == 0
    assert (plan.energy_wh[0] <= 1200 * enough.step_h + 1e-6).all()
