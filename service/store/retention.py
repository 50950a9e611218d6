"""What is kept and for how long, as statements; the periods themselves are decided in ``upkeep``."""

from datetime import date, datetime

from service.store.pool import Connection
from service.store.queries import statements

_sql = statements("retention")


async def make_day(connection: Connection, day: date) -> bool:
    """Make the telemetry partition of a UTC day; False when there is one."""
    return bool(await _sql.make_day(connection, day=day))


async def drop_days(connection: Connection, first_kept: date) -> int:
    """Drop the telemetry partitions of all days before `first_kept`; return how many."""
    return int(await _sql.drop_days(connection, first_kept=first_kept))


async def forget_undated(connection: Connection, before: datetime) -> int:
    """Delete telemetry without a day that was received before this fleet instant."""
    return int(await _sql.forget_undated(connection, before=before))


async def bound_dead_letters(connection: Connection, newest_kept: int) -> int:
    """Delete all refused messages but the newest; return how many."""
    return int(await _sql.bound_dead_letters(connection, newest_kept=newest_kept))


async def forget_plans(connection: Connection, before: datetime) -> int:
    """Delete plans made before this fleet instant; return how many."""
    return int(await _sql.forget_plans(connection, before=before))


async def forget_events(connection: Connection, before: datetime) -> int:
    """Delete station events that are handled and were received before this fleet instant; return how many."""
    return int(await _sql.forget_events(connection, before=before))


async def forget_commands(connection: Connection, before: datetime) -> int:
    """Delete commands of no swap that are over and were issued before this fleet instant; return how many."""
    return int(await _sql.forget_commands(connection, before=before))
