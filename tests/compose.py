"""docker-compose.yml as the tests read it: services, their order, whose file is mounted where."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

TOP = Path(__file__).parents[1]
FILE = TOP / "docker-compose.yml"
OUR_IMAGE = "denchi:"
OUR_ACCOUNT = "10001"


@dataclass(frozen=True)
class Service:
    """One service of the file."""

    name: str
    spec: dict[str, Any]

    @property
    def is_ours(self) -> bool:
        """Whether it runs our image."""
        return str(self.spec["image"]).startswith(OUR_IMAGE)

    @property
    def runs_once(self) -> bool:
        """Whether it does one thing and ends."""
        return self.spec.get("restart") == "no"

    @property
    def environment(self) -> dict[str, str]:
        """Its variables."""
        return dict(self.spec.get("environment", {}))

    @property
    def command(self) -> list[str]:
        """What it runs."""
        return list(self.spec.get("command", []))

    @property
    def healthcheck(self) -> list[str]:
        """What tells whether it does its work, without the leading CMD."""
        return list(self.spec["healthcheck"]["test"][1:])

    @property
    def needs(self) -> dict[str, str]:
        """What it waits for, and until when."""
        return {name: told["condition"] for name, told in self.spec.get("depends_on", {}).items()}

    @property
    def mounts(self) -> dict[str, tuple[str, bool]]:
        """Target -> (volume or path, whether it may be written)."""
        parts = [str(text).split(":") for text in self.spec.get("volumes", [])]
        return {part[1]: (part[0], part[2:] != ["ro"]) for part in parts}


class Compose:
    """The file."""

    def __init__(self) -> None:
        self.document: dict[str, Any] = yaml.safe_load(FILE.read_text())

    @cached_property
    def services(self) -> dict[str, Service]:
        """Every service by its name."""
        return {name: Service(name, spec) for name, spec in self.document["services"].items()}

    def in_order(self) -> list[Service]:
        """Return the services so that each comes after what it waits for."""
        done: list[Service] = []
        waiting = list(self.services.values())
        while waiting:
            ready = [service for service in waiting if service.needs.keys() <= {one.name for one in done}]
            assert ready, "they wait for each other"
            done += ready
            waiting = [service for service in waiting if service not in ready]
        return done
