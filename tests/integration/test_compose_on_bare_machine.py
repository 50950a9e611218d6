"""docker-compose.yml without an engine: every command of ours, with just its environment, against real servers here.

Only what an engine would provide is put in place of it: host names, published ports, and directories where volumes would be.
"""

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from service.provisioning.installation import FILES
from service.standalone.children import SystemAccount, end, last_lines, spawn, wait_for
from service.standalone.database import Database
from service.standalone.ports import answers, free_port
from tests.compose import OUR_ACCOUNT, TOP, Compose, Service

pytestmark = [pytest.mark.mosquitto, pytest.mark.timeout(300)]

PROGRAMS = Path(sys.executable).parent
AM_ROOT = os.geteuid() == 0
WELL_WITHIN_S = 90.0
"""Guess: a machine that does other things besides."""


class BareMachine:
    """Runs services of the file on this machine."""

    def __init__(self, directory: Path, database: Database, mosquitto: str) -> None:
        self.compose = Compose()
        self.directory = directory
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self._database, self._mosquitto = database, mosquitto
        self.ports = {name: str(free_port(int(name))) for name in ("1883", "8000", "8001")}
        self.names = {"broker": "127.0.0.1", **self.ports}
        named = {name for service in self.compose.services.values() for name, _ in service.mounts.values() if "/" not in name}
        self.volumes = {name: directory / "volumes" / name for name in named}
        for path in self.volumes.values():
            path.mkdir(parents=True)
            path.chmod(0o755)
        (directory / "volumes").chmod(0o755)

    def here(self, text: str, service: Service) -> str:
        """Return a word of the file with names and places of this machine in it."""
        for target, (source, _) in service.mounts.items():
            if source in self.volumes:
                text = text.replace(target.rstrip("/"), str(self.volumes[source]))
        text = text.replace("/var/lib/denchi", str(self.directory / "lib"))
        text = text.replace("@postgres:5432/", f"@127.0.0.1:{self._database.port}/")
        text = text.replace("http://api:8000", f"http://127.0.0.1:{self.ports['8000']}")
        option, equals, value = text.partition("=")
        if option in ("--broker-host", "--broker-port"):
            return option + equals + self.names[value]
        return text

    def environment(self, service: Service) -> dict[str, str]:
        """Return exactly the variables of the file, beside what any process has."""
        own = {name: self.names.get(value) or self.here(value, service) for name, value in service.environment.items()}
        return {"PATH": f"{PROGRAMS}:{os.defpath}", "HOME": str(self.directory), "OMP_NUM_THREADS": "1", **own}

    def words(self, service: Service, words: list[str]) -> list[str | Path]:
        """Return a command of ours as it is typed here."""
        return [PROGRAMS / words[0], *(self.here(word, service) for word in words[1:])]

    def run_once(self, name: str) -> str:
        """Run a service that ends, and see it end well."""
        service = self.compose.services[name]
        done = subprocess.run(
            self.words(service, service.command),
            env=self.environment(service),
            capture_output=True,
            text=True,
            cwd="/",
            timeout=60,
        )
        assert done.returncode == 0, f"{name}: {done.stdout} {done.stderr}"
        return done.stdout

    def start(self, name: str) -> None:
        """Start a service that lasts."""
        service = self.compose.services[name]
        self.running[name] = spawn(
            self.words(service, service.command),
            self.log_of(name),
            env=self.environment(service),
            stdout_file=self.directory / f"{name}.out",
        )

    async def is_well(self, name: str) -> tuple[bool, str]:
        """Do what the engine does to see whether a service is well."""
        service = self.compose.services[name]
        asked = await asyncio.create_subprocess_exec(
            *self.words(service, service.healthcheck),
            env=self.environment(service),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await asyncio.wait_for(asked.communicate(), 30)
        return asked.returncode == 0, said.decode()

    def be_postgres(self) -> None:
        """Do what the image does at its first start: a login of this name with the password of the file."""
        service = self.compose.services["postgres"]
        variables = {name: self.here(value, service) for name, value in service.environment.items()}
        password = Path(variables["POSTGRES_PASSWORD_FILE"]).read_text()

        async def prepare() -> None:
            connection = await asyncpg.connect(self._database.dsn("postgres"))
            await connection.execute(f"ALTER ROLE {variables['POSTGRES_USER']} PASSWORD '{password}'")
            await connection.close()

        asyncio.run(prepare())
        assert self._database.dsn(password=False).endswith(f"/{variables['POSTGRES_DB']}")

    def start_broker(self) -> None:
        """Start Mosquitto with the configuration of the file, under the account of the file where we may."""
        service = self.compose.services["broker"]
        text = (TOP / "deploy/mosquitto.conf").read_text().replace("listener 1883", f"listener {self.ports['1883']} 127.0.0.1")
        for target, (source, _) in service.mounts.items():
            if source in self.volumes:
                text = text.replace(target, str(self.volumes[source]))
        config = self.directory / "mosquitto.conf"
        config.write_text(text)
        config.chmod(0o644)
        account = None
        if AM_ROOT:
            uid, gid = map(int, service.spec["user"].split(":"))
            account = SystemAccount("mosquitto", uid, gid)
            os.chown(self.volumes["broker-data"], uid, gid)  # as in the image
        self.running["broker"] = spawn([self._mosquitto, "-c", config], self.log_of("broker"), account=account)
        port = int(self.ports["1883"])
        assert wait_for(lambda: answers(port), 20), last_lines(self.log_of("broker"))

    def metrics(self) -> str:
        """Ask as Prometheus does."""
        token = (self.volumes["secrets"] / "metrics.token").read_text()
        address = f"http://127.0.0.1:{self.ports['8000']}/metrics"
        request = urllib.request.Request(address, headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return str(answer.read().decode())

    def log_of(self, name: str) -> Path:
        return self.directory / f"{name}.log"

    def stop(self) -> dict[str, int]:
        """End everything, the last started first; return the exit statuses."""
        statuses = {}
        for name, process in reversed(self.running.items()):
            # A second signal lets the fleet leave its riders where they are.
            statuses[name] = end(process, ((signal.SIGTERM, 2.0), (signal.SIGTERM, 15.0)))
        self.running = {}
        return statuses


@pytest.fixture
def machine(walkable_dir: Path, private_postgres: Database) -> Iterator[BareMachine]:
    mosquitto = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if mosquitto is None:
        pytest.skip("mosquitto is not installed (apt install mosquitto)")
    machine = BareMachine(walkable_dir, private_postgres, mosquitto)
    yield machine
    machine.stop()


@pytest.mark.long
def test_every_command_of_the_file_starts_gets_well_and_ends(machine: BareMachine) -> None:
    began = time.monotonic()
    once = [service.name for service in machine.compose.in_order() if service.runs_once]
    assert once == ["secrets", "migrate", "setup-fleet", "setup-broker"]
    for name in once:
        machine.run_once(name)
        if name == "secrets":
            machine.be_postgres()
    _files_are_for_those_who_read_them(machine)
    kept = {path: path.read_text() for path in machine.volumes["secrets"].iterdir()}
    kept |= {path: path.read_text() for path in machine.volumes["broker-rules"].iterdir()}
    for name in once:
        machine.run_once(name)
    assert {path: path.read_text() for path in kept} == kept, "done again, nothing is another"
    for name, why in (("desk", "not connected"), ("fleet", "the API says nothing"), ("console", "no answer")):
        well, said = asyncio.run(machine.is_well(name))
        assert not well
        assert why in said

    lasting = [service.name for service in machine.compose.in_order() if service.is_ours and not service.runs_once]
    assert lasting[-1] == "fleet", "it waits for the api"
    machine.start_broker()
    for name in lasting[:-1]:
        machine.start(name)
    asyncio.run(_until_well(machine, ["api"]))
    machine.start("fleet")
    asyncio.run(_until_well(machine, lasting))

    def all_is_there() -> bool:
        return "denchi_stations_connected 60.0\n" in machine.metrics() and "denchi_plan_age_seconds" in machine.metrics()

    assert wait_for(all_is_there, 60, tick_s=0.5), machine.metrics()
    page = machine.metrics()
    for role in ("api", "console", "ingest", "plan", "desk"):
        assert f'denchi_role_silence_seconds{{role="{role}"}}' in page
    assert "denchi_messages_refused_total{" not in page
    assert all(process.poll() is None for process in machine.running.values())
    assert machine.stop() == dict.fromkeys([*lasting, "broker"], 0)
    assert time.monotonic() - began < 240


async def _until_well(machine: BareMachine, names: list[str]) -> None:
    async def wait(name: str) -> None:
        deadline = time.monotonic() + WELL_WITHIN_S
        while True:
            well, why = await machine.is_well(name)
            if well:
                return
            log = "\n".join(last_lines(machine.log_of(name)))
            assert machine.running[name].poll() is None, f"{name} has ended: {log}"
            assert time.monotonic() < deadline, f"{name}: {why}\n{log}"

    for name in names:  # one after the other: each look starts a Python
        await wait(name)


def _files_are_for_those_who_read_them(machine: BareMachine) -> None:
    readers = _readers(machine)
    for name in FILES:
        about = (machine.volumes["secrets"] / name).stat()
        assert stat.S_IMODE(about.st_mode) == (0o640 if AM_ROOT and name in readers else 0o600), name
        if AM_ROOT:
            assert about.st_uid == int(OUR_ACCOUNT)
            assert about.st_gid == readers.get(name, about.st_gid)


def _readers(machine: BareMachine) -> dict[str, int]:
    words = machine.compose.services["secrets"].command
    pairs = [word.removeprefix("--reader=").split("=") for word in words if word.startswith("--reader=")]
    return {name: int(gid) for name, gid in pairs}
