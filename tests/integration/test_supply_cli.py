"""`denchi supply` as a person runs it, against a real database: what it says, what it keeps, all files or none."""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from click.testing import Result
from typer.testing import CliRunner

from service.cli.app import app

HEADINGS = "ts_jst,demand_mwh,solar_mwh,wind_mwh"
Denchi = Callable[..., Result]


def hours(*values: float, day: int = 10, first: int = 0) -> str:
    """Return a generic file with an hour a line: demand, sun and wind have the same value."""
    lines = [f"2022-04-{day}T{first + hour:02}:00:00+09:00,{value},{value},{value}" for hour, value in enumerate(values)]
    return "\n".join([HEADINGS, *lines, ""])


@pytest.fixture
def denchi(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Denchi:
    """Run a command in this process with the settings of a machine whose clock file says April 2022."""
    for name in [name for name in os.environ if name.startswith("DENCHI_")]:
        monkeypatch.delenv(name)
    clock = tmp_path / "clock.json"
    instant = datetime(2022, 4, 10, tzinfo=UTC).isoformat()
    clock.write_text(json.dumps({"origin": instant, "anchor": datetime.now(UTC).isoformat(), "speed": 1.0}))
    monkeypatch.setenv("DENCHI_DATABASE_URL", database)
    monkeypatch.setenv("DENCHI_CLOCK_FILE", str(clock))

    def run(*arguments: str) -> Result:
        where = [] if arguments[0] == "layouts" else ["--data-dir", str(tmp_path / "nothing")]
        return CliRunner().invoke(app, ["supply", *map(str, arguments), *where])

    return run


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str, str], Path]:
    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def rows(database: str) -> list[dict[str, Any]]:
    async def read() -> list[dict[str, Any]]:
        connection = await asyncpg.connect(database)
        try:
            return [
                dict(row) for row in await connection.fetch("SELECT * FROM signal ORDER BY series, place, start_at, known_at")
            ]
        finally:
            await connection.close()

    return asyncio.run(read())


async def _add_station(database: str) -> None:
    connection = await asyncpg.connect(database)
    await connection.execute(
        "INSERT INTO station (station_id, part, name, latitude, longitude, registered_at)"
        " VALUES ('st-1', 0, 'x', 33.59, 130.4, now())"
    )
    await connection.close()


def test_a_file_is_taken_in_and_every_line_of_it_explained(denchi: Denchi, file: Callable[..., Path], database: str) -> None:
    done = denchi("import", file("april.csv", hours(5000, 6000, 7000)))
    assert done.exit_code == 0, done.output
    for said in (
        "april.csv",
        "layout     generic csv",
        "places     area kyushu",
        "series     demand_w, solar_w, wind_w",
        "intervals  60 min",
        "span       2022-04-09 15:00 UTC to 2022-04-09 18:00 UTC",
        "gaps       none",
        "duplicates none",
        "values     9 new, 0 there already",
        "note       known_at: 60 min after the end",
        "files that name no area count as kyushu (the setting DENCHI_AREA",
    ):
        assert said in done.stdout, done.stdout
    assert len(rows(database)) == 9


def test_taking_it_in_twice_changes_nothing(denchi: Denchi, file: Callable[..., Path], database: str) -> None:
    april = file("april.csv", hours(*range(24)))
    assert denchi("import", april).exit_code == 0
    before = rows(database)
    again = denchi("import", april, "--json")
    assert again.exit_code == 0
    told = json.loads(again.stdout)["files"][0]
    assert (told["values"], told["added"], told["known"], told["different"]) == (72, 0, 72, 0)
    assert rows(database) == before


