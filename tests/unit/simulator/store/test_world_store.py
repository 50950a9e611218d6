"""The world goes on where it was: after a clean end, after kill -9, and never as another world."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from simulator.plant import Plant
from simulator.scenario import load_scenario
from simulator.store.world_store import Errand, WorldMismatchError, WorldStore
from simulator.world import make_world

NOW = datetime(2026, 4, 6, tzinfo=UTC)
WORLD = make_world(load_scenario("default"), 2, 4)


def test_a_world_that_is_opened_again_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "world.sqlite"
    with WorldStore(path) as store:
        plant = Plant(WORLD, store)
        assert not plant.was_there
        plant.slot_limit_w[:] = 200.0
        plant.step(500.0)
        slot_no = int(np.flatnonzero(plant.in_slot[1] < 0)[0]) + 1
        plant.put(3, plant.with_rider[3][0], 1, slot_no)
        plant.save(NOW)
        kept = plant.packs.stored_wh.copy(), plant.packs.energy_in_wh.copy(), plant.meters.import_wh.copy(), plant.in_slot.copy()
        riders = [sorted(numbers) for numbers in plant.with_rider]
    with WorldStore(path) as store:
        again = Plant(WORLD, store)
        assert again.was_there
        assert store.fact("fleet_at") == NOW.isoformat()
        for then, now in zip(
            kept, (again.packs.stored_wh, again.packs.energy_in_wh, again.meters.import_wh, again.in_slot), strict=True
        ):
            assert (then == now).all()
        assert [sorted(numbers) for numbers in again.with_rider] == riders


def test_another_world_in_the_same_file_is_refused(tmp_path: Path) -> None:
    with WorldStore(tmp_path / "world.sqlite") as store:
        Plant(WORLD, store)
        with pytest.raises(WorldMismatchError, match="another --data-dir"):
            Plant(make_world(load_scenario("default"), 2, 5), store)


def test_an_errand_is_counted_with_the_pack_that_moves(tmp_path: Path) -> None:
    path = tmp_path / "world.sqlite"
    with WorldStore(path) as store:
        plant = Plant(WORLD, store)
        errand = Errand(3, 1, "rsv_1", "key")
        store.save_errand(errand)
        slot_no = int(np.flatnonzero(plant.in_slot[1] < 0)[0]) + 1
        moved = plant.put(3, plant.with_rider[3][0], 1, slot_no, errand)
        assert moved is not None
        assert moved.packs_in == 1
        back = plant.take(3, 1, slot_no, moved, back=True)
        assert back is not None
        assert (back.packs_in, back.packs_out) == (0, 0)
        plant.put(3, plant.with_rider[3][0], 1, slot_no, back)
    with WorldStore(path) as store:
        assert store.errands() == [Errand(3, 1, "rsv_1", "key", None, 1, 0)]
        store.end_errand(3)
        assert store.errands() == []


CHILD = """
import sys
from datetime import UTC, datetime
from pathlib import Path
import numpy as np
from simulator.plant import Plant
from simulator.scenario import load_scenario
from simulator.store.world_store import WorldStore
from simulator.world import make_world
plant = Plant(make_world(load_scenario("default"), 2, 4), WorldStore(Path(sys.argv[1])))
plant.slot_limit_w[:] = 300.0
at = datetime(2026, 4, 6, tzinfo=UTC)
for turn in range(10**9):
    plant.step(30.0)
    plant.save(at)
    slot = int(np.flatnonzero(plant.in_slot[0] < 0)[0]) + 1
    number = plant.with_rider[0][0]
    plant.put(0, number, 0, slot)
    print(int(plant.packs.energy_in_wh.sum()), plant.serials[number], slot, flush=True)
    plant.take(0, 0, slot)
"""


def test_a_killed_world_keeps_every_place_and_no_register_falls(tmp_path: Path) -> None:
    path = tmp_path / "world.sqlite"
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    lines = [child.stdout.readline() for _ in range(20)]
    os.kill(child.pid, signal.SIGKILL)
    lines += child.stdout.readlines()
    child.wait(10)
    child.stdout.close()
    told_wh, serial, slot_no = next(line for line in reversed(lines) if line.endswith("\n")).split()
    with WorldStore(path) as store:
        plant = Plant(WORLD, store)
        assert int(plant.packs.energy_in_wh.sum()) >= int(told_wh)
        place = store.places()[serial]
        assert (place.station, place.slot_no) == (0, int(slot_no)) or place.rider == 0
        everywhere = [int(n) for n in plant.in_slot.ravel() if n >= 0] + [n for numbers in plant.with_rider for n in numbers]
        assert sorted(everywhere) == list(range(len(plant.serials)))
