"""One batch, one transaction; and what to do when the database will not have it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import asyncpg
import structlog

from service.ingest.admit import ConnectionSaid, Item, Refused
from service.ingest.batch import Merged, boots_named, merge, stations_named
from service.store import messages
from service.store.messages import BootId
from service.store.pool import Connection, Pool

log = structlog.get_logger()

_REFUSING_CLASSES = ("22", "23", "54")
"""SQLSTATE classes that speak of the row and not of the database: data, integrity, program limits.
Source: PostgreSQL documentation, appendix A."""


@dataclass(slots=True)
class Committed:
    """What has been committed: watermarks of the boots touched, stations born, and counts."""

    watermarks: dict[BootId, int] = field(default_factory=dict)
    born: set[str] = field(default_factory=set)
    stored: int = 0
    duplicates: int = 0
    refusals: Counter[str] = field(default_factory=Counter)

    def add(self, merged: Merged) -> None:
        """Count one committed transaction in."""
        self.watermarks.update(merged.watermarks)
        self.born |= merged.born
        self.stored += merged.stored
        self.duplicates += merged.duplicates
        self.refusals.update(merged.refusals)


def refuses_row(error: BaseException) -> bool:
    """Tell whether an error is about what was sent, so that trying again is in vain."""
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "").startswith(_REFUSING_CLASSES)
    # asyncpg's own refusal to encode a value, and Python's.
    return isinstance(error, ValueError | OverflowError | TypeError) and not isinstance(error, OSError)


async def commit(pool: Pool, items: Sequence[Item], now: datetime) -> Committed:
    """Store a batch, exactly once, and return what was committed. What the database refuses becomes a dead letter.

    Raises
    ------
    OSError, asyncpg.PostgresError, asyncpg.InterfaceError
        The database is away or in trouble. Nothing needs to be undone: call again with the same items.
    """
    done = Committed()
    # A batch that is refused is halved until the one message that will not go in stands alone.
    parts: list[Sequence[Item]] = [items]
    async with pool.acquire() as connection:
        while parts:
            part = parts.pop()
            try:
                done.add(await _commit_once(connection, part, now))
            except Exception as error:
                if not refuses_row(error):
                    raise
                if len(part) > 1:
                    half = len(part) // 2
                    parts += [part[half:], part[:half]]
                else:
                    parts.append([_instead_of(part[0], error)])
    return done


async def _commit_once(connection: Connection, items: Sequence[Item], now: datetime) -> Merged:
    async with connection.transaction():
        named, stations = boots_named(items), stations_named(items)
        # Always in this order, each sorted by station: two workers that meet do not lock each other out.
        boots = await messages.lock_boots(connection, named, now) if named else {}
        lives = await messages.lock_live(connection, stations) if stations else {}
        merged = merge(items, boots, lives, now)
        if merged.boots:
            await messages.write_boots(connection, merged.boots, now)
        if merged.live:
            await messages.write_live(connection, merged.live)
        if merged.frames:
            await messages.store_frames(connection, merged.frames)
        if merged.meters:
            await messages.store_meters(connection, merged.meters)
        if merged.refusals:
            await messages.store_refusals(connection, merged.dead_letters, merged.refusals)
        if merged.events:
            await messages.store_events(connection, merged.events)
    return merged


def _instead_of(item: Item, error: Exception) -> Refused:
    """Return what is stored for a message that the database refused with `error`."""
    if isinstance(item, Refused) and item.reason == "not_storable":
        if item.key is None:
            raise error
        return replace(item, key=None)  # not even its key can be written down
    log.warning("ingest.not_storable", topic=item.topic, error=str(error))
    key = None if isinstance(item, ConnectionSaid) else item.key
    return Refused(item.topic, item.body, "not_storable", str(error)[:500], item.received_at, item.station_id, key)
