"""The embedded PostgreSQL: the wheel's own programs, a cluster in a directory of ours, the server as our direct child.

TCP on loopback only, scram passwords; no daemon, no Unix socket. Not here: the schema (``store.migrate``).
"""

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from service.standalone.children import SystemAccount, end, last_lines, spawn, wait_for
from service.standalone.errors import UpError
from service.standalone.places import database_account, database_home, database_programs, write_secret
from service.standalone.ports import free_port, is_free
from service.store.migrate import ensure_database

OWNER = "denchi"
DATABASE = "denchi"

_READY = "ready"  # Source: PostgreSQL src/include/utils/pidfile.h, PM_STATUS_READY, line 8 of postmaster.pid
_STOP = ((signal.SIGINT, 8.0), (signal.SIGQUIT, 3.0))
"""Fast shutdown, then immediate shutdown: the next start recovers from the log."""


@dataclass(frozen=True, slots=True)
class _Cluster:
    programs: Path
    account: SystemAccount | None
    home: Path

    @property
    def data(self) -> Path:
        return self.home / "data"


class Database:
    """One embedded server. `start`, use `dsn`, `stop`; call from the main thread."""

    def __init__(self, data_dir: Path, log_file: Path, *, port: int | None = None, durable: bool = True) -> None:
        """Prepare the server of `data_dir`. `port` is used when free. `durable=False` trades safety for speed: tests only."""
        self._account = database_account()
        self._cluster = _Cluster(database_programs(self._account), self._account, database_home(data_dir, self._account))
        self._password_file = data_dir / "database.password"
        self._log_file = log_file
        self._wanted_port = port
        self._durable = durable
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None

    def dsn(self, database: str = DATABASE, *, password: bool = True) -> str:
        """Return the connection URL, on demand without the password."""
        secret = f":{self._password_file.read_text().strip()}" if password else ""
        return f"postgresql://{OWNER}{secret}@127.0.0.1:{self.port}/{database}"

    @property
    def password_file(self) -> Path:
        """The file (0600, ours) that holds the password."""
        return self._password_file

    @property
    def home(self) -> Path:
        """The directory that holds the cluster."""
        return self._cluster.home

    def start(self) -> None:
        """Start the server, making the cluster and the database when they are missing; return when it takes logins.

        Raises
        ------
        UpError
            When the cluster cannot be made or the server does not come up: with the last lines of its log.
        """
        fresh = not (self._cluster.data / "PG_VERSION").exists()
        if fresh:
            self._make_cluster()
        else:
            _wait_for_predecessor(self._cluster.data)
        self.port = free_port(self.port or self._wanted_port)
        # A predecessor killed with -9 leaves workers that hold its memory for an instant; a port may be taken before we listen.
        for attempt in range(3):
            if self._launch():
                break
            if attempt == 2 or not self._may_be_passing():
                raise UpError(f"the database does not start: {self._why()}", f"The whole story is in {self._log_file}")
            wait_for(lambda: False, 1.0)
            if not is_free(self.port):
                self.port = free_port()
        self._ensure_database()

    def stop(self) -> None:
        """Stop the server: fast, then at once; nothing committed is lost."""
        if self.process is not None:
            end(self.process, _STOP)
            self.process = None

    def _launch(self) -> bool:
        durable = "on" if self._durable else "off"
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "100",
            "shared_buffers": "64MB",  # Guess: one machine that also holds everything else
            "max_wal_size": "512MB",
            "jit": "off",  # short statements: compiling costs more than it gives
            "timezone": "UTC",
            "log_timezone": "UTC",
            "fsync": durable,
            "synchronous_commit": durable,
            "full_page_writes": durable,
        }
        command: list[str | Path] = [self._cluster.programs / "bin" / "postgres", "-D", self._cluster.data]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        process = spawn(
            command, self._log_file, env={"LC_ALL": "C", "PATH": os.defpath}, account=self._account, death_signal=signal.SIGINT
        )
        self.process = process
        wait_for(lambda: process.poll() is not None or self._is_ready(process.pid), 60.0)
        if process.poll() is None and self._is_ready(process.pid):
            return True
        self.stop()
        return False

    def _is_ready(self, pid: int) -> bool:
        try:
            lines = (self._cluster.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == _READY

    def _may_be_passing(self) -> bool:
        text = " ".join(last_lines(self._log_file, 6))
        return any(
            sign in text
            for sign in ("still in use", "already in use", "could not bind", "could not create any TCP", "is another postmaster")
        )

    def _why(self) -> str:
        return " / ".join(last_lines(self._log_file, 4)) or "it says nothing"

    def _make_cluster(self) -> None:
        cluster = self._cluster
        if not self._password_file.exists():
            write_secret(self._password_file, secrets.token_urlsafe(32))
        draft = cluster.home / "draft"  # an interrupted initdb leaves this, never half a cluster
        handed_over = cluster.home / "password"
        try:
            if draft.exists():
                shutil.rmtree(draft)
            write_secret(handed_over, self._password_file.read_text())
            if self._account:
                os.chown(handed_over, self._account.uid, self._account.gid)
            command: list[str | Path] = [cluster.programs / "bin" / "initdb", "-D", draft, "-U", OWNER, f"--pwfile={handed_over}"]
            command += ["-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--no-instructions"]
            if not self._durable:
                command.append("--no-sync")
            process = spawn(command, self._log_file, env={"LC_ALL": "C", "PATH": os.defpath}, account=self._account)
            if process.wait() != 0:
                raise UpError(f"the database cluster cannot be made: {self._why()}", f"The whole story is in {self._log_file}")
            draft.rename(cluster.data)
        except OSError as error:
            raise UpError(
                f"the database cluster cannot be made in {cluster.home}: {error.strerror}", "See to that directory"
            ) from error
        finally:
            with contextlib.suppress(OSError):
                handed_over.unlink(missing_ok=True)

    def _ensure_database(self) -> None:
        async def ensure() -> None:
            connection = await asyncpg.connect(self.dsn("postgres"))
            try:
                await ensure_database(connection, DATABASE)
            finally:
                await connection.close()

        try:
            # In a thread: the caller may be inside a running event loop.
            with ThreadPoolExecutor(1) as thread:
                thread.submit(lambda: asyncio.run(ensure())).result()
        except (OSError, asyncpg.PostgresError) as error:
            self.stop()
            raise UpError(
                f"the database refuses our login: {error}", "Was its password file changed? Restore it or use another --data-dir"
            ) from error


def _wait_for_predecessor(data: Path, patience_s: float = 15.0) -> None:
    """Wait until a server that still ends on this cluster is gone; remove what a dead one left behind."""
    pid_file = data / "postmaster.pid"

    def gone() -> bool:
        try:
            pid = int(pid_file.read_text().split("\n", 1)[0])
            # A server's working directory is its cluster; a pid used anew by another program does not count.
            return Path(f"/proc/{pid}/cwd").resolve() != data.resolve()
        except (OSError, ValueError):
            return True

    if not wait_for(gone, patience_s):
        raise UpError(f"another database server still runs on {data}", f"End it: kill -INT $(head -1 {pid_file})")
    pid_file.unlink(missing_ok=True)
