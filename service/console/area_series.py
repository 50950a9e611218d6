"""The area as the chart shows it: sun, wind, what was cut off and the price so far, and what is expected of them. Pure.

So far: the newest value known of each instant, on a raster of five minutes. Ahead: what a plan made now would expect, and for
what has passed but is not known yet, what was expected when it began.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from service.domain.plan import StepGrid
from service.domain.signal import SYNTHETIC, Place, Series, Signal
from service.forecast.supply import HISTORY, forecast_supply

RASTER_S = 300
"""Source: the shortest interval that grid companies publish."""
AREA_SERIES: tuple[Series, ...] = ("solar_w", "wind_w", "solar_curtailed_w", "wind_curtailed_w", "price_jpy_per_kwh")
"""What the chart reads of an area. What was cut off is an outcome: it is drawn, no decision reads it."""

Known = tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class AreaSeries:
    """What is known and expected of an area. The past begins at `first_at` and has one element per five minutes, None: unknown.

    `cut_off_w` comes on top of `generated_w`. What is expected begins at `ahead_at`, in steps of `step_s`; `expected_w` is empty
    where nobody ever spoke of supply.
    """

    first_at: datetime
    generated_w: Known
    cut_off_w: Known
    price_jpy_per_kwh: Known
    ahead_at: datetime
    step_s: int
    expected_w: tuple[float, ...]
    expected_jpy_per_kwh: Known
    supply_source: str
    price_source: str

    @property
    def end_at(self) -> datetime:
        """Return where what is expected ends."""
        return self.ahead_at + timedelta(seconds=self.step_s * len(self.expected_jpy_per_kwh))


def wanted_from(first_at: datetime, now: datetime) -> datetime:
    """Return from which instant on signals are wanted for a chart that begins at `first_at`."""
    return min(first_at, StepGrid(now).start_at - HISTORY)


def area_series(signals: Sequence[Signal], area: str, first_at: datetime, now: datetime) -> AreaSeries:
    """Return the area's day; `signals` are those known at `now`, from `wanted_from` to the end of the grid."""
    grid = StepGrid(now)
    seconds = range(round(first_at.timestamp()), round(now.timestamp()) + 1, RASTER_S)
    past = {series: _past(signals, Place("area", area), series, seconds) for series in AREA_SERIES}
    generated = _sum(past["solar_w"], past["wind_w"])
    expected = forecast_supply(signals, area, grid)
    begun = StepGrid(_known_until(first_at, generated))
    passed = max(0, (grid.start_at - begun.start_at) // timedelta(seconds=grid.step_s))
    was_expected = forecast_supply(signals, area, replace(begun, step_count=passed)).renewable_w.tolist() if passed else []
    return AreaSeries(
        first_at=first_at,
        generated_w=generated,
        cut_off_w=_sum(past["solar_curtailed_w"], past["wind_curtailed_w"]),
        price_jpy_per_kwh=past["price_jpy_per_kwh"],
        ahead_at=grid.step_at(-passed),
        step_s=grid.step_s,
        expected_w=() if expected.supply_source == "none" else (*was_expected, *expected.renewable_w.tolist()),
        expected_jpy_per_kwh=(None,) * passed + tuple(expected.price_jpy_per_kwh.tolist()),
        supply_source=expected.supply_source,
        price_source=expected.price_source,
    )


def _known_until(first_at: datetime, values: Known) -> datetime:
    known = [place for place, value in enumerate(values) if value is not None]
    return first_at + timedelta(seconds=RASTER_S * (known[-1] + 1 if known else 0))


def _past(signals: Iterable[Signal], place: Place, series: Series, seconds: range) -> Known:
    """Return one series at each instant. Where anybody speaks of it at all, what is made up is left out: a gap is a gap."""
    own = [signal for signal in signals if signal.series == series and signal.place == place]
    real = [signal for signal in own if signal.source != SYNTHETIC]
    tables: defaultdict[int, dict[int, tuple[datetime, float]]] = defaultdict(dict)
    for signal in real or own:
        key = round(signal.start_at.timestamp())
        standing = tables[signal.period_s].get(key)
        if standing is None or signal.known_at > standing[0]:
            tables[signal.period_s][key] = (signal.known_at, signal.value)
    return tuple(_value_at(tables, instant_s) for instant_s in seconds)


def _value_at(tables: dict[int, dict[int, tuple[datetime, float]]], instant_s: int) -> float | None:
    for period_s in sorted(tables):
        found = tables[period_s].get(instant_s - instant_s % period_s)
        if found is not None:
            return found[1]
    return None


def _sum(first: Known, second: Known) -> Known:
    """Return the sum, negative powers (own use at night) counted as nothing; one of two is enough to say something."""
    return tuple(
        None if one is None and two is None else max(one or 0.0, 0.0) + max(two or 0.0, 0.0)
        for one, two in zip(first, second, strict=True)
    )
