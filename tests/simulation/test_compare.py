"""Policies beside each other along the same days: books that close, decisions without a future, the bars on a real week."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.signal import Place, Signal
from service.grid.synthetic import synthetic_signals
from simulator.__main__ import main
from simulator.offline.compare import LEAST_ALIGNMENT_RATIO, MOST_PRICE_RATIO, books_off_wh, compare
from simulator.offline.market import KnownSignals, outturn
from simulator.offline.parallel import run_all
from simulator.offline.planned import Denchi
from simulator.offline.plant import OfflinePlant
from simulator.offline.policies import Sight
from simulator.offline.riding import Riding
from simulator.offline.run import Run, Task, pack_model
from simulator.scenario import load_scenario
from simulator.world import make_world

START = datetime(2026, 4, 5, 15, 0, tzinfo=UTC)
"""A midnight in Japan."""
AREA = Place("area", "kyushu")
TASK = Task(load_scenario("exchanger-30"), 4, 1, "kyushu", START, days=1, warm_up_days=1)
SUPPLY, PRICE = "series/jp_area_kyushu_hourly_FY2022.csv", "series/jepx_spot_FY2022_30min.csv"


def signals() -> list[Signal]:
    """Return synthetic prices and sun, and a surplus that somebody made up: 600 MW from 11:00 to 14:00."""
    begin = START - timedelta(days=3)
    found = synthetic_signals("kyushu", begin, 6, begin - timedelta(days=1))
    for hour in range(6 * 24):
        at = begin + timedelta(hours=hour)
        cut_w = 6e8 if 11 <= (at.hour + 9) % 24 < 14 else 0.0
        found.append(Signal("solar_curtailed_w", AREA, at, 3600, cut_w, at + timedelta(hours=2), "made up"))
    return found


def run(found: list[Signal], *names: str, processes: int = 1) -> dict[str, Run]:
    return run_all(names, TASK, KnownSignals(found, "kyushu"), lambda name, share: None, processes=processes)


@pytest.fixture(scope="module")
def runs() -> dict[str, Run]:
    """Both policies over one made-up day."""
    return run(signals(), "on_arrival", "denchi")


@pytest.fixture(scope="module")
def report(runs: dict[str, Run]) -> dict[str, Any]:
    """What the two come to."""
    return compare(list(runs.values()), TASK, outturn(signals(), "kyushu", START, TASK.periods))


def test_energy_books_close_to_the_watt_hour(runs: dict[str, Run]) -> None:
    for each in runs.values():
        assert books_off_wh(each) < 1.0
        charged_wh = each.stock["closed"].in_wh - each.stock["start"].in_wh
        charged_ac_wh = charged_wh / TASK.scenario.station.connection.charger_efficiency
        assert each.charged_ac_wh.sum() == pytest.approx(charged_ac_wh, abs=1.0)
        hours = TASK.periods / 2
        base_wh = TASK.stations * TASK.scenario.station.connection.base_load_ac_w * hours
        assert each.import_wh == pytest.approx(each.charged_ac_wh.sum() + base_wh, abs=1.0)
        assert each.over_limit_s == 0.0


def test_both_begin_with_the_same_stock_ride_the_same_energy_and_end_with_full_packs(
    runs: dict[str, Run], report: dict[str, Any]
) -> None:
    ours, rival = runs["denchi"], runs["on_arrival"]
    assert ours.stock["start"] == rival.stock["start"]
    assert ours.wanted_wh == rival.wanted_wh
    assert report["ratios"]["denchi"]["delivered"] == 1.0
    for name, each in runs.items():
        assert each.not_full == 0
        assert report["policies"][name]["unmet_kwh"] == 0.0
        settled_kwh = report["policies"][name]["settled_kwh"]
        ac_per_stored = 1 / (0.97 * TASK.scenario.station.connection.charger_efficiency)
        fullest_wh = max(other.stock["closed"].whole_wh for other in runs.values())
        assert settled_kwh == pytest.approx((fullest_wh - each.stock["closed"].whole_wh) * ac_per_stored / 1000, abs=1e-3)


def test_the_planner_pays_less_and_takes_more_of_the_surplus(report: dict[str, Any]) -> None:
    assert report["ratios"]["on_arrival"] == {"price": 1.0, "alignment": 1.0, "delivered": 1.0}
    assert report["ratios"]["denchi"]["price"] < 0.9
    assert report["ratios"]["denchi"]["alignment"] > 1.2


def test_the_same_seed_gives_the_same_bytes_also_in_processes_of_their_own(report: dict[str, Any]) -> None:
    again = run(signals(), "on_arrival", "denchi", processes=2)
    went = outturn(signals(), "kyushu", START, TASK.periods)
    assert json.dumps(compare(list(again.values()), TASK, went)) == json.dumps(report)


def test_what_was_cut_off_and_what_came_later_changes_no_decision(runs: dict[str, Run]) -> None:
    changed = [
        signal._replace(value=signal.value * 3 + 1e8) if signal.series == "solar_curtailed_w" else signal for signal in signals()
    ]
    late = TASK.closed_at + timedelta(seconds=1)
    changed += [signal._replace(value=-50.0, known_at=late, source="leak") for signal in signals()]
    np.testing.assert_array_equal(run(changed, "denchi")["denchi"].charged_ac_wh, runs["denchi"].charged_ac_wh)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 95),
    st.lists(st.tuples(st.integers(-200, 200), st.floats(-100, 1e3), st.integers(1, 10**6)), max_size=20),
    st.floats(0, 1e10),
)
def test_no_decision_changes_with_what_was_not_known_when_it_was_taken(
    step: int, later: list[tuple[int, float, int]], cut_w: float
) -> None:
    now = START + timedelta(minutes=15 * step)
    base = signals()
    leaks = [
        Signal(
            series,
            AREA,
            START + timedelta(minutes=30 * half),
            1800,
            max(value, 0.0) * 1e7 if series == "solar_w" else value,
            now + timedelta(seconds=ahead),
            "leak",
        )
        for half, value, ahead in later
        for series in ("price_jpy_per_kwh", "solar_w")
    ]
    outcomes = [signal._replace(value=cut_w) for signal in base if signal.series == "solar_curtailed_w"]
    np.testing.assert_array_equal(decision(base, now), decision([*leaks, *base, *outcomes], now))


def decision(found: list[Signal], now: datetime) -> Any:
    """Return what the planner lets each charger give, in a world that is the same each time."""
    world = make_world(TASK.scenario, 2, 1)
    plant, model = OfflinePlant(world), pack_model(TASK.scenario)
    plant.packs.stored_wh *= np.linspace(0.3, 1.0, plant.packs.stored_wh.size)
    handed = Riding(world, plant, model).handed
    return Denchi(Sight(world, model, plant, handed, KnownSignals(found, "kyushu"), "kyushu", START)).limits_w(now)


def test_what_is_known_does_change_a_decision() -> None:
    now = START + timedelta(hours=12)
    dear = [replace_price(signal, now) for signal in signals()]
    assert (decision(signals(), now) != decision(dear, now)).any()


def replace_price(signal: Signal, now: datetime) -> Signal:
    dear = signal.series == "price_jpy_per_kwh" and abs((signal.start_at - now).total_seconds()) < 3600
    return signal._replace(value=99.0) if dear else signal


def sample(name: str) -> str:
    """Return the path of a sample file."""
    folder = os.environ.get("DENCHI_SAMPLE_DATA")
    if not folder:
        pytest.skip("no sample data")
    return str(Path(folder) / name)


def compared(capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, Any]:
    words = ["compare", "--policies", "on_arrival,denchi", "--supply", sample(SUPPLY), "--price", sample(PRICE), "--json", *more]
    assert main(words) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


def test_two_days_of_real_files_are_compared_from_the_first_day_on(capsys: pytest.CaptureFixture[str]) -> None:
    told = compared(capsys, "--stations", "4", "--days", "2", "--processes", "1")
    assert told["start_at"] == "2022-04-03T00:00:00+09:00"
    assert told["curtailed_mwh"] == pytest.approx(13_200, abs=100)
    assert told["policies"]["denchi"]["unmet_kwh"] == 0.0
    assert told["ratios"]["denchi"]["price"] < 1.0 < told["ratios"]["denchi"]["alignment"]


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_curtailed_week_in_kyushu_holds_both_bars(capsys: pytest.CaptureFixture[str]) -> None:
    told = compared(capsys, "--days", "7")
    ours, entries = told["ratios"]["denchi"], told["policies"]
    assert told["stations"] == 60
    assert ours["price"] <= MOST_PRICE_RATIO
    assert ours["alignment"] >= LEAST_ALIGNMENT_RATIO
    assert ours["delivered"] == 1.0
    assert entries["denchi"]["packs_not_full"] == entries["on_arrival"]["packs_not_full"] == 0
    assert max(entry["settled_share"] for entry in entries.values()) < 0.01
    assert entries["denchi"]["wait_minutes"] == 0.0
    assert told["bars"] == {
        "price_ratio_at_most": 0.7,
        "alignment_ratio_at_least": 1.5,
        "price_holds": True,
        "alignment_holds": True,
        "delivered_equal": True,
    }
