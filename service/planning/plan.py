"""A plan: what each station draws in each step, what it costs, and how much better the best could be at most."""

from dataclasses import dataclass, fields

import numpy as np

from service.planning.problem import FloatArray, Problem

MIN_BASE_JPY = 1.0
"""Objectives smaller than this count as this when a gap is taken, so that a gap of nothing is nothing."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The answer to a `Problem`. Energies AC [Wh per step]; axes (stations, steps), (steps,), (stations,).

    `bound_jpy` is a certified lower bound of every lawful plan's objective, `gap` = (objective - bound) / objective;
    both None when there is no certificate. `truncated`: the solver was cut off and `engine` stepped in.
    """

    engine: str
    energy_wh: FloatArray
    own_pv_wh: FloatArray
    grid_wh: FloatArray
    green_wh: FloatArray
    brown_wh: FloatArray
    objective_jpy: float
    bound_jpy: float | None
    gap: float | None
    shortfall_wh: FloatArray
    coupled_by: tuple[str, ...]
    reasons: tuple[str, ...]
    truncated: bool

    def __post_init__(self) -> None:
        """Make the arrays read-only."""
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                copy = np.array(value, dtype=np.float64, order="C")
                copy.setflags(write=False)
                object.__setattr__(self, field.name, copy)


def cost_jpy(problem: Problem, energy_wh: FloatArray, green_wh: FloatArray, brown_wh: FloatArray) -> float:
    """Return what a plan costs [JPY]: held energy, energy beyond it, and the holding of what is in the packs."""
    money = problem.green_jpy_per_kwh @ green_wh + problem.brown_jpy_per_kwh @ brown_wh
    held = problem.holding_jpy_per_kwh_step * np.cumsum(energy_wh, axis=1).sum()
    return float((money + held) / 1000.0)


def gap_of(objective_jpy: float, bound_jpy: float | None) -> float | None:
    """Return how far the objective may be above the best, as a share of itself."""
    if bound_jpy is None:
        return None
    return max(objective_jpy - bound_jpy, 0.0) / max(abs(objective_jpy), MIN_BASE_JPY)


def split_volume(problem: Problem, grid_wh: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return how the fleet's draw divides into the held volume and what is beyond it (steps,) [Wh]."""
    fleet = grid_wh.sum(axis=0)
    green = np.minimum(fleet, problem.green_wh)
    return green, fleet - green


def coupling(problem: Problem, grid_wh: FloatArray) -> tuple[str, ...]:
    """Return what couples the stations in this plan: the held volume where it is used up, else nothing."""
    held = problem.green_wh > 1e-6
    used_up = held & (grid_wh.sum(axis=0) >= problem.green_wh - 1e-3)
    return ("contracted_volume",) if used_up.any() else ()
