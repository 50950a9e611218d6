"""The fleet clock of one data directory over stops and crashes: it goes on from the last fleet instant and never back.

While the machine runs, an instant a little ahead is on disk; after a crash the fleet goes on from there, so that no process
has seen a later one.
"""

import contextlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

from service.domain.clock import FleetTime
from service.standalone.errors import UpError
from service.standalone.layout import read_json, write_json

FIRST_INSTANT = datetime(2026, 4, 5, 22, 30, tzinfo=UTC)
"""Guess: Monday 07:30 in Japan, when riders set out; the same for everybody, so that runs can be compared."""

_AHEAD_S = 20.0
_RENEW_S = 5.0


class FleetTimeKeeper:
    """Writes the clock file and remembers how far the fleet has come."""

    def __init__(self, clock_file: Path) -> None:
        """Keep the clock of `clock_file`; the mark lies beside it."""
        self._clock_file = clock_file
        self._mark_file = clock_file.with_name("clock.mark.json")
        self._renew_at: datetime | None = None
        self.line = FleetTime(FIRST_INSTANT, FIRST_INSTANT, 1.0)

    def last_instant(self) -> datetime | None:
        """Return the fleet instant that no process has passed, None for a new fleet."""
        mark = read_json(self._mark_file).get("reached_at")
        return datetime.fromisoformat(mark) if isinstance(mark, str) else None

    def begin(self, wall: datetime, speed: float, start: datetime | None) -> FleetTime:
        """Let the fleet run from `wall` on: from where it was, or from `start` when that is not before it.

        Raises
        ------
        UpError
            When `start` lies before an instant that the fleet has seen.
        """
        last = self.last_instant()
        if start is not None and last is not None and start < last:
            raise UpError(
                f"this fleet has come to {last.isoformat(timespec='seconds')}; it cannot go back to {start.isoformat()}",
                "Start it without --start, or use another --data-dir",
            )
        self.line = FleetTime(origin=start or last or FIRST_INSTANT, anchor=wall, speed=speed)
        self._mark(wall, _AHEAD_S)
        write_json(
            self._clock_file,
            {"origin": self.line.origin.isoformat(), "anchor": self.line.anchor.isoformat(), "speed": self.line.speed},
        )
        self._clock_file.chmod(0o644)  # no secret
        return self.line

    def tick(self, wall: datetime) -> None:
        """Push the mark ahead when it is due; call it every second or so."""
        if self._renew_at is None or wall >= self._renew_at:
            self._mark(wall, _AHEAD_S)

    def end(self, wall: datetime) -> None:
        """All processes have ended: remember the instant itself."""
        with contextlib.suppress(UpError):  # the disk is full: the older mark lies ahead and serves
            self._mark(wall, 0.0)

    def _mark(self, wall: datetime, ahead_s: float) -> None:
        reached = self.line.at(wall + timedelta(seconds=ahead_s))
        write_json(self._mark_file, {"reached_at": reached.isoformat()})
        self._renew_at = wall + timedelta(seconds=_RENEW_S)
