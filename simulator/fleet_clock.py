"""The fleet clock of this process: the file that `denchi up` writes, read once, and the machine's own clocks behind it."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from devices.hardware.ports import ClockStatus
from service.domain.clock import FleetTime


class ClockFileError(ValueError):
    """The clock file cannot be read; the message says what is wrong with it."""


def read_clock_file(path: Path) -> FleetTime:
    """Read a fleet clock: JSON with `origin`, `anchor` (ISO 8601 with offset) and `speed` above 0. Raises ClockFileError."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        clock = FleetTime(datetime.fromisoformat(told["origin"]), datetime.fromisoformat(told["anchor"]), float(told["speed"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ClockFileError(f"clock file {path}: {type(error).__name__}: {error}") from error
    if clock.origin.tzinfo is None or clock.anchor.tzinfo is None or not clock.speed > 0:
        raise ClockFileError(f"clock file {path}: origin and anchor need an offset, speed must be above 0")
    return clock


class SimulatedClock:
    """Fleet time for agents and riders.

    Wall time is read once and then counted on the monotonic clock, so that a step of the machine's clock does not move
    the fleet.
    """

    def __init__(self, fleet: FleetTime, wall: datetime, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._fleet = fleet
        self._start_at = fleet.at(wall).astimezone(UTC)
        self._monotonic = monotonic
        self._start_s = monotonic()
        self._lead_s = max((fleet.anchor - wall).total_seconds(), 0.0)

    def now(self) -> datetime:
        """Return the fleet instant, aware, UTC."""
        elapsed_s = max(self._monotonic() - self._start_s - self._lead_s, 0.0)
        return self._start_at + timedelta(seconds=elapsed_s * self._fleet.speed)

    def monotonic(self) -> float:
        """Return fleet seconds that never go back [s]."""
        return self._monotonic() * self._fleet.speed

    def wall_monotonic(self) -> float:
        """Return wall seconds that never go back [s]."""
        return self._monotonic()

    def wall_seconds(self, fleet_seconds: float) -> float:
        """Return how long `fleet_seconds` take on the wall [s]."""
        return self._fleet.wall_seconds(fleet_seconds)

    def status(self) -> ClockStatus:
        """Return that this clock is as good as the machine's."""
        return ClockStatus(source="ntp", offset_ms=0.0, last_sync_at=self.now())
