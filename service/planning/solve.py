"""The exact plan: the linear program given to GLOP as arrays. Small and medium fleets (up to some hundred stations)."""

from typing import Any, NamedTuple

import numpy as np
from ortools.linear_solver.python import model_builder_helper

from service.planning.model import LinearProgram, dual_bound, linear_program
from service.planning.plan import Plan, cost_jpy, coupling, gap_of, split_volume
from service.planning.problem import FloatArray, Problem
from service.planning.reasons import reasons

ENGINE = "glop"


_TRIES = ("", "use_preprocessing: false", "use_dual_simplex: true")
"""Parameters of GLOP, one try after the other: what is numerically hard for one way may be easy for another."""


class Unsolved(NamedTuple):
    """Why there is no plan: the last word of the solver, and whether the wall limit cut it off."""

    status: str
    cut_off: bool


def solve(problem: Problem, *, limit_s: float) -> Plan | Unsolved:
    """Return the optimal plan with its certificate, or why GLOP found none.

    Parameters
    ----------
    limit_s : wall seconds after which the solver is cut off. It only truncates: it never changes a plan that is returned.
    """
    program = linear_program(problem)
    builder: Any = model_builder_helper.ModelBuilderHelper()
    builder.fill_model_from_sparse_data(
        program.lower, program.upper, program.cost, program.row_lower, program.row_upper, program.matrix
    )
    used_s, said = 0.0, "nothing"
    for parameters in _TRIES:
        solver = model_builder_helper.ModelSolverHelper(ENGINE)
        solver.set_solver_specific_parameters(parameters)
        solver.set_time_limit_in_seconds(max(limit_s - used_s, 0.0))
        solver.solve(builder)
        if solver.has_solution() and solver.status() == model_builder_helper.SolveStatus.OPTIMAL:
            return _plan_of(problem, program, solver)
        said = solver.status().name.lower()
        used_s += solver.wall_time()
        if used_s >= limit_s:
            return Unsolved(said, cut_off=True)
    return Unsolved(said, cut_off=False)


def _plan_of(problem: Problem, program: LinearProgram, solver: Any) -> Plan:
    values = np.asarray(solver.variable_values(), dtype=np.float64)
    duals = np.asarray(solver.dual_values(), dtype=np.float64)
    return _plan(problem, program, values, duals)


def _plan(problem: Problem, program: LinearProgram, values: FloatArray, duals: FloatArray) -> Plan:
    cells = problem.station_count * problem.step_count
    shape = (problem.station_count, problem.step_count)
    inside = np.clip(values, program.lower, program.upper) * 1000.0
    pv = np.zeros(cells)
    pv[program.pv_cells] = inside[: program.pv_cells.size]
    own_pv = pv.reshape(shape)
    grid = inside[program.pv_cells.size : program.pv_cells.size + cells].reshape(shape)
    energy = own_pv + grid
    green, brown = split_volume(problem, grid)
    objective = cost_jpy(problem, energy, green, brown)
    # What floating point cost the certificate must not claim more than the plan: a bound is never above it.
    bound = min(dual_bound(program, duals), objective)
    return Plan(
        engine=ENGINE,
        energy_wh=energy,
        own_pv_wh=own_pv,
        grid_wh=grid,
        green_wh=green,
        brown_wh=brown,
        objective_jpy=objective,
        bound_jpy=bound,
        gap=gap_of(objective, bound),
        shortfall_wh=problem.shortfall_wh,
        coupled_by=coupling(problem, grid),
        reasons=reasons(problem, energy),
        truncated=False,
    )