def test_what_is_there_with_another_value_is_not_taken_and_the_way_out_is_said(
    denchi: Denchi, file: Callable[..., Path], database: str
) -> None:
    denchi("import", file("april.csv", hours(1, 2, 3)))
    corrected = file("corrected.csv", hours(1, 2, 4))
    done = denchi("import", corrected)
    assert done.exit_code == 0
    assert "0 new, 6 there already" in done.stdout
    assert "3 not taken, the first at 2022-04-09 17:00 UTC" in done.stdout
    assert "--known-after" in done.stdout
    assert 4e6 not in {row["value"] for row in rows(database)}
    assert "9 new, 0 there already" in denchi("import", corrected, "--known-after", "48").stdout
    assert 4e6 in {row["value"] for row in rows(database)}


def test_a_dry_run_counts_what_an_import_would_and_writes_nothing(
    denchi: Denchi, file: Callable[..., Path], database: str
) -> None:
    denchi("import", file("one.csv", hours(1, 2)))
    before = rows(database)
    done = denchi("import", file("two.csv", hours(1, 2, 3)), "--dry-run")
    assert done.exit_code == 0
    assert "3 would be new, 6 there already" in done.stdout
    assert done.stdout.splitlines()[-1] == "dry run: nothing was written"
    assert json.loads(denchi("import", file("two.csv", hours(1, 2, 3)), "--dry-run", "--json").stdout)["dry_run"] is True
    assert rows(database) == before


