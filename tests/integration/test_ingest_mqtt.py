"""A whole ingest worker between a real broker and a real database."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from devices.wire.ids import part_of
from devices.wire.topics import down, host_state, up
from service.broker import Broker
from service.ingest.ingest import run_ingest
from service.store.migrate import migrate
from service.store.pool import Pool, open_pool

Eventually = Callable[..., Awaitable[Any]]
ENVELOPE = {"v": 1, "ts": "2026-04-06T12:00:00Z", "epoch": 1, "boot": 1}
PACK = {"evseId": 3, "serialNumber": "P-1", "soC": 50.0, "soH": 99.0}
DESCRIPTOR = {
    "vendor": "v", "model": "m", "firmware": "f", "targetSoC": 90.0, "timeoutInS": 30.0, "timeoutOutS": 30.0,
    "clock": {"source": "ntp"}, "site": {"maxImportAcW": 9000.0}, "slotState": [], "batteryData": [],
}  # fmt: skip


class Station:
    """A station's side of the wire, spoken by hand."""

    def __init__(self, session: Broker) -> None:
        self.session = session
        self.heard: list[tuple[str, dict[str, Any]]] = []

    async def say(self, leaf: str, seq: int, body: dict[str, Any], boot: int = 1) -> None:
        await self.session.publish(up("st-1", leaf), json.dumps({**ENVELOPE, "boot": boot, "seq": seq, **body}).encode())

    async def telemetry(self, seq: int) -> None:
        await self.say("telemetry", seq, {"batteryData": [PACK]})

    def committed(self) -> dict[int, int]:
        return {body["boot"]: body["seq"] for topic, body in self.heard if topic == down("st-1", "committed")}

    def host(self) -> dict[str, Any]:
        return next((body for topic, body in reversed(self.heard) if topic == host_state("one")), {})

    async def listen(self) -> None:
        while True:
            for received in await self.session.take(100, 0):
                self.heard.append((received.topic, json.loads(received.body)))


@pytest.fixture(params=["nats_broker", pytest.param("mosquitto_broker", marks=pytest.mark.mosquitto)])
def broker(request: pytest.FixtureRequest) -> Any:
    """The same on every broker: nothing here depends on which one it is."""
    return request.getfixturevalue(request.param)


@pytest.fixture
async def station(broker: Any) -> AsyncIterator[Station]:
    address = broker.address(broker.provision("st-1"))
    topics = [(down("st-1", "committed"), 0), (down("st-1", "command"), 0), ("denchi/v1/host/+/state", 0)]
    async with Broker(address, "st-1", subscriptions=topics) as session:
        assert await session.wait_connected(10)
        said = Station(session)
        task = asyncio.create_task(said.listen())
        yield said
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def register(pool: Pool, name: str = "st-1") -> None:
    await pool.execute(
        "INSERT INTO station (station_id, part, name, latitude, longitude, registered_at) VALUES ($1, $2, $1, 0, 0, $3)",
        name, int(part_of(name), 16), datetime(2026, 4, 1, tzinfo=UTC),
    )  # fmt: skip


@asynccontextmanager
async def ingest(pool: Pool, broker: Any, clock: Any, parts: str = "00-3f") -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(run_ingest(pool, broker.address(), clock, host_id="one", parts=parts, queue_size=1000, stop=stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 20)


async def test_what_a_station_says_is_stored_and_the_station_is_told(
    pool: Pool, broker: Any, clock: Any, station: Station, eventually: Eventually
) -> None:
    await register(pool)
    listener = await pool.acquire()
    signals: list[str] = []
    await listener.add_listener("station_event", lambda *_: signals.append("event"))
    async with ingest(pool, broker, clock):
        await eventually(lambda: station.host().get("online"))
        assert station.host()["parts"] == ["00-3f"]
        await station.say("birth", 1, {**DESCRIPTOR, "journal": [{"boot": 0, "firstSeq": 9, "lastSeq": 9}]})
        await eventually(lambda: station.committed() == {1: 1, 0: 8}, 1.5)  # at once after a birth
        for seq in (4, 2, 2, 3):
            await station.telemetry(seq)
        await station.say("history", 9, {"batteryData": [PACK]}, boot=0)
        await eventually(lambda: station.committed() == {1: 4, 0: 9})
    await eventually(lambda: station.host().get("online") is False)
    assert signals
    assert await pool.fetchval("SELECT count(*) FROM telemetry") == 4
    assert await pool.fetchval("SELECT sum(duplicates) FROM station_boot") == 1
    assert await pool.fetchval("SELECT serial_number FROM station_live") == ["P-1"]
    await listener.reset()
    await pool.release(listener)


async def test_a_station_registered_later_is_heard_without_a_restart(
    pool: Pool, broker: Any, clock: Any, station: Station, eventually: Eventually
) -> None:
    async with ingest(pool, broker, clock):
        await eventually(lambda: station.host().get("online"))
        await station.telemetry(1)
        await eventually(lambda: pool.fetchval("SELECT count FROM refusal_count WHERE reason = 'unknown_station'"))
        await register(pool)
        await station.telemetry(1)
        await eventually(lambda: station.committed() == {1: 1})


async def test_nothing_is_lost_while_the_database_is_away(
    private_postgres: Any, broker: Any, clock: Any, station: Station, eventually: Eventually
) -> None:
    connection = await asyncpg.connect(private_postgres.dsn())
    await migrate(connection)
    await connection.close()
    pool = await open_pool(private_postgres.dsn())
    await register(pool)
    async with ingest(pool, broker, clock):
        await eventually(lambda: station.host().get("online"))
        await station.telemetry(1)
        await eventually(lambda: station.committed() == {1: 1})
        private_postgres.stop()
        for seq in range(2, 40):
            await station.telemetry(seq)
        assert station.committed() == {1: 1}
        private_postgres.start()
        await eventually(lambda: station.committed() == {1: 39}, 30)
    assert await pool.fetchval("SELECT count(*) FROM telemetry") == 39
    assert await pool.fetchval("SELECT sum(duplicates) FROM station_boot") == 0
    pool.terminate()


# Mosquitto delivers again at once to the next connection, nats-server after its ack_wait of 30 s.
@pytest.mark.parametrize("broker", [pytest.param("mosquitto_broker", marks=pytest.mark.mosquitto)], indirect=True)
async def test_what_is_not_committed_is_not_acknowledged(
    pool: Pool, broker: Any, clock: Any, station: Station, eventually: Eventually
) -> None:
    await register(pool)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE station_boot IN ACCESS EXCLUSIVE MODE")
        async with ingest(pool, broker, clock):
            await eventually(lambda: station.host().get("online"))
            for seq in range(1, 6):
                await station.telemetry(seq)
            await eventually(lambda: connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))
    assert await pool.fetchval("SELECT count(*) FROM telemetry") == 0
    async with ingest(pool, broker, clock):
        await eventually(lambda: station.committed() == {1: 5})
