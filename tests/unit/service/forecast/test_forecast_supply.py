"""Prices and sun on the grid of steps, and where each comes from."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from service.domain.plan import StepGrid
from service.domain.signal import SYNTHETIC, Place, Signal
from service.forecast.supply import FLAT_JPY_PER_KWH, forecast_supply
from service.grid.synthetic import JST, day, synthetic_signals

MIDNIGHT = datetime(2026, 4, 5, 15, 0, tzinfo=UTC)
"""00:00 in Japan."""


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
