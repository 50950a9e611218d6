"""A problem and a plan survive the way through a file, bit for bit; anything else is refused with a reason."""

from pathlib import Path

import numpy as np
import pytest

from service.domain.plan import StepGrid
from service.planning.build import build
from service.planning.check import check
from service.planning.examples import example_fleet, example_outlook
from service.planning.files import FileFormatError, load_plan, load_problem, save_plan, save_problem
from service.planning.plan import Plan
from service.planning.policies import Policy
from service.planning.problem import Problem, ProblemError
from service.planning.solve import solve


@pytest.fixture(scope="module")
def problem() -> Problem:
    fleet = example_fleet(4, seed=5)
    grid = StepGrid(fleet.at)
    return build(fleet, grid, example_outlook(fleet, grid, 5), Policy())[0]


def test_a_problem_from_a_file_gives_the_same_plan_bit_for_bit(problem: Problem, tmp_path: Path) -> None:
    save_problem(problem, tmp_path / "problem.npz")
    again = load_problem(tmp_path / "problem.npz")
    plan, plan_again = solve(problem, limit_s=30), solve(again, limit_s=30)
    assert isinstance(plan, Plan)
    assert isinstance(plan_again, Plan)
    save_plan(plan, tmp_path / "a.npz")
    save_plan(plan_again, tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    judged = load_plan(tmp_path / "a.npz")
    assert check(again, judged) == ()
    assert judged.reasons == plan.reasons


def test_a_file_that_is_something_else_is_refused(problem: Problem, tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    with pytest.raises(FileFormatError, match="no problem file"):
        load_problem(path)
    path.write_text("hello")
    with pytest.raises(FileFormatError, match="no problem file"):
        load_problem(path)
    save_problem(problem, path)
    with pytest.raises(FileFormatError, match="no plan file"):
        load_plan(path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(FileFormatError, match="no problem file"):
        load_problem(path)


def test_a_problem_file_that_means_nothing_is_refused_by_name(problem: Problem, tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    save_problem(problem, path)
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    arrays["need_wh"] = arrays["need_wh"] - 1.0
    np.savez(path, **arrays)
    with pytest.raises(ProblemError, match="Negative"):
        load_problem(path)
    del arrays["green_wh"]
    np.savez(path, **arrays)
    with pytest.raises(FileFormatError, match=r"missing \['green_wh'\]"):
        load_problem(path)
