"""One policy over some days: a common warm-up, the days that count, and a closing in which all packs at stations are filled.

The warm-up is on arrival whatever the policy, so that all policies begin with the same stock in the same places. In the closing
nobody rides and everything charges at full power at once, at the prices of those hours, so that no policy lives on its stock.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from service.domain.pack import PackModel
from simulator.offline.catalogue import POLICIES
from simulator.offline.market import PERIOD_S, KnownSignals
from simulator.offline.plant import OfflinePlant
from simulator.offline.policies import Charging, OnArrival, Sight
from simulator.offline.riding import Riding
from simulator.physics.pack import MOBILE_POWER_PACK
from simulator.scenario import Scenario
from simulator.world import make_world

CLOSING_H = 8
"""How long the closing lasts. An empty pack takes five hours."""
CYCLE_S = 900
"""How often a policy is asked, one step of the planner's grid. The service asks every minute."""
STEP_S = 60
"""Step of the plant; swaps happen between two steps."""
FULL_SOC = 0.999
Tell = Callable[[str, float], None]
"""Told is the policy and which share of its days is done."""


@dataclass(frozen=True, slots=True)
class Task:
    """What every policy is given alike."""

    scenario: Scenario
    stations: int
    seed: int
    area: str
    start_at: datetime
    """When the days that count begin."""
    days: int
    warm_up_days: int
    cycle_s: int = CYCLE_S

    @property
    def born_at(self) -> datetime:
        """Return when the warm-up begins."""
        return self.start_at - timedelta(days=self.warm_up_days)

    @property
    def end_at(self) -> datetime:
        """Return when the days that count are over."""
        return self.start_at + timedelta(days=self.days)

    @property
    def closed_at(self) -> datetime:
        """Return when the closing is over."""
        return self.end_at + timedelta(hours=CLOSING_H)

    @property
    def periods(self) -> int:
        """Return how many half hours are in the books, closing included."""
        return round((self.closed_at - self.start_at).total_seconds() / PERIOD_S)


@dataclass(slots=True)
class Stock:
    """Energy stored in packs [Wh], and what has flowed so far."""

    stations_wh: float
    vehicles_wh: float
    in_wh: float
    out_wh: float
    lost_wh: float

    @property
    def whole_wh(self) -> float:
        """Return the energy in all packs."""
        return self.stations_wh + self.vehicles_wh


@dataclass(slots=True)
class Run:
    """What one policy did. Energies count from the start of the days that count."""

    policy: str
    charged_ac_wh: NDArray[np.float64]
    """What the chargers of the fleet took from the mains; axis (periods,), closing included."""
    stock: dict[str, Stock]
    """At `start`, `end` and `closed`."""
    wanted_wh: float
    """What riders wanted to ride, at the packs' terminals."""
    swaps: int
    packs: int
    hand_out_soc: float
    elsewhere: int
    waited: int
    wait_s: float
    not_full: int
    """Packs at stations that are not full at the very end."""
    import_wh: float
    """All meters, with the stations' own needs, closing included."""
    over_limit_s: float
    notes: dict[str, float] = field(default_factory=dict)


def run_policy(name: str, task: Task, known: KnownSignals, tell: Tell) -> Run:
    """Run one policy. The same arguments give the same run, to the last bit."""
    return _Days(name, task, known, tell).run()


class _Days:
    """One run under way."""

    def __init__(self, name: str, task: Task, known: KnownSignals, tell: Tell) -> None:
        self._name, self._task, self._tell = name, task, tell
        world = make_world(task.scenario, task.stations, task.seed)
        model = pack_model(task.scenario)
        self._plant = OfflinePlant(world)
        self._riding = Riding(world, self._plant, model)
        sight = Sight(world, model, self._plant, self._riding.handed, known, task.area, task.born_at)
        self._warm_up: Charging = OnArrival(sight)
        self._policy: Charging = POLICIES[name][0](sight)
        self._charged_ac_wh = np.zeros(task.periods)
        self._wanted_wh = 0.0

    def run(self) -> Run:
        task, plant, handed = self._task, self._plant, self._riding.handed
        self._go(self._warm_up, task.born_at, task.start_at, rides=True)
        handed.reset()
        self._wanted_wh = 0.0
        meters = plant.meters
        import_wh, over_limit_s = float(meters.import_wh.sum()), float(meters.over_limit_s.sum())
        stock = {"start": self._stock()}
        self._go(self._policy, task.start_at, task.end_at, rides=True)
        stock["end"] = self._stock()
        self._go(self._warm_up, task.end_at, task.closed_at, rides=False)
        stock["closed"] = self._stock()
        inside = plant.in_slot[plant.in_slot >= 0]
        return Run(
            policy=self._name,
            charged_ac_wh=self._charged_ac_wh,
            stock=stock,
            wanted_wh=self._wanted_wh,
            swaps=handed.swaps,
            packs=handed.packs,
            hand_out_soc=handed.soc_sum / max(handed.packs, 1),
            elsewhere=handed.elsewhere,
            waited=handed.waited,
            wait_s=handed.wait_s,
            not_full=int(np.count_nonzero(plant.soc()[inside] < FULL_SOC)),
            import_wh=float(meters.import_wh.sum()) - import_wh,
            over_limit_s=float(meters.over_limit_s.sum()) - over_limit_s,
            notes=self._policy.notes(),
        )

    def _go(self, policy: Charging, begin: datetime, end: datetime, *, rides: bool) -> None:
        task, plant = self._task, self._plant
        whole = task.closed_at - task.born_at
        for second in range(0, round((end - begin).total_seconds()), STEP_S):
            now = begin + timedelta(seconds=second)
            if second % task.cycle_s == 0:
                plant.slot_limit_w = policy.limits_w(now)
                self._tell(self._name, (now - task.born_at) / whole)
            level = task.scenario.demand.riding_at(now) if rides else 0.0
            charged_ac_wh, wanted_wh = plant.step(STEP_S, level)
            self._wanted_wh += wanted_wh
            if now >= task.start_at:
                self._charged_ac_wh[int((now - task.start_at).total_seconds()) // PERIOD_S] += charged_ac_wh
            if rides:
                self._riding.swap_all(now + timedelta(seconds=STEP_S), STEP_S, policy.arriving_w)
        self._tell(self._name, (end - task.born_at) / whole)

    def _stock(self) -> Stock:
        packs = self._plant.packs
        stations_wh, vehicles_wh = self._plant.stored_wh()
        return Stock(
            stations_wh,
            vehicles_wh,
            float(packs.energy_in_wh.sum()),
            float(packs.energy_out_wh.sum()),
            float(packs.loss_wh.sum()),
        )


def pack_model(scenario: Scenario) -> PackModel:
    """Return what the service is told of this world's packs."""
    kind, terms = MOBILE_POWER_PACK, scenario.pack_model
    return PackModel(
        pack_model_id=terms.pack_model_id,
        nominal_wh=kind.nominal_wh,
        nominal_v=kind.nominal_v,
        max_charge_w=kind.max_charge_w,
        hand_out_soc=terms.hand_out_soc,
        target_soc=terms.target_soc,
    )
