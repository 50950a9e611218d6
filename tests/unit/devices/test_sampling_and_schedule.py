"""When a pack is worth a reading, and how much each slot may charge."""

from dataclasses import replace
from datetime import timedelta

import pytest

from devices.agent.sampling import Sampler, SamplingRules
from devices.agent.schedule import Charge, by_least_laxity, charge_limits, is_running
from devices.hardware.bench import MODEL, bench_pack
from devices.hardware.ports import ChargerGroupDescriptor, SlotDescriptor, StationDescriptor
from devices.wire.commands import (
    NeedReady,
    SchedulePeriod,
    ScheduleRow,
    SetChargingProfile,
    SetVariables,
    SitePeriod,
    SiteSchedule,
)
from tests.unit.devices.conftest import ORIGIN

PACK = bench_pack("P-1", 0.5)


# -- sampling ----------------------------------------------------------------------------------------------------------


def sampler(**rules: float) -> Sampler:
    sampler = Sampler(SamplingRules(**rules))
    sampler.said({1: PACK}, 0.0)
    return sampler


@pytest.mark.parametrize(
    ("change", "is_due"),
    [
        ({"soc": 0.509}, False),
        ({"soc": 0.51}, True),
        ({"soc": 0.49}, True),
        ({"temp_max_degc": 25.9}, False),
        ({"temp_max_degc": 26.0}, True),
        ({"power_dc_w": 9.0}, False),
        ({"power_dc_w": 11.0}, True),
        ({"faults": ("Isolation",)}, True),
        ({"serial_number": "P-2"}, True),
        ({"cell_max_mv": 4000}, False),
    ],
)
def test_a_pack_is_said_when_it_leaves_a_dead_band(change: dict[str, object], is_due: bool) -> None:
    assert sampler().due({1: replace(PACK, **change)}, 20.0) == ([1] if is_due else [])  # type: ignore[arg-type]


def test_power_has_a_relative_dead_band() -> None:
    charging = replace(PACK, power_dc_w=400.0)
    sampler = Sampler(SamplingRules())
    sampler.said({1: charging}, 0.0)
    assert sampler.due({1: replace(charging, power_dc_w=419.0)}, 20.0) == []
    assert sampler.due({1: replace(charging, power_dc_w=421.0)}, 20.0) == [1]


def test_silence_ends_after_five_minutes_charging_and_thirty_idle() -> None:
    charging = replace(PACK, power_dc_w=9.9)
    assert sampler().due({1: PACK}, 1799.0) == []
    assert sampler().due({1: PACK}, 1800.0) == [1]
    assert sampler().due({1: charging}, 1000.0) == []
    busy = Sampler(SamplingRules())
    busy.said({1: replace(PACK, power_dc_w=100.0)}, 0.0)
    assert busy.due({1: replace(PACK, power_dc_w=100.0)}, 299.0) == []
    assert busy.due({1: replace(PACK, power_dc_w=100.0)}, 300.0) == [1]


def test_a_fixed_interval_replaces_the_dead_bands() -> None:
    fixed = sampler(fixed_interval_s=60.0)
    assert fixed.due({1: replace(PACK, soc=0.9)}, 59.0) == []
    assert fixed.due({1: PACK}, 60.0) == [1]


def test_messages_keep_their_spacing() -> None:
    assert sampler(spacing_s=10.0).due({1: replace(PACK, soc=0.9)}, 9.0) == []


def test_set_variables_changes_only_what_it_names() -> None:
    rules = SamplingRules().changed_by(SetVariables(soc_dead_band_pct=5.0, fixed_interval_s=10.0))
    assert (rules.soc_dead_band, rules.fixed_interval_s) == (0.05, 10.0)
    assert rules.temp_dead_band_degc == SamplingRules().temp_dead_band_degc


# -- schedule ----------------------------------------------------------------------------------------------------------


def station(import_ac_w: float = 10_000.0, group_ac_w: float = 10_000.0) -> StationDescriptor:
    slots = tuple(SlotDescriptor(n, (MODEL,), "A", 500.0, 0.0, 1) for n in range(1, 7))
    return StationDescriptor("v", "m", "1", slots, import_ac_w, (ChargerGroupDescriptor(1, group_ac_w, 0.9),), target_soc=0.95)


def charge(slot_no: int, soc: float = 0.5, serial: str | None = None) -> Charge:
    return Charge(slot_no, bench_pack(serial or f"P-{slot_no}", soc), 500.0)


def row(slot_no: int, *periods: tuple[int, float, float], serial: str | None = None) -> ScheduleRow:
    return ScheduleRow(
        evse_id=slot_no,
        serial_number=serial or f"P-{slot_no}",
        periods=[SchedulePeriod(start_period=s, limit_dc_w=w, targetSoC=t) for s, w, t in periods],
    )


