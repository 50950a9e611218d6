"""Every `denchi` command and its options. The work is done in the rooms below."""

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape

from service.cli import setup, stations
from service.cli import supply as supply_commands
from service.cli.failing import fail
from service.cli.running import DEFAULT_DATA_DIR, find_running
from service.provisioning.tokens import SCOPES, mint_token

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # a role's log wants plain tracebacks, and nobody wants the values of locals in it
    rich_markup_mode="rich",
    help="denchi: the backend of a battery-swap network.\n\n"
    "[bold]denchi up[/bold] starts everything on this machine with a simulated fleet; [bold]denchi doctor[/bold] says what "
    "is wrong. Settings are environment variables that begin with DENCHI_; beside a running `denchi up` the commands find them "
    "by themselves.",
)
app.add_typer(stations.app, name="station")
app.add_typer(setup.app, name="setup")
app.add_typer(supply_commands.app, name="supply")

DataDirOption = Annotated[Path, typer.Option("--data-dir", help="Directory that keeps database, journals, keys and logs.")]


@app.command()
def up(
    stations: Annotated[int, typer.Option(min=1, max=1000, help="Stations of the simulated fleet.")] = 60,
    speed: Annotated[float, typer.Option(min=0.1, max=10.0, help="Fleet seconds per second on the wall.")] = 1.0,
    for_s: Annotated[
        float | None,
        typer.Option(
            "--for", min=1, help="End by itself after so many seconds with the fleet, and report. Exit 0: all of it worked."
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=1024, max=65534, help="Port of the API; the console takes the next one.")] = 8000,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the simulated fleet.")] = 1,
    start: Annotated[
        datetime | None,
        typer.Option(
            help="Fleet instant to begin with (UTC when it has no offset); never before what this fleet has seen.",
            formats=["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M%z", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"],
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Progress goes to stderr; the last line of stdout is one JSON object.")
    ] = False,
    no_fleet: Annotated[bool, typer.Option("--no-fleet", help="Database, broker and roles only.")] = False,
    supply: Annotated[
        list[Path] | None, typer.Option(help="File with the supply of the area; read before anything starts. May be repeated.")
    ] = None,
    price: Annotated[list[Path] | None, typer.Option(help="The same with its prices.")] = None,
    area: Annotated[str | None, typer.Option(help="Area of the grid; left out: that of the last start, else kyushu.")] = None,
) -> None:
    """Start database, broker, every role and a simulated fleet on this machine.

    Ctrl-C (or SIGTERM) ends it and keeps everything; the next start goes on from there. A second Ctrl-C ends it at once.
    """
    from service.standalone.grid_files import GridFiles
    from service.standalone.up import Up, UpOptions

    supply_commands.require_area(area or os.environ.get("DENCHI_AREA"))
    if start is not None:
        start = start.replace(tzinfo=UTC) if start.tzinfo is None else start.astimezone(UTC)
    options = UpOptions(
        data_dir=data_dir,
        stations=stations,
        speed=speed,
        for_s=for_s,
        port=port,
        seed=seed,
        start=start,
        as_json=as_json,
        with_fleet=not no_fleet,
        files=GridFiles(price=tuple(price or ()), supply=tuple(supply or ())),
        area=area,
    )
    raise typer.Exit(Up(options).run())


@app.command()
def run(role: Annotated[str, typer.Argument(help="api, console, ingest, plan or desk.")]) -> None:
    """Run one role in the foreground, set up by DENCHI_ variables (production; `denchi up` does the same for each role)."""
    from service.settings import Settings
    from service.wiring import ROLES, run_role

    if role not in ROLES:
        fail(f"there is no role {role!r}", f"choose from {' '.join(ROLES)}")
    try:
        settings = Settings.load()
    except ValidationError as error:
        fail(
            "a setting is wrong", "; ".join(f"DENCHI_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors())
        )
    run_role(role, settings)


@app.command()
def healthcheck(
    part: Annotated[str, typer.Argument(help="api, console, ingest, plan, desk or fleet.")],
    credentials: Annotated[
        Path | None, typer.Option(metavar="FILE", help="For fleet: the credentials file that it runs with.")
    ] = None,
) -> None:
    """Say whether one part does its work (for containers): exit 0 when it does, 1 and why when it does not."""
    from service.cli.healthcheck import PARTS, what_is_wrong
    from service.settings import Settings

    if part not in PARTS:
        fail(f"there is no part {part!r}", f"choose from {' '.join(PARTS)}")
    wrong = asyncio.run(what_is_wrong(part, Settings.load(), credentials))
    if wrong is not None:
        fail(f"{part}: {wrong}", "Look at its log")
    typer.echo("well")


@app.command()
def migrate(data_dir: DataDirOption = DEFAULT_DATA_DIR) -> None:
    """Bring the database schema up to date. Safe to repeat; several at once take turns."""
    import asyncpg

    from service.store.migrate import migrate as apply

    async def work() -> list[str]:
        connection = await asyncpg.connect(find_running(data_dir).settings.database_dsn(), timeout=10)
        try:
            return await apply(connection)
        finally:
            await connection.close()

    try:
        applied = asyncio.run(work())
    except (OSError, asyncpg.PostgresError, RuntimeError) as error:
        fail(f"not migrated: {error}", "Is the database up, and DENCHI_DATABASE_URL right?")
    typer.echo("\n".join(applied) if applied else "up to date")


@app.command()
def token(
    scope: Annotated[list[str], typer.Option(help=f"What it allows: {', '.join(SCOPES)}. May be repeated.")],
    sub: Annotated[str, typer.Option(help="Whom it speaks for; with scope rider a rider id.")] = "denchi-token",
    hours: Annotated[float, typer.Option(min=0.01, max=24 * 366, help="How long it is good.")] = 12.0,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
) -> None:
    """Print an access token for the API (development; in production an identity provider issues them).

    curl -H "Authorization: Bearer $(denchi token --scope operator)" http://127.0.0.1:8000/v1/stations
    """
    settings = find_running(data_dir).settings
    if settings.token_key_file is None or not settings.token_key_file.exists():
        fail(f"no key to sign with in {data_dir}", "Start `denchi up` once, or set DENCHI_TOKEN_KEY_FILE")
    lifetime_s = timedelta(hours=hours).total_seconds()
    try:
        text = mint_token(
            settings.token_key_file, settings.token_issuer, settings.token_audience, sub, scope, lifetime_s, datetime.now(UTC)
        )
    except (OSError, ValueError) as error:
        fail(str(error), "See denchi token --help")
    typer.echo(text)


@app.command()
def doctor(
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of lines for people.")] = False,
) -> None:
    """Look at this machine and at a system that runs here; say what is wrong and what to do. Exit 0: nothing is wrong."""
    import json

    from service.cli.doctor import examine

    findings = asyncio.run(examine(data_dir))
    ok = all(finding.ok for finding in findings)
    if as_json:
        typer.echo(json.dumps({"ok": ok, "findings": [finding.as_dict() for finding in findings]}))
    else:
        console = Console()
        for finding in findings:
            mark = "[green]ok  [/green]" if finding.ok else "[red]BAD [/red]"
            console.print(f"{mark} {escape(finding.what)}", highlight=False, soft_wrap=True)
            if not finding.ok and finding.remedy:
                console.print(f"       -> {escape(finding.remedy)}", highlight=False, soft_wrap=True)
    raise typer.Exit(0 if ok else 1)
