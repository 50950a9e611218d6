"""The load generator against a real broker, a real ingest worker and a real database; its audit against planted faults."""

import asyncio
import json
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from devices.link.address import LinkAddress
from devices.wire.ids import part_of
from devices.wire.topics import ROOT
from service.ingest.ingest import run_ingest
from service.provisioning import hashes
from service.provisioning.access import AccessRule
from service.store.pool import Pool
from simulator.load.audit import Finding
from simulator.load.journal import read_journal
from simulator.load.plan import LoadPlan, station_names
from simulator.load.run import LoadOptions, run_load
from tests.load_rows import audit_database

Eventually = Callable[..., Awaitable[Any]]
STATIONS = 100


@dataclass(frozen=True, slots=True)
class Login:
    """May speak for every station and hear what is committed, and nothing else."""

    port: int
    file: Path
    secret: str = field(default_factory=hashes.new_secret)

    def rule(self) -> AccessRule:
        publish = (f"{ROOT}/+/station/+/up/#",)
        heard = (f"{ROOT}/+/station/+/down/committed",)
        return AccessRule("load", hashes.hash_bcrypt(self.secret), hashes.hash_pbkdf2(self.secret), publish, heard)


@pytest.fixture
async def stations(pool: Pool) -> None:
    await pool.executemany(
        "INSERT INTO station (station_id, part, name, latitude, longitude, registered_at) VALUES ($1, $2, $1, 0, 0, $3)",
        [(name, int(part_of(name), 16), datetime(2026, 4, 1, tzinfo=UTC)) for name in station_names(STATIONS)],
    )


@pytest.fixture(params=["nats_broker", pytest.param("mosquitto_broker", marks=pytest.mark.mosquitto)])
def broker(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


@pytest.fixture
def login(broker: Any, walkable_dir: Path) -> Login:
    login = Login(broker.port, walkable_dir / "login.json")
    login.file.write_text(json.dumps({"user": "load", "password": login.secret}))
    broker.rules.append(login.rule())
    broker.provision("st-1")  # lets the broker read its rules again
    return login


@asynccontextmanager
async def ingest(pool: Pool, broker: Any, clock: Any) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(
        run_ingest(pool, broker.address(), clock, host_id="one", parts="00-3f", queue_size=4096, stop=stop)
    )
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 20)


