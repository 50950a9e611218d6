"""How a command finds the system it speaks of: its own environment first, then what `denchi up` wrote into the data directory."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import asyncpg

from service.cli.failing import fail
from service.domain.clock import FleetTime
from service.settings import Settings
from service.store.pool import Connection

T = TypeVar("T")

DEFAULT_DATA_DIR = Path(os.environ.get("DENCHI_DATA_DIR", ".denchi"))


@dataclass(frozen=True, slots=True)
class Running:
    """What `denchi up` says of itself; `pid` is None when it has ended."""

    settings: Settings
    pid: int | None
    children: dict[str, int]
    known: bool


def find_running(data_dir: Path) -> Running:
    """Return the settings of the system in `data_dir`, its pid when it runs. A variable of our own environment goes first."""
    run = _read(data_dir / "run.json")
    environment: dict[str, str] = run.get("environment", {})
    for name, value in environment.items():
        os.environ.setdefault(name, value)
    pid = run.get("pid")
    return Running(Settings.load(), pid if pid and is_alive(pid) else None, run.get("children", {}), bool(run))


def fleet_now(settings: Settings) -> datetime:
    """Return the fleet instant; without a clock file the wall's."""
    wall = datetime.now(UTC)
    if settings.clock_file is None:
        return wall
    line = json.loads(settings.clock_file.read_text())
    origin, anchor = datetime.fromisoformat(line["origin"]), datetime.fromisoformat(line["anchor"])
    return FleetTime(origin, anchor, float(line["speed"])).at(wall)


class DatabaseAwayError(Exception):
    """The database does not answer, or does not have what the command needs; `remedy` says what to do."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


def ask_database(settings: Settings, work: Callable[[Connection], Awaitable[T]]) -> T:
    """Run `work` on a connection of its own and return what it returns.

    Raises
    ------
    DatabaseAwayError
        For a command that can go on without a database, or says more than others.
    """

    async def run() -> T:
        connection = await asyncpg.connect(settings.database_dsn(), timeout=10, server_settings={"timezone": "UTC"})
        try:
            return await work(connection)
        finally:
            await connection.close()

    try:
        return asyncio.run(run())
    except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError) as error:
        raise DatabaseAwayError(f"the database's schema is older: {error}", "Bring it up to date: denchi migrate") from error
    except (OSError, asyncpg.PostgresError) as error:
        remedy = "Start `denchi up`, or set DENCHI_DATABASE_URL; is --data-dir right?"
        raise DatabaseAwayError(f"the database does not answer: {error}", remedy) from error


def with_database(settings: Settings, work: Callable[[Connection], Awaitable[T]]) -> T:
    """Run `work` on a connection of its own; end the command with a remedy when that cannot be."""
    try:
        return ask_database(settings, work)
    except DatabaseAwayError as error:
        fail(str(error), error.remedy)


def is_alive(pid: int) -> bool:
    """Tell whether a process of this id lives."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
