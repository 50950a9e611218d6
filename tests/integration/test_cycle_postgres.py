"""Whole cycles against a real database: what is stored, what is sent, what is not sent again, and what survives."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from typing import Any, Protocol

import pytest
import structlog

from service.cycle import RESEND_S, run_cycle, run_cycles
from service.domain.command import SetSchedule, order
from service.domain.signal import SYNTHETIC, Place, Series, Signal
from service.store.plans import newest_plan_id, read_plan
from service.store.pool import Connection, Pool
from service.store.signals import add_missing, add_signals


class MovableClock(Protocol):
    """The fixture `clock`."""

    def now(self) -> datetime: ...
    def wall_seconds(self, fleet_seconds: float) -> float: ...
    def advance(self, seconds: float) -> datetime: ...


NewId = Callable[[str], str]
KYUSHU = Place("area", "kyushu")


@pytest.fixture
async def connection(pool: Pool) -> AsyncIterator[Connection]:
    async with pool.acquire() as connection:
        yield connection


async def add_stations(connection: Connection, now: datetime, *station_ids: str, soc: float = 0.3) -> None:
    """Add stations with six slots, packs in the first four; all charged to `soc`."""
    await connection.execute(
        "INSERT INTO pack_model (pack_model_id, nominal_wh, nominal_v, max_charge_w) VALUES ('m1', 1300, 50, 500)"
        " ON CONFLICT DO NOTHING"
    )
    for station_id in station_ids:
        await connection.execute(
            "INSERT INTO station (station_id, part, name, latitude, longitude, registered_at, first_birth_at, max_import_ac_w)"
            " VALUES ($1, 0, $1, 33.6, 130.4, $2, $2, 2500)",
            station_id,
            now,
        )
        for slot_no in range(1, 7):
            await connection.execute(
                "INSERT INTO slot (station_id, slot_no, status, max_charge_dc_w, epoch, boot, seq)"
                " VALUES ($1, $2, $3, 500, 1, 1, 1)",
                station_id,
                slot_no,
                "occupied" if slot_no < 5 else "empty",
            )
            if slot_no < 5:
                await connection.execute(
                    "INSERT INTO pack (serial_number, pack_model_id, place, station_id, slot_no, registered_at, placed_at)"
                    " VALUES ($1, 'm1', 'slot', $2, $3, $4, $4)",
                    f"{station_id}-{slot_no}",
                    station_id,
                    slot_no,
                    now,
                )
        await connection.execute(
            "INSERT INTO station_live (station_id, connected, heard_at, slot_no, serial_number, soc, soh, charging_state,"
            " power_dc_w, temp_max_degc, cell_spread_mv, fault_count, energy_in_wh, reading_at, epoch, boot, seq)"
            " VALUES ($1, true, $2, '{1,2,3,4}', $3::text[], array_fill($4::real, '{4}'), '{1,1,1,1}', '{idle,idle,idle,idle}',"
            " '{0,0,0,0}', '{25,25,25,25}', '{9,9,9,9}', '{0,0,0,0}', '{1,1,1,1}', array_fill($2::timestamptz, '{4}'),"
            " '{1,1,1,1}', '{1,1,1,1}', '{5,5,5,5}')",
            station_id,
            now,
            [f"{station_id}-{slot_no}" for slot_no in range(1, 5)],
            soc,
        )


async def cycle(connection: Connection, clock: MovableClock, new_id: NewId) -> str | None:
    return await run_cycle(connection, clock, area="kyushu", solve_limit_s=20, new_id=new_id)


async def schedules(connection: Connection) -> list[tuple[str, SetSchedule]]:
    rows = await connection.fetch(
        "SELECT station_id, body FROM command WHERE name = 'set_schedule' ORDER BY issued_at, station_id"
    )
    found = [(row["station_id"], order.validate_json(row["body"])) for row in rows]
    assert all(isinstance(each, SetSchedule) for _, each in found)
    return found  # type: ignore[return-value]


async def test_a_cycle_stores_a_plan_with_its_bound_and_sends_each_station_its_part(
    connection: Connection, clock: MovableClock, new_id: NewId
) -> None:
    await add_stations(connection, clock.now(), "st-1", "st-2")
    plan_id = await cycle(connection, clock, new_id)
    assert plan_id is not None
    assert await newest_plan_id(connection) == plan_id
    plan = await read_plan(connection, plan_id)
    assert plan is not None
    assert plan.engine == "glop"
    assert plan.bound_jpy is not None
    assert plan.gap == pytest.approx(0, abs=1e-6)
    assert plan.price_source.startswith("synthetic")
    assert plan.coupled_by == ("contracted_volume",)
    assert [station.station_id for station in plan.stations] == ["st-1", "st-2"]
    assert all(len(station.energy_ac_wh) == 96 and station.reason for station in plan.stations)
    assert sum(sum(station.energy_ac_wh) for station in plan.stations) > 1000
    assert len(plan.fleet_ac_w) == len(plan.price_jpy_per_kwh) == len(plan.renewable_w) == 96
    assert plan.solve_s > 0
    sent = await schedules(connection)
    assert [station_id for station_id, _ in sent] == ["st-1", "st-2"]
    for station_id, schedule in sent:
        assert [row.serial_number for row in schedule.rows] == [f"{station_id}-{slot_no}" for slot_no in range(1, 5)]
        assert len(schedule.schedule_id) <= 36
        assert schedule.start_at == clock.now()
        assert any(period.limit_dc_w > 0 for row in schedule.rows for period in row.periods)


async def test_every_command_expires(connection: Connection, clock: MovableClock, new_id: NewId) -> None:
    await add_stations(connection, clock.now(), "st-1")
    await cycle(connection, clock, new_id)
    row = await connection.fetchrow("SELECT issued_at, valid_until FROM command")
    assert row is not None
    assert row["issued_at"] == clock.now()
    assert row["valid_until"] - row["issued_at"] == timedelta(minutes=15)


async def test_what_says_nothing_new_is_not_sent_again_until_it_is_old(
    connection: Connection, clock: MovableClock, new_id: NewId
) -> None:
    await add_stations(connection, clock.now(), "st-1", soc=1.0)
    await cycle(connection, clock, new_id)
    clock.advance(60)
    await cycle(connection, clock, new_id)
    assert len(await schedules(connection)) == 1
    clock.advance(RESEND_S)
    await cycle(connection, clock, new_id)
    assert len(await schedules(connection)) == 2


async def test_a_pack_that_came_in_changes_the_schedule_at_once(
    connection: Connection, clock: MovableClock, new_id: NewId
) -> None:
    await add_stations(connection, clock.now(), "st-1", soc=1.0)
    await cycle(connection, clock, new_id)
    clock.advance(60)
    await connection.execute("UPDATE pack SET place = 'lost', station_id = NULL, slot_no = NULL WHERE serial_number = 'st-1-2'")
    await cycle(connection, clock, new_id)
    sent = await schedules(connection)
    assert len(sent) == 2
    assert "st-1-2" not in {row.serial_number for row in sent[-1][1].rows}


async def test_a_station_that_is_away_is_planned_but_gets_no_command(
    connection: Connection, clock: MovableClock, new_id: NewId
) -> None:
    await add_stations(connection, clock.now(), "st-1", "st-2")
    await connection.execute("UPDATE station_live SET connected = false WHERE station_id = 'st-1'")
    plan_id = await cycle(connection, clock, new_id)
    assert plan_id is not None
    plan = await read_plan(connection, plan_id)
    assert plan is not None
    assert len(plan.stations) == 2
    assert [station_id for station_id, _ in await schedules(connection)] == ["st-2"]


async def test_plan_and_commands_are_stored_together_or_not_at_all(
    connection: Connection, clock: MovableClock, new_id: NewId, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_stations(connection, clock.now(), "st-1")

    async def broken(*_: Any) -> None:
        raise RuntimeError("the outbox is broken")

    monkeypatch.setattr("service.cycle.enqueue", broken)
    with pytest.raises(RuntimeError, match="outbox is broken"):
        await cycle(connection, clock, new_id)
    assert await newest_plan_id(connection) is None
    assert await connection.fetchval("SELECT count(*) FROM plan_station") == 0


async def test_a_plan_is_announced_after_it_is_committed(
    pool: Pool, connection: Connection, clock: MovableClock, new_id: NewId
) -> None:
    await add_stations(connection, clock.now(), "st-1")
    heard: asyncio.Queue[str] = asyncio.Queue()
    async with pool.acquire() as listener:
        await listener.add_listener("plan_made", lambda *args: heard.put_nowait(args[2]))
        plan_id = await cycle(connection, clock, new_id)
        await asyncio.wait_for(heard.get(), 5)
        assert await newest_plan_id(listener) == plan_id
        await listener.reset()


def published(
    now: datetime, series: Series, value: float, *, place: Place = KYUSHU, days: float = -2, source: str = "grid"
) -> list[Signal]:
    """Return half hours from `days` after `now` until a day after it, known for long."""
    first_at = now + timedelta(days=days)
    halves = round(48 * (1 - days))
    known_at = now - timedelta(days=30)
    return [
        Signal(series, place, first_at + half * timedelta(minutes=30), 1800, value, known_at, source) for half in range(halves)
    ]


async def test_a_plan_follows_the_prices_and_the_supply_that_somebody_published_and_names_them(
    connection: Connection, clock: MovableClock, new_id: NewId
) -> None:
    now = clock.now()
    await add_stations(connection, now, "st-1")
    await add_signals(connection, published(now, "price_jpy_per_kwh", 9.5, source="market"))
    await add_signals(connection, published(now, "solar_w", 3e9, source="grid company"))
    await add_signals(connection, published(now, "wind_w", 1e9, source="grid company"))
    plan_id = await cycle(connection, clock, new_id)
    assert plan_id is not None
    plan = await read_plan(connection, plan_id)
    assert plan is not None
    assert (plan.price_source, plan.supply_source) == ("market", "grid company")
    assert set(plan.price_jpy_per_kwh) == {9.5}
    assert max(plan.renewable_w) == pytest.approx(min(plan.renewable_w)) != 0
    made_up = await connection.fetchval("SELECT min(start_at) FROM signal WHERE source = $1", SYNTHETIC)
    assert made_up >= now + timedelta(days=1)


async def test_what_was_cut_off_in_the_end_changes_no_plan(connection: Connection, clock: MovableClock, new_id: NewId) -> None:
    now = clock.now()
    await add_stations(connection, now, "st-1")
    plans = []
    for curtailed in (None, 5e9):
        if curtailed is not None:
            await add_signals(connection, published(now, "solar_curtailed_w", curtailed))
            await add_signals(connection, published(now, "wind_curtailed_w", curtailed))
        plan_id = await cycle(connection, clock, new_id)
        assert plan_id is not None
        plan = await read_plan(connection, plan_id)
        assert plan is not None
        plans.append((plan.fleet_ac_w, plan.renewable_w, plan.price_jpy_per_kwh, plan.supply_source))
    assert plans[0] == plans[1]


async def test_limits_of_a_station_and_of_the_area_bind_and_own_sun_comes_on_top(
    connection: Connection, clock: MovableClock, new_id: NewId
) -> None:
    now = clock.now()
    await add_stations(connection, now, "st-1", "st-2", "st-3")
    one = Place("station", "st-1")
    await add_signals(connection, published(now, "import_limit_w", 0.0, place=one))
    await add_signals(connection, published(now, "own_pv_w", 400.0, place=one))
    await add_signals(connection, published(now, "demand_response_limit_w", 600.0))
    plan_id = await cycle(connection, clock, new_id)
    assert plan_id is not None
    plan = await read_plan(connection, plan_id)
    assert plan is not None
    first, second, third = (max(station.energy_ac_wh) * 4 for station in plan.stations)
    assert 0 < first <= 400 + 1e-6
    # The area's 600 W are shared out among the two that may draw from the grid.
    assert 0 < second <= 300 + 1e-6
    assert 0 < third <= 300 + 1e-6


async def test_the_cycles_begin_at_once_skip_an_empty_fleet_and_end_when_told(
    pool: Pool, clock: MovableClock, new_id: NewId
) -> None:
    stop = asyncio.Event()
    with structlog.testing.capture_logs() as logs:
        task = asyncio.create_task(run_cycles(pool, clock, area="kyushu", cycle_s=60, solve_limit_s=20, new_id=new_id, stop=stop))
        await _until(lambda: [line["event"] for line in logs] == ["plan.skipped"])
        stop.set()
        await asyncio.wait_for(task, 5)


async def test_a_cycle_that_fails_is_logged_and_the_next_one_plans(
    pool: Pool, connection: Connection, clock: MovableClock, new_id: NewId, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_stations(connection, clock.now(), "st-1")
    real = add_missing
    calls = 0

    async def fails_once(*args: Any) -> int:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ValueError("something nobody thought of")
        return await real(*args)

    monkeypatch.setattr("service.cycle.add_missing", fails_once)
    stop = asyncio.Event()
    with structlog.testing.capture_logs() as logs:
        task = asyncio.create_task(
            run_cycles(pool, clock, area="kyushu", cycle_s=0.1, solve_limit_s=20, new_id=new_id, stop=stop)
        )
        await _until(lambda: "plan.made" in [line["event"] for line in logs])
        stop.set()
        await asyncio.wait_for(task, 5)
    assert logs[0]["event"] == "plan.failed"
    assert await newest_plan_id(connection) is not None


async def test_the_database_may_go_away_and_come_back(
    pool: Pool, connection: Connection, clock: MovableClock, new_id: NewId
) -> None:
    await add_stations(connection, clock.now(), "st-1")
    stop = asyncio.Event()
    with structlog.testing.capture_logs() as logs:
        task = asyncio.create_task(
            run_cycles(pool, clock, area="kyushu", cycle_s=0.2, solve_limit_s=20, new_id=new_id, stop=stop)
        )
        await _until(lambda: "plan.made" in [line["event"] for line in logs])
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        before = await connection.fetchval("SELECT count(*) FROM plan")
        await _until(lambda: [line["event"] for line in logs].count("plan.made") > before + 1)
        stop.set()
        await asyncio.wait_for(task, 5)


async def _until(check: Callable[[], bool], seconds: float = 15.0) -> None:
    deadline = asyncio.get_running_loop().time() + seconds
    while not check():
        assert asyncio.get_running_loop().time() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)
