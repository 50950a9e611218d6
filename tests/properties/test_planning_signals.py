"""A decision reads only what was known: changing what was not known yet changes nothing."""

from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.plan import StepGrid
from service.domain.signal import Place, Signal
from service.forecast.supply import forecast_supply
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
