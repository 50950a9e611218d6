"""The simulated cabinet obeys its agent, tells the truth, and packs are moved by hands only."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from simulator.cabinet import JAM_S, SimulatedCabinet
from simulator.faults import FaultError, Faults, parse_faults
from simulator.plant import Plant
from simulator.scenario import load_scenario
from simulator.store.world_store import WorldStore
from simulator.world import World, make_world

NOW = datetime(2026, 4, 6, tzinfo=UTC)


class Bench:
    """A plant of three stations, and station number 0's cabinet."""

    def __init__(self, path: Path, rates: dict[str, float] | None = None) -> None:
        self.world: World = make_world(load_scenario("default"), 3, 1)
        self.store = WorldStore(path)
        self.plant = Plant(self.world, self.store)
        self.now_s = 0.0
        faults = Faults(rates or {}, 1)
        self.cabinet = SimulatedCabinet(self.plant, 0, "st-00001", self.world.scenario, faults, lambda: self.now_s)

    def slot(self, *, full: bool) -> int:
        return next(n for n in range(1, 13) if (self.plant.in_slot[0, n - 1] >= 0) == full)

    def low_slot(self) -> int:
        slots = [n for n in range(1, 13) if self.plant.in_slot[0, n - 1] >= 0]
        return min(slots, key=lambda n: self.plant.read(int(self.plant.in_slot[0, n - 1])).soc)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "world.sqlite")


def test_a_cabinet_shows_the_packs_that_the_world_put_there(bench: Bench) -> None:
    shown = {n: pack.serial_number for n in range(1, 13) if (pack := bench.cabinet.read_pack(n)) is not None}
    assert shown == {slot_no: pack.serial_number for slot_no, pack in bench.world.stations[0].packs}


def test_a_pack_takes_no_more_than_the_limit_and_nothing_without_one(bench: Bench) -> None:
    slot_no = bench.low_slot()
    bench.plant.step(10.0)
    assert bench.cabinet.read_pack(slot_no).power_dc_w == 0.0  # type: ignore[union-attr]
    bench.cabinet.set_charge_limit(slot_no, 150.0)
    bench.plant.step(10.0)
    assert bench.cabinet.read_pack(slot_no).power_dc_w == pytest.approx(150.0)  # type: ignore[union-attr]
    bench.cabinet.set_charge_limit(slot_no, -5.0)
    bench.plant.step(10.0)
    assert bench.cabinet.read_pack(slot_no).power_dc_w == 0.0  # type: ignore[union-attr]
    assert bench.plant.charged_wh == pytest.approx(150.0 * 10 / 3600)


async def test_an_open_door_stops_charging(bench: Bench) -> None:
    slot_no = bench.low_slot()
    bench.cabinet.set_charge_limit(slot_no, 150.0)
    assert await bench.cabinet.open_slot(slot_no)
    assert bench.cabinet.door_open(slot_no)
    bench.plant.step(10.0)
    assert bench.cabinet.read_pack(slot_no).power_dc_w == 0.0  # type: ignore[union-attr]
    assert await bench.cabinet.close_slot(slot_no)
    assert not bench.cabinet.door_open(slot_no)


def test_a_limit_stays_with_the_slot_when_packs_change(bench: Bench) -> None:
    full, empty = bench.low_slot(), bench.slot(full=False)
    bench.cabinet.set_charge_limit(full, 100.0)
    bench.plant.take(0, 0, full)
    own = bench.plant.with_rider[0][0]
    bench.plant.put(0, own, 0, empty)
    bench.plant.step(10.0)
    assert bench.cabinet.read_pack(full) is None
    assert bench.cabinet.read_pack(empty).power_dc_w == 0.0  # type: ignore[union-attr]


def test_riding_takes_energy_and_standing_does_not(bench: Bench) -> None:
    before = bench.plant.rider_soc()
    bench.plant.riding[1] = False
    bench.plant.step(60.0)
    after = bench.plant.rider_soc()
    assert after[0] < before[0]
    assert after[1] == before[1]


def test_a_slot_never_holds_two_packs_and_nobody_puts_what_he_has_not(bench: Bench) -> None:
    own = bench.plant.with_rider[0][0]
    with pytest.raises(ValueError, match="cannot put"):
        bench.plant.put(0, own, 0, bench.slot(full=True))
    with pytest.raises(ValueError, match="cannot put"):
        bench.plant.put(1, own, 0, bench.slot(full=False))
    with pytest.raises(ValueError, match="is empty"):
        bench.plant.take(0, 0, bench.slot(full=False))


def test_the_file_refuses_what_the_plant_would_not_do(bench: Bench) -> None:
    from simulator.store.world_store import Place

    serials = [pack.serial_number for _, pack in bench.world.stations[0].packs]
    taken = bench.store.places()[serials[0]]
    with pytest.raises(sqlite3.IntegrityError):
        bench.store.move(serials[1], taken)
    with pytest.raises(sqlite3.IntegrityError):
        bench.store.move(serials[1], Place(station=0, slot_no=taken.slot_no, rider=3))
    with pytest.raises(KeyError):
        bench.store.move("nobody", Place(rider=1))
    assert len(set(bench.store.places().values())) >= len(bench.plant.in_slot)


def test_the_meter_register_only_grows(bench: Bench) -> None:
    seen = []
    for _ in range(200):
        bench.plant.step(60.0)
        seen.append(bench.cabinet.read_registers()[0].import_wh)
    assert seen == sorted(seen)
    assert seen[-1] > seen[0]


async def test_a_jammed_door_is_a_fault_of_its_slot_until_it_is_seen_to(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "world.sqlite", {"door_jam": 1.0})
    assert not await bench.cabinet.open_slot(2)
    assert bench.cabinet.slot_fault(2) == "DoorJam"
    assert bench.cabinet.slot_fault(3) is None
    bench.now_s = JAM_S + 1
    assert bench.cabinet.slot_fault(2) is None


@pytest.mark.parametrize("word", ["earthquake=0.1", "door_jam", "door_jam=often", "door_jam=1.5", "door_jam=nan"])
def test_a_wrong_fault_is_refused_by_name(word: str) -> None:
    with pytest.raises(FaultError, match=word.partition("=")[0]):
        parse_faults([word])


def test_a_step_back_in_time_changes_nothing(bench: Bench) -> None:
    before = bench.plant.packs.stored_wh.copy()
    bench.plant.step(-5.0)
    bench.plant.step(0.0)
    assert (bench.plant.packs.stored_wh == before).all()
    bench.plant.save(NOW)
