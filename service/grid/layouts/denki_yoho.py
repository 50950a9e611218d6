"""Denki-yoho, the page of a running day that every Japanese grid company has: stacked tables, written at one moment.

Read are the table of hours (actual, forecast, what can be supplied) and the one of five minutes (demand, sun). The others say
the peaks of the day and of the next one and are not taken.
"""

import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from service.domain.signal import Place, Series, Signal
from service.grid.layouts import known
from service.grid.layouts.reading import Gap, Layout, Reading, Request
from service.grid.layouts.sheet import POWER_UNITS, Line, Sheet, date_in_japan, heading, number, starts_with_date, time_of_day
from service.grid.layouts.table import MISSING, Column, Moment, check_continues, check_order, read_table

SOURCE = "denki-yoho"
LAYOUT = Layout(
    SOURCE,
    "demand, its forecast, what can be supplied (per hour) and demand and sun (per five minutes) of a running day",
    "a first row such as `2024/5/1 23:55 UPDATE`, then tables that begin with DATE,TIME",
    ("date", "time", "当日実績", "予測値", "使用率", "供給力", "当日実績5分間隔値", "太陽光発電実績5分間隔値"),
)
FIVE_MINUTES = "5分間隔値"
_UPDATE = re.compile(r"(\S+) (\S+) UPDATE", re.IGNORECASE)
_WORDS: dict[Series, str] = {
    "demand_w": r"(当日)?実績(値)?(5分間隔値)?",
    "demand_forecast_w": r"(当日)?予[測想]値?",
    "supply_capacity_w": r"供給力(想定値)?",
    "solar_w": r"太陽光(発電)?実績(5分間隔値)?",
}
_ACTUAL: tuple[Series, ...] = ("demand_w", "solar_w")


class _Block(NamedTuple):
    """A table of the file: its heading line, its columns and the lines under it."""

    top: Line
    columns: list[Column]
    period_s: int
    lines: list[Line]


def reads(sheet: Sheet) -> bool:
    """Say whether the file begins with the moment of its update."""
    return _UPDATE.fullmatch(_first(sheet)) is not None


def _first(sheet: Sheet) -> str:
    return unicodedata.normalize("NFKC", sheet.lines[0].cells[0])


def read(sheet: Sheet, request: Request) -> Reading:
    """Read a file of this family. Raises LayoutError."""
    top = sheet.lines[0]
    match = _UPDATE.fullmatch(_first(sheet))
    assert match is not None, "asked of `reads` before"
    updated_at = date_in_japan(sheet, top, 0, match[1]) + time_of_day(sheet, top, 0, match[2])
    blocks, not_taken = _blocks(sheet, Place("area", request.area or ""))
    signals: list[Signal] = []
    gaps: list[Gap] = []
    duplicates = ahead = 0
    for block in blocks:
        stamps = _stamps(sheet, block)
        actual = [column for column in block.columns if column.series in _ACTUAL]
        expected = [column for column in block.columns if column.series not in _ACTUAL]
        happened = [
            moment for moment in _moments(stamps, block, updated_at, request) if _happened(sheet, moment, actual, updated_at)
        ]
        ahead += len(stamps) - len(happened)
        for columns, moments in ((actual, happened), (expected, _told(stamps, block, expected, updated_at, request))):
            if columns and moments:
                table = read_table(sheet, moments, columns, width=len(block.top.cells), at=1)
                signals += table.signals(SOURCE)
                gaps += table.gaps()
                duplicates += table.duplicates if columns is actual else 0
    notes = [
        f"{sheet.encoding}; figures in the unit of their headings; times of Japan (JST), labels are beginnings; tables of "
        + " and ".join(f"{block.period_s // 60} min" for block in blocks),
        known.in_words(f"the update that the file names, {match[1]} {match[2]} in Japan", request.known_after),
    ]
    if not_taken:
        notes.append("tables not taken: " + ", ".join(dict.fromkeys(not_taken)))
    if ahead:
        notes.append(f"{ahead} lines had not happened at the update and hold no actual figures")
    return Reading(sheet.file, SOURCE, tuple(signals), tuple(gaps), duplicates, tuple(notes))


