"""What a run came to: sums over the tables, for the report of `denchi up` and for `denchi doctor`. Read only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from service.store.pool import Connection
from service.store.queries import statements

_sql = statements("totals")


@dataclass(frozen=True, slots=True)
class MessageTotals:
    """Messages of all stations and all boots."""

    stored: int
    duplicates: int
    refused: int
    dropped: int
    lost: int


@dataclass(frozen=True, slots=True)
class JournalTotals:
    """The stations' journals held against what the service has settled."""

    sent: int
    settled: int
    dropped: int
    lost: int


@dataclass(frozen=True, slots=True)
class PlanTotals:
    """Plans since an instant."""

    made: int
    worst_gap: float | None
    last_made_at: datetime | None
    truncated: int


@dataclass(frozen=True, slots=True)
class CommandTotals:
    """Commands issued since an instant; `open` are neither answered nor expired."""

    sent: int
    acknowledged: int
    expired: int
    open: int


@dataclass(frozen=True, slots=True)
class StationTotals:
    """Stations in service."""

    stations: int
    connected: int
    last_heard_at: datetime | None


JournalEntry = tuple[str, int, int, int]
"""station id, epoch, boot, last seq: what one boot of a station has written."""


async def message_totals(connection: Connection) -> MessageTotals:
    """Return the sums over all stations."""
    return MessageTotals(**dict(await _sql.message_totals(connection)))


async def refusals(connection: Connection) -> dict[str, int]:
    """Return how many messages were refused, by reason."""
    return {row["reason"]: row["count"] async for row in _sql.refusals(connection)}


async def journal_totals(connection: Connection, journal: Sequence[JournalEntry]) -> JournalTotals:
    """Return how much of `journal` the service has settled."""
    row = await _sql.journal_settled(
        connection,
        station_ids=[entry[0] for entry in journal],
        epochs=[entry[1] for entry in journal],
        boots=[entry[2] for entry in journal],
        last_seqs=[entry[3] for entry in journal],
    )
    return JournalTotals(**dict(row))


async def swap_totals(connection: Connection, since: datetime) -> dict[str, int]:
    """Return how many swaps began since `since` (fleet), by status."""
    return {row["status"]: row["count"] async for row in _sql.swap_totals(connection, since=since)}


async def plan_totals(connection: Connection, since: datetime) -> PlanTotals:
    """Return the plans made since `since` (fleet)."""
    return PlanTotals(**dict(await _sql.plan_totals(connection, since=since)))


async def command_totals(connection: Connection, since: datetime) -> CommandTotals:
    """Return the commands issued since `since` (fleet)."""
    return CommandTotals(**dict(await _sql.command_totals(connection, since=since)))


async def station_totals(connection: Connection) -> StationTotals:
    """Return how many stations are in service and how many are connected."""
    return StationTotals(**dict(await _sql.station_totals(connection)))


async def unhandled_events(connection: Connection) -> int:
    """Return how many station events wait for the desk."""
    return int(await _sql.unhandled_events(connection))


async def oldest_unhandled_at(connection: Connection) -> datetime | None:
    """Return since when (fleet) the oldest station event waits for the desk, None when none does."""
    value: datetime | None = await _sql.oldest_unhandled_at(connection)
    return value
