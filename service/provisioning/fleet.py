"""A simulated fleet comes to be known: its stations, their credentials, tokens for its riders and its operator."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from service.provisioning.files import write_private
from service.provisioning.stations import StationKnownError, add_station, renew_credential
from service.provisioning.tokens import mint_token
from service.settings import Settings
from service.store.pool import Connection


@dataclass(frozen=True, slots=True)
class World:
    """The stations and riders of a simulated fleet."""

    stations: tuple[dict[str, Any], ...]
    riders: tuple[str, ...]


def parse_world(text: str) -> World:
    """Read what `denchi-sim world --json` prints. Raises ValueError when it is not a world."""
    try:
        told = json.loads(text.strip().splitlines()[-1])
        return World(tuple(told["stations"]), tuple(told["riders"]))
    except (ValueError, LookupError, TypeError) as error:
        raise ValueError(f"this is no world: {type(error).__name__}: {error}") from error


async def provision_fleet(
    connection: Connection,
    file: Path,
    settings: Settings,
    world: World,
    fleet_now: datetime,
    wall_now: datetime,
    *,
    token_lifetime_s: float,
) -> int:
    """Make every station of the world known, mint the fleet's tokens, write all of it to `file` (0600).

    Credentials that are in the file already stay as they are, so a running station is not locked out. Returns how many stations
    are new.

    Raises
    ------
    ValueError
        When there is no key to sign tokens with.
    OSError
        When the file cannot be written.
    """
    known = _known_stations(file)
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
        if settings.token_key_file is None:
            raise ValueError("no key to sign tokens with: set DENCHI_TOKEN_KEY_FILE")
        return mint_token(
            settings.token_key_file, settings.token_issuer, settings.token_audience, sub, [scope], token_lifetime_s, wall_now
        )

    told = {
        "operator_token": token("denchi-sim", "operator"),
        "stations": known,
        "rider_tokens": {rider: token(rider, "rider") for rider in world.riders},
    }
    write_private(file, json.dumps(told, indent=1) + "\n", keep_access=True)
    return added


def _known_stations(file: Path) -> dict[str, dict[str, str]]:
    try:
        told = json.loads(file.read_text())
        return dict(told["stations"])
    except (OSError, ValueError, LookupError, TypeError):
        return {}
