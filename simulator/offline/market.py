"""The grid as it was, in two halves that never meet: what a decision may know, and how things went in the end."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from service.domain.signal import OUTCOMES, Place, Series, Signal
from service.forecast.supply import DECISION_SERIES

PERIOD_S = 1800
"""Books are kept by settlement periods of half an hour, the unit of Japan's market."""
PRICE: Series = "price_jpy_per_kwh"


class CoverageError(ValueError):
    """The files do not cover the days that were asked for. The message says what they cover."""


class KnownSignals:
    """What decisions may read. Outcomes are left out here, so that nothing behind this door can ask for them."""

    def __init__(self, signals: Iterable[Signal], area: str) -> None:
        place = Place("area", area)
        self._signals = [signal for signal in signals if signal.series in DECISION_SERIES and signal.place == place]

    def at(self, now: datetime, begin: datetime, end: datetime) -> list[Signal]:
        """Return the signals for ``[begin, end)`` that were known at `now`."""
        return [signal for signal in self._signals if signal.known_at <= now and signal.end_at > begin and signal.start_at < end]

    def between(self, begin: datetime, end: datetime) -> "KnownSignals":
        """Return the same door with only the signals for ``[begin, end)`` behind it: less to look through."""
        kept = KnownSignals((), "")
        kept._signals = [signal for signal in self._signals if signal.end_at > begin and signal.start_at < end]
        return kept


@dataclass(frozen=True, slots=True)
class Outturn:
    """How things went, for the books only; axes (periods,) of half an hour from `start_at` on."""

    start_at: datetime
    price_jpy_per_kwh: NDArray[np.float64]
    curtailed_w: NDArray[np.float64]


def outturn(signals: Iterable[Signal], area: str, start_at: datetime, periods: int) -> Outturn:
    """Return what energy cost and what was cut off (sun and wind together) in each period.

    Raises
    ------
    CoverageError
        A price or a curtailed power is missing.
    """
    place = Place("area", area)
    by_series: defaultdict[Series, list[Signal]] = defaultdict(list)
    for signal in signals:
        if signal.place == place and (signal.series == PRICE or signal.series in OUTCOMES):
            by_series[signal.series].append(signal)
    cut = [_values(by_series[series], series, area, start_at, periods) for series in OUTCOMES if by_series[series]]
    if not cut:
        raise CoverageError(f"no curtailed sun or wind of area {area} in the supply file: surplus alignment means nothing then")
    price = _values(by_series[PRICE], PRICE, area, start_at, periods)
    return Outturn(start_at, price, np.sum(cut, axis=0))


def first_day(signals: Sequence[Signal], area: str, utc_offset_h: float) -> datetime:
    """Return the first local midnight from which on both price and curtailment are there. Raises CoverageError."""
    place = Place("area", area)
    begins = []
    for wanted, what in (((PRICE,), "price"), (OUTCOMES, "curtailed energy")):
        found = [signal.start_at for signal in signals if signal.place == place and signal.series in wanted]
        if not found:
            raise CoverageError(f"the files hold no {what} of area {area}")
        begins.append(min(found))
    offset = timedelta(hours=utc_offset_h)
    local = (max(begins).astimezone(UTC) + offset).timestamp()
    return datetime.fromtimestamp(math.ceil(local / 86_400) * 86_400, UTC) - offset


def _values(found: list[Signal], series: Series, area: str, start_at: datetime, periods: int) -> NDArray[np.float64]:
    """Return the mean of each period; where a value was corrected the last word counts."""
    tables: defaultdict[int, dict[int, Signal]] = defaultdict(dict)
    for signal in found:
        key = round(signal.start_at.timestamp())
        standing = tables[signal.period_s].get(key)
        if standing is None or signal.known_at > standing.known_at:
            tables[signal.period_s][key] = signal
    inner_s = min([PERIOD_S, *tables])
    first = round(start_at.timestamp())
    values = np.zeros(periods)
    for period in range(periods):
        instants = range(first + period * PERIOD_S, first + (period + 1) * PERIOD_S, inner_s)
        read = [_value(tables, instant) for instant in instants]
        known = [value for value in read if value is not None]
        if len(known) < len(read):
            at = start_at + timedelta(seconds=period * PERIOD_S)
            raise CoverageError(f"no {series} of area {area} for {at:%Y-%m-%d %H:%M} UTC{_extent(found)}")
        values[period] = sum(known) / len(known)
    return values


def _extent(found: list[Signal]) -> str:
    if not found:
        return ""
    begin, end = min(signal.start_at for signal in found), max(signal.end_at for signal in found)
    return f"; the files hold it from {begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"


def _value(tables: dict[int, dict[int, Signal]], instant_s: int) -> float | None:
    for period_s in sorted(tables):
        signal = tables[period_s].get(instant_s - instant_s % period_s)
        if signal is not None:
            return signal.value
    return None
