"""What was known and how things went are kept apart; days that the files do not cover are refused."""

from datetime import UTC, datetime, timedelta

import pytest

from service.domain.signal import Place, Series, Signal
from service.grid.synthetic import synthetic_signals
from simulator.offline.market import CoverageError, KnownSignals, first_day, outturn

START = datetime(2026, 4, 5, 15, 0, tzinfo=UTC)
"""A midnight in Japan."""
AREA = Place("area", "kyushu")


def one(series: Series, hours: float, value: float, period_s: int = 3600, known_h: float = -24.0, place: Place = AREA) -> Signal:
    at = START + timedelta(hours=hours)
    return Signal(series, place, at, period_s, value, at + timedelta(hours=known_h), "file")


def day(series: Series, value: float) -> list[Signal]:
    return [one(series, hour, value) for hour in range(24)]


def test_what_is_not_known_yet_and_every_outcome_stays_behind_the_door() -> None:
    early, late = one("price_jpy_per_kwh", 1, 5.0, known_h=-10), one("price_jpy_per_kwh", 2, 6.0, known_h=0)
    cut = one("solar_curtailed_w", 1, 1e9, known_h=-48)
    abroad = one("price_jpy_per_kwh", 1, 7.0, known_h=-48, place=Place("area", "kansai"))
    door = KnownSignals([early, late, cut, abroad], "kyushu")
    end = START + timedelta(days=1)
    assert door.at(START - timedelta(hours=8), START, end) == [early]
    assert door.at(START - timedelta(hours=12), START, end) == []
    assert door.at(end, START, end) == [early, late]
    assert door.between(START + timedelta(hours=2), end).at(end, START, end) == [late]


def test_books_take_the_mean_of_shorter_and_the_value_of_longer_intervals() -> None:
    prices = [one("price_jpy_per_kwh", quarter / 4, float(quarter), 900) for quarter in range(4)]
    went = outturn([*prices, one("solar_curtailed_w", 0, 4e8), one("wind_curtailed_w", 0, 1e8)], "kyushu", START, 2)
    assert went.price_jpy_per_kwh.tolist() == [0.5, 2.5]
    assert went.curtailed_w.tolist() == [5e8, 5e8]


def test_the_last_word_counts_in_the_books() -> None:
    said = [one("price_jpy_per_kwh", 0, 1.0, known_h=-2), one("price_jpy_per_kwh", 0, 2.0, known_h=-1)]
    for order in (said, said[::-1]):
        assert outturn([*order, one("solar_curtailed_w", 0, 0.0)], "kyushu", START, 2).price_jpy_per_kwh.tolist() == [2.0, 2.0]


@pytest.mark.parametrize(
    ("signals", "named"),
    [
        ([*day("price_jpy_per_kwh", 1.0)], "no curtailed sun or wind of area kyushu"),
        ([*day("solar_curtailed_w", 1.0)], "no price_jpy_per_kwh of area kyushu for 2026-04-05 15:00 UTC"),
        (
            [*day("solar_curtailed_w", 1.0), *day("price_jpy_per_kwh", 1.0)[:3]],
            "for 2026-04-05 18:00 UTC; the files hold it from 2026-04-05 15:00 to 2026-04-05 18:00",
        ),
    ],
)
def test_a_missing_hour_is_named(signals: list[Signal], named: str) -> None:
    with pytest.raises(CoverageError, match=named):
        outturn(signals, "kyushu", START, 48)


def test_the_first_day_is_the_first_local_midnight_that_both_files_cover() -> None:
    signals = [one("price_jpy_per_kwh", -5, 1.0), one("solar_curtailed_w", 3, 0.0), one("solar_curtailed_w", 4, 0.0)]
    assert first_day(signals, "kyushu", 9.0) == START + timedelta(days=1)
    assert first_day([one("price_jpy_per_kwh", 0, 1.0), one("solar_curtailed_w", 0, 0.0)], "kyushu", 9.0) == START
    with pytest.raises(CoverageError, match="no curtailed energy of area kyushu"):
        first_day(synthetic_signals("kyushu", START, 1, START), "kyushu", 9.0)
