"""Where everything lies in the data directory of one machine, and that only one `denchi up` uses it."""

import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from service.standalone.errors import UpError
from service.standalone.places import make_private, write_secret

_LARGE_LOG_BYTES = 20_000_000


@dataclass(frozen=True, slots=True)
class DataDir:
    """Paths under one data directory. Secrets are files of mode 0600; the directory itself may be walked through."""

    root: Path

    @classmethod
    def prepare(cls, path: Path) -> "DataDir":
        """Make what is missing and return the layout.

        Raises
        ------
        UpError
            When it cannot be made or written.
        """
        # 0711: under root the database's account must pass through to its own directory.
        layout = cls(make_private(path.absolute(), 0o711))
        for directory in (layout.logs, layout.keys, layout.broker, layout.sim):
            make_private(directory)
        for log in layout.logs.iterdir():
            if log.suffix != ".old" and log.stat().st_size > _LARGE_LOG_BYTES:
                log.replace(log.with_name(f"{log.name}.old"))
        return layout

    @property
    def logs(self) -> Path:
        """One log file per child."""
        return self.root / "logs"

    @property
    def keys(self) -> Path:
        """Token key, JWKS, offer key, the service's broker password."""
        return self.root / "keys"

    @property
    def broker(self) -> Path:
        """The broker's rules and store."""
        return self.root / "broker"

    @property
    def sim(self) -> Path:
        """The simulated fleet's own state and its credentials."""
        return self.root / "sim"

    @property
    def clock_file(self) -> Path:
        """The fleet clock that every process reads."""
        return self.root / "clock.json"

    @property
    def run_file(self) -> Path:
        """What runs now: addresses, process ids, the environment of the roles (0600)."""
        return self.root / "run.json"

    @property
    def ports_file(self) -> Path:
        """Ports chosen once and kept."""
        return self.root / "ports.json"

    def log_of(self, name: str) -> Path:
        """Return the log file of a child."""
        return self.logs / f"{name}.log"

    def lock(self) -> IO[str]:
        """Take this data directory for us until the returned file is closed or we die.

        Raises
        ------
        UpError
            When another `denchi up` uses it.
        """
        file = (self.root / "lock").open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            holder = file.read().strip()
            file.close()
            who = f" (pid {holder})" if holder else ""
            raise UpError(f"another denchi up{who} uses {self.root}", "Stop it, or choose another --data-dir") from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        return file


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file, empty when there is none or it is damaged."""
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a JSON file (0600), whole or not at all."""
    write_secret(path, json.dumps(value, indent=1) + "\n")
