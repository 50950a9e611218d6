"""Every layout of grid files gives back exactly what was written into it, and no bytes at all break the readers."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from service.domain.signal import SERIES, Place, Series, Signal
from service.grid.importing import LayoutError, Reading, read_file
from tests import grid_files
from tests.grid_files import DRESSES

JST = timezone(timedelta(hours=9))
HOUR = timedelta(hours=1)
AREA = Place("area", "kyushu")

NEW_YEAR = datetime(2016, 1, 1, tzinfo=JST)
days = st.integers(0, 5000).map(lambda number: NEW_YEAR + timedelta(days=number))


def figure(series: Series) -> st.SearchStrategy[int | None]:
    lowest = 0 if SERIES[series].minimum == 0.0 else -5000
    return st.integers(lowest, 60_000) | st.none()


def in_utc(at: datetime) -> datetime:
    return at.astimezone(UTC)


def agree(reading: Reading, expected: list[Signal]) -> None:
    assert len(reading.signals) == len(set(reading.signals))
    assert set(reading.signals) == set(expected)
    assert all(signal.start_at.tzinfo is UTC for signal in reading.signals)


@pytest.mark.parametrize("name", DRESSES)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_results_of_every_grid_company_come_back_as_they_were_written(name: str, data: st.DataObject) -> None:
    dress = DRESSES[name]
    step = timedelta(seconds=dress.period_s)
    first_at = data.draw(days) + data.draw(st.integers(0, 23)) * HOUR
    cells = data.draw(st.lists(st.tuples(*map(figure, dress.series)), min_size=2, max_size=26))
    expected = [
        Signal(series, AREA, at, dress.period_s, value * dress.watts, at + step + HOUR, "area results")
        for number, row in enumerate(cells)
        for series, value in zip(dress.series, row, strict=True)
        if value is not None and (at := in_utc(first_at + number * step))
    ]
    assume(expected)
    reading = read_file(dress.write(first_at, cells), "any name", area="kyushu")
    assert reading.layout == "area results"
    assert reading.duplicates == 0
    agree(reading, expected)
    # What was not given is told once, as gaps that do not overlap; lines at the end without any figure are not even gaps.
    ends_at = max(signal.end_at for signal in expected)
    missing = sum(
        value is None for number, row in enumerate(cells) if in_utc(first_at + number * step) < ends_at for value in row
    )
    assert sum((gap.end_at - gap.first_at) // step for gap in reading.gaps) == missing


prices = st.integers(-10_000, 99_999).map(lambda hundredths: f"{hundredths / 100:.2f}")


@settings(max_examples=30, deadline=None)
@given(days, st.lists(st.lists(st.one_of(prices, prices, st.just("")), min_size=10, max_size=10), min_size=1, max_size=100))
def test_spot_prices_come_back_as_they_were_written(day: datetime, rows: list[list[str]]) -> None:
    assume(any(map(any, rows)))
    areas = ("system", "hokkaido", "tohoku", "tokyo", "chubu", "hokuriku", "kansai", "chugoku", "shikoku", "kyushu")
    expected = [
        Signal(
            "price_jpy_per_kwh",
            Place("area", area),
            in_utc(day + timedelta(minutes=30 * number)),
            1800,
            float(price),
            in_utc(day + timedelta(days=number // 48) - timedelta(hours=12)),
            "jepx spot",
        )
        for number, row in enumerate(rows)
        for area, price in zip(areas, row, strict=True)
        if price
    ]
    agree(read_file(grid_files.spot_summary(day, rows), "x"), expected)
    stamps = [(in_utc(day + timedelta(minutes=30 * number)), str(number % 48 + 1)) for number in range(len(rows))]
    if len(rows) > 1:
        tidy = [[at.astimezone(JST).isoformat(), slot, *row] for (at, slot), row in zip(stamps, rows, strict=True)]
        agree(read_file(grid_files.generic(["ts_jst", "slot", *areas], tidy), "x"), expected)


@settings(max_examples=50, deadline=None)
@given(
    days,
    st.integers(1, 26 * 60),
    st.lists(st.tuples(*[st.integers(1, 6000)] * 3), min_size=24, max_size=24),
    st.lists(st.tuples(st.integers(1, 6000), st.integers(0, 2000)), min_size=288, max_size=288),
)
def test_a_running_day_gives_what_had_happened_at_its_update(
    day: datetime, minute: int, hours: list[tuple[int, int, int]], five_minutes: list[tuple[int, int]]
) -> None:
    updated_at = day + timedelta(minutes=minute)

    def over(number: int, period_s: int) -> bool:
        return day + timedelta(seconds=(number + 1) * period_s) <= updated_at

    written_hours = [row if over(number, 3600) else (0, *row[1:]) for number, row in enumerate(hours)]
    written_fives: list[tuple[int | None, int | None]] = [
        row if over(number, 300) else (0, 0) if number % 2 else (None, None) for number, row in enumerate(five_minutes)
    ]
    reading = read_file(grid_files.running_day(updated_at, day, written_hours, written_fives), "x", area="kyushu")
    known_at = in_utc(updated_at)

    def signal(series: Series, number: int, period_s: int, value: int) -> Signal:
        at = in_utc(day + timedelta(seconds=number * period_s))
        return Signal(series, AREA, at, period_s, value * 1e7, known_at, "denki-yoho")

    expected = [signal("demand_w", number, 3600, row[0]) for number, row in enumerate(hours) if over(number, 3600)]
    expected += [signal("demand_forecast_w", number, 3600, row[1]) for number, row in enumerate(hours)]
    expected += [signal("supply_capacity_w", number, 3600, row[2]) for number, row in enumerate(hours)]
    expected += [signal("demand_w", number, 300, row[0]) for number, row in enumerate(five_minutes) if over(number, 300)]
    expected += [signal("solar_w", number, 300, row[1]) for number, row in enumerate(five_minutes) if over(number, 300)]
    agree(reading, expected)
    assert not reading.gaps


SCALES = {"_w": 1.0, "_kw": 1e3, "_mw": 1e6, "_kwh": 1e3, "_mwh": 1e6}
MEASURES = sorted(series.removesuffix("_w") for series, info in SERIES.items() if series.endswith("_w") and "area" in info.kinds)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_generic_csv_gives_back_every_series_in_every_unit_zone_and_interval(data: st.DataObject) -> None:
    zone = data.draw(st.sampled_from(["ts_utc", "ts_jst", "start_at"]))
    period_s = data.draw(st.sampled_from([60, 300, 900, 1800, 3600, 10_800]))
    names = data.draw(st.lists(st.sampled_from(MEASURES), min_size=1, max_size=6, unique=True))
    units = [data.draw(st.sampled_from(sorted(SCALES))) for _ in names]
    with_period, with_known_at = data.draw(st.booleans()), data.draw(st.booleans())
    rows = data.draw(st.lists(st.tuples(*[st.one_of(st.integers(0, 10**6), st.none())] * len(names)), min_size=2, max_size=40))
    assume(any(cell is not None for row in rows for cell in row))
    first_at = data.draw(days).replace(tzinfo=UTC)
    ahead = timedelta(minutes=data.draw(st.integers(-3000, 3000)))
    offset = timezone(timedelta(hours=data.draw(st.integers(-11, 13))))
    expected: list[Signal] = []
    lines: list[list[str]] = []
    for number, row in enumerate(rows):
        at = first_at + number * timedelta(seconds=period_s)
        end_at = at + timedelta(seconds=period_s)
        local = at.astimezone({"ts_utc": UTC, "ts_jst": JST, "start_at": offset}[zone])
        plain = zone != "start_at" and data.draw(st.booleans())
        label = local.replace(tzinfo=None).isoformat(" ") if plain else local.isoformat()
        known_at = end_at - ahead if with_known_at else end_at + HOUR
        lines.append([label, *[str(period_s)] * with_period, *[known_at.isoformat()] * (with_known_at and zone == "start_at")])
        if with_known_at and zone != "start_at":
            lines[-1].append(known_at.astimezone(local.tzinfo).isoformat())
        lines[-1] += ["" if cell is None else str(cell) for cell in row]
        expected += [
            Signal(series, AREA, at, period_s, value, known_at, "")
            for name, unit, cell in zip(names, units, row, strict=True)
            for series in SERIES
            if series == f"{name}_w" and cell is not None
            for value in [cell * SCALES[unit] * (3600 / period_s if unit.endswith("h") else 1)]
        ]
    head = [zone, *["period_s"] * with_period, *["known_at"] * with_known_at]
    head += [name + unit for name, unit in zip(names, units, strict=True)]
    reading = read_file(grid_files.generic(head, lines), "x", area="kyushu")
    assert {signal._replace(source="") for signal in reading.signals} == set(expected)
    assert len({signal.source for signal in reading.signals}) == 1


kilograms = st.integers(-500, 1500).map(lambda thousandths: f"{thousandths / 1000:g}")


@settings(max_examples=30, deadline=None)
@given(days, st.integers(1, 36), st.integers(1, 10), st.sampled_from([5, 15, 60]), st.data())
def test_archives_of_emission_forecasts_come_back_as_they_were_made(
    day: datetime, steps: int, made: int, minutes: int, data: st.DataObject
) -> None:
    first_at = day.replace(tzinfo=UTC)
    rows = data.draw(st.lists(st.lists(kilograms, min_size=steps + 1, max_size=steps + 1), min_size=made, max_size=made))
    expected = []
    for number, row in enumerate(rows):
        made_at = first_at + timedelta(minutes=minutes * number)
        for ahead, text in enumerate(row):
            at = made_at + timedelta(minutes=5 * ahead)
            known_at = made_at if ahead else made_at + timedelta(minutes=5)
            value = float(f"{text}e3")
            expected.append(Signal("marginal_emission_g_per_kwh", AREA, at, 300, value, known_at, "marginal emissions"))
    agree(read_file(grid_files.emission_forecasts(first_at, timedelta(minutes=minutes), rows), "x", area="kyushu"), expected)


APRIL = datetime(2022, 4, 1, tzinfo=JST)
WHOLE = [dress.write(APRIL, [[1] * len(dress.series)] * 3) for dress in DRESSES.values()] + [
    grid_files.spot_summary(APRIL, [["1.00"] * 10] * 3),
    grid_files.running_day(APRIL + 3 * HOUR, APRIL, [(1, 2, 3)] * 3, [(1, 2)] * 20),
    grid_files.generic(["ts_utc", "demand_w"], [["2022-04-01T00:00:00Z", "1"], ["2022-04-01T01:00:00Z", "1"]]),
    grid_files.emission_forecasts(APRIL, timedelta(minutes=15), [["0.1"] * 4] * 3),
]


def read_or_refuse(data: bytes) -> None:
    with suppress(LayoutError):
        assert read_file(data, "odd.csv", area="kyushu").signals


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(lambda text: text.encode("utf-8"))))
@example(b"")
@example(b"\x00\x00")
@example(b"\xff\xfeD\x00A\x00")
@example(b"DATE,TIME\n")
@example(b'"')
@example(b"ts_utc,demand_w\n9999-12-31T23:59:59Z,1\n")
@example(b"ts_utc,demand_w\n2022-04-01T00:00:00+99:99,1\n")
@example(b"a" * 200_000)
def test_no_bytes_at_all_break_the_readers(data: bytes) -> None:
    read_or_refuse(data)


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(WHOLE), st.integers(0, 5000), st.integers(0, 40), st.binary(max_size=12), st.integers(0, 5000))
def test_no_damage_to_a_file_breaks_the_readers(whole: bytes, at: int, cut: int, put: bytes, end: int) -> None:
    at %= len(whole)
    read_or_refuse((whole[:at] + put + whole[at + cut :])[: end or None])
