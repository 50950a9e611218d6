"""The text of a file as lines of cells, and how its headings, numbers and times are spelled: where every layout begins."""

import csv
import io
import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import NamedTuple

from service.grid.layouts.reading import LayoutError

JST = timezone(timedelta(hours=9))
YEARS = range(1990, 2101)
"""Years that a file may speak of; what lies outside is a slip of the pen."""

_LONGEST = 200  # no heading has more letters; notes above the headings may
_DATE = re.compile(r"(\d{4})[/-](\d{1,2})[/-](\d{1,2})", re.ASCII)
_TIME = re.compile(r"(\d{1,2})(?::(\d{2})(?::00)?|時)", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:([eE][+-]?\d{1,3}))?", re.ASCII)
_BRACKETS = str.maketrans("[]〔〕【】{}", "()()()()")


class Line(NamedTuple):
    """A line of a file: its number, counted from 1, and its cells without the space around them."""

    number: int
    cells: list[str]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file as lines of cells; empty lines are left out, the numbers are those of the file."""

    file: str
    encoding: str
    lines: tuple[Line, ...]

    def refusal(self, problem: str, line: int | None = None, at: int | None = None, nearest: str | None = None) -> LayoutError:
        """Return the error that refuses this file. `at` is the index of the cell, counted from 0."""
        return LayoutError(self.file, line, None if at is None else at + 1, problem, nearest)

    def check_width(self, line: Line, width: int) -> None:
        """Refuse a line that has not as many cells as the headings; blank ones at the end do not count.

        Raises
        ------
        LayoutError
            Cells are missing, or there are figures without a heading.
        """
        cells = line.cells
        if len(cells) < width:
            raise self.refusal(f"the line has {len(cells)} cells where {width} are expected", line.number, max(len(cells) - 1, 0))
        for at in range(width, len(cells)):
            if cells[at]:
                raise self.refusal(f"{cells[at]!r} has no heading", line.number, at)


def open_sheet(data: bytes, file: str) -> Sheet:
    """Decode `data` (UTF-8 with or without byte order mark, or cp932) and cut it into cells.

    Raises
    ------
    LayoutError
        It is neither, or not separated by commas in a lawful way.
    """
    text, encoding = _decoded(data, file)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    lines: list[Line] = []
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                lines.append(Line(reader.line_num, cells))
    except csv.Error as error:
        raise LayoutError(file, reader.line_num, None, f"no lawful line of cells: {error}") from None
    if not lines:
        raise LayoutError(file, None, None, "the file is empty")
    return Sheet(file, encoding, tuple(lines))


def _decoded(data: bytes, file: str) -> tuple[str, str]:
    try:
        return data.decode("utf-8-sig"), "UTF-8"
    except UnicodeDecodeError:
        pass
    try:
        return data.decode("cp932"), "cp932"
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise LayoutError(file, line, None, "the bytes are no text in UTF-8 or cp932") from None


def heading(text: str) -> tuple[str, str]:
    """Return (words of a heading, what it says as a unit), both spelled in one way, each may be empty.

    Full-width letters become half-width ones, all brackets are one kind, space and case do not count:
    ``太陽光（実績）〔MWh〕`` -> (``太陽光実績``, ``mwh``); ``（単位：万ｋW）`` -> (````, ``万kw``).
    """
    return _heading(text[:_LONGEST])


@lru_cache(maxsize=4096)
def _heading(text: str) -> tuple[str, str]:
    flat = "".join(unicodedata.normalize("NFKC", text).split()).lower().translate(_BRACKETS)
    unit = ""
    if flat.strip("()").startswith("単位"):
        return "", flat.strip("()").removeprefix("単位").strip(":()")
    for inside in re.findall(r"\(([^()]*)\)", flat):
        if _is_unit(inside):
            unit = inside
            flat = flat.replace(f"({inside})", "")
    if _is_unit(flat):
        return "", flat
    return flat.replace("(", "").replace(")", ""), unit


def _is_unit(text: str) -> bool:
    return text in POWER_UNITS or text in {"%", "円/kwh"}


class PowerUnit(NamedTuple):
    """A unit of power (or of energy per interval) as ten to the `exponent` watts (watt hours); `name` is for people."""

    exponent: int
    energy: bool
    name: str


POWER_UNITS = {
    "kw": PowerUnit(3, False, "kW"),
    "kwh": PowerUnit(3, True, "kWh"),
    "mw": PowerUnit(6, False, "MW"),
    "mw平均": PowerUnit(6, False, "MW, means"),
    "mwh": PowerUnit(6, True, "MWh"),
    "万kw": PowerUnit(7, False, "万kW"),
    "万kwh": PowerUnit(7, True, "万kWh"),
}


def number(text: str, exponent: int = 0) -> float | None:
    """Return ``text * 10**exponent``, None for no number. It is rounded once: 217.1 万kW and 2171 MW are the same float."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    power = match[1]
    if power:
        text, exponent = text[: -len(power)], exponent + int(power[1:])
    return float(f"{text}e{exponent}") + 0.0


def starts_with_date(text: str) -> bool:
    """Say whether `text` begins as a date does: what stands there means to be one, lawful or not."""
    return re.match(r"\d{4}[/-]", text, re.ASCII) is not None


def date_in_japan(sheet: Sheet, line: Line, at: int, text: str) -> datetime:
    """Return midnight in Japan of the day that `text` names, in UTC. Raises LayoutError for a day that does not exist."""
    match = _DATE.fullmatch(text)
    if match is None:
        raise sheet.refusal(f"{text!r} is no date (expected as 2022/4/1)", line.number, at)
    year, month, day = int(match[1]), int(match[2]), int(match[3])
    try:
        midnight = datetime(year, month, day, tzinfo=JST)
    except ValueError:
        midnight = None
    if midnight is None or year not in YEARS:
        raise sheet.refusal(f"the date {text} does not exist", line.number, at)
    return midnight.astimezone(UTC)


def time_of_day(sheet: Sheet, line: Line, at: int, text: str) -> timedelta:
    """Return the time of day that `text` names (``13:30``, ``13時``). Raises LayoutError for 24:00 and what is no time."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise sheet.refusal(f"{text!r} is no time (expected as 13:30)", line.number, at)
    hour, minute = int(match[1]), int(match[2] or 0)
    if hour > 23 or minute > 59:
        raise sheet.refusal(f"{text} is no time of a day: labels are beginnings, from 0:00 to 23:59", line.number, at)
    return timedelta(hours=hour, minutes=minute)
