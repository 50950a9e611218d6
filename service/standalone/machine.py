"""The machine as a whole: its parts in the order in which they come up and go down. The person's side is ``up``."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import asyncpg

from service.domain.clock import FleetTime
from service.domain.signal import Signal
from service.grid.synthetic import synthetic_signals
from service.provisioning.fleet import World
from service.provisioning.publish import access_rules
from service.settings import Settings
from service.standalone import fleet
from service.standalone.broker import NatsBroker
from service.standalone.children import last_lines, wait_for
from service.standalone.database import Database
from service.standalone.errors import UpError
from service.standalone.layout import DataDir, read_json, write_json
from service.standalone.roles import ROLES, child_environment, make_keys, role_environment, role_is_ready, start_role
from service.standalone.supervisor import Supervisor
from service.store.migrate import MigrationChangedError, migrate
from service.store.pool import Connection
from service.store.signals import add_missing, add_signals

T = TypeVar("T")

_AREA = "DENCHI_AREA"
_SIGNAL_DAYS = 14
_LEAST_FREE_BYTES = 300_000_000
"""Guess: a cluster with its log (100 MB) and some hours of a fleet."""


class Machine:
    """Database, broker, roles and fleet of one data directory. Every method runs in the main thread."""

    def __init__(self, layout: DataDir, api_port: int, say: Callable[[str], None], area: str | None = None) -> None:
        """Prepare the parts; nothing runs yet. `area` None: the environment's, else the one this data directory had before."""
        self.layout = layout
        self.api_port = api_port
        self._say = say
        kept = read_json(layout.ports_file)
        self.supervisor = Supervisor(say)
        self.database = Database(layout.root, layout.log_of("database"), port=kept.get("database"))
        self.broker = NatsBroker(layout.broker, layout.log_of("broker"), port=kept.get("mqtt"))
        self.environment: dict[str, str] = {}
        self.settings = Settings()
        kept_area = read_json(layout.run_file).get("environment", {}).get(_AREA)
        self.area: str = area or os.environ.get(_AREA) or kept_area or self.settings.area

    def require_room(self) -> None:
        """Raise UpError when the disk is nearly full: a database that fills it is harder to help."""
        free = shutil.disk_usage(self.layout.root).free
        if free < _LEAST_FREE_BYTES:
            raise UpError(
                f"only {free // 1_000_000} MB are free in {self.layout.root}",
                f"Free {_LEAST_FREE_BYTES // 1_000_000} MB or choose another --data-dir",
            )

    def start_base(self, line: FleetTime, signals: Sequence[Signal] = ()) -> None:
        """Start database and broker, bring the schema up to date, take signals in, fill in synthetic ones where nothing is."""
        make_keys(self.layout)
        self.supervisor.add("database", self._start_database, self.layout.log_of("database"))
        self._say(f"database ready on 127.0.0.1:{self.database.port}")
        variables = role_environment(self.layout, self.database, self.broker, self.api_port) | {_AREA: self.area}
        self.settings = _settings(variables)
        applied = self.with_database(lambda connection: self._prepare(connection, line, signals))
        self._say(f"schema up to date ({applied} migrations applied now)")
        self.supervisor.add("broker", self._start_broker, self.layout.log_of("broker"))
        self._say(f"broker ready on 127.0.0.1:{self.broker.port} (MQTT)")
        write_json(self.layout.ports_file, {"database": self.database.port, "mqtt": self.broker.port})
        self.environment = child_environment(variables)
        self.write_run_file()

    def start_roles(self) -> None:
        """Start every role; they come up side by side."""
        for role in ROLES:
            self._add_role(role)
        self.write_run_file()

    def roles_ready(self) -> bool:
        """Tell whether API and console answer."""
        return all(role_is_ready(role, self.api_port) for role in ROLES)

    def start_world(self, stations: int, seed: int) -> subprocess.Popen[bytes]:
        """Let the simulator work out who is in its fleet."""
        return fleet.start_world(self.layout, stations, seed, child_environment({}), self._world_file)

    def provision(self, world_process: subprocess.Popen[bytes], line: FleetTime) -> World:
        """Make the fleet's stations known and give it its credentials."""
        log = self.layout.log_of("fleet")
        if not wait_for(lambda: world_process.poll() is not None, 60.0) or world_process.returncode != 0:
            world_process.kill()
            world_process.wait()
            raise UpError(f"denchi-sim world failed: {' / '.join(last_lines(log, 3))}", f"The whole story is in {log}")
        world = fleet.read_world(self._world_file, log)

        async def make_known(connection: Connection) -> int:
            wall = datetime.now(UTC)
            added = await fleet.provision_fleet(connection, self.layout, self.settings, world, line.at(wall), wall)
            if added:
                await fleet.publish_rules(connection, self.settings, self.broker)
            return added

        added = self.with_database(make_known)
        self._say(f"{len(world.stations)} stations provisioned ({added} new), {len(world.riders)} riders")
        return world

    def start_fleet(self, stations: int, seed: int) -> fleet.FleetEvents:
        """Start the fleet and return its events."""
        events = fleet.FleetEvents(fleet.events_file(self.layout))
        self.supervisor.add(
            "fleet", lambda: fleet.start_online(self.layout, stations, seed, self.environment), self.layout.log_of("fleet")
        )
        self.write_run_file()
        return events

    def renew_signals(self, line: FleetTime) -> None:
        """Fill in the synthetic days that have come within sight."""
        now = line.at(datetime.now(UTC))
        signals = synthetic_signals(self.settings.area, now, _SIGNAL_DAYS, now)
        self.with_database(lambda connection: add_missing(connection, signals))

    def stop(self) -> None:
        """Stop everything, the fleet first and the database last. Whatever is cut off here goes on at the next start."""
        # The second signal lets the fleet leave its riders where they are; its journals stay on disk.
        self.supervisor.stop("fleet", ((signal.SIGTERM, 1.0), (signal.SIGTERM, 6.0)))
        self.supervisor.stop_together(ROLES, 6.0)
        self.supervisor.release("broker")
        self.broker.stop()
        self.supervisor.release("database")
        self.database.stop()
        if run := read_json(self.layout.run_file):
            with contextlib.suppress(UpError):  # the disk is full: a pid that is no longer alive says the same
                write_json(self.layout.run_file, {**run, "pid": None, "children": {}})

    def with_database(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Run `work` on a connection of its own and return what it returns.

        Raises
        ------
        UpError
            When the database does not answer, or refuses for want of room.
        """

        async def run() -> T:
            dsn = self.database.dsn()
            connection = await asyncpg.connect(dsn, timeout=10, command_timeout=60, server_settings={"timezone": "UTC"})
            try:
                return await work(connection)
            finally:
                await connection.close(timeout=5)

        try:
            return asyncio.run(run())
        except asyncpg.DiskFullError as error:
            raise UpError("the disk is full", f"Free some space for {self.layout.root}") from error
        except MigrationChangedError as error:
            raise UpError(str(error), "This data directory was made by another version: use another --data-dir") from error
        except (OSError, TimeoutError, asyncpg.PostgresConnectionError) as error:
            raise UpError(f"the database does not answer: {error}", f"See {self.layout.log_of('database')}") from error

    def write_run_file(self) -> None:
        """Tell other commands what runs here."""
        variables = {name: value for name, value in self.environment.items() if name.startswith("DENCHI_")}
        write_json(
            self.layout.run_file,
            {
                "pid": os.getpid(),
                "api": f"http://127.0.0.1:{self.api_port}",
                "console": f"http://127.0.0.1:{self.api_port + 1}",
                "environment": variables,
                "children": {name: child.process.pid for name, child in self.supervisor.children.items()},
            },
        )

    @property
    def _world_file(self) -> Path:
        return self.layout.logs / "world.json"

    def _start_database(self) -> subprocess.Popen[bytes]:
        before = self.database.port
        self.database.start()
        if before and before != self.database.port:
            raise UpError(f"the database's port {before} was taken while it was away", "Start again: it gets another port")
        assert self.database.process is not None
        return self.database.process

    def _start_broker(self) -> subprocess.Popen[bytes]:
        before = self.broker.port
        self.broker.restart()
        if before and before != self.broker.port:
            raise UpError(f"the broker's port {before} was taken while it was away", "Start again: it gets another port")
        assert self.broker.process is not None
        return self.broker.process

    def _add_role(self, role: str) -> None:
        log = self.layout.log_of(role)
        self.supervisor.add(role, lambda: start_role(role, log, self.environment), log)

    async def _prepare(self, connection: Connection, line: FleetTime, signals: Sequence[Signal]) -> int:
        applied = await migrate(connection)
        if signals:
            done = await add_signals(connection, signals)
            differing = f", {done.different} of these with another value, which were not taken" if done.different else ""
            self._say(f"signals of area {self.area}: {done.added} new, {done.known} there already{differing}")
        now = line.at(datetime.now(UTC))
        await add_missing(connection, synthetic_signals(self.settings.area, now, _SIGNAL_DAYS, now))
        rules = await access_rules(
            connection, self.broker.rules_dir, self.settings.broker_user, self.settings.broker_password() or ""
        )
        self.broker.write_access(rules)
        return len(applied)


def _settings(variables: dict[str, str]) -> Settings:
    return Settings.model_validate({name.removeprefix("DENCHI_").lower(): value for name, value in variables.items()})
