"""From packs and expected riders to the two curves between which a station's energy must run. DC side; `build` makes it AC.

need = as late as possible, reach = as soon as possible, both summed over single packs, so that taper and part-steps
are in them exactly. What the packs of one station share (its connection) comes in by `project`.
"""

from dataclasses import dataclass

import numpy as np

from service.domain.charging import ChargeCurve
from service.planning.problem import FloatArray, fastest_wh


@dataclass(frozen=True, slots=True)
class Job:
    """One pack in a slot that may be charged: where it is on its curve, from where on it may be handed out, where it shall go.

    Energies are DC [Wh]; ``ready_wh <= target_wh``.
    """

    serial_number: str
    slot_no: int
    energy_wh: float
    ready_wh: float
    target_wh: float
    curve: ChargeCurve

    @property
    def missing_wh(self) -> float:
        """Return what is missing to the target."""
        return max(self.target_wh - self.energy_wh, 0.0)


@dataclass(frozen=True, slots=True)
class Due:
    """How many packs must have got there by the end of each step (steps,), the one that misses least first.

    `full` follows the riders who are expected; `ready` has the safety stock on top: those packs may be handed out, which
    is enough for a rider nobody expected.
    """

    ready: FloatArray
    full: FloatArray

    def __post_init__(self) -> None:
        """Never let a count fall, nor fewer packs be ready than full."""
        full = np.maximum.accumulate(self.full)
        object.__setattr__(self, "full", full)
        object.__setattr__(self, "ready", np.maximum(np.maximum.accumulate(self.ready), full))


@dataclass(frozen=True, slots=True)
class Envelope:
    """Cumulative energy at the end of each step (steps,) [Wh, DC].

    At least `need_wh`, at most `reach_wh`; `need_ready_wh` is the part of the need without which a rider leaves empty.
    """

    need_wh: FloatArray
    need_ready_wh: FloatArray
    reach_wh: FloatArray


def deadlines(count: int, due: FloatArray) -> list[int | None]:
    """Return for the first `count` packs the step by whose end each is due; None: not within the horizon."""
    steps = np.searchsorted(due, np.arange(1, count + 1) - 1e-9)
    return [int(step) if step < due.shape[0] else None for step in steps]


def envelope(jobs: list[Job], due: Due, handed_out: FloatArray, back: Job | None, step_h: FloatArray) -> Envelope:
    """Return the curves of one station and pack model.

    Parameters
    ----------
    jobs : packs present, the one that misses least first: it is due first.
    handed_out : (steps,) packs handed out per step; as many come back, to be charged from the step after.
    back : what a pack is when it comes back; None when nothing is known of it (then nothing comes back).
    step_h : (steps,) length of each step [h].
    """
    end_h = np.cumsum(step_h)
    need, need_ready, reach = np.zeros_like(end_h), np.zeros_like(end_h), np.zeros_like(end_h)
    both = zip(jobs, deadlines(len(jobs), due.ready), deadlines(len(jobs), due.full), strict=True)
    for job, ready_by, full_by in both:
        reach += job.curve.gained(job.energy_wh, end_h, job.target_wh)
        ready = _as_late_as_possible(job, job.ready_wh, ready_by, end_h)
        need_ready += ready
        need += np.maximum(ready, _as_late_as_possible(job, job.target_wh, full_by, end_h))
    if back is not None:
        # Packs to come are a fluid: handed_out[a] of them start at the end of step a; each part of a pack that is
        # due beyond the packs present is due as a part of a returned one.
        since_h = np.maximum(end_h[None, :] - end_h[:, None], 0.0)
        reach += handed_out @ back.curve.gained(back.energy_wh, since_h, back.target_wh)
        ready = _fluid(back, back.ready_wh, np.maximum(due.ready - len(jobs), 0.0), end_h)
        need_ready += ready
        need += np.maximum(ready, _fluid(back, back.target_wh, np.maximum(due.full - len(jobs), 0.0), end_h))
    return Envelope(need_wh=need, need_ready_wh=need_ready, reach_wh=reach)


def _as_late_as_possible(job: Job, level_wh: float, by: int | None, end_h: FloatArray) -> FloatArray:
    """Return what a pack must have gained by the end of each step to be at `level_wh` by the end of step `by`."""
    if by is None or job.energy_wh >= level_wh:
        return np.zeros_like(end_h)
    left_h = np.maximum(end_h[by] - end_h, 0.0)
    return np.maximum(level_wh - job.energy_wh - job.curve.gained_last(left_h, level_wh), 0.0)


def _fluid(back: Job, level_wh: float, due: FloatArray, end_h: FloatArray) -> FloatArray:
    """Return the same for `due` returned packs, cumulative over the steps and not whole."""
    left_h = np.maximum(end_h[:, None] - end_h[None, :], 0.0)
    each = np.maximum(max(level_wh - back.energy_wh, 0.0) - back.curve.gained_last(left_h, level_wh), 0.0)
    return np.asarray(np.diff(due, prepend=0.0) @ each, dtype=np.float64)


def project(need_wh: FloatArray, reach_wh: FloatArray, ceiling_wh: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Cut what cannot be reached out of the need and return (need, shortfall): (stations, steps) and (stations,) [Wh].

    The shortfall is provable: charging as fast as packs, chargers and connection allow does not give more.
    """
    fastest = fastest_wh(reach_wh, ceiling_wh)
    short = np.maximum(need_wh - fastest, 0.0).max(axis=1)
    return np.maximum.accumulate(np.minimum(need_wh, fastest), axis=1), np.where(short > 1e-6, short, 0.0)
