"""The agent and its cabinet on a clock moved by hand: what it says by itself, charging, protection, trouble."""

import asyncio
import random
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from devices.agent.agent import StationAgent
from devices.agent.settings import AgentSettings
from devices.hardware.bench import bench_pack
from devices.hardware.ports import SafetySignal
from devices.link.outbox import JournalError
from tests.unit.devices.conftest import SWAP, Bench, LooseLink, acks, agent_of, command, make_bench


def test_a_birth_tells_every_slot_and_pack_and_what_is_held(agent: StationAgent, bench: Bench) -> None:
    agent.link_came_up()
    (birth,) = bench.said("birth")
    assert [slot["status"] for slot in birth["slotState"]] == ["Occupied"] * 4 + ["Available"] * 2
    assert len(birth["batteryData"]) == 4
    assert birth["journal"] == [{"boot": 1, "firstSeq": 1, "lastSeq": 1}]


def test_a_station_too_large_for_one_message_says_a_slim_birth(tmp_path: Path) -> None:
    bench = make_bench(tmp_path / "j.db", slots=200, packs=200)
    agent = agent_of(bench)
    agent.link_came_up()
    (birth,) = bench.said("birth")
    assert len(birth["batteryData"]) == 200
    assert "voltageV" not in birth["batteryData"][0]
    agent.tick()
    readings = bench.said("telemetry")
    assert len(readings) >= 2
    assert sum(len(body["batteryData"]) for body in readings) == 200
    bench.outbox.close()


def test_a_slot_change_is_said_at_once_and_once(agent: StationAgent, bench: Bench) -> None:
    agent._start()
    agent.tick()
    assert bench.said("slot") == []
    bench.cabinet.change_pack(6, bench_pack("NEW", 0.3))
    agent.tick()
    agent.tick()
    bench.cabinet._slots[6].fault = "Relay"
    agent.tick()
    assert [(body["evseId"], body["status"], body["serialNumber"], body.get("reason")) for body in bench.said("slot")] == [
        (6, "Occupied", "NEW", None),
        (6, "Faulted", "NEW", "Relay"),
    ]


def test_charging_follows_the_schedule_and_stops_for_heat_whatever_it_says(agent: StationAgent, bench: Bench) -> None:
    agent.tick()
    assert bench.cabinet.charge_limit_w(1) == 500.0, "no schedule ever came: it shares its own connection"
    row = {"evseId": 1, "serialNumber": "BENCH-0001", "periods": [{"startPeriod": 0, "limitDcW": 120, "targetSoC": 90}]}
    profile = {"scheduleId": "s1", "startAt": bench.clock.now().isoformat(), "rows": [row], "fallbackLimitAcW": 100}
    agent.command_came(command(bench, "SetChargingProfile", {**profile, "maxOfflineDurationS": 600}))
    agent.tick()
    assert bench.cabinet.charge_limit_w(1) == 120.0
    pack = bench.cabinet.read_pack(1)
    assert pack is not None
    bench.cabinet.change_pack(1, replace(pack, temp_max_degc=50.0))
    agent.tick()
    assert bench.cabinet.charge_limit_w(1) == 0.0
    bench.cabinet.change_pack(1, pack)
    bench.journal.live = False
    agent.link_went_down()
    bench.clock.advance(600)
    agent.tick()
    assert bench.cabinet.charge_limit_w(1) == 120.0
    bench.clock.advance(1)
    agent.tick()
    total_w = sum(bench.cabinet.charge_limit_w(slot_no) for slot_no in range(1, 7))
    assert total_w == pytest.approx(92.0), "alone too long: the fallback limit, 100 W AC through 92 %"
    agent.link_came_up()
    assert bench.said("birth")[-1]["scheduleId"] == "s1"


def test_smoke_stops_the_zone_first_and_stays_latched_until_a_person_clears_it(agent: StationAgent, bench: Bench) -> None:
    agent.tick()
    bench.cabinet.signals.append(SafetySignal("Smoke", "A", (1,)))
    agent.tick()
    assert bench.cabinet.charge_limit_w(1) == 0.0
    raised = bench.said("event")[0]
    assert (raised["kind"], raised["code"], raised["severity"], raised["phase"]) == ("safety", "Smoke", "critical", "raised")
    first = bench.journal.order.take(0.0)
    assert first is not None
    assert first.key.seq == raised["seq"], "safety goes before everything else"
    agent.clear_safe_state()
    bench.cabinet.signals.clear()
    agent.tick()
    assert bench.cabinet.charge_limit_w(1) == 0.0, "silence is not recovery"
    agent.command_came(command(bench, "RequestBatterySwap", SWAP))
    assert acks(bench) == [("Rejected", "SafeState")]
    assert agent_of(bench).station.slots.stopped, "a restart does not clear it either"
    agent.clear_safe_state()
    agent.tick()
    assert bench.cabinet.charge_limit_w(1) == 500.0


