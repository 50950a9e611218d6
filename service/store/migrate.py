"""Plain SQL migrations: numbered files, each applied once, in order, in a transaction of its own."""

import hashlib
from pathlib import Path

from service.store.pool import Connection

_HERE = Path(__file__).parent / "migrations"
_LOCK = 7_301_556
"""Advisory lock: two processes that migrate at once take turns."""


class MigrationChangedError(RuntimeError):
    """A migration that has been applied no longer has the text that was applied."""


async def ensure_database(connection: Connection, name: str) -> None:
    """Create an empty database unless there is one of that name. Not inside a transaction."""
    if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
        await connection.execute(f'CREATE DATABASE "{name}"')


async def migrate(connection: Connection) -> list[str]:
    """Bring the schema up to date and return the names of the files applied now, possibly none.

    Raises
    ------
    MigrationChangedError
        When an applied file was edited; restore it and put the change into a new file.
    """
    await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
    try:
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS migration (name text PRIMARY KEY, sha256 text NOT NULL, applied_at timestamptz NOT NULL)"
        )
        applied = {row["name"]: row["sha256"] for row in await connection.fetch("SELECT name, sha256 FROM migration")}
        done: list[str] = []
        for path in sorted(_HERE.glob("[0-9]*.sql")):
            text = path.read_text()
            digest = hashlib.sha256(text.encode()).hexdigest()
            if path.name in applied:
                if applied[path.name] != digest:
                    raise MigrationChangedError(f"{path.name} was applied with another text; restore it and write a new file")
                continue
            async with connection.transaction():
                await connection.execute(text)
                # Wall time on purpose: when an operator did it, not when it is in the fleet.
                await connection.execute("INSERT INTO migration VALUES ($1, $2, clock_timestamp())", path.name, digest)
            done.append(path.name)
        return done
    finally:
        await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)
