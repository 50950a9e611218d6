"""Names on the wire: station ids and the part of the topic tree a station belongs to.

What does not live here: topics (``topics``) and message bodies.
"""

import re
import zlib
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

PARTS = 64
"""Number of disjoint parts of the topic tree. Fixed for the life of contract v1."""

STATION_ID_PATTERN = r"^[A-Za-z0-9_-]{1,48}$"
_station_id = re.compile(STATION_ID_PATTERN + r"\Z")


def is_station_id(text: str) -> bool:
    """Tell whether `text` may name a station (1 to 48 of ``A-Z a-z 0-9 _ -``)."""
    return _station_id.match(text) is not None


def part_of(station_id: str) -> str:
    """Return the part of a station: crc32 modulo 64 as two lower-case hex digits, ``00`` to ``3f``."""
    return f"{zlib.crc32(station_id.encode()) % PARTS:02x}"


def _without_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("a string must not contain the NUL character")
    return text


# PostgreSQL cannot store NUL in text, so no string that crosses the wire may carry one.
Text36 = Annotated[str, StringConstraints(max_length=36), AfterValidator(_without_nul)]
Text40 = Annotated[str, StringConstraints(max_length=40), AfterValidator(_without_nul)]
Text50 = Annotated[str, StringConstraints(min_length=1, max_length=50), AfterValidator(_without_nul)]
Text255 = Annotated[str, StringConstraints(max_length=255), AfterValidator(_without_nul)]
Text500 = Annotated[str, StringConstraints(max_length=500), AfterValidator(_without_nul)]
SerialNumber = Text50
"""A pack's serial number, 1 to 50 characters (OCPP 2.1 ``BatteryDataType.serialNumber``)."""
