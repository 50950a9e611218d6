"""From the fleet, a demand forecast and prices to a `Problem`. Every pack is looked at here once and then only as energy."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from service.domain.charging import ChargeCurve
from service.domain.fleet import FleetNow, StationNow
from service.domain.pack import PackNow
from service.domain.plan import StepGrid
from service.planning.envelopes import Due, Job, envelope, project
from service.planning.policies import Policy
from service.planning.problem import FloatArray, Problem

SHAPE_FLOOR_W = 1e-9
"""Renewable power below this over the whole horizon is none."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is expected, on the grid of the problem.

    Attributes
    ----------
    handed_out : (stations, steps) packs expected to be handed out in each step, mean.
    lead_deviation : (stations, steps) its standard deviation.
    price_jpy_per_kwh : (steps,) price of energy.
    renewable_w : (steps,) shape of the generation behind the contracted volume; only its proportions count.
    price_source : who says so, shown wherever a price is shown.
    own_pv_w : (stations, steps) generation behind each station's own meter; None: nobody has any.
    site_limit_w : (stations, steps) most that each station may draw, whatever its connection allows; infinite or None: any.
    fleet_limit_w : (steps,) most that the whole fleet may draw; infinite or None: any.
    """

    handed_out: FloatArray
    lead_deviation: FloatArray
    price_jpy_per_kwh: FloatArray
    renewable_w: FloatArray
    price_source: str
    own_pv_w: FloatArray | None = None
    site_limit_w: FloatArray | None = None
    fleet_limit_w: FloatArray | None = None


@dataclass(frozen=True, slots=True)
class StationJobs:
    """One station's packs that can be charged, by model, each list with the nearest to its target first."""

    by_model: dict[str, list[Job]]
    due: dict[str, Due]

    @property
    def jobs(self) -> list[Job]:
        """Return all packs of the station."""
        return [job for jobs in self.by_model.values() for job in jobs]


def jobs_of(station: StationNow) -> dict[str, list[Job]]:
    """Return the packs that may be charged: healthy, heard of, in a slot that charges."""
    ceilings = {slot.slot_no: slot.max_charge_dc_w for slot in station.slots if slot.charges}
    found: dict[str, list[Job]] = {}
    for pack in station.packs:
        power_w = min(ceilings.get(pack.slot_no, 0.0), pack.model.max_charge_w)
        capacity_wh = pack.model.nominal_wh * pack.soh
        if pack.condition != "ok" or pack.fault_count or pack.reading_at is None or power_w <= 0 or capacity_wh <= 0:
            continue
        found.setdefault(pack.model.pack_model_id, []).append(_job(pack, capacity_wh, power_w))
    return {model: sorted(jobs, key=lambda job: (job.missing_wh, job.slot_no)) for model, jobs in sorted(found.items())}


def _job(pack: PackNow, capacity_wh: float, power_w: float) -> Job:
    return Job(
        serial_number=pack.serial_number,
        slot_no=pack.slot_no,
        energy_wh=min(max(pack.soc, 0.0), 1.0) * capacity_wh,
        ready_wh=min(pack.model.hand_out_soc, pack.model.target_soc) * capacity_wh,
        target_wh=pack.model.target_soc * capacity_wh,
        curve=ChargeCurve(capacity_wh, power_w),
    )


def claims_out(station: StationNow, pack_model_id: str, grid: StepGrid, *, ready: bool) -> FloatArray:
    """Return the packs of one model that live reservations take, cumulative at the end of each step (steps,).

    Parameters
    ----------
    ready : count a pack when it must stand there full, which is before the rider comes: by the end of the step before;
        False: when it leaves.
    """
    out = np.zeros(grid.step_count)
    for claim in station.claims:
        step = grid.step_of(claim.arrive_from)
        if step < grid.step_count and claim.expires_at > grid.now and claim.pack_model_id == pack_model_id:
            out[max(step - 1, 0) if ready else step] += claim.pack_count
    return np.cumsum(out)


