"""What was generated and used in an area: the supply-demand results of the Japanese grid companies, hourly and half-hourly.

One family in many dresses: one to nine heading rows, columns in any order, MWh, 万kWh or mean MW. The headings decide.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from service.domain.signal import Place, Series
from service.grid.layouts import known
from service.grid.layouts.balance import balance_notes
from service.grid.layouts.reading import Layout, Reading, Request
from service.grid.layouts.sheet import POWER_UNITS, Line, Sheet, date_in_japan, heading, number, starts_with_date, time_of_day
from service.grid.layouts.table import Column, Moment, check_order, read_table, spacing_s

SOURCE = "area results"
LAYOUT = Layout(
    SOURCE,
    "supply and demand of an area as published by the Japanese grid companies, per hour or half hour",
    "a heading row with DATE, DATE_TIME, 年月日 or 月日, and columns エリア需要, 原子力, 火力, 水力, 太陽光 ... under it",
    ("date", "time", "エリア需要", "原子力", "火力", "水力", "地熱", "バイオマス", "太陽光実績", "太陽光抑制量", "風力実績",
     "風力抑制量", "揚水", "連系線"),
)  # fmt: skip
PERIODS_S = (300, 900, 1800, 3600)

_MOST_UNDER, _MOST_COLUMNS = 6, 100
"""More heading rows under the one with the date, or more columns, no file of this family has. Guess: thrice what was seen."""

_DATE_WORDS = {"date", "date_time", "datetime", "年月日", "月日", "日付", "日時"}
_TIME_WORDS = {"time", "時刻", "時間", "時間帯"}
_QUALIFIERS = {"実績", "発電実績", "抑制量", "制御量", "出力制御量"}
_WORDS: dict[Series, str] = {
    "demand_w": r".*エリア需要(実績)?|需要(実績)?",
    "nuclear_w": r"原子力",
    "thermal_w": r"火力",
    "thermal_lng_w": r"火力lng",
    "thermal_coal_w": r"火力石炭",
    "thermal_oil_w": r"火力石油",
    "thermal_other_w": r"火力その他",
    "hydro_w": r"水力",
    "geothermal_w": r"地熱",
    "biomass_w": r"バイオマス",
    "solar_w": r"太陽光(発電)?(実績)?",
    "solar_curtailed_w": r"太陽光(発電)?(抑制|制御|出力制御)量",
    "wind_w": r"風力(発電)?(実績)?",
    "wind_curtailed_w": r"風力(発電)?(抑制|制御|出力制御)量",
    "pumped_w": r"揚水(等|発電)?",
    "battery_w": r"蓄電池",
    "interconnect_w": r"連系線(潮流)?",
    "other_w": r"その他",
}
_TOTAL = re.compile(r"(供給力)?(合計|計)")
_NOT_TAKEN = re.compile(r"(火力|バイオマス)(出力制御|制御|抑制)量")
_MEANINGS = [(re.compile(words), series) for series, words in _WORDS.items()]


class Headings(NamedTuple):
    """The heading rows of a file: per column its words and its unit, where date and time stand, and the lines of figures."""

    words: list[str]
    units: list[str]
    at_line: int
    date_at: int
    time_at: int | None
    body: Sequence[Line]


def series_of(words: str) -> Series | None:
    """Return the series that the words of a heading mean, None for none of ours."""
    return next((series for pattern, series in _MEANINGS if pattern.fullmatch(words)), None)


def headings_of(sheet: Sheet) -> Headings | None:
    """Return the headings of a file of this family, None for any other file."""
    dates = [
        (index, at)
        for index, line in enumerate(sheet.lines[:40])
        for at, cell in enumerate(line.cells[:2])
        if heading(cell)[0] in _DATE_WORDS
    ]
    if not dates:
        return None
    index, date_at = dates[-1]
    last = index
    while last + 1 < len(sheet.lines) and not _holds_figures(sheet.lines[last + 1]):
        last += 1
    if last - index > _MOST_UNDER or len(sheet.lines[index].cells) > _MOST_COLUMNS:
        return None
    stack = [[heading(cell) for cell in line.cells] for line in sheet.lines[: last + 1]]
    general = next((unit for row in stack for words, unit in row if not words and unit), "")
    width = min(max(len(row) for row in stack), _MOST_COLUMNS)
    words, units = map(list, zip(*(_column(stack, at) for at in range(width)), strict=True))
    while words and not words[-1]:
        words.pop()
    times = [at for at, text in enumerate(words) if text in _TIME_WORDS]
    known_words = {series for text in words if (series := series_of(text)) is not None}
    if "demand_w" not in known_words or len(known_words) < 4:
        return None
    return Headings(
        words,
        [unit or general for unit in units],
        sheet.lines[index].number,
        date_at,
        times[0] if times else None,
        sheet.lines[last + 1 :],
    )


def _holds_figures(line: Line) -> bool:
    return starts_with_date(line.cells[0]) or any(number(cell) is not None for cell in line.cells[1:])


def _column(stack: list[list[tuple[str, str]]], at: int) -> tuple[str, str]:
    """Return the lowest heading of a column with what stands above it, where it says only what of it is meant."""
    words, unit = "", ""
    for row in reversed(stack):
        own_words, own_unit = row[at] if at < len(row) else ("", "")
        if words in _QUALIFIERS or (words and not unit):
            above = next(((text, unit) for text, unit in reversed(row[: at + 1]) if text), ("", ""))
            if words in _QUALIFIERS and above[0]:
                words = above[0] + words
            if above[1] in POWER_UNITS:
                unit = unit or above[1]
        words, unit = words or own_words, unit or own_unit
    return words, unit


def reads(sheet: Sheet) -> bool:
    """Say whether the file is of this family."""
    return headings_of(sheet) is not None


def read(sheet: Sheet, request: Request) -> Reading:
    """Read a file of this family. Raises LayoutError."""
    found = headings_of(sheet)
    assert found is not None, "asked of `reads` before"
    place = Place("area", request.area or "")
    columns, unit, not_taken = _columns(sheet, found, place)
    stamps = _stamps(sheet, found)
    period_at = found.time_at if found.time_at is not None else found.date_at
    check_order(sheet, stamps, period_at)
    period_s = spacing_s(sheet, stamps, period_at, PERIODS_S)
    span = timedelta(seconds=period_s)
    moments = [Moment(line, at, period_s, known.after_end(at + span, request.known_after)) for line, at in stamps]
    table = read_table(sheet, moments, columns, width=len(found.words), at=period_at)
    notes = [
        f"{sheet.encoding}; unit {POWER_UNITS[unit].name}; times of Japan (JST), "
        f"labels are beginnings; intervals of {period_s // 60} min",
        known.in_words(known.RESULTS_RULE, request.known_after),
    ]
    if not_taken:
        notes.append("columns not taken: " + ", ".join(not_taken))
    if table.unfinished:
        notes.append(f"{table.unfinished} lines at the end hold no figures yet")
    notes += balance_notes(table, 10.0 ** POWER_UNITS[unit].exponent * (3600 / period_s if POWER_UNITS[unit].energy else 1))
    return Reading(sheet.file, SOURCE, tuple(table.signals(SOURCE)), tuple(table.gaps()), table.duplicates, tuple(notes))


def _columns(sheet: Sheet, found: Headings, place: Place) -> tuple[list[Column], str, list[str]]:
    columns: list[Column] = []
    not_taken: list[str] = []
    units: dict[str, int] = {}
    taken: dict[Series | None, int] = {}
    for at, words in enumerate(found.words):
        if at in (found.date_at, found.time_at):
            continue
        series = series_of(words)
        total = _TOTAL.fullmatch(words) is not None
        if series is None and not total:
            if _NOT_TAKEN.fullmatch(words) is None:
                problem = f"the heading {words!r} is not known" if words else "a column without a heading"
                raise sheet.refusal(problem, found.at_line, at, nearest=SOURCE)
            not_taken.append(words)
            continue
        if series in taken:
            raise sheet.refusal(f"{words!r} says the same as column {taken[series] + 1}", found.at_line, at)
        unit = found.units[at]
        if unit not in POWER_UNITS:
            problem = f"{words!r} has the unit {unit!r}" if unit else f"the file does not say the unit of {words!r}"
            raise sheet.refusal(problem, found.at_line, at, nearest=f"{SOURCE} has MWh, 万kWh, 万kW or MW in its headings")
        taken[series] = units[unit] = at
        columns.append(Column(at, series, place, POWER_UNITS[unit].exponent, POWER_UNITS[unit].energy))
    if len({POWER_UNITS[unit][:2] for unit in units}) > 1:
        names = ", ".join(POWER_UNITS[unit].name for unit in units)
        first, *others = columns
        odd = next(column.at for column in others if column[3:] != first[3:])
        raise sheet.refusal(f"more than one unit: {names}", found.at_line, odd)
    if any(column.series is None for column in columns):
        not_taken.append("合計 (for checking only)")
    return columns, next(iter(units)), not_taken


def _stamps(sheet: Sheet, found: Headings) -> list[tuple[Line, datetime]]:
    date_at, time_at = found.date_at, found.time_at
    midnights: dict[str, datetime] = {}
    offsets: dict[str, timedelta] = {}
    stamps: list[tuple[Line, datetime]] = []
    day = ""
    for line in found.body:
        if len(line.cells) <= max(date_at, time_at or 0):
            raise sheet.refusal("the line has no date and time", line.number, len(line.cells) - 1)
        date = line.cells[date_at]
        if time_at is None:
            date, _, time = date.partition(" ")
            at = date_at
        else:
            time, at = line.cells[time_at], time_at
        if time not in offsets:
            offsets[time] = time_of_day(sheet, line, at, time.strip())
        # Hokkaido writes the date on the first hour of a day only.
        if not date and stamps and offsets[time] <= stamps[-1][1] - midnights[day]:
            raise sheet.refusal(f"the time does not continue: {time} after a later hour, and no new date", line.number, at)
        day = date or day
        if day not in midnights:
            midnights[day] = date_in_japan(sheet, line, date_at, day)
        stamps.append((line, midnights[day] + offsets[time]))
    if not stamps:
        raise sheet.refusal("no line with figures follows the headings", found.at_line)
    return stamps
