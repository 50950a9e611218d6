"""Pages of everything that the API lists, and single things by their id. Reads only; keyset pages, one row more than asked.

Rows go out as plain mappings: their shape is fixed by the statements and judged by the API's answer models.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from service.store.pool import Connection
from service.store.queries import statements

_q = statements("listings")

Row: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class After:
    """Where a page goes on: behind this instant, and behind this id among equal instants. Both None: the first page."""

    at: datetime | None = None
    id: str | None = None


FIRST_PAGE = After()


async def stations(
    connection: Connection,
    *,
    position: tuple[float, float] | None = None,
    radius_m: float | None = None,
    station_id: str | None = None,
    after: tuple[float, str] | None = None,
    all_lifecycles: bool = False,
    row_limit: int,
) -> Sequence[Row]:
    """Return stations, the nearest to `position` (latitude, longitude) first, else by id."""
    latitude, longitude = position or (None, None)
    after_m, after_id = after or (None, None)
    return await _all(
        _q.stations(
            connection,
            latitude=latitude,
            longitude=longitude,
            radius_m=radius_m,
            station_id=station_id,
            after_m=after_m,
            after_id=after_id,
            all_lifecycles=all_lifecycles,
            row_limit=row_limit,
        )
    )


async def slots(connection: Connection, station_ids: Sequence[str]) -> Sequence[Row]:
    """Return the slots of these stations with what is in them; `packs.pack_now` makes a domain value of a row with a pack."""
    return await _all(_q.slots(connection, station_ids=list(station_ids)))


async def pack_models(connection: Connection, *, after: str | None, row_limit: int) -> Sequence[Row]:
    """Return pack models by id."""
    return await _all(_q.pack_models(connection, after=after, row_limit=row_limit))


async def packs(
    connection: Connection, *, after: str | None, place: str | None, pack_model_id: str | None, row_limit: int
) -> Sequence[Row]:
    """Return packs by serial number."""
    return await _all(_q.packs(connection, after=after, place=place, pack_model_id=pack_model_id, row_limit=row_limit))


async def riders(
    connection: Connection, *, after: str | None = None, rider_id: str | None = None, row_limit: int
) -> Sequence[Row]:
    """Return riders by id."""
    return await _all(_q.riders(connection, after=after, rider_id=rider_id, row_limit=row_limit))


async def vehicles(connection: Connection, *, after: str | None = None, rider_id: str | None, row_limit: int) -> Sequence[Row]:
    """Return vehicles by id, with the packs that are in them now."""
    return await _all(_q.vehicles(connection, after=after, rider_id=rider_id, row_limit=row_limit))


async def reservations(
    connection: Connection,
    *,
    rider_id: str | None,
    reservation_id: str | None = None,
    status: str | None = None,
    after: After = After(),
    row_limit: int,
) -> Sequence[Row]:
    """Return reservations, the newest first; of all riders when `rider_id` is None."""
    return await _all(
        _q.reservations(
            connection,
            rider_id=rider_id,
            reservation_id=reservation_id,
            status=status,
            after_at=after.at,
            after_id=after.id,
            row_limit=row_limit,
        )
    )


async def swaps(
    connection: Connection,
    *,
    rider_id: str | None,
    swap_id: str | None = None,
    station_id: str | None = None,
    after: After = After(),
    row_limit: int,
) -> Sequence[Row]:
    """Return swaps, the newest first; `packs` is JSON text."""
    return await _all(
        _q.swaps(
            connection,
            rider_id=rider_id,
            swap_id=swap_id,
            station_id=station_id,
            after_at=after.at,
            after_id=after.id,
            row_limit=row_limit,
        )
    )


async def live_reservation(connection: Connection, swap_id: str) -> str | None:
    """Return the reservation that now holds packs for the vehicle of this swap."""
    found: str | None = await _q.live_reservation(connection, swap_id=swap_id)
    return found


async def anomalies(
    connection: Connection, *, kind: str | None, station_id: str | None, after_id: int | None, row_limit: int
) -> Sequence[Row]:
    """Return anomalies, the newest first; `detail` is JSON text."""
    return await _all(_q.anomalies(connection, kind=kind, station_id=station_id, after_id=after_id, row_limit=row_limit))


async def debts(connection: Connection, *, rider_id: str | None, open_only: bool, after: After, row_limit: int) -> Sequence[Row]:
    """Return debts, the newest first."""
    return await _all(
        _q.debts(connection, rider_id=rider_id, open_only=open_only, after_at=after.at, after_id=after.id, row_limit=row_limit)
    )


async def plan(connection: Connection, *, plan_id: str | None, now: datetime) -> dict[str, Any] | None:
    """Return a plan with its stations; the newest one made by `now` without an id."""
    row = await _q.plan(connection, plan_id=plan_id, now=now)
    if row is None:
        return None
    return dict(row) | {"stations": [dict(one) for one in await _all(_q.plan_stations(connection, plan_id=row["plan_id"]))]}


async def fleet_counts(connection: Connection) -> dict[str, dict[str, int]]:
    """Return counts by group and name."""
    counts: dict[str, dict[str, int]] = {}
    for row in await _all(_q.fleet_counts(connection)):
        counts.setdefault(row["group"], {})[row["name"]] = row["count"]
    return counts


async def schema_is_there(connection: Connection) -> bool:
    """Return whether the database has been migrated. Raises asyncpg's error when the table is not there."""
    return bool(await _q.migrations(connection))


async def _all(stream: AsyncIterator[Row]) -> list[Row]:
    return [row async for row in stream]
