"""What has an end, and what must not have one."""

from datetime import UTC, datetime, timedelta

from service.store.pool import Pool
from service.upkeep.upkeep import upkeep_once

NOW = datetime(2026, 4, 7, tzinfo=UTC)


async def _station(pool: Pool) -> None:
    await pool.execute(
        "INSERT INTO station (station_id, part, name, latitude, longitude, registered_at) VALUES ('st-1', 0, 'One', 33, 130, $1)",
        NOW,
    )


async def test_a_handled_event_is_forgotten_in_time_and_an_open_one_never(pool: Pool) -> None:
    await _station(pool)
    await pool.execute(
        "INSERT INTO station_event (station_id, epoch, boot, seq, kind, ts, received_at, body, handled_at)"
        " VALUES ('st-1', 1, 1, 1, 'slot', $1, $1, '{}', $1), ('st-1', 1, 1, 2, 'slot', $1, $1, '{}', NULL)",
        NOW,
    )
    await upkeep_once(pool, NOW + timedelta(days=29), NOW)
    assert await pool.fetchval("SELECT count(*) FROM station_event") == 2
    await upkeep_once(pool, NOW + timedelta(days=31), NOW)
    assert [row["seq"] for row in await pool.fetch("SELECT seq FROM station_event")] == [2]


async def test_a_command_that_is_over_is_forgotten_unless_it_belongs_to_a_swap(pool: Pool) -> None:
    await _station(pool)
    await pool.executemany(
        "INSERT INTO command (command_id, station_id, name, body, issued_at, valid_until, swap_id, status)"
        " VALUES ($1, 'st-1', 'ask_birth', '{}', $2, $3, $4, $5)",
        [
            ("over", NOW, NOW + timedelta(minutes=1), None, "acknowledged"),
            ("open", NOW, NOW + timedelta(minutes=1), None, "sent"),
            ("of-a-swap", NOW, NOW + timedelta(minutes=1), "swp_1", "acknowledged"),
        ],
    )
    await upkeep_once(pool, NOW + timedelta(days=31), NOW)
    assert {row["command_id"] for row in await pool.fetch("SELECT command_id FROM command")} == {"open", "of-a-swap"}
