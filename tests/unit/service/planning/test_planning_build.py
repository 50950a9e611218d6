"""From a fleet to a problem: what reservations, shortage and an empty fleet do to it."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from service.domain.fleet import Claim, FleetNow, StationNow
from service.domain.plan import StepGrid
from service.planning.build import Outlook, build, claims_out
from service.planning.examples import MODEL, NOW, example_fleet
from service.planning.planner import decide
from service.planning.policies import Policy

CAREFREE = Policy(end_stock_share=0.0, safety_z=0.0, green_share=0.0)


def quiet(stations: int, *, demand: float = 0.0) -> Outlook:
    return Outlook(
        handed_out=np.full((stations, 96), demand),
        lead_deviation=np.zeros((stations, 96)),
        price_jpy_per_kwh=np.concatenate([np.full(48, 20.0), np.full(48, 5.0)]),
        renewable_w=np.zeros(96),
        price_source="test",
    )


def lone_station(soc: float, **changes: object) -> FleetNow:
    fleet = example_fleet(1, seed=1)
    station = fleet.stations[0]
    packs = tuple(replace(pack, soc=soc, soh=1.0) for pack in station.packs)
    station = replace(station, packs=packs, claims=(), max_import_ac_w=6000.0, **changes)  # type: ignore[arg-type]
    return replace(fleet, stations=(station,))


def claimed(station: StationNow, count: int, in_h: float) -> StationNow:
    at = NOW + timedelta(hours=in_h)
    return replace(station, claims=(Claim("rsv_1", MODEL.pack_model_id, count, at, at + timedelta(hours=1)),))


def test_without_demand_nothing_is_charged() -> None:
    fleet = lone_station(0.2)
    problem, _ = build(fleet, StepGrid(NOW), quiet(1), CAREFREE)
    plan, _ = decide(problem, limit_s=10)
    assert plan.energy_wh.sum() == 0
    assert plan.objective_jpy == 0
    assert plan.gap == pytest.approx(0, abs=1e-9)
    assert plan.reasons == ("Nothing binds: enough packs are full for the whole horizon.",)


def test_a_reservation_is_a_deadline_that_price_cannot_move() -> None:
    fleet = lone_station(0.2)
    fleet = replace(fleet, stations=(claimed(fleet.stations[0], 2, in_h=6.0),))
    problem, _ = build(fleet, StepGrid(NOW), quiet(1), CAREFREE)
    plan, _ = decide(problem, limit_s=10)
    # Two packs full before the step of arrival begins, long before power is cheap; the others stay as they are.
    by_then = plan.energy_wh[0, : StepGrid(NOW).step_of(NOW + timedelta(hours=6))].sum()
    assert by_then == pytest.approx(2 * 0.8 * 1300 / fleet.stations[0].charger_efficiency, rel=1e-6)
    assert plan.energy_wh.sum() == pytest.approx(by_then)
    assert plan.shortfall_wh[0] == 0
    assert plan.reasons[0].startswith("A deadline binds: packs are due by 09:00 UTC")


def test_a_reservation_is_one_of_the_expected_riders_not_one_more() -> None:
    fleet = lone_station(0.2)
    expecting = quiet(1, demand=0.1)
    plain, _ = build(fleet, StepGrid(NOW), expecting, CAREFREE)
    late = replace(fleet, stations=(claimed(fleet.stations[0], 1, in_h=20.0),))
    with_claim, _ = build(late, StepGrid(NOW), expecting, CAREFREE)
    np.testing.assert_allclose(plain.need_wh, with_claim.need_wh)


def test_an_impossible_promise_is_a_shortfall_and_everything_possible_is_done() -> None:
    fleet = lone_station(0.2)
    fleet = replace(fleet, stations=(claimed(fleet.stations[0], 3, in_h=0.5),))
    problem, _ = build(fleet, StepGrid(NOW), quiet(1), CAREFREE)
    plan, _ = decide(problem, limit_s=10)
    assert plan.shortfall_wh[0] > 0
    assert "cannot be in them in time" in plan.reasons[0]
    np.testing.assert_allclose(plan.energy_wh[0, :2].sum(), problem.need_wh[0, 1], rtol=1e-9)


def test_a_claim_is_due_before_its_rider_comes_now_when_he_is_late_and_never_beyond_the_horizon() -> None:
    station = lone_station(0.5).stations[0]
    grid = StepGrid(NOW)

    def out(count: int, in_h: float, *, ready: bool, model: str = MODEL.pack_model_id) -> list[float]:
        return [float(packs) for packs in claims_out(claimed(station, count, in_h), model, grid, ready=ready)]

    assert out(2, -0.3, ready=True)[0] == out(2, -0.3, ready=False)[0] == 2
    assert max(out(2, 30, ready=True)) == 0
    assert max(out(2, -3, ready=True)) == 0
    assert max(out(2, 1, ready=True, model="another")) == 0
    # NOW is 03:07:30: a rider of 04:07:30 comes in step 4, his packs stand there by the end of step 3.
    assert out(2, 1, ready=False)[3:5] == [0, 2]
    assert out(2, 1, ready=True)[2:4] == [0, 2]


def test_a_fleet_without_packs_has_a_plan_that_does_nothing() -> None:
    fleet = lone_station(0.5)
    fleet = replace(fleet, stations=(replace(fleet.stations[0], packs=()),))
    problem, jobs = build(fleet, StepGrid(NOW), quiet(1, demand=0.1), Policy())
    plan, _ = decide(problem, limit_s=10)
    assert plan.energy_wh.sum() == 0
    assert jobs[0].jobs == []


def test_the_held_volume_is_the_stated_share_of_the_expected_energy() -> None:
    fleet = lone_station(0.2)
    sunny = replace(quiet(1, demand=0.1), renewable_w=np.concatenate([np.zeros(20), np.full(30, 5.0), np.zeros(46)]))
    problem, _ = build(fleet, StepGrid(NOW), sunny, replace(Policy(), green_share=0.5))
    assert problem.green_wh.sum() == pytest.approx(0.5 * problem.need_wh[0, -1], rel=1e-6)
    assert (problem.green_wh > 0).sum() == 30