async def start(login: Login, journal: Path, *more: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "simulator", "load", "--stations", str(STATIONS), "--journal", str(journal),
        "--credentials", str(login.file), "--broker-port", str(login.port), *more,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def report_of(process: asyncio.subprocess.Process) -> dict[str, Any]:
    out, said = await process.communicate()
    assert process.returncode == 0, out.decode() + said.decode()
    return dict(json.loads(out.splitlines()[-1]))


async def test_a_disturbed_load_is_stored_exactly_once_and_every_planted_fault_is_found(
    pool: Pool, broker: Any, clock: Any, login: Login, walkable_dir: Path, stations: None
) -> None:
    journal = walkable_dir / "load.journal"
    disturbed = ["--duplicates", "0.05", "--reorder", "0.1", "--late", "0.05", "--absurd", "0.04", "--meter-every", "7"]
    async with ingest(pool, broker, clock):
        report = await report_of(
            await start(login, journal, *disturbed, "--rate", "2500", "--rounds", "24", "--wait-committed", "40")
        )
    assert report["committed"]["complete"], report
    assert report["unacknowledged"] == 0
    assert report["births"] == STATIONS
    assert all(report[name] > 20 for name in ("duplicates", "reordered", "late", "meters"))
    assert report["cpu_s"] > 0
    refused = {row["reason"]: row["count"] for row in await pool.fetch("SELECT reason, count FROM refusal_count")}
    assert refused["bad_schema"] == report["absurd"]["bad_schema"] > 20
    assert refused["not_json"] >= report["absurd"]["not_json"] > 20
    assert await pool.fetchval("SELECT sum(duplicates) FROM station_boot") >= report["duplicates"]

    found = await audit_database(pool, journal)
    assert found.clean, found.as_json()
    assert found.uncertain == 0
    assert found.messages == found.stored == report["telemetry"] + report["births"] + report["meters"]
    assert found.readings == report["readings"]
    assert (found.boots, found.refused) == (STATIONS, report["absurd"]["bad_schema"])
    await plant_faults(pool)
    found = await audit_database(pool, journal)
    assert not found.clean
    assert named(found.lost) == {("load-00042", 5), ("load-00043", METER_SEQ[43]), ("load-00044", 1)}
    assert named(found.doubled) == {("load-00045", 5)}
    assert named(found.changed) == {("load-00046", 5), ("load-00047", 5), ("load-00048", METER_SEQ[48])}
    assert named(found.invented) == {("load-00049", 500)}
    # A row more or less also contradicts the service's own count of the boot.
    assert {one.station_id for one in found.miscounted} == {f"load-000{number}" for number in (42, 43, 44, 45, 50)}


METER_SEQ = {43: 6, 48: 8}
"""With one message in seven: (seq + station) % 7 == 0."""


def named(findings: list[Finding]) -> set[tuple[str, int]]:
    return {(one.station_id, one.seq) for one in findings}


async def plant_faults(pool: Pool) -> None:
    """One fault a station, from `load-00042` on: lost thrice, doubled, changed thrice, invented, miscounted."""
    columns = ", ".join(
        row["attname"]
        for row in await pool.fetch(
            "SELECT attname FROM pg_attribute WHERE attrelid = 'telemetry'::regclass AND attnum > 0 "
            "AND attname NOT IN ('ts_day', 'seq') AND NOT attisdropped"
        )
    )
    copy = f"INSERT INTO telemetry ({columns}, seq, ts_day) SELECT {columns}, {{}} FROM telemetry WHERE seq = 5 AND station_id = "
    for statement in (
        "DELETE FROM telemetry WHERE station_id = 'load-00042' AND seq = 5",
        f"DELETE FROM meter_register WHERE station_id = 'load-00043' AND seq = {METER_SEQ[43]}",
        "DELETE FROM station_event WHERE station_id = 'load-00044' AND seq = 1",
        # The primary key holds within one day; another day would let it in.
        copy.format("seq, '1970-01-01'") + "'load-00045'",
        "UPDATE telemetry SET energy_in_wh[7] = energy_in_wh[7] + 1 WHERE station_id = 'load-00046' AND seq = 5",
        # Two packs that change places leave every plain sum as it is.
        "UPDATE telemetry SET soc_bp[7] = soc_bp[8], soc_bp[8] = soc_bp[7] WHERE station_id = 'load-00047' AND seq = 5",
        f"UPDATE meter_register SET import_wh = import_wh - 1 WHERE station_id = 'load-00048' AND seq = {METER_SEQ[48]}"
        " AND meter_id = 'site'",
        copy.format("500, ts_day") + "'load-00049'",
        "UPDATE station_boot SET stored = stored + 1 WHERE station_id = 'load-00050'",
    ):
        assert (await pool.execute(statement)).split()[-1] in {"1", "2"}, statement


@pytest.mark.parametrize("broker", ["nats_broker"], indirect=True)
async def test_a_generator_that_is_killed_leaves_a_journal_that_is_right(
    pool: Pool, broker: Any, clock: Any, login: Login, walkable_dir: Path, stations: None, eventually: Eventually
) -> None:
    journal = walkable_dir / "load.journal"
    disturbed = ["--duplicates", "0.05", "--reorder", "0.1", "--late", "0.05", "--packs", "2"]
    async with ingest(pool, broker, clock):
        process = await start(login, journal, *disturbed, "--rate", "2000")
        await eventually(lambda: any(run.taken > 8 * STATIONS for run in read_journal(journal)), 15)
        process.kill()
        await process.wait()
        report = await report_of(
            await start(login, journal, *disturbed, "--rate", "2000", "--rounds", "3", "--wait-committed", "20")
        )
        assert report["boot"] == 2

        async def clean() -> bool:
            return (await audit_database(pool, journal)).clean

        await eventually(clean, 10)
    found = await audit_database(pool, journal)
    assert 0 < found.uncertain < found.messages


@pytest.mark.parametrize("broker", ["nats_broker"], indirect=True)
@pytest.mark.long
async def test_what_a_broker_forgot_is_said_again_until_it_is_committed(
    pool: Pool, broker: Any, clock: Any, login: Login, walkable_dir: Path, stations: None, eventually: Eventually
) -> None:
    journal = walkable_dir / "load.journal"
    plan = LoadPlan(stations=STATIONS, packs=2, fields=24, seed=1, rate_per_s=5000.0, start_at=datetime(2026, 4, 6, tzinfo=UTC))
    options = LoadOptions(
        plan,
        LinkAddress(broker.host, broker.port, "load", login.secret),
        journal,
        rounds=5,
        wait_committed_s=60.0,
        say_again_after_s=2.5,
    )
    load = asyncio.create_task(asyncio.to_thread(run_load, options, lambda _: None, lambda: False))
    # Everything is acknowledged by a broker that then loses it all; nobody has read it.
    await eventually(lambda: any(run.ended for run in read_journal(journal)), 20)
    broker.kill()
    shutil.rmtree(broker.server.rules_dir / "store")
    await asyncio.to_thread(broker.restart)
    assert await pool.fetchval("SELECT count(*) FROM telemetry") == 0
    async with ingest(pool, broker, clock):
        report: dict[str, Any] = await load
    assert report["committed"]["complete"], report
    assert report["committed"]["said_again"] >= STATIONS * 6
    assert report["reconnects"] > 0
    found = await audit_database(pool, journal)
    assert found.clean, found.as_json()
    assert found.messages == STATIONS * 6


@pytest.mark.parametrize("broker", ["nats_broker"], indirect=True)
async def test_a_refused_login_is_said_at_once(broker: Any, login: Login, walkable_dir: Path) -> None:
    login.file.write_text(json.dumps({"user": "load", "password": "wrong"}))
    process = await start(login, walkable_dir / "load.journal", "--rounds", "1")
    _, said = await process.communicate()
    assert process.returncode == 1
    assert b"refuses load-line-0" in said