def profile(
    *rows: ScheduleRow, site: list[tuple[int, float]] | None = None, needs: list[NeedReady] | None = None
) -> SetChargingProfile:
    return SetChargingProfile(
        schedule_id="sch-1",
        start_at=ORIGIN,
        rows=list(rows),
        site=SiteSchedule(periods=[SitePeriod(start_period=s, site_limit_ac_w=w) for s, w in site or []]),
        fallback_limit_ac_w=1000.0,
        need_ready=needs or [],
        max_offline_duration_s=3600.0,
    )


def limits(
    charges: list[Charge], plan: SetChargingProfile | None, *, after_s: float = 0.0, silence_s: float = 0.0, **of: float
) -> dict[int, float]:
    now = ORIGIN + timedelta(seconds=after_s)
    return {slot_no: round(w) for slot_no, w in charge_limits(charges, station(**of), plan, now, silence_s, 5000.0).items()}


def test_a_row_holds_period_by_period_until_its_target() -> None:
    plan = profile(row(1, (0, 300.0, 80.0), (900, 0.0, 80.0), (1800, 500.0, 95.0)))
    assert limits([charge(1)], plan) == {1: 300}
    assert limits([charge(1)], plan, after_s=900) == {1: 0}
    assert limits([charge(1)], plan, after_s=86_399) == {1: 500}
    assert limits([charge(1, 0.8)], plan) == {1: 0}


def test_a_row_does_not_hold_for_another_serial_which_shares_what_is_left() -> None:
    plan = profile(row(1, (0, 0.0, 95.0)), row(2, (0, 0.0, 95.0)))
    assert limits([charge(1, serial="WALK-IN"), charge(2)], plan) == {1: 500, 2: 0}


def test_the_site_limit_binds_rows_first_and_the_rest_shares_it() -> None:
    plan = profile(row(2, (0, 500.0, 95.0)), site=[(0, 800.0), (900, 100.0)])
    assert limits([charge(1), charge(2)], plan) == {2: 500, 1: 220}
    assert limits([charge(1), charge(2)], plan, after_s=900) == {2: 90, 1: 0}


def test_the_charger_group_and_the_connection_bind_too() -> None:
    assert sum(limits([charge(n) for n in range(1, 5)], None, group_ac_w=1000.0).values()) == 900
    assert sum(limits([charge(n) for n in range(1, 5)], None, import_ac_w=500.0).values()) == 450


def test_after_24_hours_or_too_long_alone_the_fallback_limit_is_shared() -> None:
    plan = profile(row(1, (0, 0.0, 95.0)))
    alone = [charge(1), charge(2), charge(3)]
    assert is_running(plan, ORIGIN + timedelta(hours=23, minutes=59), 3600.0)
    assert limits(alone, plan, silence_s=3600.0)[1] == 0
    assert limits(alone, plan, silence_s=3601.0) == {1: 500, 2: 400, 3: 0}
    assert limits(alone, plan, after_s=86_400) == {1: 500, 2: 400, 3: 0}
    assert limits(alone, plan, after_s=-1) == {1: 500, 2: 400, 3: 0}, "not before it starts"


def test_nobody_is_charged_above_the_stations_target_by_sharing() -> None:
    assert limits([charge(1, 0.95), charge(2, 0.94)], None) == {1: 0, 2: 500}


def need(count: int, wh: float, in_s: float) -> NeedReady:
    return NeedReady(pack_model_id=MODEL, count=count, min_usable_wh=wh, by_at=ORIGIN + timedelta(seconds=in_s))


def test_the_most_urgent_pack_comes_first_when_the_envelope_is_small() -> None:
    charges = [charge(1, 0.2), charge(2, 0.5), charge(3, 0.7)]
    order = [c.slot_no for c in by_least_laxity(charges, [need(2, 1200.0, 7200.0)], ORIGIN)]
    assert order == [2, 3, 1], "the two fullest answer the need; the emptier of them has less slack"
    assert limits(charges, profile(site=[(0, 560.0)], needs=[need(2, 1200.0, 7200.0)])) == {2: 500, 3: 4, 1: 0}


def test_without_any_need_the_fullest_goes_first() -> None:
    assert [c.slot_no for c in by_least_laxity([charge(1, 0.2), charge(2, 0.9)], [], ORIGIN)] == [2, 1]


def test_a_walk_in_is_charged_while_the_station_is_alone() -> None:
    plan = profile(row(1, (0, 300.0, 95.0)))
    assert limits([charge(1), charge(5, 0.05, "WALK-IN")], plan, silence_s=3000.0) == {1: 300, 5: 500}
