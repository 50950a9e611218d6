"""Table `signal`: values of the outside world, added once and read only after they were known."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import asyncpg

from service.domain.signal import Place, PlaceKind, Series, Signal
from service.store.pool import Connection
from service.store.queries import statements

_sql = statements("signals")
_COLUMNS = ("series", "place_kind", "place", "start_at", "period_s", "value", "known_at", "source")


class Added(NamedTuple):
    """What became of a batch: new values, values that were there already, and of those the ones with another value."""

    added: int
    known: int
    different: int


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
        row = await _sql.add_signals(connection)
        await connection.execute("DROP TABLE signal_new")
    return Added(int(row["added"]), int(row["known"]), int(row["different"]))


async def add_missing(connection: Connection, signals: Sequence[Signal]) -> int:
    """Add the values whose interval has none of their source yet; return how many were new. Twice changes nothing."""
    async with connection.transaction():
        await _offer(connection, signals)
        row = await _sql.add_signals_where_missing(connection)
        await connection.execute("DROP TABLE signal_new")
    return int(row["added"])


async def _offer(connection: Connection, signals: Sequence[Signal]) -> None:
    await connection.execute("CREATE TEMPORARY TABLE signal_new (LIKE signal)")
    records = [(s.series, s.place.kind, s.place.name, s.start_at, s.period_s, s.value, s.known_at, s.source) for s in signals]
    await connection.copy_records_to_table("signal_new", records=records, columns=_COLUMNS)
    await connection.execute("ANALYZE signal_new")


async def known_signals(
    connection: Connection, area: str, series: Sequence[Series], first_at: datetime, end_at: datetime, now: datetime
) -> list[Signal]:
    """Return signals of `area` and of every station, of intervals that start in ``[first_at, end_at)``, as known at `now`.

    Of each interval the newest value; what is made up is returned only where nobody else knows better.
    """
    rows = _sql.known_signals(connection, area=area, series=list(series), first_at=first_at, end_at=end_at, now=now)
    return [_signal(row) async for row in rows]


async def series_of_area(
    connection: Connection, area: str, series: Sequence[Series], first_at: datetime, end_at: datetime, now: datetime
) -> list[Signal]:
    """Return the newest known values of chosen series of one area that start in ``[first_at, end_at)``, in order of time."""
    rows = _sql.series_of_area(connection, area=area, series=list(series), first_at=first_at, end_at=end_at, now=now)
    return [_signal(row) async for row in rows]


async def signal_coverage(connection: Connection) -> list[Coverage]:
    """Return what the table holds, one entry per series, place, period and source."""
    return [Coverage(**dict(row)) async for row in _sql.signal_coverage(connection)]


def _signal(row: asyncpg.Record) -> Signal:
    place = Place(row["place_kind"], row["place"])
    return Signal(row["series"], place, row["start_at"], row["period_s"], row["value"], row["known_at"], row["source"])