def test_a_dry_run_needs_no_database(denchi: Denchi, file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DENCHI_DATABASE_URL", "postgresql://denchi@127.0.0.1:1/denchi")
    april = file("april.csv", hours(1, 2))
    done = denchi("import", april, "--dry-run")
    assert done.exit_code == 0, done.output
    assert "values     6" in done.stdout
    assert "not compared with what is there" in done.stderr
    real = denchi("import", april)
    assert real.exit_code == 1
    assert "the database does not answer" in real.stderr
    assert "DENCHI_DATABASE_URL" in real.stderr


def test_one_file_that_is_not_understood_keeps_all_of_them_out(denchi: Denchi, file: Callable[..., Path], database: str) -> None:
    good, bad = file("good.csv", hours(1, 2)), file("bad.csv", hours(1, 2).replace(",2,", ",two,", 1))
    done = denchi("import", good, bad)
    assert done.exit_code == 1
    assert f"{bad}:3:2" in done.stderr, done.stderr
    assert "denchi supply layouts" in done.stderr
    assert "Traceback" not in done.output
    assert rows(database) == []
    strange = denchi("import", good, file("strange.txt", "once upon a time\nthere was a battery\n"))
    assert strange.exit_code == 1
    assert "strange.txt" in strange.stderr
    missing = denchi("import", good, Path("nowhere.csv"))
    assert missing.exit_code == 1
    assert "nowhere.csv cannot be read: No such file" in missing.stderr
    assert rows(database) == []


def test_two_files_in_one_import_may_overlap(denchi: Denchi, file: Callable[..., Path], database: str) -> None:
    done = denchi("import", file("a.csv", hours(1, 2, 3)), file("b.csv", hours(3, 4, first=2)), "--json")
    told = json.loads(done.stdout)["files"]
    assert [(each["added"], each["known"], each["different"]) for each in told] == [(9, 0, 0), (3, 3, 0)]
    assert len(rows(database)) == 12


def test_gaps_and_duplicates_are_named(denchi: Denchi, file: Callable[..., Path]) -> None:
    text = hours(*range(12)).splitlines()
    with_hole = "\n".join([*text[:4], text[3], *text[6:], ""])
    told = json.loads(denchi("import", file("holes.csv", with_hole), "--json").stdout)["files"][0]
    assert told["duplicates"] == 1
    assert {(gap["first_at"], gap["end_at"]) for gap in told["gaps"]} == {
        ("2022-04-09T18:00:00+00:00", "2022-04-09T20:00:00+00:00")
    }
    shown = denchi("import", file("holes.csv", with_hole)).stdout
    assert "duplicates 1" in shown
    assert "2022-04-09 18:00 UTC to 2022-04-09 20:00 UTC" in shown


def test_the_area_is_the_option_or_the_setting(
    denchi: Denchi, file: Callable[..., Path], database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    april = file("april.csv", hours(1, 2))
    assert denchi("import", april, "--area", "tokyo").exit_code == 0
    monkeypatch.setenv("DENCHI_AREA", "chubu")
    assert "count as chubu" in denchi("import", april).stdout
    assert {row["place"] for row in rows(database)} == {"tokyo", "chubu"}
    wrong = denchi("import", april, "--area", "東京")
    assert wrong.exit_code == 1
    assert "cannot be the name of an area" in wrong.stderr


def test_figures_of_a_station_need_a_station_that_is_known(denchi: Denchi, file: Callable[..., Path], database: str) -> None:
    text = "ts_utc,own_pv_w\n2022-04-10T00:00:00Z,1500\n2022-04-10T00:30:00Z,1700\n"
    own = file("own.csv", text)
    unknown = denchi("import", own, "--station", "st-1")
    assert unknown.exit_code == 1
    assert "there is no station st-1" in unknown.stderr
    assert rows(database) == []
    asyncio.run(_add_station(database))
    assert denchi("import", own, "--station", "st-1").exit_code == 0
    assert {(row["place_kind"], row["place"], row["series"]) for row in rows(database)} == {("station", "st-1", "own_pv_w")}


def test_show_says_what_there_is(denchi: Denchi, file: Callable[..., Path]) -> None:
    assert "there are no signals" in denchi("show").stdout
    denchi("import", file("a.csv", hours(1, 2, 3)), file("b.csv", hours(1, 2, day=11)))
    table = denchi("show").stdout
    assert "area kyushu" in table
    told = json.loads(denchi("show", "--json").stdout)
    assert [entry["series"] for entry in told] == ["demand_w", "solar_w", "wind_w"]
    assert (told[0]["intervals"], told[0]["missing"]) == (5, 21)
    assert told[0]["first_at"] == "2022-04-09T15:00:00+00:00"


def test_layouts_lists_what_is_understood(denchi: Denchi) -> None:
    told = json.loads(denchi("layouts", "--json").stdout)
    assert "generic csv" in {layout["name"] for layout in told}
    assert all(layout["what"] and layout["recognised_by"] for layout in told)
    assert "generic csv" in denchi("layouts").stdout


def test_a_clear_sky_is_an_upper_bound_known_from_now_on(denchi: Denchi, database: str) -> None:
    asyncio.run(_add_station(database))
    done = denchi("clear-sky", "st-1", "--peak-kw", "5", "--days", "2")
    assert done.exit_code == 0, done.output
    assert "st-1: 96 values of own_pv_w for 2 days" in done.stdout
    assert "an upper bound" in done.stdout
    kept = rows(database)
    assert len(kept) == 96
    assert {(row["series"], row["place_kind"], row["place"], row["period_s"], row["source"]) for row in kept} == {
        ("own_pv_w", "station", "st-1", 1800, "clear sky (pvlib)")
    }
    assert kept[0]["known_at"] >= datetime(2022, 4, 10, tzinfo=UTC) == kept[0]["start_at"]
    assert 3000 < max(row["value"] for row in kept) < 5000
    told = json.loads(denchi("clear-sky", "st-1", "--peak-kw", "5", "--days", "1", "--json").stdout)
    assert (told["upper_bound"], told["station_id"]) == (True, "st-1")


def test_a_clear_sky_without_station_or_pvlib_says_what_to_do(
    denchi: Denchi, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = denchi("clear-sky", "st-1", "--peak-kw", "5")
    assert nobody.exit_code == 1
    assert "there is no station st-1" in nobody.stderr
    asyncio.run(_add_station(database))
    monkeypatch.setitem(sys.modules, "pvlib", None)
    without = denchi("clear-sky", "st-1", "--peak-kw", "5")
    assert without.exit_code == 1
    assert "pip install 'denchi[pv]'" in without.stderr
    assert rows(database) == []
