"""`denchi healthcheck`: whether one part of a deployment does its work. What it says is true of what it looked at, no more."""

import asyncio
import json
import urllib.error
import urllib.request
from pathlib import Path

import asyncpg

from service.settings import Settings
from service.store.metrics import role_silence_s
from service.wiring import ROLES, WallFleetClock, read_fleet_time

PARTS = (*ROLES, "fleet")

_PATIENCE_S = 5.0
_BUSY_ROLE_SILENCE_S = 30.0
"""Guess: ingest asks the database every 5 s and the desk every second, whatever happens."""
_CYCLES_MISSED = 3.0
"""Guess: so many planning cycles without a word to the database are too many."""
_LEAST_CONNECTED = 0.9
"""Guess: the part of the fleet's stations that must be connected."""


async def what_is_wrong(part: str, settings: Settings, credentials: Path | None = None) -> str | None:
    """Return why `part` does not do its work, None when it does.

    ``api`` and ``console`` must say that they are ready. ``ingest``, ``desk`` and ``plan`` have no door: their connections
    must have done something at the database lately. Of ``fleet`` the service must say that its stations are connected.
    """
    if part == "fleet":
        return await asyncio.to_thread(_fleet, settings, credentials)
    if part == "api":
        return await asyncio.to_thread(_ready, settings.api_host, settings.api_port)
    if part == "console":
        return await asyncio.to_thread(_ready, settings.console_host, settings.console_port)
    most_s = _BUSY_ROLE_SILENCE_S
    if part == "plan":
        cycle_s = WallFleetClock(read_fleet_time(settings.clock_file)).wall_seconds(settings.cycle_s)
        most_s = max(most_s, _CYCLES_MISSED * cycle_s)
    return await _silent(part, settings, most_s)


async def _silent(role: str, settings: Settings, most_s: float) -> str | None:
    try:
        connection = await asyncpg.connect(settings.database_dsn(), timeout=_PATIENCE_S, command_timeout=_PATIENCE_S)
    except (OSError, asyncpg.PostgresError, TimeoutError) as error:
        return f"the database does not answer: {error}"
    try:
        silence_s = await role_silence_s(connection, role)
    finally:
        await connection.close(timeout=_PATIENCE_S)
    if silence_s is None:
        return "it is not connected to the database"
    return f"it has said nothing to the database for {silence_s:.0f} s" if silence_s > most_s else None


def _ready(host: str, port: int) -> str | None:
    # A server that listens everywhere answers on this machine too.
    here = "127.0.0.1" if host in ("0.0.0.0", "::", "") else host  # noqa: S104 - compared, not listened on
    status, body = _get(f"http://{here}:{port}/readyz")
    return None if status == 200 else f"{status or 'no answer'} {body}"


def _fleet(settings: Settings, credentials: Path | None) -> str | None:
    if credentials is None:
        return "say which credentials it runs with: --credentials FILE"
    try:
        told = json.loads(credentials.read_text())
        token, wanted = str(told["operator_token"]), len(told["stations"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        return f"{credentials} cannot be read: {type(error).__name__}: {error}"
    status, body = _get(f"{settings.api_url}/v1/fleet", token)
    if status != 200:
        return f"the API says {status or 'nothing'}: {body}"
    connected = int(json.loads(body)["stations_connected"])
    return None if connected >= _LEAST_CONNECTED * wanted else f"{connected} of {wanted} stations are connected"


def _get(url: str, token: str | None = None) -> tuple[int, str]:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})  # noqa: S310 - a setting
    try:
        with urllib.request.urlopen(request, timeout=_PATIENCE_S) as answer:  # noqa: S310 - a setting, not input
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read(300).decode(errors="replace")
    except OSError as error:
        return 0, str(error)
