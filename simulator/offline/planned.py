"""The planner of the service as a policy: readings -> forecast -> plan -> check -> packs, as the role `plan` does it.

There is no database here and no station: readings are the plant's, and what is planned is done.
"""

from datetime import datetime, timedelta

import numpy as np

from service.domain.fleet import FleetNow, HourCount, SlotNow, StationNow
from service.domain.plan import StepGrid
from service.forecast.demand import HISTORY_S, forecast_demand
from service.forecast.supply import HISTORY, forecast_supply
from service.planning.build import Outlook, build
from service.planning.disaggregate import disaggregate
from service.planning.planner import decide
from service.planning.policies import Policy
from simulator.offline.plant import Floats
from simulator.offline.policies import Sight
from simulator.offline.riding import packs_now

PRICE_TAKER = Policy(green_share=0.0, away_from_sun_jpy_per_kwh=1.0)
"""The operator holds no contracted volume: the market price is all there is, and among hours of the same price he wants those
with the most sun expected. Guess: 1 JPY/kWh, a tenth of what a day's prices differ by."""
SOLVE_LIMIT_S = 60.0
"""Wall seconds. Far from what a plan takes, so that no busy machine changes a result."""
ENOUGH_RETURNS = 20
"""Returned packs from which on their mean SoC is believed. Source: `service.state.load`, which may not be imported here."""


class Denchi:
    """One plan each time it is asked; of each plan only the running step is followed, then there is a new one."""

    def __init__(self, sight: Sight, policy: Policy = PRICE_TAKER) -> None:
        self._sight = sight
        self._policy = policy
        self.arriving_w = 0.0
        self._plans = self._greedy = 0
        self._shortfall_wh = 0.0

    def limits_w(self, now: datetime) -> Floats:
        """Return the power of each pack in the running step of a new plan.

        Raises
        ------
        UnlawfulPlanError, ProblemError
            No lawful plan can be made.
        """
        sight, policy = self._sight, self._policy
        grid = StepGrid(now)
        fleet = self._fleet(now)
        signals = sight.known.at(now, grid.start_at - HISTORY, grid.end_at)
        supply = forecast_supply(signals, sight.area, grid)
        demand = forecast_demand(fleet.stations, grid, policy.lead_h * 3600.0)
        outlook = Outlook(
            handed_out=demand.mean,
            lead_deviation=demand.lead_deviation,
            price_jpy_per_kwh=supply.price_jpy_per_kwh,
            renewable_w=supply.renewable_w,
            fleet_limit_w=supply.limit_w,
            price_source=supply.price_source,
        )
        problem, jobs = build(fleet, grid, outlook, policy)
        plan, _ = decide(problem, limit_s=SOLVE_LIMIT_S)
        self._plans += 1
        self._greedy += plan.engine == "greedy"
        self._shortfall_wh += float(plan.shortfall_wh.sum())
        limits = np.zeros(sight.plant.in_slot.shape)
        # Only the running step is used, and it does not depend on how later steps are given to packs.
        first = np.zeros(grid.step_count)
        for row, station in enumerate(fleet.stations):
            first[0] = plan.energy_wh[row, 0]
            powers = disaggregate(jobs[row], first, problem.step_h, station.charger_efficiency)
            limits[row, np.array(powers.slot_numbers, dtype=np.int64) - 1] = powers.power_dc_w[:, 0]
        return limits

    def notes(self) -> dict[str, float]:
        """Return how many plans there were, how many by greedy, and the shortfall that no plan could avoid."""
        return {
            "plans": self._plans,
            "plans_by_greedy": self._greedy,
            "shortfall_wh_per_plan": self._shortfall_wh / max(self._plans, 1),
        }

    def _fleet(self, now: datetime) -> FleetNow:
        sight = self._sight
        plant, world = sight.plant, sight.world
        since = now - timedelta(seconds=HISTORY_S)
        soc = plant.soc()
        slots = [
            tuple(
                SlotNow(slot + 1, "occupied" if number >= 0 else "empty", sight.model.max_charge_w, False)
                for slot, number in enumerate(row)
            )
            for row in plant.in_slot.tolist()
        ]
        back = [soc for at, soc in sight.handed.returned if at > since]
        # Station ids grow with their numbers, as the planner wants them.
        stations = tuple(
            StationNow(
                station_id=station.station_id,
                name=station.name,
                connected=True,
                heard_at=now,
                first_birth_at=sight.born_at,
                max_import_ac_w=plant.connection.max_import_ac_w,
                charger_efficiency=plant.connection.charger_efficiency,
                slots=slots[number],
                packs=packs_now(plant, number, sight.model, now, soc),
                handed_out=tuple(HourCount(hour, count) for hour, count in sight.handed.by_hour[number].items() if hour > since),
            )
            for number, station in enumerate(world.stations)
        )
        return FleetNow(
            at=now,
            stations=stations,
            models={sight.model.pack_model_id: sight.model},
            return_soc=sum(back) / len(back) if len(back) >= ENOUGH_RETURNS else None,
        )
