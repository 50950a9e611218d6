"""From a file of somebody else to signals: what a reading comes to, and how a file is refused. Pure: bytes in, values out.

The layouts themselves are in `service.grid.layouts`; which one a file has is seen from its content, never from its name.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from service.domain.signal import Series, Signal


class LayoutError(ValueError):
    """A file that is not understood. `line` and `column` count from 1, None: the file as a whole.

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
    layout : name of the layout, as `denchi supply layouts` lists it.
    notes : what a person should know: unit, time zone, how `known_at` was set, which columns were not taken.
    duplicates : lines that said again what another line of the file had said.
    """

    file: str
    layout: str
    signals: tuple[Signal, ...]
    gaps: tuple[Gap, ...]
    duplicates: int
    notes: tuple[str, ...]


def read_file(
    data: bytes,
    file: str,
    *,
    area: str | None = None,
    known_after: timedelta | None = None,
    station_id: str | None = None,
) -> Reading:
    """Read one file of any known layout.

    Parameters
    ----------
    file : its name, for messages only.
    area : place of the figures, where the content does not name it (grid companies' files never do).
    known_after : how long after the end of its interval a figure became known; None: the layout's own rule, which `notes` says.
    station_id : for generic files of a station's own generation or limits: place of the figures instead of an area.

    Raises
    ------
    LayoutError
        The layout is not known, a cell is not what the layout says, an area is missing; says file, line and column.
    """
    raise NotImplementedError


def read_files(files: Sequence[tuple[str, bytes]], *, area: str | None = None) -> list[Reading]:
    """Read several files; the same value may stand in more than one. Raises LayoutError for the first that is not understood."""
    return [read_file(data, name, area=area) for name, data in files]