def _blocks(sheet: Sheet, place: Place) -> tuple[list[_Block], list[str]]:
    blocks: list[_Block] = []
    not_taken: list[str] = []
    current: _Block | None = None
    for line in sheet.lines[1:]:
        first, second = line.cells[0], line.cells[1] if len(line.cells) > 1 else ""
        if [heading(first)[0], heading(second)[0]] == ["date", "time"]:
            current = _block(sheet, line, place)
            blocks.append(current)
        elif starts_with_date(first):
            if current is None:
                raise sheet.refusal("a line of figures without headings", line.number, 0, nearest=SOURCE)
            current.lines.append(line)
        elif current is not None and any(number(cell) is not None for cell in line.cells):
            raise sheet.refusal(f"{first!r} is no date (expected as 2022/4/1)", line.number, 0)
        elif first and number(first) is None:
            current = None
            not_taken.append(heading(first)[0])
    if not any(block.lines for block in blocks):
        raise sheet.refusal("no table with DATE,TIME and figures", sheet.lines[0].number, nearest=SOURCE)
    return [block for block in blocks if block.lines], not_taken


def _block(sheet: Sheet, line: Line, place: Place) -> _Block:
    columns: list[Column] = []
    words_of = [heading(cell) for cell in line.cells]
    five_minutes = any(FIVE_MINUTES in words for words, _ in words_of)
    for at, (words, unit) in enumerate(words_of[2:], start=2):
        if unit == "%" or not words:
            continue
        series = next((series for series, pattern in _WORDS.items() if re.fullmatch(pattern, words)), None)
        if series is None:
            raise sheet.refusal(f"the heading {words!r} is not known", line.number, at, nearest=SOURCE)
        if unit not in POWER_UNITS or POWER_UNITS[unit].energy:
            raise sheet.refusal(f"the unit of {words!r} is {unit!r}, not 万kW", line.number, at, nearest=SOURCE)
        if any(column.series == series for column in columns):
            raise sheet.refusal(f"{words!r} stands there twice", line.number, at)
        columns.append(Column(at, series, place, POWER_UNITS[unit].exponent))
    if not columns:
        raise sheet.refusal("a table with DATE,TIME and no column that is known", line.number, nearest=SOURCE)
    return _Block(line, columns, 300 if five_minutes else 3600, [])


def _stamps(sheet: Sheet, block: _Block) -> list[tuple[Line, datetime]]:
    stamps: list[tuple[Line, datetime]] = []
    for line in block.lines:
        sheet.check_width(line, len(block.top.cells))
        date, time = line.cells[:2]
        stamps.append((line, date_in_japan(sheet, line, 0, date) + time_of_day(sheet, line, 1, time)))
    check_order(sheet, stamps, 1)
    check_continues(sheet, stamps, 1, block.period_s)
    return stamps


def _moments(stamps: Sequence[tuple[Line, datetime]], block: _Block, updated_at: datetime, request: Request) -> list[Moment]:
    span = timedelta(seconds=block.period_s)
    after = request.known_after
    return [Moment(line, at, block.period_s, updated_at if after is None else at + span + after) for line, at in stamps]


def _happened(sheet: Sheet, moment: Moment, actual: Sequence[Column], updated_at: datetime) -> bool:
    """Say whether the line holds actual figures. One that has not ended at the update shows 0 or nothing until it has some."""
    if moment.start_at + timedelta(seconds=moment.period_s) <= updated_at:
        return True
    cells = moment.line.cells
    shown = [column for column in actual if cells[column.at] not in MISSING and number(cells[column.at]) != 0.0]
    if shown and moment.start_at > updated_at:
        at = shown[0].at
        raise sheet.refusal(f"an actual figure ({cells[at]!r}) of a time after the update", moment.line.number, at)
    return any(column.series == "demand_w" for column in shown)


def _told(
    stamps: Sequence[tuple[Line, datetime]], block: _Block, expected: Sequence[Column], updated_at: datetime, request: Request
) -> list[Moment]:
    """Return the moments of forecasts: a 0 for a time to come means that nothing was said yet."""
    moments: list[Moment] = []
    for moment in _moments(stamps, block, updated_at, request):
        if moment.start_at + timedelta(seconds=moment.period_s) > updated_at:
            cells = list(moment.line.cells)
            for column in expected:
                if number(cells[column.at]) == 0.0:
                    cells[column.at] = ""
            moments.append(moment._replace(line=Line(moment.line.number, cells)))
        else:
            moments.append(moment)
    return moments
