"""TCP ports of this machine: free ones, taken ones, and who took them."""

import contextlib
import os
import random
import socket
from pathlib import Path

from service.standalone.errors import UpError

_OUTGOING = Path("/proc/sys/net/ipv4/ip_local_port_range")
_FIRST_OF_OURS = 20_000
"""Guess: above what well-known servers take."""
_TRIES = 500


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Tell whether a server could listen on `port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def answers(port: int, host: str = "127.0.0.1") -> bool:
    """Tell whether somebody listens on `port`."""
    try:
        with socket.create_connection((host, port), timeout=1.0):
            return True
    except OSError:
        return False


def free_port(preferred: int | None = None, *, in_a_row: int = 1) -> int:
    """Return `preferred` when it is free, else the first of `in_a_row` free ports.

    They lie below the range from which the system takes the ports of outgoing connections: one of ours that is free for a moment,
    because its server is being started again, is not taken by somebody's connection meanwhile.
    """
    if preferred and is_free(preferred):
        return preferred
    lowest, highest = _FIRST_OF_OURS, max(_first_outgoing() - in_a_row, _FIRST_OF_OURS + 1)
    chance = random.SystemRandom()
    for _ in range(_TRIES):
        port = chance.randrange(lowest, highest)
        if all(is_free(port + more) for more in range(in_a_row)):
            return port
    raise UpError("no free TCP port was found on this machine", "End programs that hold ports, or choose them with the options")


def _first_outgoing() -> int:
    try:
        return int(_OUTGOING.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 32_768


def require_free(port: int, what: str, option: str) -> None:
    """Raise UpError, naming who holds the port where that can be seen, unless `port` is free."""
    if is_free(port):
        return
    holder = holder_of(port)
    raise UpError(
        f"port {port} for the {what} is taken" + (f" by {holder}" if holder else ""), f"Stop it, or choose another with {option}"
    )


def holder_of(port: int) -> str | None:
    """Return ``name (pid n)`` of the process that listens on `port`, None when it is not ours to see."""
    inodes: set[str] = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:  # 0A = LISTEN
                    inodes.add(f"socket:[{fields[9]}]")
    if not inodes:
        return None
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            for descriptor in (process / "fd").iterdir():
                if os.readlink(descriptor) in inodes:
                    return f"{(process / 'comm').read_text().strip()} (pid {process.name})"
    return None
