"""Powers become rows: whole seconds, whole watts, and a new order only when it says something new."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from service.domain.charging import ChargeCurve
from service.domain.command import SchedulePeriod, ScheduleRow, SetSchedule, SitePeriod
from service.domain.plan import StepGrid
from service.planning.build import StationJobs, build
from service.planning.disaggregate import disaggregate
from service.planning.envelopes import Due, Job
from service.planning.examples import NOW, example_fleet, example_outlook
from service.planning.plan import Plan
from service.planning.policies import Policy
from service.planning.schedule import differs, make_schedule
from service.planning.solve import solve

START = datetime(2026, 4, 6, 3, 0, tzinfo=UTC)
CURVE = ChargeCurve(capacity_wh=1000.0, power_w=400.0)


def schedule(*limits: tuple[int, float], start_at: datetime = START, serial: str = "P1", site_w: float = 5000.0) -> SetSchedule:
    periods = tuple(SchedulePeriod(start_s=start, limit_dc_w=limit, target_soc=1.0) for start, limit in limits)
    return SetSchedule(
        schedule_id="sch_1",
        start_at=start_at,
        rows=(ScheduleRow(slot_no=1, serial_number=serial, periods=periods),),
        site=(SitePeriod(start_s=0, limit_ac_w=site_w),),
        fallback_limit_ac_w=1000.0,
        need_ready=(),
        max_offline_s=86_400.0,
    )


def job(serial: str, slot_no: int, energy_wh: float) -> Job:
    return Job(serial, slot_no, energy_wh, ready_wh=600.0, target_wh=800.0, curve=CURVE)


def full_by(counts: list[float]) -> Due:
    return Due(ready=np.array(counts), full=np.array(counts))


def test_the_same_limits_told_from_a_later_start_say_nothing_new() -> None:
    now = START + timedelta(seconds=300)
    assert not differs(schedule((0, 0), (900, 400)), schedule((0, 0), (600, 400), start_at=now), now)


@pytest.mark.parametrize(
    ("new", "what"),
    [
        (schedule((0, 300)), "another limit now"),
        (schedule((0, 400), (540, 100)), "another limit in nine minutes"),
        (schedule((0, 400), serial="P2"), "another pack"),
        (schedule((0, 400), site_w=2000.0), "another ceiling of the site"),
    ],
)
def test_a_change_within_ten_minutes_is_news(new: SetSchedule, what: str) -> None:
    assert differs(schedule((0, 400)), new, START), what


@pytest.mark.parametrize("new", [schedule((0, 380)), schedule((0, 400), (900, 100))])
def test_a_small_or_a_distant_change_can_wait(new: SetSchedule) -> None:
    assert not differs(schedule((0, 400)), new, START)


def test_the_pack_that_can_wait_least_goes_first() -> None:
    full_soon, empty = job("A", 1, 700.0), job("B", 2, 300.0)
    # A is due by the end of the first quarter, B by the end of the eighth.
    station = StationJobs({"m": [full_soon, empty]}, {"m": full_by([1.0] * 7 + [2.0] * 5)})
    powers = disaggregate(station, np.full(12, 100.0), np.full(12, 0.25), efficiency=1.0)
    assert powers.serial_numbers == ("A", "B")
    np.testing.assert_allclose(powers.power_dc_w[:, :3], [[400, 0, 0], [0, 400, 400]])
    np.testing.assert_allclose(powers.left_ac_wh[:7], [0, 0, 0, 0, 0, 0, 100], atol=1e-9)


def test_an_emptier_pack_overtakes_when_its_deadline_leaves_no_time() -> None:
    near, far = job("A", 1, 700.0), job("B", 2, 300.0)
    # Both due by the end of the fifth quarter: B needs all of it, A a quarter of an hour.
    station = StationJobs({"m": [near, far]}, {"m": full_by([0.0] * 4 + [2.0] * 8)})
    powers = disaggregate(station, np.array([100.0, 100, 100, 100, 200] + [0] * 7), np.full(12, 0.25), efficiency=1.0)
    np.testing.assert_allclose(powers.power_dc_w[:, :5], [[0, 0, 0, 0, 400], [400, 400, 400, 400, 400]])


def test_a_pack_that_must_become_ready_goes_before_one_that_shall_become_full() -> None:
    # A is ready and due full by the end of the sixth quarter; B is not ready, and due ready by the end of the third.
    station = StationJobs({"m": [job("A", 1, 650.0), job("B", 2, 300.0)]}, {"m": Due(np.full(12, 1.0), np.zeros(12))})
    station.due["m"].ready[2:] = 2.0
    station.due["m"].full[5:] = 1.0
    powers = disaggregate(station, np.full(12, 100.0), np.full(12, 0.25), efficiency=1.0)
    np.testing.assert_allclose(powers.power_dc_w[:, :5], [[0, 0, 0, 400, 200], [400, 400, 400, 0, 200]])


def test_energy_into_packs_is_less_than_energy_drawn() -> None:
    station = StationJobs({"m": [job("A", 1, 0.0)]}, {"m": Due(np.ones(4), np.ones(4))})
    powers = disaggregate(station, np.array([100.0, 0, 0, 0]), np.full(4, 0.25), efficiency=0.9)
    assert powers.power_dc_w[0, 0] * 0.25 == pytest.approx(90.0)


def test_a_schedule_says_what_the_station_works_towards_when_it_is_alone() -> None:
    fleet = example_fleet(1, seed=2)
    grid = StepGrid(fleet.at)
    problem, jobs = build(fleet, grid, example_outlook(fleet, grid, 2), Policy())
    plan = solve(problem, limit_s=10)
    assert isinstance(plan, Plan)
    station = fleet.stations[0]
    powers = disaggregate(jobs[0], plan.energy_wh[0], problem.step_h, station.charger_efficiency)
    order = make_schedule(station, jobs[0], powers, plan.energy_wh[0], grid, Policy(), "sch_1")
    assert order.start_at == NOW
    assert 0 < order.fallback_limit_ac_w <= station.max_import_ac_w / 2
    (need,) = order.need_ready
    assert 0 < need.count <= len(station.packs)
    assert need.min_usable_wh == pytest.approx(0.8 * 1300)
    assert grid.now < need.by_at <= grid.now + timedelta(hours=4)
    # Second period of the site begins where step 1 does: 7.5 minutes after the start.
    assert all((period.start_s - 450) % 900 == 0 for period in order.site[1:])
