"""Daily partitions of telemetry: made ahead, dropped when their time is over."""

from datetime import datetime, timedelta

from service.store import retention
from service.store.pool import Pool

DAYS_AHEAD = 3
"""Guess: upkeep may stand still for so many fleet days before telemetry waits in the default partition."""

KEPT = timedelta(days=30)
"""Guess: fleet time for which single readings are kept."""


async def keep_partitions(pool: Pool, now: datetime) -> int:
    """Make the partitions from yesterday to `DAYS_AHEAD`, drop those older than `KEPT`; return how many were made.

    Parameters
    ----------
    now : fleet instant.
    """
    today = now.date()
    made = 0
    for offset in range(-1, DAYS_AHEAD + 1):
        # One day, one transaction: each makes the writers of undated messages wait only for its own.
        async with pool.acquire() as connection, connection.transaction():
            made += await retention.make_day(connection, today + timedelta(days=offset))
    async with pool.acquire() as connection, connection.transaction():
        await retention.drop_days(connection, (now - KEPT).date())
        await retention.forget_undated(connection, now - KEPT)
    return made
