"""The grid of steps a plan is made on, and a plan as it is kept. How a plan is found is in `service.planning`."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

STEP_S = 900
"""Steps of 15 minutes, aligned to :00/:15/:30/:45 UTC. Source: half of Japan's 30 min settlement period."""
STEP_COUNT = 96
"""24 h ahead."""


@dataclass(frozen=True, slots=True)
class StepGrid:
    """The steps from the running one on. Step 0 has begun: only the rest of it is left."""

    now: datetime
    step_s: int = STEP_S
    step_count: int = STEP_COUNT

    def __post_init__(self) -> None:
        """Refuse an instant without a zone and grids that do not divide an hour."""
        if self.now.tzinfo is None:
            raise ValueError("a step grid takes an aware instant")
        if self.step_s <= 0 or 3600 % self.step_s or self.step_count < 1:
            raise ValueError(f"steps of {self.step_s} s x {self.step_count} do not make a grid")

    @property
    def start_at(self) -> datetime:
        """Return when step 0 began: the latest multiple of the step that is not after now."""
        return datetime.fromtimestamp(math.floor(self.now.timestamp() / self.step_s) * self.step_s, UTC)

    @property
    def first_share(self) -> float:
        """Return the share of step 0 that is left, in ``(0, 1]``."""
        return 1.0 - (self.now - self.start_at).total_seconds() / self.step_s

    def step_at(self, step: int) -> datetime:
        """Return when a step begins."""
        return self.start_at + timedelta(seconds=step * self.step_s)

    @property
    def end_at(self) -> datetime:
        """Return when the last step ends."""
        return self.step_at(self.step_count)

    def duration_s(self, step: int) -> float:
        """Return how much of a step is left [s]."""
        return self.step_s * (self.first_share if step == 0 else 1.0)

    def step_of(self, instant: datetime) -> int:
        """Return the step in which an instant lies; 0 for the past, `step_count` for after the end."""
        seconds = (instant - self.start_at).total_seconds()
        return min(max(0, math.floor(seconds / self.step_s)), self.step_count)


@dataclass(frozen=True, slots=True)
class PlanOfStation:
    """One station's part of a plan as it is kept: grid-side energy per step [Wh] and what binds, in a sentence."""

    station_id: str
    energy_ac_wh: tuple[float, ...]
    shortfall_wh: float
    reason: str


@dataclass(frozen=True, slots=True)
class PlanRecord:
    """A plan as it is kept. `bound_jpy` and `gap` are None when no solver gave a bound."""

    plan_id: str
    made_at: datetime
    start_at: datetime
    step_s: int
    step_count: int
    engine: str
    coupled_by: tuple[str, ...]
    objective_jpy: float
    bound_jpy: float | None
    gap: float | None
    shortfall_wh: float
    truncated: bool
    solve_s: float
    price_source: str
    supply_source: str
    fleet_ac_w: tuple[float, ...]
    price_jpy_per_kwh: tuple[float, ...]
    renewable_w: tuple[float, ...]
    stations: tuple[PlanOfStation, ...]