def build(fleet: FleetNow, grid: StepGrid, outlook: Outlook, policy: Policy) -> tuple[Problem, tuple[StationJobs, ...]]:
    """Return the problem and, per station, the packs behind it.

    Raises
    ------
    ProblemError
        When forecast or state do not fit together.
    """
    stations = sorted(fleet.stations, key=lambda station: station.station_id)
    shape = (len(stations), grid.step_count)
    need, need_ready, reach, limit, connection = (np.zeros(shape) for _ in range(5))
    step_h = np.array([grid.duration_s(step) for step in range(grid.step_count)]) / 3600.0
    all_jobs: list[StationJobs] = []
    expected_wh = 0.0
    for row, station in enumerate(stations):
        by_model = jobs_of(station)
        count = sum(len(jobs) for jobs in by_model.values())
        due: dict[str, Due] = {}
        for model_id, jobs in by_model.items():
            expected = np.cumsum(outlook.handed_out[row]) * len(jobs) / count
            # A rider with a reservation is one of those expected: the larger of the two counts, never their sum.
            leave, ready = (np.maximum(expected, claims_out(station, model_id, grid, ready=ready)) for ready in (False, True))
            due[model_id] = _due(ready, outlook.lead_deviation[row] * len(jobs) / count, len(jobs), policy)
            curves = envelope(jobs, due[model_id], np.diff(leave, prepend=0.0), _returned(jobs, fleet, policy), step_h)
            need[row] += curves.need_wh / station.charger_efficiency
            need_ready[row] += curves.need_ready_wh / station.charger_efficiency
            reach[row] += curves.reach_wh / station.charger_efficiency
        power_dc_w = sum(job.curve.power_w for jobs in by_model.values() for job in jobs)
        limit[row] = power_dc_w / station.charger_efficiency * step_h
        connection[row] = station.max_import_ac_w * step_h
        expected_wh += need[row, -1]
        all_jobs.append(StationJobs(by_model, due))
    reach = np.maximum.accumulate(reach, axis=1)
    if outlook.site_limit_w is not None:
        connection = np.minimum(connection, outlook.site_limit_w * step_h)
    if outlook.fleet_limit_w is not None:
        connection = _shared_out(connection, np.minimum(connection, limit), outlook.fleet_limit_w * step_h)
    own_pv = np.zeros(shape) if outlook.own_pv_w is None else outlook.own_pv_w * step_h
    ceiling = np.minimum(limit, connection + own_pv)
    _, short = project(need_ready, reach, ceiling)
    need, _ = project(need, reach, ceiling)
    shape_wh = np.maximum(outlook.renewable_w, 0.0) * step_h
    whole = shape_wh.sum()
    green = policy.green_share * expected_wh * shape_wh / whole if whole > SHAPE_FLOOR_W else np.zeros(grid.step_count)
    price = outlook.price_jpy_per_kwh + policy.away_from_sun_jpy_per_kwh * _away_from_sun(outlook.renewable_w)
    problem = Problem(
        start_at=grid.start_at,
        step_s=grid.step_s,
        first_share=grid.first_share,
        station_ids=tuple(station.station_id for station in stations),
        need_wh=need,
        reach_wh=reach,
        step_limit_wh=limit,
        connection_wh=connection,
        own_pv_wh=own_pv,
        shortfall_wh=short,
        green_wh=green,
        green_jpy_per_kwh=np.minimum(policy.green_jpy_per_kwh, outlook.price_jpy_per_kwh),
        brown_jpy_per_kwh=price,
        holding_jpy_per_kwh_step=policy.holding_jpy_per_kwh_step,
        price_source=outlook.price_source,
    )
    return problem, tuple(all_jobs)


def _away_from_sun(renewable_w: FloatArray) -> FloatArray:
    """Return how far each step is from the sunniest and windiest of the horizon: 0 there, 1 where nothing is expected."""
    expected_w = np.maximum(renewable_w, 0.0)
    strongest_w = float(expected_w.max(initial=0.0))
    return np.zeros_like(expected_w) if strongest_w <= SHAPE_FLOOR_W else 1.0 - expected_w / strongest_w


def _shared_out(connection_wh: FloatArray, usable_wh: FloatArray, fleet_wh: FloatArray) -> FloatArray:
    """Return the connections when the fleet together may draw `fleet_wh` (steps,): in proportion to what each could draw at most.

    Stricter than one limit for the fleet, and lawful at once for every station alone. Where all that can be drawn fits, nothing
    is cut; a station without a pack to charge takes nothing from the others.
    """
    whole = usable_wh.sum(axis=0)
    binds = whole > fleet_wh
    share = np.divide(fleet_wh, whole, out=np.ones_like(whole), where=binds)
    return np.where(binds, usable_wh * share, connection_wh)


def _due(riders: FloatArray, lead_deviation: FloatArray, packs: int, policy: Policy) -> Due:
    """Return when how many of `packs` are due: full for the `riders` expected, ready for those who come beyond them."""
    stock = np.minimum(np.ceil(policy.safety_z * lead_deviation), np.floor(policy.most_stock_share * packs))
    full = riders.copy()
    full[-1] += np.floor(policy.end_stock_share * packs)
    return Due(ready=riders + stock, full=full)


def _returned(jobs: Sequence[Job], fleet: FleetNow, policy: Policy) -> Job:
    """Return what a pack of this model is when it comes back: as worn as the ones here, as empty as lately."""
    capacity_wh = float(np.median([job.curve.capacity_wh for job in jobs]))
    power_w = float(np.median([job.curve.power_w for job in jobs]))
    target = float(np.median([job.target_wh / job.curve.capacity_wh for job in jobs]))
    soc = policy.return_soc if fleet.return_soc is None else fleet.return_soc
    ready = float(np.median([job.ready_wh / job.curve.capacity_wh for job in jobs]))
    return Job("", 0, soc * capacity_wh, ready * capacity_wh, target * capacity_wh, ChargeCurve(capacity_wh, power_w))
