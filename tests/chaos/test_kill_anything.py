"""Whatever is killed, nothing is lost and nothing happens twice: kill -9, judged by the stations' journals."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from service.standalone.ports import free_port

START_PATIENCE_S = 90.0


def start_up(data_dir: Path, port: int, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "service", "up", "--json", "--data-dir", str(data_dir), "--port", str(port), *more]
    with (data_dir.parent / "up.log").open("a") as log:
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)


def children_of(data_dir: Path) -> dict[str, int]:
    try:
        return dict(json.loads((data_dir / "run.json").read_text())["children"])
    except (OSError, ValueError, KeyError):
        return {}


def wait_for_line(log: Path, text: str, seconds: float = START_PATIENCE_S) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if log.exists() and text in log.read_text():
            return
        _pause(0.2)
    raise AssertionError(f"{text!r} did not appear within {seconds} s:\n{log.read_text()}")


def _pause(seconds: float) -> None:
    # Real processes live in real time; what the test waits for is theirs.
    signal.sigtimedwait([], seconds)


def report_of(up: subprocess.Popen[str], seconds: float) -> dict[str, Any]:
    out, _ = up.communicate(timeout=seconds)
    return dict(json.loads(out.strip().splitlines()[-1]))


@pytest.fixture
def port() -> int:
    """The API's port; the console takes the next one."""
    return free_port(in_a_row=2)


@pytest.fixture
def data_dir(walkable_dir: Path) -> Iterator[Path]:
    yield walkable_dir / "data"
    for process in psutil.process_iter(["cmdline"]):
        if any(str(walkable_dir) in part for part in process.info["cmdline"] or ()):
            process.kill()


def kill_in_random_order(data_dir: Path, log: Path, victims: list[str], rounds: int, seed: int) -> list[str]:
    dice = random.Random(seed)
    killed: list[str] = []
    for _ in range(rounds):
        _pause(dice.uniform(3.0, 5.0))
        name = dice.choice(victims)
        pid = children_of(data_dir).get(name)
        if pid is None:
            continue
        os.kill(pid, signal.SIGKILL)
        killed.append(name)
        wait_for_line(log, "starting it again", 20)
    return killed


@pytest.mark.timeout(240)
@pytest.mark.long
def test_roles_broker_and_database_are_killed_and_every_message_is_stored_once(data_dir: Path, port: int) -> None:
    up = start_up(data_dir, port, "--stations", "6", "--for", "30", "--seed", "3")
    log = data_dir.parent / "up.log"
    wait_for_line(log, "first station online")
    killed = kill_in_random_order(data_dir, log, ["ingest", "desk", "api", "plan", "broker", "database"], rounds=6, seed=5)
    report = report_of(up, 180)
    assert killed
    assert report["restarts"] >= len(killed)
    messages = report["messages"]
    assert messages["sent"] > 0
    assert messages["settled"] == messages["sent"], report
    assert messages["lost"] == 0
    assert report["invariants"]["violated"] == 0, report["invariants"]


@pytest.mark.timeout(240)
@pytest.mark.long
def test_the_parent_is_killed_no_orphan_stays_and_the_next_start_goes_on(data_dir: Path, port: int) -> None:
    up = start_up(data_dir, port, "--stations", "4", "--for", "600", "--seed", "4")
    log = data_dir.parent / "up.log"
    wait_for_line(log, "first station online")
    pids = [child.pid for child in psutil.Process(up.pid).children(recursive=True)]
    assert len(pids) >= 8
    up.kill()
    up.communicate()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and any(psutil.pid_exists(pid) for pid in pids):
        _pause(0.2)
    assert not [pid for pid in pids if psutil.pid_exists(pid)]

    again = start_up(data_dir, port, "--stations", "4", "--for", "15", "--seed", "4")
    report = report_of(again, 150)
    assert report["messages"]["settled"] == report["messages"]["sent"], report
    assert report["messages"]["lost"] == 0
    assert report["invariants"]["violated"] == 0, report["invariants"]


@pytest.mark.long
@pytest.mark.timeout(600)
def test_twenty_kills_of_anything_the_fleet_itself_included(data_dir: Path, port: int) -> None:
    up = start_up(data_dir, port, "--stations", "12", "--for", "120", "--seed", "7")
    log = data_dir.parent / "up.log"
    wait_for_line(log, "first station online")
    victims = ["ingest", "desk", "api", "plan", "broker", "database", "fleet"]
    killed = kill_in_random_order(data_dir, log, victims, rounds=20, seed=11)
    report = report_of(up, 300)
    assert len(killed) >= 15
    assert report["messages"]["settled"] == report["messages"]["sent"], report
    assert report["messages"]["lost"] == 0
    assert report["invariants"]["violated"] == 0, report["invariants"]
