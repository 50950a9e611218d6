"""The chart of today and the area's series in it, from signals and rows made by hand."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from service.console.area_series import AREA_SERIES, AreaSeries, area_series, wanted_from
from service.console.chart_options import COLUMNS, LEGEND
from service.console.power_chart import chart_start, power_chart, sources_text
from service.domain.signal import OUTCOMES, Place, Series, Signal
from service.forecast.supply import HISTORY
from service.store.fleet import MeasuredPower, PlanRow

NOW = datetime(2026, 4, 6, 4, 40, tzinfo=UTC)  # 13:40 in Japan
MIDNIGHT = datetime(2026, 4, 5, 15, tzinfo=UTC)
KYUSHU = Place("area", "kyushu")
PLAN = PlanRow(
    plan_id="pln_1",
    made_at=NOW - timedelta(seconds=20),
    start_at=NOW - timedelta(minutes=10),
    step_s=900,
    engine="glop",
    coupled_by=(),
    gap=0.0012,
    shortfall_wh=0,
    truncated=False,
    solve_s=0.2,
    price_source="synthetic",
    supply_source="synthetic",
    fleet_ac_w=(1000.0, 2000.0),
    price_jpy_per_kwh=(10.0, 12.5),
    renewable_w=(0.0, 500.0),
)


def signal(
    series: Series, minutes: float, value: float, *, period_s: int = 1800, known: datetime = MIDNIGHT, source: str = "kyuden"
) -> Signal:
    return Signal(series, KYUSHU, MIDNIGHT + timedelta(minutes=minutes), period_s, value, known, source)


def at_minute(area: AreaSeries, values: tuple[float | None, ...], minutes: int) -> float | None:
    assert len(values) == len(area.generated_w)
    return values[minutes // 5]


def drawn(options: dict, name: str) -> dict[datetime, float]:
    column = COLUMNS.index(name)
    nine_hours = timedelta(hours=9)
    return {
        datetime.fromtimestamp(row[0] / 1000, UTC) - nine_hours: row[column]
        for row in options["dataset"]["source"]
        if row[column] is not None
    }


# --- the area -------------------------------------------------------------------------------------------------------------------


def test_sun_and_wind_add_up_and_what_was_cut_off_stays_apart() -> None:
    signals = [
        signal("solar_w", 0, 1e9),
        signal("wind_w", 0, 2e8),
        signal("solar_w", 30, -3e6),
        signal("solar_curtailed_w", 0, 4e8),
    ]
    area = area_series(signals, "kyushu", MIDNIGHT, NOW)
    assert [at_minute(area, area.generated_w, minute) for minute in (0, 25, 30, 60)] == [1.2e9, 1.2e9, 0.0, None]
    assert [at_minute(area, area.cut_off_w, minute) for minute in (25, 30)] == [4e8, None]


def test_a_correction_wins_and_what_is_made_up_fills_no_gap_of_those_who_know() -> None:
    signals = [
        signal("price_jpy_per_kwh", 0, 10),
        signal("price_jpy_per_kwh", 0, 11, known=NOW),
        signal("price_jpy_per_kwh", 30, 99, source="synthetic"),
    ]
    area = area_series(signals, "kyushu", MIDNIGHT, NOW)
    assert [at_minute(area, area.price_jpy_per_kwh, minute) for minute in (0, 30)] == [11, None]
    area = area_series(signals[2:], "kyushu", MIDNIGHT, NOW)
    assert at_minute(area, area.price_jpy_per_kwh, 30) == 99


def test_the_shortest_period_says_it_most_exactly() -> None:
    signals = [signal("wind_w", 0, 1e8, period_s=3600), signal("wind_w", 30, 3e8, period_s=900)]
    area = area_series(signals, "kyushu", MIDNIGHT, NOW)
    assert [at_minute(area, area.generated_w, minute) for minute in (0, 30, 45)] == [1e8, 3e8, 1e8]


def test_ahead_stands_what_a_plan_made_now_would_expect_and_who_says_so() -> None:
    now_s = (NOW - MIDNIGHT).total_seconds() / 60
    signals = [signal("solar_w", now_s - 10 + 30 * step, 5e9) for step in range(50)]
    area = area_series(signals, "kyushu", MIDNIGHT, NOW)
    assert (area.ahead_at, area.step_s, len(area.expected_w)) == (NOW - timedelta(minutes=10), 900, 96)
    assert area.expected_w[5] == 5e9
    assert "none" in area.price_source
    assert area.end_at == area.ahead_at + timedelta(hours=24)


def test_what_has_passed_but_is_not_known_yet_stands_as_it_was_expected_when_it_began() -> None:
    day = timedelta(days=1)
    yesterday = [signal("solar_w", 60 * hour - 1440, 3e9, period_s=3600, known=MIDNIGHT - day) for hour in range(24)]
    today = [signal("solar_w", 60 * hour, 2e9, period_s=3600, known=MIDNIGHT + timedelta(hours=hour + 2)) for hour in range(13)]
    area = area_series([entry for entry in (*yesterday, *today) if entry.known_at <= NOW], "kyushu", MIDNIGHT, NOW)
    # Known are the hours up to 12:00; of those after it yesterday's were expected.
    assert [at_minute(area, area.generated_w, 60 * hour - 5) for hour in (12, 13)] == [2e9, None]
    assert area.ahead_at == MIDNIGHT + timedelta(hours=12)
    assert area.expected_w[0] == 3e9
    assert area.expected_jpy_per_kwh[:6] == (None,) * 6
    options = power_chart(NOW, PLAN, area, [], [])
    assert min(drawn(options, "expected")) == MIDNIGHT + timedelta(hours=12)


def test_where_nobody_ever_spoke_of_supply_none_is_expected() -> None:
    area = area_series([], "kyushu", MIDNIGHT, NOW)
    assert area.expected_w == ()
    assert area.end_at == NOW - timedelta(minutes=10) + timedelta(hours=24)


def test_the_chart_reads_far_enough_back_for_the_forecast_and_outcomes_only_to_draw_them() -> None:
    assert wanted_from(MIDNIGHT, NOW) <= NOW - HISTORY
    assert set(OUTCOMES) <= set(AREA_SERIES)


# --- the chart ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "start"),
    [
        (NOW, MIDNIGHT),
        (MIDNIGHT + timedelta(hours=3), MIDNIGHT),
        (MIDNIGHT + timedelta(hours=1, minutes=3), MIDNIGHT - timedelta(hours=2)),
    ],
)
def test_the_chart_begins_with_the_day_and_shows_three_hours_at_least(now: datetime, start: datetime) -> None:
    assert chart_start(now) == start


def test_the_chart_draws_steps_in_local_time_kilowatts_and_gigawatts() -> None:
    measured = [MeasuredPower(NOW - timedelta(minutes=10), 3000, 1), MeasuredPower(NOW - timedelta(hours=19), 9000, 1)]
    area = area_series([signal("solar_w", 0, 1.5e9)], "kyushu", MIDNIGHT, NOW)
    options = power_chart(NOW, PLAN, area, measured, [(NOW - timedelta(seconds=5), 1500.0)])
    planned = drawn(options, "planned")
    assert planned[PLAN.start_at] == 1.0
    assert planned[PLAN.start_at + timedelta(minutes=15)] == planned[PLAN.start_at + timedelta(minutes=30)] == 2.0
    assert max(planned) == PLAN.start_at + timedelta(minutes=30)
    assert drawn(options, "site meters") == {NOW - timedelta(minutes=10): 3.0}
    assert drawn(options, "newest readings") == {NOW: 1.5}
    assert drawn(options, "generated") == {MIDNIGHT + timedelta(minutes=5 * step): 1.5 for step in range(6)}
    assert drawn(options, "contracted")[PLAN.start_at + timedelta(minutes=15)] == 0.5
    assert options["xAxis"][0]["min"] == datetime(2026, 4, 6, tzinfo=UTC).timestamp() * 1000
    assert options["xAxis"][0]["max"] == datetime(2026, 4, 7, 13, 30, tzinfo=UTC).timestamp() * 1000


def test_prices_are_actual_up_to_now_and_the_plans_from_now_on() -> None:
    area = area_series([signal("price_jpy_per_kwh", 60 * 13 + 30, 7.0)], "kyushu", MIDNIGHT, NOW)
    options = power_chart(NOW, PLAN, area, [], [])
    assert set(drawn(options, "price").values()) == {7.0}
    assert max(drawn(options, "price")) == NOW == min(drawn(options, "price ahead"))
    assert drawn(options, "price ahead")[PLAN.start_at + timedelta(minutes=15)] == 12.5
    without_a_plan = power_chart(NOW, None, area, [], [])
    assert len(drawn(without_a_plan, "price ahead")) == 96 + 1, "now and the 96 ends of steps, what was expected"


def test_nothing_of_the_past_is_drawn_ahead_and_no_instant_twice() -> None:
    synthetic = [signal("solar_w", 30 * step, 2e9, source="synthetic") for step in range(90)]
    area = area_series(synthetic, "kyushu", MIDNIGHT, NOW)
    options = power_chart(NOW, PLAN, area, [], [])
    assert max(drawn(options, "generated")) == NOW
    assert max(drawn(options, "expected")) == area.end_at
    assert all(before[0] < after[0] for before, after in pairwise(options["dataset"]["source"]))


def test_a_newest_mean_that_still_lacks_stations_waits() -> None:
    means = [MeasuredPower(NOW - timedelta(minutes=15 - 5 * step), 9000, stations) for step, stations in enumerate((60, 60, 41))]
    assert len(drawn(power_chart(NOW, PLAN, None, means, []), "site meters")) == 2
    means[-1] = replace(means[-1], stations=58)
    assert len(drawn(power_chart(NOW, PLAN, None, means, []), "site meters")) == 3


def test_the_chart_says_who_says_so() -> None:
    area = area_series([signal("solar_w", 0, 1e9)], "kyushu", MIDNIGHT, NOW)
    assert sources_text(None, None) == ""
    assert sources_text(None, area).startswith("supply: kyuden (day before)")
    assert sources_text(PLAN, area) == "supply: synthetic; price: synthetic"


def test_a_large_fleet_is_drawn_in_megawatts() -> None:
    options = power_chart(NOW, replace(PLAN, fleet_ac_w=(22.5e6, 1e6)), None, [], [(NOW, 20e6)])
    assert options["yAxis"][0]["name"] == "fleet MW (AC)"
    assert drawn(options, "planned")[PLAN.start_at] == 22.5
    assert drawn(options, "newest readings") == {NOW: 20.0}


def test_the_readings_line_breaks_where_the_console_was_away() -> None:
    trace = [(NOW - timedelta(hours=2), 1000.0), (NOW - timedelta(minutes=1), 2000.0)]
    shown = drawn(power_chart(NOW, PLAN, None, [], trace), "newest readings")
    assert shown[NOW] == 2.0
    assert NOW - timedelta(hours=1) not in shown


def test_the_chart_without_a_plan_and_signals_still_has_a_time_axis() -> None:
    options = power_chart(NOW, None, None, [], [])
    assert all(value is None for row in options["dataset"]["source"] for value in row[1:])
    assert options["xAxis"][0]["max"] - options["xAxis"][0]["min"] == (24 + 13) * 3_600_000 + 40 * 60_000


def test_every_line_has_its_own_column_and_a_swatch_in_the_legend() -> None:
    names = [entry["name"] for entry in power_chart(NOW, PLAN, None, [], [])["series"]]
    assert sorted(names) == sorted(COLUMNS[1:])
    assert len(LEGEND) == len(names) - 1, "price so far and ahead share one"
