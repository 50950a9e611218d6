"""Table `signal`: values of the outside world, added once and read only after they were known."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import asyncpg

from service.domain.signal import LIMITS, Place, PlaceKind, Series, Signal
from service.store.pool import Connection
from service.store.queries import statements

_sql = statements("signals")
_MANY = 5000
"""So many new values change how the table is best read; nobody waits for the database to notice by itself. Guess."""
_COLUMNS = ("series", "place_kind", "place", "start_at", "period_s", "value", "known_at", "source")


class Added(NamedTuple):
    """What became of a batch: new values, values that were there already, and of those the ones with another value.

    `different_at` names the intervals of the first hundred of those.
    """

    added: int
    known: int
    different: int
    different_at: tuple[datetime, ...] = ()


class Coverage(NamedTuple):
    """What there is of one series at one place from one source: ``[first_at, end_at)``, in how many intervals."""

    series: Series
    place_kind: PlaceKind
    place: str
    period_s: int
    source: str
    first_at: datetime
    end_at: datetime
    intervals: int
    last_known_at: datetime


async def add_signals(connection: Connection, signals: Sequence[Signal]) -> Added:
    """Add what is new and leave the rest; one transaction. The same batch twice changes nothing.

    A value that differs from the one of the same interval, source and `known_at` is not taken: a correction has a later
    `known_at`.
    """
    async with connection.transaction():
        await _offer(connection, signals)
        added = _count(await _sql.add_signals(connection))
        if added >= _MANY:
            await connection.execute("ANALYZE signal")
        row = await _sql.compare_signals(connection) if added < len(signals) else None
        await connection.execute("DROP TABLE signal_new")
    if row is None:
        return Added(added, 0, 0)
    return Added(added, len(signals) - added, row["differing"], tuple(row["differing_at"] or ()))


async def add_missing(connection: Connection, signals: Sequence[Signal]) -> int:
    """Add the values whose interval has none of their source yet; return how many were new. Twice changes nothing."""
    async with connection.transaction():
        await _offer(connection, signals)
        added = _count(await _sql.add_signals_where_missing(connection))
        await connection.execute("DROP TABLE signal_new")
    return added


async def _offer(connection: Connection, signals: Sequence[Signal]) -> None:
    await connection.execute("CREATE TEMPORARY TABLE signal_new (LIKE signal)")
    records = [(s.series, s.place.kind, s.place.name, s.start_at, s.period_s, s.value, s.known_at, s.source) for s in signals]
    await connection.copy_records_to_table("signal_new", records=records, columns=_COLUMNS)
    await connection.execute("ANALYZE signal_new")


async def known_signals(
    connection: Connection, area: str, series: Sequence[Series], first_at: datetime, end_at: datetime, now: datetime
) -> list[Signal]:
    """Return signals of `area` and of every station, of intervals that start in ``[first_at, end_at)``, as known at `now`.

    Of each interval the newest value, of limits the newest of every source; what is made up is returned only where nobody else
    knows better.
    """
    rows = _sql.known_signals(
        connection, area=area, series=list(series), limits=list(LIMITS), first_at=first_at, end_at=end_at, now=now
    )
    return [_signal(row) async for row in rows]


async def series_of_area(
    connection: Connection, area: str, series: Sequence[Series], first_at: datetime, end_at: datetime, now: datetime
) -> list[Signal]:
    """Return the newest known values of chosen series of one area that start in ``[first_at, end_at)``, in order of time."""
    return await series_of_place(connection, Place("area", area), series, first_at, end_at, now)


async def series_of_place(
    connection: Connection,
    place: Place,
    series: Sequence[Series],
    first_at: datetime,
    end_at: datetime,
    now: datetime,
    *,
    most: int | None = None,
) -> list[Signal]:
    """Return the same of any place, at most `most` values (None: all there are)."""
    rows = _sql.series_of_place(
        connection,
        place_kind=place.kind,
        place=place.name,
        series=list(series),
        first_at=first_at,
        end_at=end_at,
        now=now,
        row_limit=most,
    )
    return [_signal(row) async for row in rows]


async def signal_coverage(connection: Connection) -> list[Coverage]:
    """Return what the table holds, one entry per series, place, period and source."""
    return [Coverage(**dict(row)) async for row in _sql.signal_coverage(connection)]


def _count(status: str) -> int:
    # PostgreSQL answers "INSERT 0 <rows>".
    return int(status.split()[-1])


def _signal(row: asyncpg.Record) -> Signal:
    place = Place(row["place_kind"], row["place"])
    return Signal(row["series"], place, row["start_at"], row["period_s"], row["value"], row["known_at"], row["source"])
