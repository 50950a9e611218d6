"""Slots as the console shows them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.console.slot_view import STATES, charging_w, count_states, slot_cell, slot_detail, slot_state
from service.domain.desk import CHARGING_INTERVAL_S
from service.store.fleet import SlotRow

NOW = datetime(2026, 4, 6, 3, 0, tzinfo=UTC)

READY = SlotRow(
    station_id="st-1",
    slot_no=1,
    status="occupied",
    quarantined=False,
    serial_number="KA1",
    condition="ok",
    pack_model_id="kei-48",
    nominal_wh=1300,
    nominal_v=50.4,
    max_charge_w=700,
    hand_out_soc=0.8,
    target_soc=1.0,
    max_hand_out_degc=45,
    max_cell_spread_mv=150,
    pack_held_by=None,
    slot_held_by=None,
    reported_serial="KA1",
    soc=0.9,
    soh=0.96,
    charging_state="idle",
    power_dc_w=0.0,
    temp_max_degc=27.0,
    cell_spread_mv=12,
    fault_count=0,
    reading_at=NOW - timedelta(seconds=40),
)


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({}, "ready"),
        ({"soc": 0.8}, "ready"),
        ({"soc": 0.79}, "resting"),
        ({"soc": 0.5, "charging_state": "charging"}, "charging"),
        ({"charging_state": "charging"}, "ready"),
        ({"pack_held_by": "rsv_1"}, "held"),
        ({"fault_count": 1}, "unfit"),
        ({"fault_count": 1, "pack_held_by": "rsv_1"}, "unfit"),
        ({"temp_max_degc": 45.1}, "unfit"),
        ({"cell_spread_mv": 151}, "unfit"),
        ({"condition": "quarantined"}, "unfit"),
        ({"quarantined": True}, "unfit"),
        ({"reading_at": None}, "unfit"),
        ({"status": "faulted"}, "faulted"),
        ({"status": "disabled"}, "faulted"),
        ({"reported_serial": "ZZ9"}, "foreign"),
        ({"serial_number": None}, "foreign"),
        ({"serial_number": None, "reported_serial": None}, "foreign"),
        ({"serial_number": None, "reported_serial": None, "status": "empty"}, "empty"),
    ],
)
def test_each_slot_is_in_the_state_that_an_operator_must_know(change: dict[str, Any], state: str) -> None:
    assert slot_state(READY._replace(**change), NOW) == state


def test_a_charging_pack_goes_stale_sooner_than_a_resting_one() -> None:
    long_ago = NOW - timedelta(seconds=CHARGING_INTERVAL_S * 1.1 + 1)
    assert slot_state(READY._replace(reading_at=long_ago), NOW) == "ready"
    assert slot_state(READY._replace(reading_at=long_ago, charging_state="charging"), NOW) == "unfit"


def test_power_that_nobody_confirmed_lately_is_not_counted() -> None:
    charging = READY._replace(soc=0.5, charging_state="charging", power_dc_w=500.0)
    assert charging_w(charging, NOW) == 500.0
    assert charging_w(charging._replace(reported_serial=None), NOW) == 0.0
    assert charging_w(charging, NOW + timedelta(minutes=10)) == 0.0


def test_the_cell_of_an_empty_slot_has_no_soc_even_when_an_old_reading_is_left() -> None:
    empty = READY._replace(status="empty", serial_number=None, reported_serial=None, soc=0.4)
    assert slot_cell(empty, NOW) == [1, "empty", -1]
    assert slot_cell(READY, NOW) == [1, "ready", 90]


def test_the_panel_names_both_serials_when_they_differ() -> None:
    words = slot_detail(READY._replace(reported_serial="ZZ9"), NOW)["state"]
    assert "ZZ9" in words
    assert "KA1" in words


def test_a_held_pack_says_for_what_it_is_held() -> None:
    assert slot_detail(READY._replace(pack_held_by="swp_1"), NOW)["state"] == "held for a swap"
    assert slot_detail(READY._replace(pack_held_by="rsv_1"), NOW)["state"] == "held for a reservation"


def test_every_slot_is_counted_in_exactly_one_state() -> None:
    slots = [READY, READY._replace(soc=0.1), READY._replace(status="faulted"), READY._replace(soc=None, power_dc_w=None)]
    counts = count_states(slot_cell(slot, NOW) for slot in slots)
    assert sum(counts.values()) == len(slots)
    assert set(counts) == set(STATES)
