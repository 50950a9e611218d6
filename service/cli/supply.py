"""`denchi supply`: take files of supply, prices and emissions in, say what there is, model a station's own panels."""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from service.cli.failing import fail
from service.cli.running import DEFAULT_DATA_DIR, DatabaseAwayError, Running, ask_database, find_running, fleet_now
from service.domain.signal import Signal
from service.grid import clear_sky, importing
from service.grid.importing import Reading
from service.settings import AREA_PATTERN
from service.standalone.errors import UpError
from service.standalone.grid_files import read_grid_files
from service.store.pool import Connection
from service.store.provisioning import StationRow, list_stations
from service.store.signals import Added, Coverage, add_signals, signal_coverage

T = TypeVar("T")

app = typer.Typer(no_args_is_help=True, help="Prices, supply and emissions: take files in, say what there is.")
DataDirOption = Annotated[Path, typer.Option("--data-dir", help="Data directory of the running `denchi up`.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object instead of lines for people.")]
_GAPS_SHOWN = 5
_WIDE = 200
_UPPER_BOUND = "an upper bound: neither clouds nor heat nor shade take anything away"


class _Undone(Exception):
    """A dry run is over: whatever was written is rolled back."""


class _UnknownStationError(LookupError):
    """Nobody has made this station known."""


@app.command("import")
def import_(
    files: Annotated[list[Path], typer.Argument(help="Files of any known layout; all of them are taken in, or none.")],
    area: Annotated[str | None, typer.Option(help="Area of files that name none; left out: the setting DENCHI_AREA.")] = None,
    known_after: Annotated[
        float | None,
        typer.Option(
            min=0, help="Hours after the end of its interval at which a figure became known; left out: as the layout says."
        ),
    ] = None,
    station: Annotated[str | None, typer.Option(help="The figures of generic files are those of this station.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and compare, write nothing.")] = False,
    as_json: JsonOption = False,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
) -> None:
    """Take files in. The layout is seen from the content; what is not understood is refused with file, line and column.

    Taking the same file in twice changes nothing.
    """
    require_area(area)
    running = find_running(data_dir)
    here = area or running.settings.area
    delay = None if known_after is None else timedelta(hours=known_after)
    try:
        readings = read_grid_files(files, area=here, known_after=delay, station_id=station, say=_progress)
    except UpError as error:
        fail(error.message, error.remedy)
    with _said():
        done = _take_in(running, readings, station, dry_run)
    if as_json:
        shown = [_as_dict(reading, added) for reading, added in zip(readings, done, strict=True)]
        typer.echo(json.dumps({"dry_run": dry_run, "area": here, "files": shown}))
        return
    for reading, added in zip(readings, done, strict=True):
        _show_reading(reading, added, dry_run)
    if area is None and station is None:
        typer.echo(f"files that name no area count as {here} (the setting DENCHI_AREA; --area names another)")
    if dry_run:
        typer.echo("dry run: nothing was written")


@app.command()
def layouts(as_json: JsonOption = False) -> None:
    """List the layouts of files that are understood."""
    known = importing.layouts()
    if as_json:
        typer.echo(json.dumps([{"name": name, "what": what, "recognised_by": mark} for name, what, mark in known]))
        return
    table = Table("layout", "what it holds", "recognised by")
    for row in known:
        table.add_row(*map(escape, row))
    _print(table)


@app.command()
def show(as_json: JsonOption = False, data_dir: DataDirOption = DEFAULT_DATA_DIR) -> None:
    """Say what there is: per place, series and source the span, the number of intervals and how many are missing."""
    with _said():
        rows: list[Coverage] = ask_database(find_running(data_dir).settings, signal_coverage)
    if as_json:
        typer.echo(json.dumps([{**row._asdict(), **_span(row), "missing": _missing(row)} for row in rows]))
        return
    if not rows:
        typer.echo("there are no signals; denchi supply import takes files in")
        return
    table = Table(
        *(Column(name, no_wrap=True) for name in ("place", "series", "min", "from (UTC)", "until (UTC)", "intervals", "missing")),
        "source",
    )
    for row in rows:
        span = (f"{row.first_at:%Y-%m-%d %H:%M}", f"{row.end_at:%Y-%m-%d %H:%M}")
        numbers = (f"{row.intervals:,}", f"{_missing(row):,}")
        table.add_row(f"{row.place_kind} {row.place}", row.series, f"{row.period_s / 60:g}", *span, *numbers, escape(row.source))
    _print(table)


