"""The floors of the house, held: who may import whom, how long a file may grow, where the wall clock is read."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

TOP = Path(__file__).parent.parent
HOUSES = ("devices", "service", "simulator")
LONGEST_FILE = 350

# Where one process is put together: here, and only here, the wall clock is read.
COMPOSITION_ROOTS = {
    "devices/__main__.py",
    "service/wiring.py",
    "service/__main__.py",
    "simulator/__main__.py",
}
COMPOSITION_ROOMS = ("service/cli/", "service/standalone/")


def sources() -> Iterator[Path]:
    for house in HOUSES:
        yield from sorted((TOP / house).rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(TOP).as_posix()


def test_every_import_runs_down_the_slope(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(TOP)
    status = lint_imports(config_filename=str(TOP / "pyproject.toml"), no_cache=True)
    assert status == EXIT_STATUS_SUCCESS, capsys.readouterr().out


def test_no_file_wants_to_be_three() -> None:
    long = {name_of(path): lines for path in sources() if (lines := len(path.read_text().splitlines())) > LONGEST_FILE}
    assert not long


def test_only_composition_roots_read_the_wall_clock() -> None:
    readers: list[str] = []
    for path in sources():
        name = name_of(path)
        if name in COMPOSITION_ROOTS or name.startswith(COMPOSITION_ROOMS):
            continue
        readers += [
            f"{name}:{node.lineno}"
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Attribute)
            and node.attr in {"now", "utcnow", "today"}
            and isinstance(node.value, ast.Name)
            and node.value.id in {"datetime", "date"}
        ]
    assert not readers, "take a Clock as an argument instead"


def test_sql_lives_in_sql_files() -> None:
    statement = re.compile(r"^\s*(SELECT|INSERT INTO|UPDATE \w+ SET|DELETE FROM|WITH \w+ AS)\b")
    found: list[str] = []
    for path in sources():
        name = name_of(path)
        # What migrates, listens or makes partitions speaks DDL, which has no parameters and no name.
        if name.startswith("service/store/") or not name.startswith("service/"):
            continue
        found += [
            f"{name}:{node.lineno}"
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and statement.match(node.value)
        ]
    assert not found, "name the statement in service/store/sql/"


def test_sql_takes_the_fleet_instant_as_a_parameter() -> None:
    wall = re.compile(r"\b(now\(\)|current_timestamp|clock_timestamp\(\)|localtimestamp)", re.IGNORECASE)
    sql = sorted((TOP / "service/store/sql").glob("*.sql")) + sorted((TOP / "service/store/migrations").glob("*.sql"))
    assert sql
    found = [
        f"{name_of(path)}: {match.group(0)}" for path in sql for match in wall.finditer(re.sub(r"--.*", "", path.read_text()))
    ]
    assert not found


def test_every_module_and_every_room_says_what_lives_there() -> None:
    silent = [name_of(path) for path in sources() if not ast.get_docstring(ast.parse(path.read_text()))]
    assert not silent


def test_a_package_marker_holds_a_docstring_and_nothing_else() -> None:
    crowded = [name_of(path) for path in sources() if path.name == "__init__.py" and len(ast.parse(path.read_text()).body) > 1]
    assert not crowded


def test_no_room_is_called_after_nothing() -> None:
    nameless = {"common", "utils", "util", "helpers", "core", "manager", "misc", "base"}
    assert not [name_of(path) for path in sources() if nameless & set(path.with_suffix("").relative_to(TOP).parts)]
