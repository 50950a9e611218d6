"""Files for `denchi up`: read before anything starts, refused in words when they do not fit the clock or the area."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from service.standalone.errors import UpError
from service.standalone.grid_files import GridFiles

START = datetime(2022, 4, 10, tzinfo=UTC)


@pytest.fixture
def price(tmp_path: Path) -> Path:
    lines = [
        f"2022-04-{day:02}T{hour:02}:{minute:02}:00+09:00,10.5,9.5" for day in (9, 10) for hour in range(24) for minute in (0, 30)
    ]
    return written(tmp_path / "price.csv", "ts_jst,kyushu_jpy_per_kwh,tokyo_jpy_per_kwh", *lines)


@pytest.fixture
def supply(tmp_path: Path) -> Path:
    lines = [f"2022-04-{day:02}T{hour:02}:00:00+09:00,100,50" for day in (9, 10) for hour in range(24)]
    return written(tmp_path / "supply.csv", "ts_jst,solar_mwh,wind_mwh", *lines)


def written(path: Path, *lines: str) -> Path:
    path.write_text("\n".join([*lines, ""]))
    return path


def refusal(files: GridFiles, area: str = "kyushu", at: datetime = START) -> str:
    with pytest.raises(UpError) as refused:
        files.read(area, at, lambda line: None)
    return str(refused.value)


def test_the_figures_of_the_area_are_taken_and_the_others_left(price: Path, supply: Path) -> None:
    signals = GridFiles(price=(price,), supply=(supply,)).read("kyushu", START, lambda line: None)
    assert {signal.place.name for signal in signals} == {"kyushu"}
    assert {signal.series for signal in signals} == {"price_jpy_per_kwh", "solar_w", "wind_w"}
    assert len(signals) == 96 + 2 * 48


def test_without_files_there_is_nothing_to_read() -> None:
    assert GridFiles().read("kyushu", START, lambda line: None) == []


def test_a_clock_outside_of_what_a_file_covers_is_refused_with_the_span_and_the_way_out(price: Path, supply: Path) -> None:
    for at in (START - timedelta(days=2), START + timedelta(days=1)):
        said = refusal(GridFiles(price=(price,)), at=at)
        assert "the files of --price cover 2022-04-08 15:00 UTC to 2022-04-10 15:00 UTC" in said
        assert "Choose --start within that span" in said
        assert "--supply" in refusal(GridFiles(supply=(supply,)), at=at)
    last = datetime(2022, 4, 10, 14, 59, tzinfo=UTC)
    assert GridFiles(price=(price,)).read("kyushu", last, lambda line: None)


def test_an_area_that_no_file_speaks_of_is_refused_with_those_that_it_does(price: Path) -> None:
    said = refusal(GridFiles(price=(price,)), area="kyusyu")
    assert "no prices of area kyusyu; they speak of area kyushu, area tokyo" in said
    assert "--area" in said


def test_prices_given_as_supply_and_the_other_way_round_are_refused(price: Path, supply: Path) -> None:
    assert "hold no supply figures of area kyushu; they hold price_jpy_per_kwh" in refusal(GridFiles(supply=(price,)))
    assert "hold no prices of area kyushu; they hold solar_w, wind_w" in refusal(GridFiles(price=(supply,)))


def test_a_file_that_cannot_be_read_or_understood_is_refused(tmp_path: Path) -> None:
    assert "nowhere.csv cannot be read" in refusal(GridFiles(price=(tmp_path / "nowhere.csv",)))
    strange = written(tmp_path / "strange.csv", "once upon a time", "there was a battery")
    said = refusal(GridFiles(supply=(strange,)))
    assert "strange.csv" in said
    assert "denchi supply layouts" in said


def test_a_real_year_covers_a_spring_day() -> None:
    data = os.environ.get("DENCHI_SAMPLE_DATA")
    if data is None:
        pytest.skip("no sample data")
    series = Path(data) / "series"
    files = GridFiles(price=(series / "jepx_spot_FY2022_30min.csv",), supply=(series / "jp_area_kyushu_hourly_FY2022.csv",))
    signals = files.read("kyushu", START, lambda line: None)
    assert sum(signal.series == "price_jpy_per_kwh" for signal in signals) == 365 * 48
    assert sum(signal.series == "solar_w" for signal in signals) == 365 * 24
