"""`denchi up` as a person runs it, without a fleet: it comes up, says what is in its way, goes down, leaves nobody behind."""

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.standalone.children import wait_for
from service.standalone.ports import answers, free_port

pytestmark = pytest.mark.timeout(170)


class _Up:
    def __init__(self, data_dir: Path, *options: str) -> None:
        self.data_dir = data_dir
        self.port = free_port(in_a_row=2)
        self.screen = data_dir.parent / f"screen-{self.port}.txt"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("DENCHI_")}
        command = [
            sys.executable,
            "-m",
            "service",
            "up",
            "--no-fleet",
            "--port",
            str(self.port),
            "--data-dir",
            str(data_dir),
            *options,
        ]
        with self.screen.open("wb") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=out, env=environment, start_new_session=True)

    def said(self) -> str:
        return self.screen.read_text()

    def await_line(self, text: str, timeout_s: float = 90.0) -> None:
        wait_for(lambda: text in self.said() or self.process.poll() is not None, timeout_s)
        assert text in self.said(), self.said()

    def end(self, number: signal.Signals = signal.SIGINT, timeout_s: float = 20.0) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout_s)

    def children(self) -> dict[str, int]:
        children: dict[str, int] = json.loads((self.data_dir / "run.json").read_text())["children"]
        return children


@pytest.fixture
def up(walkable_dir: Path) -> Iterator[Callable[..., _Up]]:
    started: list[_Up] = []

    def start(*options: str, data_dir: Path | None = None) -> _Up:
        started.append(_Up(data_dir or walkable_dir / "data", *options))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
        one.process.wait()


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def _all_gone(pids: dict[str, int]) -> bool:
    return not any(_alive(pid) for pid in pids.values())


@contextmanager
def _modes_unchanged(path: Path) -> Iterator[None]:
    def modes() -> dict[Path, tuple[int, int, int]]:
        return {p: (stat.S_IMODE(p.stat().st_mode), p.stat().st_uid, p.stat().st_gid) for p in path.absolute().parents}

    before = modes()
    yield
    assert modes() == before


def test_it_comes_up_ends_on_ctrl_c_and_goes_on_where_it_was(up: Callable[..., _Up], walkable_dir: Path) -> None:
    with _modes_unchanged(walkable_dir / "data"):
        first = up()
        first.await_line("Ctrl-C ends it")
        children = first.children()
        assert set(children) == {"database", "broker", "api", "console", "ingest", "plan", "desk"}
        assert all(_alive(pid) for pid in children.values())
        assert answers(first.port)
        assert answers(first.port + 1)
        assert first.end(signal.SIGINT) == 0
        assert "Traceback" not in first.said()
        assert _all_gone(children)
        reached = json.loads((walkable_dir / "data" / "clock.mark.json").read_text())["reached_at"]
    second = up("--for", "1", "--json")
    assert second.process.wait(60) == 0, second.said()
    report = json.loads(second.said().splitlines()[-1])
    assert report["ok"] is True
    assert report["messages"]["sent"] == 0
    assert json.loads((walkable_dir / "data" / "clock.json").read_text())["origin"] == reached
    assert "0 migrations applied now" in second.said()


def test_a_fallen_role_is_started_again_and_sigterm_ends_all(up: Callable[..., _Up]) -> None:
    one = up()
    one.await_line("Ctrl-C ends it")
    before = one.children()
    os.kill(before["desk"], signal.SIGKILL)
    one.await_line("desk was killed by SIGKILL; starting it again")
    os.kill(before["database"], signal.SIGKILL)
    one.await_line("database was killed by SIGKILL; starting it again")
    os.kill(before["broker"], signal.SIGKILL)
    one.await_line("broker was killed by SIGKILL; starting it again")
    assert wait_for(lambda: one.children()["broker"] != before["broker"], 20)
    assert one.end(signal.SIGTERM) == 0
    assert _all_gone(one.children())


def test_a_second_ctrl_c_ends_it_at_once(up: Callable[..., _Up]) -> None:
    one = up()
    one.await_line("Ctrl-C ends it")
    children = one.children()
    os.kill(children["desk"], signal.SIGSTOP)  # a role that does not listen
    one.process.send_signal(signal.SIGINT)
    one.await_line("stopping")
    wait_for(lambda: False, 0.7)
    assert one.end(signal.SIGINT, 3.0) == 130
    assert wait_for(lambda: _all_gone(children), 5)


