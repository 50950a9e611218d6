"""Wakes requests that wait for a station: one LISTEN connection per process. What happened is read from the tables."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import structlog

from service.store.pool import DATABASE_AWAY, Pool

log = structlog.get_logger()

CHANNEL = "command_answered"
_AGAIN_S = 0.5
"""Guess: how long to wait before listening again after the connection broke, wall seconds."""


class Bell:
    """Rings all waiting requests when some station answered. Nobody may rely on it alone: a ring can be lost."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._waiting: set[asyncio.Event] = set()

    @contextmanager
    def listening(self) -> Iterator[asyncio.Event]:
        """Yield an event that is set at every ring; the waiter clears it."""
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            yield event
        finally:
            self._waiting.discard(event)

    def ring(self, *_: object) -> None:
        """Wake everybody who waits."""
        for event in self._waiting:
            event.set()

    async def run(self) -> None:
        """Listen until cancelled; listen again when the connection breaks."""
        while True:
            try:
                await self._listen()
            except (*DATABASE_AWAY, TimeoutError) as error:
                log.info("api.bell_away", error=str(error))
            self.ring()
            await asyncio.sleep(_AGAIN_S)

    async def _listen(self) -> None:
        async with self._pool.acquire() as connection:
            broken = asyncio.Event()

            def on_end(_: object) -> None:
                broken.set()

            connection.add_termination_listener(on_end)
            await connection.add_listener(CHANNEL, self.ring)
            try:
                await broken.wait()
            finally:
                if not connection.is_closed():
                    connection.remove_termination_listener(on_end)
                    try:
                        await connection.remove_listener(CHANNEL, self.ring)
                    except (*DATABASE_AWAY, asyncpg.PostgresError) as error:
                        log.debug("api.bell_unhooked", error=str(error))
