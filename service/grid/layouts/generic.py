"""The generic CSV: what anybody can write. docs/supply.md is its contract.

The first column names the instant and its zone, the others a series and its unit each. A table of prices has a column per area.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import NamedTuple

from service.domain.signal import SERIES, Place, Series
from service.grid.layouts import known
from service.grid.layouts.balance import balance_notes, holds_all
from service.grid.layouts.emissions import SOURCE as EMISSIONS
from service.grid.layouts.instants import instant
from service.grid.layouts.jepx import PLACES as JEPX_PLACES
from service.grid.layouts.jepx import SOURCE as JEPX
from service.grid.layouts.reading import Layout, Reading, Request
from service.grid.layouts.sheet import JST, Line, Sheet
from service.grid.layouts.table import BLANK, EPOCH, Column, Moment, check_order, read_table, spacing_s

SOURCE = "generic csv"
RESULTS = "area results"
LAYOUT = Layout(
    SOURCE,
    "any series of an area or a station, and tables of prices with one column per area; see docs/supply.md",
    "a first row that begins with ts_utc, ts_jst or start_at",
    ("ts_utc", "ts_jst", "start_at", "period_s", "known_at", "price_jpy_per_kwh", "demand_mwh", "solar_mwh", "wind_mwh"),
)
ZONES = ("ts_utc", "ts_jst", "start_at")
PERIODS_S = frozenset(seconds for seconds in range(60, 86_401, 60) if 86_400 % seconds == 0)
"""Lengths an interval may have: whole minutes of which a day has a whole number."""
UNITS = {"mwh": (6, True), "kwh": (3, True), "mw": (6, False), "kw": (3, False)}
MARGINAL: Series = "marginal_emission_g_per_kwh"

_MEASURE = re.compile(r"([a-z_]+)_(mwh|kwh|mw|kw|w)")
_PRICE = re.compile(r"([a-z0-9-]+)_jpy_per_kwh")
_OTHER_NAMES = {"demand_actual": "demand", "moer_kgco2_per_kwh": MARGINAL}


class _Headings(NamedTuple):
    """The columns of figures, and where the others stand: time is always first."""

    columns: list[Column]
    period_at: int | None
    known_at: int | None
    slot_at: int | None
    zone: str
    width: int


def reads(sheet: Sheet) -> bool:
    """Say whether the first heading names an instant and its zone."""
    return sheet.lines[0].cells[0].lower() in ZONES


def names_area(sheet: Sheet) -> bool:
    """Say whether every column of figures names its area itself, as tables of prices do."""
    names = [cell.lower() for cell in sheet.lines[0].cells[1:]]
    others = [name for name in names if name and name not in ("period_s", "known_at", "slot")]
    return bool(others) and all(_price_area(name) is not None for name in others)


def read(sheet: Sheet, request: Request) -> Reading:
    """Read a generic CSV. Raises LayoutError."""
    found = _headings(sheet, request)
    if len(sheet.lines) < 2:
        raise sheet.refusal("no line with figures follows the headings", sheet.lines[0].number)
    source, market = _source(found, sheet)
    stamps = _stamps(sheet, found)
    periods_s = _periods(sheet, found, stamps)
    moments: list[Moment] = []
    for (line, at), period_s in zip(stamps, periods_s, strict=True):
        end_at = at + timedelta(seconds=period_s)
        if found.known_at is not None and request.known_after is None:
            told_at = instant(sheet, line, found.known_at, found.zone)
        elif request.known_after is None and market:
            told_at = known.noon_before(at)
        elif request.known_after is None and source == EMISSIONS:
            told_at = end_at
        else:
            told_at = known.after_end(end_at, request.known_after)
        moments.append(Moment(line, at, period_s, told_at))
    table = read_table(sheet, moments, found.columns, width=found.width, at=0, missing=BLANK)
    lengths = ", ".join(f"{seconds / 60:g}" for seconds in sorted(set(periods_s)))
    notes = [
        f"{sheet.encoding}; units as the headings say; times as {found.zone}, labels are beginnings; intervals of {lengths} min",
        _known_words(found, source, market, request),
    ]
    if table.unfinished:
        notes.append(f"{table.unfinished} lines at the end hold no figures yet")
    unit_w = max(10.0**c.exponent * (3600 / min(periods_s) if c.energy else 1) for c in found.columns)
    notes += balance_notes(table, unit_w)
    return Reading(sheet.file, SOURCE, tuple(table.signals(source)), tuple(table.gaps()), table.duplicates, tuple(notes))


def _known_words(found: _Headings, source: str, market: bool, request: Request) -> str:
    rule = known.RESULTS_RULE
    if found.known_at is not None:
        rule = "the column of that name"
    elif market:
        rule = known.MARKET_RULE
    elif source == EMISSIONS:
        rule = "the end of the interval (an assumption, the file does not say)"
    return known.in_words(rule, request.known_after)


def _source(found: _Headings, sheet: Sheet) -> tuple[str, bool]:
    """Return the source of the signals and whether they are prices of a market of the next day in Japan.

    What is the same as in another layout has the source of that one, so that the same figures are the same signals.
    """
    series = {column.series for column in found.columns}
    names = {sheet.lines[0].cells[column.at].lower() for column in found.columns}
    if series == {"price_jpy_per_kwh"}:
        exchange = names <= set(JEPX_PLACES)
        return JEPX if exchange else SOURCE, exchange or found.zone == "ts_jst"
    if names == {"moer_kgco2_per_kwh"}:
        return EMISSIONS, False
    return RESULTS if holds_all(series) and found.known_at is None else SOURCE, False


def _headings(sheet: Sheet, request: Request) -> _Headings:
    top = sheet.lines[0]
    names = [cell.lower() for cell in top.cells]
    while not names[-1]:
        names.pop()
    places: dict[str, int] = {}
    columns: list[Column] = []
    taken: dict[tuple[Series | None, Place], int] = {}
    for at, name in enumerate(names[1:], start=1):
        if name in ("period_s", "known_at", "slot"):
            if name in places:
                raise sheet.refusal(f"{name} stands there twice", top.number, at)
            places[name] = at
            continue
        column = _column(sheet, top, at, name, request)
        if column[1:3] in taken:
            raise sheet.refusal(f"{name!r} says the same as column {taken[column[1:3]] + 1}", top.number, at)
        taken[column[1:3]] = at
        columns.append(column)
    if not columns:
        raise sheet.refusal("no column of figures", top.number, nearest=SOURCE)
    return _Headings(columns, places.get("period_s"), places.get("known_at"), places.get("slot"), names[0], len(names))


def _column(sheet: Sheet, top: Line, at: int, name: str, request: Request) -> Column:
    area = _price_area(name)
    if area is not None:
        if request.station_id is not None:
            raise sheet.refusal("a price is an area's, not a station's", top.number, at)
        return Column(at, "price_jpy_per_kwh", Place("area", area))
    meaning = _meaning(name)
    if meaning is None:
        near = get_close_matches(name[:60], [*SERIES, *(f"{n.removesuffix('_w')}_mwh" for n in SERIES if n.endswith("_w"))], n=1)
        raise sheet.refusal(f"the heading {name!r} is not known", top.number, at, nearest=f"{SOURCE}{_instead(near)}")
    series, exponent, energy = meaning
    kind = "area" if request.station_id is None else "station"
    if kind not in SERIES[series].kinds:
        hint = "give the station_id" if kind == "area" else f"give the area, not the station {request.station_id}"
        raise sheet.refusal(f"{series} is not said of {'an area' if kind == 'area' else 'a station'}: {hint}", top.number, at)
    place = Place("area", request.area or "") if request.station_id is None else Place("station", request.station_id)
    return Column(at, series, place, exponent, energy)


def _instead(near: Sequence[str]) -> str:
    return f" has {near[0]!r}" if near else ""


def _price_area(name: str) -> str | None:
    if name in JEPX_PLACES:
        return name
    match = _PRICE.fullmatch(name)
    return match[1] if match and match[1] != "price" else None


def _meaning(name: str) -> tuple[Series, int, bool] | None:
    """Return (series, power of ten to its unit, whether it is an energy) of a heading, None for none of ours."""
    if name == "moer_kgco2_per_kwh":
        return MARGINAL, 3, False
    exponent, energy = 0, False
    match = _MEASURE.fullmatch(name)
    if match is not None:
        exponent, energy = UNITS.get(match[2], (0, False))
        name = _OTHER_NAMES.get(match[1], match[1]) + "_w"
    return next(((series, exponent, energy) for series in SERIES if series == name), None)


def _stamps(sheet: Sheet, found: _Headings) -> list[tuple[Line, datetime]]:
    stamps = [(line, instant(sheet, line, 0, found.zone)) for line in sheet.lines[1:]]
    if found.known_at is None:
        check_order(sheet, stamps, 0)
    if found.slot_at is not None:
        for line, at in stamps:
            local = at.astimezone(JST)
            slot = str(local.hour * 2 + local.minute // 30 + 1)
            said = line.cells[found.slot_at] if found.slot_at < len(line.cells) else ""
            if said != slot:
                raise sheet.refusal(f"slot {said!r}, but {line.cells[0]} lies in slot {slot}", line.number, found.slot_at)
    return stamps


def _periods(sheet: Sheet, found: _Headings, stamps: Sequence[tuple[Line, datetime]]) -> list[int]:
    if found.period_at is None:
        return [spacing_s(sheet, stamps, 0, PERIODS_S)] * len(stamps)
    periods_s: list[int] = []
    for line, at in stamps:
        text = line.cells[found.period_at] if found.period_at < len(line.cells) else ""
        period_s = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0
        if period_s not in PERIODS_S:
            problem = f"period_s {text!r} is no length of whole minutes of which a day has a whole number"
            raise sheet.refusal(problem, line.number, found.period_at)
        if (at - EPOCH) % timedelta(seconds=period_s):
            problem = f"an interval of {period_s} s begins at a multiple of its length in UTC, {line.cells[0]} does not"
            raise sheet.refusal(problem, line.number, 0)
        periods_s.append(period_s)
    return periods_s
