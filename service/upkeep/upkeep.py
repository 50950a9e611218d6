"""The regular round: partitions, and everything that has an end. Audit is asked for, not done regularly; see ``audit``."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from service.domain.clock import Clock
from service.store import idempotency, retention
from service.store.pool import Pool
from service.upkeep.partitions import keep_partitions

EVERY_S = 60.0
"""Guess: wall seconds between two rounds."""

DEAD_LETTERS_KEPT = 10_000
"""Guess: enough to see what is wrong; at most 40 MB."""

ANSWERS_KEPT = timedelta(hours=48)
"""Guess: wall time for which the same POST gets the same answer; longer than a phone stays out of reach."""

PLANS_KEPT = timedelta(days=7)
"""Guess: fleet time for which a plan can still be looked at."""

EVENTS_KEPT = timedelta(days=30)
"""Guess: fleet time for which one can still read what a station said; what the desk made of it stays in its own log."""

COMMANDS_KEPT = timedelta(days=30)
"""Guess: fleet time for which a command that belongs to no swap can still be looked at."""

log = structlog.get_logger()


async def run_upkeep(pool: Pool, clock: Clock, *, wall_now: Callable[[], datetime], stop: asyncio.Event) -> None:
    """Do a round at once and then regularly, until `stop` is set. A round that fails is done again."""
    while not stop.is_set():
        try:
            await upkeep_once(pool, clock.now(), wall_now())
        except Exception as error:  # noqa: BLE001 - the next round does it all again; the other work of the role must go on
            log.error("upkeep.failed", error=f"{type(error).__name__}: {error}")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), EVERY_S)


async def upkeep_once(pool: Pool, now: datetime, wall_now: datetime) -> None:
    """Do one round.

    Parameters
    ----------
    now, wall_now : fleet instant; wall instant, for what is kept on wall time.
    """
    made = await keep_partitions(pool, now)
    async with pool.acquire() as connection:
        forgotten = {
            "dead_letters": await retention.bound_dead_letters(connection, DEAD_LETTERS_KEPT),
            "answers": await idempotency.forget(connection, wall_now - ANSWERS_KEPT),
            "plans": await retention.forget_plans(connection, now - PLANS_KEPT),
            "events": await retention.forget_events(connection, now - EVENTS_KEPT),
            "commands": await retention.forget_commands(connection, now - COMMANDS_KEPT),
        }
    if made or any(forgotten.values()):
        log.info("upkeep.done", partitions_made=made, **forgotten)
