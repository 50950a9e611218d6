"""One batch, one transaction, against a real PostgreSQL: exactly once, nothing lost beside a bad neighbour."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from devices.wire.ids import part_of
from devices.wire.topics import up
from service.domain.command import AskReplay, order
from service.ingest.admit import Item, admit
from service.ingest.commit import Committed, commit
from service.ingest.gaps import look_for_gaps
from service.ingest.ingest import filters, parse_parts
from service.store.messages import BootId
from service.store.pool import Pool
from service.upkeep.upkeep import upkeep_once

TS = "2026-04-06T23:59:59.500Z"
PACK = {"evseId": 3, "serialNumber": "P-1", "soC": 50.0, "soH": 99.0, "cellMinMv": 3600, "cellMaxMv": 3644, "faults": []}
CLOCK = {"source": "ntp", "offsetMs": 1.5}
BOOT = BootId("st-1", 1, 1)


@pytest.fixture
async def stations(pool: Pool) -> Pool:
    for name in ("st-1", "st-2"):
        await pool.execute(
            "INSERT INTO station (station_id, part, name, latitude, longitude, registered_at) VALUES ($1, $2, $1, 0, 0, $3)",
            name, int(part_of(name), 16), datetime(2026, 4, 1, tzinfo=UTC),
        )  # fmt: skip
    return pool


def said(leaf: str, seq: int, body: dict[str, Any], *, station: str = "st-1", boot: int = 1, at: datetime | None = None) -> Item:
    envelope = {"v": 1, "ts": TS, "epoch": 1, "boot": boot, "seq": seq}
    raw = json.dumps({**envelope, **body}).encode()
    return admit(up(station, leaf), raw, at or datetime(2026, 4, 7, tzinfo=UTC), known={"st-1", "st-2"}, parts=range(64))


def telemetry(seq: int, **more: Any) -> Item:
    return said("telemetry", seq, {"batteryData": [{**PACK, **more}]})


async def count(pool: Pool, table: str) -> int:
    return int(await pool.fetchval(f"SELECT count(*) FROM {table}"))


def notice(seq: int, code: str = "Smoke", **more: Any) -> Item:
    return said("event", seq, {"kind": "safety", "code": code, "phase": "raised", "severity": "critical", **more})


async def test_every_kind_of_message_finds_its_table(stations: Pool, clock: Any) -> None:
    items = [
        telemetry(1, customData={"vendorId": "x"}, minutesHot=4),
        said("meter", 2, {"clock": CLOCK, "registers": [{"meterId": "m", "point": "site", "importWh": 2**62}]}),
        notice(3),
        said("lane", 4, {"laneId": 1, "state": "free"}),
        said("authorize", 5, {"requestId": 1, "idToken": {"idToken": "card"}}),
        said("ack", 6, {"commandId": "cmd_1", "status": "Accepted"}),
        said("telemetry", 1, {"batteryData": []}, station="st-2"),
    ]
    done = await commit(stations, items, clock.now())
    assert (done.stored, done.duplicates, done.watermarks) == (7, 0, {BOOT: 6, BootId("st-2", 1, 1): 1})
    assert [await count(stations, table) for table in ("telemetry", "station_event", "meter_register", "station_live")] == [
        2,
        4,
        1,
        2,
    ]
    reading = await stations.fetchrow("SELECT * FROM reading WHERE serial_number = 'P-1'")
    assert reading is not None
    assert (float(reading["soc"]), reading["cell_max_mv"], reading["voltage_v"]) == (0.5, 3644, None)
    assert json.loads(reading["more"]) == {"minutesHot": 4, "customData": {"vendorId": "x"}}
    live = await stations.fetchrow("SELECT * FROM station_live WHERE station_id = 'st-1'")
    assert live is not None
    assert (live["serial_number"], live["cell_spread_mv"], live["seq"], live["heard_at"]) == (
        ["P-1"], [44], [1], datetime(2026, 4, 7, tzinfo=UTC)
    )  # fmt: skip


async def test_a_batch_that_comes_again_changes_nothing_and_is_counted(stations: Pool, clock: Any) -> None:
    items = [telemetry(1), notice(2)]
    await commit(stations, items, clock.now())
    done = await commit(stations, [*items, telemetry(2), *items], clock.now())
    assert (done.stored, done.duplicates) == (0, 5)
    assert [await count(stations, table) for table in ("telemetry", "station_event")] == [1, 1]
    assert await stations.fetchval("SELECT duplicates FROM station_boot") == 5


async def test_a_message_that_comes_again_after_midnight_and_new_partitions_is_not_doubled(stations: Pool, clock: Any) -> None:
    await commit(stations, [telemetry(1)], clock.now())
    assert await stations.fetchval("SELECT tableoid::regclass::text FROM telemetry") == "telemetry_undated"
    midnight = datetime(2026, 4, 7, 0, 0, 1, tzinfo=UTC)
    await upkeep_once(stations, midnight, midnight)
    assert await stations.fetchval("SELECT tableoid::regclass::text FROM telemetry") == "telemetry_20260406"
    await commit(stations, [telemetry(1), telemetry(2)], midnight)
    rows = await stations.fetch("SELECT seq, ts_day FROM telemetry ORDER BY seq")
    assert [tuple(row) for row in rows] == [(1, date(2026, 4, 6)), (2, date(2026, 4, 6))]


async def test_each_refusal_is_named_and_no_neighbour_is_lost(stations: Pool, clock: Any) -> None:
    at = datetime(2026, 4, 7, tzinfo=UTC)

    def raw(body: bytes, topic: str = up("st-1", "telemetry"), parts: range = range(64)) -> Item:
        return admit(topic, body, at, known={"st-1"}, parts=parts)

    items = [
        telemetry(1),
        raw(b"{"),
        raw(b"x" * 70_000),
        telemetry(2, soC=101.0),
        telemetry(3, **{"x\x00y": 1}),
        raw(b"{}", topic="other/topic"),
        raw(b"{}", topic=up("nobody", "telemetry")),
        raw(b"{}", parts=range(0)),
        said("telemetry", 2**63 - 1, {"batteryData": []}),
        telemetry(4),
    ]
    done = await commit(stations, items, clock.now())
    expected = {
        "not_json": 1, "too_large": 1, "bad_schema": 2, "foreign_topic": 1, "unknown_station": 1, "not_ours": 1,
        "seq_out_of_range": 1,
    }  # fmt: skip
    assert done.refusals == expected
    assert done.watermarks == {BOOT: 4}
    counts = await stations.fetch("SELECT reason, count FROM refusal_count")
    assert {row["reason"]: row["count"] for row in counts} == expected
    assert await count(stations, "telemetry") == 2
    letters = await stations.fetch("SELECT reason, length(body) AS kept, body_bytes FROM dead_letter")
    assert len(letters) == 7  # not_ours is another worker's: counted, not kept
    assert {(row["kept"], row["body_bytes"]) for row in letters if row["reason"] == "too_large"} == {(4096, 70_000)}
    assert await stations.fetchval("SELECT refused FROM station_boot") == 2
    again = await commit(stations, items, clock.now())
    assert again.duplicates == 4, "what is settled by refusal is a duplicate when it comes again"


async def test_what_the_database_refuses_becomes_a_dead_letter_alone(stations: Pool, clock: Any) -> None:
    await stations.execute("ALTER TABLE station_event ADD CHECK (body ->> 'code' <> 'Poison')")
    await stations.execute("ALTER TABLE meter_register ADD CHECK (meter_id <> 'poison')")
    register = {"meterId": "poison", "point": "site", "importWh": 1}
    items = [notice(seq, "Poison" if seq in (4, 5, 12) else "Smoke") for seq in range(1, 13)]
    items += [said("meter", 13, {"clock": CLOCK, "registers": [register]}), telemetry(14)]
    done = await commit(stations, items, clock.now())
    assert done.refusals == {"not_storable": 4}
    assert done.watermarks == {BOOT: 14}
    seqs = [row["seq"] for row in await stations.fetch("SELECT seq FROM station_event ORDER BY seq")]
    assert seqs == [1, 2, 3, 6, 7, 8, 9, 10, 11]
    assert await stations.fetchval("SELECT settled::text FROM station_boot") == "{[1,15)}"


async def test_a_transaction_that_dies_halfway_leaves_nothing_behind(stations: Pool, clock: Any) -> None:
    await stations.execute(
        "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'power' USING ERRCODE = '57P01'; END $$"
    )
    await stations.execute("CREATE TRIGGER die BEFORE INSERT ON station_event FOR EACH ROW EXECUTE FUNCTION die()")
    items = [telemetry(1), notice(2)]
    with pytest.raises(Exception, match="power"):
        await commit(stations, items, clock.now())
    assert [await count(stations, table) for table in ("telemetry", "station_boot", "station_live")] == [0, 0, 0]
    await stations.execute("DROP TRIGGER die ON station_event")
    assert (await commit(stations, items, clock.now())).stored == 2


def connection(boot: int, session: int, online: bool) -> Item:
    body = {"v": 1, "ts": TS, "epoch": 1, "boot": boot, "session": session, "online": online, "clock": CLOCK}
    at = datetime(2026, 4, 7, tzinfo=UTC)
    return admit(up("st-1", "connection"), json.dumps(body).encode(), at, known={"st-1"}, parts=range(64))


async def test_a_late_will_of_an_older_session_changes_nothing(stations: Pool, clock: Any) -> None:
    for item in (connection(1, 5, True), connection(1, 6, True), connection(1, 5, False)):
        await commit(stations, [item], clock.now())
    assert await stations.fetchval("SELECT connected FROM station_live")
    for item in (connection(1, 6, False), connection(1, 6, True)):
        await commit(stations, [item], clock.now())
    assert not await stations.fetchval("SELECT connected FROM station_live"), "a session that ended does not come back"


async def _until_given_up(pool: Pool, clock: Any, rounds: int, *, heard: bool = True) -> list[dict[BootId, int]]:
    moved: list[dict[BootId, int]] = []
    for _ in range(rounds):
        clock.advance(61)
        if heard:
            await pool.execute("UPDATE station_live SET heard_at = $1", clock.now())
        moved.append(await look_for_gaps(pool, clock, chance=lambda size: bytes([len(moved)]) * size))
    return moved


async def test_a_gap_that_stays_is_asked_for_three_times_and_then_lost(stations: Pool, clock: Any) -> None:
    await commit(stations, [connection(1, 1, True), telemetry(1), telemetry(4), telemetry(6)], clock.now())
    assert await look_for_gaps(stations, clock, chance=bytes) == {}, "not before the patience is over"
    assert await _until_given_up(stations, clock, 3) == [{}, {}, {}]
    bodies = [order.validate_json(row["body"]) for row in await stations.fetch("SELECT body FROM command ORDER BY issued_at")]
    assert all(isinstance(body, AskReplay) for body in bodies)
    assert [[(span.first, span.last) for span in body.ranges] for body in bodies if isinstance(body, AskReplay)] == [
        [(2, 3), (5, 5)]
    ] * 3
    await commit(stations, [telemetry(9)], clock.now())
    assert await _until_given_up(stations, clock, 1) == [{BOOT: 6}]
    row = await stations.fetchrow("SELECT lost, settled::text AS settled, gap_since, replays FROM station_boot")
    assert row is not None
    assert (row["lost"], row["settled"], row["replays"]) == (3, "{[1,7),[9,10)}", 0), "what was never asked for is not given up"
    assert row["gap_since"] is not None
    assert json.loads(await stations.fetchval("SELECT detail FROM anomaly WHERE kind = 'messages_lost'")) == {
        "epoch": 1, "boot": 1, "count": 3
    }  # fmt: skip


async def test_nothing_is_asked_or_given_up_while_a_station_is_silent(stations: Pool, clock: Any) -> None:
    await commit(stations, [connection(1, 1, True), telemetry(1), telemetry(4)], clock.now())
    await stations.execute("UPDATE station_live SET heard_at = $1", clock.now() - timedelta(seconds=1))
    assert await _until_given_up(stations, clock, 5, heard=False) == [{}] * 5
    assert await count(stations, "command") == 0


async def test_a_gap_that_closes_is_forgotten(stations: Pool, clock: Any) -> None:
    await commit(stations, [connection(1, 1, True), telemetry(1), telemetry(3)], clock.now())
    await _until_given_up(stations, clock, 2)
    done: Committed = await commit(stations, [telemetry(2)], clock.now())
    assert done.watermarks == {BOOT: 3}
    assert await stations.fetchval("SELECT gap_since IS NULL AND replays = 0 AND asked = '{}' FROM station_boot")


async def test_upkeep_bounds_refusals_plans_and_partitions(stations: Pool, clock: Any) -> None:
    await stations.execute(
        "INSERT INTO dead_letter (topic, body, body_bytes, reason, detail, received_at)"
        " SELECT 't', '', 0, 'not_json', n::text, now() FROM generate_series(1, 10030) AS n"
    )
    await commit(stations, [telemetry(1)], clock.now())
    now = datetime(2026, 4, 7, tzinfo=UTC)
    await upkeep_once(stations, now, now)
    await upkeep_once(stations, now, now)
    rows = await stations.fetchrow("SELECT count(*) AS kept, min(detail::int) AS oldest FROM dead_letter")
    assert rows is not None
    assert tuple(rows) == (10_000, 31)
    days = await stations.fetch("SELECT relname FROM pg_class WHERE relname ~ '^telemetry_[0-9]+$' ORDER BY 1")
    assert [row["relname"][-2:] for row in days] == ["06", "07", "08", "09", "10"]
    await upkeep_once(stations, now + timedelta(days=31), now)
    assert await count(stations, "telemetry") == 0


def test_a_worker_subscribes_to_its_parts_and_never_twice() -> None:
    assert filters(parse_parts("00-3f")) == ["denchi/v1/+/station/+/up/+"]
    assert filters(parse_parts("07-08")) == ["denchi/v1/07/station/+/up/+", "denchi/v1/08/station/+/up/+"]
    with pytest.raises(ValueError, match="no such parts"):
        parse_parts("08-07")
