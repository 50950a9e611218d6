"""The fleet as it stands in PostgreSQL becomes the fleet that is planned with."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.domain.command import Command, SchedulePeriod, ScheduleRow, SetSchedule, SitePeriod
from service.state.load import ENOUGH_RETURNS, load_fleet
from service.store.outbox import enqueue
from service.store.pool import Connection, Pool

NOW = datetime(2026, 4, 6, 3, 0, tzinfo=UTC)
DAY_S = 86_400.0


@pytest.fixture
async def connection(pool: Pool) -> AsyncIterator[Connection]:
    async with pool.acquire() as connection:
        await connection.execute(
            "INSERT INTO pack_model (pack_model_id, nominal_wh, nominal_v, max_charge_w) VALUES ('m1', 1300, 50, 500)"
        )
        yield connection


async def add_station(connection: Connection, station_id: str, *, born: bool = True, lifecycle: str = "in_service") -> None:
    """Add a station of three slots; packs <station>-1 and -2 are in slots 1 and 2, slot 3 is empty."""
    await connection.execute(
        "INSERT INTO station (station_id, part, name, latitude, longitude, lifecycle, registered_at, first_birth_at,"
        " max_import_ac_w) VALUES ($1, 0, $1, 33.6, 130.4, $2, $3, $4, $5)",
        station_id,
        lifecycle,
        NOW - timedelta(days=3),
        NOW - timedelta(days=2) if born else None,
        3000.0 if born else None,
    )
    if not born:
        return
    for slot_no, status in ((1, "occupied"), (2, "occupied"), (3, "empty")):
        await connection.execute(
            "INSERT INTO slot (station_id, slot_no, status, max_charge_dc_w, epoch, boot, seq) VALUES ($1, $2, $3, 450, 1, 1, 1)",
            station_id,
            slot_no,
            status,
        )
    for slot_no in (1, 2):
        await connection.execute(
            "INSERT INTO pack (serial_number, pack_model_id, place, station_id, slot_no, registered_at, placed_at)"
            " VALUES ($1, 'm1', 'slot', $2, $3, $4, $4)",
            f"{station_id}-{slot_no}",
            station_id,
            slot_no,
            NOW - timedelta(days=2),
        )
    await connection.execute(
        "INSERT INTO station_live (station_id, connected, heard_at, slot_no, serial_number, soc, soh, charging_state,"
        " power_dc_w, temp_max_degc, cell_spread_mv, fault_count, energy_in_wh, reading_at, epoch, boot, seq)"
        " VALUES ($1, true, $2, '{1,2,3}', $3::text[], '{0.5,1.0,NULL}', '{0.9,1.0,NULL}',"
        " '{charging,idle,NULL}', '{400,0,NULL}', '{25,24,NULL}',"
        " '{10,12,NULL}',"
        " '{0,1,NULL}', '{1,2,NULL}', ARRAY[$2,$2,NULL]::timestamptz[], '{1,1,1}', '{1,1,1}', '{5,5,5}')",
        station_id,
        NOW,
        [f"{station_id}-1", f"{station_id}-2", None],
    )


def schedule(station_id: str, command_id: str, issued_at: datetime) -> Command:
    rows = (
        ScheduleRow(
            slot_no=1,
            serial_number=f"{station_id}-1",
            periods=(SchedulePeriod(start_s=0, limit_dc_w=400, target_soc=1.0),),
        ),
    )
    order = SetSchedule(
        schedule_id=f"sch_{command_id}",
        start_at=issued_at,
        rows=rows,
        site=(SitePeriod(start_s=0, limit_ac_w=500),),
        fallback_limit_ac_w=500,
        need_ready=(),
        max_offline_s=86_400,
    )
    return Command(
        command_id=command_id,
        station_id=station_id,
        order=order,
        issued_at=issued_at,
        valid_until=issued_at + timedelta(minutes=15),
    )


async def add_swap_pack(connection: Connection, number: int, direction: str, soc: float, moved_at: datetime) -> None:
    await connection.execute("INSERT INTO rider VALUES ('r1', 'R', 'active', $1) ON CONFLICT DO NOTHING", NOW)
    await connection.execute(
        "INSERT INTO asset VALUES ('a1', 'vehicle', 'r1', 'm1', 1, 'independent', $1) ON CONFLICT DO NOTHING", NOW
    )
    await connection.execute(
        "INSERT INTO swap (swap_id, rider_id, asset_id, station_id, request_id, token, swap_order, status, pack_count, packs_in,"
        " packs_out, promised_usable_wh, price_micro, currency, created_at, deadline_at)"
        " VALUES ($1, 'r1', 'a1', 'st-1', $2, 't', 'In-Out', 'completed', 1, 1, 1, 0, 0, 'JPY', $3, $3)",
        f"swp-{number}",
        number,
        moved_at,
    )
    await connection.execute(
        "INSERT INTO swap_pack (swap_id, direction, serial_number, slot_no, soc, soh, moved_at)"
        " VALUES ($1, $2, 'x', 1, $3, 1, $4)",
        f"swp-{number}",
        direction,
        soc,
        moved_at,
    )


async def test_only_stations_in_service_that_were_born_are_planned(connection: Connection) -> None:
    await add_station(connection, "st-1")
    await add_station(connection, "st-2", born=False)
    await add_station(connection, "st-3", lifecycle="maintenance")
    fleet = await load_fleet(connection, NOW, DAY_S)
    assert [station.station_id for station in fleet.stations] == ["st-1"]


async def test_a_station_has_its_slots_and_its_packs_with_their_newest_readings(connection: Connection) -> None:
    await add_station(connection, "st-1")
    (station,) = (await load_fleet(connection, NOW, DAY_S)).stations
    assert station.connected
    assert station.max_import_ac_w == 3000
    assert station.charger_efficiency == pytest.approx(0.92)
    assert [(slot.slot_no, slot.status, slot.charges) for slot in station.slots] == [
        (1, "occupied", True),
        (2, "occupied", True),
        (3, "empty", True),
    ]
    first, second = station.packs
    assert (first.serial_number, first.slot_no, first.charging, first.fault_count) == ("st-1-1", 1, True, 0)
    assert first.usable_wh == pytest.approx(0.5 * 0.9 * 1300, rel=1e-6)
    assert first.reading_at == NOW
    assert second.fault_count == 1


async def test_a_reading_of_another_pack_in_the_slot_says_nothing_of_this_one(connection: Connection) -> None:
    await add_station(connection, "st-1")
    await connection.execute("UPDATE station_live SET serial_number[1] = 'foreign'")
    first = (await load_fleet(connection, NOW, DAY_S)).stations[0].packs[0]
    assert first.serial_number == "st-1-1"
    assert first.reading_at is None


async def test_holds_and_live_reservations_are_seen_and_dead_ones_are_not(connection: Connection) -> None:
    await add_station(connection, "st-1")
    await connection.execute("INSERT INTO rider VALUES ('r1', 'R', 'active', $1)", NOW)
    for number, (status, expires_at) in enumerate(
        (("reserved", NOW + timedelta(hours=1)), ("cancelled", NOW + timedelta(hours=1)), ("reserved", NOW))
    ):
        await connection.execute("INSERT INTO asset VALUES ($1, 'vehicle', 'r1', 'm1', 2, 'series', $2)", f"a{number}", NOW)
        await connection.execute(
            "INSERT INTO reservation VALUES ($1, 'r1', $2, 'st-1', $3, 2, 900, 100, 'JPY', 'why', $4, $5, $6)",
            f"rsv-{number}",
            f"a{number}",
            status,
            NOW - timedelta(hours=1),
            NOW - timedelta(minutes=10),
            expires_at,
        )
    await connection.execute(
        "INSERT INTO pack_hold (serial_number, reservation_id, held_at, released_at)"
        " VALUES ('st-1-1', 'rsv-0', $1, NULL), ('st-1-2', 'rsv-1', $1, $1)",
        NOW,
    )
    (station,) = (await load_fleet(connection, NOW, DAY_S)).stations
    assert [(claim.reservation_id, claim.pack_model_id, claim.pack_count) for claim in station.claims] == [("rsv-0", "m1", 2)]
    assert [pack.held_by for pack in station.packs] == ["rsv-0", None]


async def test_packs_handed_out_are_counted_by_the_hour_within_the_history(connection: Connection) -> None:
    await add_station(connection, "st-1")
    for number, hours_ago in enumerate((0.5, 0.6, 5.2, 30.0)):
        await add_swap_pack(connection, number + 1, "out", 0.9, NOW - timedelta(hours=hours_ago))
    (station,) = (await load_fleet(connection, NOW, DAY_S)).stations
    assert [(count.hour_at, count.pack_count) for count in station.handed_out] == [
        (NOW - timedelta(hours=6), 1),
        (NOW - timedelta(hours=1), 2),
    ]


async def test_the_charge_of_returned_packs_is_believed_when_enough_came_back(connection: Connection) -> None:
    await add_station(connection, "st-1")
    for number in range(ENOUGH_RETURNS - 1):
        await add_swap_pack(connection, number + 1, "in", 0.3, NOW - timedelta(hours=1))
    assert (await load_fleet(connection, NOW, DAY_S)).return_soc is None
    await add_swap_pack(connection, ENOUGH_RETURNS, "in", 0.3, NOW - timedelta(hours=1))
    assert (await load_fleet(connection, NOW, DAY_S)).return_soc == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("change", "stands"),
    [
        ("UPDATE command SET status = 'sent'", True),
        ("UPDATE command SET status = 'acknowledged', answer = 'accepted'", True),
        ("UPDATE command SET status = 'acknowledged', answer = 'rejected'", False),
        ("UPDATE command SET status = 'expired'", False),
    ],
)
async def test_the_last_schedule_stands_unless_it_was_refused_or_never_arrived(
    connection: Connection, change: str, stands: bool
) -> None:
    await add_station(connection, "st-1")
    await enqueue(connection, [schedule("st-1", "cmd-1", NOW - timedelta(minutes=9))])
    await enqueue(connection, [schedule("st-1", "cmd-2", NOW - timedelta(minutes=3))])
    await connection.execute(change)
    sent = (await load_fleet(connection, NOW, DAY_S)).stations[0].sent
    assert sent is not None
    assert sent.schedule.schedule_id == "sch_cmd-2"
    assert sent.issued_at == NOW - timedelta(minutes=3)
    assert sent.stands is stands


class Interrupted:
    """A connection with which, after the first statement, somebody else's commit happens."""

    def __init__(self, connection: Connection, between: Callable[[], Awaitable[None]]) -> None:
        self._connection = connection
        self._between: Callable[[], Awaitable[None]] | None = between
        self.transaction = connection.transaction

    async def fetchrow(self, sql: str, *parameters: object) -> object:
        row = await self._connection.fetchrow(sql, *parameters)
        await self._meanwhile()
        return row

    async def fetch(self, sql: str, *parameters: object) -> object:
        rows = await self._connection.fetch(sql, *parameters)
        await self._meanwhile()
        return rows

    async def _meanwhile(self) -> None:
        if self._between is not None:
            between, self._between = self._between, None
            await between()


async def test_what_is_committed_while_the_fleet_is_read_is_not_half_seen(connection: Connection, pool: Pool) -> None:
    await add_station(connection, "st-1")
    async with pool.acquire() as reader:
        interrupted: Any = Interrupted(reader, lambda: add_station(connection, "st-2"))
        seen = await load_fleet(interrupted, NOW, DAY_S)
        assert [station.station_id for station in seen.stations] == ["st-1"]
        assert len((await load_fleet(reader, NOW, DAY_S)).stations) == 2
