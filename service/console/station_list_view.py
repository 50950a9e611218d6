"""The list of stations: rows from tables to what one page of the list shows; filter, sort and pages. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from service.console.slot_view import charging_w, slot_cell
from service.console.wording import age_s, age_text, power_text
from service.store.fleet import FleetRows, SlotRow, StationRow

PAGE_ROWS = 60
"""Rows sent to a browser at once. Guess: what scrolls well and stays small on the line."""

FILTERS = {
    "all": "all stations",
    "away": "not connected",
    "no_ready": "no ready pack",
    "no_empty": "no empty slot",
    "trouble": "pack or slot in trouble",
    "swapping": "swapping now",
}
_TROUBLE = ("unfit", "faulted", "foreign")


@dataclass(frozen=True, slots=True)
class StationLine:
    """A station in the list. Power is DC at the packs, by the newest readings."""

    station_id: str
    name: str
    connected: bool
    born: bool
    ready: int
    empty: int
    trouble: int
    charging_w: float
    live_swaps: int
    heard_s: float | None
    cells: tuple[tuple[Any, ...], ...]

    def view(self) -> dict[str, Any]:
        """Return what the browser draws."""
        return {
            "id": self.station_id,
            "name": self.name,
            "link": "connected" if self.connected else ("away" if self.born else "not born"),
            "ready": self.ready,
            "empty": self.empty,
            "power": power_text(self.charging_w),
            "swaps": self.live_swaps,
            "heard": age_text(self.heard_s),
            "cells": [list(cell) for cell in self.cells],
        }


@dataclass(frozen=True, slots=True)
class ListQuery:
    """What one operator wants to see of the list."""

    text: str = ""
    only: str = "all"
    sort: str = "name"
    descending: bool = False
    page: int = 0

    def sorted_by(self, column: str) -> "ListQuery":
        """Return the query after a click on a column: the same column again turns the order round."""
        if column not in _SORTS:
            return self
        return replace(self, sort=column, descending=not self.descending if column == self.sort else column != "name", page=0)


_SORTS: dict[str, Callable[[StationLine], Any]] = {
    "name": lambda line: line.name.casefold(),
    "ready": lambda line: line.ready,
    "empty": lambda line: line.empty,
    "power": lambda line: line.charging_w,
    "swaps": lambda line: line.live_swaps,
    "heard": lambda line: float("inf") if line.heard_s is None else line.heard_s,
}

_KEEPS: dict[str, Callable[[StationLine], bool]] = {
    "all": lambda line: True,
    "away": lambda line: not line.connected,
    "no_ready": lambda line: line.ready == 0,
    "no_empty": lambda line: line.empty == 0,
    "trouble": lambda line: line.trouble > 0,
    "swapping": lambda line: line.live_swaps > 0,
}


def station_lines(fleet: FleetRows) -> tuple[StationLine, ...]:
    """Return all stations as lines, in the order of the rows."""
    slots = slots_by_station(fleet.slots)
    return tuple(_line(station, slots.get(station.station_id, ()), fleet.at) for station in fleet.stations)


def slots_by_station(slots: Sequence[SlotRow]) -> dict[str, list[SlotRow]]:
    """Return the slots of each station, in slot order."""
    found: dict[str, list[SlotRow]] = {}
    for slot in slots:
        found.setdefault(slot.station_id, []).append(slot)
    return found


def _line(station: StationRow, slots: Sequence[SlotRow], now: datetime) -> StationLine:
    cells = tuple(tuple(slot_cell(slot, now)) for slot in slots)
    states = [cell[1] for cell in cells]
    return StationLine(
        station_id=station.station_id,
        name=station.name,
        connected=station.connected,
        born=station.first_birth_at is not None,
        ready=states.count("ready"),
        empty=states.count("empty"),
        trouble=sum(state in _TROUBLE for state in states),
        charging_w=sum(charging_w(slot, now) for slot in slots),
        live_swaps=station.live_swaps,
        heard_s=age_s(station.heard_at, now),
        cells=cells,
    )


def list_view(lines: Sequence[StationLine], query: ListQuery, picked: str | None) -> dict[str, Any]:
    """Return one page of the list: filtered, sorted (ties by name), with how many there are."""
    needle = query.text.strip().casefold()
    keep = _KEEPS.get(query.only, _KEEPS["all"])
    kept = [line for line in lines if keep(line) and (needle in line.name.casefold() or needle in line.station_id.casefold())]
    kept.sort(key=lambda line: (line.name.casefold(), line.station_id))
    kept.sort(key=_SORTS[query.sort], reverse=query.descending)
    pages = max(1, -(-len(kept) // PAGE_ROWS))
    page = min(query.page, pages - 1)
    return {
        "rows": [line.view() for line in kept[page * PAGE_ROWS : (page + 1) * PAGE_ROWS]],
        "shown": len(kept),
        "total": len(lines),
        "page": page,
        "pages": pages,
        "sort": query.sort,
        "descending": query.descending,
        "picked": picked,
    }
