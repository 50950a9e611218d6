"""Watches over the children of one machine: starts a fallen one again, says so, and gives up on one that keeps falling."""

import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from service.standalone.children import end, last_lines
from service.standalone.errors import UpError

MAX_DEATHS = 5
WITHIN_S = 60.0


@dataclass(slots=True)
class Child:
    """One child process and how to start it again."""

    name: str
    launch: Callable[[], subprocess.Popen[bytes]]
    log_file: Path
    process: subprocess.Popen[bytes]
    deaths: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_DEATHS))


class Supervisor:
    """The children in the order in which they were started. `check` it often; not safe for threads."""

    def __init__(self, say: Callable[[str], None]) -> None:
        """`say` takes the lines for the screen."""
        self._say = say
        self.children: dict[str, Child] = {}
        self._released: list[Child] = []
        self.restarts = 0

    def add(self, name: str, launch: Callable[[], subprocess.Popen[bytes]], log_file: Path) -> Child:
        """Start a child and watch over it from now on."""
        child = Child(name, launch, log_file, launch())
        self.children[name] = child
        return child

    def check(self) -> list[str]:
        """Start fallen children again; return their names.

        Raises
        ------
        UpError
            When one has fallen `MAX_DEATHS` times within `WITHIN_S` wall seconds.
        """
        fallen = [child for child in self.children.values() if child.process.poll() is not None]
        for child in fallen:
            now = time.monotonic()
            child.deaths.append(now)
            how = _how_it_ended(child.process.returncode)
            if len(child.deaths) == MAX_DEATHS and now - child.deaths[0] <= WITHIN_S:
                told = "\n    ".join(last_lines(child.log_file)) or "(its log is empty)"
                raise UpError(
                    f"{child.name} {how}, the {MAX_DEATHS}th time within {WITHIN_S:.0f} s. The end of its log:\n    {told}\n ",
                    f"The whole log is {child.log_file}; `denchi doctor` looks at the machine",
                )
            self._say(f"{child.name} {how}; starting it again")
            self.restarts += 1
            child.process = child.launch()
        return [child.name for child in fallen]

    def stop(self, name: str, steps: Sequence[tuple[signal.Signals, float]]) -> int | None:
        """End one child and no longer watch over it; return its exit status, None when there is no such child."""
        child = self.release(name)
        return end(child.process, steps) if child else None

    def release(self, name: str) -> Child | None:
        """Let a child end without starting it again; return it, None when there is no such child."""
        child = self.children.pop(name, None)
        if child is not None:
            self._released.append(child)
        return child

    def stop_together(self, names: Sequence[str], patience_s: float) -> None:
        """Ask several children to end and wait for all of them."""
        leaving = [child for name in names if (child := self.release(name)) is not None]
        for child in leaving:
            if child.process.poll() is None:
                child.process.terminate()
        deadline = time.monotonic() + patience_s
        for child in leaving:
            try:
                child.process.wait(max(0.05, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self._say(f"{child.name} does not end; killed")
                child.process.kill()
                child.process.wait()

    def kill_all(self) -> None:
        """End everything at once: the second Ctrl-C. What was committed stays."""
        everyone = [*self.children.values(), *self._released]
        for child in everyone:
            if child.process.poll() is None:
                child.process.kill()
        for child in everyone:
            child.process.wait()
        self.children.clear()


def _how_it_ended(status: int) -> str:
    if status < 0:
        return f"was killed by {signal.Signals(-status).name}"
    return f"ended with status {status}"
