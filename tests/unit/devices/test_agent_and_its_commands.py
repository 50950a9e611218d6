"""The agent's loop and its commands on a clock moved by hand, with a real journal and no broker."""

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from devices.agent.agent import StationAgent
from devices.agent.settings import AgentSettings
from devices.hardware.ports import ClockStatus
from devices.link.journal import StationJournal
from devices.link.order import SendRules
from devices.link.outbox import Outbox
from tests.unit.devices.conftest import SWAP, Bench, LooseLink, acks, agent_of, command, make_bench

# -- judging -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "args", "answer"),
    [
        ("Resync", {}, ("Accepted", None)),
        ("SetVariables", {"fixedIntervalS": 10}, ("Accepted", None)),
        ("ReserveNow", {"reservationId": "r", "evseId": 1, "expiresAt": "2026-04-07T00:00:00Z"}, ("Accepted", None)),
        ("ReserveNow", {"reservationId": "r", "evseId": 99, "expiresAt": "2026-04-07T00:00:00Z"}, ("Rejected", "UnknownSlot")),
        ("CancelReservation", {"reservationId": "r"}, ("Rejected", "UnknownReservation")),
        ("ChangeAvailability", {"evseId": 1, "operational": False}, ("Accepted", None)),
        ("ChangeAvailability", {"evseId": 77, "operational": False}, ("Rejected", "UnknownSlot")),
        ("UnlockSlot", {"evseId": 77}, ("Rejected", "UnknownSlot")),
        ("CancelSwap", {"requestId": 5}, ("Rejected", "UnknownSwap")),
        ("ClearFault", {"evseId": 1}, ("Rejected", "NoLatchedFault")),
        ("SafeState", {"reason": "Drill"}, ("Accepted", None)),
        ("Replay", {"ranges": [{"epoch": 1, "boot": 1, "first": 1, "last": 2}]}, ("Accepted", None)),
        ("RequestBatterySwap", {**SWAP, "offerSerials": ["ELSEWHERE"]}, ("Rejected", "NoBatteryAvailable")),
        ("RequestBatterySwap", {**SWAP, "requestId": 12}, ("Rejected", "TooLate")),
        ("Reset", {"reason": "x"}, ("Rejected", "NotSupported")),
        ("UpdateFirmware", {}, ("Rejected", "NotSupported")),
        ("BrewCoffee", {}, ("Rejected", "NotSupported")),
        ("UnlockSlot", {}, ("Rejected", "Invalid")),
        ("UnlockSlot", {"evseId": 1, "why": "?"}, ("Rejected", "Invalid")),
        ("SetChargingProfile", {"scheduleId": "s"}, ("Rejected", "Invalid")),
    ],
)
def test_each_command_gets_its_answer(
    agent: StationAgent, bench: Bench, name: str, args: dict[str, Any], answer: tuple[str, str | None]
) -> None:
    agent.command_came(command(bench, name, args))
    assert acks(bench) == [answer]


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff\xfe", b"[]", b"{}", b"null", b'{"commandId":5}', b"x" * 70_000, b'{"commandId":"a\\u0000b"}', b"[" * 5000],
)
def test_bytes_that_name_no_command_are_counted_and_answered_by_nothing(agent: StationAgent, bench: Bench, body: bytes) -> None:
    agent.command_came(body)
    assert agent.ledger.unreadable == 1
    assert bench.said() == []


def test_a_broken_command_with_an_id_is_rejected_as_invalid(agent: StationAgent, bench: Bench) -> None:
    agent.command_came(b'{"commandId":"cmd-9","name":"Resync","issuedAt":"yesterday"}')
    assert acks(bench) == [("Rejected", "Invalid")]


def test_an_expired_command_is_rejected(agent: StationAgent, bench: Bench) -> None:
    body = command(bench, "Resync", {}, lifetime_s=60)
    bench.clock.advance(60)
    agent.command_came(body)
    assert acks(bench) == [("Rejected", "Expired")]


def test_without_a_trusted_clock_the_lifetime_counts_from_receipt(agent: StationAgent, bench: Bench) -> None:
    body = command(bench, "Resync", {}, lifetime_s=60)
    bench.clock.advance(1e6)
    bench.clock.trusted = ClockStatus("none")
    agent.command_came(body)
    assert acks(bench) == [("Accepted", None)]
    agent.command_came(command(bench, "Resync", {}, "cmd-2", lifetime_s=0))
    assert acks(bench)[1] == ("Rejected", "Expired")


