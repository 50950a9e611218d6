"""The rivals do what their names say, and riders get what the desk's rules give them."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from simulator.offline.catalogue import POLICIES
from simulator.offline.market import KnownSignals
from simulator.offline.plant import OfflinePlant
from simulator.offline.policies import GUARD_SHARE, Sight
from simulator.offline.riding import Riding
from simulator.offline.run import pack_model
from simulator.scenario import load_scenario
from simulator.world import make_world

MIDNIGHT = datetime(2026, 4, 5, 15, 0, tzinfo=UTC)
"""In Japan."""


def stage(stations: int = 2) -> tuple[Sight, Riding]:
    scenario = load_scenario("exchanger-30")
    world = make_world(scenario, stations, 1)
    plant, model = OfflinePlant(world), pack_model(scenario)
    riding = Riding(world, plant, model)
    return Sight(world, model, plant, riding.handed, KnownSignals((), "kyushu"), "kyushu", MIDNIGHT), riding


def at(local_hour: float) -> datetime:
    return MIDNIGHT + timedelta(hours=local_hour)


@pytest.mark.parametrize(
    ("name", "on", "off"), [("timer_10_14", (10.0, 13.9), (9.9, 14.0, 23.0)), ("night", (23.0, 0.0, 6.9), (7.0, 12.0, 22.9))]
)
def test_a_timer_gives_full_power_in_its_hours_by_the_local_clock(
    name: str, on: tuple[float, ...], off: tuple[float, ...]
) -> None:
    sight, _ = stage()
    policy = POLICIES[name][0](sight)
    for hour in on:
        assert (policy.limits_w(at(hour).astimezone()) == sight.model.max_charge_w).all()
    for hour in off:
        assert not policy.limits_w(at(hour)).any(), "twenty of twenty-six packs are ready: more than the guard"


def test_outside_its_hours_a_timer_keeps_a_guard_ready_the_nearest_first() -> None:
    sight, _ = stage(1)
    plant = sight.plant
    inside = plant.in_slot[0][plant.in_slot[0] >= 0]
    plant.packs.stored_wh[inside] = np.linspace(0.10, 0.70, inside.size) * plant.packs.soh[inside] * plant.kind.nominal_wh
    limits = POLICIES["timer_10_14"][0](sight).limits_w(at(20.0))[0]
    charged = plant.in_slot[0][limits > 0]
    assert sorted(charged.tolist()) == sorted(inside[-int(np.ceil(GUARD_SHARE * inside.size)) :].tolist())


def test_uniform_gives_the_same_power_by_day_and_by_night() -> None:
    sight, _ = stage()
    policy = POLICIES["uniform"][0](sight)
    night, noon = policy.limits_w(at(24.0)), policy.limits_w(at(24.0))
    np.testing.assert_array_equal(night, noon)
    assert 0 < night.max() < sight.model.max_charge_w


def low_rider(sight: Sight, packs: int) -> int:
    """Return a rider with so many packs who has just got low; nobody else is."""
    plant = sight.plant
    rider = int(np.flatnonzero((plant.in_vehicle >= 0).sum(axis=1) == packs)[0])
    mine = plant.in_vehicle[rider][plant.in_vehicle[rider] >= 0]
    plant.packs.stored_wh[mine] = 0.1 * plant.packs.soh[mine] * plant.kind.nominal_wh
    return rider


@pytest.mark.parametrize("packs", [1, 2])
def test_who_is_low_gets_a_complete_ready_set_at_home(packs: int) -> None:
    sight, riding = stage()
    rider = low_rider(sight, packs)
    riding.swap_all(at(8.0), 60.0, 0.0)
    soc = sight.plant.soc()
    mine = sight.plant.in_vehicle[rider][sight.plant.in_vehicle[rider] >= 0]
    assert len(mine) == packs
    assert (soc[mine] >= sight.model.hand_out_soc).all()
    home = sight.world.riders[rider].home
    assert (riding.handed.swaps, riding.handed.packs, riding.handed.elsewhere) == (1, packs, 0)
    assert riding.handed.by_hour[home] == {at(8.0): packs}
    assert [round(soc, 6) for _, soc in riding.handed.returned] == [0.1] * packs


def test_where_nothing_is_ready_he_goes_to_the_next_station_and_where_nothing_is_ready_at_all_he_waits() -> None:
    sight, riding = stage()
    plant = sight.plant
    rider = low_rider(sight, 1)
    home = sight.world.riders[rider].home
    there = plant.in_slot[home][plant.in_slot[home] >= 0]
    full = plant.packs.stored_wh.copy()
    everywhere = plant.in_slot[plant.in_slot >= 0]
    plant.packs.stored_wh[everywhere] = 0.5 * plant.packs.soh[everywhere] * plant.kind.nominal_wh
    riding.swap_all(at(8.0), 60.0, 0.0)
    assert (riding.handed.swaps, riding.handed.wait_s) == (0, 60.0)
    plant.packs.stored_wh[:] = full
    plant.packs.stored_wh[there] = 0.5 * plant.packs.soh[there] * plant.kind.nominal_wh
    riding.swap_all(at(8.1), 60.0, 0.0)
    assert (riding.handed.swaps, riding.handed.elsewhere, riding.handed.waited) == (1, 1, 1)
