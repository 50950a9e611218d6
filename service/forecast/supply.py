"""Price, renewable power, own generation and limits per step, from signals that were known.

Nothing is read before its `known_at`, and no outcome (what was cut off in the end) is read at all.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from service.domain.plan import StepGrid
from service.domain.signal import LIMITS, OUTCOMES, SYNTHETIC, Place, Series, Signal

FLAT_JPY_PER_KWH = 20.0
"""Price of a step for which nothing at all is known. Guess: a mean year of the Japanese spot market with wheeling."""
LOOKBACK_DAYS = 7
"""How many days back the same time of day stands in for a value that is not known yet. Guess: a week."""
SAMPLE_S = 300
"""Signals are read every five minutes, the shortest interval that grid companies publish."""
DAY_S = 86_400

DECISION_SERIES: tuple[Series, ...] = ("price_jpy_per_kwh", "solar_w", "wind_w", "own_pv_w", *LIMITS)
"""What planning asks for. No outcome is among them."""
HISTORY = timedelta(days=LOOKBACK_DAYS, hours=1)
"""How far before the grid signals are wanted."""

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SupplyForecast:
    """What is expected of an area; axes (steps,).

    `price_source` and `supply_source` name who says so; what was carried over from earlier days says so.
    `limit_w` is the most that the whole fleet may draw, infinite where nobody limits it.
    """

    price_jpy_per_kwh: FloatArray
    renewable_w: FloatArray
    limit_w: FloatArray
    price_source: str
    supply_source: str


@dataclass(frozen=True, slots=True)
class SiteForecast:
    """What is expected at single stations; axes (stations, steps). Without own generation 0, without a limit infinite."""

    own_pv_w: FloatArray
    limit_w: FloatArray


def forecast_supply(signals: Iterable[Signal], area: str, grid: StepGrid) -> SupplyForecast:
    """Return price and renewable power (sun and wind) of `area` on the grid.

    An instant takes the newest value that was known at ``grid.now``; where none is known yet (market prices of tomorrow come out
    around noon), the value of the same time of the nearest earlier day, up to a week back; where that is missing too, a flat
    price and no sun. Synthetic values stand in only where nobody else says anything, today or before.
    """
    sheets = _sheets(signals, grid)
    place = Place("area", area)

    def series(name: Series, otherwise: float) -> tuple[FloatArray, set[str]]:
        return _expected(sheets.get((name, place)), grid, otherwise)

    price, price_words = series("price_jpy_per_kwh", FLAT_JPY_PER_KWH)
    solar, solar_words = series("solar_w", 0.0)
    wind, wind_words = series("wind_w", 0.0)
    words = solar_words | wind_words
    return SupplyForecast(
        price_jpy_per_kwh=price,
        renewable_w=np.maximum(solar, 0.0) + np.maximum(wind, 0.0),
        limit_w=_limit(sheets, place, grid),
        price_source=", ".join(sorted(price_words or {"none (flat)"})),
        supply_source=", ".join(sorted(words or {"none"})),
    )


def forecast_sites(signals: Iterable[Signal], station_ids: Sequence[str], grid: StepGrid) -> SiteForecast:
    """Return own generation and limits of stations, in their order."""
    sheets = _sheets((signal for signal in signals if signal.place.kind == "station"), grid)
    own_pv = np.zeros((len(station_ids), grid.step_count))
    limit = np.full_like(own_pv, np.inf)
    told = {place for _, place in sheets}
    for row, station_id in enumerate(station_ids):
        place = Place("station", station_id)
        if place in told:
            own_pv[row] = np.maximum(_expected(sheets.get(("own_pv_w", place)), grid, 0.0)[0], 0.0)
            limit[row] = _limit(sheets, place, grid)
    return SiteForecast(own_pv, limit)


class _Sheet:
    """One series of one place as it was known: looked up by instant, what others say before what is synthetic."""

    def __init__(self) -> None:
        self._real: defaultdict[int, dict[int, Signal]] = defaultdict(dict)
        self._made_up: defaultdict[int, dict[int, Signal]] = defaultdict(dict)

    def add(self, signal: Signal) -> None:
        kept = (self._made_up if signal.source == SYNTHETIC else self._real)[signal.period_s]
        key = round(signal.start_at.timestamp())
        standing = kept.get(key)
        if standing is None or (signal.known_at, signal.source) > (standing.known_at, standing.source):
            kept[key] = signal

    def at(self, instant_s: int, days_back: int) -> tuple[float, str] | None:
        """Return (value, its source in words) that holds at an instant, or that held up to `days_back` days before."""
        for table in (self._real, self._made_up):
            for days in range(days_back + 1):
                for period_s in sorted(table):
                    then = instant_s - days * DAY_S
                    found = table[period_s].get(then - then % period_s)
                    if found is not None:
                        words = ("", " (day before)")[days] if days < 2 else f" ({days} days before)"
                        return found.value, found.source + words
        return None


def _sheets(signals: Iterable[Signal], grid: StepGrid) -> dict[tuple[Series, Place], _Sheet]:
    sheets: defaultdict[tuple[Series, Place], _Sheet] = defaultdict(_Sheet)
    for signal in signals:
        if signal.known_at <= grid.now and signal.series not in OUTCOMES:
            sheets[(signal.series, signal.place)].add(signal)
    return dict(sheets)


def _samples(grid: StepGrid) -> list[list[int]]:
    """Return the instants at which each step is read [Unix s]."""
    first = round(grid.start_at.timestamp())
    inner = range(0, grid.step_s, min(SAMPLE_S, grid.step_s))
    return [[first + step * grid.step_s + offset for offset in inner] for step in range(grid.step_count)]


def _expected(sheet: _Sheet | None, grid: StepGrid, otherwise: float) -> tuple[FloatArray, set[str]]:
    """Return the mean of each step and who said it (nobody: nothing)."""
    values = np.full(grid.step_count, otherwise)
    words: set[str] = set()
    if sheet is None:
        return values, words
    for step, instants in enumerate(_samples(grid)):
        read = [sheet.at(instant, LOOKBACK_DAYS) for instant in instants]
        values[step] = sum(otherwise if found is None else found[0] for found in read) / len(read)
        words.update("none (flat)" if found is None else found[1] for found in read)
    return values, words


def _limit(sheets: dict[tuple[Series, Place], _Sheet], place: Place, grid: StepGrid) -> FloatArray:
    """Return the lowest limit that holds at any instant of each step; nothing is carried over from other days."""
    limit = np.full(grid.step_count, np.inf)
    for series in LIMITS:
        sheet = sheets.get((series, place))
        if sheet is None:
            continue
        for step, instants in enumerate(_samples(grid)):
            for instant in instants:
                found = sheet.at(instant, 0)
                if found is not None:
                    limit[step] = min(limit[step], found[0])
    return limit
