"""The fleet clock over stops, crashes and wishes."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from service.standalone.errors import UpError
from service.standalone.fleet_time import FIRST_INSTANT, FleetTimeKeeper

WALL = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def _seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


def test_a_new_fleet_begins_at_the_first_instant_and_runs_at_its_speed(tmp_path: Path) -> None:
    line = FleetTimeKeeper(tmp_path / "clock.json").begin(WALL, 4.0, None)
    assert line.at(WALL) == FIRST_INSTANT
    assert line.at(WALL + _seconds(10)) == FIRST_INSTANT + _seconds(40)
    told = json.loads((tmp_path / "clock.json").read_text())
    assert told == {"origin": FIRST_INSTANT.isoformat(), "anchor": WALL.isoformat(), "speed": 4.0}


def test_after_a_clean_end_it_goes_on_exactly_from_there(tmp_path: Path) -> None:
    keeper = FleetTimeKeeper(tmp_path / "clock.json")
    keeper.begin(WALL, 2.0, None)
    keeper.end(WALL + _seconds(30))
    line = FleetTimeKeeper(tmp_path / "clock.json").begin(WALL + _seconds(5000), 1.0, None)
    assert line.at(WALL + _seconds(5000)) == FIRST_INSTANT + _seconds(60)


@pytest.mark.parametrize("killed_after_s", [0.0, 1.0, 4.9, 5.1, 33.3])
def test_after_a_crash_no_instant_comes_twice_and_little_is_skipped(tmp_path: Path, killed_after_s: float) -> None:
    keeper = FleetTimeKeeper(tmp_path / "clock.json")
    line = keeper.begin(WALL, 10.0, None)
    for tick in range(int(killed_after_s * 10)):
        keeper.tick(WALL + _seconds(tick / 10))
    seen = line.at(WALL + _seconds(killed_after_s))
    again = FleetTimeKeeper(tmp_path / "clock.json").begin(WALL + _seconds(999), 1.0, None)
    assert seen < again.origin <= seen + _seconds(10 * 20)


def test_a_start_in_the_fleets_past_is_refused_and_the_clock_stays(tmp_path: Path) -> None:
    keeper = FleetTimeKeeper(tmp_path / "clock.json")
    keeper.begin(WALL, 1.0, None)
    keeper.end(WALL + _seconds(60))
    before = (tmp_path / "clock.json").read_text()
    with pytest.raises(UpError, match="another --data-dir"):
        FleetTimeKeeper(tmp_path / "clock.json").begin(WALL, 1.0, FIRST_INSTANT + _seconds(59))
    assert (tmp_path / "clock.json").read_text() == before


def test_a_start_in_its_future_is_taken(tmp_path: Path) -> None:
    keeper = FleetTimeKeeper(tmp_path / "clock.json")
    keeper.begin(WALL, 1.0, None)
    keeper.end(WALL)
    later = FIRST_INSTANT + timedelta(days=2)
    assert FleetTimeKeeper(tmp_path / "clock.json").begin(WALL, 1.0, later).origin == later
