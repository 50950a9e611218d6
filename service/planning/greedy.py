"""The plan that always exists: station after station, each need met from its cheapest steps. No solver, no certificate.

Lawful by construction: in order of deadline every need is met from steps before it, and as long as a need can be met
at all there is room in some step (the sets of energies that fit are a polymatroid: what fits can be extended).
"""

import numpy as np

from service.planning.plan import Plan, cost_jpy, coupling, split_volume
from service.planning.problem import FloatArray, Problem
from service.planning.reasons import reasons

ENGINE = "greedy"
_ROOM_WH = 1e-7
"""Less room than this is no room [Wh]."""


def greedy(problem: Problem, *, truncated: bool = False) -> Plan:
    """Return a lawful plan, the station with the least room to move first. `truncated`: a solver was cut off before."""
    stations, steps = problem.station_count, problem.step_count
    grid, own_pv = np.zeros((stations, steps)), np.zeros((stations, steps))
    left_green = problem.green_wh.copy()
    slack = (problem.reach_wh - problem.need_wh).sum(axis=1)
    for station in np.argsort(slack, kind="stable"):
        own_pv[station], grid[station] = _station(problem, int(station), left_green)
        left_green = np.maximum(left_green - grid[station], 0.0)
    energy = own_pv + grid
    green, brown = split_volume(problem, grid)
    return Plan(
        engine=ENGINE,
        energy_wh=energy,
        own_pv_wh=own_pv,
        grid_wh=grid,
        green_wh=green,
        brown_wh=brown,
        objective_jpy=cost_jpy(problem, energy, green, brown),
        bound_jpy=None,
        gap=None,
        shortfall_wh=problem.shortfall_wh,
        coupled_by=coupling(problem, grid),
        reasons=reasons(problem, energy),
        truncated=truncated,
    )


def _station(problem: Problem, station: int, left_green: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return (own PV, grid) of one station (steps,) [Wh], given what is left of the held volume."""
    steps = problem.step_count
    need = problem.need_wh[station]
    room = problem.step_ceiling_wh[station].copy()
    pv_room = np.minimum(problem.own_pv_wh[station], room)
    connection = problem.connection_wh[station]
    pv, green, brown = np.zeros(steps), np.zeros(steps), np.zeros(steps)
    held = problem.holding_jpy_per_kwh_step * np.arange(steps, 0, -1)
    # Three tiers per step, in the order in which a step uses them: PV, held volume, beyond it.
    price = np.stack([held, problem.green_jpy_per_kwh + held, problem.brown_jpy_per_kwh + held])
    total = 0.0
    for step in range(steps):
        missing = need[step] - total
        while missing > _ROOM_WH:
            # Energy put into a step stays in the packs: it must fit under the reach of all steps from there to here.
            above = problem.reach_wh[station, : step + 1] - np.cumsum(pv + green + brown)[: step + 1]
            fits = np.minimum(room[: step + 1], np.minimum.accumulate(above[::-1])[::-1])
            grid_room = np.minimum(fits, (connection - green - brown)[: step + 1])
            rooms = np.stack(
                [
                    np.minimum((pv_room - pv)[: step + 1], fits),
                    np.minimum(grid_room, (left_green - green)[: step + 1]),
                    grid_room,
                ]
            )
            choice = np.where(rooms > _ROOM_WH, price[:, : step + 1], np.inf)
            place = int(np.argmin(choice))
            tier, at = divmod(place, step + 1)
            if not np.isfinite(choice[tier, at]):
                break
            amount = min(missing, float(rooms[tier, at]))
            (pv, green, brown)[tier][at] += amount
            room[at] -= amount
            missing -= amount
            total += amount
    return pv, green + brown
