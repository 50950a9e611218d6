"""From lines with a time and columns with a meaning to signals: spacing, duplicates, gaps, limits of what a value may be."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import inf, isfinite
from typing import NamedTuple

from service.domain.signal import LIMITS, SERIES, Place, Series, Signal
from service.grid.layouts.reading import Gap
from service.grid.layouts.sheet import JST, Line, Sheet, number

MISSING = frozenset({"", "-", "－", "―", "—", "−", "‐"})
"""What the grid companies put where they have no figure."""
BLANK = frozenset({""})
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

NOT_GIVEN = "not given in the file"
BELOW_ZERO = "below 0 in the file"
NO_LINE = "no line in the file"


class Column(NamedTuple):
    """A column that is read: cell `at` (from 0) times ten to the `exponent`, energies divided by the hours of the interval.

    `series` is None for a column that is read for checks only.
    """

    at: int
    series: Series | None
    place: Place
    exponent: int = 0
    energy: bool = False


class Moment(NamedTuple):
    """What one line speaks of: the interval and when it became known."""

    line: Line
    start_at: datetime
    period_s: int
    known_at: datetime


class Row(NamedTuple):
    """A line as it was read: per column the value, or in words why there is none."""

    moment: Moment
    values: list[float | str]


@dataclass(frozen=True, slots=True)
class Table:
    """What a table of a file comes to. `unfinished` lines at the end hold no figures yet and are left out."""

    columns: Sequence[Column]
    rows: Sequence[Row]
    duplicates: int
    unfinished: int

    def signals(self, source: str) -> Iterator[Signal]:
        """Yield every value, line by line."""
        taken = [(number, c.series, c.place) for number, c in enumerate(self.columns) if c.series is not None]
        for (_, start_at, period_s, known_at), values in self.rows:
            for at, series, place in taken:
                value = values[at]
                if type(value) is float:
                    yield Signal(series, place, start_at, period_s, value, known_at, source)

    def gaps(self) -> Iterator[Gap]:
        """Yield what is missing per column, intervals that follow each other as one."""
        ordered = sorted(self.rows, key=lambda row: row.moment.start_at)
        between: list[tuple[datetime, datetime, str]] = []
        for (earlier, _), (later, _) in pairwise(ordered):
            end_at = earlier.start_at + timedelta(seconds=earlier.period_s)
            if later.start_at > end_at:
                between.append((end_at, later.start_at, NO_LINE))
        for at, column in enumerate(self.columns):
            if column.series is None:
                continue
            holes = [
                (moment.start_at, moment.start_at + timedelta(seconds=moment.period_s), why)
                for moment, values in ordered
                if isinstance(why := values[at], str)
            ]
            for first_at, end_at, why in _joined(sorted(holes + between)):
                yield Gap(column.series, column.place.name, first_at, end_at, why)


def _joined(holes: Sequence[tuple[datetime, datetime, str]]) -> list[tuple[datetime, datetime, str]]:
    joined: list[tuple[datetime, datetime, str]] = []
    for hole in holes:
        if joined and joined[-1][1] >= hole[0] and joined[-1][2] == hole[2]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], hole[1]), hole[2])
        else:
            joined.append(hole)
    return joined


def spacing_s(sheet: Sheet, stamps: Sequence[tuple[Line, datetime]], at: int, allowed_s: Collection[int]) -> int:
    """Return the length of the intervals that begin at `stamps`, the most frequent distance between two of them [s].

    Parameters
    ----------
    at : index of the cell that holds the time.

    Raises
    ------
    LayoutError
        There is one interval only, distances are none of `allowed_s`, or a time does not continue the others.
    """
    starts = sorted({start_at for _, start_at in stamps})
    if len(starts) == 1:
        raise sheet.refusal(
            "one interval alone does not tell how long it is (generic csv: add a column period_s)", stamps[0][0].number, at
        )
    counts = Counter(round((later - earlier).total_seconds()) for earlier, later in pairwise(starts))
    period_s = min(counts, key=lambda seconds: (-counts[seconds], seconds))
    if period_s not in allowed_s:
        line = stamps[1][0].number
        raise sheet.refusal(f"the time does not continue: intervals of {period_s} s are not known", line, at)
    check_continues(sheet, stamps, at, period_s)
    return period_s


def check_continues(sheet: Sheet, stamps: Sequence[tuple[Line, datetime]], at: int, period_s: int) -> None:
    """Refuse a time that is not a whole number of intervals after the first one. Raises LayoutError."""
    step, first_at = timedelta(seconds=period_s), stamps[0][1]
    for line, start_at in stamps:
        if (start_at - first_at) % step:
            raise sheet.refusal(
                f"the time does not continue: {_in_japan(start_at)} is not on the grid of {period_s} s of the lines before",
                line.number,
                at,
            )
    if (first_at - EPOCH) % step:
        raise sheet.refusal(
            f"an interval of {period_s} s begins at a multiple of its length in UTC, {_in_japan(first_at)} does not",
            stamps[0][0].number,
            at,
        )


def check_order(sheet: Sheet, stamps: Sequence[tuple[Line, datetime]], at: int) -> None:
    """Refuse a time that goes back to an interval that no line before has spoken of. Raises LayoutError."""
    seen: set[datetime] = set()
    newest = stamps[0][1]
    for line, start_at in stamps:
        if start_at < newest and start_at not in seen:
            problem = f"the time does not continue: {_in_japan(start_at)} comes after {_in_japan(newest)}"
            raise sheet.refusal(problem, line.number, at)
        seen.add(start_at)
        newest = max(newest, start_at)


def _in_japan(instant: datetime) -> str:
    return instant.astimezone(JST).strftime("%Y-%m-%d %H:%M JST")


def read_table(
    sheet: Sheet, moments: Sequence[Moment], columns: Sequence[Column], *, width: int, at: int, missing: Collection[str] = MISSING
) -> Table:
    """Read the cells of `columns` in the lines of `moments`.

    A value below the least that its series allows is not taken and leaves a gap (meters at night may say -1); a limit below 0
    is refused.

    Parameters
    ----------
    width : how many cells a line has.
    at : index of the cell that holds the time, for messages.

    Raises
    ------
    LayoutError
        A cell holds no number, or two lines speak of the same interval and do not agree.
    """
    rows: dict[tuple[datetime, int, datetime], Row] = {}
    duplicates = 0
    for moment in moments:
        sheet.check_width(moment.line, width)
        values = [_value(sheet, moment, column, missing) for column in columns]
        key = moment[1:]
        standing = rows.setdefault(key, Row(moment, values))
        if standing.moment is not moment:
            duplicates += 1
            if standing.values != values:
                where = next(c.at for c, old, new in zip(columns, standing.values, values, strict=True) if old != new)
                first, again = standing.moment.line.number, moment.line.number
                problem = f"line {again} speaks of the same interval as line {first} ({_in_japan(moment.start_at)}) and differs"
                raise sheet.refusal(problem, again, where)
    kept = list(rows.values())
    while len(kept) > 1 and all(isinstance(value, str) for value in kept[-1].values):
        kept.pop()
    _check_overlap(sheet, kept, at)
    return Table(columns, kept, duplicates, len(rows) - len(kept))


def _value(sheet: Sheet, moment: Moment, column: Column, missing: Collection[str]) -> float | str:
    text = moment.line.cells[column.at]
    if text in missing:
        return NOT_GIVEN
    value = number(text, column.exponent)
    series = column.series
    if series in LIMITS and text == "inf":
        value = inf
    elif value is None or not isfinite(value):
        raise sheet.refusal(f"{text[:40]!r} is no number", moment.line.number, column.at)
    if series is not None and value < SERIES[series].minimum:
        if series in LIMITS:
            raise sheet.refusal(f"{text} is below 0", moment.line.number, column.at)
        return BELOW_ZERO
    return value * (3600.0 / moment.period_s) if column.energy else value


def _check_overlap(sheet: Sheet, rows: Sequence[Row], at: int) -> None:
    intervals = sorted({(moment.start_at, moment.period_s): moment for moment, _ in rows}.items(), key=lambda item: item[0])
    for ((start_at, period_s), _), ((later_at, _), moment) in pairwise(intervals):
        if later_at < start_at + timedelta(seconds=period_s):
            problem = f"the interval from {_in_japan(later_at)} overlaps the one from {_in_japan(start_at)}"
            raise sheet.refusal(problem, moment.line.number, at)
