"""The audit: silent over an honest ledger, and each kind of broken ledger is found by name."""

from typing import Any

import pytest

from service.store.audit import INVARIANTS
from service.upkeep.audit import AuditReport, audit

DROP_INDEXES = "DROP INDEX pack_one_per_slot, pack_hold_one_live, slot_hold_one_live, swap_one_live_per_asset"


async def lived_in(world: Any, read: Any) -> None:
    """One settled swap, one orphan, one reservation, one swap that has just been requested."""
    await world.station("st-1", 8, [read(1, "A"), read(2, "B"), read(3, "C"), read(4, "D")])
    for rider in ("r", "s", "t", "u"):
        await world.rider(rider, [f"P-{rider}"])
    done = await world.started("r")
    await world.ack("st-1", done.command_id, "accepted")
    held = await world.pool.fetchrow(
        "SELECT h.serial_number, p.slot_no FROM pack_hold h JOIN pack p USING (serial_number) WHERE released_at IS NULL"
    )
    await world.moved("st-1", done.swap_id, "in", [read(5, "P-r", 0.2)])
    await world.moved("st-1", done.swap_id, "out", [read(held["slot_no"], held["serial_number"])])
    orphan = await world.started("s")
    await world.moved("st-1", orphan.swap_id, "in", [read(6, "P-s", 0.2)])
    await world.moved("st-1", orphan.swap_id, "out_timeout")
    await world.reserved("t")
    await world.started("u")


async def run(world: Any) -> AuditReport:
    async with world.pool.acquire() as connection:
        return await audit(connection, world.clock.now())


async def test_an_honest_ledger_has_no_violation_and_everything_was_looked_at(world: Any, read: Any) -> None:
    await lived_in(world, read)
    report = await run(world)
    assert report.violations == ()
    assert all(report.checked[invariant] > 0 for invariant in INVARIANTS), report.checked
    assert report.total == sum(report.checked.values())


BROKEN = {
    "pack_in_one_place": "ALTER TABLE pack DROP CONSTRAINT pack_check, DROP CONSTRAINT pack_check1, DROP CONSTRAINT pack_check2;"
    "UPDATE pack SET asset_id = 'v-r' WHERE serial_number = (SELECT min(serial_number) FROM pack WHERE place = 'slot')",
    "slot_holds_one_pack": "UPDATE pack SET slot_no = 5 "
    "WHERE serial_number = (SELECT min(serial_number) FROM pack WHERE place = 'slot')",
    "pack_held_once": "INSERT INTO pack_hold (serial_number, reservation_id, held_at) "
    "SELECT serial_number, (SELECT min(reservation_id) FROM reservation WHERE status = 'reserved'), held_at "
    "FROM pack_hold WHERE released_at IS NULL LIMIT 1",
    "slot_held_once": "INSERT INTO slot_hold (station_id, slot_no, reservation_id, held_at) "
    "SELECT station_id, slot_no, (SELECT min(reservation_id) FROM reservation WHERE status = 'reserved'), held_at "
    "FROM slot_hold WHERE released_at IS NULL LIMIT 1",
    "hold_has_live_owner": "UPDATE reservation SET status = 'cancelled', ended_at = created_at WHERE status = 'reserved'",
    "held_pack_is_there": "UPDATE pack SET place = 'lost', station_id = NULL, slot_no = NULL "
    "WHERE serial_number = (SELECT min(serial_number) FROM pack_hold WHERE released_at IS NULL)",
    "swap_counts_its_packs": "DELETE FROM swap_pack WHERE serial_number = 'P-r'",
    "swap_balanced": "ALTER TABLE swap DROP CONSTRAINT swap_check; UPDATE swap SET packs_out = 0 WHERE status = 'settled'",
    "debt_matches_swap": "UPDATE debt SET closed_at = opened_at",
    "place_follows_from_events": "UPDATE pack SET place = 'depot', station_id = NULL, slot_no = NULL WHERE serial_number = 'P-r'",
    "swap_follows_from_events": "UPDATE swap SET status = 'exception' WHERE status = 'settled'",
    "reservation_follows_from_events": "UPDATE reservation SET status = 'no_show' WHERE status = 'fulfilled'",
    "answered_command_was_sent": "UPDATE command SET sent_at = NULL",
    "reservation_state_is_consistent": "UPDATE reservation SET ended_at = NULL WHERE status = 'fulfilled'",
    "vehicle_has_no_more_than_its_set": "UPDATE pack SET place = 'asset', asset_id = 'v-r', "
    "station_id = NULL, slot_no = NULL WHERE serial_number = 'P-s'",
    "vehicle_has_one_live_swap": "UPDATE swap SET status = 'half_in' WHERE rider_id IN ('r', 'u'); "
    "UPDATE swap SET asset_id = 'v-r'",
}


@pytest.mark.parametrize("invariant", INVARIANTS)
async def test_a_broken_ledger_is_found(world: Any, read: Any, invariant: str) -> None:
    await lived_in(world, read)
    await world.execute(DROP_INDEXES)
    await world.execute(BROKEN[invariant])
    report = await run(world)
    assert invariant in {violation.invariant for violation in report.violations}


async def test_a_reservation_that_no_timer_ended_is_found(world: Any, read: Any) -> None:
    await lived_in(world, read)
    world.clock.advance(world.rules.reservation_s + 301)
    assert {violation.invariant for violation in (await run(world)).violations} == {"reservation_state_is_consistent"}
