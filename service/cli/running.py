"""How a command finds the system it speaks of: its own environment first, then what `denchi up` wrote into the data directory."""

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from service.domain.clock import FleetTime
from service.settings import Settings

DEFAULT_DATA_DIR = Path(os.environ.get("DENCHI_DATA_DIR", ".denchi"))


@dataclass(frozen=True, slots=True)
class Running:
    """What `denchi up` says of itself; `pid` is None when it has ended."""

    settings: Settings
    pid: int | None
    children: dict[str, int]
    known: bool


def find_running(data_dir: Path) -> Running:
    """Return the settings of the system in `data_dir`, its pid when it runs. A variable of our own environment goes first."""
    run = _read(data_dir / "run.json")
    environment: dict[str, str] = run.get("environment", {})
    for name, value in environment.items():
        os.environ.setdefault(name, value)
    pid = run.get("pid")
    return Running(Settings.load(), pid if pid and is_alive(pid) else None, run.get("children", {}), bool(run))


def fleet_now(settings: Settings) -> datetime:
    """Return the fleet instant; without a clock file the wall's."""
    wall = datetime.now(UTC)
    if settings.clock_file is None:
        return wall
    line = json.loads(settings.clock_file.read_text())
    origin, anchor = datetime.fromisoformat(line["origin"]), datetime.fromisoformat(line["anchor"])
    return FleetTime(origin, anchor, float(line["speed"])).at(wall)


def is_alive(pid: int) -> bool:
    """Tell whether a process of this id lives."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
