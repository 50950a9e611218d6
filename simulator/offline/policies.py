"""How a fleet may be charged: what a policy is, and the rivals of the planner. The list of all is `simulator.offline.catalogue`.

A policy says what each charger may give until it is asked again. It sees what a service sees: readings, swaps and signals that
were known; never how things went in the end.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

import numpy as np

from service.domain.pack import PackModel
from simulator.offline.market import KnownSignals
from simulator.offline.plant import Floats, OfflinePlant
from simulator.offline.riding import Handed
from simulator.world import World


@dataclass(frozen=True, slots=True)
class Sight:
    """What a policy may look at."""

    world: World
    model: PackModel
    plant: OfflinePlant
    handed: Handed
    known: KnownSignals
    area: str
    born_at: datetime
    """When the stations were first heard of."""


class Charging(Protocol):
    """A policy at work in one world."""

    arriving_w: float
    """What a pack gets that has come in since `limits_w` was asked."""

    def limits_w(self, now: datetime) -> Floats:
        """Return what each charger may give from `now` on [W DC]; axes (stations, slots)."""
        ...

    def notes(self) -> dict[str, float]:
        """Return what the policy says of itself, for the report."""
        ...


class OnArrival:
    """Everything at full power as soon as it is in."""

    def __init__(self, sight: Sight) -> None:
        self._shape = sight.plant.in_slot.shape
        self.arriving_w = sight.model.max_charge_w

    def limits_w(self, now: datetime) -> Floats:
        """Return full power everywhere."""
        return np.full(self._shape, self.arriving_w)

    def notes(self) -> dict[str, float]:
        """Return nothing."""
        return {}


GUARD_SHARE = 0.4
"""Outside its hours a timer keeps this share of a station's packs ready, or it would leave riders standing. Guess."""


class Timer:
    """Full power between two local hours; outside of them only as many packs as must be ready, those nearest to it."""

    def __init__(self, sight: Sight, first_h: float, end_h: float) -> None:
        self._sight = sight
        self._first_h, self._end_h = first_h, end_h
        self.arriving_w = 0.0

    def limits_w(self, now: datetime) -> Floats:
        """Return full power in the timer's hours, else what keeps the guard."""
        plant, model = self._sight.plant, self._sight.model
        local = now.astimezone(UTC) + timedelta(hours=self._sight.world.scenario.demand.utc_offset_h)
        hour = (local.hour + local.minute / 60 - self._first_h) % 24
        if hour < (self._end_h - self._first_h) % 24:
            return np.full(plant.in_slot.shape, model.max_charge_w)
        limits = np.zeros(plant.in_slot.shape)
        soc = np.where(plant.in_slot >= 0, plant.soc()[plant.in_slot], -1.0)
        guard = np.ceil(GUARD_SHARE * (plant.in_slot >= 0).sum(axis=1)).astype(np.int64)
        for station, count in enumerate(guard.tolist()):
            fullest = np.argsort(-soc[station], kind="stable")[:count]
            limits[station, fullest] = np.where(soc[station, fullest] < model.hand_out_soc, model.max_charge_w, 0.0)
        return limits

    def notes(self) -> dict[str, float]:
        """Return nothing."""
        return {}


class Uniform:
    """The same power all day: what the stations need on the mean, given to all packs alike."""

    def __init__(self, sight: Sight) -> None:
        self._sight = sight
        self.arriving_w = 0.0

    def limits_w(self, now: datetime) -> Floats:
        """Return each pack's part of the mean power of the packs handed out so far, at least of one pack a slot and day."""
        plant, model = self._sight.plant, self._sight.model
        days = max((now - self._sight.born_at) / timedelta(days=1), 1 / 24)
        handed = np.array([sum(hours.values()) for hours in self._sight.handed.by_hour]) / days
        # Packs come back about a third full; a tenth more, because full packs take nothing.
        power_w = 1.1 * np.maximum(handed, 1.0) * 0.65 * model.nominal_wh / 24.0
        soc = np.where(plant.in_slot >= 0, plant.soc()[plant.in_slot], 1.0)
        open_count = np.maximum((soc < 1.0 - 1e-3).sum(axis=1), 1)
        each = np.minimum(power_w / open_count, model.max_charge_w)
        return np.where(soc < 1.0, each[:, None], 0.0)

    def notes(self) -> dict[str, float]:
        """Return nothing."""
        return {}
