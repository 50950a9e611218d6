"""Demand: the written-down shape before anything is known, what was counted afterwards."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from service.domain.fleet import HourCount, StationNow
from service.domain.plan import StepGrid
from service.forecast.demand import PRIOR_PER_PACK_AND_DAY, day_shape, forecast_demand
from service.planning.examples import example_fleet

NOW = datetime(2026, 4, 6, 3, 0, tzinfo=UTC)


def station(born_days_ago: float, counts: tuple[HourCount, ...] = ()) -> StationNow:
    one = example_fleet(1, seed=1, now=NOW).stations[0]
    return replace(one, first_birth_at=NOW - timedelta(days=born_days_ago), handed_out=counts)


def every_hour(days: int, packs: int, until: datetime = NOW) -> tuple[HourCount, ...]:
    return tuple(HourCount(until - timedelta(hours=hours), packs) for hours in range(1, 24 * days + 1))


def test_the_shape_of_a_day_sums_to_one_and_peaks_in_the_evening() -> None:
    hours = np.arange(0, 24, 0.25)
    shape = day_shape(hours)
    assert (shape * 0.25).sum() == pytest.approx(1.0, rel=1e-3)
    assert 18 <= hours[int(np.argmax(shape))] <= 19


def test_a_station_born_just_now_gets_the_prior_of_its_packs() -> None:
    new = station(0)
    forecast = forecast_demand((new,), StepGrid(NOW), 3 * 3600)
    assert forecast.mean.sum() == pytest.approx(PRIOR_PER_PACK_AND_DAY * len(new.packs), rel=1e-2)


def test_two_weeks_of_counting_outweigh_the_prior() -> None:
    busy = station(30, every_hour(14, 4))
    level = forecast_demand((busy,), StepGrid(NOW), 3 * 3600).mean.sum()
    # Gamma(5, 5 / packs) and 14 days of 96 packs, worked out by hand.
    assert level == pytest.approx((5 + 14 * 96) / (5 / len(busy.packs) + 14), rel=1e-2)
    assert level > 80


def test_nobody_coming_for_a_day_lowers_the_forecast_but_not_to_zero() -> None:
    quiet = station(1)
    level = forecast_demand((quiet,), StepGrid(NOW), 3 * 3600).mean.sum()
    assert 0 < level < PRIOR_PER_PACK_AND_DAY * len(quiet.packs)


def test_the_running_hour_counts_for_as_much_of_it_as_is_over() -> None:
    # The same pace, seen for two whole hours or for one and a half: nearly the same level.
    steady = (HourCount(NOW - timedelta(hours=1), 20), HourCount(NOW, 10))
    born = NOW - timedelta(hours=1)
    one = replace(station(0), first_birth_at=born, handed_out=steady)
    at_half_past = forecast_demand((one,), StepGrid(NOW + timedelta(minutes=30)), 3 * 3600).mean.sum()
    full = replace(one, handed_out=(steady[0], HourCount(NOW, 20)))
    at_the_end = forecast_demand((full,), StepGrid(NOW + timedelta(minutes=60)), 3 * 3600).mean.sum()
    assert at_half_past == pytest.approx(at_the_end, rel=0.25)
    assert at_half_past > 3 * PRIOR_PER_PACK_AND_DAY * len(one.packs)


def test_a_rush_in_the_first_minutes_raises_the_forecast_at_once() -> None:
    rushed = replace(station(0), first_birth_at=NOW, handed_out=(HourCount(NOW, 6),))
    calm = replace(rushed, handed_out=())
    after = StepGrid(NOW + timedelta(minutes=10))
    levels = [forecast_demand((each,), after, 3 * 3600).mean.sum() for each in (rushed, calm)]
    assert levels[0] > 1.9 * levels[1]


def test_of_step_0_only_the_rest_is_expected() -> None:
    whole = forecast_demand((station(0),), StepGrid(NOW), 3 * 3600).mean[0, 0]
    later = NOW + timedelta(minutes=10)
    rest = forecast_demand((replace(station(0), first_birth_at=later),), StepGrid(later), 3 * 3600).mean[0, 0]
    assert rest == pytest.approx(whole / 3)


def test_what_is_known_well_spreads_less_than_what_is_guessed() -> None:
    prior = forecast_demand((station(0),), StepGrid(NOW), 3 * 3600)
    counted = forecast_demand((station(30, every_hour(14, 4)),), StepGrid(NOW), 3 * 3600)
    relative = [each.lead_deviation[0, 0] / each.mean[0].sum() for each in (prior, counted)]
    assert relative[1] < relative[0]
