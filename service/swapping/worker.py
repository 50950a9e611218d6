"""The desk's worker: takes stored station events, station by station, in the order of the key, and keeps the timers.

Several workers may run: each locks the stations it works at and passes over those of the others. An event that cannot be
handled is tried again; after five times it is put aside with its failure and an anomaly, and the next one goes on.
"""

import asyncio
from collections.abc import Callable

import asyncpg
import structlog

from service.domain.clock import Clock
from service.domain.observation import ReceivedEvent, station_event
from service.store import station_queue, swaps
from service.store.pool import DATABASE_AWAY, Connection, Pool
from service.store.station_queue import QueuedEvent
from service.swapping.desk import Desk
from service.swapping.outcomes import DeskRules

log = structlog.get_logger()

STATIONS = 16
EVENTS = 10
"""Most stations in one transaction, and most events of each: bounds how long a station is locked."""
ATTEMPTS = 5
_TICK_S = 1.0
_POLL_S = 0.25
"""Shorter than the tick: a station that the API held a moment ago has rung its bell already."""
_RETRY_S = 1.0
_TAKE_TURNS = (
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
)
"""Nobody's fault: the transaction is tried again and nothing is counted."""


async def run_desk(pool: Pool, clock: Clock, *, rules: DeskRules, new_id: Callable[[str], str], stop: asyncio.Event) -> None:
    """Work until `stop` is set. A database that is away is waited for."""
    desk = Desk(clock, rules, new_id)
    while not stop.is_set():
        try:
            await _work(pool, clock, desk, stop)
        except (*DATABASE_AWAY, asyncpg.PostgresError, TimeoutError) as error:
            log.warning("desk.retry", error=repr(error))
            await _sleep(stop, _RETRY_S)


async def handle_batch(pool: Pool, clock: Clock, desk: Desk) -> int:
    """Handle one batch of events in one transaction; return how many were tried. 0: nothing is open, or others are at it."""
    async with pool.acquire() as connection, connection.transaction():
        stations = await station_queue.take_stations(connection, STATIONS)
        if not stations:
            return 0
        events = await station_queue.open_events(connection, stations, EVENTS)
        handled: list[QueuedEvent] = []
        failed: set[str] = set()
        for event in events:
            # What comes after a failed event of the same station waits for it: the order of the key is kept.
            if event.station_id in failed:
                continue
            failure = await _try(connection, desk, event)
            if failure is None:
                handled.append(event)
            elif not await _count_failure(connection, clock, event, failure):
                failed.add(event.station_id)
        await station_queue.mark_handled(connection, handled, clock.now())
        return len(handled) + len(failed)


async def _try(connection: Connection, desk: Desk, event: QueuedEvent) -> str | None:
    """Handle an event in a savepoint of its own; return what went wrong, or None."""
    try:
        async with connection.transaction():
            body = station_event.validate_json(event.body)
            await desk.handle(connection, ReceivedEvent(event.station_id, event.key, event.ts, event.received_at, body))
    except (*DATABASE_AWAY, *_TAKE_TURNS) as error:
        # asyncpg calls a parameter of the wrong kind an InterfaceError too; that one is the event's fault.
        if not isinstance(error, ValueError):
            raise
        return f"{type(error).__name__}: {error}"
    except Exception as error:
        log.exception("desk.event_failed", station_id=event.station_id, key=list(event.key), kind=event.kind)
        return f"{type(error).__name__}: {error}"
    return None


async def _count_failure(connection: Connection, clock: Clock, event: QueuedEvent, failure: str) -> bool:
    given_up = await station_queue.count_failure(connection, event, failure, ATTEMPTS, clock.now())
    if given_up:
        await swaps.write_anomaly(
            connection,
            "event_not_handled",
            clock.now(),
            station_id=event.station_id,
            detail={"kind": event.kind, "key": list(event.key), "failure": failure[:500]},
        )
    return given_up


async def _work(pool: Pool, clock: Clock, desk: Desk, stop: asyncio.Event) -> None:
    wake = asyncio.Event()
    loop = asyncio.get_running_loop()

    def heard(*_: object) -> None:
        wake.set()

    async with pool.acquire() as listener:
        await listener.add_listener("station_event", heard)
        stopper = asyncio.create_task(_wake_at(stop, wake))
        try:
            timers_at = loop.time()
            while not stop.is_set():
                wake.clear()
                worked = await handle_batch(pool, clock, desk)
                if loop.time() >= timers_at:
                    timers_at = loop.time() + _TICK_S
                    async with pool.acquire() as connection, connection.transaction():
                        ended = await desk.run_timers(connection)
                    if ended:
                        log.info("desk.timers", ended=ended)
                if not worked:
                    await _sleep(wake, _POLL_S)
                if listener.is_closed():
                    raise asyncpg.InterfaceError("the listening connection is gone")
        finally:
            stopper.cancel()
            if not listener.is_closed():
                await listener.remove_listener("station_event", heard)


async def _wake_at(stop: asyncio.Event, wake: asyncio.Event) -> None:
    await stop.wait()
    wake.set()


async def _sleep(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return
