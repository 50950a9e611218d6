"""Today's measured power, kept between reads: the newest minutes are read again and again, older hours in turn.

A day of a thousand site meters takes PostgreSQL a second, an hour of them 25 ms. Stations deliver late what they could not send,
so old hours do change; going round them shows it within minutes at a cost that does not grow with the day.
"""

import time
from datetime import datetime, timedelta

from service.store.fleet import MeasuredPower, read_measured_power
from service.store.pool import Connection

TAIL = timedelta(minutes=45)
"""The newest part, read every time. Guess: three times the longest gap that still counts."""
PIECE = timedelta(hours=1)
"""What is read at once of the rest."""
_LEAD = timedelta(minutes=15)
"""A register this much earlier may begin the first mean of a piece; the statement allows no longer gap."""
_HALF_BIN = timedelta(seconds=150)
MOST_S = 0.5
"""Wall seconds after which pieces that are still missing wait for the next read. Guess."""


class MeterDay:
    """Five-minute means of the fleet's import, by the instant at which they end."""

    def __init__(self) -> None:
        self._bins: dict[datetime, MeasuredPower] = {}
        self._read_at: dict[datetime, int] = {}
        self._round = 0

    @property
    def rows(self) -> tuple[MeasuredPower, ...]:
        """Return what is known, oldest first."""
        return tuple(self._bins[end_at] for end_at in sorted(self._bins))

    async def read(self, connection: Connection, start_at: datetime, now: datetime) -> None:
        """Bring ``(start_at, now]`` up to date: the newest part, the pieces never read, and one of the others."""
        began_s = time.monotonic()
        self._round += 1
        self._bins = {end_at: row for end_at, row in self._bins.items() if end_at > start_at}
        tail_at = _hour(now - TAIL)
        await self._read_between(connection, max(start_at, tail_at), now)
        pieces = [_hour(start_at) + number * PIECE for number in range((tail_at - _hour(start_at)) // PIECE)]
        self._read_at = {piece: self._read_at.get(piece, 0) for piece in pieces}
        for piece in sorted(pieces, key=lambda piece: (self._read_at[piece], -piece.timestamp())):
            again = self._read_at[piece] > 0
            await self._read_between(connection, max(start_at, piece), piece + PIECE)
            self._read_at[piece] = self._round
            if again or time.monotonic() - began_s > MOST_S:
                break

    async def _read_between(self, connection: Connection, after: datetime, until: datetime) -> None:
        rows = await read_measured_power(connection, after - _LEAD, until + _HALF_BIN)
        self._bins = {end_at: row for end_at, row in self._bins.items() if not after < end_at <= until}
        self._bins |= {row.end_at: row for row in rows if after < row.end_at <= until}


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)
