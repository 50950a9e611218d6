"""Why a station charges when it does: the constraint that binds, in one sentence for a person."""

from datetime import datetime, timedelta

import numpy as np

from service.planning.problem import FloatArray, Problem

_NEAR_WH = 0.5
"""Closer to a limit than this is at the limit [Wh]."""


def reasons(problem: Problem, energy_wh: FloatArray) -> tuple[str, ...]:
    """Return one sentence per station, most pressing first: shortfall, deadline, connection, chargers, price."""
    level = np.cumsum(energy_wh, axis=1)
    supply = problem.connection_wh + problem.own_pv_wh
    return tuple(
        _reason(problem, station, energy_wh[station], level[station], supply[station]) for station in range(problem.station_count)
    )


def _reason(problem: Problem, station: int, energy: FloatArray, level: FloatArray, supply: FloatArray) -> str:
    charging = energy > _NEAR_WH
    if problem.shortfall_wh[station] > _NEAR_WH:
        short_kwh = problem.shortfall_wh[station] / 1000
        return f"Packs bind: {short_kwh:.2f} kWh cannot be in them in time, whatever chargers and grid let in."
    if not charging.any():
        return "Nothing binds: enough packs are full for the whole horizon."
    need = problem.need_wh[station]
    due = (need > _NEAR_WH) & (level <= need + _NEAR_WH)
    at_supply = charging & (energy >= supply - _NEAR_WH)
    at_chargers = charging & (energy >= problem.step_limit_wh[station] - _NEAR_WH) & ~at_supply
    price = problem.brown_jpy_per_kwh
    for step in np.flatnonzero(due[:-1]):
        before = price[: step + 1][charging[: step + 1]]
        if before.size and price[step + 1 :].min() < before.max() - 1e-9:
            return f"A deadline binds: packs are due by {_clock(problem, int(step) + 1)}, before power is at its cheapest."
    if at_supply.any():
        return f"The grid connection binds in {int(at_supply.sum())} of {int(charging.sum())} charging steps."
    if at_chargers.any():
        return f"The chargers bind in {int(at_chargers.sum())} of {int(charging.sum())} charging steps."
    return f"Price decides: it charges in {int(charging.sum())} steps, at {price[charging].mean():.1f} JPY/kWh on average."


def _clock(problem: Problem, step: int) -> str:
    instant: datetime = problem.start_at + timedelta(seconds=step * problem.step_s)
    return f"{instant:%H:%M} UTC"
