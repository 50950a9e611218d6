"""The simulated fleet's credentials and its events, around a real database."""

import json
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from service.provisioning.fleet import World
from service.provisioning.keys import make_token_key
from service.settings import Settings
from service.standalone.errors import UpError
from service.standalone.fleet import FleetEvents, provision_fleet, read_world
from service.standalone.layout import DataDir
from service.store.pool import Pool
from service.store.provisioning import list_credentials
from service.store.totals import JournalTotals, journal_totals

WALL = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def _world(*station_ids: str) -> World:
    stations = tuple({"station_id": name, "name": name, "latitude": 33.5, "longitude": 130.4} for name in station_ids)
    return World(stations, ("r-1", "r-2"))


async def test_a_fleet_keeps_its_credentials_and_new_stations_get_theirs(pool: Pool, clock: Any, tmp_path: Path) -> None:
    layout = DataDir.prepare(tmp_path / "data")
    make_token_key(layout.keys / "token.pem", layout.keys / "jwks.json")
    settings = Settings(token_key_file=layout.keys / "token.pem")
    file = layout.sim / "credentials.json"
    async with pool.acquire() as connection:
        assert await provision_fleet(connection, layout, settings, _world("st-1", "st-2"), clock.now(), WALL) == 2
        first = json.loads(file.read_text())
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert await provision_fleet(connection, layout, settings, _world("st-1", "st-2", "st-3"), clock.now(), WALL) == 1
        second = json.loads(file.read_text())
        assert second["stations"].items() >= first["stations"].items()
        assert set(second["rider_tokens"]) == {"r-1", "r-2"}
        kept = {row.station_id: row.bcrypt for row in await list_credentials(connection)}
        file.unlink()  # a start that was cut off between the database and the file
        assert await provision_fleet(connection, layout, settings, _world("st-1"), clock.now(), WALL) == 0
        renewed = {row.station_id: row.bcrypt for row in await list_credentials(connection)}
        assert renewed["st-1"] != kept["st-1"]
        assert renewed["st-2"] == kept["st-2"]


def test_events_are_read_as_they_come_and_only_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "fleet.jsonl"
    path.write_text('{"event":"report","of":"an earlier run"}\n')
    events = FleetEvents(path)
    assert events.take() == []
    with path.open("a") as file:
        file.write('{"event":"registered"}\nnot json\n[1]\n{"no":"event"}\n{"event":"swap_com')
        file.flush()
        assert events.take() == [{"event": "registered"}]
        file.write('pleted"}\n')
        file.flush()
    assert events.take() == [{"event": "swap_completed"}]
    assert events.take() == []
    assert FleetEvents(tmp_path / "absent").take() == []


@pytest.mark.parametrize("text", ["", "no world", "{}", "[]", '{"stations":[]}'])
def test_what_is_no_world_is_refused_with_the_log_to_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "world.json").write_text(text)
    with pytest.raises(UpError, match=r"fleet\.log"):
        read_world(tmp_path / "world.json", tmp_path / "fleet.log")


async def test_a_journal_is_held_against_what_is_settled_boot_by_boot(pool: Pool, clock: Any) -> None:
    async with pool.acquire() as connection:
        await connection.execute(
            "INSERT INTO station (station_id, part, name, latitude, longitude, registered_at) VALUES ('st-1', 55, 'x', 0, 0, $1)",
            clock.now(),
        )
        await connection.execute(
            "INSERT INTO station_boot (station_id, epoch, boot, settled, dropped, lost, first_at, last_at) VALUES "
            "('st-1', 1, 1, '{[1,11)}', 0, 0, $1, $1), ('st-1', 1, 2, '{[1,4),[6,8)}', 1, 2, $1, $1)",
            clock.now(),
        )
        entries = [("st-1", 1, 1, 10), ("st-1", 1, 2, 6), ("st-1", 1, 3, 5)]
        assert await journal_totals(connection, entries) == JournalTotals(sent=21, settled=14, dropped=1, lost=2)
        assert await journal_totals(connection, []) == JournalTotals(0, 0, 0, 0)
