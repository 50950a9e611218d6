"""What the load generator says is lawful, changes from message to message, and can be made again byte for byte."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count

import numpy as np
import pytest

from devices.wire.codec import Key, Refusal, decode, key_of
from devices.wire.telemetry import BatteryData, Meter, Telemetry
from devices.wire.topics import UP, parse_up
from simulator.load.bodies import Packet, Writer
from simulator.load.pack_text import BIRTH_FIELDS, SERIAL
from simulator.load.plan import Disturbances, LoadPlan
from simulator.load.readings import SUMS, readings
from simulator.load.script import Kind, Script, Sending

START = datetime(2026, 4, 6, 9, 0, 0, 250_000, tzinfo=UTC)
TRAVEL_IN_BIRTH = {"productionDate", "vendorInfo", "packModelId", "lot", "bmsFirmware", "chargeLimitW", "dischargeLimitW"}


def plan(**changes: object) -> LoadPlan:
    told = {"stations": 7, "packs": 24, "fields": 12, "seed": 3, "rate_per_s": 100.0, "start_at": START, "boot": 5}
    return LoadPlan(**{**told, **changes})  # type: ignore[arg-type]


def said(asked: LoadPlan, rounds: int) -> Iterator[tuple[Sending, Packet]]:
    script = Script(asked)
    writer, step = Writer(script), 0
    while step < asked.stations * rounds:
        sendings, step = script.sendings(step, 3)
        yield from zip(sendings, writer.packets(sendings), strict=True)
    rest = script.rest(step)
    yield from zip(rest, writer.packets(rest), strict=True)


@pytest.mark.parametrize("fields", [12, 24])
def test_every_body_is_what_its_topic_wants_or_refused_as_meant(fields: int) -> None:
    asked = plan(fields=fields, meter_every=5, disturbances=Disturbances(0.1, 0.2, 0.1, 0.3))
    seen: set[Kind] = set()
    for sending, packet in said(asked, 40):
        topic = packet.topic[2:].decode()
        assert int.from_bytes(packet.topic[:2], "big") == len(topic)
        where = parse_up(topic)
        assert where is not None
        assert where.station_id == asked.name(sending.station)
        message = decode(UP[where.leaf], packet.body)
        seen.add(sending.kind)
        assert packet.retain == (where.leaf == "connection")
        if sending.kind is Kind.REFUSED:
            assert isinstance(message, Refusal)
            assert message.reason == "bad_schema"
        elif sending.kind is Kind.NOT_JSON:
            assert isinstance(message, Refusal)
            assert message.reason == "not_json"
            assert key_of(packet.body) is None
            continue
        else:
            assert not isinstance(message, Refusal), (sending, message)
        if where.leaf != "connection":
            assert key_of(packet.body) == Key(1, 5, sending.seq)
    assert seen == set(Kind) - {Kind.OFFLINE}


@pytest.mark.parametrize("fields", [12, 24])
def test_a_body_holds_the_readings_of_the_closed_form(fields: int) -> None:
    asked = plan(fields=fields, meter_every=0, births=False)
    for sending, packet in said(asked, 300):
        message = decode(Telemetry, packet.body)
        assert isinstance(message, Telemetry)
        told = readings(asked.seed, asked.packs, np.array([sending.station]), np.array([sending.seq]))
        assert len(message.battery_data) == asked.packs
        for at, pack in enumerate(message.battery_data):
            assert pack.evse_id == at + 1
            assert pack.serial_number == SERIAL % told.serial[0, at]
            assert pack.soc_pct == told.soc_dpct[0, at] / 10
            assert pack.power_w == told.power_dw[0, at] / 10
            assert (pack.energy_in_wh, pack.energy_out_wh) == (told.energy_in_wh[0, at], told.energy_out_wh[0, at])
            assert pack.charging_state == ("Charging" if told.charging[0, at] else "Idle")
            assert len(pack.model_fields_set) == fields


def test_24_fields_are_all_but_those_that_travel_in_births() -> None:
    wire = {info.alias or name for name, info in BatteryData.model_fields.items()} - {"customData"}
    assert set(BIRTH_FIELDS) == wire
    assert set(BIRTH_FIELDS[:24]) == wire - TRAVEL_IN_BIRTH


def test_readings_change_from_message_to_message_and_registers_only_grow() -> None:
    seqs = np.arange(1, 5001)
    told = readings(1, 24, np.full(seqs.shape, 12_499), seqs)
    for register in (told.energy_in_wh, told.energy_out_wh, told.minutes_hot, told.deep_discharges):
        assert (np.diff(register, axis=0) >= 0).all()
    assert (told.energy_in_wh[-1] > told.energy_in_wh[0]).all()
    assert (told.energy_out_wh < told.energy_in_wh).all()
    changed = np.zeros((len(seqs) - 1, 24), dtype=bool)
    for name in SUMS:
        changed |= np.diff(getattr(told, name), axis=0) != 0
    assert changed.mean() > 0.95
    assert {0, 1} == set(told.charging.ravel().tolist())


def test_the_same_message_is_made_again_byte_for_byte_alone_or_late() -> None:
    asked = plan(disturbances=Disturbances(late=0.3, reorder=0.3))
    first = {
        (sending.station, sending.seq): packet.body for sending, packet in said(asked, 30) if sending.kind is not Kind.ONLINE
    }
    writer = Writer(Script(asked))
    kinds = Script(asked).kinds
    for (station, seq), body in first.items():
        kind = Kind(kinds(np.array([station]), np.array([seq]))[0])
        again = Kind.HISTORY if kind is Kind.TELEMETRY else kind
        assert writer.packets([Sending(999, station, seq, again)])[0].body == body


def test_ts_is_the_instant_at_which_the_schedule_wants_the_message() -> None:
    asked = plan(births=False, meter_every=0)
    for number, (_, packet) in zip(count(), said(asked, 3), strict=False):
        message = decode(Telemetry, packet.body)
        assert isinstance(message, Telemetry)
        assert (message.ts - START).total_seconds() == pytest.approx(number / 100.0, abs=0.001)


def test_a_meter_tells_growing_registers() -> None:
    last: dict[int, list[int]] = {}
    for sending, packet in said(plan(meter_every=2), 12):
        if sending.kind is Kind.METER:
            message = decode(Meter, packet.body)
            assert isinstance(message, Meter)
            told = [register.import_wh for register in message.registers]
            assert all(new > old for new, old in zip(told, last.get(sending.station, [0, 0]), strict=True))
            last[sending.station] = told
    assert len(last) == 7


def test_another_seed_gives_other_readings() -> None:
    one, other = (list(said(plan(seed=seed, births=False), 2)) for seed in (1, 2))
    assert [packet.body for _, packet in one] == [packet.body for _, packet in said(plan(seed=1, births=False), 2)]
    assert all(a.body != b.body for (_, a), (_, b) in zip(one, other, strict=True))
