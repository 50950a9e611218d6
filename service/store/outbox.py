"""The outbox: commands to stations, their sending and their answers. What a command means lives in `service.domain.command`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple

import asyncpg

from service.domain.command import MOTION, Command, order
from service.store.pool import Connection
from service.store.queries import statements

Answer = Literal["accepted", "rejected", "completed", "failed"]

_sql = statements("outbox")


class RecordedAnswer(NamedTuple):
    """What an answer belongs to. `first`: this answer is news (False: the same or a later one was there already)."""

    swap_id: str | None
    name: str
    first: bool


async def enqueue(connection: Connection, commands: Sequence[Command]) -> None:
    """Queue commands and signal `command_queued` once. A schedule withdraws the older queued ones of its station."""
    if not commands:
        return
    await _sql.enqueue(
        connection,
        command_ids=[command.command_id for command in commands],
        station_ids=[command.station_id for command in commands],
        names=[command.order.kind for command in commands],
        bodies=[command.order.model_dump_json() for command in commands],
        issued_ats=[command.issued_at for command in commands],
        valid_untils=[command.valid_until for command in commands],
        swap_ids=[command.swap_id for command in commands],
    )
    schedules = {command.station_id: command.command_id for command in commands if command.order.kind == "set_schedule"}
    if schedules:
        await _sql.supersede_schedules(connection, station_ids=list(schedules), newest_ids=list(schedules.values()))
    await _sql.notify_queued(connection)


async def withdraw(connection: Connection, command_id: str, now: datetime) -> bool:
    """Take back a command that was not sent yet. Return False when it was sent, has ended, or does not exist."""
    return await _sql.withdraw(connection, command_id=command_id, now=now) is not None


async def record_answer(
    connection: Connection,
    command_id: str,
    answer: Answer,
    reason_code: str | None,
    at: datetime,
    *,
    station_id: str | None = None,
) -> RecordedAnswer | None:
    """Write down a station's answer; None when there is no such command (of that station, when `station_id` is given).

    An answer never goes back: after Completed, Failed or Rejected nothing else counts; Accepted may be followed by one of them.
    """
    row = await _sql.record_answer(
        connection, command_id=command_id, station_id=station_id, answer=answer, reason_code=reason_code, at=at
    )
    return None if row is None else RecordedAnswer(row["swap_id"], row["name"], row["first"])


async def expire(connection: Connection, now: datetime) -> int:
    """Mark what is unanswered and past its `valid_until` as expired; return how many."""
    return int(await _sql.expire(connection, now=now))


async def take_queued(connection: Connection, now: datetime, limit: int, *, motion: bool) -> list[Command]:
    """Lock and return queued commands that are still valid, oldest first: those that move something, or all others.

    Other dispatchers pass over locked ones.
    """
    return [
        _command(row) async for row in _sql.take_queued(connection, now=now, limit=limit, motions=sorted(MOTION), motion=motion)
    ]


async def take_unheard(connection: Connection, now: datetime, limit: int) -> list[Command]:
    """Lock and return valid commands that were sent before their station was last born and never answered; no motion."""
    return [_command(row) async for row in _sql.take_unheard(connection, now=now, limit=limit, motions=sorted(MOTION))]


async def mark_sent(connection: Connection, command_ids: Sequence[str], at: datetime) -> None:
    """Mark commands as sent (once more)."""
    await _sql.mark_sent(connection, command_ids=list(command_ids), at=at)


def _command(row: asyncpg.Record) -> Command:
    return Command(
        command_id=row["command_id"],
        station_id=row["station_id"],
        order=order.validate_json(row["body"]),
        issued_at=row["issued_at"],
        valid_until=row["valid_until"],
        swap_id=row["swap_id"],
    )
