"""Price, renewable power, own generation and limits per step, from signals that were known.

Nothing is read before its `known_at`, and no outcome (what was cut off in the end) is read at all.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from service.domain.plan import StepGrid
from service.domain.signal import LIMITS, SYNTHETIC, Place, Series, Signal

FLAT_JPY_PER_KWH = 20.0
"""Price of a step for which nothing at all is known. Guess: a mean year of the Japanese spot market with wheeling."""
LOOKBACK_DAYS = 7
"""How many days back the same time of day stands in for a value that is not known yet. Guess: a week."""
SAMPLE_S = 300
"""Signals are read every five minutes, the shortest interval that grid companies publish."""
DAY_S = 86_400

DECISION_SERIES: tuple[Series, ...] = ("price_jpy_per_kwh", "solar_w", "wind_w", "own_pv_w", *LIMITS)
"""What planning asks for. No outcome is among them, and no other series is read here."""
HISTORY = timedelta(days=LOOKBACK_DAYS, hours=1)
"""How far before the grid signals are wanted."""

FloatArray = NDArray[np.float64]
_Told = dict[tuple[Series, Place], list[Signal]]


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
    place = Place("area", area)
    told = _told((signal for signal in signals if signal.place == place), grid)
    samples = _Samples(grid)
    price, price_words = samples.expected(told.get(("price_jpy_per_kwh", place), []), FLAT_JPY_PER_KWH, "none (flat)")
    solar, solar_words = samples.expected(told.get(("solar_w", place), []), 0.0, "none")
    wind, wind_words = samples.expected(told.get(("wind_w", place), []), 0.0, "none")
    return SupplyForecast(
        price_jpy_per_kwh=price,
        renewable_w=np.maximum(solar, 0.0) + np.maximum(wind, 0.0),
        limit_w=samples.limit(told, place),
        price_source=_in_words(price_words, "none (flat)"),
        supply_source=_in_words(solar_words | wind_words, "none"),
    )


def forecast_sites(signals: Iterable[Signal], station_ids: Sequence[str], grid: StepGrid) -> SiteForecast:
    """Return own generation and limits of stations, in their order."""
    told = _told((signal for signal in signals if signal.place.kind == "station"), grid)
    named = {place for _, place in told}
    samples = _Samples(grid)
    own_pv = np.zeros((len(station_ids), grid.step_count))
    limit = np.full_like(own_pv, np.inf)
    for row, station_id in enumerate(station_ids):
        place = Place("station", station_id)
        if place in named:
            own_pv[row] = np.maximum(samples.expected(told.get(("own_pv_w", place), []), 0.0, "none")[0], 0.0)
            limit[row] = samples.limit(told, place)
    return SiteForecast(own_pv, limit)


def _told(signals: Iterable[Signal], grid: StepGrid) -> _Told:
    """Return what was known, by series and place. A series that no decision reads (outcomes above all) is left out."""
    told: defaultdict[tuple[Series, Place], list[Signal]] = defaultdict(list)
    for signal in signals:
        if signal.known_at <= grid.now and signal.series in DECISION_SERIES:
            told[(signal.series, signal.place)].append(signal)
    return dict(told)


def _in_words(words: set[str], nothing: str) -> str:
    # "none" beside a name would only mean: not of every step.
    return ", ".join(sorted(words)) or nothing


class _Samples:
    """The instants at which a grid is read: short cells, from a week before its first step to the end of its last."""

    def __init__(self, grid: StepGrid) -> None:
        cell_s = math.gcd(SAMPLE_S, grid.step_s)
        self._cell_s = cell_s
        self._steps = grid.step_count
        self._day = DAY_S // cell_s
        self._back = LOOKBACK_DAYS * self._day
        self._count = grid.step_count * grid.step_s // cell_s
        self._first_s = round(grid.start_at.timestamp()) - LOOKBACK_DAYS * DAY_S
        self._gone = math.floor((grid.now - grid.start_at).total_seconds() / cell_s)

    def expected(self, told: Sequence[Signal], otherwise: float, nobody: str) -> tuple[FloatArray, set[str]]:
        """Return the mean of each step and who said it: `nobody` for parts without a word, nothing when there was none at all."""
        read = np.full(self._count, otherwise)
        missing = np.ones(self._count, dtype=np.bool_)
        words: set[str] = set()
        real = [signal for signal in told if signal.source != SYNTHETIC]
        made_up = [signal for signal in told if signal.source == SYNTHETIC]
        for group in (real, made_up):
            ordered, cells = self._painted(group)
            value = np.array([signal.value for signal in ordered])
            for days in range(LOOKBACK_DAYS + 1 if ordered else 0):
                then = cells[self._back - days * self._day :][: self._count]
                take = missing & (then >= 0)
                if take.any():
                    read[take] = value[then[take]]
                    missing &= ~take
                    words |= {ordered[number].source + _carried(days) for number in np.unique(then[take])}
        if told and missing.any():
            words.add(nobody)
        return np.asarray(read.reshape(self._steps, -1).mean(axis=1), dtype=np.float64), words

    def limit(self, told: _Told, place: Place) -> FloatArray:
        """Return the lowest limit that holds at any instant of what is left of each step.

        Of each source the newest word counts, and the lowest of all sources binds. Nothing is carried over from other days.
        """
        lowest = np.full(self._count, np.inf)
        by_source: defaultdict[tuple[Series, str], list[Signal]] = defaultdict(list)
        for series in LIMITS:
            for signal in told.get((series, place), []):
                by_source[(series, signal.source)].append(signal)
        for group in by_source.values():
            ordered, cells = self._painted(group)
            now = cells[self._back :]
            value = np.array([signal.value for signal in ordered])
            lowest = np.where(now >= 0, np.minimum(lowest, value[now]), lowest)
        lowest[: self._gone] = np.inf
        return np.asarray(lowest.reshape(self._steps, -1).min(axis=1), dtype=np.float64)

    def _painted(self, signals: Sequence[Signal]) -> tuple[list[Signal], NDArray[np.int64]]:
        """Return the signals, the newest last, and for each cell the number of the one that holds there, -1 where none does.

        Among signals that became known together the shorter interval holds: it says more.
        """
        ordered = sorted(signals, key=lambda signal: (signal.known_at, -signal.period_s, signal.source))
        cells = np.full(self._back + self._count, -1, dtype=np.int64)
        for number, signal in enumerate(ordered):
            from_s = round(signal.start_at.timestamp()) - self._first_s
            begin, end = -(-from_s // self._cell_s), -(-(from_s + signal.period_s) // self._cell_s)
            cells[max(begin, 0) : max(end, 0)] = number
        return ordered, cells


def _carried(days: int) -> str:
    return ("", " (day before)")[days] if days < 2 else f" ({days} days before)"
