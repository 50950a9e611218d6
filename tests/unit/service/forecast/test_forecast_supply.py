"""Prices, sun, wind and limits on the grid of steps, and where each comes from."""

import math
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from service.domain.plan import StepGrid
from service.domain.signal import OUTCOMES, SYNTHETIC, Place, Series, Signal
from service.forecast.supply import DECISION_SERIES, FLAT_JPY_PER_KWH, forecast_sites, forecast_supply
from service.grid.synthetic import JST, day, synthetic_signals

MIDNIGHT = datetime(2026, 4, 5, 15, 0, tzinfo=UTC)
"""00:00 in Japan."""
KYUSHU = Place("area", "kyushu")
LONG_AGO = MIDNIGHT - timedelta(days=30)


def said(
    value: float,
    minutes: float = 0,
    *,
    series: Series = "price_jpy_per_kwh",
    place: Place = KYUSHU,
    period_s: int = 1800,
    days: int = 0,
    known_at: datetime = LONG_AGO,
    source: str = "market",
) -> Signal:
    """Return a value whose interval begins so long after midnight."""
    return Signal(series, place, MIDNIGHT + timedelta(days=days, minutes=minutes), period_s, value, known_at, source)


def prices(*signals: Signal, at: datetime = MIDNIGHT) -> list[float]:
    return [float(price) for price in forecast_supply(signals, "kyushu", StepGrid(at)).price_jpy_per_kwh]


def test_without_any_signal_the_price_is_flat_and_says_so() -> None:
    supply = forecast_supply([], "kyushu", StepGrid(MIDNIGHT))
    np.testing.assert_array_equal(supply.price_jpy_per_kwh, np.full(96, FLAT_JPY_PER_KWH))
    assert supply.renewable_w.max() == 0
    assert supply.price_source == "none (flat)"


def test_a_half_hour_covers_two_steps() -> None:
    supply = forecast_supply(synthetic_signals("kyushu", MIDNIGHT, 2, MIDNIGHT), "kyushu", StepGrid(MIDNIGHT))
    np.testing.assert_allclose(supply.price_jpy_per_kwh[::2], [price for _, price, _ in day()])
    np.testing.assert_array_equal(supply.price_jpy_per_kwh[::2], supply.price_jpy_per_kwh[1::2])
    assert supply.price_source == SYNTHETIC


def test_before_noon_tomorrow_is_taken_from_today_and_says_so() -> None:
    at_eight = MIDNIGHT + timedelta(hours=8)
    signals = synthetic_signals("kyushu", MIDNIGHT, 2, MIDNIGHT)
    assert forecast_supply(signals, "kyushu", StepGrid(at_eight)).price_source == "synthetic, synthetic (day before)"
    assert forecast_supply(signals, "kyushu", StepGrid(at_eight + timedelta(hours=4))).price_source == "synthetic"


def test_the_synthetic_day_dips_at_noon_and_peaks_in_the_evening() -> None:
    rows = list(day())
    prices = [price for _, price, _ in rows]
    assert prices.index(min(prices)) in range(22, 28)
    assert prices.index(max(prices)) in range(35, 39)
    assert max(pv for _, _, pv in rows) == pytest.approx(8e9, rel=0.01)
    assert rows[0][2] == rows[47][2] == 0


def test_synthetic_days_are_whole_days_in_japan_known_from_noon_before_but_not_before_they_were_made() -> None:
    now = MIDNIGHT + timedelta(hours=9, minutes=20)
    signals = synthetic_signals("kyushu", now, 3, now)
    starts = sorted({signal.start_at for signal in signals})
    assert starts[0] == MIDNIGHT
    assert starts[-1] == MIDNIGHT + timedelta(hours=71, minutes=30)
    known = {signal.start_at.astimezone(JST).date(): signal.known_at for signal in signals}
    assert list(known.values()) == [now, MIDNIGHT + timedelta(hours=12), MIDNIGHT + timedelta(hours=36)]
    assert {signal.source for signal in signals} == {"synthetic"}


def test_a_period_of_another_length_is_read_too() -> None:
    hourly = Signal("price_jpy_per_kwh", Place("area", "kyushu"), MIDNIGHT, 3600, 7.0, MIDNIGHT, "market")
    assert forecast_supply([hourly], "kyushu", StepGrid(MIDNIGHT)).price_jpy_per_kwh[:5].tolist() == [
        7,
        7,
        7,
        7,
        FLAT_JPY_PER_KWH,
    ]


def test_short_periods_are_averaged_over_the_step() -> None:
    five = [said(float(number), 5 * number, period_s=300) for number in range(6)]
    assert prices(*five)[:3] == [1.0, 4.0, FLAT_JPY_PER_KWH]
    assert prices(said(5.0, period_s=900), said(7.0, 15, period_s=900))[:2] == [5.0, 7.0]
    # Ten of fifteen minutes are known.
    assert prices(said(2.0, period_s=300), said(2.0, 5, period_s=300))[0] == pytest.approx((2 + 2 + FLAT_JPY_PER_KWH) / 3)


def test_a_period_that_is_not_aligned_to_the_clock_of_greenwich_is_read_where_it_lies() -> None:
    assert prices(said(3.0, 30, period_s=3600))[:8] == [20, 20, 3, 3, 3, 3, 20, 20]


def test_the_newest_word_holds_whatever_its_period_and_the_shorter_one_among_equals() -> None:
    hour = said(1.0, period_s=3600)
    half = said(2.0, period_s=1800)
    assert prices(hour, half)[:4] == [2, 2, 1, 1]
    assert prices(said(1.0, period_s=3600, known_at=MIDNIGHT), half)[:4] == [1, 1, 1, 1]