def test_a_taken_port_a_used_directory_and_a_start_in_the_past_are_refused_in_words(
    up: Callable[..., _Up], walkable_dir: Path
) -> None:
    first = up()
    first.await_line("Ctrl-C ends it")
    second = up(data_dir=walkable_dir / "data")
    assert second.process.wait(20) == 1
    assert f"another denchi up (pid {first.process.pid}) uses" in second.said()
    assert "--data-dir" in second.said()
    third = up("--port", str(first.port), data_dir=walkable_dir / "other")
    assert third.process.wait(20) == 1
    assert f"port {first.port} for the API is taken by" in third.said()
    assert "--port" in third.said()
    assert first.end() == 0
    fourth = up("--start", "2020-01-01", data_dir=walkable_dir / "data")
    assert fourth.process.wait(20) == 1
    assert "another --data-dir" in fourth.said()
    assert all("Traceback" not in one.said() for one in (first, second, third, fourth))


def test_token_station_and_doctor_work_beside_it(up: Callable[..., _Up], walkable_dir: Path) -> None:
    one = up()
    one.await_line("Ctrl-C ends it")

    def denchi(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "service", *arguments, "--data-dir", str(walkable_dir / "data")]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    token = denchi("token", "--scope", "operator")
    assert token.returncode == 0, token.stderr
    assert token.stdout.count(".") == 2
    assert denchi("token", "--scope", "root").returncode == 1
    added = denchi("station", "add", "st-new", "--latitude", "33.6", "--longitude", "130.4")
    assert added.returncode == 0, added.stderr
    assert json.loads(added.stdout)["user"] == "st-new"
    assert added.stderr == ""
    again = denchi("station", "add", "st-new")
    assert again.returncode == 1
    assert "--renew" in again.stderr
    listed = json.loads(denchi("station", "list", "--json").stdout)
    assert (listed["station_id"], listed["connected"]) == ("st-new", False)
    log = (walkable_dir / "data" / "logs" / "broker.log").read_text()
    assert "Reloaded server configuration" in log
    health = denchi("doctor", "--json")
    found = json.loads(health.stdout)
    bad = [finding["what"] for finding in found["findings"] if not finding["ok"]]
    assert health.returncode == 1  # the new station has never connected
    assert [what for what in bad if not what.startswith("last plan")] == ["0 of 1 stations connected, last heard never"], bad
    assert one.end() == 0
    stopped = denchi("doctor")
    assert "nothing runs here" in stopped.stdout


def test_files_of_prices_and_supply_are_taken_in_before_the_roles_start_and_stay(
    up: Callable[..., _Up], walkable_dir: Path
) -> None:
    price, supply = walkable_dir / "price.csv", walkable_dir / "supply.csv"
    halves = [f"2022-04-{day:02}T{hour:02}:{minute}:00+09:00" for day in (9, 10) for hour in range(24) for minute in ("00", "30")]
    price.write_text("\n".join(["ts_jst,shikoku_jpy_per_kwh", *(f"{half},7.5" for half in halves), ""]))
    supply.write_text("\n".join(["ts_jst,solar_mwh,wind_mwh", *(f"{half},40,10" for half in halves), ""]))
    files = ("--price", str(price), "--supply", str(supply))
    unfit = up(*files, "--area", "shikoku")
    assert unfit.process.wait(20) == 1
    assert "cover 2022-04-08 15:00 UTC to 2022-04-10 15:00 UTC" in unfit.said()
    assert "Choose --start within that span" in unfit.said()
    assert "database ready" not in unfit.said()
    assert not (walkable_dir / "data" / "clock.json").exists()
    first = up(*files, "--area", "shikoku", "--start", "2022-04-10", "--for", "1", "--json")
    assert first.process.wait(90) == 0, first.said()
    assert "signals of area shikoku: 288 new, 0 there already" in first.said()
    second = up()
    second.await_line("Ctrl-C ends it")
    assert json.loads((walkable_dir / "data" / "run.json").read_text())["environment"]["DENCHI_AREA"] == "shikoku"

    def denchi_supply(*arguments: str) -> str:
        command = [sys.executable, "-m", "service", "supply", *arguments, "--data-dir", str(walkable_dir / "data")]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout

    there = {(entry["series"], entry["place"], entry["source"]): entry for entry in json.loads(denchi_supply("show", "--json"))}
    real = [entry for (_, _, source), entry in there.items() if source != "synthetic"]
    assert {(entry["series"], entry["place"], entry["intervals"]) for entry in real} == {
        (series, "shikoku", 96) for series in ("price_jpy_per_kwh", "solar_w", "wind_w")
    }
    # What is made up begins where the files end.
    assert there[("price_jpy_per_kwh", "shikoku", "synthetic")]["first_at"] == "2022-04-10T15:00:00+00:00"
    assert "0 new, 96 there already" in denchi_supply("import", str(price))
    assert second.end() == 0
    assert all("Traceback" not in one.said() for one in (unfit, first, second))
