"""The map alone on a page, behind the console's gate: python map_process.py PORT STATIONS. No database.

`/change?ready=0&first=20` gives the first stations other ready packs, as the next reading of the tables would; `/picked` says
what was picked.
"""

import asyncio
import json
import random
import signal
import sys
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from fastapi import FastAPI
from nicegui import ui

import service.console
from service.console.fleet_map import FleetMap
from service.console.gate import Gate
from service.console.map_view import map_view
from service.console.station_list_view import StationLine
from service.serving import serve
from service.store.fleet import StationRow

NOW = datetime(2026, 4, 6, tzinfo=UTC)
Point = tuple[float, float]


def japan() -> list[list[Point]]:
    """Return the rings of the bundled outline as (longitude, latitude)."""
    outline = json.loads((Path(service.console.__file__).parent / "outlines" / "japan.json").read_text())
    rings = []
    for steps in outline["rings"]:
        x, y, ring = 0, 0, []
        for east, north in zip(steps[::2], steps[1::2], strict=True):
            x, y = x + east, y + north
            ring.append((x * outline["unit_deg"], y * outline["unit_deg"]))
        rings.append(ring)
    return rings


def is_inside(point: Point, ring: list[Point]) -> bool:
    x, y = point
    crossings = 0
    for (x1, y1), (x2, y2) in pairwise(ring):
        crossings += (y1 > y) != (y2 > y) and x < x1 + (y - y1) * (x2 - x1) / (y2 - y1)
    return crossings % 2 == 1


def fleet(count: int) -> tuple[list[StationRow], list[StationLine]]:
    """Return stations on the main islands, near towns and between them; two more have no coordinates."""
    chance = random.Random(7)
    rings = sorted(japan(), key=len, reverse=True)[:6]
    towns = ((139.7, 35.7), (135.5, 34.7), (136.9, 35.15), (130.4, 33.6), (141.35, 43.06), (140.87, 38.27), (132.45, 34.4))
    stations: list[StationRow] = []
    lines: list[StationLine] = []
    while len(stations) < count + 2:
        number = len(stations)
        if number >= count:
            point = (0.0, 0.0)
        elif chance.random() < 0.6:
            town = chance.choice(towns)
            point = (chance.gauss(town[0], 0.35), chance.gauss(town[1], 0.25))
        else:
            point = (chance.uniform(129.3, 145.8), chance.uniform(31, 45.5))
        if number < count and not any(is_inside(point, ring) for ring in rings):
            continue
        name = f"Station {number:05} 交換所"
        ready = chance.choice((0, 1, 2, 3, 5, 6, 7, 8, 9, 12, 14))
        trouble = int(chance.random() < 0.02)
        heard_s = 2000.0 if chance.random() < 0.03 else 9.0
        power_w = chance.choice((0.0, 0.0, 2500.0))
        stations.append(
            StationRow(f"st-{number:05}", name, "in_service", NOW, 0.92, 9000, heard_s < 600, NOW, NOW, 0, point[1], point[0])
        )
        lines.append(
            StationLine(
                f"st-{number:05}", name, heard_s < 600, True, ready, 3, trouble, power_w, 0, heard_s, ((1, "empty", -1),) * 30
            )
        )
    return stations, lines


async def main(port: str, count: str) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    stations, lines = fleet(int(count))
    app = FastAPI()
    maps: list[FleetMap] = []
    picked: list[str] = []

    def show() -> None:
        for element in maps:
            element.show(map_view(stations, lines, 600, picked=picked[-1] if picked else None))

    @app.get("/change")
    async def change(ready: int, first: int) -> None:
        lines[:first] = [replace(line, ready=ready, trouble=0, connected=True, heard_s=9.0) for line in lines[:first]]
        show()

    @app.get("/picked")
    async def what_was_picked() -> list[str]:
        return picked

    @ui.page("/")
    def page() -> None:
        def pick(station_id: str) -> None:
            picked.append(station_id)
            show()

        element = FleetMap().style("width: 100%; height: 92vh")
        element.on("pick", lambda event: pick(event.args))
        maps.append(element)
        show()

    ui.run_with(app, title="map", tailwind=False, show_welcome_message=False, favicon="🔋")
    app.add_middleware(Gate, password=None)
    await serve(app, "127.0.0.1", int(port), stop)


asyncio.run(main(*sys.argv[1:]))
