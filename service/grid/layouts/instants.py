"""Instants as the international standard spells them, with an offset or in the zone that the heading names."""

import re
from datetime import UTC, datetime, timedelta

from service.grid.layouts.sheet import JST, YEARS, Line, Sheet

_ISO = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(Z|[+-]\d\d:\d\d)?", re.ASCII)
_ZONES = {"ts_utc": UTC, "ts_jst": JST}


def instant(sheet: Sheet, line: Line, at: int, zone: str) -> datetime:
    """Return the instant in cell `at`, in UTC.

    Parameters
    ----------
    zone : heading of the column of time: ``ts_utc`` and ``ts_jst`` name the zone, any other wants an offset in each cell.

    Raises
    ------
    LayoutError
        It is no instant, does not exist, has no offset or another one than its heading says.
    """
    text = line.cells[at] if at < len(line.cells) else ""
    match = _ISO.fullmatch(text)
    if match is None:
        raise sheet.refusal(f"{text[:40]!r} is no instant (expected as 2022-04-01T00:00:00+09:00)", line.number, at)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise sheet.refusal(f"{text} does not exist", line.number, at) from None
    if found.year not in YEARS:
        raise sheet.refusal(f"{text} does not lie in the years {YEARS[0]} to {YEARS[-1]}", line.number, at)
    expected = _ZONES.get(zone)
    if match[1] is None:
        if expected is None:
            raise sheet.refusal(f"{text} has no offset, such as +09:00 or Z", line.number, at)
        found = found.replace(tzinfo=expected)
    elif expected is not None and found.utcoffset() != expected.utcoffset(None):
        raise sheet.refusal(f"{text} does not have the offset of {zone}", line.number, at)
    if found.utcoffset() == timedelta(0):
        return found.replace(tzinfo=UTC)
    return found.astimezone(UTC)
