"""The console's SQL on a real database with a seeded fleet."""

from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from service.console.alerts_view import alerts_view, find_alerts
from service.console.area_series import AREA_SERIES, area_series, wanted_from
from service.console.meter_day import MeterDay
from service.console.power_chart import chart_start, fleet_power_w
from service.console.station_list_view import station_lines
from service.console.station_view import station_view
from service.console.wording import day_start
from service.domain.clock import Clock
from service.domain.plan import StepGrid
from service.store.fleet import FleetRows, read_fleet, read_measured_power, read_stations_more
from service.store.pool import Pool
from service.store.signals import series_of_area

SEED = Path(__file__).parents[1] / "console_fleet.sql"


@pytest.fixture
async def fleet(pool: Pool, clock: Clock) -> FleetRows:
    async with pool.acquire() as connection:
        await connection.execute("SELECT set_config('seed.now', $1, false)", clock.now().isoformat())
        await connection.execute(SEED.read_text())
        return await read_fleet(connection, clock.now(), day_start(clock.now()))


async def test_an_empty_database_reads_as_an_empty_fleet(pool: Pool, clock: Clock) -> None:
    async with pool.acquire() as connection:
        fleet = await read_fleet(connection, clock.now(), day_start(clock.now()))
        assert await read_measured_power(connection, clock.now() - timedelta(hours=3), clock.now()) == ()
    assert (fleet.stations, fleet.slots, fleet.plan, fleet.sources) == ((), (), None, ())


async def test_each_slot_is_read_once_with_its_pack_its_reading_and_its_holds(fleet: FleetRows) -> None:
    keys = [(slot.station_id, slot.slot_no) for slot in fleet.slots]
    assert len(keys) == len(set(keys)) == 23 * 14
    slot = next(slot for slot in fleet.slots if (slot.station_id, slot.slot_no) == ("st-002", 1))
    assert (slot.serial_number, slot.reported_serial, slot.pack_held_by) == ("KA00201", "KA00201", "swp_1")
    assert slot.soc is not None
    assert 0.25 <= slot.soc <= 1
    assert next(slot for slot in fleet.slots if (slot.station_id, slot.slot_no) == ("st-002", 14)).slot_held_by == "swp_1"


async def test_a_released_hold_no_longer_holds(fleet: FleetRows, pool: Pool, clock: Clock) -> None:
    assert fleet.slots
    async with pool.acquire() as connection:
        await connection.execute("UPDATE pack_hold SET released_at = held_at")
        after = await read_fleet(connection, clock.now(), day_start(clock.now()))
    assert all(slot.pack_held_by is None for slot in after.slots)


async def test_stations_carry_their_connection_and_live_swaps(fleet: FleetRows) -> None:
    stations = {station.station_id: station for station in fleet.stations}
    assert sum(station.connected for station in fleet.stations) == 22
    assert stations["st-024"].first_birth_at is None
    assert sum(station.live_swaps for station in fleet.stations) == 5
    assert stations["st-002"].live_swaps == 2


async def test_the_known_troubles_of_the_seed_are_in_the_list(fleet: FleetRows) -> None:
    lines = {line.station_id: line for line in station_lines(fleet)}
    states = {(station_id, cell[0]): cell[1] for station_id, line in lines.items() for cell in line.cells}
    assert states["st-003", 14] == "faulted"
    assert states["st-004", 2] == "unfit"
    assert states["st-005", 1] == "foreign"
    assert states["st-002", 1] == "held"
    assert all(state == "empty" for (_, slot_no), state in states.items() if slot_no == 14 and _ != "st-003")


async def test_the_fleets_power_is_the_sum_of_the_newest_readings_behind_the_chargers(fleet: FleetRows) -> None:
    at_packs_w = sum(line.charging_w for line in station_lines(fleet))
    assert at_packs_w > 10_000
    assert fleet_power_w(fleet) == pytest.approx(at_packs_w / 0.92)


async def test_the_newest_plan_counts_and_a_plan_of_the_future_does_not(fleet: FleetRows, pool: Pool, clock: Clock) -> None:
    assert fleet.plan is not None
    assert (fleet.plan.plan_id, len(fleet.plan.fleet_ac_w), fleet.sources) == ("pln_1", 96, ("synthetic", "synthetic"))
    async with pool.acquire() as connection:
        before = await read_fleet(connection, clock.now() - timedelta(minutes=1), day_start(clock.now()))
    assert before.plan is None


async def test_measured_power_is_energy_over_time_summed_over_the_fleet(pool: Pool, clock: Clock) -> None:
    now = clock.now()
    async with pool.acquire() as connection:
        for station, wh_a_step, gap_at in (("a", 50, None), ("b", 100, 3)):
            for step in range(6):
                if step != gap_at:
                    at = now + timedelta(minutes=5 * step)
                    await connection.execute(
                        "INSERT INTO meter_register VALUES ($1, 'site', 'site', 1, 1, $2, $3, $3, $4, 0, 'measured')",
                        station, step + 1, at, 1000 + wh_a_step * step,
                    )  # fmt: skip
        rows = await read_measured_power(connection, now, now + timedelta(hours=1))
    by_minute = {round((row.end_at - now).total_seconds() / 60): (round(row.power_ac_w), row.stations) for row in rows}
    # Without its register at 15 min, b says nothing about that bin; over the ten minutes after, its mean is still right.
    assert by_minute == {5: (1800, 2), 10: (1800, 2), 15: (600, 1), 20: (1800, 2), 25: (1800, 2)}


