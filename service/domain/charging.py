"""How fast a pack takes energy: constant power up to a knee, then falling to a tail. DC side, at the pack.

This is what the planner believes. What a pack really does is the station's to measure.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

KNEE_SOC = 0.8
"""SoC above which the charging power falls. Guess: usual for NMC cells at 0.3-0.5 C; to be fitted per pack model."""
TAIL_SHARE = 0.15
"""Share of the full power that is left at SoC 1. Guess: cut-off current of C/20 at a charging current of C/3."""


@dataclass(frozen=True, slots=True)
class ChargeCurve:
    """The fastest way from empty to `capacity_wh`: energy as a function of time and back, in closed form.

    Below the knee the power is `power_w`; above it falls linearly in SoC to ``TAIL_SHARE * power_w``,
    so that energy approaches like ``1 - exp(-b x)``.
    """

    capacity_wh: float
    power_w: float

    def __post_init__(self) -> None:
        """Refuse a curve that leads nowhere."""
        if not (self.capacity_wh > 0 and self.power_w > 0):
            raise ValueError(f"a pack of {self.capacity_wh} Wh at {self.power_w} W has no charge curve")

    @property
    def _knee_wh(self) -> float:
        return KNEE_SOC * self.capacity_wh

    @property
    def _knee_h(self) -> float:
        return self._knee_wh / self.power_w

    @property
    def _rate_per_h(self) -> float:
        return self.power_w * (1 - TAIL_SHARE) / ((1 - KNEE_SOC) * self.capacity_wh)

    @property
    def full_h(self) -> float:
        """Return the time from empty to full [h]."""
        return self._knee_h - float(np.log(TAIL_SHARE)) / self._rate_per_h

    def energy_at(self, hours: ArrayLike) -> NDArray[np.float64]:
        """Return the energy after `hours` of charging from empty [Wh]; 0 before, the capacity after the end."""
        x = np.clip(np.asarray(hours, dtype=np.float64), 0.0, self.full_h)
        tail = np.maximum(x - self._knee_h, 0.0)
        above = self.power_w / self._rate_per_h * -np.expm1(-self._rate_per_h * tail)
        return np.minimum(np.minimum(x, self._knee_h) * self.power_w + above, self.capacity_wh)

    def hours_at(self, energy_wh: ArrayLike) -> NDArray[np.float64]:
        """Return how long charging from empty takes to reach an energy [h]."""
        energy = np.clip(np.asarray(energy_wh, dtype=np.float64), 0.0, self.capacity_wh)
        above = np.maximum(energy - self._knee_wh, 0.0)
        tail = -np.log1p(-above * self._rate_per_h / self.power_w) / self._rate_per_h
        return np.minimum(energy, self._knee_wh) / self.power_w + tail

    def gained(self, energy_wh: float, hours: ArrayLike, target_wh: float) -> NDArray[np.float64]:
        """Return what a pack at `energy_wh` gains at most in `hours`, not going beyond `target_wh` [Wh]."""
        reached = self.energy_at(self.hours_at(energy_wh) + np.asarray(hours, dtype=np.float64))
        return np.maximum(np.minimum(reached, target_wh) - energy_wh, 0.0)

    def gained_last(self, hours: ArrayLike, target_wh: float) -> NDArray[np.float64]:
        """Return what the last `hours` before `target_wh` can add at most [Wh]: what may still be missing then."""
        before = self.energy_at(self.hours_at(target_wh) - np.asarray(hours, dtype=np.float64))
        return target_wh - before