def test_the_nearest_earlier_day_stands_in_for_at_most_a_week_and_says_which() -> None:
    def source(*days: int) -> str:
        signals = [said(float(9 - day), minutes, days=-day) for day in days for minutes in range(0, 1440, 30)]
        return forecast_supply(signals, "kyushu", StepGrid(MIDNIGHT)).price_source

    assert source(0, 1, 3) == "market"
    assert source(1, 3) == "market (day before)"
    assert source(3, 7) == "market (3 days before)"
    assert source(7) == "market (7 days before)"
    assert source(8) == "none (flat)"
    assert prices(said(9.0, 30, days=-2), said(8.0, days=-1))[:4] == [8, 8, 9, 9]


def test_what_anybody_says_goes_before_what_is_made_up_even_a_day_old() -> None:
    made_up = synthetic_signals("kyushu", MIDNIGHT, 2, MIDNIGHT)
    real = [said(33.0, minutes, days=-1) for minutes in range(0, 720, 30)]
    supply = forecast_supply([*made_up, *real], "kyushu", StepGrid(MIDNIGHT))
    assert [float(price) for price in supply.price_jpy_per_kwh[:48]] == [33.0] * 48
    assert 33.0 not in supply.price_jpy_per_kwh[48:]
    assert supply.price_source == "market (day before), synthetic"


def test_sun_and_wind_are_added_and_both_named() -> None:
    day = range(0, 1440, 30)
    sun = [said(4e9, minutes, series="solar_w", source="grid company") for minutes in day]
    wind = [said(1e9, minutes, series="wind_w", source="weather service", days=-1) for minutes in day]
    supply = forecast_supply([*sun, *wind], "kyushu", StepGrid(MIDNIGHT))
    assert [float(power) for power in supply.renewable_w] == [5e9] * 96
    assert supply.supply_source == "grid company, weather service (day before)"
    assert forecast_supply(sun, "kyushu", StepGrid(MIDNIGHT)).supply_source == "grid company"
    assert forecast_supply([], "kyushu", StepGrid(MIDNIGHT)).supply_source == "none"


def test_other_areas_and_stations_do_not_speak_for_this_area() -> None:
    others = [said(1.0, place=Place("area", "tokyo")), said(1.0, place=Place("station", "kyushu"))]
    assert set(prices(*others)) == {FLAT_JPY_PER_KWH}


def test_a_limit_is_the_lowest_at_any_instant_of_a_step_and_is_never_carried_over() -> None:
    def limits(*signals: Signal, at: datetime = MIDNIGHT) -> list[float]:
        return [float(limit) for limit in forecast_supply(signals, "kyushu", StepGrid(at)).limit_w]

    assert set(limits()) == {math.inf}
    brief = said(100.0, 20, period_s=300, series="import_limit_w")
    assert limits(brief)[:3] == [math.inf, 100, math.inf]
    assert set(limits(said(100.0, days=-1, series="import_limit_w"))) == {math.inf}
    called = said(70.0, 15, period_s=900, series="demand_response_limit_w")
    assert limits(brief, called)[:3] == [math.inf, 70, math.inf]
    # It is 00:26 and the limit of 00:20 to 00:25 is over.
    assert set(limits(brief, at=MIDNIGHT + timedelta(minutes=26))) == {math.inf}


def test_a_limit_is_lifted_by_its_source_and_the_lowest_of_several_sources_binds() -> None:
    def first_limit(*signals: Signal) -> float:
        return float(forecast_supply(signals, "kyushu", StepGrid(MIDNIGHT)).limit_w[0])

    low, none = said(50.0, series="import_limit_w"), said(math.inf, series="import_limit_w", known_at=MIDNIGHT)
    assert first_limit(low, none) == math.inf
    assert first_limit(low, none._replace(source="somebody else")) == 50
    assert first_limit(low._replace(value=90.0, source="somebody else"), low) == 50


def test_own_generation_and_limits_are_those_of_each_station_in_the_order_asked_for() -> None:
    one, two = Place("station", "st-1"), Place("station", "st-2")
    signals = [
        said(3000.0, series="own_pv_w", place=one),
        said(1000.0, series="own_pv_w", place=two, days=-1),
        said(2000.0, 15, series="import_limit_w", place=two, period_s=900),
        said(5000.0, series="own_pv_w", place=Place("station", "st-9")),
        said(1.0, series="import_limit_w"),
    ]
    sites = forecast_sites(signals, ["st-2", "st-0", "st-1"], StepGrid(MIDNIGHT))
    assert sites.own_pv_w[:, :3].tolist() == [[1000, 1000, 0], [0, 0, 0], [3000, 3000, 0]]
    assert sites.limit_w[:, :3].tolist() == [[math.inf, 2000, math.inf], [math.inf] * 3, [math.inf] * 3]


def test_no_outcome_is_among_what_planning_asks_for() -> None:
    assert not set(OUTCOMES) & set(DECISION_SERIES)


def test_a_week_of_half_hours_is_read_in_no_time() -> None:
    series: tuple[Series, ...] = ("price_jpy_per_kwh", "solar_w", "wind_w")
    signals = [
        said(1.0, minutes, days=day, series=name) for name in series for day in range(-7, 2) for minutes in range(0, 1440, 30)
    ]
    took = []
    for _ in range(5):
        begun = time.perf_counter()
        forecast_supply(signals, "kyushu", StepGrid(MIDNIGHT))
        took.append(time.perf_counter() - begun)
    assert min(took) < 0.02