@app.command("clear-sky")
def clear_sky_(
    station: Annotated[str, typer.Argument(help="A station that is known; its coordinates are used.")],
    peak_kw: Annotated[float, typer.Option(min=0.001, max=100_000, help="Peak power of its panels, kW.")],
    days: Annotated[int, typer.Option(min=1, max=400, help="Days from now on.")] = 7,
    tilt: Annotated[float, typer.Option(min=0, max=90, help="0 lies flat, 90 stands, degrees.")] = clear_sky.TILT_DEG,
    azimuth: Annotated[float, typer.Option(min=0, max=360, help="90 looks east, 180 south, degrees.")] = clear_sky.AZIMUTH_DEG,
    losses: Annotated[float, typer.Option(min=0, max=0.99, help="Share lost between panel and meter.")] = clear_sky.LOSSES,
    as_json: JsonOption = False,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
) -> None:
    """Expect of a station's own panels what a clear sky would yield (an upper bound). Needs pvlib: pip install 'denchi\\[pv]'."""
    running = find_running(data_dir)
    now = fleet_now(running.settings)

    async def work(connection: Connection) -> tuple[list[Signal], Added]:
        row = await _station(connection, station)
        signals = clear_sky.clear_sky_signals(
            station,
            row.latitude,
            row.longitude,
            now,
            days,
            known_at=now,
            peak_w=peak_kw * 1000,
            tilt_deg=tilt,
            azimuth_deg=azimuth,
            losses=losses,
        )
        return signals, await add_signals(connection, signals)

    try:
        with _said():
            signals, added = ask_database(running.settings, work)
    except clear_sky.PvlibMissingError as error:
        fail(str(error), "pip install 'denchi[pv]', or import measured figures: denchi supply import FILE --station ID")
    energy_wh = sum(signal.value * signal.period_s / 3600 for signal in signals)
    most_w = max(signal.value for signal in signals)
    if as_json:
        values = {"station_id": station, "added": added.added, "mean_wh_per_day": round(energy_wh / days, 1), "most_w": most_w}
        typer.echo(json.dumps({**values, "source": clear_sky.SOURCE, "upper_bound": True}))
        return
    typer.echo(
        f"{station}: {added.added} values of own_pv_w for {days} days, {energy_wh / days / 1000:.1f} kWh a day, at most "
        f"{most_w / 1000:.2f} kW; {_UPPER_BOUND}"
    )


def require_area(area: str | None) -> None:
    """End with a message when this cannot be the name of an area; None is none."""
    if area is not None and not re.fullmatch(AREA_PATTERN, area):
        fail(f"{area!r} cannot be the name of an area", "1 to 64 of A-Z a-z 0-9 _ -, such as kyushu")


def _take_in(running: Running, readings: Sequence[Reading], station: str | None, dry_run: bool) -> list[Added | None]:
    """Return what became of each file; a dry run is rolled back, so that it counts what an import would (None: no database)."""
    done: list[Added | None] = []

    async def work(connection: Connection) -> None:
        if station is not None:
            await _station(connection, station)
        async with connection.transaction():
            for reading in readings:
                _progress(f"{'comparing' if dry_run else 'writing'} {len(reading.signals):,} values of {Path(reading.file).name}")
                done.append(await add_signals(connection, reading.signals))
            if dry_run:
                raise _Undone

    try:
        with suppress(_Undone):
            ask_database(running.settings, work)
    except DatabaseAwayError as error:
        if not dry_run:
            raise
        _progress(f"{error}: the values are not compared with what is there")
        done = [None] * len(readings)
    return done


async def _station(connection: Connection, station_id: str) -> StationRow:
    for row in await list_stations(connection):
        if row.station_id == station_id:
            return row
    raise _UnknownStationError(f"there is no station {station_id}")


