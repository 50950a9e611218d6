"""TLS 1.3 to real brokers, from the agent and from the service: who is trusted, who is refused and why, and what mends it."""

import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from devices.agent.agent import StationAgent
from devices.agent.settings import AgentSettings
from devices.hardware.bench import BenchCabinet
from devices.hardware.ports import ClockStatus
from devices.link.address import LinkAddress
from devices.link.outbox import Outbox
from devices.link.session import LinkSettings, MqttLink
from devices.wire import topics
from service.broker import Broker, BrokerAddress
from service.provisioning import hashes, rules_mosquitto, rules_nats
from service.provisioning.access import service_rule, station_rule
from service.standalone.broker import broker_program
from service.standalone.children import end, spawn, wait_for
from service.standalone.ports import answers, free_port
from tests.integration.certificates import ELSEWHERE, Authority, Certificate

STATION = "st-tls"
TODAY = datetime(2026, 4, 6, tzinfo=UTC)
HOST_SAYS = json.dumps({"v": 1, "ts": TODAY.isoformat(), "session": 1, "online": True, "parts": ["00-3f"]}).encode()

OURS, FOREIGN = Authority("denchi test"), Authority("somebody else")


# --- brokers -----------------------------------------------------------------------------------------------------


class TlsBroker:
    """A real broker that speaks TLS 1.3 or nothing: a session that stands on it is one of TLS 1.3."""

    def __init__(self, kind: str, directory: Path) -> None:
        self.host, self.port = "127.0.0.1", free_port()
        self.ca_file = directory / "ca.pem"
        self.ca_file.write_text(OURS.pem)
        self.log_file = directory / "broker.log"
        self._kind, self._directory = kind, directory
        self._chain, self._key = directory / "broker.pem", directory / "broker.key"
        self._passwords = {"service": hashes.new_secret(), STATION: hashes.new_secret()}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, certificate: Certificate | None) -> None:
        """Start with a certificate; without one the broker speaks plain."""
        command = (self._mosquitto if self._kind == "mosquitto" else self._nats)(certificate is not None)
        if certificate is not None:
            self._write(certificate)
        self._process = spawn(command, self.log_file)
        assert wait_for(lambda: answers(self.port), 10), self.log_file.read_text()

    def stop(self) -> None:
        if self._process is not None:
            end(self._process, [(signal.SIGTERM, 5.0)])
            self._process = None

    def replace(self, certificate: Certificate) -> None:
        """Replace the certificate as an operator does: new files, then a reload."""
        self._write(certificate)
        assert self._process is not None
        before = self.log_file.read_text().count("Reload")
        self._process.send_signal(signal.SIGHUP)
        assert wait_for(lambda: self.log_file.read_text().count("Reload") > before, 10), self.log_file.read_text()

    def link_address(self, *, ca_file: Path | None) -> LinkAddress:
        return LinkAddress(self.host, self.port, STATION, self._passwords[STATION], ca_file)

    def service_address(self, *, ca_file: Path | None) -> BrokerAddress:
        return BrokerAddress(self.host, self.port, "service", self._passwords["service"], ca_file)

    def _write(self, certificate: Certificate) -> None:
        self._chain.write_bytes(certificate.chain)
        self._key.write_bytes(certificate.key)
        self._key.chmod(0o600)

    def _rules(self) -> list[Any]:
        makers = {"service": service_rule, STATION: station_rule}
        return [
            makers[login](login, hashes.hash_bcrypt(password), hashes.hash_pbkdf2(password))
            for login, password in self._passwords.items()
        ]

    def _mosquitto(self, tls: bool) -> list[str | Path]:
        program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
        if program is None:
            pytest.skip("mosquitto is not installed (apt install mosquitto)")
        for name, render in (
            (rules_mosquitto.PASSWORD_FILE, rules_mosquitto.render_passwords),
            (rules_mosquitto.ACL_FILE, rules_mosquitto.render_acl),
        ):
            (self._directory / name).write_text(render(self._rules()))
            (self._directory / name).chmod(0o600)
        text = rules_mosquitto.render_server(mqtt_host=self.host, mqtt_port=self.port, rules_dir=self._directory)
        if tls:
            text += f"certfile {self._chain}\nkeyfile {self._key}\ntls_version tlsv1.3\n"
        if os.geteuid() == 0:
            text += "user root\n"  # else it changes to an account of its own that cannot read our files
        config = self._directory / "mosquitto.conf"
        config.write_text(text)
        return [program, "-c", config, "-v"]

    def _nats(self, tls: bool) -> list[str | Path]:
        (self._directory / rules_nats.ACCESS_FILE).write_text(rules_nats.render_access(self._rules()))
        text = rules_nats.render_server(
            mqtt_host=self.host, mqtt_port=self.port, store_dir=self._directory / "store", pid_file=self._directory / "nats.pid"
        )
        if tls:
            files = f"cert_file: {json.dumps(str(self._chain))}, key_file: {json.dumps(str(self._key))}"
            text = text.replace("mqtt { ", f'mqtt {{ tls {{ {files}, min_version: "1.3" }}, ')
        config = self._directory / "nats.conf"
        config.write_text(text)
        return [broker_program(), "-c", config]


