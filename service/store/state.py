"""Reads the whole fleet as rows, in one snapshot. What the rows mean is said in `service.state`."""

from datetime import datetime
from typing import NamedTuple

import asyncpg

from service.store.pool import Connection
from service.store.queries import statements

_sql = statements("state")


class FleetRows(NamedTuple):
    """All rows of one instant; they fit each other because they were read in one REPEATABLE READ transaction."""

    stations: list[asyncpg.Record]
    slots: list[asyncpg.Record]
    packs: list[asyncpg.Record]
    models: list[asyncpg.Record]
    claims: list[asyncpg.Record]
    handed_out: list[asyncpg.Record]
    schedules: list[asyncpg.Record]
    return_count: int
    return_soc: float | None


async def read_fleet(connection: Connection, now: datetime, since: datetime) -> FleetRows:
    """Read what stations, slots, packs, reservations and schedules are at `now`, and swaps from `since` on."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        back = await _sql.fleet_return_soc(connection, since=since, now=now)
        return FleetRows(
            stations=[row async for row in _sql.fleet_stations(connection)],
            slots=[row async for row in _sql.fleet_slots(connection)],
            packs=[row async for row in _sql.fleet_packs(connection)],
            models=[row async for row in _sql.fleet_models(connection)],
            claims=[row async for row in _sql.fleet_claims(connection, now=now)],
            handed_out=[row async for row in _sql.fleet_handed_out(connection, since=since, now=now)],
            schedules=[row async for row in _sql.fleet_last_schedules(connection)],
            return_count=back["pack_count"],
            return_soc=back["soc"],
        )
