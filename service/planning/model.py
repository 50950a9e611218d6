"""The linear program as arrays: columns, rows and the coefficients between them. Which solver reads them is in `solve`.

Columns: own PV used (only where there is any) | grid draw | cumulative energy | green | brown, in kWh.
Rows: balance of each station and step | charger limit where PV and grid together could exceed it | fleet balance.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sparse

from service.planning.problem import FloatArray, Problem


@dataclass(frozen=True, slots=True)
class LinearProgram:
    """min cost @ x, row_lower <= matrix @ x <= row_upper, lower <= x <= upper. All bounds but those of rows are finite."""

    cost: FloatArray
    lower: FloatArray
    upper: FloatArray
    matrix: Any
    row_lower: FloatArray
    row_upper: FloatArray
    pv_cells: np.ndarray[Any, np.dtype[np.int64]]
    """Which (station, step), flattened, have a PV column."""


def linear_program(problem: Problem) -> LinearProgram:
    """Write the problem as a linear program."""
    stations, steps = problem.station_count, problem.step_count
    cells = stations * steps
    cell = np.arange(cells)
    step = cell % steps
    ceiling = problem.step_ceiling_wh
    pv = np.flatnonzero(problem.own_pv_wh > 0)
    tight = pv[(problem.own_pv_wh + problem.connection_wh > problem.step_limit_wh).ravel()[pv]]
    grid_at, energy_at = pv.size, pv.size + cells
    green_at, brown_at = energy_at + cells, energy_at + cells + steps
    columns = brown_at + steps

    upper = np.empty(columns)
    upper[:grid_at] = np.minimum(problem.own_pv_wh, problem.step_limit_wh).ravel()[pv]
    upper[grid_at:energy_at] = np.minimum(problem.connection_wh, problem.step_limit_wh).ravel()
    upper[energy_at:green_at] = np.maximum(problem.reach_wh, problem.need_wh).ravel()
    upper[green_at:brown_at] = problem.green_wh
    upper[brown_at:] = ceiling.sum(axis=0)
    lower = np.zeros(columns)
    lower[energy_at:green_at] = problem.need_wh.ravel()
    cost = np.zeros(columns)
    cost[energy_at:green_at] = problem.holding_jpy_per_kwh_step
    cost[green_at:brown_at] = problem.green_jpy_per_kwh
    cost[brown_at:] = problem.brown_jpy_per_kwh

    later = cell[step > 0]
    limit_at, fleet_at = cells, cells + tight.size
    all_steps = np.arange(steps)
    place_of_pv = np.full(cells, -1)
    place_of_pv[pv] = np.arange(pv.size)
    parts = [
        (cell, energy_at + cell, 1.0),
        (later, energy_at + later - 1, -1.0),
        (cell, grid_at + cell, -1.0),
        (pv, place_of_pv[pv], -1.0),
        (limit_at + np.arange(tight.size), place_of_pv[tight], 1.0),
        (limit_at + np.arange(tight.size), grid_at + tight, 1.0),
        (fleet_at + step, grid_at + cell, 1.0),
        (fleet_at + all_steps, green_at + all_steps, -1.0),
        (fleet_at + all_steps, brown_at + all_steps, -1.0),
    ]
    row = np.concatenate([part[0] for part in parts])
    column = np.concatenate([part[1] for part in parts])
    value = np.concatenate([np.full(part[0].size, part[2]) for part in parts])
    rows = fleet_at + steps
    row_lower, row_upper = np.zeros(rows), np.zeros(rows)
    row_lower[limit_at:fleet_at] = -np.inf
    row_upper[limit_at:fleet_at] = problem.step_limit_wh.ravel()[tight] / 1000.0
    return LinearProgram(
        cost=cost,
        lower=lower / 1000.0,
        upper=upper / 1000.0,
        matrix=sparse.csr_matrix((value, (row, column)), shape=(rows, columns)),
        row_lower=row_lower,
        row_upper=row_upper,
        pv_cells=pv,
    )


def dual_bound(program: LinearProgram, duals: FloatArray) -> float:
    """Return the lower bound that row prices prove, whatever made them [JPY].

    By weak duality any price vector gives a bound; wrong signs are set to zero first. No column is unbounded, so the
    bound is finite.
    """
    prices = np.where(np.isinf(program.row_lower) & (duals > 0), 0.0, duals)
    bound_of_row = np.where(prices > 0, program.row_lower, program.row_upper)
    rows = np.where(prices == 0, 0.0, prices * np.where(prices == 0, 0.0, bound_of_row)).sum()
    reduced = program.cost - program.matrix.T @ prices
    return float(rows + np.where(reduced > 0, reduced * program.lower, reduced * program.upper).sum())
