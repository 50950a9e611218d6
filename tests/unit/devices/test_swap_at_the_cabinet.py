"""One swap at the bench cabinet, on a clock moved by hand: orders, sets, timeouts, jams, strangers."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from devices.agent.swap import SwapRun, why_not_start
from devices.hardware.bench import bench_pack
from devices.hardware.ports import PackSample, SafetySignal
from devices.link.outbox import Answer
from devices.wire.commands import RequestBatterySwap
from devices.wire.events import IdToken
from tests.unit.devices.conftest import Bench, make_bench


def wanted(*serials: str, count: int = 1, in_slots: tuple[int, ...] = ()) -> RequestBatterySwap:
    token = IdToken(id_token="rsv_1")
    return RequestBatterySwap(request_id=2**30, id_token=token, count=count, offer_serials=list(serials), in_slots=list(in_slots))


@pytest.fixture
def out_in(tmp_path: Path) -> Iterator[Bench]:
    bench = make_bench(tmp_path / "out-in.db", swap_order="Out-In")
    yield bench
    bench.outbox.close()


class Rider:
    """Puts his packs into open empty slots and takes packs from open full ones, unless told otherwise."""

    def __init__(self, bench: Bench, *packs: PackSample, puts: bool = True, takes: bool = True) -> None:
        self.bench, self.packs, self.puts, self.takes = bench, list(packs), puts, takes
        self.doors: list[int] = []
        self.taken: list[str] = []
        self.each_look: Callable[[], None] = lambda: None

    async def pause(self) -> None:
        self.bench.clock.advance(1.0)
        cabinet = self.bench.cabinet
        for slot_no in self.bench.station.slots.descriptors:
            if cabinet.door_open(slot_no):
                if not self.doors or self.doors[-1] != slot_no:
                    self.doors.append(slot_no)
                if cabinet.read_pack(slot_no) is None and self.puts and self.packs:
                    cabinet.put(slot_no, self.packs.pop(0))
                elif cabinet.read_pack(slot_no) is not None and self.takes:
                    self.taken.append(cabinet.take(slot_no).serial_number)
        self.each_look()


def moves(bench: Bench) -> list[tuple[str, list[tuple[int, str]]]]:
    return [
        (body["eventType"], [(pack["evseId"], pack["serialNumber"]) for pack in body["batteryData"]])
        for body in bench.said("swap")
    ]


async def test_in_out_takes_in_first_and_then_hands_out_exactly_what_was_offered(bench: Bench) -> None:
    rider = Rider(bench, bench_pack("MINE-1", 0.1), bench_pack("MINE-2", 0.2))
    run = SwapRun(bench.station, wanted("BENCH-0004", "BENCH-0003", count=2, in_slots=(6, 5)), rider.pause)
    assert await run.run() == Answer("Completed", None)
    assert moves(bench) == [
        ("BatteryIn", [(6, "MINE-1")]),
        ("BatteryIn", [(5, "MINE-2")]),
        ("BatteryOut", [(4, "BENCH-0004")]),
        ("BatteryOut", [(3, "BENCH-0003")]),
    ]
    assert rider.doors == [6, 5, 4, 3], "one door at a time"
    assert run.state.phase == "done"


async def test_out_in_hands_out_first_and_takes_in_where_there_is_room(out_in: Bench) -> None:
    rider = Rider(out_in, bench_pack("MINE-1", 0.1))
    assert await SwapRun(out_in.station, wanted("BENCH-0004"), rider.pause).run() == Answer("Completed", None)
    assert [what for what, _ in moves(out_in)] == ["BatteryOut", "BatteryIn"]


async def test_nobody_puts_a_pack_in_time_so_the_slot_closes_and_no_event_is_said(bench: Bench) -> None:
    rider = Rider(bench)
    assert await SwapRun(bench.station, wanted("BENCH-0004"), rider.pause).run() == Answer("Failed", "TimeoutIn")
    assert moves(bench) == []
    assert not any(bench.cabinet.door_open(slot_no) for slot_no in range(1, 7))
    assert bench.clock.seconds == bench.cabinet.descriptor.timeout_in_s
    assert rider.taken == []


async def test_the_second_pack_of_a_set_never_comes_and_what_came_is_said(bench: Bench) -> None:
    rider = Rider(bench, bench_pack("MINE-1", 0.1))
    run = SwapRun(bench.station, wanted("BENCH-0004", "BENCH-0003", count=2), rider.pause)
    assert await run.run() == Answer("Failed", "TimeoutIn")
    assert moves(bench) == [("BatteryIn", [(5, "MINE-1")])]


async def test_nobody_takes_the_pack_and_it_stays(bench: Bench) -> None:
    rider = Rider(bench, bench_pack("MINE-1", 0.1), takes=False)
    assert await SwapRun(bench.station, wanted("BENCH-0004"), rider.pause).run() == Answer("Failed", "TimeoutOut")
    assert moves(bench)[1:] == [("BatteryOutTimeout", [(4, "BENCH-0004")])]
    assert not bench.cabinet.door_open(4)


async def test_a_jammed_door_is_tried_twice_and_the_next_best_slot_is_used(bench: Bench) -> None:
    bench.cabinet.jam(5)
    rider = Rider(bench, bench_pack("MINE-1", 0.1))
    assert await SwapRun(bench.station, wanted("BENCH-0004", in_slots=(5,)), rider.pause).run() == Answer("Completed", None)
    assert moves(bench)[0] == ("BatteryIn", [(6, "MINE-1")])
    assert bench.station.slots.read_one(5).fault == "DoorJammed"
    assert [(body["code"], body["evseIds"]) for body in bench.said("event")] == [("DoorJammed", [5])]


async def test_a_jammed_offer_is_replaced_by_a_pack_with_no_less_energy_or_by_none(bench: Bench) -> None:
    bench.cabinet.jam(3)
    rider = Rider(bench, bench_pack("MINE-1", 0.1))
    assert await SwapRun(bench.station, wanted("BENCH-0003"), rider.pause).run() == Answer("Completed", None)
    assert moves(bench)[1] == ("BatteryOut", [(4, "BENCH-0004")])
    bench.cabinet.jam(2)
    rider = Rider(bench, bench_pack("MINE-2", 0.1))
    assert await SwapRun(bench.station, wanted("BENCH-0002"), rider.pause).run() == Answer("Failed", "DoorJammed")


async def test_a_pack_of_another_model_is_given_back_and_the_right_one_taken(bench: Bench) -> None:
    stranger = replace(bench_pack("STRANGE", 0.5), pack_model_id="OTHER")
    rider = Rider(bench, stranger, bench_pack("MINE-1", 0.1))
    assert await SwapRun(bench.station, wanted("BENCH-0004"), rider.pause).run() == Answer("Completed", None)
    assert "STRANGE" in rider.taken
    assert moves(bench)[0] == ("BatteryIn", [(5, "MINE-1")])
    assert bench.said("event")[0]["code"] == "ForeignPack"


async def test_a_cancelled_swap_stops_only_while_nothing_has_moved(bench: Bench) -> None:
    rider = Rider(bench, puts=False)
    run = SwapRun(bench.station, wanted("BENCH-0004"), rider.pause)
    rider.each_look = lambda: run.cancel() and None
    assert await run.run() == Answer("Failed", "Cancelled")
    rider = Rider(bench, bench_pack("MINE-1", 0.1))
    run = SwapRun(bench.station, wanted("BENCH-0004"), rider.pause)
    assert await run.run() == Answer("Completed", None)
    assert run.cancel() is False


async def test_an_alarm_ends_the_swap(bench: Bench) -> None:
    rider = Rider(bench)
    rider.each_look = lambda: bench.station.slots.stop(SafetySignal("Smoke", "A")) and None
    assert await SwapRun(bench.station, wanted("BENCH-0004"), rider.pause).run() == Answer("Failed", "SafeState")


async def test_a_door_left_open_is_closed_by_the_station(bench: Bench) -> None:
    rider = Rider(bench, bench_pack("MINE-1", 0.1))

    def leave_open() -> None:
        if bench.cabinet.read_pack(5) is not None and bench.clock.seconds < 12:
            bench.cabinet._slots[5].open = True

    rider.each_look = leave_open
    rider.takes = False
    run = SwapRun(bench.station, wanted("BENCH-0004"), rider.pause)
    await run.run()
    assert moves(bench)[0] == ("BatteryIn", [(5, "MINE-1")])
    assert bench.clock.seconds > bench.settings.door_left_open_s
    assert not bench.cabinet.door_open(5)


def test_a_swap_that_cannot_be_done_is_refused_before_any_door_opens(bench: Bench, out_in: Bench) -> None:
    assert why_not_start(bench.station, wanted("BENCH-0004", "BENCH-0003", count=2)) is None
    assert why_not_start(bench.station, wanted("ELSEWHERE")) == "NoBatteryAvailable"
    assert why_not_start(bench.station, wanted("BENCH-0004", count=3)) == "NoEmptySlot"
    assert why_not_start(out_in.station, wanted("BENCH-0004", count=3)) is None, "Out-In makes room first"
    pack = bench.cabinet.read_pack(4)
    assert pack is not None
    bench.cabinet.change_pack(4, replace(pack, faults=("Isolation",)))
    assert why_not_start(bench.station, wanted("BENCH-0004")) == "PackFault"
