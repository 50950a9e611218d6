"""A decision reads only what was known, and no outcome: changing anything else changes nothing. The reading is the plain one."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.plan import StepGrid
from service.domain.signal import LIMITS, OUTCOMES, SERIES, SYNTHETIC, Place, Series, Signal
from service.forecast.supply import DECISION_SERIES, FLAT_JPY_PER_KWH, SupplyForecast, forecast_sites, forecast_supply
from service.grid.synthetic import synthetic_signals

START = datetime(2026, 4, 6, tzinfo=UTC)


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 3 * 86_400), st.lists(st.tuples(st.integers(0, 200), st.floats(0, 1e3), st.integers(1, 10**6)), max_size=30)
)
def test_what_is_not_known_yet_changes_nothing(offset_s: int, later: list[tuple[int, float, int]]) -> None:
    now = START + timedelta(seconds=offset_s)
    known = synthetic_signals("kyushu", START, 4, START)
    unknown = [
        Signal(
            "price_jpy_per_kwh",
            Place("area", "kyushu"),
            START + timedelta(minutes=30 * half),
            1800,
            value,
            now + timedelta(seconds=ahead),
            "leak",
        )
        for half, value, ahead in later
    ]
    grid = StepGrid(now)
    plain, leaky = forecast_supply(known, "kyushu", grid), forecast_supply([*unknown, *known, *unknown], "kyushu", grid)
    np.testing.assert_array_equal(plain.price_jpy_per_kwh, leaky.price_jpy_per_kwh)
    np.testing.assert_array_equal(plain.renewable_w, leaky.renewable_w)
    assert plain.price_source == leaky.price_source


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 3 * 86_400))
def test_the_newest_known_value_wins_from_the_moment_it_is_known(offset_s: int) -> None:
    now = START + timedelta(seconds=offset_s)
    half = datetime.fromtimestamp(now.timestamp() // 1800 * 1800, UTC)
    known = synthetic_signals("kyushu", START, 4, START)
    corrected = Signal("price_jpy_per_kwh", Place("area", "kyushu"), half, 1800, 99.0, now, "correction")
    before = StepGrid(now - timedelta(seconds=1))
    assert 99.0 not in forecast_supply([*known, corrected], "kyushu", before).price_jpy_per_kwh
    assert forecast_supply([*known, corrected], "kyushu", StepGrid(now)).price_jpy_per_kwh[0] == 99.0


@st.composite
def told(draw: st.DrawFn, series: Sequence[Series]) -> Signal:
    """Anything that anybody may have said of the days around START."""
    name = draw(st.sampled_from(series))
    kind = draw(st.sampled_from(SERIES[name].kinds))
    period_s = draw(st.sampled_from([300, 900, 1800, 3600]))
    start_at = START + timedelta(seconds=period_s * draw(st.integers(-8 * 86_400 // period_s, 2 * 86_400 // period_s)))
    known_at = START + timedelta(minutes=draw(st.integers(-20_000, 3_000)))
    value = draw(st.sampled_from([0.0, 1.0, 2.5, 1e9] + [math.inf] * (name in LIMITS)))
    place = Place(kind, "kyushu" if kind == "area" else draw(st.sampled_from(["st-1", "st-2"])))
    return Signal(name, place, start_at, period_s, value, known_at, draw(st.sampled_from(["a", "b", SYNTHETIC])))


def same(one: SupplyForecast, two: SupplyForecast) -> None:
    for field in ("price_jpy_per_kwh", "renewable_w", "limit_w"):
        np.testing.assert_array_equal(getattr(one, field), getattr(two, field))
    assert (one.price_source, one.supply_source) == (two.price_source, two.supply_source)


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 86_400),
    st.lists(told(DECISION_SERIES), max_size=40),
    st.lists(told(OUTCOMES), max_size=20),
    st.lists(told(tuple(set(SERIES) - set(DECISION_SERIES))), max_size=20),
)
def test_outcomes_and_whatever_else_is_published_change_nothing(
    offset_s: int, known: list[Signal], outcomes: list[Signal], others: list[Signal]
) -> None:
    grid = StepGrid(START + timedelta(seconds=offset_s))
    every = [*outcomes, *known, *others]
    same(forecast_supply(known, "kyushu", grid), forecast_supply(every, "kyushu", grid))
    plain, more = (forecast_sites(signals, ["st-1", "st-2"], grid) for signals in (known, every))
    np.testing.assert_array_equal(plain.own_pv_w, more.own_pv_w)
    np.testing.assert_array_equal(plain.limit_w, more.limit_w)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 86_400), st.lists(told(DECISION_SERIES), max_size=40), st.randoms())
def test_the_order_in_which_signals_come_does_not_matter(offset_s: int, known: list[Signal], random: object) -> None:
    known = list({signal._replace(value=0.0): signal for signal in known}.values())  # as the database: one value of each
    grid = StepGrid(START + timedelta(seconds=offset_s))
    shuffled = list(known)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    same(forecast_supply(known, "kyushu", grid), forecast_supply(shuffled, "kyushu", grid))


def plainly(signals: Sequence[Signal], series: Series, instant: datetime, now: datetime, otherwise: float) -> float:
    """Read one instant as the documents say it, slowly."""
    for is_made_up in (False, True):
        for days in range(8):
            then = instant - timedelta(days=days)
            there = [
                (signal.known_at, -signal.period_s, signal.source, signal.value)
                for signal in signals
                if signal.series == series
                and signal.place == Place("area", "kyushu")
                and (signal.source == SYNTHETIC) == is_made_up
                and signal.known_at <= now
                and signal.start_at <= then < signal.end_at
            ]
            if there:
                return max(there)[3]
    return otherwise


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 86_400), st.lists(told(("price_jpy_per_kwh", "solar_w")), max_size=60))
def test_reading_fast_is_reading_plainly(offset_s: int, known: list[Signal]) -> None:
    known = list({signal._replace(value=0.0): signal for signal in known}.values())
    grid = StepGrid(START + timedelta(seconds=offset_s))
    supply = forecast_supply(known, "kyushu", grid)
    for step in range(0, grid.step_count, 7):
        instants = [grid.step_at(step) + timedelta(seconds=offset) for offset in (0, 300, 600)]
        price = [plainly(known, "price_jpy_per_kwh", instant, grid.now, FLAT_JPY_PER_KWH) for instant in instants]
        solar = [plainly(known, "solar_w", instant, grid.now, 0.0) for instant in instants]
        np.testing.assert_allclose(supply.price_jpy_per_kwh[step], sum(price) / 3)
        np.testing.assert_allclose(supply.renewable_w[step], sum(solar) / 3)