async def test_a_motion_that_could_not_begin_in_its_lifetime_does_not_begin(agent: StationAgent, bench: Bench) -> None:
    agent.command_came(command(bench, "UnlockSlot", {"evseId": 1}))
    bench.clock.advance(61)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert acks(bench) == [("Accepted", None), ("Failed", "Expired")]
    assert not bench.cabinet.door_open(1)


async def test_a_repeated_command_gets_its_first_answer_again_and_moves_nothing(agent: StationAgent, bench: Bench) -> None:
    body = command(bench, "UnlockSlot", {"evseId": 1})
    agent.command_came(body)
    await asyncio.sleep(0.01)
    await bench.cabinet.close_slot(1)
    agent.command_came(body)
    await asyncio.sleep(0.01)
    assert acks(bench) == [("Accepted", None), ("Completed", None), ("Accepted", None)]
    assert not bench.cabinet.door_open(1)


def test_a_command_that_cannot_be_journalled_is_not_carried_out(agent: StationAgent, bench: Bench) -> None:
    bench.outbox._db.execute("PRAGMA query_only=ON")
    agent.command_came(command(bench, "ChangeAvailability", {"evseId": 1, "operational": False}))
    bench.outbox._db.execute("PRAGMA query_only=OFF")
    assert bench.said() == []


# -- motion ------------------------------------------------------------------------------------------------------------


async def test_one_swap_at_a_time_and_no_unlock_meanwhile(agent: StationAgent, bench: Bench) -> None:
    agent.command_came(command(bench, "RequestBatterySwap", SWAP))
    agent.command_came(command(bench, "RequestBatterySwap", {**SWAP, "requestId": 2**30 + 1}, "cmd-2"))
    agent.command_came(command(bench, "UnlockSlot", {"evseId": 1}, "cmd-3"))
    await asyncio.sleep(0.01)
    assert agent.swap_state is not None
    assert agent.swap_state.slot_numbers == (5,)
    agent.command_came(command(bench, "CancelSwap", {"requestId": 2**30}, "cmd-4"))
    await asyncio.sleep(0.01)
    assert acks(bench) == [
        ("Accepted", None),
        ("Rejected", "Busy"),
        ("Rejected", "Busy"),
        ("Accepted", None),
        ("Failed", "Cancelled"),
    ]
    assert agent.swap_state is None


async def test_a_restart_in_the_middle_of_a_swap_is_said_by_the_next_boot(tmp_path: Path) -> None:
    bench = make_bench(tmp_path / "j.db")
    agent = agent_of(bench)
    stop = asyncio.Event()
    task = asyncio.create_task(agent.run(stop))
    await asyncio.sleep(0.01)
    agent.command_came(command(bench, "RequestBatterySwap", SWAP))
    await asyncio.sleep(0.01)
    stop.set()
    await task
    assert acks(bench) == [("Accepted", None)]
    bench.outbox.close()

    outbox = Outbox(tmp_path / "j.db", durable=False)
    journal = StationJournal("st-1", 1, outbox, bench.clock, SendRules())
    again = Bench(bench.clock, outbox, bench.cabinet, journal)
    agent = agent_of(again)
    stop = asyncio.Event()
    task = asyncio.create_task(agent.run(stop))
    await asyncio.sleep(0.01)
    stop.set()
    await task
    assert acks(again) == [("Accepted", None), ("Failed", "Restarted")]
    assert [body["_leaf"] for body in again.said()][-2:] == ["birth", "ack"], "where the packs are comes first"
    outbox.close()


async def test_an_asked_for_swap_without_an_answer_does_not_begin(tmp_path: Path) -> None:
    bench = make_bench(tmp_path / "j.db")
    settings = AgentSettings(authorize_wall_s=0.01)
    agent = StationAgent("st-1", 1, bench.cabinet, LooseLink(bench.journal), bench.clock, settings, random.Random(1))
    assert await agent.request_swap("card-1", vehicle_id="v-1") == "no_answer"
    asked = bench.said("authorize")[0]
    assert (asked["requestId"], asked["vehicleId"]) == (1, "v-1")
    agent.command_came(command(bench, "RequestBatterySwap", {**SWAP, "requestId": 1}))
    assert acks(bench) == [("Rejected", "TooLate")]
    bench.journal.live = False
    assert await agent.request_swap("card-1") == "no_answer"
    assert len(bench.said("authorize")) == 1, "nobody listens: nothing is asked"
    bench.outbox.close()


# -- the loop ----------------------------------------------------------------------------------------------------------
