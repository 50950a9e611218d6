"""The queue of station events. One worker holds a station at a time and goes in the order of the key."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from service.domain.observation import MessageKey
from service.store.pool import Connection
from service.store.queries import statements

_sql = statements("station_queue")


class QueuedEvent(NamedTuple):
    """A stored event that nobody has handled; `body` is JSON in domain words."""

    station_id: str
    epoch: int
    boot: int
    seq: int
    ts: datetime
    received_at: datetime
    kind: str
    body: str
    attempts: int

    @property
    def key(self) -> MessageKey:
        """Return what orders the messages of one station."""
        return MessageKey(self.epoch, self.boot, self.seq)


async def take_stations(connection: Connection, most: int) -> list[str]:
    """Lock up to `most` stations that have open events, the longest waiting first; pass over those that others hold."""
    return [row["station_id"] async for row in _sql.take_stations(connection, most=most)]


async def open_events(connection: Connection, station_ids: Sequence[str], most: int) -> list[QueuedEvent]:
    """Return up to `most` open events of each station in the order of their keys."""
    rows = _sql.open_events(connection, station_ids=list(station_ids), most=most)
    return [QueuedEvent(**dict(row)) async for row in rows]


async def mark_handled(connection: Connection, events: Sequence[QueuedEvent], now: datetime) -> None:
    """Take events out of the queue; they stay as the station's own log."""
    if events:
        await _sql.mark_handled(
            connection,
            [{"station_id": e.station_id, "epoch": e.epoch, "boot": e.boot, "seq": e.seq, "now": now} for e in events],
        )


async def count_failure(connection: Connection, event: QueuedEvent, failure: str, most: int, now: datetime) -> bool:
    """Count a failed attempt; True when it was the last and the event is given up."""
    given_up = await _sql.count_failure(
        connection,
        station_id=event.station_id,
        epoch=event.epoch,
        boot=event.boot,
        seq=event.seq,
        failure=failure[:500],
        most=most,
        now=now,
    )
    return bool(given_up)


async def signal_answers(connection: Connection) -> None:
    """Tell whoever waits that commands were answered, when this transaction commits."""
    async for _ in _sql.signal_answers(connection):
        pass
