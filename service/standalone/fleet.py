"""The simulated fleet as a child process: who is in it, what it logs in with, what it tells us."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from service.provisioning.publish import access_rules, tell_broker, write_rules
from service.provisioning.stations import StationKnownError, add_station, renew_credential
from service.provisioning.tokens import mint_token
from service.settings import Settings
from service.standalone.broker import NatsBroker
from service.standalone.children import spawn
from service.standalone.errors import UpError
from service.standalone.layout import DataDir, read_json, write_json
from service.store.pool import Connection

TOKEN_LIFETIME_S = timedelta(days=30).total_seconds()
"""Guess: longer than anybody leaves a development machine running without a restart, which makes new ones."""


@dataclass(frozen=True, slots=True)
class World:
    """The stations and riders of a simulated fleet."""

    stations: tuple[dict[str, Any], ...]
    riders: tuple[str, ...]


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
        told = json.loads(output_file.read_text().strip().splitlines()[-1])
        return World(tuple(told["stations"]), tuple(told["riders"]))
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise UpError("denchi-sim told no world", f"See {log_file}") from error


async def provision_fleet(
    connection: Connection, layout: DataDir, settings: Settings, world: World, fleet_now: datetime, wall_now: datetime
) -> int:
    """Make every station of the world known, mint the fleet's tokens, write its credentials; return how many stations are new.

    Credentials that the fleet holds already stay as they are, so a running station is not locked out.
    """
    file = layout.sim / "credentials.json"
    known: dict[str, dict[str, str]] = read_json(file).get("stations", {})
    added = 0
    for station in world.stations:
        station_id = station["station_id"]
        if station_id in known:
            continue
        try:
            credential = await add_station(
                connection, station_id, station["name"], station["latitude"], station["longitude"], fleet_now
            )
            added += 1
        except StationKnownError:  # a start that was cut off before the file was written
            credential = await renew_credential(connection, station_id, fleet_now)
        known[station_id] = {"user": credential.user, "password": credential.password}

    def token(sub: str, scope: str) -> str:
        assert settings.token_key_file is not None
        return mint_token(
            settings.token_key_file,
            settings.token_issuer,
            settings.token_audience,
            sub,
            [scope],
            TOKEN_LIFETIME_S,
            wall_now,
        )

    write_json(
        file,
        {
            "operator_token": token("denchi-sim", "operator"),
            "stations": known,
            "rider_tokens": {rider: token(rider, "rider") for rider in world.riders},
        },
    )
    return added


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
