"""Price and renewable power per step, from signals that were known: nothing is read before its `known_at`."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from service.domain.plan import StepGrid
from service.domain.signal import Series, Signal

FLAT_JPY_PER_KWH = 20.0
"""Price of a step for which nothing at all is known. Guess: a mean year of the Japanese spot market with wheeling."""
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class SupplyForecast:
    """Axes (steps,). `price_source` names where prices come from; what was carried over from the day before says so."""

    price_jpy_per_kwh: NDArray[np.float64]
    renewable_w: NDArray[np.float64]
    price_source: str


def forecast_supply(signals: Iterable[Signal], grid: StepGrid) -> SupplyForecast:
    """Return price and renewable power on the grid.

    A step takes the newest value that was known at ``grid.now``; where none is known yet, the value of the same time of
    the day before (market prices of tomorrow come out around noon); where that is missing too, a flat guess and no sun.
    """
    known = [signal for signal in signals if signal.known_at <= grid.now]
    price, price_words = _series(known, "price_jpy_per_kwh", grid, FLAT_JPY_PER_KWH)
    renewable, _ = _series(known, "pv_w", grid, 0.0)
    return SupplyForecast(price, np.maximum(renewable, 0.0), ", ".join(sorted(price_words)))


def _series(known: list[Signal], series: Series, grid: StepGrid, otherwise: float) -> tuple[NDArray[np.float64], set[str]]:
    newest: dict[datetime, Signal] = {}
    for signal in known:
        if signal.series == series:
            standing = newest.get(signal.start_at)
            if standing is None or signal.known_at > standing.known_at:
                newest[signal.start_at] = signal
    periods = sorted({signal.period_s for signal in newest.values()})
    values = np.empty(grid.step_count)
    words: set[str] = set()
    for step in range(grid.step_count):
        middle = grid.step_at(step) + timedelta(seconds=grid.step_s / 2)
        today, before = _covering(newest, periods, middle), _covering(newest, periods, middle - DAY)
        if today is not None:
            values[step] = today.value
            words.add(today.source)
        elif before is not None:
            values[step] = before.value
            words.add(f"{before.source} (day before)")
        else:
            values[step] = otherwise
            words.add("none (flat)")
    return values, words


def _covering(newest: dict[datetime, Signal], periods: list[int], instant: datetime) -> Signal | None:
    for period_s in periods:
        start = datetime.fromtimestamp(instant.timestamp() // period_s * period_s, instant.tzinfo)
        signal = newest.get(start)
        if signal is not None and signal.start_at <= instant < signal.end_at:
            return signal
    return None
