"""What is to be solved: frozen arrays with named axes, refused by name when they do not fit. How they are made is in `build`.

Axes: (stations, steps). Energies are AC, at the grid connection, in Wh per step or Wh cumulative; prices JPY/kWh.
"""

from dataclasses import dataclass, fields
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


class ProblemError(ValueError):
    """A problem that means nothing. `name` says which rule is broken: Shape, NotFinite, Negative, Order, Steps, Stations."""

    def __init__(self, name: str, detail: str) -> None:
        super().__init__(f"{name}: {detail}")
        self.name = name


@dataclass(frozen=True, slots=True)
class Problem:
    """One fleet over one horizon. The arrays are made read-only; the same problem gives the same plan.

    Attributes
    ----------
    start_at : when step 0 began; `first_share` of it is left, in ``(0, 1]``.
    station_ids : axis `stations`, strictly growing.
    need_wh : (stations, steps) least cumulative energy at the end of each step; already reachable.
    reach_wh : (stations, steps) most cumulative energy that the packs can have taken at the end of each step.
    step_limit_wh : (stations, steps) most energy into the chargers in one step.
    connection_wh : (stations, steps) most energy drawn from the grid in one step.
    own_pv_wh : (stations, steps) own generation behind the meter, free of charge.
    shortfall_wh : (stations,) energy that is needed in time and provably cannot be there.
    green_wh : (steps,) volume the operator holds: contracted generation, shared by all stations.
    green_jpy_per_kwh, brown_jpy_per_kwh : (steps,) price inside and beyond that volume; green never above brown.
    holding_jpy_per_kwh_step : price of one kWh that stays in packs for one step: positive when rest at high SoC costs
        life, negative when being ready early is worth something.
    """

    start_at: datetime
    step_s: int
    first_share: float
    station_ids: tuple[str, ...]
    need_wh: FloatArray
    reach_wh: FloatArray
    step_limit_wh: FloatArray
    connection_wh: FloatArray
    own_pv_wh: FloatArray
    shortfall_wh: FloatArray
    green_wh: FloatArray
    green_jpy_per_kwh: FloatArray
    brown_jpy_per_kwh: FloatArray
    holding_jpy_per_kwh_step: float
    price_source: str

    def __post_init__(self) -> None:
        """Validate and freeze. Raises ProblemError."""
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                copy = np.array(value, dtype=np.float64, order="C")
                copy.setflags(write=False)
                object.__setattr__(self, field.name, copy)
        _validate(self)

    @property
    def station_count(self) -> int:
        """Return the length of the axis `stations`."""
        return len(self.station_ids)

    @property
    def step_count(self) -> int:
        """Return the length of the axis `steps`."""
        return int(self.green_wh.shape[0])

    @property
    def step_h(self) -> FloatArray:
        """Return how long each step lasts, of step 0 what is left of it (steps,) [h]."""
        hours = np.full(self.step_count, self.step_s / 3600.0)
        hours[0] *= self.first_share
        return hours

    @property
    def step_ceiling_wh(self) -> FloatArray:
        """Return what a station can take in a step, chargers and supply together (stations, steps) [Wh]."""
        return np.minimum(self.step_limit_wh, self.connection_wh + self.own_pv_wh)


_TABLES = ("need_wh", "reach_wh", "step_limit_wh", "connection_wh", "own_pv_wh")
_ROWS = ("green_wh", "green_jpy_per_kwh", "brown_jpy_per_kwh")
_NOT_NEGATIVE = (*_TABLES, "shortfall_wh", "green_wh")
SLACK_WH = 1e-6
"""Rounding that is forgiven between two arrays of a problem [Wh]."""


def _validate(problem: Problem) -> None:
    stations, steps = problem.station_count, problem.step_count
    if problem.start_at.tzinfo is None or problem.start_at.timestamp() % problem.step_s:
        raise ProblemError("Steps", f"start_at {problem.start_at} is not a multiple of {problem.step_s} s")
    if not 0 < problem.first_share <= 1 or steps < 1:
        raise ProblemError("Steps", f"{steps} steps with {problem.first_share} of the first left")
    if list(problem.station_ids) != sorted(set(problem.station_ids)):
        raise ProblemError("Stations", "station ids must grow strictly")
    wanted = dict.fromkeys(_TABLES, (stations, steps)) | dict.fromkeys(_ROWS, (steps,)) | {"shortfall_wh": (stations,)}
    for name, shape in wanted.items():
        array = getattr(problem, name)
        if array.shape != shape:
            raise ProblemError("Shape", f"{name} has the shape {array.shape}, not {shape}")
        if not np.isfinite(array).all():
            raise ProblemError("NotFinite", name)
        if name in _NOT_NEGATIVE and (array < 0).any():
            raise ProblemError("Negative", name)
    if not np.isfinite(problem.holding_jpy_per_kwh_step):
        raise ProblemError("NotFinite", "holding_jpy_per_kwh_step")
    if (problem.green_jpy_per_kwh > problem.brown_jpy_per_kwh).any():
        raise ProblemError("Order", "energy inside the held volume costs more than beyond it: then nobody would hold it")
    for name in ("need_wh", "reach_wh"):
        if (np.diff(getattr(problem, name), axis=1) < -SLACK_WH).any():
            raise ProblemError("Order", f"{name} falls from one step to the next")
    fastest = fastest_wh(problem.reach_wh, problem.step_ceiling_wh)
    if (problem.need_wh > fastest + SLACK_WH).any():
        raise ProblemError("Order", "need_wh is above what can be reached; project it first")


def fastest_wh(reach_wh: FloatArray, ceiling_wh: FloatArray) -> FloatArray:
    """Return the cumulative energy when everything is charged as soon as possible (stations, steps) [Wh]."""
    fastest = np.empty_like(reach_wh)
    level = np.zeros(reach_wh.shape[0])
    for step in range(reach_wh.shape[1]):
        level = np.minimum(reach_wh[:, step], level + ceiling_wh[:, step])
        fastest[:, step] = level
    return fastest
