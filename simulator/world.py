"""Who lives in a world: stations with their packs, riders with their vehicles. A pure function of scenario, count and seed.

Every source of chance has its own stream, named after what it is for, so that one more rider never moves a station.
"""

import random
from dataclasses import dataclass

from simulator.physics.pack import MOBILE_POWER_PACK
from simulator.places import Point, sites
from simulator.scenario import Scenario

MOST_STATIONS = 20_000

_FIRST = (
    "Aoba",
    "Asahi",
    "Hinode",
    "Hoshi",
    "Izumi",
    "Kaede",
    "Kawa",
    "Matsu",
    "Midori",
    "Mizu",
    "Momiji",
    "Nagi",
    "Sakura",
    "Sora",
)
_SECOND = ("Chuo", "Ekimae", "Higashi", "Kita", "Machi", "Minami", "Nishi", "Oka", "Park", "Plaza", "Shinmachi", "Yokocho")


@dataclass(frozen=True, slots=True)
class PackAtStart:
    """One pack on the first morning."""

    serial_number: str
    soc: float
    soh: float
    spread_mv: float


@dataclass(frozen=True, slots=True)
class StationAtStart:
    """One station and what is in its slots (numbered from 1) on the first morning."""

    station_id: str
    name: str
    place: Point
    packs: tuple[tuple[int, PackAtStart], ...]


@dataclass(frozen=True, slots=True)
class RiderAtStart:
    """One rider, his vehicle, the packs in it, and how he rides."""

    rider_id: str
    name: str
    vehicle_id: str
    home: int
    """Number of the station he rides around, from 0."""
    packs: tuple[PackAtStart, ...]
    swap_below_soc: float
    draw_w: float
    """What his vehicle takes from EACH of its packs while he rides [W DC]."""


@dataclass(frozen=True, slots=True)
class World:
    """All of it."""

    scenario: Scenario
    seed: int
    stations: tuple[StationAtStart, ...]
    riders: tuple[RiderAtStart, ...]

    def packs(self) -> list[PackAtStart]:
        """Return every pack: those in slots first, in the order of the stations, then those of the riders."""
        inside = [pack for station in self.stations for _, pack in station.packs]
        return inside + [pack for rider in self.riders for pack in rider.packs]


def make_world(scenario: Scenario, stations: int, seed: int) -> World:
    """Return the world of a scenario. The same arguments give the same world, to the last digit.

    Raises
    ------
    ValueError
        `stations` is not within 1 .. 20,000.
    """
    if not 1 <= stations <= MOST_STATIONS:
        raise ValueError(f"stations must be 1 to {MOST_STATIONS}, got {stations}")
    area = scenario.area
    places = sites(stations, Point(area.centre_latitude, area.centre_longitude), area.spacing_m, random.Random(f"{seed}/sites"))
    stations_made = tuple(_station(scenario, number, place, seed) for number, place in enumerate(places))
    return World(scenario, seed, stations_made, _riders(scenario, stations, seed))


def _station(scenario: Scenario, number: int, place: Point, seed: int) -> StationAtStart:
    chance = random.Random(f"{seed}/station/{number}")
    kind = scenario.station
    slots = sorted(chance.sample(range(1, kind.slots + 1), kind.packs_full + kind.packs_charging))
    levels = [chance.uniform(*kind.full_soc) for _ in range(kind.packs_full)]
    levels += [chance.uniform(*kind.charging_soc) for _ in range(kind.packs_charging)]
    chance.shuffle(levels)
    packs = tuple(
        (slot_no, _pack(f"MPP-{number:05d}-{slot_no:02d}", level, chance.uniform(*kind.soh), chance))
        for slot_no, level in zip(slots, levels, strict=True)
    )
    name = f"{chance.choice(_FIRST)} {chance.choice(_SECOND)} {number + 1}"
    return StationAtStart(f"st-{number + 1:05d}", name, place, packs)


def _pack(serial_number: str, soc: float, soh: float, chance: random.Random) -> PackAtStart:
    # Guess: cells of a sound pack are 4 to 25 mV apart.
    return PackAtStart(serial_number, round(soc, 4), round(soh, 4), round(chance.uniform(4.0, 25.0), 1))


def _riders(scenario: Scenario, stations: int, seed: int) -> tuple[RiderAtStart, ...]:
    riders = scenario.riders
    count = stations * riders.per_station
    made = []
    for number in range(count):
        chance = random.Random(f"{seed}/rider/{number}")
        packs = 2 if chance.random() < riders.two_pack_share else 1
        swap_below = round(chance.uniform(*riders.swap_below_soc), 4)
        soh = chance.uniform(*scenario.station.soh)
        draw_w = round(_draw_w(scenario) * chance.uniform(0.85, 1.15), 2)
        soc = chance.uniform(swap_below + 0.01, 0.95)
        made.append(
            RiderAtStart(
                rider_id=f"rider-{number + 1:06d}",
                name=f"Rider {number + 1}",
                vehicle_id=f"veh-{number + 1:06d}",
                home=number // riders.per_station,
                packs=tuple(_pack(f"MPP-R{number + 1:06d}-{k + 1}", soc, soh, chance) for k in range(packs)),
                swap_below_soc=swap_below,
                draw_w=draw_w,
            )
        )
    return tuple(made)


def _draw_w(scenario: Scenario) -> float:
    """Return the mean power per pack at which riders get low just as often as the demand says [W DC]."""
    riders = scenario.riders
    if riders.per_station == 0:
        return 0.0
    each_hour = scenario.demand.swaps_per_station_hour / riders.per_station
    # Guess: packs are handed out at 93 % on the mean.
    used = 0.93 - sum(riders.swap_below_soc) / 2
    kind = MOBILE_POWER_PACK
    return max(used, 0.05) * kind.nominal_wh * kind.discharge_efficiency * sum(scenario.station.soh) / 2 * each_hour


def world_summary(world: World) -> dict[str, object]:
    """Return what ``denchi-sim world --json`` prints: who must be provisioned before the world can go online."""
    return {
        "seed": world.seed,
        "stations": [
            {
                "station_id": station.station_id,
                "name": station.name,
                "latitude": station.place.latitude,
                "longitude": station.place.longitude,
            }
            for station in world.stations
        ],
        "riders": [rider.rider_id for rider in world.riders],
    }
