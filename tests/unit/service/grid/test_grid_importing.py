"""Grid files that are understood, and files that are not: refused with line, column and the nearest layout."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from service.domain.signal import OUTCOMES, SERIES, Place
from service.grid.importing import LayoutError, Reading, layouts, read_file, read_files
from tests import grid_files
from tests.grid_files import DRESSES

JST = timezone(timedelta(hours=9))
APRIL = datetime(2022, 4, 1, tzinfo=JST)
HOUR = timedelta(hours=1)

# Demand, nuclear, thermal, hydro, geothermal, biomass, sun, sun cut off, wind, wind cut off, pumped, lines.
BALANCED = (100, 10, 40, 10, 5, 5, 20, 7, 10, 3, -10, 10)


def kyushu(rows: int = 4) -> str:
    return DRESSES["kyushu"].write(APRIL, [BALANCED] * rows).decode("cp932")


def read(text: str, area: str | None = "kyushu") -> Reading:
    return read_file(text.encode("cp932"), "f.csv", area=area)


def refused(text: str, area: str | None = "kyushu", station_id: str | None = None) -> LayoutError:
    with pytest.raises(LayoutError) as caught:
        read_file(text.encode("utf-8"), "f.csv", area=area, station_id=station_id)
    return caught.value


def where(error: LayoutError) -> tuple[int | None, int | None]:
    return error.line, error.column


def test_the_layout_is_seen_from_the_content_whatever_the_name() -> None:
    files = {
        "area results": DRESSES["chugoku"].write(APRIL, [BALANCED] * 2),
        "jepx spot": grid_files.spot_summary(APRIL, [["1.00"] * 10] * 2),
        "denki-yoho": grid_files.running_day(APRIL + HOUR, APRIL, [(1, 2, 3)], [(1, 2)]),
        "marginal emission forecasts": grid_files.emission_forecasts(APRIL, HOUR, [["0.1", "0.2"]]),
        "generic csv": b"ts_utc,demand_w\n2022-04-01T00:00,1\n2022-04-01T01:00,1\n",
    }
    assert sorted(files) == [name for name, _, _ in layouts()]
    for name in ("spot_summary_2022.csv", "juyo.txt", "x", "moer.json"):
        for (layout, data), reading in zip(files.items(), read_files([(name, d) for d in files.values()], area="a"), strict=True):
            assert (reading.layout, reading.file) == (layout, name)
            assert reading.signals == read_file(data, "another name", area="a").signals


def test_what_was_cut_off_stays_apart_from_generation() -> None:
    reading = read(kyushu())
    values = {signal.series: signal.value for signal in reading.signals}
    assert values["solar_w"] == 20e6
    assert values["solar_curtailed_w"] == 7e6
    assert values["wind_w"] == 10e6
    assert values["wind_curtailed_w"] == 3e6
    assert {series for series in values if SERIES[series].outcome} == set(OUTCOMES)


def test_results_are_known_an_hour_after_their_interval_or_when_the_caller_says() -> None:
    reading = read(kyushu())
    assert all(signal.known_at == signal.end_at + HOUR for signal in reading.signals)
    assert any("60 min after the end" in note for note in reading.notes)
    later = read_file(kyushu().encode("cp932"), "f.csv", area="kyushu", known_after=timedelta(days=2))
    assert all(signal.known_at == signal.end_at + timedelta(days=2) for signal in later.signals)
    assert any("2880 min after the end of the interval, as asked" in note for note in later.notes)


def test_prices_are_known_at_noon_in_japan_of_the_day_before() -> None:
    reading = read_file(grid_files.spot_summary(APRIL, [["1.00"] * 10] * 49), "f.csv")
    assert {signal.known_at for signal in reading.signals} == {
        datetime(2022, 3, 31, 3, tzinfo=UTC),
        datetime(2022, 4, 1, 3, tzinfo=UTC),
    }


def test_the_area_is_asked_for_where_the_file_does_not_name_it() -> None:
    error = refused(kyushu(), area=None)
    assert "area" in error.problem
    assert where(error) == (None, None)


def test_a_line_that_is_left_out_is_a_gap_of_every_series() -> None:
    lines = kyushu(6).splitlines()
    reading = read("\n".join(lines[:3] + lines[5:]))
    assert len(reading.gaps) == 12
    assert {(gap.first_at, gap.end_at, gap.why) for gap in reading.gaps} == {
        (APRIL + HOUR, APRIL + 3 * HOUR, "no line in the file")
    }


def test_cells_without_a_figure_are_one_gap_where_they_follow_each_other() -> None:
    cells = [(100, 10, 40, 10, None, 5, 20, 7, 10, 3, -10, 10)] * 400
    reading = read_file(DRESSES["hokuriku"].write(APRIL, cells), "f.csv", area="hokuriku")
    (gap,) = reading.gaps
    assert (gap.series, gap.place) == ("geothermal_w", "hokuriku")
    assert (gap.first_at, gap.end_at) == (APRIL, APRIL + 400 * HOUR)


def test_lines_of_the_future_without_any_figure_are_no_gap() -> None:
    reading = read_file(DRESSES["kyushu"].write(APRIL, [BALANCED] * 3 + [(None,) * 12] * 5), "f.csv", area="kyushu")
    assert not reading.gaps
    assert any("5 lines at the end" in note for note in reading.notes)


def test_sun_below_zero_is_not_taken_and_leaves_a_gap() -> None:
    reading = read_file(DRESSES["kyushu"].write(APRIL, [BALANCED, (*BALANCED[:6], -1, *BALANCED[7:])]), "f.csv", area="kyushu")
    assert [(gap.series, gap.why) for gap in reading.gaps] == [("solar_w", "below 0 in the file")]


def test_the_same_line_again_is_counted_and_another_one_for_the_same_hour_is_refused() -> None:
    lines = kyushu().splitlines()
    reading = read("\n".join([*lines, lines[2], lines[5]]))
    assert reading.duplicates == 2
    assert reading.signals == read(kyushu()).signals
    error = refused("\n".join([*lines, lines[2].replace(",40,", ",41,")]))
    assert where(error) == (7, 4)
    assert "line 7" in error.problem
    assert "line 3" in error.problem


def test_supply_that_is_not_demand_is_told_with_its_worst_line() -> None:
    rows = [BALANCED] * 3
    assert any("in all 3 lines" in note for note in read_file(DRESSES["kyushu"].write(APRIL, rows), "f", area="a").notes)
    rows += [(105, *BALANCED[1:]), (106, *BALANCED[1:]), (112, *BALANCED[1:])]
    notes = read_file(DRESSES["kyushu"].write(APRIL, rows), "f", area="a").notes
    assert (
        "NOT BALANCED: demand is the sum of its parts within rounding (5 MW) except in 2 of 6 lines, at most 12 MW apart"
        in (notes[-1])
    )
    assert "line 8" in notes[-1]


@pytest.mark.parametrize(
    ("old", "new", "line", "column"),
    [
        ("2022/4/1 1:00,100", "2022/4/1 1:00,viele", 4, 2),
        ("2022/4/1 1:00,100", "2022/4/1 1:00,1_0", 4, 2),
        ("2022/4/1 1:00,100", "2022/4/1 1:00,nan", 4, 2),
        ("2022/4/1 1:00,100", "2022/4/1 1:00," + "9" * 400, 4, 2),
        ("2022/4/1 1:00", "2022/4/1 25:00", 4, 1),
        ("2022/4/1 1:00", "2022/4/1 24:00", 4, 1),
        ("2022/4/1 1:00", "2022/4/1 1:07", 4, 1),
        ("2022/4/1 2:00", "2022/3/31 2:00", 5, 1),
        ("2022/4/1 1:00", "2022/2/30 1:00", 4, 1),
        ("2022/4/1 1:00", "1.4.2022 1:00", 4, 1),
        ("2022/4/1 1:00,100,10,", "2022/4/1 1:00,100,", 4, 12),
        ("2022/4/1 3:00,100,10,40,10,5,5,20,7,10,3,-10,10", "2022/4/1 3:00,100,10,40", 6, 4),
        ("2022/4/1 1:00,100", "2022/4/1 1:00,100,100", 4, 14),
        ("火力〔MWh〕", "火カ〔MWh〕", 2, 4),
        ("火力〔MWh〕", "火力〔PJ〕", 2, 4),
        ("火力〔MWh〕", "火力", 2, 4),
        ("火力〔MWh〕", "火力〔万kWh〕", 2, 4),
        ("水力〔MWh〕", "火力〔MWh〕", 2, 5),
    ],
)
def test_wrong_cells_of_area_results_are_refused_where_they_stand(old: str, new: str, line: int, column: int) -> None:
    assert old in kyushu()
    error = refused(kyushu().replace(old, new, 1))
    assert where(error) == (line, column), error
    assert str(error).startswith(f"f.csv:{line}:{column}: ")


def test_a_heading_that_is_missing_names_the_nearest_layout_and_the_difference() -> None:
    error = refused(kyushu().replace("エリア需要", "エリア電力"))
    assert where(error) == (2, 2) or where(error) == (2, 1)
    assert error.nearest is not None
    assert error.nearest.startswith("area results; it has ")
    assert "エリア需要" in error.nearest
    assert "エリア電力" in error.nearest


def test_a_file_of_something_else_is_refused_with_the_layouts_that_are_known() -> None:
    error = refused("name,colour\nplum,blue\n")
    assert "layout is not known" in error.problem
    assert refused("").problem == "the file is empty"
    assert refused(kyushu().splitlines()[1]).line == 1
    with pytest.raises(LayoutError) as caught:
        read_file(b"DATE,TIME\n\x81\xff\xfe", "f.csv", area="a")
    assert where(caught.value) == (2, None)


def test_a_day_that_no_line_named_is_refused_in_the_layout_with_one_date_a_day() -> None:
    text = DRESSES["hokkaido"].write(APRIL, [BALANCED] * 30).decode("cp932")
    assert len(read(text).signals) == 360
    assert where(refused(text.replace("2022/4/1,0時", ",0時"))) == (5, 1)
    assert where(refused(text.replace("2022/4/2,0時", ",0時"))) == (29, 2)


def test_prices_are_refused_where_slot_unit_or_area_is_wrong() -> None:
    text = grid_files.spot_summary(APRIL, [["1.00"] * 10] * 3).decode("cp932")
    assert where(refused(text.replace("2022/04/01,2,", "2022/04/01,49,"))) == (3, 2)
    assert where(refused(text.replace("2022/04/01,2,", "2022/04/31,2,"))) == (3, 1)
    assert where(refused(text.replace("エリアプライス北海道(円/kWh)", "エリアプライス北海道(円/MWh)"))) == (1, 5)
    assert where(refused(text.replace("エリアプライス九州", "エリアプライス火星"))) == (1, 13)
    assert where(refused(text.replace("1.00,1.00", "1.00,1.0.0", 1))) == (2, 5)


def test_an_actual_figure_of_a_time_after_the_update_is_refused() -> None:
    text = grid_files.running_day(APRIL + HOUR, APRIL, [(1, 2, 3)] * 2, [(1, 2)] * 12).decode()
    assert len(read_file(text.encode(), "f.csv", area="a").signals) == 2 * 3 + 12 * 2
    late = grid_files.running_day(APRIL + HOUR, APRIL, [(1, 2, 3)] * 3, [(1, 2)] * 12).decode()
    assert where(refused(late)) == (7, 3)
    assert where(refused(text.replace("2022/4/1,0:05", "2022/4/x,0:05"))) == (12, 1)
    assert where(refused(text.replace("予測値(万kW)", "占い(万kW)"))) == (4, 4)


def test_the_hour_of_the_update_counts_when_it_has_a_figure() -> None:
    page = grid_files.running_day(APRIL + timedelta(minutes=55), APRIL, [(7, 2, 3), (0, 2, 0)], [(1, 0)] * 12)
    reading = read_file(page, "f.csv", area="a")
    hourly = [(signal.series, signal.value) for signal in reading.signals if signal.period_s == 3600]
    assert hourly == [("demand_w", 7e7), ("demand_forecast_w", 2e7), ("supply_capacity_w", 3e7), ("demand_forecast_w", 2e7)]
    assert [(gap.series, gap.first_at) for gap in reading.gaps] == [("supply_capacity_w", APRIL + HOUR)]


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("ts_utc,demand_mhw\n2022-04-01T00:00Z,1\n2022-04-01T01:00Z,1\n", 1, 2),
        ("ts_utc,demand_w,demand_mw\n2022-04-01T00:00Z,1,1\n", 1, 3),
        ("ts_utc,demand_w\n", 1, None),
        ("ts_utc,demand_w\n2022-04-01T00:00Z,1\n", 2, 1),
        ("ts_utc,demand_w\n2022-04-01T00:00+09:00,1\n", 2, 1),
        ("start_at,demand_w\n2022-04-01T00:00,1\n", 2, 1),
        ("start_at,demand_w\n2022-04-01T25:00Z,1\n", 2, 1),
        ("ts_utc,period_s,demand_w\n2022-04-01T00:00Z,1,1\n", 2, 2),
        ("ts_utc,period_s,demand_w\n2022-04-01T00:10Z,1800,1\n", 2, 1),
        ("ts_utc,period_s,demand_w\n2022-04-01T00:00Z,1800,1\n2022-04-01T00:15Z,900,1\n", 3, 1),
        ("ts_utc,known_at,demand_w\n2022-04-01T00:00Z,,1\n2022-04-01T01:00Z,,1\n", 2, 2),
        ("ts_utc,demand_w\n2022-04-01T01:00Z,1\n2022-04-01T00:00Z,1\n", 3, 1),
        ("ts_utc,demand_w\n2022-04-01T00:00Z,inf\n2022-04-01T01:00Z,1\n", 2, 2),
        ("ts_utc,import_limit_w\n2022-04-01T00:00Z,-1\n2022-04-01T01:00Z,1\n", 2, 2),
        ("ts_utc,own_pv_w\n2022-04-01T00:00Z,1\n2022-04-01T01:00Z,1\n", 1, 2),
        ("ts_jst,slot,system\n2022-04-01T00:00,1,1\n2022-04-01T00:30,3,1\n", 3, 2),
        ("time,moer,f1\n2022-04-01 00:00,0.1,0.1\n", 2, 1),
        ("time,moer,f1\n2022-04-01 00:00Z,0.1,x\n", 2, 3),
        ("time,moer,f1\n2022-04-01 00:10Z,0.1,0.1\n2022-04-01 00:00Z,0.1,0.1\n", 3, 1),
    ],
)
def test_wrong_cells_of_our_own_forms_are_refused_where_they_stand(text: str, line: int, column: int | None) -> None:
    error = refused(text)
    assert where(error) == (line, column), error


def test_a_heading_near_a_known_one_is_told() -> None:
    assert refused("ts_utc,demand_mhw\n2022-04-01T00:00Z,1\n").nearest == "generic csv has 'demand_mwh'"


def test_a_station_has_its_own_generation_and_limits_and_nothing_else() -> None:
    text = "ts_utc,period_s,own_pv_w,import_limit_w\n2022-04-01T00:00Z,1800,1,inf\n"
    reading = read_file(text.encode(), "f.csv", station_id="st-1")
    assert {signal.place for signal in reading.signals} == {Place("station", "st-1")}
    assert where(refused("ts_utc,demand_w\n2022-04-01T00:00Z,1\n", station_id="st-1")) == (1, 2)
    assert where(refused("ts_utc,kyushu\n2022-04-01T00:00Z,1\n", station_id="st-1")) == (1, 2)
    assert where(refused(kyushu(), station_id="st-1")) == (None, None)


def test_a_forecast_may_be_corrected_in_a_generic_file_that_says_when() -> None:
    text = (
        "ts_utc,period_s,known_at,solar_w\n2022-04-01T01:00Z,3600,2022-03-31T00:00Z,5\n"
        "2022-04-01T00:00Z,3600,2022-03-31T00:00Z,1\n2022-04-01T00:00Z,3600,2022-03-31T12:00Z,2\n"
    )
    reading = read_file(text.encode(), "f.csv", area="a")
    assert sorted(signal.value for signal in reading.signals) == [1.0, 2.0, 5.0]
    assert not reading.gaps
    assert where(refused(text.replace("31T12:00Z", "31T00:00Z"))) == (4, 4)


def test_prices_of_an_area_that_the_heading_names_are_of_no_other() -> None:
    text = "start_at,period_s,nordpool_jpy_per_kwh,demand_w\n2022-04-01T00:00Z,3600,7.5,3\n"
    reading = read_file(text.encode(), "f.csv", area="here")
    assert {(signal.series, signal.place.name) for signal in reading.signals} == {
        ("price_jpy_per_kwh", "nordpool"),
        ("demand_w", "here"),
    }
    assert {signal.source for signal in reading.signals} == {"generic csv"}


def test_the_same_figure_in_万kW_and_in_MW_is_the_same_number() -> None:
    for number in range(7, 3000, 10):
        page = grid_files.running_day(APRIL + HOUR, APRIL, [(1, 2, 3)], [(1, 2)]).decode()
        page = page.replace(":00,1,2,", f":00,{number}.{number % 9},2,")
        tidy = f"ts_utc,period_s,demand_mw\n2022-03-31T15:00Z,3600,{number}{number % 9}\n"
        raw, ours = (read_file(text.encode(), "f", area="a").signals[0] for text in (page, tidy))
        assert raw.value == ours.value
