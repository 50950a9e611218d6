"""Is a plan lawful? Recomputes everything from the problem; knows no solver and believes no number of the plan."""

from typing import NamedTuple

import numpy as np

from service.planning.plan import Plan, cost_jpy, coupling, gap_of
from service.planning.problem import FloatArray, Problem

SLACK_WH = 0.05
"""What a plan may be off in one number [Wh]: floating point of a solver that counts in kWh; one pack holds 20,000 times that."""
SLACK_RELATIVE = 1e-6
"""What an objective may be off, as a share of itself."""


class Violation(NamedTuple):
    """One broken rule, where it is broken most, and by how much (Wh, or JPY for objective and bound)."""

    name: str
    station_id: str | None
    step: int | None
    excess: float


def check(problem: Problem, plan: Plan) -> tuple[Violation, ...]:
    """Return every rule that a plan breaks, each with its worst place; empty when the plan is lawful.

    Names: Shape, NotFinite, Negative, BelowNeed, AboveReach, AboveChargers, AboveConnection, AbovePv, Balance,
    FleetBalance, AboveVolume, Shortfall, Objective, Bound, Gap, Coupling, Reasons.
    """
    shapes = _shapes(problem, plan)
    if shapes:
        return shapes
    energy, pv, grid = plan.energy_wh, plan.own_pv_wh, plan.grid_wh
    level = np.cumsum(energy, axis=1)
    fleet = grid.sum(axis=0)
    slack_of_sum = SLACK_WH * max(1.0, np.sqrt(problem.station_count))
    found = [
        *_worst(problem, "Negative", -np.minimum(np.minimum(energy, pv), grid), SLACK_WH),
        *_worst(problem, "BelowNeed", problem.need_wh - level, SLACK_WH),
        *_worst(problem, "AboveReach", level - problem.reach_wh, SLACK_WH),
        *_worst(problem, "AboveChargers", energy - problem.step_limit_wh, SLACK_WH),
        *_worst(problem, "AboveConnection", grid - problem.connection_wh, SLACK_WH),
        *_worst(problem, "AbovePv", pv - problem.own_pv_wh, SLACK_WH),
        *_worst(problem, "Balance", np.abs(energy - pv - grid), SLACK_WH),
        *_worst(problem, "Negative", -np.minimum(plan.green_wh, plan.brown_wh)[None, :], SLACK_WH),
        *_worst(problem, "FleetBalance", np.abs(fleet - plan.green_wh - plan.brown_wh)[None, :], slack_of_sum),
        *_worst(problem, "AboveVolume", (plan.green_wh - problem.green_wh)[None, :], SLACK_WH),
        *_worst(problem, "Shortfall", np.abs(plan.shortfall_wh - problem.shortfall_wh)[:, None], SLACK_WH),
    ]
    return (*found, *_words(problem, plan))


def _words(problem: Problem, plan: Plan) -> list[Violation]:
    """Judge what a plan says of itself: cost, bound, gap, coupling, reasons."""
    found: list[Violation] = []
    objective = cost_jpy(problem, plan.energy_wh, plan.green_wh, plan.brown_wh)
    slack = SLACK_RELATIVE * max(1.0, abs(objective))
    if not abs(objective - plan.objective_jpy) <= slack:
        found.append(Violation("Objective", None, None, abs(objective - plan.objective_jpy)))
    if plan.bound_jpy is not None and not plan.bound_jpy <= objective + slack:
        found.append(Violation("Bound", None, None, plan.bound_jpy - objective))
    gap = gap_of(plan.objective_jpy, plan.bound_jpy)
    if (gap is None) != (plan.gap is None) or (gap is not None and plan.gap is not None and not abs(gap - plan.gap) <= 1e-9):
        found.append(Violation("Gap", None, None, abs((gap or 0.0) - (plan.gap or 0.0))))
    if plan.coupled_by != coupling(problem, plan.grid_wh):
        found.append(Violation("Coupling", None, None, 0.0))
    if len(plan.reasons) != problem.station_count or not all(plan.reasons):
        found.append(Violation("Reasons", None, None, 0.0))
    return found


def _shapes(problem: Problem, plan: Plan) -> tuple[Violation, ...]:
    table, row = (problem.station_count, problem.step_count), (problem.step_count,)
    wanted = {"energy_wh": table, "own_pv_wh": table, "grid_wh": table, "green_wh": row, "brown_wh": row}
    found = []
    for name, shape in (wanted | {"shortfall_wh": (problem.station_count,)}).items():
        array: FloatArray = getattr(plan, name)
        if array.shape != shape:
            found.append(Violation("Shape", None, None, 0.0))
        elif not np.isfinite(array).all():
            found.append(Violation("NotFinite", None, None, float("nan")))
    if not np.isfinite([plan.objective_jpy, plan.bound_jpy or 0.0, plan.gap or 0.0]).all():
        found.append(Violation("NotFinite", None, None, float("nan")))
    return tuple(found)


def _worst(problem: Problem, name: str, excess: FloatArray, slack: float) -> list[Violation]:
    """Return the worst place of one rule; a single row is the whole fleet, a single column has no step."""
    if excess.size == 0 or not excess.max() > slack:
        return []
    row, column = (int(at) for at in np.unravel_index(int(np.argmax(excess)), excess.shape))
    of_fleet = excess.shape[0] == 1 and name in ("FleetBalance", "AboveVolume", "Negative")
    station_id = None if of_fleet else problem.station_ids[row]
    return [Violation(name, station_id, None if name == "Shortfall" else column, float(excess[row, column]))]
