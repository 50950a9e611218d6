"""The map of the stations: rows from tables to places, sent once, and one letter per station, sent when it changes. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from service.console.station_list_view import StationLine
from service.console.wording import age_text, power_text
from service.store.fleet import StationRow

FEW_PACKS = 4
"""A station with fewer ready packs has few. Guess: two riders who take two packs each."""
DEGREE = 100_000
"""Places are sent in whole steps of 1 / 100 000 degree, about a metre."""

STATES: dict[str, tuple[str, str]] = {
    "enough": ("a", f"{FEW_PACKS} or more ready packs"),
    "few": ("b", f"1 to {FEW_PACKS - 1} ready packs"),
    "none": ("c", "no ready pack"),
    "silent": ("d", "silent"),
    "person": ("e", "needs a person"),
}
"""State -> (its letter on the line, what it means), in drawing order: what matters most lies on top. A capital letter charges."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where the stations are. `left_out` have no coordinates: registered at 0, 0."""

    ids: tuple[str, ...]
    names: tuple[str, ...]
    longitudes: tuple[int, ...]
    latitudes: tuple[int, ...]
    left_out: int

    def view(self) -> dict[str, Any]:
        """Return what the browser keeps."""
        return {
            "ids": self.ids,
            "names": self.names,
            "longitudes": self.longitudes,
            "latitudes": self.latitudes,
            "leftOut": self.left_out,
            "degree": DEGREE,
        }


@dataclass(frozen=True, slots=True)
class MapView:
    """The map at one instant: `states` has one letter and `lines` one line for each place. `picked` is a station's id."""

    places: Places
    states: str
    lines: tuple[StationLine, ...]
    picked: str | None = None


def map_view(
    stations: Sequence[StationRow],
    lines: Sequence[StationLine],
    station_silence_s: float,
    needs_person: Collection[str] | None = None,
    picked: str | None = None,
) -> MapView:
    """Return the map of all stations that have coordinates.

    Parameters
    ----------
    lines : of the same stations in the same order.
    station_silence_s : silence [fleet s] after which a station counts as not heard.
    needs_person : ids of stations that wait for a person; None: those with a pack or slot in trouble.
    """
    placed = [
        (station, line) for station, line in zip(stations, lines, strict=True) if station.latitude != 0 or station.longitude != 0
    ]
    places = Places(
        ids=tuple([station.station_id for station, _ in placed]),
        names=tuple([station.name for station, _ in placed]),
        longitudes=tuple([round(station.longitude * DEGREE) for station, _ in placed]),
        latitudes=tuple([round(station.latitude * DEGREE) for station, _ in placed]),
        left_out=len(stations) - len(placed),
    )
    shown = tuple([line for _, line in placed])
    return MapView(places, "".join([_letter(line, station_silence_s, needs_person) for line in shown]), shown, picked)


def station_state(line: StationLine, station_silence_s: float, needs_person: Collection[str] | None = None) -> str:
    """Return one of `STATES`. A person comes first; a silent station's packs are not known well enough to be counted."""
    if line.trouble > 0 if needs_person is None else line.station_id in needs_person:
        return "person"
    if not line.connected or line.heard_s is None or line.heard_s > station_silence_s:
        return "silent"
    if line.ready == 0:
        return "none"
    return "few" if line.ready < FEW_PACKS else "enough"


def _letter(line: StationLine, station_silence_s: float, needs_person: Collection[str] | None) -> str:
    state = station_state(line, station_silence_s, needs_person)
    letter = STATES[state][0]
    # Nobody knows what a silent station charges.
    return letter.upper() if line.charging_w > 0 and state != "silent" else letter


def changed_states(before: str, after: str) -> tuple[list[int], str] | None:
    """Return which letters changed and to what; None when all letters are shorter than that."""
    indices = [index for index, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]
    # An index and its comma take about six characters.
    return (indices, "".join(after[index] for index in indices)) if len(indices) * 7 < len(after) else None


def hover_words(line: StationLine) -> list[str]:
    """Return what the map says below a station's name."""
    heard = age_text(line.heard_s)
    link = "connected" if line.connected else ("not connected" if line.born else "not born yet")
    words = [
        f"{line.ready} ready of {len(line.cells) - line.empty} packs, {line.empty} empty slots",
        f"charging with {power_text(line.charging_w)}" if line.charging_w > 0 else "not charging",
        link if heard in ("now", "never") else f"{link}, heard {heard} ago",
    ]
    if line.trouble:
        words.append(f"{line.trouble} packs or slots in trouble" if line.trouble > 1 else "1 pack or slot in trouble")
    return words


def legend() -> list[dict[str, str]]:
    """Return the legend, in drawing order."""
    return [{"state": state, "letter": letter, "words": words} for state, (letter, words) in STATES.items()]