@pytest.fixture(params=["nats", pytest.param("mosquitto", marks=pytest.mark.mosquitto)])
def broker(request: pytest.FixtureRequest, walkable_dir: Path) -> Iterator[TlsBroker]:
    broker = TlsBroker(request.param, walkable_dir)
    yield broker
    broker.stop()


# --- the two who connect -----------------------------------------------------------------------------------------


class WallClock:
    """Fleet time that is wall time."""

    def now(self) -> datetime:
        return TODAY + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def wall_monotonic(self) -> float:
        return self.monotonic()

    def wall_seconds(self, fleet_seconds: float) -> float:
        return fleet_seconds

    def status(self) -> ClockStatus:
        return ClockStatus("ntp")


def service_of(address: BrokerAddress) -> Broker:
    return Broker(address, "denchi-tls", clean_session=False, subscriptions=[(f"{topics.ROOT}/+/station/+/up/+", 1)])


@contextlib.asynccontextmanager
async def running_agent(address: LinkAddress, path: Path) -> AsyncIterator[StationAgent]:
    clock, outbox = WallClock(), Outbox(path, durable=False)
    settings = LinkSettings(connect_jitter_s=0.01, backoff_first_s=0.05, backoff_max_s=0.4)
    link = MqttLink(address, STATION, 1, outbox, clock, settings, random.Random(1))
    agent_settings = AgentSettings(tick_wall_s=0.05)
    cabinet = BenchCabinet(clock, slot_count=90, pack_count=80)  # its birth fills several TLS records
    agent = StationAgent(STATION, 1, cabinet, link, clock, agent_settings, random.Random(2))
    stop = asyncio.Event()
    task = asyncio.create_task(agent.run(stop))
    try:
        yield agent
    finally:
        stop.set()
        await asyncio.wait_for(task, 15)
        outbox.close()


async def a_birth_arrives(service: Broker, agent: StationAgent, eventually: Callable[..., Any]) -> None:
    """Both sessions come to stand, and what the agent says reaches the service."""
    assert await service.wait_connected(20)
    await service.publish(topics.host_state("ingest-1"), HOST_SAYS, retain=True)
    await eventually(lambda: agent.online, 20)
    async with asyncio.timeout(20):
        while True:
            for received in await service.take(10, 0.0):
                service.acknowledge(received)
                if received.topic == topics.up(STATION, "birth"):
                    assert len(json.loads(received.body)["batteryData"]) == 80
                    return


async def long_commands_are_answered(service: Broker, count: int = 20) -> None:
    """Bodies of several TLS records each, close upon each other: none may wait in a buffer that nobody looks into."""
    ids = {f"long-{number}" for number in range(count)}
    for command_id in ids:
        body = json.dumps({"commandId": command_id, "name": "Resync", "args": {"x": "y" * 60_000}}).encode()
        await service.publish(topics.down(STATION, topics.DOWN_COMMAND), body)
    async with asyncio.timeout(20):
        while ids:
            for received in await service.take(10, 0.0):
                service.acknowledge(received)
                if received.topic == topics.up(STATION, "ack"):
                    answer = json.loads(received.body)
                    assert (answer["status"], answer["reasonCode"]) == ("Rejected", "Invalid")
                    ids.discard(answer["commandId"])


class Reasons:
    """Why there is no session, as each of the two has logged it."""

    def __init__(self, logs: list[Any]) -> None:
        self._logs = logs

    @property
    def agent(self) -> list[str]:
        return [entry["error"] for entry in self._logs if entry["event"] == "no session"]

    @property
    def service(self) -> list[str]:
        return [entry["reason"] for entry in self._logs if entry["event"] == "broker.away"]


