"""One decision: solve, check, and fall back to greedy when the solver is cut off, fails or is wrong."""

from service.planning.check import Violation, check
from service.planning.greedy import greedy
from service.planning.plan import Plan
from service.planning.problem import Problem
from service.planning.solve import Unsolved, solve


class UnlawfulPlanError(RuntimeError):
    """Even the greedy plan breaks a rule: the problem or the code is broken. `violations` says which."""

    def __init__(self, violations: tuple[Violation, ...]) -> None:
        super().__init__(f"no lawful plan: {', '.join(sorted({violation.name for violation in violations}))}")
        self.violations = violations


def decide(problem: Problem, *, limit_s: float) -> tuple[Plan, tuple[Violation, ...]]:
    """Return a lawful plan and what was wrong with the solver or its plan, if greedy had to step in for that.

    Raises
    ------
    UnlawfulPlanError
        When no plan is lawful; nothing may then be sent to any station.
    """
    best = solve(problem, limit_s=limit_s)
    if isinstance(best, Unsolved):
        wrong: tuple[Violation, ...] = () if best.cut_off else (Violation(f"Solver: {best.status}", None, None, 0.0),)
        plan = greedy(problem, truncated=best.cut_off)
    else:
        wrong = check(problem, best)
        if not wrong:
            return best, ()
        plan = greedy(problem)
    violations = check(problem, plan)
    if violations:
        raise UnlawfulPlanError(violations)
    return plan, wrong
