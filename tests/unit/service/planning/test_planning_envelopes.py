"""Charge curve and envelopes of single packs, against numbers one can work out on paper."""

from typing import Any

import numpy as np
import pytest

from service.domain.charging import KNEE_SOC, TAIL_SHARE, ChargeCurve
from service.planning.envelopes import Due, Job, deadlines, envelope, project

CURVE = ChargeCurve(capacity_wh=1000.0, power_w=400.0)
QUARTERS = np.full(12, 0.25)


def job(energy_wh: float, target_wh: float = 800.0) -> Job:
    return Job("P1", 1, energy_wh, 600.0, target_wh, CURVE)


def full_by(due: np.ndarray[Any, np.dtype[np.float64]]) -> Due:
    return Due(ready=due, full=due)


def test_below_the_knee_power_is_constant() -> None:
    np.testing.assert_allclose(CURVE.gained(0.0, [0.25, 1.0, 2.0], 1000.0), [100, 400, 800])


def test_above_the_knee_power_falls_to_the_tail() -> None:
    at = np.array([CURVE.hours_at(KNEE_SOC * 1000.0), CURVE.full_h])
    power = (CURVE.energy_at(at) - CURVE.energy_at(at - 1e-6)) / 1e-6
    np.testing.assert_allclose(power, [400.0, 400.0 * TAIL_SHARE], rtol=1e-3)
    assert CURVE.energy_at(CURVE.full_h) == pytest.approx(1000.0)


def test_time_and_energy_are_inverse_to_each_other() -> None:
    energies = np.linspace(0, 1000, 21)
    np.testing.assert_allclose(CURVE.energy_at(CURVE.hours_at(energies)), energies, atol=1e-9)


def test_a_curve_without_power_is_refused() -> None:
    with pytest.raises(ValueError, match="no charge curve"):
        ChargeCurve(1000.0, 0.0)


def test_one_pack_is_charged_as_soon_and_as_late_as_possible() -> None:
    # 250 Wh missing below the knee: 2.5 quarters at 100 Wh; due by the end of the fifth quarter (index 4).
    due = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1], dtype=float)
    curves = envelope([job(550.0)], full_by(due), np.zeros(12), None, QUARTERS)
    np.testing.assert_allclose(curves.reach_wh[:4], [100, 200, 250, 250])
    np.testing.assert_allclose(curves.need_wh, [0, 0, 50, 150, 250, *[250.0] * 7])


def test_what_is_left_of_step_0_is_all_that_can_be_used_of_it() -> None:
    step_h = np.array([0.05, *[0.25] * 11])
    curves = envelope([job(550.0)], full_by(np.zeros(12)), np.zeros(12), None, step_h)
    np.testing.assert_allclose(curves.reach_wh[:3], [20, 120, 220])


def test_a_returned_pack_can_be_charged_from_the_step_after_it_came() -> None:
    handed_out = np.zeros(12)
    handed_out[3] = 1.0
    curves = envelope([], full_by(np.zeros(12)), handed_out, job(300.0), QUARTERS)
    np.testing.assert_allclose(curves.reach_wh[2:7], [0, 0, 100, 200, 300])
    assert curves.need_wh.max() == 0


def test_the_safety_stock_must_be_ready_and_need_not_be_full() -> None:
    # 50 Wh to ready, due at once; 250 Wh to full, due by the end of the eighth quarter.
    full = np.array([0] * 7 + [1] * 5, dtype=float)
    curves = envelope([job(550.0)], Due(ready=np.ones(12), full=full), np.zeros(12), None, QUARTERS)
    np.testing.assert_allclose(curves.need_ready_wh, np.full(12, 50.0))
    np.testing.assert_allclose(curves.need_wh, [50, 50, 50, 50, 50, 50, 150, 250, 250, 250, 250, 250])


def test_counts_of_packs_due_never_fall_and_what_is_full_is_ready() -> None:
    due = Due(ready=np.array([2.0, 0.0, 1.0]), full=np.array([0.0, 3.0, 2.0]))
    np.testing.assert_allclose(due.ready, [2, 3, 3])
    np.testing.assert_allclose(due.full, [0, 3, 3])
    assert deadlines(4, np.array([0.5, 1.0, 3.0])) == [1, 2, 2, None]


def test_what_cannot_be_reached_is_a_shortfall_and_leaves_the_need() -> None:
    need, short = project(np.array([[300.0, 300.0]]), np.array([[500.0, 500.0]]), np.array([[200.0, 200.0]]))
    np.testing.assert_allclose(need, [[200.0, 300.0]])
    np.testing.assert_allclose(short, [100.0])
