"""What a station refuses whoever asks."""

from dataclasses import replace

import pytest

from devices.agent.safety import (
    SafetyRules,
    SlotNow,
    alarms,
    charge_ceiling_w,
    fits,
    slots_stopped_by,
    why_not_charge,
    why_not_hand_out,
    why_not_take_in,
    why_not_unlock,
)
from devices.hardware.bench import MODEL, bench_pack
from devices.hardware.ports import PackSample, SafetySignal, SlotDescriptor

RULES = SafetyRules()
SLOT = SlotDescriptor(1, (MODEL,), "A", 500.0)
PACK = bench_pack("P-1", 0.5)


def now(pack: PackSample | None = PACK, **changes: object) -> SlotNow:
    return replace(SlotNow(SLOT, pack, False, None), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("slot", "reason"),
    [
        (now(None), "Empty"),
        (now(stopped=True), "SafeState"),
        (now(fault="Relay"), "SlotFault"),
        (now(replace(PACK, faults=("Isolation",))), "PackFault"),
        (now(door_open=True), "DoorOpen"),
        (now(replace(PACK, temp_max_degc=45.1)), "TooHot"),
        (now(replace(PACK, temp_min_degc=-0.1)), "TooCold"),
        (now(replace(PACK, cell_max_mv=4251)), "CellVoltage"),
        (now(replace(PACK, soc=0.9)), "Charged"),
        (now(), None),
        (now(replace(PACK, temp_max_degc=45.0, temp_min_degc=0.0, cell_max_mv=4250)), None),
    ],
)
def test_charging_is_refused_for_each_local_reason(slot: SlotNow, reason: str | None) -> None:
    assert why_not_charge(slot, RULES, 0.9) == reason
    assert (charge_ceiling_w(slot, RULES, 0.9) > 0) is (reason is None)


def test_the_ceiling_is_the_lower_of_slot_and_bms() -> None:
    assert charge_ceiling_w(now(replace(PACK, charge_limit_w=900.0)), RULES, 1.0) == 500.0
    assert charge_ceiling_w(now(replace(PACK, charge_limit_w=120.0)), RULES, 1.0) == 120.0
    assert charge_ceiling_w(now(replace(PACK, charge_limit_w=-5.0)), RULES, 1.0) == 0.0


def test_an_unsafe_slot_stays_locked() -> None:
    assert why_not_unlock(now(stopped=True), RULES) == "SafeState"
    assert why_not_unlock(now(fault="Lock"), RULES) == "SlotFault"
    assert why_not_unlock(now(replace(PACK, temp_max_degc=71.0)), RULES) == "OverTemperature"
    assert why_not_unlock(now(), RULES) is None
    assert why_not_unlock(now(disabled=True), RULES) is None, "a technician may open a disabled slot"


def test_a_faulty_pack_or_one_in_a_disabled_slot_is_not_handed_out() -> None:
    assert why_not_hand_out(now(replace(PACK, faults=("Cell",))), RULES) == "PackFault"
    assert why_not_hand_out(now(disabled=True), RULES) == "SlotDisabled"
    assert why_not_hand_out(now(None), RULES) == "NoBatteryAvailable"
    assert why_not_hand_out(now(), RULES) is None


def test_a_slot_takes_a_pack_in_only_when_it_is_empty_closed_and_in_service() -> None:
    assert why_not_take_in(now(), RULES) == "Occupied"
    assert why_not_take_in(now(None, disabled=True), RULES) == "SlotDisabled"
    assert why_not_take_in(now(None, door_open=True), RULES) == "DoorOpen"
    assert why_not_take_in(now(None, stopped=True), RULES) == "SafeState"
    assert why_not_take_in(now(None), RULES) is None


def test_a_pack_fits_only_a_slot_built_for_its_model() -> None:
    assert fits(SLOT, PACK)
    assert not fits(SLOT, replace(PACK, pack_model_id="OTHER"))
    assert fits(replace(SLOT, accepts=()), replace(PACK, pack_model_id="OTHER"))


def test_a_hot_pack_is_an_alarm_of_its_zone() -> None:
    assert alarms([now(), now(None)], RULES) == []
    assert alarms([now(replace(PACK, temp_max_degc=80.0))], RULES) == [SafetySignal("OverTemperature", "A", (1,))]


def test_a_signal_stops_its_zone_and_without_a_zone_the_whole_station() -> None:
    slots = {n: SlotDescriptor(n, (), zone, 500.0) for n, zone in ((1, "A"), (2, "A"), (3, "B"))}
    assert slots_stopped_by(SafetySignal("Smoke", "A"), slots) == {1, 2}
    assert slots_stopped_by(SafetySignal("Smoke", None, (3,)), slots) == {3}
    assert slots_stopped_by(SafetySignal("Quake"), slots) == {1, 2, 3}
    assert slots_stopped_by(SafetySignal("Water", None, (1,)), {1: SlotDescriptor(1, (), None, 1.0), 2: slots[3]}) == {1, 2}
