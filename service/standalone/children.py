"""Child processes that never outlive their parent, and how to end one. Not here: which children there are (``supervisor``)."""

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from service.standalone.errors import UpError

_PR_SET_PDEATHSIG = 1  # Source: linux/prctl.h
_libc = ctypes.CDLL(None, use_errno=True)  # loaded before any fork: the child must not load libraries


@dataclass(frozen=True, slots=True)
class SystemAccount:
    """An existing account without rights, for programs that refuse to run as root."""

    name: str
    uid: int
    gid: int


def _tie_to_parent(parent_pid: int, death_signal: int) -> Callable[[], None]:
    def in_child() -> None:
        # Runs after setuid, which would have cleared it. The kernel signals us when the parent's thread ends, kill -9 included.
        _libc.prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
        if os.getppid() != parent_pid:  # the parent died in between: nobody would tell us
            os._exit(125)

    return in_child


def spawn(
    command: Sequence[str | Path],
    log_file: Path,
    *,
    env: Mapping[str, str] | None = None,
    account: SystemAccount | None = None,
    death_signal: signal.Signals = signal.SIGTERM,
    stdout_file: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own (a Ctrl-C in the terminal reaches only us) that gets `death_signal` when we die.

    Call it from the main thread: the tie is to the thread that starts the child. Output is appended to `log_file`,
    standard output to `stdout_file` where that is given.

    Raises
    ------
    UpError
        When the program or the log file cannot be opened.
    """
    try:
        with contextlib.ExitStack() as stack:
            log = stack.enter_context(log_file.open("ab"))
            out = log if stdout_file is None else stack.enter_context(stdout_file.open("ab"))
            return subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                env=dict(env) if env is not None else None,
                cwd="/" if account else None,
                start_new_session=True,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
                preexec_fn=_tie_to_parent(os.getpid(), death_signal),
            )
    except OSError as error:
        raise UpError(
            f"cannot start {command[0]}: {error.strerror}: {error.filename}", "See that it exists and may be run"
        ) from error


def wait_for(condition: Callable[[], bool], timeout_s: float, *, tick_s: float = 0.02) -> bool:
    """Poll `condition` until it holds; return False when `timeout_s` wall seconds have passed without it."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(tick_s)
    return True


def end(process: subprocess.Popen[bytes], steps: Sequence[tuple[signal.Signals, float]]) -> int:
    """End a child: send each signal in turn and wait its seconds; SIGKILL at last. Return the exit status."""
    for number, patience_s in steps:
        if process.poll() is not None:
            break
        process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(patience_s)
    if process.poll() is None:
        process.kill()
    return process.wait()


def last_lines(log_file: Path, count: int = 5) -> list[str]:
    """Return the last lines of a log file, none when it cannot be read."""
    try:
        with log_file.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 8192))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    return [line for line in text.splitlines() if line.strip()][-count:]