def _show_reading(reading: Reading, added: Added | None, dry_run: bool) -> None:
    typer.echo(reading.file)
    for name, text in _facts(reading).items():
        typer.echo(f"  {name:<10} {text}")
    if added is None:
        typer.echo(f"  {'values':<10} {len(reading.signals):,}")
    else:
        would = "would be " if dry_run else ""
        typer.echo(f"  {'values':<10} {added.added:,} {would}new, {added.known - added.different:,} there already")
    if added is not None and added.different:
        typer.echo(
            f"  {'different':<10} {added.different:,} not taken, the first at {_instant(added.different_at[0])}: known since the"
        )
        typer.echo(f"  {'':<10} same instant with another value; a correction is taken with a later instant, see --known-after")
    for note in reading.notes:
        typer.echo(f"  {'note':<10} {note}")
    for gap in reading.gaps[:_GAPS_SHOWN]:
        typer.echo(f"  {'gap':<10} {gap.series} of {gap.place}: {_instant(gap.first_at)} to {_instant(gap.end_at)}, {gap.why}")
    if len(reading.gaps) > _GAPS_SHOWN:
        typer.echo(f"  {'':<10} and {len(reading.gaps) - _GAPS_SHOWN} gaps more (--json names all)")


def _facts(reading: Reading) -> dict[str, str]:
    signals = reading.signals
    facts = {"layout": reading.layout}
    if signals:
        facts["places"] = ", ".join(sorted({str(signal.place) for signal in signals}))
        facts["series"] = ", ".join(sorted({signal.series for signal in signals}))
        facts["intervals"] = ", ".join(f"{period_s / 60:g} min" for period_s in sorted({signal.period_s for signal in signals}))
        facts["span"] = f"{_instant(_first(signals))} to {_instant(_end(signals))}"
        facts["sources"] = ", ".join(sorted({signal.source for signal in signals}))
    facts["gaps"] = str(len(reading.gaps) or "none")
    facts["duplicates"] = str(reading.duplicates or "none")
    return facts


def _as_dict(reading: Reading, added: Added | None) -> dict[str, Any]:
    signals = reading.signals
    return {
        "file": reading.file,
        "layout": reading.layout,
        "places": sorted({str(signal.place) for signal in signals}),
        "series": sorted({signal.series for signal in signals}),
        "period_s": sorted({signal.period_s for signal in signals}),
        "first_at": _first(signals).isoformat() if signals else None,
        "end_at": _end(signals).isoformat() if signals else None,
        "sources": sorted({signal.source for signal in signals}),
        "values": len(signals),
        **dict.fromkeys(("added", "known", "different")),
        **({} if added is None else {"added": added.added, "known": added.known, "different": added.different}),
        "duplicates": reading.duplicates,
        "gaps": [{**asdict(gap), "first_at": gap.first_at.isoformat(), "end_at": gap.end_at.isoformat()} for gap in reading.gaps],
        "notes": list(reading.notes),
    }


def _first(signals: Sequence[Signal]) -> datetime:
    return min(signal.start_at for signal in signals)


def _end(signals: Sequence[Signal]) -> datetime:
    return max(signal.end_at for signal in signals)


def _instant(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC"


def _span(row: Coverage) -> dict[str, str]:
    return {name: getattr(row, name).isoformat() for name in ("first_at", "end_at", "last_known_at")}


def _missing(row: Coverage) -> int:
    return round((row.end_at - row.first_at).total_seconds() / row.period_s) - row.intervals


@contextmanager
def _said() -> Iterator[None]:
    """Say what stands in the way and what to do, and end."""
    try:
        yield
    except _UnknownStationError as error:
        fail(str(error), "denchi station list shows those that are known")
    except DatabaseAwayError as error:
        fail(str(error), error.remedy)


def _print(table: Table) -> None:
    console = Console()
    if not console.is_terminal:  # nobody looks at it: a program or a file wants whole lines
        console.width = _WIDE
    console.print(table)


def _progress(line: str) -> None:
    typer.echo(line, err=True)
