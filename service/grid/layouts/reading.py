"""What a reading of a file comes to, and how a file is refused."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from service.domain.signal import Series, Signal


class LayoutError(ValueError):
    """A file that is not understood. `line` and `column` (a cell of the line) count from 1, None: the file as a whole.

    `nearest` is the known layout that comes closest, with what it has instead.
    """

    def __init__(self, file: str, line: int | None, column: int | None, problem: str, nearest: str | None = None) -> None:
        where = file + ("" if line is None else f":{line}") + ("" if column is None else f":{column}")
        super().__init__(f"{where}: {problem}" + ("" if nearest is None else f" (nearest known layout: {nearest})"))
        self.file, self.line, self.column, self.problem, self.nearest = file, line, column, problem, nearest


@dataclass(frozen=True, slots=True)
class Gap:
    """Intervals of a series that are missing between two that are there: ``[first_at, end_at)``, or blank in the file."""

    series: Series
    place: str
    first_at: datetime
    end_at: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Reading:
    """One file as it was understood.

    Attributes
    ----------
    layout : name of the layout, as `service.grid.importing.layouts` lists it.
    notes : what a person should know: unit, time zone, how `known_at` was set, which columns were not taken.
    duplicates : lines that said again what another line of the file had said.
    """

    file: str
    layout: str
    signals: tuple[Signal, ...]
    gaps: tuple[Gap, ...]
    duplicates: int
    notes: tuple[str, ...]


class Layout(NamedTuple):
    """A known layout in words. `headings` are the ones that a file of it has at least, as `sheet.heading` spells them."""

    name: str
    what: str
    recognised: str
    headings: tuple[str, ...]


class Request(NamedTuple):
    """What the caller says about a file beside its bytes; see `service.grid.importing.read_file`."""

    area: str | None = None
    known_after: timedelta | None = None
    station_id: str | None = None
