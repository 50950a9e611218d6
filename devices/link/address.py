"""Where the broker is and how a station proves itself there."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class LinkAddress:
    """A broker. With `ca_file` the session speaks TLS and checks the broker's certificate against it."""

    host: str
    port: int
    user: str | None = None
    password: str | None = None
    ca_file: Path | None = None
