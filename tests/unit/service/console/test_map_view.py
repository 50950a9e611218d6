"""The map: what is sent of places and states, from rows made by hand."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

import service.console
from service.console.map_view import (
    DEGREE,
    FEW_PACKS,
    STATES,
    changed_states,
    hover_words,
    legend,
    map_view,
    station_state,
)
from service.console.station_list_view import StationLine
from service.store.fleet import StationRow

NOW = datetime(2026, 4, 6, 15, 30, tzinfo=UTC)
SILENCE_S = 600.0
STATION = StationRow("st-1", "Tenjin", "in_service", NOW, 0.92, 9000, True, NOW, NOW, 0, 33.59123, 130.40012)
LINE = StationLine("st-1", "Tenjin", True, True, FEW_PACKS, 2, 0, 900.0, 0, 5.0, ((1, "ready", 95),) * 14)
OUTLINES = Path(service.console.__file__).parent / "outlines"


@pytest.mark.parametrize(
    ("line", "state"),
    [
        (LINE, "enough"),
        (replace(LINE, ready=FEW_PACKS - 1), "few"),
        (replace(LINE, ready=0), "none"),
        (replace(LINE, connected=False), "silent"),
        (replace(LINE, heard_s=SILENCE_S + 1), "silent"),
        (replace(LINE, heard_s=None), "silent"),
        (replace(LINE, trouble=1), "person"),
        (replace(LINE, trouble=1, connected=False), "person"),
    ],
)
def test_a_station_has_one_state_and_what_needs_a_person_wins(line: StationLine, state: str) -> None:
    assert station_state(line, SILENCE_S) == state


def test_who_needs_a_person_may_be_said_from_outside() -> None:
    assert station_state(replace(LINE, trouble=1), SILENCE_S, needs_person=()) == "enough"
    assert station_state(LINE, SILENCE_S, needs_person={"st-1"}) == "person"


def test_a_station_that_charges_has_a_capital_letter_unless_it_is_silent() -> None:
    lines = [LINE, replace(LINE, charging_w=0.0), replace(LINE, connected=False)]
    assert map_view([STATION] * 3, lines, SILENCE_S).states == "Aad"


def test_stations_without_coordinates_are_left_out_and_counted() -> None:
    nowhere = replace(STATION, station_id="st-0", latitude=0.0, longitude=0.0)
    equator = replace(STATION, station_id="st-2", latitude=0.0)
    view = map_view([nowhere, STATION, equator], [replace(LINE, station_id="st-0", ready=0), LINE, LINE], SILENCE_S)
    assert view.places.ids == ("st-1", "st-2")
    assert view.places.left_out == 1
    assert (view.states, len(view.lines)) == ("AA", 2)


def test_places_keep_a_metre() -> None:
    places = map_view([STATION], [LINE], SILENCE_S).places
    assert (places.longitudes[0] / DEGREE, places.latitudes[0] / DEGREE) == (130.40012, 33.59123)


def test_rows_and_lines_of_different_stations_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        map_view([STATION], [], SILENCE_S)


def test_only_changed_letters_are_sent_unless_all_letters_are_shorter() -> None:
    before = "a" * 100
    assert changed_states(before, "a" * 40 + "B" + "a" * 58 + "c") == ([40, 99], "Bc")
    assert changed_states(before, "b" * 100) is None


def test_a_fleet_of_a_nation_fits_the_line() -> None:
    count = 12_500
    stations = [replace(STATION, station_id=f"station-{no:06}", name=f"Convenience store no. {no:06}") for no in range(count)]
    view = map_view(stations, [LINE] * count, SILENCE_S)
    assert len(json.dumps(view.places.view())) < 1_500_000
    assert len(view.states) == count
    for changed in (1, 1700, 2000, count):
        after = "c" * changed + view.states[changed:]
        delta = changed_states(view.states, after)
        assert len(json.dumps(after if delta is None else delta)) < 50_000


def test_the_pointer_is_told_packs_power_and_silence() -> None:
    assert hover_words(LINE) == ["4 ready of 12 packs, 2 empty slots", "charging with 900 W", "connected"]
    lost = replace(LINE, connected=False, charging_w=0.0, heard_s=4000.0, trouble=2)
    assert hover_words(lost)[1:] == ["not charging", "not connected, heard 66 min ago", "2 packs or slots in trouble"]
    assert hover_words(replace(lost, born=False, heard_s=None, trouble=0))[-1] == "not born yet"


def test_the_legend_has_every_state_once() -> None:
    assert [item["state"] for item in legend()] == list(STATES)
    assert len({item["letter"] for item in legend()}) == len(STATES)


@pytest.mark.parametrize("name", ["japan", "world"])
def test_the_outlines_are_small_closed_and_on_the_globe(name: str) -> None:
    text = (OUTLINES / f"{name}.json").read_text()
    outline = json.loads(text)
    assert len(text) < 80_000
    unit_deg = outline["unit_deg"]
    for steps in outline["rings"]:
        xs, ys = steps[::2], steps[1::2]
        assert len(xs) == len(ys) >= 4
        assert (sum(xs[1:]), sum(ys[1:])) == (0, 0), "the ring ends where it began"
        assert abs(xs[0] * unit_deg) <= 180
        assert abs(ys[0] * unit_deg) <= 90
