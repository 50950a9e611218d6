"""What tests of every tier share: a real database, real brokers, a clock that a test moves itself.

- `postgres_server` (session): the embedded PostgreSQL. `database`: a fresh migrated database for one test (its URL). `pool`:
  connections to it.
- `nats_broker`: an embedded broker of its own for one test (it starts in 0.1 s). `mosquitto_broker`: the same with Mosquitto,
  skips without.
  Both: `.port`, `.service` and `.provision("st-1")` -> login with `.user`, `.password`; `.address(login)` for `service.broker`.
- `private_postgres`: a server of its own for one test, for those that kill it.
- `clock`: fleet time that stands still until `clock.advance(seconds)`; `new_id("swp")`: ids in order.
"""

import asyncio
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from service.domain.ids import make_id
from service.provisioning import hashes, rules_mosquitto
from service.provisioning.access import AccessRule, service_rule, station_rule
from service.standalone.broker import NatsBroker
from service.standalone.children import end, spawn, wait_for
from service.standalone.database import Database
from service.standalone.ports import answers, free_port
from service.store.migrate import migrate
from service.store.pool import Pool

FLEET_START = datetime(2026, 4, 6, 0, 0, tzinfo=UTC)
_TEMPLATE = "denchi_template"
_numbers = itertools.count(1)


# --- time and names -------------------------------------------------------------------------------------------------------------


class ManualClock:
    """Fleet time that moves only when the test says so."""

    def __init__(self, start: datetime = FLEET_START) -> None:
        self._now = start

    def now(self) -> datetime:
        return self._now

    def wall_seconds(self, fleet_seconds: float) -> float:
        return fleet_seconds

    def advance(self, seconds: float) -> datetime:
        self._now += timedelta(seconds=seconds)
        return self._now


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def new_id(clock: ManualClock) -> Callable[[str], str]:
    numbers = itertools.count(1)
    return lambda prefix: make_id(prefix, clock.now(), next(numbers).to_bytes(10, "big"))


# --- places ---------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def run_dir() -> Iterator[Path]:
    """A directory that every account can walk through (pytest's own is 0700, and root's database runs as another account)."""
    directory = Path(tempfile.mkdtemp(prefix="denchi-tests-", dir="/var/tmp"))
    directory.chmod(0o711)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def walkable_dir(run_dir: Path) -> Path:
    """The same, for one test."""
    directory = run_dir / f"t{next(_numbers)}"
    directory.mkdir()
    directory.chmod(0o711)
    return directory


# --- database -------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def postgres_server(run_dir: Path) -> Iterator[Database]:
    server = Database(run_dir, run_dir / "database.log", durable=False)
    server.start()

    async def make_template() -> None:
        connection = await asyncpg.connect(server.dsn("postgres"))
        await connection.execute(f"CREATE DATABASE {_TEMPLATE}")
        await connection.close()
        connection = await asyncpg.connect(server.dsn(_TEMPLATE))
        await migrate(connection)
        await connection.close()

    asyncio.run(make_template())
    yield server
    server.stop()


@pytest.fixture
async def database(postgres_server: Database) -> AsyncIterator[str]:
    """URL of a fresh, migrated database, dropped afterwards."""
    name = f"test_{next(_numbers)}"
    admin = await asyncpg.connect(postgres_server.dsn("postgres"))
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
    yield postgres_server.dsn(name)
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    pool = await asyncpg.create_pool(database, min_size=1, max_size=8, server_settings={"timezone": "UTC"})
    yield pool
    try:
        await asyncio.wait_for(pool.close(), 5)
    except TimeoutError:  # the test left a connection out: end it, the test's own failure says more
        pool.terminate()


@pytest.fixture
def private_postgres(walkable_dir: Path) -> Iterator[Database]:
    server = Database(walkable_dir, walkable_dir / "database.log")
    server.start()
    yield server
    server.stop()


# --- brokers --------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Login:
    user: str
    password: str


