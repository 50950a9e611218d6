"""Stations in the database: made once, given new passwords, rendered for the broker."""

from pathlib import Path
from typing import Any

import bcrypt
import pytest

from service.provisioning.publish import access_rules, write_rules
from service.provisioning.stations import StationKnownError, StationUnknownError, add_station, renew_credential
from service.store.pool import Pool
from service.store.provisioning import list_credentials, list_stations


async def test_a_station_is_made_once_and_only_hashes_are_kept(pool: Pool, clock: Any) -> None:
    async with pool.acquire() as connection:
        credential = await add_station(connection, "st-1", "Hakata", 33.59, 130.42, clock.now())
        assert credential.user == "st-1"
        assert credential.password not in repr(credential)
        (kept,) = await list_credentials(connection)
        assert bcrypt.checkpw(credential.password.encode(), kept.bcrypt.encode())
        assert await connection.fetchval("SELECT part FROM station") == 0x37
        with pytest.raises(StationKnownError):
            await add_station(connection, "st-1", "again", 0.0, 0.0, clock.now())
        assert (await list_credentials(connection)) == [kept]
        (row,) = await list_stations(connection)
        assert (row.name, row.latitude, row.connected) == ("Hakata", 33.59, None)


@pytest.mark.parametrize("station_id", ["", "a/b", "a+b", "#", "a.b", "a b", "x" * 49, "st-1\n", "é"])
async def test_a_name_that_could_mean_another_topic_is_refused(pool: Pool, clock: Any, station_id: str) -> None:
    async with pool.acquire() as connection:
        with pytest.raises(ValueError, match="may not name a station"):
            await add_station(connection, station_id, "x", 0.0, 0.0, clock.now())
        assert await connection.fetchval("SELECT count(*) FROM station") == 0


async def test_a_new_password_ends_the_old_one(pool: Pool, clock: Any) -> None:
    async with pool.acquire() as connection:
        old = await add_station(connection, "st-1", "x", 0.0, 0.0, clock.now())
        new = await renew_credential(connection, "st-1", clock.now())
        (kept,) = await list_credentials(connection)
        assert bcrypt.checkpw(new.password.encode(), kept.bcrypt.encode())
        assert not bcrypt.checkpw(old.password.encode(), kept.bcrypt.encode())
        with pytest.raises(StationUnknownError):
            await renew_credential(connection, "st-2", clock.now())


async def test_rules_hold_the_service_and_every_station_in_service(pool: Pool, clock: Any, tmp_path: Path) -> None:
    async with pool.acquire() as connection:
        for station_id in ("st-1", "st-2", "gone"):
            await add_station(connection, station_id, "x", 0.0, 0.0, clock.now())
        await connection.execute("UPDATE station SET lifecycle = 'decommissioned' WHERE station_id = 'gone'")
        rules = await access_rules(connection, tmp_path, "service", "secret")
    assert [rule.login for rule in rules] == ["service", "st-1", "st-2"]
    write_rules("nats", tmp_path, rules)
    assert '"user": "st-2"' in (tmp_path / "access.conf").read_text()
    assert "gone" not in (tmp_path / "access.conf").read_text()
