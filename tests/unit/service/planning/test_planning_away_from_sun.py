"""Among hours of about the same price the sunnier may be preferred; without that wish the price is the price."""

from dataclasses import replace

import numpy as np

from service.domain.plan import StepGrid
from service.planning.build import Outlook, build
from service.planning.examples import NOW, example_fleet, example_outlook
from service.planning.planner import decide
from service.planning.policies import Policy

GRID = StepGrid(NOW)
FLEET = example_fleet(4, 3)
PLAIN, FOND = Policy(green_share=0.0), Policy(green_share=0.0, away_from_sun_jpy_per_kwh=1.0)


def flat_at_noon() -> Outlook:
    """Return prices with a floor of eight hours and a sun that peaks within them."""
    outlook = example_outlook(FLEET, GRID, 3)
    return replace(outlook, price_jpy_per_kwh=np.where(outlook.renewable_w > 0.3e6, 0.01, 20.0))


def sun_taken(policy: Policy, outlook: Outlook) -> float:
    """Return the mean sun of the energy that is planned, 1 at the strongest."""
    plan, violations = decide(build(FLEET, GRID, outlook, policy)[0], limit_s=60)
    assert not violations
    fleet_wh = plan.energy_wh.sum(axis=0)
    return float(fleet_wh @ outlook.renewable_w / fleet_wh.sum() / outlook.renewable_w.max())


def test_the_wish_moves_energy_to_the_sunniest_of_equally_cheap_hours() -> None:
    outlook = flat_at_noon()
    assert sun_taken(FOND, outlook) > sun_taken(PLAIN, outlook) + 0.05


def test_without_the_wish_the_price_is_the_market_s() -> None:
    outlook = flat_at_noon()
    problem, _ = build(FLEET, GRID, outlook, PLAIN)
    np.testing.assert_array_equal(problem.brown_jpy_per_kwh, outlook.price_jpy_per_kwh)


def test_the_wish_costs_nothing_at_the_strongest_sun_and_its_full_worth_in_the_dark() -> None:
    outlook = flat_at_noon()
    problem, _ = build(FLEET, GRID, outlook, FOND)
    extra = problem.brown_jpy_per_kwh - outlook.price_jpy_per_kwh
    assert extra[np.argmax(outlook.renewable_w)] == 0.0
    np.testing.assert_allclose(extra[outlook.renewable_w == 0.0], 1.0)


def test_where_no_sun_is_expected_at_all_the_wish_is_nothing() -> None:
    outlook = replace(flat_at_noon(), renewable_w=np.zeros(GRID.step_count))
    problem, _ = build(FLEET, GRID, outlook, FOND)
    np.testing.assert_array_equal(problem.brown_jpy_per_kwh, outlook.price_jpy_per_kwh)
