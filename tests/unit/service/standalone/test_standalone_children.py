"""Children: they are started again, given up, ended, and never outlive their parent."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from service.standalone.children import end, last_lines, spawn, wait_for
from service.standalone.errors import UpError
from service.standalone.supervisor import Supervisor


def _python(code: str, log: Path) -> subprocess.Popen[bytes]:
    return spawn([sys.executable, "-c", code], log)


def test_a_fallen_child_is_started_again_and_it_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    supervisor = Supervisor(said.append)
    log = tmp_path / "role.log"
    child = supervisor.add("role", lambda: _python("import time; time.sleep(60)", log), log)
    first = child.process.pid
    assert supervisor.check() == []
    child.process.kill()
    child.process.wait()
    assert supervisor.check() == ["role"]
    assert child.process.pid != first
    assert said == ["role was killed by SIGKILL; starting it again"]
    assert supervisor.restarts == 1
    supervisor.kill_all()
    assert child.process.poll() is not None


def test_a_child_that_keeps_falling_is_given_up_with_the_end_of_its_log(tmp_path: Path) -> None:
    supervisor = Supervisor(lambda line: None)
    log = tmp_path / "role.log"
    child = supervisor.add("role", lambda: _python("print('the reason'); raise SystemExit(3)", log), log)
    for _ in range(4):
        child.process.wait()
        supervisor.check()
    child.process.wait()
    with pytest.raises(UpError, match=r"(?s)role ended with status 3, the 5th time.*the reason.*role\.log"):
        supervisor.check()
    assert supervisor.restarts == 4


def test_a_child_that_ignores_the_polite_signal_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "deaf.log"
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    process = _python(code, log)
    assert wait_for(lambda: last_lines(log) == ["deaf"], 10)
    assert end(process, [(signal.SIGTERM, 0.2)]) == -signal.SIGKILL


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    with pytest.raises(UpError, match="cannot start /nowhere/program"):
        spawn(["/nowhere/program"], tmp_path / "log")


def test_children_die_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    code = f"""
import sys, time
from pathlib import Path
from service.standalone.children import spawn
child = spawn([sys.executable, "-c", "import time; time.sleep(60)"], Path({str(tmp_path / "c.log")!r}))
Path({str(pids)!r}).write_text(str(child.pid))
time.sleep(60)
"""
    parent = _python(code, tmp_path / "p.log")
    assert wait_for(lambda: pids.exists() and pids.read_text() != "", 20), last_lines(tmp_path / "p.log")
    child = int(pids.read_text())
    assert Path(f"/proc/{child}").exists()
    parent.kill()
    parent.wait()
    assert wait_for(lambda: not _runs(child), 10)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_children_have_a_session_of_their_own_so_that_ctrl_c_reaches_only_us(tmp_path: Path) -> None:
    process = _python("import time; time.sleep(60)", tmp_path / "log")
    assert os.getsid(process.pid) == process.pid
    assert end(process, [(signal.SIGTERM, 5.0)]) == -signal.SIGTERM
