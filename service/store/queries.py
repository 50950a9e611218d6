"""Named statements: every SQL text lives in ``sql/*.sql`` under a name and is called by it."""

from pathlib import Path
from typing import Any

import aiosql

_HERE = Path(__file__).parent / "sql"


def statements(family: str) -> Any:
    """Return the statements of ``sql/<family>.sql``; each is an async function of a connection and its parameters."""
    return aiosql.from_path(_HERE / f"{family}.sql", "asyncpg", mandatory_parameters=False)