async def test_a_replaced_meter_and_a_long_silence_do_not_make_power(pool: Pool, clock: Clock) -> None:
    now = clock.now()
    async with pool.acquire() as connection:
        for seq, minutes, import_wh in ((1, 0, 90_000), (2, 5, 10), (3, 65, 80_000)):
            await connection.execute(
                "INSERT INTO meter_register VALUES ('a', 'site', 'site', 1, 1, $1, $2, $2, $3, 0, 'measured')",
                seq, now + timedelta(minutes=minutes), import_wh,
            )  # fmt: skip
        assert await read_measured_power(connection, now, now + timedelta(hours=2)) == ()


async def test_the_day_of_the_meters_is_read_once_whole_and_then_only_its_end_and_one_old_hour(
    fleet: FleetRows, pool: Pool, clock: Clock
) -> None:
    assert fleet.stations
    start, now = chart_start(clock.now()), clock.now()
    day = MeterDay()
    async with pool.acquire() as connection:
        whole = await read_measured_power(connection, start - timedelta(minutes=15), now)
        await day.read(connection, start, now)
        assert day.rows == tuple(row for row in whole if row.end_at > start)
        assert len(day.rows) == (now - start) // timedelta(minutes=5)
        # Of one station nothing is there any more; every hour is seen again within as many reads.
        await connection.execute("DELETE FROM meter_register WHERE station_id = 'st-001'")
        assert {row.stations for row in day.rows} == {23}
        await day.read(connection, start, now)
        assert {row.stations for row in day.rows} == {22, 23}
        for _ in range((now - start) // timedelta(hours=1)):
            await day.read(connection, start, now)
        assert {row.stations for row in day.rows} == {22}


async def test_a_day_of_the_meters_forgets_what_lies_before_it(fleet: FleetRows, pool: Pool, clock: Clock) -> None:
    assert fleet.stations
    start, now = chart_start(clock.now()), clock.now()
    day = MeterDay()
    async with pool.acquire() as connection:
        await day.read(connection, start, now)
        await day.read(connection, start + timedelta(hours=2), now)
    assert min(row.end_at for row in day.rows) == start + timedelta(hours=2, minutes=5)


async def test_an_hour_of_the_fleets_meters_is_found_by_an_index(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await connection.execute("SET enable_seqscan = off")
        plan = await connection.fetch(
            "EXPLAIN SELECT station_id FROM meter_register WHERE point = 'site' AND ts >= '2026-04-06' AND ts < '2026-04-07'"
        )
    assert "meter_register_site_by_time" in " ".join(row[0] for row in plan)


async def test_the_area_of_the_seed_has_its_day_what_was_cut_off_and_what_is_ahead(
    fleet: FleetRows, pool: Pool, clock: Clock
) -> None:
    assert fleet.stations
    now = clock.now() + timedelta(hours=4)  # 13:00 in Japan
    async with pool.acquire() as connection:
        start = chart_start(now)
        signals = await series_of_area(connection, "kyushu", AREA_SERIES, wanted_from(start, now), StepGrid(now).end_at, now)
    area = area_series(signals, "kyushu", start, now)
    noon = 12 * 12
    assert None not in area.generated_w
    assert (area.generated_w[noon] or 0) > 5e9
    assert (area.cut_off_w[noon] or 0) > 1e9
    assert area.cut_off_w[noon + 10] is None, "not known yet"
    assert area.supply_source == area.price_source == "synthetic"


async def test_the_alerts_of_the_seed_are_all_there_and_are_gone_when_it_is_calm(
    fleet: FleetRows, pool: Pool, clock: Clock
) -> None:
    view = alerts_view(find_alerts(fleet, 600), fleet.at)
    told = " | ".join(line["what"] for line in view["lines"])
    for words in (
        "Gion will be 2.6 kWh short",
        "Nishijin is not connected",
        "swap not known",
        "rider-60",
        "foreign pack",
        "3 messages",
    ):
        assert words in told
    assert [line["tone"] for line in view["lines"]] == ["act"] * view["act"] + ["look"] * view["look"]
    async with pool.acquire() as connection:
        for calm in (
            "UPDATE plan SET shortfall_wh = 0",
            "UPDATE station_live SET connected = true, heard_at = $1",
            "UPDATE swap SET status = 'expired' WHERE status = 'unresolved'",
            "UPDATE debt SET closed_at = $1",
            "UPDATE anomaly SET closed_at = $1",
            "DELETE FROM dead_letter",
        ):
            await connection.execute(calm, *([clock.now()] if "$1" in calm else []))
        after = await read_fleet(connection, clock.now(), day_start(clock.now()))
    assert find_alerts(after, 600) == ()


async def test_the_newest_swaps_are_those_of_the_whole_fleet(fleet: FleetRows) -> None:
    created = [swap.created_at for swap in fleet.newest_swaps]
    assert len(created) == 20
    assert created == sorted(created, reverse=True)
    assert len({swap.station_id for swap in fleet.newest_swaps}) > 10


async def test_a_stations_panel_has_its_swaps_anomalies_and_the_plans_reason(fleet: FleetRows, pool: Pool) -> None:
    async with pool.acquire() as connection:
        more = await read_stations_more(connection, ["st-002", "nowhere"], "pln_1")
    view = station_view(fleet, "st-002", more["st-002"])
    assert len(view["slots"]) == 14
    assert view["reason"].startswith("Charging waits")
    assert [anomaly["words"] for anomaly in view["anomalies"]] == ["pack fault", "energy counter fell"]
    assert view["swaps"][0]["words"] == "half in"
    assert all(line.station_id == "st-002" for line in more["st-002"].swaps)
    assert more["nowhere"].swaps == ()


async def test_a_read_never_writes(fleet: FleetRows, database: str, clock: Clock) -> None:
    assert fleet.stations
    connection = await asyncpg.connect(database)
    async with connection.transaction(readonly=True):
        await read_fleet(connection, clock.now(), day_start(clock.now()))
        await read_stations_more(connection, ["st-001"], "pln_1")
    await connection.close()
