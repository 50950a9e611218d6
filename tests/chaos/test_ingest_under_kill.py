"""Ingest is killed again and again under load, and the broker once: nothing is lost, nothing is doubled.

The stations here keep the contract's promise and no more: a message is kept and sent again until the service has committed it.
"""

import asyncio
import contextlib
import json
import os
import random
import signal
import sys
import time
from datetime import UTC, datetime
from typing import Any

from devices.wire.ids import part_of
from devices.wire.topics import down, up
from service.broker import Broker, BrokerAwayError
from service.store.pool import Pool

STATIONS = 6
LOAD_S = 10.0
KILLS = 5
BROKER_KILL = 2
EVERY_S = 0.01
RESEND_AFTER_S = 3.0
RESEND_AT_ONCE = 100

INGEST = """
import asyncio, sys
from datetime import UTC, datetime
from service.broker import BrokerAddress
from service.domain.clock import FleetTime
from service.ingest.ingest import run_ingest
from service.store.pool import open_pool
from service.wiring import WallFleetClock

async def main(dsn, host, port, user, password):
    now = datetime.now(UTC)
    clock = WallFleetClock(FleetTime(now, now, 1.0))
    pool = await open_pool(dsn)
    address = BrokerAddress(host, int(port), user, password)
    await run_ingest(pool, address, clock, host_id="one", parts="00-3f", queue_size=4096, stop=asyncio.Event())

asyncio.run(main(*sys.argv[1:]))
"""


class JournalStation:
    """A station that forgets what is committed and nothing else."""

    def __init__(self, name: str, broker: Any) -> None:
        self.name = name
        self.journal: dict[int, tuple[float, str, bytes]] = {}
        self.last_seq = 0
        self._session = Broker(broker.address(broker.provision(name)), name, subscriptions=[(down(name, "committed"), 0)])

    async def run(self, load_over: asyncio.Event) -> None:
        async with self._session as session:
            assert await session.wait_connected(10)
            listening = asyncio.create_task(self._listen())
            try:
                while not load_over.is_set() or self.journal:
                    if not load_over.is_set():
                        self.last_seq += 1
                        await self._send(self.last_seq, *self._message(self.last_seq))
                    late = [seq for seq, (at, _, _) in self.journal.items() if time.monotonic() - at > RESEND_AFTER_S]
                    for seq in late[:RESEND_AT_ONCE]:
                        if seq in self.journal:
                            await self._send(seq, *self.journal[seq][1:])
                    await asyncio.sleep(EVERY_S)
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)

    def _message(self, seq: int) -> tuple[str, bytes]:
        envelope = {"v": 1, "ts": datetime.now(UTC).isoformat(), "epoch": 1, "boot": 1, "seq": seq}
        if seq % 10 == 0:
            notice = {"kind": "door", "code": "Open", "phase": "once", "severity": "info"}
            return "event", json.dumps({**envelope, **notice}).encode()
        pack = {"evseId": 1 + seq % 20, "serialNumber": f"P-{seq % 20}", "soC": float(seq % 100), "soH": 99.0}
        return "telemetry", json.dumps({**envelope, "batteryData": [pack]}).encode()

    async def _send(self, seq: int, leaf: str, body: bytes) -> None:
        self.journal[seq] = (time.monotonic(), leaf, body)
        with contextlib.suppress(BrokerAwayError):  # it stays in the journal
            await self._session.publish(up(self.name, leaf), body)

    async def _listen(self) -> None:
        while True:
            for received in await self._session.take(100, 0):
                committed = json.loads(received.body)
                for seq in [seq for seq in self.journal if seq <= committed["seq"]]:
                    del self.journal[seq]


async def _killed_again_and_again(arguments: list[str], broker: Any, load_over: asyncio.Event) -> asyncio.subprocess.Process:
    moments = random.Random(7)
    process = await _start(arguments)
    for number in range(KILLS):
        await asyncio.sleep(LOAD_S / KILLS * moments.uniform(0.7, 1.3))
        if number == BROKER_KILL:
            broker.kill()
            await asyncio.to_thread(broker.restart)
            continue
        process.send_signal(signal.SIGKILL)
        await process.wait()
        process = await _start(arguments)
    load_over.set()
    return process


async def _start(arguments: list[str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", INGEST, *arguments, stderr=asyncio.subprocess.DEVNULL, env={**os.environ, "PYTHONWARNINGS": ""}
    )


async def test_killing_ingest_and_broker_under_load_loses_and_doubles_nothing(
    pool: Pool, database: str, nats_broker: Any
) -> None:
    names = [f"st-{number}" for number in range(STATIONS)]
    await pool.executemany(
        "INSERT INTO station (station_id, part, name, latitude, longitude, registered_at) VALUES ($1, $2, $1, 0, 0, $3)",
        [(name, int(part_of(name), 16), datetime(2026, 4, 1, tzinfo=UTC)) for name in names],
    )
    address = nats_broker.address()
    arguments = [database, address.host, str(address.port), address.user, address.password]
    stations = [JournalStation(name, nats_broker) for name in names]
    load_over = asyncio.Event()
    async with asyncio.timeout(110):
        killing = asyncio.create_task(_killed_again_and_again(arguments, nats_broker, load_over))
        try:
            await asyncio.gather(*(station.run(load_over) for station in stations))
        finally:
            load_over.set()
            process = await killing
            process.send_signal(signal.SIGKILL)
            await process.wait()
    sent = {(station.name, seq) for station in stations for seq in range(1, station.last_seq + 1)}
    assert len(sent) > 1000, "this was no load"
    rows = await pool.fetch(
        "SELECT station_id, seq FROM telemetry WHERE boot = 1 UNION ALL SELECT station_id, seq FROM station_event WHERE boot = 1"
    )
    kept = [(row["station_id"], row["seq"]) for row in rows]
    assert sent - set(kept) == set(), "lost"
    assert len(kept) == len(set(kept)) == len(sent), "doubled"
    boots = await pool.fetch(
        "SELECT station_id, stored, lost, dropped, refused, duplicates, settled::text AS settled FROM station_boot"
    )
    assert {row["station_id"]: row["settled"] for row in boots} == {
        station.name: f"{{[1,{station.last_seq + 1})}}" for station in stations
    }
    assert sum(row["stored"] for row in boots) == len(sent)
    assert sum(row["lost"] + row["dropped"] + row["refused"] for row in boots) == 0
    assert sum(row["duplicates"] for row in boots) > 0, "no kill hit anything"
