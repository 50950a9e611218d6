"""Scenarios name what is wrong with them; a world is the same for the same seed."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from simulator.physics.connection import EXCHANGER_CONNECTION
from simulator.places import KYUSHU, distance_m, inside
from simulator.scenario import BUNDLED, ScenarioError, list_scenarios, load_scenario, parse_scenario
from simulator.world import make_world, world_summary

DEFAULT = (BUNDLED / "default.toml").read_text(encoding="utf-8")
DEFAULT_WORLD = "5336f9676b0733bfe6a2dbc213de28f6ab85a4d66d6bfc5b05c482666c7c6e2c"
"""Stations and riders of five stations, seed 1. Another value orphans every world that is kept on disk."""


def test_the_same_seed_gives_the_same_world_to_the_last_byte() -> None:
    scenario = load_scenario("default")
    first, second = (json.dumps(world_summary(make_world(scenario, 20, 7))) for _ in range(2))
    assert first == second
    assert make_world(scenario, 20, 7) == make_world(scenario, 20, 7)


def test_another_seed_gives_another_world() -> None:
    scenario = load_scenario("default")
    assert world_summary(make_world(scenario, 20, 7)) != world_summary(make_world(scenario, 20, 8))


def test_more_riders_do_not_move_a_station_or_its_packs() -> None:
    scenario = load_scenario("default")
    crowded = scenario.model_copy(update={"riders": scenario.riders.model_copy(update={"per_station": 9})})
    assert make_world(scenario, 12, 3).stations == make_world(crowded, 12, 3).stations


def test_stations_stand_on_land_and_apart() -> None:
    world = make_world(load_scenario("default"), 150, 1)
    places = [station.place for station in world.stations]
    assert all(inside(place, KYUSHU) for place in places)
    assert min(distance_m(a, b) for k, a in enumerate(places) for b in places[:k]) > 300
    assert max(distance_m(places[0], place) for place in places) < 20_000


def test_every_station_starts_with_two_empty_slots_and_every_serial_is_used_once() -> None:
    world = make_world(load_scenario("default"), 40, 5)
    assert all(len(station.packs) <= 10 for station in world.stations)
    serials = [pack.serial_number for pack in world.packs()]
    assert len(serials) == len(set(serials))
    assert {len(rider.packs) for rider in world.riders} == {1, 2}


def test_riding_has_the_mean_one_over_a_day_and_is_most_in_the_rush_hours() -> None:
    demand = load_scenario("default").demand
    midnight = datetime(2026, 4, 6, tzinfo=UTC) - timedelta(hours=demand.utc_offset_h)
    levels = [demand.riding_at(midnight + timedelta(minutes=minute)) for minute in range(24 * 60)]
    assert sum(levels) / len(levels) == pytest.approx(1.0, abs=1e-3)
    assert levels.index(max(levels)) / 60 == pytest.approx(8.0, abs=0.51)
    assert levels[3 * 60] < 0.2 < 2.0 < levels[18 * 60]


def test_a_scenario_may_choose_the_connection_and_otherwise_has_the_usual_one() -> None:
    assert load_scenario("default").station.connection == EXCHANGER_CONNECTION
    wide = parse_scenario(DEFAULT.replace("slots = 12", "slots = 12\nmax_import_ac_w = 9000.0"), "mine")
    assert wide.station.connection == replace(EXCHANGER_CONNECTION, max_import_ac_w=9000.0)


@pytest.mark.parametrize("name", list_scenarios())
def test_every_bundled_scenario_makes_a_world_whose_riders_can_ride(name: str) -> None:
    world = make_world(load_scenario(name), 6, 1)
    assert len(world.riders) == 6 * world.scenario.riders.per_station
    assert all(pack.soc > rider.swap_below_soc for rider in world.riders for pack in rider.packs)


def test_the_default_world_is_what_it_has_always_been() -> None:
    world = make_world(load_scenario("default"), 5, 1)
    # Coordinates are left out: their last digit is the mathematics library's.
    text = repr([(station.station_id, station.name, station.packs) for station in world.stations]) + repr(world.riders)
    assert hashlib.sha256(text.encode()).hexdigest() == DEFAULT_WORLD


def test_every_rider_can_still_ride_at_the_start() -> None:
    world = make_world(load_scenario("default"), 60, 1)
    assert all(pack.soc > rider.swap_below_soc for rider in world.riders for pack in rider.packs)


@pytest.mark.parametrize("stations", [0, -1, 20_001])
def test_a_world_of_an_absurd_size_is_refused(stations: int) -> None:
    with pytest.raises(ValueError, match="stations must be 1 to"):
        make_world(load_scenario("default"), stations, 1)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("two_pack_share = 0.25", "two_pack_share = 1.25", "riders.two_pack_share"),
        ("two_pack_share = 0.25", "", "riders.two_pack_share"),
        ("packs_full = 7", "packs_full = 9", "leave two slots empty"),
        ("full_soc = [0.88, 1.0]", "full_soc = [1.0, 0.88]", "station.full_soc"),
        ("per_station = 6", "per_station = 6\nhorses = 2", "riders.horses"),
        ("utc_offset_h = 9.0", "utc_offset_h = 90.0", "demand.utc_offset_h"),
        ("0.15, 0.10, 0.10,", "0.15, 0.10,", "demand.day_shape"),
        ("ambient_degc = 22.0", 'ambient_degc = "warm"', "weather.ambient_degc"),
        ("ambient_degc = 22.0", "ambient_degc = nan", "weather.ambient_degc"),
        ("[weather]", "[weather", "is not TOML"),
    ],
)
def test_a_wrong_scenario_says_what_is_wrong(old: str, new: str, named: str) -> None:
    assert old in DEFAULT
    with pytest.raises(ScenarioError, match="scenario mine") as caught:
        parse_scenario(DEFAULT.replace(old, new), "mine")
    assert named in str(caught.value)


@pytest.mark.parametrize("name", ["nowhere", "/no/such/file.toml"])
def test_a_scenario_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(ScenarioError, match=name):
        load_scenario(name)
