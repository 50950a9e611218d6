"""`denchi station`: make stations known, give them credentials, list them."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from service.cli.failing import fail
from service.cli.running import DEFAULT_DATA_DIR, Running, find_running, fleet_now, with_database
from service.provisioning.publish import access_rules, tell_broker, write_rules
from service.provisioning.stations import Credential, StationKnownError, StationUnknownError, add_station, renew_credential
from service.store.pool import Connection
from service.store.provisioning import StationRow, list_stations

app = typer.Typer(no_args_is_help=True, help="Make stations known, give them credentials, list them.")
DataDirOption = Annotated[Path, typer.Option("--data-dir", help="Data directory of the running `denchi up`.")]


@app.command()
def add(
    station_id: Annotated[str, typer.Argument(help="1 to 48 of A-Z a-z 0-9 _ -")],
    latitude: Annotated[float, typer.Option(min=-90, max=90, help="WGS 84, degrees north.")] = 0.0,
    longitude: Annotated[float, typer.Option(min=-180, max=180, help="WGS 84, degrees east.")] = 0.0,
    name: Annotated[str | None, typer.Option(help="What people call it; its id when left out.")] = None,
    renew: Annotated[bool, typer.Option("--renew", help="The station exists: give it a new password; the old one ends.")] = False,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
) -> None:
    """Make a station known and print its credential, once; the broker lets it in at once, to its own topics only."""
    running = find_running(data_dir)
    now = fleet_now(running.settings)

    async def work(connection: Connection) -> Credential:
        if renew:
            credential = await renew_credential(connection, station_id, now)
        else:
            credential = await add_station(connection, station_id, name or station_id, latitude, longitude, now)
        await _publish(connection, running)
        return credential

    try:
        credential = with_database(running.settings, work)
    except StationKnownError as error:
        fail(str(error), "For a new password: denchi station add --renew")
    except StationUnknownError as error:
        fail(str(error), "Leave --renew away to make it")
    except ValueError as error:
        fail(str(error), "See denchi station add --help")
    typer.echo(json.dumps({"station_id": station_id, "user": credential.user, "password": credential.password}))


@app.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
) -> None:
    """List the stations: where they are, whether they are connected, when they were last heard (fleet time)."""
    rows: list[StationRow] = with_database(find_running(data_dir).settings, list_stations)
    if as_json:
        for row in rows:
            typer.echo(
                json.dumps(
                    {
                        "station_id": row.station_id,
                        "name": row.name,
                        "latitude": row.latitude,
                        "longitude": row.longitude,
                        "lifecycle": row.lifecycle,
                        "connected": bool(row.connected),
                        "heard_at": row.heard_at.isoformat() if row.heard_at else None,
                    }
                )
            )
        return
    table = Table("station", "name", "latitude", "longitude", "connected", "heard at")
    for row in rows:
        heard = row.heard_at.isoformat(timespec="seconds") if row.heard_at else "never"
        table.add_row(
            row.station_id, row.name, f"{row.latitude:.5f}", f"{row.longitude:.5f}", "yes" if row.connected else "no", heard
        )
    Console().print(table)


async def _publish(connection: Connection, running: Running) -> None:
    settings = running.settings
    if settings.broker_rules_dir is None:
        typer.echo("no DENCHI_BROKER_RULES_DIR: the broker's rules are not written", err=True)
        return
    rules = await access_rules(connection, settings.broker_rules_dir, settings.broker_user, settings.broker_password() or "")
    write_rules(settings.broker_kind, settings.broker_rules_dir, rules)
    if settings.broker_pid_file is None or not tell_broker(settings.broker_pid_file):
        typer.echo("the broker was not told (it does not run, or DENCHI_BROKER_PID_FILE is not set)", err=True)
