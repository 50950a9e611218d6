"""The one fleet clock: a straight line from wall time to fleet time. Pure; who reads the wall says so."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol


@dataclass(frozen=True, slots=True)
class FleetTime:
    """Fleet instant = `origin` + (wall - `anchor`) x `speed`. The same for every process of one fleet."""

    origin: datetime
    anchor: datetime
    speed: float

    def at(self, wall: datetime) -> datetime:
        """Return the fleet instant of a wall instant. Before the anchor the fleet stands still."""
        return self.origin + max(wall - self.anchor, timedelta(0)) * self.speed

    def wall_seconds(self, fleet_seconds: float) -> float:
        """Return how long `fleet_seconds` take on the wall [s]."""
        return fleet_seconds / self.speed


class Clock(Protocol):
    """Who can tell the fleet time. Tests hand in one they move themselves."""

    def now(self) -> datetime:
        """Return the fleet instant, aware, UTC."""
        ...

    def wall_seconds(self, fleet_seconds: float) -> float:
        """Return how long `fleet_seconds` take on the wall [s]."""
        ...