async def test_agent_and_service_meet_over_tls_1_3(broker: TlsBroker, walkable_dir: Path, eventually: Callable[..., Any]) -> None:
    broker.start(OURS.issue())
    with capture_logs() as logs:
        async with (
            service_of(broker.service_address(ca_file=broker.ca_file)) as service,
            running_agent(broker.link_address(ca_file=broker.ca_file), walkable_dir / "o.db") as agent,
        ):
            await a_birth_arrives(service, agent, eventually)
            await long_commands_are_answered(service)
    assert Reasons(logs).agent == Reasons(logs).service == []


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        pytest.param(FOREIGN.issue(), "certificate verify failed: unable to get local issuer certificate", id="foreign CA"),
        pytest.param(OURS.issue(ELSEWHERE), "IP address mismatch, certificate is not valid for '127.0.0.1'", id="wrong host"),
        pytest.param(OURS.issue(days=-1), "certificate verify failed: certificate has expired", id="expired"),
    ],
)
async def test_a_wrong_certificate_is_refused_by_name_until_a_right_one_takes_its_place(
    broker: TlsBroker, walkable_dir: Path, eventually: Callable[..., Any], wrong: Certificate, why: str
) -> None:
    broker.start(wrong)
    with capture_logs() as logs:
        async with (
            service_of(broker.service_address(ca_file=broker.ca_file)) as service,
            running_agent(broker.link_address(ca_file=broker.ca_file), walkable_dir / "o.db") as agent,
        ):
            reasons = Reasons(logs)
            # The agent logs its first try and its tenth: it goes on.
            await eventually(lambda: reasons.service and len(reasons.agent) >= 2, 20)
            assert all(why in reason for reason in [*reasons.agent, *reasons.service]), logs
            assert len(reasons.service) == 1, "one reason is one line"
            assert not service.is_connected
            assert not agent.online
            broker.replace(OURS.issue())
            await a_birth_arrives(service, agent, eventually)


async def test_who_speaks_plain_to_a_tls_broker_is_told_what_is_missing(
    broker: TlsBroker, walkable_dir: Path, eventually: Callable[..., Any]
) -> None:
    broker.start(OURS.issue())
    with capture_logs() as logs:
        async with (
            service_of(broker.service_address(ca_file=None)) as service,
            running_agent(broker.link_address(ca_file=None), walkable_dir / "o.db") as agent,
        ):
            reasons = Reasons(logs)
            await eventually(lambda: reasons.service and len(reasons.agent) >= 2, 20)
            for reason in [*reasons.agent, *reasons.service]:
                assert "no CA file is set" in reason
            assert not service.is_connected
            assert not agent.online


async def test_who_speaks_tls_to_a_plain_broker_is_refused_and_meets_it_when_it_learns_tls(
    broker: TlsBroker, walkable_dir: Path, eventually: Callable[..., Any]
) -> None:
    broker.start(None)
    with capture_logs() as logs:
        async with (
            service_of(broker.service_address(ca_file=broker.ca_file)) as service,
            running_agent(broker.link_address(ca_file=broker.ca_file), walkable_dir / "o.db") as agent,
        ):
            reasons = Reasons(logs)
            await eventually(lambda: reasons.service and len(reasons.agent) >= 2, 20)
            assert all("with TLS: " in reason for reason in reasons.agent)
            assert not service.is_connected
            assert not agent.online
            broker.stop()
            broker.start(OURS.issue())
            await a_birth_arrives(service, agent, eventually)


@pytest.mark.parametrize("text", [None, "", "no certificate", "\udcff"], ids=["missing", "empty", "words", "bytes"])
@pytest.mark.long
async def test_a_station_whose_ca_file_is_unusable_says_so_and_goes_on_until_it_is_mended(
    broker: TlsBroker, walkable_dir: Path, eventually: Callable[..., Any], text: str | None
) -> None:
    broker.start(OURS.issue())
    ca_file = walkable_dir / "station-ca.pem"
    if text is not None:
        ca_file.write_text(text, errors="surrogateescape")
    with capture_logs() as logs:
        async with (
            service_of(broker.service_address(ca_file=broker.ca_file)) as service,
            running_agent(broker.link_address(ca_file=ca_file), walkable_dir / "o.db") as agent,
        ):
            await eventually(lambda: len(Reasons(logs).agent) >= 2, 20)
            assert all(f"the CA file {ca_file} cannot be used: " in reason for reason in Reasons(logs).agent)
            ca_file.write_text(OURS.pem)
            await a_birth_arrives(service, agent, eventually)


def test_a_service_whose_ca_file_is_unusable_does_not_start(tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    address = BrokerAddress("127.0.0.1", 8883, None, None, ca_file)
    with pytest.raises(OSError, match=r"the CA file .*ca\.pem cannot be used: .*No such file"):
        service_of(address)
    ca_file.write_text("no certificate")
    with pytest.raises(OSError, match="cannot be used"):
        service_of(address)


async def test_two_authorities_in_one_file_are_both_trusted_so_that_one_can_follow_the_other(
    broker: TlsBroker, walkable_dir: Path, eventually: Callable[..., Any]
) -> None:
    broker.start(OURS.issue())
    broker.ca_file.write_text(FOREIGN.pem + OURS.pem)
    async with (
        service_of(broker.service_address(ca_file=broker.ca_file)) as service,
        running_agent(broker.link_address(ca_file=broker.ca_file), walkable_dir / "o.db") as agent,
    ):
        await a_birth_arrives(service, agent, eventually)
