"""From the outbox to the stations: queued commands are published, old ones expire, what a reborn station missed goes again.

A motion is written down as sent BEFORE it is published: a crash in between loses it, and never sends it twice. Everything else is
written down afterwards: a crash in between sends it twice, and the station runs a command id once.
"""

import asyncio
import contextlib
from collections.abc import Sequence

import asyncpg
import structlog

from devices.wire.codec import MAX_BYTES, encode
from devices.wire.topics import DOWN_COMMAND, down
from service.broker import Broker, BrokerAddress, BrokerAwayError
from service.dispatch.translate import wire_command
from service.domain.clock import Clock
from service.domain.command import Command
from service.store import outbox
from service.store.pool import DATABASE_AWAY, Connection, Pool

CHANNEL = "command_queued"

POLL_S = 1.0
"""Guess: wall seconds without a signal after which the outbox is looked at anyway."""

AT_ONCE = 200
"""Guess: most commands in one transaction."""

RETRY_MAX_S = 5.0
"""Guess: longest wall seconds between two tries."""

log = structlog.get_logger()


async def run_dispatch(
    pool: Pool, address: BrokerAddress, clock: Clock, *, stop: asyncio.Event, client_id: str = "denchi-dispatch"
) -> None:
    """Send commands until `stop` is set. Neither a database nor a broker that is away ends it.

    `client_id` : two dispatchers must not share one; they may run side by side (rows are taken with SKIP LOCKED).
    """
    queued = asyncio.Event()
    async with Broker(address, client_id) as broker:
        tasks = [
            asyncio.create_task(_listen(pool, queued), name="dispatch-listen"),
            asyncio.create_task(_send(pool, broker, clock, queued), name="dispatch"),
        ]
        waiter = asyncio.create_task(stop.wait())
        try:
            ended, _ = await asyncio.wait([*tasks, waiter], return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                await task
        finally:
            for task in tasks:
                task.cancel()
            waiter.cancel()
            await asyncio.gather(*tasks, waiter, return_exceptions=True)


async def send_due(pool: Pool, broker: Broker, clock: Clock) -> int:
    """Expire what is past its time and publish what is due; return how many commands were published.

    Raises
    ------
    BrokerAwayError
        The broker is away: what was not published stays queued, a motion that was about to be published counts as sent.
    OSError, asyncpg.PostgresError, asyncpg.InterfaceError
        The database is away.
    """
    async with pool.acquire() as connection:
        await outbox.expire(connection, clock.now())
        if not broker.is_connected:
            raise BrokerAwayError("not connected to the broker")
        motions = await _claim_motions(connection, clock)
        for outcome in await _publish_all(broker, motions):
            if outcome is not None:
                raise outcome
        return len(motions) + await _send_others(connection, broker, clock)


async def _claim_motions(connection: Connection, clock: Clock) -> Sequence[Command]:
    async with connection.transaction():
        due = await outbox.take_queued(connection, clock.now(), AT_ONCE, motion=True)
        motions = await _speakable(connection, due, clock)
        await outbox.mark_sent(connection, [command.command_id for command in motions], clock.now())
    return motions


async def _send_others(connection: Connection, broker: Broker, clock: Clock) -> int:
    async with connection.transaction():
        due = await outbox.take_queued(connection, clock.now(), AT_ONCE, motion=False)
        due += await outbox.take_unheard(connection, clock.now(), AT_ONCE)
        commands = await _speakable(connection, due, clock)
        outcomes = await _publish_all(broker, commands)
        published = [command.command_id for command, outcome in zip(commands, outcomes, strict=True) if outcome is None]
        await outbox.mark_sent(connection, published, clock.now())
    for outcome in outcomes:
        if outcome is not None:
            raise outcome
    return len(published)


async def _speakable(connection: Connection, commands: Sequence[Command], clock: Clock) -> list[Command]:
    """Leave out, and take back, what the wire has no way to say: it would stand in the way of others for ever."""
    fit: list[Command] = []
    for command in commands:
        try:
            size, error = len(encode(wire_command(command))), ""
        except ValueError as refusal:
            size, error = 0, str(refusal)[:500]
        if error or size > MAX_BYTES:
            log.error("dispatch.not_speakable", command_id=command.command_id, name=command.order.kind, error=error, bytes=size)
            await outbox.withdraw(connection, command.command_id, clock.now())
        else:
            fit.append(command)
    return fit


async def _publish_all(broker: Broker, commands: Sequence[Command]) -> list[BrokerAwayError | None]:
    """Publish all at once; tasks start in this order and each hands over before it waits, so that the order is kept."""

    async def publish(command: Command) -> BrokerAwayError | None:
        try:
            await broker.publish(down(command.station_id, DOWN_COMMAND), encode(wire_command(command)), qos=1)
        except BrokerAwayError as error:
            return error
        return None

    return list(await asyncio.gather(*map(publish, commands)))


async def _send(pool: Pool, broker: Broker, clock: Clock, queued: asyncio.Event) -> None:
    delay_s, away = 0.1, False
    while True:
        try:
            queued.clear()
            sent = await send_due(pool, broker, clock)
        except (BrokerAwayError, *DATABASE_AWAY, asyncpg.PostgresError) as error:
            if not away:
                away = True
                log.error("dispatch.away", error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(delay_s)
            delay_s = min(delay_s * 2, RETRY_MAX_S)
        else:
            if away:
                away = False
                log.info("dispatch.back")
            delay_s = 0.1
            if sent < AT_ONCE:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(queued.wait(), POLL_S)


async def _listen(pool: Pool, queued: asyncio.Event) -> None:
    """Turn the signal of the outbox into an event; without it the poll still finds everything."""
    while True:
        with contextlib.suppress(*DATABASE_AWAY, asyncpg.PostgresError):
            async with pool.acquire() as connection:
                gone = asyncio.Event()

                def heard(*_: object) -> None:
                    queued.set()

                def ended(*_: object, gone: asyncio.Event = gone) -> None:
                    gone.set()

                connection.add_termination_listener(ended)
                await connection.add_listener(CHANNEL, heard)
                try:
                    await gone.wait()
                finally:
                    connection.remove_termination_listener(ended)
                    if not connection.is_closed():
                        await connection.remove_listener(CHANNEL, heard)
        await asyncio.sleep(1.0)
