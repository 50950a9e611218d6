"""How many station messages a second go from MQTT into the database, committed: broker, database, worker and load on one machine.

`python -m tests.benchmarks.ingest [messages]` prints one JSON line. A message is one station with 24 packs of 12 fields.
"""

import asyncio
import json
import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from devices.wire.ids import part_of
from devices.wire.topics import up
from service.broker import Broker, BrokerAddress
from service.domain.clock import FleetTime
from service.ingest.ingest import run_ingest
from service.provisioning import hashes
from service.provisioning.access import service_rule
from service.standalone.broker import NatsBroker
from service.standalone.database import Database
from service.store.migrate import migrate
from service.store.pool import Pool, open_pool
from service.upkeep.upkeep import upkeep_once
from service.wiring import WallFleetClock

STATIONS = 250
PACKS = 24
AT_ONCE = 500


async def main(messages: int) -> None:
    directory = Path(tempfile.mkdtemp(prefix="denchi-bench-", dir="/var/tmp"))
    directory.chmod(0o711)
    database = Database(directory, directory / "database.log")
    nats = NatsBroker(directory / "broker", directory / "broker.log")
    secret = hashes.new_secret()
    database.start()
    try:
        nats.start([service_rule("service", hashes.hash_bcrypt(secret), hashes.hash_pbkdf2(secret))])
        print(json.dumps(await measure(database.dsn(), BrokerAddress("127.0.0.1", nats.port, "service", secret), messages)))
    finally:
        nats.stop()
        database.stop()
        shutil.rmtree(directory, ignore_errors=True)


async def measure(dsn: str, address: BrokerAddress, messages: int) -> dict[str, float]:
    names = [f"bench-{number:03}" for number in range(STATIONS)]
    connection = await asyncpg.connect(dsn)
    await migrate(connection)
    await connection.close()
    pool = await open_pool(dsn)
    now = datetime.now(UTC)
    await upkeep_once(pool, now, now)
    await pool.executemany(
        "INSERT INTO station (station_id, part, name, latitude, longitude, registered_at) VALUES ($1, $2, $1, 0, 0, $3)",
        [(name, int(part_of(name), 16), now) for name in names],
    )
    stop = asyncio.Event()
    clock = WallFleetClock(FleetTime(now, now, 1.0))
    worker = asyncio.create_task(run_ingest(pool, address, clock, host_id="one", parts="00-3f", queue_size=4096, stop=stop))
    load = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.benchmarks.ingest",
        "load",
        address.host,
        str(address.port),
        address.password or "",
        str(messages),
    )
    begin = time.monotonic()
    while not await _stored(pool):
        await asyncio.sleep(0.01)
    begin = time.monotonic()
    while await _stored(pool) < messages:
        await asyncio.sleep(0.05)
    seconds = time.monotonic() - begin
    await load.wait()
    stop.set()
    await worker
    await pool.close()
    per_s = messages / seconds
    return {
        "messages": messages,
        "body_bytes": len(body(1)),
        "messages_per_s": round(per_s),
        "readings_per_s": round(per_s * PACKS),
    }


async def _stored(pool: Pool) -> int:
    return int(await pool.fetchval("SELECT coalesce(sum(stored), 0) FROM station_boot"))


def body(seq: int) -> bytes:
    packs = [
        {
            "evseId": slot, "serialNumber": f"MPP-{slot:08}", "soC": 50.5, "soH": 99.0, "chargingState": "Charging",
            "voltageV": 50.9, "powerW": 498.8, "tempMaxC": 26.3, "cellMinMv": 3631, "cellMaxMv": 3644,
            "energyInWh": 291400, "energyOutWh": 274100,
        }
        for slot in range(1, PACKS + 1)
    ]  # fmt: skip
    envelope = {"v": 1, "ts": datetime.now(UTC).isoformat(), "epoch": 1, "boot": 1, "seq": seq}
    return json.dumps({**envelope, "batteryData": packs}, separators=(",", ":")).encode()


async def load(host: str, port: int, password: str, messages: int) -> None:
    """Publish at QoS 1, `AT_ONCE` on their way at a time."""
    topics = [up(f"bench-{number:03}", "telemetry") for number in range(STATIONS)]
    async with Broker(BrokerAddress(host, port, "service", password), "load") as session:
        await session.wait_connected(30)
        for first in range(0, messages, AT_ONCE):
            bodies = {
                seq: body(seq) for seq in {number // STATIONS + 1 for number in range(first, min(first + AT_ONCE, messages))}
            }
            await asyncio.gather(
                *(
                    session.publish(topics[number % STATIONS], bodies[number // STATIONS + 1])
                    for number in range(first, min(first + AT_ONCE, messages))
                )
            )


if __name__ == "__main__":
    if sys.argv[1:2] == ["load"]:
        asyncio.run(load(sys.argv[2], int(sys.argv[3]), sys.argv[4], int(sys.argv[5])))
    else:
        asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000))
