"""From a station's energy per step to power per pack: whole packs, the urgent ones first, never above any limit.

A step's energy that no pack present can take stays with the station: it is meant for packs that come back.
"""

from dataclasses import dataclass

import numpy as np

from service.planning.build import StationJobs
from service.planning.envelopes import Job, deadlines
from service.planning.problem import FloatArray

ENOUGH_LAXITY_H = 0.25
"""A pack with less laxity than this goes before all others [h]: one step."""


@dataclass(frozen=True, slots=True)
class PackPowers:
    """Mean DC power of each pack in each step (packs, steps) [W], rows as `serial_numbers` and `slot_numbers` say."""

    serial_numbers: tuple[str, ...]
    slot_numbers: tuple[int, ...]
    target_socs: tuple[float, ...]
    power_dc_w: FloatArray
    left_ac_wh: FloatArray
    """(steps,) planned energy that is left for packs to come [Wh, AC]."""


def disaggregate(station: StationJobs, energy_ac_wh: FloatArray, step_h: FloatArray, efficiency: float) -> PackPowers:
    """Give each step's energy first to the packs that cannot wait a step longer, then by earliest deadline.

    Laxity of a pack = time to its deadline less the time it needs at full power. Deadlines alone would start an empty pack
    too late; laxity alone would change packs with every plan, since who waits becomes more urgent. Packs without a
    deadline come last, the one that misses least first. What a pack takes in a step ends at its charge curve and target.
    """
    jobs, ready_by_h, full_by_h = _with_deadlines(station, step_h)
    energy = np.array([job.energy_wh for job in jobs])
    target = np.array([job.target_wh for job in jobs])
    powers = np.zeros((len(jobs), step_h.shape[0]))
    left = np.array(energy_ac_wh, dtype=np.float64)
    now_h = 0.0
    for step, hours in enumerate(step_h):
        open_dc = float(left[step]) * efficiency
        waits = [index for index in range(len(jobs)) if target[index] - energy[index] > 1e-9]
        if open_dc > 1e-9 and waits:
            order = {
                index: _urgency(jobs[index], energy[index], ready_by_h[index] - now_h, full_by_h[index] - now_h)
                for index in waits
            }
            for index in sorted(waits, key=lambda at: (*order[at], target[at] - energy[at], jobs[at].slot_no)):
                most = float(jobs[index].curve.gained(energy[index], hours, target[index]))
                takes = min(most, open_dc)
                energy[index] += takes
                powers[index, step] = takes / hours
                open_dc -= takes
                if open_dc <= 1e-9:
                    open_dc = max(open_dc, 0.0)
                    break
            left[step] = open_dc / efficiency
        now_h += float(hours)
    return PackPowers(
        serial_numbers=tuple(job.serial_number for job in jobs),
        slot_numbers=tuple(job.slot_no for job in jobs),
        target_socs=tuple(min(round(job.target_wh / job.curve.capacity_wh, 4), 1.0) for job in jobs),
        power_dc_w=powers,
        left_ac_wh=left,
    )


def _with_deadlines(station: StationJobs, step_h: FloatArray) -> tuple[list[Job], list[float], list[float]]:
    end_h = np.cumsum(step_h)
    jobs: list[Job] = []
    ready_by_h: list[float] = []
    full_by_h: list[float] = []
    for model_id, of_model in station.by_model.items():
        jobs += of_model
        for by_h, due in ((ready_by_h, station.due[model_id].ready), (full_by_h, station.due[model_id].full)):
            by_h += [float("inf") if step is None else float(end_h[step]) for step in deadlines(len(of_model), due)]
    return jobs, ready_by_h, full_by_h


def _urgency(job: Job, energy_wh: float, ready_in_h: float, full_in_h: float) -> tuple[bool, float]:
    """Return what a pack is ranked by: whether it can wait for a step, then its deadline [h from now].

    Of its two deadlines the one with less laxity counts.
    """
    choices = [
        (in_h - float(job.curve.hours_at(level_wh) - job.curve.hours_at(energy_wh)), in_h)
        for level_wh, in_h in ((job.ready_wh, ready_in_h), (job.target_wh, full_in_h))
        if energy_wh < level_wh
    ]
    laxity_h, in_h = min(choices)
    return laxity_h >= ENOUGH_LAXITY_H, in_h
