"""One station's part of a plan as the order it gets: rows bound to serials, the site's ceiling, what to do when alone."""

from datetime import datetime, timedelta
from math import ceil, floor

import numpy as np

from service.domain.command import NeedReady, SchedulePeriod, ScheduleRow, SetSchedule, SitePeriod
from service.domain.fleet import StationNow
from service.domain.plan import StepGrid
from service.planning.build import StationJobs
from service.planning.disaggregate import PackPowers
from service.planning.policies import Policy
from service.planning.problem import FloatArray

SAME_W = 25.0
"""Two limits that differ by less are the same to a charger [W]. Guess: 5 % of a 500 W charger."""
SAME_SHARE = 0.05
"""... or by less than this share of the larger. Guess: the telemetry dead band of power."""
LOOK_AHEAD_S = 600
"""A change further ahead than this can wait for the next schedule [s]: `service.cycle` sends one every ten minutes anyway."""


def make_schedule(
    station: StationNow,
    jobs: StationJobs,
    powers: PackPowers,
    energy_ac_wh: FloatArray,
    grid: StepGrid,
    policy: Policy,
    schedule_id: str,
) -> SetSchedule:
    """Return the order for one station. It starts in the running second; steps begin where the grid says.

    Every pack that may be charged has a row, those that wait too (limit 0): a pack without a row would be charged by
    the station as it sees fit.
    """
    start_at = grid.now.replace(microsecond=0)
    starts = [0] + [round((grid.step_at(step) - start_at).total_seconds()) for step in range(1, grid.step_count)]
    hours = np.array([grid.duration_s(step) for step in range(grid.step_count)]) / 3600.0
    site_w = np.minimum(energy_ac_wh / hours, station.max_import_ac_w)
    rows = tuple(
        ScheduleRow(
            slot_no=slot_no,
            serial_number=serial,
            periods=tuple(
                SchedulePeriod(start_s=start, limit_dc_w=limit, target_soc=target)
                for start, limit in _merged(starts, powers.power_dc_w[index])
            ),
        )
        for index, (slot_no, serial, target) in enumerate(
            zip(powers.slot_numbers, powers.serial_numbers, powers.target_socs, strict=True)
        )
    )
    return SetSchedule(
        schedule_id=schedule_id,
        start_at=start_at,
        rows=tuple(sorted(rows, key=lambda row: row.slot_no)),
        site=tuple(SitePeriod(start_s=start, limit_ac_w=limit) for start, limit in _merged(starts, site_w)),
        fallback_limit_ac_w=float(floor(policy.fallback_share * station.max_import_ac_w)),
        need_ready=_need_ready(station, jobs, grid, policy),
        max_offline_s=policy.most_offline_s,
    )


def _merged(starts: list[int], watts: FloatArray) -> list[tuple[int, float]]:
    """Return (start, whole watts) where the value changes; later of two steps in the same second wins."""
    merged: list[tuple[int, float]] = []
    for start, value in zip(starts, watts, strict=True):
        limit = float(floor(max(float(value), 0.0) + 1e-6))
        if merged and merged[-1][0] == start:
            merged.pop()
        if not merged or merged[-1][1] != limit:
            merged.append((start, limit))
    return merged


def _need_ready(station: StationNow, jobs: StationJobs, grid: StepGrid, policy: Policy) -> tuple[NeedReady, ...]:
    models = {pack.model.pack_model_id: pack.model for pack in station.packs}
    by_at = grid.step_at(grid.step_of(grid.now + timedelta(hours=policy.need_ready_h)))
    step = min(grid.step_of(by_at), grid.step_count) - 1
    return tuple(
        NeedReady(
            pack_model_id=model_id,
            count=min(ceil(float(due.ready[max(step, 0)]) - 1e-9), len(jobs.by_model[model_id])),
            min_usable_wh=models[model_id].hand_out_soc * models[model_id].nominal_wh,
            by_at=by_at,
        )
        for model_id, due in jobs.due.items()
    )


def differs(old: SetSchedule, new: SetSchedule, now: datetime) -> bool:
    """Return whether a station that follows `old` would soon do something else under `new`.

    Compared are the serials with a row and, over `LOOK_AHEAD_S`, every limit as a function of time.
    """
    old_rows = {(row.slot_no, row.serial_number): row.periods for row in old.rows}
    new_rows = {(row.slot_no, row.serial_number): row.periods for row in new.rows}
    if old_rows.keys() != new_rows.keys():
        return True
    ceilings: list[tuple[list[tuple[int, float]], list[tuple[int, float]]]] = [
        ([(p.start_s, p.limit_dc_w) for p in old_rows[key]], [(p.start_s, p.limit_dc_w) for p in new_rows[key]])
        for key in new_rows
    ]
    ceilings.append(([(p.start_s, p.limit_ac_w) for p in old.site], [(p.start_s, p.limit_ac_w) for p in new.site]))
    moments = {now} | {
        schedule.start_at + timedelta(seconds=start)
        for schedule, side in ((old, 0), (new, 1))
        for pair in ceilings
        for start, _ in pair[side]
        if now < schedule.start_at + timedelta(seconds=start) < now + timedelta(seconds=LOOK_AHEAD_S)
    }
    for moment in moments:
        for before, after in ceilings:
            was, will = _limit_at(before, old.start_at, moment), _limit_at(after, new.start_at, moment)
            if abs(was - will) > max(SAME_W, SAME_SHARE * max(was, will)):
                return True
    return False


def _limit_at(periods: list[tuple[int, float]], start_at: datetime, moment: datetime) -> float:
    seconds = (moment - start_at).total_seconds()
    limit = 0.0
    for start, value in periods:
        # A step that begins within the rounding to whole seconds has begun.
        if start > seconds + 1.0:
            break
        limit = value
    return limit
