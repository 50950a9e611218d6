"""Problems and plans as files, so that a third person can solve the same problem and judge the same plan. Format: README.md.

A file is a NumPy ``.npz`` archive without pickles: one array per field, and `words`, a JSON text with everything that is
not an array. Reading validates as making does.
"""

import json
import zipfile
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from service.planning.plan import Plan
from service.planning.problem import Problem

VERSION = 1


class FileFormatError(ValueError):
    """The file is not what it should be; the message says what is missing or wrong."""


def save_problem(problem: Problem, path: Path) -> None:
    """Write a problem. The same problem gives the same bytes."""
    _save(problem, "problem", path)


def save_plan(plan: Plan, path: Path) -> None:
    """Write a plan. The same plan gives the same bytes."""
    _save(plan, "plan", path)


def load_problem(path: Path) -> Problem:
    """Read a problem.

    Raises
    ------
    FileFormatError
        When the file is no problem of this version.
    ProblemError
        When it is one that means nothing.
    """
    values = _load(Problem, "problem", path)
    values["start_at"] = datetime.fromisoformat(values["start_at"])
    values["station_ids"] = tuple(values["station_ids"])
    return Problem(**values)


def load_plan(path: Path) -> Plan:
    """Read a plan; whether it is lawful is for `check` to say. Raises FileFormatError."""
    values = _load(Plan, "plan", path)
    for name in ("coupled_by", "reasons"):
        values[name] = tuple(values[name])
    return Plan(**values)


def _save(value: Problem | Plan, kind: str, path: Path) -> None:
    words: dict[str, Any] = {"kind": kind, "version": VERSION}
    arrays: dict[str, Any] = {}
    for field in fields(value):
        content = getattr(value, field.name)
        if isinstance(content, np.ndarray):
            arrays[field.name] = content
        else:
            words[field.name] = content.isoformat() if isinstance(content, datetime) else content
    arrays["words"] = np.frombuffer(json.dumps(words, sort_keys=True).encode(), dtype=np.uint8)
    # Members are written by hand: np.savez stamps them with the time of day, and the same problem must be the same bytes.
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(arrays):
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w") as member:
                np.lib.format.write_array(member, np.ascontiguousarray(arrays[name]), allow_pickle=False)


def _load(kind_of: type[Problem] | type[Plan], kind: str, path: Path) -> dict[str, Any]:
    names = {field.name for field in fields(kind_of)}
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            values: dict[str, Any] = {name: archive[name] for name in archive.files}
        words = json.loads(values.pop("words").tobytes().decode())
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise FileFormatError(f"{path.name} is no {kind} file: {error}") from error
    if not isinstance(words, dict) or (words.pop("kind", None), words.pop("version", None)) != (kind, VERSION):
        raise FileFormatError(f"{path.name} is no {kind} file of version {VERSION}")
    values |= words
    if values.keys() != names:
        raise FileFormatError(f"{path.name}: missing {sorted(names - values.keys())}, unknown {sorted(values.keys() - names)}")
    return values
