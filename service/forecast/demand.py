"""How many packs each station will hand out in each step: what it did lately, blended with a shape that is written down here.

A Gamma-Poisson blend: the prior says `packs per day x shape of the day` with the weight of `PRIOR_PACKS` observed packs;
what was counted since the station's first birth moves the level, never the shape. Honest and simple:
no weekday, no weather, no neighbour.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from service.domain.fleet import StationNow
from service.domain.plan import StepGrid

HISTORY_S = 14 * 86_400
"""How far back is counted [s]. Guess: two weeks hold both kinds of weekend."""
PRIOR_PER_PACK_AND_DAY = 1.0
"""Packs handed out per pack and day before anything is known. Guess: Gogoro-like cabinets turn over about once a day."""
PRIOR_PACKS = 5.0
"""How many counted packs weigh as much as the prior. Guess."""
JST = timezone(timedelta(hours=9))
HOUR = timedelta(hours=1)

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DemandForecast:
    """Expected packs handed out, per station and step, and the spread of what comes in the lead time after a step.

    Attributes
    ----------
    mean : (stations, steps) packs in each step; of step 0 only what is left.
    lead_deviation : (stations, steps) standard deviation of the packs in the lead time after the end of each step:
        Poisson around an uncertain level.
    """

    mean: FloatArray
    lead_deviation: FloatArray


def day_shape(hour: FloatArray) -> FloatArray:
    """Return demand by local hour [share per hour, integrates to one over the day].

    Guess: a base, a morning (08:00), a noon (12:30) and an evening (18:30) peak, as commuters and couriers make them.
    """
    weight = _peaks(hour)
    return weight / float(_peaks(np.arange(0, 24, 1 / 12)).mean() * 24.0)


def _peaks(hour: FloatArray) -> FloatArray:
    def peak(at: float, width: float) -> FloatArray:
        distance = np.abs((hour - at + 12.0) % 24.0 - 12.0)
        return np.asarray(np.exp(-0.5 * (distance / width) ** 2), dtype=np.float64)

    return 0.15 + peak(8.0, 1.2) + 0.6 * peak(12.5, 1.5) + 1.2 * peak(18.5, 1.8)


def _local_hour(instant: datetime) -> float:
    local = instant.astimezone(JST)
    return local.hour + local.minute / 60.0 + local.second / 3600.0


def forecast_demand(stations: tuple[StationNow, ...], grid: StepGrid, lead_s: float) -> DemandForecast:
    """Return the forecast for `stations`, in their order.

    Counted is from the station's first birth, at most `HISTORY_S` back, until ``grid.now``; of an hour that is not over only
    the part that is over counts as time.
    """
    lead_steps = max(1, round(lead_s / grid.step_s))
    all_steps = grid.step_count + lead_steps
    hours = np.array([_local_hour(grid.step_at(step) + timedelta(seconds=grid.step_s / 2)) for step in range(all_steps)])
    share = day_shape(hours) * grid.step_s / 3600.0
    share[0] *= grid.first_share
    mean = np.zeros((len(stations), grid.step_count))
    deviation = np.zeros_like(mean)
    cumulative = np.concatenate([[0.0], np.cumsum(share)])
    ahead = cumulative[1 + lead_steps :] - cumulative[1 : grid.step_count + 1]
    for row, station in enumerate(stations):
        level, variance = _level(station, grid.now)
        mean[row] = level * share[: grid.step_count]
        deviation[row] = np.sqrt(level * ahead + variance * ahead**2)
    return DemandForecast(mean=mean, lead_deviation=deviation)


def _level(station: StationNow, now: datetime) -> tuple[float, float]:
    """Return (mean, variance) of the packs that a station hands out in a day."""
    prior_day = PRIOR_PER_PACK_AND_DAY * max(len(station.packs), 1)
    begin = max(station.first_birth_at, now - timedelta(seconds=HISTORY_S))
    first_hour = begin.replace(minute=0, second=0, microsecond=0)
    whole_hours = max(0, math.ceil((now - first_hour) / HOUR))
    edges = [max(begin, first_hour)] + [first_hour + number * HOUR for number in range(1, whole_hours)] + [max(begin, now)]
    middles = np.array([_local_hour(start + (end - start) / 2) for start, end in pairwise(edges)])
    lengths_h = np.array([(end - start) / HOUR for start, end in pairwise(edges)])
    seen_days = float(day_shape(middles) @ lengths_h)
    counted = sum(count.pack_count for count in station.handed_out if first_hour <= count.hour_at <= now)
    # Gamma(PRIOR_PACKS, PRIOR_PACKS / prior_day) over the daily level, `counted` packs in `seen_days` shaped days.
    weight = PRIOR_PACKS + counted
    rate = PRIOR_PACKS / prior_day + seen_days
    return weight / rate, weight / rate**2
