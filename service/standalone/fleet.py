"""The simulated fleet as a child process: who is in it, what it logs in with, what it tells us."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from service.provisioning import fleet as provisioning
from service.provisioning.fleet import World, parse_world
from service.provisioning.publish import access_rules, tell_broker, write_rules
from service.settings import Settings
from service.standalone.broker import NatsBroker
from service.standalone.children import spawn
from service.standalone.errors import UpError
from service.standalone.layout import DataDir
from service.store.pool import Connection

TOKEN_LIFETIME_S = timedelta(days=30).total_seconds()
"""Guess: longer than anybody leaves a development machine running without a restart, which makes new ones."""


def simulator_program() -> Path:
    """Return `denchi-sim` of this environment.

    Raises
    ------
    UpError
        When it is not installed.
    """
    beside = Path(sys.executable).parent / "denchi-sim"
    found = beside if beside.exists() else shutil.which("denchi-sim")
    if found is None:
        raise UpError("denchi-sim is not installed", "Install this project, or start without a fleet: --no-fleet")
    return Path(found)


def read_world(output_file: Path, log_file: Path) -> World:
    """Read what `denchi-sim world` printed.

    Raises
    ------
    UpError
        When it is not a world.
    """
    try:
        return parse_world(output_file.read_text())
    except (OSError, ValueError) as error:
        raise UpError("denchi-sim told no world", f"See {log_file}") from error


async def provision_fleet(
    connection: Connection, layout: DataDir, settings: Settings, world: World, fleet_now: datetime, wall_now: datetime
) -> int:
    """Make every station of the world known and write the fleet's credentials; return how many stations are new.

    Raises
    ------
    UpError
        When the disk refuses the credentials.
    """
    file = layout.sim / "credentials.json"
    try:
        return await provisioning.provision_fleet(
            connection, file, settings, world, fleet_now, wall_now, token_lifetime_s=TOKEN_LIFETIME_S
        )
    except OSError as error:
        raise UpError(f"cannot write {file}: {error.strerror}", "Free some space or choose another --data-dir") from error


async def publish_rules(connection: Connection, settings: Settings, broker: NatsBroker) -> None:
    """Render the broker's rules from the database and let it take them."""
    rules = await access_rules(connection, broker.rules_dir, settings.broker_user, settings.broker_password() or "")
    write_rules("nats", broker.rules_dir, rules)
    tell_broker(broker.pid_file)


def start_world(
    layout: DataDir, stations: int, seed: int, environment: Mapping[str, str], output: Path
) -> subprocess.Popen[bytes]:
    """Start `denchi-sim world`, which prints the fleet and ends."""
    command: list[str | Path] = [simulator_program(), "world", "--stations", str(stations), "--seed", str(seed), "--json"]
    output.unlink(missing_ok=True)
    return spawn(command, layout.log_of("fleet"), env=environment, stdout_file=output)


def start_online(layout: DataDir, stations: int, seed: int, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start `denchi-sim online`: the fleet lives until it is told to end."""
    command: list[str | Path] = [simulator_program(), "online"]
    command += ["--api-url", environment["DENCHI_API_URL"]]
    command += ["--broker-host", environment["DENCHI_BROKER_HOST"], "--broker-port", environment["DENCHI_BROKER_PORT"]]
    command += ["--credentials", layout.sim / "credentials.json", "--clock-file", layout.clock_file, "--data-dir", layout.sim]
    command += ["--stations", str(stations), "--seed", str(seed), "--json"]
    return spawn(command, layout.log_of("fleet"), env=environment, stdout_file=events_file(layout))


def events_file(layout: DataDir) -> Path:
    """Return the file to which the fleet writes its JSON lines."""
    return layout.logs / "fleet.jsonl"


class FleetEvents:
    """Reads the fleet's JSON lines as they come. A file, not a pipe: a reader that is away never stops the fleet."""

    def __init__(self, path: Path) -> None:
        """Read what is appended to `path` from now on."""
        self._path = path
        self._offset = path.stat().st_size if path.exists() else 0
        self._rest = b""

    def take(self) -> list[dict[str, Any]]:
        """Return the events that have come since the last call; a line that is no event is left out."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except OSError:
            return []
        self._offset += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        events = []
        for line in lines:
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict) and "event" in event:
                events.append(event)
        return events
