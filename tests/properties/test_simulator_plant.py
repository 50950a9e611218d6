"""Whatever riders do, every pack is in exactly one place, on disk as in memory, and the plant's energy adds up."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.plant import Plant
from simulator.scenario import load_scenario
from simulator.store.world_store import WorldStore
from simulator.world import make_world

WORLD = make_world(load_scenario("default"), 2, 9)
RIDERS = st.integers(0, len(WORLD.riders) - 1)
SLOTS = st.tuples(st.integers(0, 1), st.integers(1, 12))
acts = st.one_of(
    st.tuples(st.just("put"), RIDERS, SLOTS),
    st.tuples(st.just("take"), RIDERS, SLOTS),
    st.tuples(st.just("step"), st.floats(0.1, 600.0), SLOTS),
)


@settings(max_examples=30, deadline=None)
@given(history=st.lists(acts, max_size=40))
def test_no_history_duplicates_or_loses_a_pack_or_a_watt_hour(history: list[tuple[str, float, tuple[int, int]]]) -> None:
    with tempfile.TemporaryDirectory() as directory, WorldStore(Path(directory) / "world.sqlite") as store:
        plant = Plant(WORLD, store)
        plant.slot_limit_w[:] = 340.0
        stored = float(plant.packs.stored_wh.sum())
        came, went = (float(register.sum()) for register in (plant.packs.energy_in_wh, plant.packs.energy_out_wh))
        for act, who, (station, slot_no) in history:
            if act == "step":
                plant.step(who)
                continue
            rider = int(who)
            try:
                if act == "put":
                    plant.put(rider, plant.with_rider[rider][0] if plant.with_rider[rider] else -1, station, slot_no)
                else:
                    plant.take(rider, station, slot_no)
            except ValueError:
                continue
        everywhere = [int(n) for n in plant.in_slot.ravel() if n >= 0] + [n for numbers in plant.with_rider for n in numbers]
        assert sorted(everywhere) == list(range(len(plant.serials)))
        again = Plant(WORLD, store)
        assert (again.in_slot == plant.in_slot).all()
        assert [sorted(numbers) for numbers in again.with_rider] == [sorted(numbers) for numbers in plant.with_rider]
        packs = plant.packs
        charged = float(packs.energy_in_wh.sum()) - came
        drawn = float(packs.energy_out_wh.sum()) - went
        change = float(packs.stored_wh.sum()) - stored
        assert change == pytest.approx(charged - drawn - float(packs.loss_wh.sum()), abs=1e-2)
        assert plant.charged_wh == pytest.approx(charged, abs=1e-6)
        assert np.isfinite(packs.temperature_degc).all()
