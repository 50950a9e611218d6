"""How long a cold plan takes, from packs to checked schedule. Run by hand; prints one JSON line.

usage: python tests/benchmarks/plan.py [STATIONS ...]      (60 and 200 by default)
"""

import json
import sys
import time
from itertools import pairwise

from service.domain.plan import StepGrid
from service.planning.build import build
from service.planning.check import check
from service.planning.disaggregate import disaggregate
from service.planning.examples import example_fleet, example_outlook
from service.planning.greedy import greedy
from service.planning.policies import Policy
from service.planning.solve import Unsolved, solve


def measure(stations: int) -> dict[str, object]:
    fleet = example_fleet(stations, seed=1)
    grid = StepGrid(fleet.at)
    outlook = example_outlook(fleet, grid, seed=1)
    marks = [time.perf_counter()]
    problem, jobs = build(fleet, grid, outlook, Policy())
    marks.append(time.perf_counter())
    plan = solve(problem, limit_s=120)
    if isinstance(plan, Unsolved):
        raise SystemExit(f"{stations} stations: {plan.status}")
    marks.append(time.perf_counter())
    violations = check(problem, plan)
    marks.append(time.perf_counter())
    for row, station in enumerate(fleet.stations):
        disaggregate(jobs[row], plan.energy_wh[row], problem.step_h, station.charger_efficiency)
    marks.append(time.perf_counter())
    quick = greedy(problem)
    marks.append(time.perf_counter())
    names = ("build_s", "solve_s", "check_s", "packs_s", "greedy_s")
    spans = {name: round(end - begin, 3) for name, (begin, end) in zip(names, pairwise(marks), strict=True)}
    return {
        "stations": stations,
        **spans,
        "gap": plan.gap,
        "check_ok": not violations and not check(problem, quick),
        "greedy_excess": round(quick.objective_jpy / plan.objective_jpy - 1, 5),
    }


def main() -> None:
    sizes = [int(each) for each in sys.argv[1:]] or [60, 200]
    print(json.dumps({"benchmark": "plan", "steps": 96, "fleets": [measure(size) for size in sizes]}))


if __name__ == "__main__":
    main()
