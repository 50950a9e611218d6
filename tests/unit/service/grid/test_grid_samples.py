"""Real files of grid companies and of the exchange: every figure is read, none is made up, raw and tidy agree."""

import csv
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from service.grid.importing import LayoutError, Reading, read_file

SAMPLES = os.environ.get("DENCHI_SAMPLE_DATA")
pytestmark = pytest.mark.skipif(SAMPLES is None, reason="no sample data")
RAW, TIDY = Path(SAMPLES or ".") / "raw_jp", Path(SAMPLES or ".") / "series"

# Start of the name; encoding, heading lines, cells of time before the figures, cells behind them that are not read.
RESULTS = [
    ("chubu", "cp932", 5, 2, 0),
    ("chugoku", "cp932", 3, 2, 0),
    ("hokkaido", "cp932", 4, 2, 1),
    ("hokuriku", "cp932", 6, 2, 0),
    ("kansai", "cp932", 2, 1, 0),
    ("kyushu__area", "cp932", 2, 1, 0),
    ("shikoku", "utf-8-sig", 9, 2, 1),
    ("tepco__eria", "utf-8", 2, 2, 1),
    ("tohoku", "cp932", 1, 1, 0),
]


def read(room: Path, beginning: str, area: str | None = None) -> Reading:
    (path,) = (path for path in room.iterdir() if path.name.startswith(beginning))
    return read_file(path.read_bytes(), "a name that says nothing", area=area)


def figures(beginning: str, encoding: str, heads: int, first: int, behind: int) -> int:
    """Count the cells that hold a figure, without any of the code under test."""
    (path,) = (path for path in RAW.iterdir() if path.name.startswith(beginning))
    rows = list(csv.reader(path.read_text(encoding).splitlines()))[heads:]
    return sum(cell.strip() not in ("", "－") for row in rows for cell in row[first : len(row) - behind])


@pytest.mark.parametrize(("beginning", "encoding", "heads", "first", "behind"), RESULTS)
def test_every_figure_of_a_raw_sample_is_read_and_none_is_made_up(
    beginning: str, encoding: str, heads: int, first: int, behind: int
) -> None:
    reading = read(RAW, beginning, area="somewhere")
    assert len(reading.signals) == figures(beginning, encoding, heads, first, behind)
    assert reading.duplicates == 0
    assert {gap.why for gap in reading.gaps} <= {"not given in the file"}


@pytest.mark.parametrize("beginning", [row[0] for row in RESULTS])
def test_the_supply_of_a_raw_sample_is_its_demand_within_rounding(beginning: str) -> None:
    balance = [note for note in read(RAW, beginning, area="somewhere").notes if "sum of its parts" in note]
    assert balance
    assert not [note for note in balance if "NOT BALANCED" in note]


@pytest.mark.parametrize("area", ["kyushu", "kansai"])
def test_the_supply_of_a_tidy_year_is_its_demand_within_rounding(area: str) -> None:
    reading = read(TIDY, f"jp_area_{area}", area=area)
    assert len(reading.signals) == 8760 * 12
    assert not reading.gaps
    assert any("in all 8760 lines" in note for note in reading.notes)


def test_kyushu_of_april_is_the_same_signals_raw_and_tidy() -> None:
    raw = read(RAW, "kyushu__area", area="kyushu").signals
    ends_at = max(signal.end_at for signal in raw)
    tidy = [signal for signal in read(TIDY, "jp_area_kyushu", area="kyushu").signals if signal.start_at < ends_at]
    assert len(raw) == len(tidy) == 398 * 12
    assert set(raw) == set(tidy)


def test_spot_prices_of_three_days_are_the_same_signals_raw_and_tidy() -> None:
    raw = read(RAW, "jepx").signals
    ends_at = max(signal.end_at for signal in raw)
    tidy = [signal for signal in read(TIDY, "jepx").signals if signal.start_at < ends_at]
    assert len(raw) == len(tidy) == 3 * 48 * 10
    assert set(raw) == set(tidy)


def test_tokyo_of_the_first_of_may_has_the_same_values_raw_and_tidy() -> None:
    raw = read(RAW, "tepco__denkiyoho", area="tokyo")
    assert {signal.known_at for signal in raw.signals} == {datetime(2024, 5, 1, 14, 55, tzinfo=UTC)}
    begins_at = datetime(2024, 4, 30, 15, tzinfo=UTC)
    tidy = {
        (signal.series, signal.period_s, signal.start_at): signal.value
        for name in ("jp_denkiyoho_tokyo_5min", "jp_denkiyoho_tokyo_hourly")
        for signal in read(TIDY, name, area="tokyo").signals
        if begins_at <= signal.start_at < begins_at + timedelta(days=1)
    }
    assert len(tidy) == 288 * 2 + 24 * 3
    assert {(signal.series, signal.period_s, signal.start_at): signal.value for signal in raw.signals} == tidy


def test_a_page_written_after_midnight_holds_the_whole_day_before() -> None:
    reading = read(RAW, "kyushu__denkiyoho", area="kyushu")
    assert len(reading.signals) == 288 * 2 + 24 * 3
    assert {signal.known_at for signal in reading.signals} == {datetime(2025, 3, 1, 15, 10, tzinfo=UTC)}


@pytest.mark.long
def test_measured_and_forecast_emissions_meet() -> None:
    measured = read(TIDY, "moer_caiso", area="sce").signals
    archive = read(TIDY, "moer_forecast", area="sce").signals
    assert len(measured) == 122_976
    assert len(archive) == 3168 * 37
    at_once = {signal for signal in archive if signal.known_at == signal.end_at}
    assert len(at_once) == 3168
    assert at_once <= set(measured)
    assert all(
        timedelta(minutes=5) <= signal.start_at - signal.known_at <= timedelta(hours=3)
        for signal in archive
        if signal not in at_once
    )


def test_files_of_other_things_are_refused_and_not_half_read() -> None:
    for name in ("docomo", "jp_docomo", "acn_sessions", "oslo_station_bikes", "ocv_curves", "ageing_xjtu"):
        with pytest.raises(LayoutError, match="is not known"):
            read(RAW if name == "docomo" else TIDY, name, area="a")
