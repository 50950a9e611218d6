"""From a file of somebody else to signals: what a reading comes to, and how a file is refused. Pure: bytes in, values out.

The layouts themselves are in `service.grid.layouts`; which one a file has is seen from its content, never from its name.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import NamedTuple

from service.grid.layouts import area_results, denki_yoho, emissions, generic, jepx, nearest
from service.grid.layouts.reading import Gap, Layout, LayoutError, Reading, Request
from service.grid.layouts.sheet import Sheet, open_sheet

__all__ = ["Gap", "LayoutError", "Reading", "layouts", "read_file", "read_files"]


class _Family(NamedTuple):
    """What a module of `layouts` offers. `names_place`: whether this file itself says of which areas it speaks."""

    layout: Layout
    reads: Callable[[Sheet], bool]
    read: Callable[[Sheet, Request], Reading]
    names_place: Callable[[Sheet], bool] = lambda _: False


_GENERIC = _Family(generic.LAYOUT, generic.reads, generic.read, generic.names_area)
# In this order: the first ones have a mark that no other file can have.
_FAMILIES = (
    _Family(denki_yoho.LAYOUT, denki_yoho.reads, denki_yoho.read),
    _Family(jepx.LAYOUT, jepx.reads, jepx.read, lambda _: True),
    _Family(emissions.LAYOUT, emissions.reads, emissions.read),
    _GENERIC,
    _Family(area_results.LAYOUT, area_results.reads, area_results.read),
)
_LAYOUTS = tuple(family.layout for family in _FAMILIES)


def layouts() -> list[tuple[str, str, str]]:
    """Return (name, what it holds, how it is recognised) of every known layout."""
    return sorted((layout.name, layout.what, layout.recognised) for layout in _LAYOUTS)


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
    sheet = open_sheet(data, file)
    family = next((family for family in _FAMILIES if family.reads(sheet)), None)
    if family is None:
        raise nearest.refusal(sheet, _LAYOUTS)
    if station_id is not None and family is not _GENERIC:
        raise LayoutError(file, None, None, f"{family.layout.name} speak of an area, not of the station {station_id}")
    if not area and station_id is None and not family.names_place(sheet):
        raise LayoutError(file, None, None, "the file does not say of which area it speaks: give the area, such as kyushu")
    reading = family.read(sheet, Request(area, known_after, station_id))
    if not reading.signals:
        raise LayoutError(file, None, None, f"{reading.layout} without a single figure")
    return reading


def read_files(files: Sequence[tuple[str, bytes]], *, area: str | None = None) -> list[Reading]:
    """Read several files; the same value may stand in more than one. Raises LayoutError for the first that is not understood."""
    return [read_file(data, name, area=area) for name, data in files]
