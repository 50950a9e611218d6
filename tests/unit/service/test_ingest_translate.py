"""Wire words into ours: slot words, units, days."""

from datetime import UTC, date, datetime

import pytest
from pydantic import TypeAdapter

from devices.wire.events import Birth, SlotNotice, Swap
from devices.wire.telemetry import Meter, Telemetry
from service.domain.observation import MessageKey, PacksMoved, SlotChanged, StationBorn, station_event
from service.ingest import translate

NOW = datetime(2026, 4, 6, tzinfo=UTC)
KEY = MessageKey(1, 1, 1)
ENVELOPE = {"v": 1, "ts": "2026-04-06T00:00:00.000Z", "epoch": 1, "boot": 1, "seq": 1}
PACK = {
    "evseId": 3,
    "serialNumber": "P-1",
    "soC": 81.5,
    "soH": 96.4,
    "chargingState": "Charging",
    "powerW": 498.8,
    "tempMaxC": 26.3,
}


@pytest.mark.parametrize(
    ("status", "has_pack", "ours"),
    [
        ("Available", False, "empty"),
        ("Occupied", True, "occupied"),
        ("Reserved", True, "occupied"),
        ("Reserved", False, "empty"),
        ("Unavailable", False, "disabled"),
        ("Faulted", True, "faulted"),
    ],
)
def test_available_means_empty(status: str, has_pack: bool, ours: str) -> None:
    assert translate.slot_status(status, has_pack) == ours


@pytest.mark.parametrize(
    ("ts", "day"),
    [
        (datetime(2026, 4, 6, 23, 59, 59, 999_000, tzinfo=UTC), date(2026, 4, 6)),
        (datetime(2019, 12, 31, 23, 59, tzinfo=UTC), translate.UNDATED),
        (datetime(2020, 1, 1, tzinfo=UTC), date(2020, 1, 1)),
        (datetime(2100, 1, 1, tzinfo=UTC), translate.UNDATED),
        (datetime(9000, 1, 1, tzinfo=UTC), translate.UNDATED),
    ],
)
def test_the_day_of_a_message_is_its_own(ts: datetime, day: date) -> None:
    assert translate.day_of(ts) == day


def test_a_frame_keeps_units_as_integers_and_the_rest_as_more() -> None:
    extras = {"minutesHot": 35, "faults": ["E1"], "customData": {"vendorId": "x"}}
    message = Telemetry.model_validate({**ENVELOPE, "batteryData": [{**PACK, **extras}]})
    row = translate.frame("st-1", message, NOW)
    assert (row.soc_bp, row.soh_bp, row.power_dw, row.temp_max_ddegc, row.charging_state) == ([8150], [9640], [4988], [263], [3])
    assert row.voltage_mv == [None]
    more = TypeAdapter(dict[str, object]).validate_json(row.more or "")
    assert more == {"3": {"minutesHot": 35, "faults": ["E1"], "customData": {"vendorId": "x"}}}


def test_a_pack_without_extras_costs_no_json() -> None:
    assert translate.frame("st-1", Telemetry.model_validate({**ENVELOPE, "batteryData": [PACK]}), NOW).more is None


def test_a_birth_tells_every_slot_and_survives_storage() -> None:
    slots = [{"evseId": number, "status": word, "maxChargeDcW": 500.0} for number, word in [(3, "Occupied"), (4, "Available")]]
    message = Birth.model_validate(
        {
            **ENVELOPE, "vendor": "v", "model": "m", "firmware": "f", "targetSoC": 90.0, "timeoutInS": 30.0, "timeoutOutS": 30.0,
            "clock": {"source": "ntp"}, "site": {"maxImportAcW": 9000.0}, "slotState": slots, "batteryData": [PACK],
            "chargerGroups": [{"id": 1, "maxAcW": 1000.0, "efficiency": 0.9}, {"id": 2, "maxAcW": 3000.0, "efficiency": 0.94}],
        }
    )  # fmt: skip
    born = translate.station_event(message)
    assert isinstance(born, StationBorn)
    assert born.charger_efficiency == pytest.approx(0.93)
    assert [(slot.slot_no, slot.status) for slot in born.slots] == [(3, "occupied"), (4, "empty")]
    assert born.packs[0].soc == pytest.approx(0.815)
    assert station_event.validate_json(born.model_dump_json()) == born
    live = translate.live_slots(message, KEY, NOW)
    assert {slot.slot_no: slot.serial_number for slot in live} == {3: "P-1", 4: None}


def test_packs_that_went_out_leave_their_slots_empty_and_those_not_taken_stay() -> None:
    said = {**ENVELOPE, "requestId": 5, "idToken": {"idToken": "rsv_1"}, "batteryData": [PACK]}
    out = Swap.model_validate({**said, "eventType": "BatteryOut"})
    moved = translate.station_event(out)
    assert isinstance(moved, PacksMoved)
    assert (moved.what, moved.token) == ("out", "rsv_1")
    assert translate.live_slots(out, KEY, NOW)[0].serial_number is None
    left = Swap.model_validate({**said, "eventType": "BatteryOutTimeout"})
    assert translate.live_slots(left, KEY, NOW)[0].serial_number == "P-1"


def test_a_notice_of_an_occupied_slot_takes_no_reading_away() -> None:
    occupied = SlotNotice.model_validate({**ENVELOPE, "evseId": 3, "status": "Occupied", "serialNumber": "P-1"})
    assert isinstance(translate.station_event(occupied), SlotChanged)
    assert translate.live_slots(occupied, KEY, NOW) == []


def test_a_meter_named_twice_in_one_message_counts_once() -> None:
    register = {"meterId": "m", "point": "site", "importWh": 1}
    message = Meter.model_validate({**ENVELOPE, "clock": {"source": "ntp"}, "registers": [register, {**register, "importWh": 2}]})
    assert [row.import_wh for row in translate.meters("st-1", message, NOW)] == [2]
