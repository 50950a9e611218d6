"""Whatever the station: powers per pack keep every limit, and not a watt-hour is made or lost."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.wire.codec import MAX_BYTES, encode
from service.dispatch.translate import wire_command
from service.domain.command import Command
from service.domain.plan import StepGrid
from service.planning.build import build
from service.planning.check import check
from service.planning.disaggregate import disaggregate
from service.planning.examples import NOW, example_fleet, example_outlook
from service.planning.plan import Plan
from service.planning.policies import Policy
from service.planning.schedule import make_schedule
from service.planning.solve import solve


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 3600), st.integers(1, 16))
def test_powers_keep_every_limit_and_conserve_energy(seed: int, offset_s: int, slots: int) -> None:
    fleet = example_fleet(3, seed, slots=slots, now=NOW + timedelta(seconds=offset_s))
    grid = StepGrid(fleet.at)
    problem, jobs = build(fleet, grid, example_outlook(fleet, grid, seed), Policy())
    plan = solve(problem, limit_s=30)
    assert isinstance(plan, Plan)
    assert check(problem, plan) == ()
    step_h = problem.step_h
    for row, station in enumerate(fleet.stations):
        powers = disaggregate(jobs[row], plan.energy_wh[row], step_h, station.charger_efficiency)
        energy_dc = powers.power_dc_w * step_h
        assert (powers.power_dc_w >= 0).all()
        # Charger and pack: the smaller of both ceilings.
        ceilings = {job.serial_number: job.curve.power_w for job in jobs[row].jobs}
        for at, serial in enumerate(powers.serial_numbers):
            assert powers.power_dc_w[at].max(initial=0.0) <= ceilings[serial] + 1e-6
        # No pack beyond its target, none faster than its curve.
        missing = {job.serial_number: job.missing_wh for job in jobs[row].jobs}
        for at, serial in enumerate(powers.serial_numbers):
            assert energy_dc[at].sum() <= missing[serial] + 1e-6
        # The station's energy, step by step: given out or left, nothing else.
        given_ac = energy_dc.sum(axis=0) / station.charger_efficiency
        np.testing.assert_allclose(given_ac + powers.left_ac_wh, plan.energy_wh[row], atol=1e-6)
        assert (powers.left_ac_wh >= -1e-9).all()
        assert (given_ac <= station.max_import_ac_w * step_h + 1e-6).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 899))
def test_a_schedule_names_each_pack_once_and_its_periods_fit_the_wire(seed: int, offset_s: int) -> None:
    fleet = example_fleet(1, seed, now=NOW.replace(minute=0, second=0) + timedelta(seconds=offset_s, milliseconds=300))
    grid = StepGrid(fleet.at)
    problem, jobs = build(fleet, grid, example_outlook(fleet, grid, seed), Policy())
    plan = solve(problem, limit_s=30)
    assert isinstance(plan, Plan)
    station = fleet.stations[0]
    powers = disaggregate(jobs[0], plan.energy_wh[0], problem.step_h, station.charger_efficiency)
    schedule = make_schedule(station, jobs[0], powers, plan.energy_wh[0], grid, Policy(), "sch_1")
    assert sorted((row.slot_no, row.serial_number) for row in schedule.rows) == sorted(
        (pack.slot_no, pack.serial_number) for pack in station.packs
    )
    for starts in (
        *([period.start_s for period in row.periods] for row in schedule.rows),
        [period.start_s for period in schedule.site],
    ):
        assert starts[0] == 0
        assert starts == sorted(set(starts))
        assert starts[-1] < 86_400
        assert len(starts) <= 96
    assert all(0 <= period.limit_ac_w <= station.max_import_ac_w for period in schedule.site)
    assert all(0 < period.target_soc <= 1 for row in schedule.rows for period in row.periods)


def test_the_schedule_of_a_large_station_fits_into_one_message() -> None:
    fleet = example_fleet(1, seed=7, slots=60)
    grid = StepGrid(fleet.at)
    problem, jobs = build(fleet, grid, example_outlook(fleet, grid, 7), Policy())
    plan = solve(problem, limit_s=30)
    assert isinstance(plan, Plan)
    station = fleet.stations[0]
    powers = disaggregate(jobs[0], plan.energy_wh[0], problem.step_h, station.charger_efficiency)
    order = make_schedule(station, jobs[0], powers, plan.energy_wh[0], grid, Policy(), "sch_1")
    late = NOW + timedelta(minutes=15)
    said = wire_command(Command(command_id="cmd_1", station_id="st-1", order=order, issued_at=NOW, valid_until=late))
    assert len(encode(said)) < MAX_BYTES / 2


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_broken_unheard_and_quarantined_packs_get_no_power(seed: int) -> None:
    fleet = example_fleet(1, seed)
    station = fleet.stations[0]
    packs = list(station.packs)
    changes = [{"condition": "quarantined"}, {"fault_count": 1}, {"reading_at": None}]
    for at, change in zip(range(len(packs)), changes, strict=False):
        packs[at] = replace(packs[at], **change)  # type: ignore[arg-type]
    slots = list(station.slots)
    slots[-1] = replace(slots[-1], status="faulted")
    fleet = replace(fleet, stations=(replace(station, packs=tuple(packs), slots=tuple(slots)),))
    grid = StepGrid(fleet.at)
    _, jobs = build(fleet, grid, example_outlook(fleet, grid, seed), Policy())
    charged = {job.serial_number for job in jobs[0].jobs}
    lame = {pack.serial_number for pack in packs[:3]} | {pack.serial_number for pack in packs if pack.slot_no == 12}
    assert charged == {pack.serial_number for pack in packs} - lame
