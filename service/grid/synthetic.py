"""A made-up day of prices and sunshine, the same every day, for running without any market. Everything is labelled 'synthetic'.

``synthetic_day.csv`` holds it, one row per half hour of the day in Japan. It is made by `day`, nothing in it was measured:
price = 12 + 6 evening peak + 3 morning peak - 8 midday dip [JPY/kWh], sun = 8 GW of plants under a clear sky from 06:00 to 18:00.
"""

import csv
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from service.domain.signal import SYNTHETIC, Place, Series, Signal

PERIOD_S = 1800
JST = timezone(timedelta(hours=9))
_FILE = Path(__file__).parent / "synthetic_day.csv"


def day() -> Iterator[tuple[int, float, float]]:
    """Yield (half hour of the day in Japan, price [JPY/kWh], solar power of an area [W]) by the formula of this module."""

    def bump(hour: float, at: float, width: float) -> float:
        return math.exp(-0.5 * ((hour - at) / width) ** 2)

    for half_hour in range(48):
        hour = half_hour / 2 + 0.25
        price = 12.0 + 6.0 * bump(hour, 18.5, 1.6) + 3.0 * bump(hour, 8.0, 1.2) - 8.0 * bump(hour, 12.5, 2.2)
        sun = max(0.0, math.sin(math.pi * (hour - 6.0) / 12.0)) ** 1.3 if 6.0 < hour < 18.0 else 0.0
        yield half_hour, round(price, 2), round(8e9 * sun, -6)


def _rows() -> list[tuple[int, float, float]]:
    with _FILE.open(newline="") as file:
        return [
            (int(row["half_hour"]), float(row["price_jpy_per_kwh"]), float(row["solar_w"]))
            for row in csv.DictReader(line for line in file if not line.startswith("#"))
        ]


def synthetic_signals(area: str, start_at: datetime, days: int, now: datetime) -> list[Signal]:
    """Return prices and sunshine of `days` whole days in Japan, the first being the one that holds `start_at`.

    A day is known from noon in Japan of the day before, as a day-ahead market's is, and never before `now`, when it is made.
    """
    midnight = start_at.astimezone(JST).replace(hour=0, minute=0, second=0, microsecond=0)
    rows = _rows()
    place = Place("area", area)
    found: list[Signal] = []
    for number in range(days):
        begins = midnight + timedelta(days=number)
        known_at = max(begins - timedelta(hours=12), now)
        for half_hour, price, solar_w in rows:
            at = (begins + timedelta(seconds=half_hour * PERIOD_S)).astimezone(UTC)
            values: tuple[tuple[Series, float], ...] = (("price_jpy_per_kwh", price), ("solar_w", solar_w))
            found += [Signal(series, place, at, PERIOD_S, value, known_at, SYNTHETIC) for series, value in values]
    return found
