"""What a run was about to say, and what the broker has taken: one file, appended to, enough to make every message again.

Lines of JSON. A run begins with its plan; then `about` (steps that are about to be said, written before the first of them is
sent), `taken` (of all steps below this one the broker has acknowledged everything), `rest` (what had been held back follows),
`end`. A kill -9 of the generator leaves at most a torn last line, which says nothing. Loss of power may cost the last lines.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from simulator.load.plan import LoadPlan, plan_from_json


class JournalError(ValueError):
    """The journal cannot be used; the message says why."""


@dataclass(slots=True)
class Run:
    """One run as its journal tells it."""

    plan: LoadPlan
    about: int = 0
    """Nothing at or above this step was said."""
    taken: int = 0
    """Everything below this step has been acknowledged by the broker."""
    resting: bool = False
    """The run has stopped making messages and says what it had held back."""
    ended: bool = False
    """Everything that was made has been acknowledged."""


class JournalWriter:
    """Appends one run to a journal. Use as a context manager."""

    def __init__(self, path: Path, plan: LoadPlan) -> None:
        self._plan = plan
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._taken = 0
        # What a torn last line of an earlier run left behind must not swallow this one.
        self._write("\n" + json.dumps({"run": plan.as_json()}))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.close(self._file)

    def about(self, end: int) -> None:
        """Say that steps below `end` are about to be sent."""
        self._write(f'{{"about":{end}}}')

    def taken(self, end: int) -> None:
        """Say that the broker has acknowledged everything below step `end`."""
        if end > self._taken:
            self._taken = end
            self._write(f'{{"taken":{end}}}')

    def rest(self) -> None:
        """Say that what has been held back is about to be sent."""
        self._write('{"rest":true}')

    def end(self) -> None:
        """Say that everything made has been acknowledged."""
        self._write('{"end":true}')

    def _write(self, line: str) -> None:
        # One write: either the kernel has the line or it has not.
        os.write(self._file, line.encode() + b"\n")


def read_journal(path: Path) -> list[Run]:
    """Return the runs in a journal; none when there is no such file.

    Raises
    ------
    JournalError
        When a line in the middle is none of ours, or no run begins the file.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    runs: list[Run] = []
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        try:
            told = json.loads(line)
            if "run" in told:
                runs.append(Run(plan_from_json(told["run"])))
            elif "about" in told:
                runs[-1].about = int(told["about"])
            elif "taken" in told:
                runs[-1].taken = int(told["taken"])
            else:
                runs[-1].resting |= bool(told.get("rest"))
                runs[-1].ended |= bool(told.get("end"))
        except (ValueError, IndexError, TypeError, AttributeError) as error:
            if _torn(lines, number):
                continue
            raise JournalError(f"{path}, line {number}: {type(error).__name__}: {error}") from error
    return runs


def next_boot(runs: list[Run], epoch: int) -> int:
    """Return the boot that follows the runs of this epoch, from 1."""
    return 1 + max((run.plan.boot for run in runs if run.plan.epoch == epoch), default=0)


def _torn(lines: list[bytes], number: int) -> bool:
    """Tell whether a line was the last that its process wrote: only a new run, or nothing, follows."""
    following = next((line for line in lines[number:] if line), b"")
    return not following or following.startswith(b'{"run":')
