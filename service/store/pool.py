"""Connections to PostgreSQL. Sessions speak UTC; a role that starts before its database waits for it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias

import asyncpg
import structlog

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"

log = structlog.get_logger()

DATABASE_AWAY = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.InterfaceError,
    asyncpg.AdminShutdownError,
    # What asyncpg says of a pooled connection whose server died between two statements.
    asyncpg.InternalClientError,
)
"""What a statement raises while the database is away: wait and try again."""

CLOSE_PATIENCE_S = 3.0
"""Guess: wall seconds in which open connections say goodbye; a server that is gone never answers."""


@asynccontextmanager
async def pool_of(dsn: str, *, role: str, size: int) -> AsyncIterator[Pool]:
    """Open a pool for the life of a role and close it in bounded time, even when the database is gone."""
    pool = await open_pool(dsn, role=role, size=size)
    try:
        yield pool
    finally:
        try:
            await asyncio.wait_for(pool.close(), CLOSE_PATIENCE_S)
        except (TimeoutError, *DATABASE_AWAY):
            pool.terminate()


async def open_pool(dsn: str, *, role: str = "", size: int = 6, patience_s: float = 60.0) -> Pool:
    """Open a pool of at most `size` connections; wait up to `patience_s` wall seconds for the database.

    The database sees whose they are: ``denchi ROLE``.

    Raises
    ------
    OSError, asyncpg.PostgresError
        When the database cannot be reached or refuses the login within the patience.
    """
    loop = asyncio.get_running_loop()
    give_up = loop.time() + patience_s
    while True:
        try:
            pool = await asyncpg.create_pool(
                dsn,
                min_size=1,
                max_size=size,
                command_timeout=60,
                server_settings={"timezone": "UTC", "application_name": f"denchi {role}".strip()},
            )
        except DATABASE_AWAY as error:
            if loop.time() > give_up:
                raise
            log.info("database.wait", error=str(error))
            await asyncio.sleep(0.3)
        else:
            if pool is None:  # pragma: no cover - asyncpg's signature allows it, its code does not
                raise RuntimeError("asyncpg returned no pool")
            return pool
