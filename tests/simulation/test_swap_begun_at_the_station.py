"""A rider without an app: a real agent asks, the real desk answers over the broker, the packs change places in the database."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from devices.agent.agent import StationAgent
from devices.agent.settings import AgentSettings
from devices.hardware.bench import MODEL, BenchCabinet, bench_pack
from devices.hardware.ports import ClockStatus
from devices.link.address import LinkAddress
from devices.link.outbox import Outbox
from devices.link.session import LinkSettings, MqttLink
from service.dispatch.dispatch import run_dispatch
from service.ingest.ingest import run_ingest
from service.provisioning.stations import add_station
from service.store.pool import Pool
from service.swapping.outcomes import DeskRules
from service.swapping.worker import run_desk

STATION = "st-card"
ORIGIN = datetime(2026, 4, 6, tzinfo=UTC)
FULL, OWN = "BENCH-0004", "OWN-1"


class WallClock:
    """Fleet time with the wall's pace, for service and station alike."""

    def __init__(self) -> None:
        self._start_s = time.monotonic()

    def now(self) -> datetime:
        return ORIGIN + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return time.monotonic() - self._start_s

    def wall_monotonic(self) -> float:
        return time.monotonic()

    def wall_seconds(self, fleet_seconds: float) -> float:
        return fleet_seconds

    def status(self) -> ClockStatus:
        return ClockStatus("ntp")


async def register(pool: Pool, clock: WallClock) -> None:
    """One rider with a one-pack scooter, one station, its four packs in the depot."""
    now = clock.now()
    async with pool.acquire() as connection:
        await add_station(connection, STATION, "Card", 33.59, 130.40, now)
        await connection.execute(
            "INSERT INTO pack_model (pack_model_id, nominal_wh, nominal_v, max_charge_w) VALUES ($1, 1314, 50.26, 300)", MODEL
        )
        await connection.execute("INSERT INTO rider (rider_id, name, registered_at) VALUES ('r-1', 'One', $1)", now)
        await connection.execute(
            "INSERT INTO asset (asset_id, rider_id, pack_model_id, pack_count, wiring, registered_at)"
            " VALUES ('v-1', 'r-1', $1, 1, 'independent', $2)",
            MODEL,
            now,
        )
        await connection.executemany(
            "INSERT INTO pack (serial_number, pack_model_id, place, asset_id, registered_at, placed_at)"
            " VALUES ($1, $2, $3, $4, $5, $5)",
            [*((f"BENCH-{n:04d}", MODEL, "depot", None, now) for n in range(1, 5)), (OWN, MODEL, "asset", "v-1", now)],
        )


@asynccontextmanager
async def everything(pool: Pool, broker: Any, path: Path) -> AsyncIterator[tuple[StationAgent, BenchCabinet]]:
    clock, numbers, stop = WallClock(), iter(range(1, 10_000)), asyncio.Event()
    await register(pool, clock)
    login = broker.provision(STATION)
    cabinet, outbox = BenchCabinet(clock, slot_count=6, pack_count=4), Outbox(path, durable=False)
    link = MqttLink(
        LinkAddress(broker.host, broker.port, login.user, login.password),
        STATION,
        1,
        outbox,
        clock,
        LinkSettings(connect_jitter_s=0.05),
        random.Random(1),
    )
    settings = AgentSettings(tick_wall_s=0.1, swap_tick_wall_s=0.05)
    agent = StationAgent(STATION, 1, cabinet, link, clock, settings, random.Random(2))
    address = broker.address()
    tasks = [
        asyncio.create_task(run_ingest(pool, address, clock, host_id="ingest-1", parts="00-3f", queue_size=1024, stop=stop)),
        asyncio.create_task(run_desk(pool, clock, rules=DeskRules(), new_id=lambda kind: f"{kind}_{next(numbers)}", stop=stop)),
        asyncio.create_task(run_dispatch(pool, address, clock, stop=stop)),
        asyncio.create_task(agent.run(stop)),
    ]
    try:
        yield agent, cabinet
    finally:
        stop.set()
        await asyncio.wait_for(asyncio.gather(*tasks), 20)
        outbox.close()


async def test_a_rider_who_shows_his_card_gets_a_full_pack_for_his_empty_one(
    pool: Pool, nats_broker: Any, tmp_path: Path, eventually: Callable[..., Any]
) -> None:
    async with everything(pool, nats_broker, tmp_path / "outbox.sqlite") as (agent, cabinet):
        await eventually(lambda: agent.online, 20)
        placed = "SELECT count(*) = 4 FROM pack WHERE station_id = $1"
        await eventually(lambda: pool.fetchval(placed, STATION), 20)

        assert await agent.request_swap("rider:r-1", vehicle_id="v-1") == "authorised"
        empty_slot = await eventually(lambda: next((n for n in (5, 6) if cabinet.door_open(n)), None), 20)
        cabinet.put(empty_slot, bench_pack(OWN, 0.2))
        await eventually(lambda: cabinet.door_open(4), 20)
        assert cabinet.take(4).serial_number == FULL

        settled = "SELECT status = 'settled' AND packs_in = 1 AND packs_out = 1 FROM swap"
        await eventually(lambda: pool.fetchval(settled), 20)
        assert await pool.fetchrow("SELECT place, asset_id FROM pack WHERE serial_number = $1", FULL) == ("asset", "v-1")
        assert await pool.fetchrow("SELECT place, slot_no FROM pack WHERE serial_number = $1", OWN) == ("slot", empty_slot)
        assert await pool.fetchval("SELECT count(*) FROM anomaly") == 0


@pytest.mark.parametrize(("token", "vehicle"), [("rider:nobody", None), ("a plate nobody knows", "v-404")])
async def test_a_card_that_nobody_knows_is_refused_and_no_door_opens(
    pool: Pool, nats_broker: Any, tmp_path: Path, eventually: Callable[..., Any], token: str, vehicle: str | None
) -> None:
    async with everything(pool, nats_broker, tmp_path / "outbox.sqlite") as (agent, cabinet):
        await eventually(lambda: agent.online, 20)
        assert await agent.request_swap(token, vehicle_id=vehicle) == "refused"
        assert not any(cabinet.door_open(slot_no) for slot_no in range(1, 7))
        assert await pool.fetchval("SELECT count(*) FROM swap") == 0