def test_meters_are_said_every_five_minutes_aligned_and_not_when_quiet(agent: StationAgent, bench: Bench) -> None:
    bench.clock.advance(100)
    for _ in range(400):
        bench.clock.advance(2)
        agent.tick()
    stamps = [body["ts"] for body in bench.said("meter")]
    assert stamps == ["2026-04-06T00:05:00.000Z", "2026-04-06T00:10:00.000Z", "2026-04-06T00:15:00.000Z"]
    said = len(bench.said())
    agent.quiet = True
    for _ in range(400):
        bench.clock.advance(2)
        agent.tick()
    assert len(bench.said()) == said


def test_a_full_disk_stops_the_talking_but_not_the_protecting(agent: StationAgent, bench: Bench) -> None:
    agent.tick()
    bench.outbox._db.execute("PRAGMA query_only=ON")
    bench.cabinet.signals.append(SafetySignal("Smoke", "A"))
    with pytest.raises(JournalError):
        agent.tick()
    assert all(bench.cabinet.charge_limit_w(slot_no) == 0.0 for slot_no in range(1, 7))
    bench.outbox._db.execute("PRAGMA query_only=OFF")
    agent.tick()
    assert [body["code"] for body in bench.said("event")] == ["Smoke"], "said as soon as it can be"


def test_a_disabled_slot_stays_disabled_after_a_restart(agent: StationAgent, bench: Bench) -> None:
    agent.command_came(command(bench, "ChangeAvailability", {"evseId": 6, "operational": False}))
    agent.tick()
    assert [(body["evseId"], body["status"]) for body in bench.said("slot")][-1] == (6, "Unavailable")
    assert agent_of(bench).station.slots.disabled == {6}


def test_a_hold_shows_as_reserved_until_it_expires(agent: StationAgent, bench: Bench) -> None:
    until = (bench.clock.now() + timedelta(minutes=10)).isoformat()
    agent.command_came(command(bench, "ReserveNow", {"reservationId": "r", "evseId": 2, "expiresAt": until}))
    assert agent.station.slots.status(2) == "Reserved"
    bench.clock.advance(600)
    agent.tick()
    assert agent.station.slots.status(2) == "Occupied"


def test_an_agent_is_refused_a_link_of_another_station(bench: Bench) -> None:
    with pytest.raises(ValueError, match="the link is of st-1 epoch 1"):
        StationAgent("st-2", 1, bench.cabinet, LooseLink(bench.journal), bench.clock, AgentSettings(), random.Random(1))


@pytest.mark.parametrize(
    "broken",
    [
        {"temp_max_degc": float("nan")},
        {"soc": float("nan")},
        {"temp_min_degc": float("-inf")},
        {"voltage_v": 1e9},
        {"serial_number": "x" * 80},
        {"serial_number": ""},
        {"cell_max_mv": 999_999},
    ],
)
def test_a_bms_that_talks_nonsense_harms_nobody(agent: StationAgent, bench: Bench, broken: dict[str, Any]) -> None:
    pack = bench.cabinet.read_pack(2)
    assert pack is not None
    bench.cabinet.change_pack(2, replace(pack, **broken))
    agent.link_came_up()
    bench.clock.advance(3600)
    agent.tick()
    said = {pack["evseId"]: pack for pack in bench.said("telemetry")[-1]["batteryData"]}
    assert said[2]["faults"] == ["BadReading"]
    assert said[1]["faults"] == [], "its neighbour is said as ever"
    if "voltage_v" not in broken and "serial_number" not in broken:
        assert bench.cabinet.charge_limit_w(2) == 0.0


async def test_a_driver_that_fails_twice_does_not_end_the_agent(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = agent_of(bench)
    read, failures = bench.cabinet.read_registers, [OSError("bus"), OSError("bus")]

    def fail_twice() -> list[Any]:
        if failures:
            raise failures.pop()
        return list(read())

    monkeypatch.setattr(bench.cabinet, "read_registers", fail_twice)
    bench.clock.advance(290)
    stop = asyncio.Event()
    task = asyncio.create_task(agent.run(stop))
    await asyncio.sleep(0.03)
    bench.clock.advance(20)
    while not bench.said("meter"):
        assert not task.done()
        await asyncio.sleep(0.01)
    stop.set()
    await task
    assert failures == []


async def test_what_ends_an_agent_is_not_hidden(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = agent_of(bench)
    monkeypatch.setattr(agent, "tick", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        await agent.run(asyncio.Event())