class ProvisionedBroker:
    """A running broker with the service's login; stations are added with `provision`."""

    def __init__(self, apply: Callable[[list[AccessRule]], None]) -> None:
        self.host = "127.0.0.1"
        self.port = 0
        self.service = Login("service", hashes.new_secret())
        self._logins: dict[str, Login] = {}
        self._rules = [service_rule("service", *_hashed(self.service.password))]
        self._apply = apply

    @property
    def rules(self) -> list[AccessRule]:
        return self._rules

    def provision(self, *station_ids: str) -> Login:
        """Give each station its login (again: the one it has) and return the last one."""
        fresh = [station_id for station_id in dict.fromkeys(station_ids) if station_id not in self._logins]
        for station_id in fresh:
            self._logins[station_id] = Login(station_id, hashes.new_secret())
            self._rules.append(station_rule(station_id, *_hashed(self._logins[station_id].password)))
        if fresh:
            self._apply(self._rules)
        return self._logins[station_ids[-1]]

    def address(self, login: Login | None = None) -> Any:
        """Return the `BrokerAddress` of a login, the service's by default."""
        from service.broker import BrokerAddress

        login = login or self.service
        return BrokerAddress(host=self.host, port=self.port, user=login.user, password=login.password)


def _hashed(secret: str) -> tuple[str, str]:
    return hashes.hash_bcrypt(secret), hashes.hash_pbkdf2(secret)


class NatsForTests(ProvisionedBroker):
    """`kill` and `restart` are for tests of what survives."""

    def __init__(self, directory: Path) -> None:
        super().__init__(self._reload)
        self.log_file = directory / "broker.log"
        self.server = NatsBroker(directory / "broker", self.log_file)
        self.server.start(self.rules)
        self.port = self.server.port

    def _reload(self, rules: list[AccessRule]) -> None:
        before = self._reloads()
        self.server.apply_access(rules)
        assert wait_for(lambda: self._reloads() > before, 10), self.log_file.read_text()[-2000:]

    def _reloads(self) -> int:
        return self.log_file.read_text().count("Reloaded server configuration")

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self.server.process is not None
        self.server.process.kill()
        self.server.process.wait()

    def restart(self) -> None:
        """Start it again on the same port, with what it has on disk."""
        self.server.restart()
        assert self.server.port == self.port


@pytest.fixture
def nats_broker(walkable_dir: Path) -> Iterator[NatsForTests]:
    broker = NatsForTests(walkable_dir)
    yield broker
    broker.server.stop()


class MosquittoForTests(ProvisionedBroker):
    def __init__(self, program: str, directory: Path) -> None:
        super().__init__(self._reload)
        self.log_file = directory / "mosquitto.log"
        self._directory = directory
        self.port = free_port()
        self._write()
        config = directory / "mosquitto.conf"
        text = rules_mosquitto.render_server(mqtt_host=self.host, mqtt_port=self.port, rules_dir=directory)
        if os.geteuid() == 0:
            text += "user root\n"  # else it changes to an account of its own that cannot read our files
        config.write_text(text)
        self.process: subprocess.Popen[bytes] = spawn([program, "-c", config, "-v"], self.log_file)
        assert wait_for(lambda: answers(self.port), 10), self.log_file.read_text()

    def _write(self) -> None:
        for name, render in (
            (rules_mosquitto.PASSWORD_FILE, rules_mosquitto.render_passwords),
            (rules_mosquitto.ACL_FILE, rules_mosquitto.render_acl),
        ):
            path = self._directory / name
            path.write_text(render(self.rules))
            path.chmod(0o600)

    def _reload(self, rules: list[AccessRule]) -> None:
        self._write()
        before = self.log_file.read_text().count("Reloading config")
        self.process.send_signal(signal.SIGHUP)
        assert wait_for(lambda: self.log_file.read_text().count("Reloading config") > before, 10)


@pytest.fixture
def mosquitto_broker(walkable_dir: Path) -> Iterator[MosquittoForTests]:
    program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("mosquitto is not installed (apt install mosquitto)")
    broker = MosquittoForTests(program, walkable_dir)
    yield broker
    end(broker.process, [(signal.SIGTERM, 5.0)])


# --- waiting --------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """`await eventually(check, 10)`: poll until `check()` (plain or async) is true, at most so many seconds; return its value."""

    async def poll(check: Callable[[], Any], timeout_s: float = 10.0, tick_s: float = 0.02) -> Any:
        deadline = time.monotonic() + timeout_s
        while True:
            value = check()
            if asyncio.iscoroutine(value):
                value = await value
            if value:
                return value
            assert time.monotonic() < deadline, f"not within {timeout_s} s"
            await asyncio.sleep(tick_s)

    return poll
