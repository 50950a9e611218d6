"""Price, alignment and the bars, worked out by hand on one day."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from simulator.offline.compare import compare, figures
from simulator.offline.market import Outturn
from simulator.offline.run import Run, Stock, Task
from simulator.offline.table import verdict
from simulator.scenario import load_scenario

START = datetime(2026, 4, 5, 15, 0, tzinfo=UTC)
TASK = Task(load_scenario("exchanger-30"), 2, 1, "kyushu", START, days=1, warm_up_days=0)
NOON = slice(24, 28)
"""Two hours with 300 MW cut off and energy for nothing; otherwise 20 JPY/kWh."""


def went() -> Outturn:
    price, cut = np.full(TASK.periods, 20.0), np.zeros(TASK.periods)
    price[NOON], cut[NOON] = 0.0, 3e8
    return Outturn(START, price, cut)


def run(policy: str, charged_ac_wh: np.ndarray[Any, Any], *, left_wh: float = 50_000.0, ridden_wh: float = 40_000.0) -> Run:
    begin, end = Stock(30_000.0, 20_000.0, 0.0, 0.0, 0.0), Stock(30_000.0, left_wh - 30_000.0, 0.0, ridden_wh, 0.0)
    return Run(policy, charged_ac_wh, {"start": begin, "end": end, "closed": end}, ridden_wh, 9, 9, 0.9, 0, 0, 0.0, 0, 0.0, 0.0)


def level(watt_hours: float) -> np.ndarray[Any, Any]:
    charged = np.zeros(TASK.periods)
    charged[:48] = watt_hours
    return charged


def at_noon(watt_hours: float) -> np.ndarray[Any, Any]:
    charged = np.zeros(TASK.periods)
    charged[NOON] = watt_hours
    return charged


def test_a_constant_load_has_alignment_one_and_pays_the_mean_price() -> None:
    found = figures(run("uniform", level(1000.0)), TASK, went(), periods=48)
    assert found.alignment == pytest.approx(1.0)
    assert found.price_jpy_per_kwh == pytest.approx(20.0 * 44 / 48)
    assert found.surplus_share == pytest.approx(4 / 48)


def test_all_energy_in_the_hours_of_surplus_is_as_aligned_as_can_be() -> None:
    found = figures(run("noon", at_noon(12_000.0)), TASK, went(), periods=48)
    assert found.alignment == pytest.approx(12.0)
    assert (found.price_jpy_per_kwh, found.surplus_share, found.energy_kwh) == (0.0, 1.0, 48.0)


def test_hours_of_the_closing_cost_money_and_do_not_thin_out_the_mean_load() -> None:
    charged = level(1000.0)
    charged[48:] = 500.0
    with_closing = figures(run("uniform", charged), TASK, went(), periods=TASK.periods)
    assert with_closing.energy_kwh == pytest.approx(48 + 8)
    assert with_closing.alignment == pytest.approx(48 / 56)
    assert with_closing.cost_jpy == pytest.approx(20.0 * (44 + 8))


def test_what_a_run_leaves_less_in_its_packs_is_bought_evenly_over_the_days() -> None:
    report: dict[str, Any] = compare(
        [run("on_arrival", level(1000.0)), run("denchi", at_noon(10_000.0), left_wh=40_000.0)], TASK, went()
    )
    owed_kwh = 10.0 / (0.97 * 0.93)
    entry = report["policies"]["denchi"]
    assert entry["settled_kwh"] == pytest.approx(owed_kwh, abs=1e-3)
    assert entry["energy_kwh"] == pytest.approx(40.0 + owed_kwh, abs=1e-3)
    assert entry["cost_jpy"] == pytest.approx(owed_kwh * 20.0 * 44 / 48, abs=1e-2)
    assert entry["alignment"] == pytest.approx((40.0 * 12 + owed_kwh) / (40.0 + owed_kwh), abs=1e-3)
    assert report["policies"]["on_arrival"]["settled_kwh"] == 0.0


@pytest.mark.parametrize(
    ("ours", "price_holds", "alignment_holds"),
    [(at_noon(12_000.0), True, True), (level(1000.0), False, False), (level(600.0) + at_noon(1000.0), False, True)],
)
def test_bars_hold_or_are_missed_in_plain_words(ours: np.ndarray[Any, Any], price_holds: bool, alignment_holds: bool) -> None:
    report: dict[str, Any] = compare([run("on_arrival", level(1000.0)), run("denchi", ours)], TASK, went())
    assert (report["bars"]["price_holds"], report["bars"]["alignment_holds"]) == (price_holds, alignment_holds)
    price, alignment, delivered = verdict(report)
    assert price.endswith("holds." if price_holds else "MISSED.")
    assert alignment.endswith("holds." if alignment_holds else "MISSED.")
    assert delivered == "Delivered energy is the same."


def test_less_energy_delivered_is_said_and_nothing_is_judged_without_both() -> None:
    hungry = run("denchi", at_noon(12_000.0), ridden_wh=39_000.0)
    report: dict[str, Any] = compare([run("on_arrival", level(1000.0)), hungry], TASK, went())
    assert report["bars"]["delivered_equal"] is False
    assert "NOT the same" in verdict(report)[2]
    assert compare([run("denchi", level(1.0)), run("night", level(1.0))], TASK, went())["bars"] is None
