"""Where things stand: station sites on a jittered grid, distances, points near a point. No map data, only a coarse outline."""

import math
import random
from typing import NamedTuple

METRES_PER_DEGREE = 111_195.0
"""Metres per degree of latitude on a sphere of 6,371 km."""

# Guess: a hand-drawn outline well inside the coast of Kyushu: stations must not stand in the sea, and that needs no survey.
KYUSHU = (
    (33.61, 130.40),
    (33.78, 130.60),
    (33.85, 130.85),
    (33.58, 131.10),
    (33.25, 131.55),
    (32.75, 131.75),
    (32.00, 131.40),
    (31.50, 131.30),
    (31.65, 130.80),
    (31.45, 130.40),
    (32.00, 130.28),
    (32.45, 130.62),
    (32.75, 130.66),
    (33.10, 130.42),
    (33.25, 130.20),
    (33.45, 130.05),
    (33.52, 130.28),
)


class Point(NamedTuple):
    """A place on earth, degrees."""

    latitude: float
    longitude: float


def distance_m(here: Point, there: Point) -> float:
    """Return the distance of two near points [m], flat earth: right to 0.1 % within 100 km."""
    north_m = (there.latitude - here.latitude) * METRES_PER_DEGREE
    middle = math.radians((here.latitude + there.latitude) / 2)
    east_m = (there.longitude - here.longitude) * METRES_PER_DEGREE * math.cos(middle)
    return math.hypot(north_m, east_m)


def moved(start: Point, east_m: float, north_m: float) -> Point:
    """Return the point `east_m` and `north_m` away, rounded to 0.1 m."""
    latitude = start.latitude + north_m / METRES_PER_DEGREE
    longitude = start.longitude + east_m / (METRES_PER_DEGREE * math.cos(math.radians(start.latitude)))
    return Point(round(latitude, 6), round(longitude, 6))


def inside(point: Point, outline: tuple[tuple[float, float], ...]) -> bool:
    """Tell whether a point lies in a polygon (crossing number)."""
    within = False
    for (lat_a, lon_a), (lat_b, lon_b) in zip(outline, (*outline[1:], outline[0]), strict=True):
        if (lat_a > point.latitude) != (lat_b > point.latitude):
            crossing = lon_a + (point.latitude - lat_a) / (lat_b - lat_a) * (lon_b - lon_a)
            within ^= point.longitude < crossing
    return within


def sites(count: int, centre: Point, spacing_m: float, chance: random.Random) -> list[Point]:
    """Return `count` sites, the nearest to the centre first, about `spacing_m` apart.

    Sites outside the outline are left out, unless the centre itself is outside: then there is no outline.
    Where the land is too small for the count the grid gets finer.
    """
    bounded = inside(centre, KYUSHU)
    offset = (chance.uniform(-0.5, 0.5), chance.uniform(-0.5, 0.5))
    salt = chance.random()
    while True:
        found: list[tuple[float, Point]] = []
        half = min(math.ceil(math.sqrt(count) * 2) + 2, math.ceil(300_000 / spacing_m))
        for row in range(-half, half + 1):
            for column in range(-half, half + 1):
                wobble = random.Random(f"{salt}/{row}/{column}")
                east_m = (column + offset[0] + wobble.uniform(-0.35, 0.35)) * spacing_m
                north_m = (row + offset[1] + wobble.uniform(-0.35, 0.35)) * spacing_m
                point = moved(centre, east_m, north_m)
                if not bounded or inside(point, KYUSHU):
                    found.append((math.hypot(east_m, north_m), point))
        if len(found) >= count:
            return [point for _, point in sorted(found)[:count]]
        spacing_m *= 0.8
