"""`denchi setup`: what a deployment needs once before its roles run. Every command may be repeated; what is there stays."""

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from service.cli.failing import fail
from service.cli.running import DEFAULT_DATA_DIR, find_running, fleet_now, with_database
from service.provisioning.files import give, write_private
from service.provisioning.fleet import World, parse_world, provision_fleet
from service.provisioning.installation import make_secrets
from service.provisioning.publish import access_rules, write_rules
from service.standalone.errors import UpError
from service.standalone.fleet import simulator_program
from service.store.pool import Connection

app = typer.Typer(
    no_args_is_help=True,
    help="Make what a deployment needs once: secrets, a simulated fleet's credentials, the broker's rules. Safe to repeat.",
)

CREDENTIALS_FILE, CLOCK_FILE = "credentials.json", "clock.json"
_WORLD_PATIENCE_S = 60.0
_WALL_TIME = {"origin": "2020-01-01T00:00:00+00:00", "anchor": "2020-01-01T00:00:00+00:00", "speed": 1.0}
"""A fleet clock that shows the wall's time: what the service itself takes without a clock file."""

OwnerOption = Annotated[
    int | None, typer.Option(min=0, help="Account (uid) that the files are for; needs root. Left out: this account.")
]
DataDirOption = Annotated[Path, typer.Option("--data-dir", help="Data directory of a `denchi up`, when that is what is set up.")]


@app.command()
def secrets(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where they lie, a file each.")],
    owner: OwnerOption = None,
    reader: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE=GID", help="A group that may read one of them besides. May be repeated; needs root."),
    ] = None,
) -> None:
    """Make every password and key of an installation that is missing: mode 0600, with a reading group 0640."""
    readers: dict[str, int] = {}
    for text in reader or []:
        name, _, gid = text.partition("=")
        if not gid.isdecimal():
            fail(f"--reader {text}: the group must be a number", "For example --reader metrics.token=65534")
        readers[name] = int(gid)
    try:
        kept_back = make_secrets(directory, owner=owner, readers=readers)
    except ValueError as error:
        fail(str(error), "See denchi setup secrets --help")
    except OSError as error:
        fail(f"cannot write {directory}: {error.strerror}", "Is the directory there, and ours to write?")
    _say_kept_back(kept_back)
    typer.echo(f"secrets are in {directory}")


@app.command()
def fleet(
    out: Annotated[Path, typer.Option(help=f"Directory for {CREDENTIALS_FILE} and {CLOCK_FILE}.")],
    stations: Annotated[int, typer.Option(min=1, max=1000, help="Stations of the simulated fleet.")] = 60,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the simulated fleet.")] = 1,
    token_days: Annotated[float, typer.Option(min=0.01, max=3660, help="How long its tokens are good.")] = 30.0,
    owner: OwnerOption = None,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
) -> None:
    """Make the stations of a simulated fleet known; write what `denchi-sim online` logs in with and the clock it follows.

    Then write the broker's rules: denchi setup broker.
    """
    settings = find_running(data_dir).settings
    world = _world(stations, seed)
    file = out / CREDENTIALS_FILE

    async def work(connection: Connection) -> int:
        return await provision_fleet(
            connection,
            file,
            settings,
            world,
            fleet_now(settings),
            datetime.now(UTC),
            token_lifetime_s=timedelta(days=token_days).total_seconds(),
        )

    try:
        out.mkdir(parents=True, exist_ok=True)
        added = with_database(settings, work)
        write_private(
            out / CLOCK_FILE, json.dumps(_WALL_TIME) if settings.clock_file is None else settings.clock_file.read_text()
        )
    except ValueError as error:
        fail(str(error), "See denchi setup fleet --help")
    written = (out, file, out / CLOCK_FILE)
    _say_kept_back(tuple(path.name for path in written if not give(path, owner=owner)))
    typer.echo(f"{len(world.stations)} stations known ({added} new), {len(world.riders)} riders; credentials in {file}")


@app.command()
def broker(owner: OwnerOption = None, data_dir: DataDirOption = DEFAULT_DATA_DIR) -> None:
    """Write the broker's access rules for the service and every known station into DENCHI_BROKER_RULES_DIR."""
    settings = find_running(data_dir).settings
    directory = settings.broker_rules_dir
    if directory is None:
        fail("no DENCHI_BROKER_RULES_DIR: nowhere to write the rules", "Set it to the directory that the broker reads")
    password = settings.broker_password()
    if not password:
        fail("no DENCHI_BROKER_PASSWORD_FILE: the service could not log in", "Make one: denchi setup secrets DIR")

    async def work(connection: Connection) -> int:
        rules = await access_rules(connection, directory, settings.broker_user, password)
        write_rules(settings.broker_kind, directory, rules)
        return len(rules)

    directory.mkdir(parents=True, exist_ok=True)
    count = with_database(settings, work)
    paths = (path for path in directory.iterdir() if path.is_file() and not path.name.startswith("."))
    _say_kept_back(tuple(path.name for path in paths if not give(path, owner=owner, group=owner)))
    typer.echo(f"rules for {count} logins are in {directory}")


def _world(stations: int, seed: int) -> World:
    try:
        program = simulator_program()
        command = [str(program), "world", "--stations", str(stations), "--seed", str(seed), "--json"]
        told = subprocess.run(command, capture_output=True, text=True, timeout=_WORLD_PATIENCE_S, check=True)
        return parse_world(told.stdout)
    except UpError as error:
        fail(error.message, error.remedy)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        fail(f"denchi-sim world failed: {error}", "Try it by hand: denchi-sim world")


def _say_kept_back(names: tuple[str, ...]) -> None:
    if names:
        typer.echo(f"not given away, only root can: {', '.join(names)} stay with this account, mode 0600", err=True)
