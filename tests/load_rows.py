"""What the database holds of a load, as the load generator's audit wants it: the one place that knows both.

`python -m tests.load_rows JOURNAL DATABASE_URL` audits a journal and prints one JSON line. The query is the document's.
"""

import asyncio
import json
import re
import sys
from pathlib import Path
from typing import Any

import asyncpg

from simulator.load.audit import Audit, StoredBoot, StoredMessage, audit
from simulator.load.command import KEY_COLUMNS
from simulator.load.journal import read_journal

TOP = Path(__file__).parent.parent


def stored_query() -> str:
    """The query that the document tells a person to run."""
    found = re.search(r"```sql\n(.*?)```", (TOP / "docs" / "simulator.md").read_text(), re.DOTALL)
    assert found is not None
    return found[1].strip().removesuffix(";")


BOOTS = "SELECT station_id, epoch, boot, stored, refused, settled FROM station_boot"


async def audit_database(connection: Any, journal: Path) -> Audit:
    """Audit every run of a journal against what is stored."""
    rows = await connection.fetch(stored_query())
    columns = [name for name in (rows[0].keys() if rows else ()) if name not in KEY_COLUMNS]
    messages = (
        StoredMessage(*(row[name] for name in KEY_COLUMNS), [-1 if row[name] is None else int(row[name]) for name in columns])
        for row in rows
    )
    boots = [
        StoredBoot(*tuple(row)[:5], [(span.lower, span.upper) for span in row["settled"]])
        for row in await connection.fetch(BOOTS)
    ]
    return audit(read_journal(journal), columns, messages, boots)


async def main(journal: Path, url: str) -> int:
    connection = await asyncpg.connect(url)
    found = await audit_database(connection, journal)
    await connection.close()
    print(json.dumps(found.as_json()))
    return 0 if found.clean else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(Path(sys.argv[1]), sys.argv[2])))
