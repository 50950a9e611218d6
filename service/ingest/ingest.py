"""One ingest worker: take, admit, commit, acknowledge; say what is committed; look for gaps.

A message is acknowledged after COMMIT and never before. While the database is away the worker keeps what it has taken and tries
again; the broker keeps the rest.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from devices.wire.codec import encode
from devices.wire.events import HostState
from devices.wire.ids import PARTS
from devices.wire.topics import ROOT, host_state, parse_up, part_filter
from service.broker import Broker, BrokerAddress, BrokerAwayError, Received
from service.domain.clock import Clock
from service.ingest.admit import Admitted, Item, admit
from service.ingest.commit import Committed, commit
from service.ingest.counters import Counters
from service.ingest.gaps import look_for_gaps
from service.ingest.watermarks import EVERY_S, Watermarks
from service.store import messages
from service.store.pool import Pool

BATCH = 500
"""Most messages in one transaction. Guess, after measuring: beyond it the cost of a transaction no longer shows."""

LINGER_S = 0.03
"""Wall seconds to wait for more. Guess, after measuring: a third of the cost per message, unnoticeable to a rider."""

RETRY_MAX_S = 5.0
"""Guess: longest wall seconds between two tries at a database that is away."""

GAPS_EVERY_S = 5.0
"""Guess: wall seconds between two looks for gaps."""

LOG_EVERY_S = 30.0
"""Guess: wall seconds between two lines of counters."""

log = structlog.get_logger()


@dataclass(slots=True)
class Worker:
    """What the tasks of one worker share."""

    pool: Pool
    broker: Broker
    clock: Clock
    parts: frozenset[int]
    watermarks: Watermarks
    counters: Counters = field(default_factory=Counters)
    known: set[str] = field(default_factory=set)
    say_now: asyncio.Event = field(default_factory=asyncio.Event)


async def run_ingest(
    pool: Pool,
    address: BrokerAddress,
    clock: Clock,
    *,
    host_id: str,
    parts: str,
    queue_size: int,
    stop: asyncio.Event,
    chance: Callable[[int], bytes] = os.urandom,
) -> None:
    """Run one ingest worker until `stop` is set.

    Parameters
    ----------
    host_id : name of this worker; its durable session at the broker bears it, so two workers never share one.
    parts : parts of the topic tree it owns, ``00-3f`` or ``07``.
    queue_size : most messages taken from the broker and not yet committed.
    chance : source of random bytes for the ids of commands.
    """
    owned = parse_parts(parts)
    loop = asyncio.get_running_loop()
    # Grows from one process to the next, as long as the fleet clock does.
    session = int(clock.now().timestamp() * 1000)
    announce = asyncio.Event()

    def state(online: bool) -> bytes:
        return encode(HostState(ts=clock.now(), session=session, online=online, parts=[parts]))

    broker = Broker(
        address,
        f"denchi-{host_id}",
        clean_session=False,
        will=(host_state(host_id), state(online=False), True),
        subscriptions=[(topic_filter, 1) for topic_filter in filters(owned)],
        queue_size=queue_size,
        on_connected=announce.set,
    )
    async with broker:
        worker = Worker(pool, broker, clock, owned, Watermarks(loop.time))
        tasks = [
            asyncio.create_task(_take_and_commit(worker), name="ingest"),
            asyncio.create_task(_announce(broker, announce, host_state(host_id), state), name="ingest-announce"),
            asyncio.create_task(_say_committed(worker), name="ingest-committed"),
            asyncio.create_task(_look_for_gaps(worker, chance), name="ingest-gaps"),
            asyncio.create_task(_log_counters(worker.counters), name="ingest-log"),
        ]
        waiter = asyncio.create_task(stop.wait())
        try:
            # A task that ends has failed: none of them ends by itself.
            ended, _ = await asyncio.wait([*tasks, waiter], return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                await task
        finally:
            for task in tasks:
                task.cancel()
            waiter.cancel()
            await asyncio.gather(*tasks, waiter, return_exceptions=True)
            if broker.is_connected:
                # A clean goodbye does not send the will.
                try:
                    await broker.publish(host_state(host_id), state(online=False), qos=1, retain=True)
                except BrokerAwayError as error:
                    log.info("ingest.goodbye_unsaid", error=str(error))
            log.info("ingest.stopped", **worker.counters.as_log())


def parse_parts(parts: str) -> frozenset[int]:
    """Return the parts named by ``07`` or ``00-1f``.

    Raises
    ------
    ValueError
        When the text names no part or one that does not exist.
    """
    first, _, last = parts.partition("-")
    owned = frozenset(range(int(first, 16), int(last or first, 16) + 1))
    if not owned or max(owned) >= PARTS:
        raise ValueError(f"no such parts: {parts}")
    return owned


def filters(parts: frozenset[int]) -> list[str]:
    """Return the subscriptions of a worker: one for the whole tree, else one per part. They never overlap."""
    if len(parts) == PARTS:
        return [f"{ROOT}/+/station/+/up/+"]
    return [part_filter(part) for part in sorted(parts)]


async def _take_and_commit(worker: Worker) -> None:
    while True:
        taken = await worker.broker.take(BATCH, LINGER_S)
        worker.counters.taken += len(taken)
        items, done = await _store_whatever_happens(worker, taken)
        for received in taken:
            worker.broker.acknowledge(received)
        counters = worker.counters
        counters.batches += 1
        counters.stored += done.stored
        counters.duplicates += done.duplicates
        counters.refusals.update(done.refusals)
        counters.unknown_fields += sum(len(item.message.model_extra or ()) for item in items if isinstance(item, Admitted))
        worker.watermarks.note(done.watermarks)
        if done.born:
            worker.say_now.set()


async def _store_whatever_happens(worker: Worker, taken: Sequence[Received]) -> tuple[list[Item], Committed]:
    """Admit and commit a batch, trying again for as long as the database is away or in trouble."""
    received_at = worker.clock.now()
    items: list[Item] | None = None
    delay_s, away = 0.1, False
    while True:
        try:
            if items is None:
                await _learn_stations(worker, taken)
                items = [
                    admit(one.topic, one.body, received_at, known=worker.known, parts=worker.parts, retained=one.retained)
                    for one in taken
                ]
            done = await commit(worker.pool, items, worker.clock.now())
        except Exception as error:  # noqa: BLE001 - whatever it is, what was taken is neither lost nor acknowledged
            if not away:
                away = True
                log.error("ingest.database_away", error=f"{type(error).__name__}: {error}", waiting=len(taken))
            await asyncio.sleep(delay_s)
            delay_s = min(delay_s * 2, RETRY_MAX_S)
        else:
            if away:
                log.info("ingest.database_back")
            return items, done


async def _learn_stations(worker: Worker, taken: Sequence[Received]) -> None:
    """Look up stations not seen before. A station is never unregistered, so what is known stays known."""
    named = {said.station_id for one in taken if (said := parse_up(one.topic)) is not None}
    if unseen := named - worker.known:
        async with worker.pool.acquire() as connection:
            worker.known |= await messages.registered(connection, unseen)


async def _announce(broker: Broker, announce: asyncio.Event, topic: str, state: Callable[[bool], bytes]) -> None:
    """Say that this worker is online after each connect: the broker may have published its will in between."""
    while True:
        await announce.wait()
        announce.clear()
        try:
            await broker.publish(topic, state(True), qos=1, retain=True)
        except BrokerAwayError as error:
            log.info("ingest.announce_failed", error=str(error))
            if broker.is_connected:
                announce.set()
                await asyncio.sleep(1.0)


async def _say_committed(worker: Worker) -> None:
    while True:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(worker.say_now.wait(), EVERY_S)
        worker.say_now.clear()
        await worker.watermarks.publish_due(worker.broker)


async def _look_for_gaps(worker: Worker, chance: Callable[[int], bytes]) -> None:
    away = False
    while True:
        await asyncio.sleep(GAPS_EVERY_S)
        try:
            moved = await look_for_gaps(worker.pool, worker.clock, chance=chance)
        except Exception as error:  # noqa: BLE001 - the next round tries again; ingest itself must go on
            if not away:
                away = True
                log.error("ingest.gaps_failed", error=f"{type(error).__name__}: {error}")
        else:
            away = False
            worker.watermarks.note(moved)


async def _log_counters(counters: Counters) -> None:
    before: dict[str, object] = {}
    while True:
        await asyncio.sleep(LOG_EVERY_S)
        now = counters.as_log()
        if now != before:
            log.info("ingest.counters", **now)
            before = now
