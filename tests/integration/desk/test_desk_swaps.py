"""Swaps from offer to receipt and the ways in which they go wrong, on a real database through the real worker."""

import asyncio
from typing import Any

import asyncpg
import pytest

from service.store import desk as rows
from service.swapping.desk import Refused, Reserved, Started


async def one_station(world: Any, read: Any, **more: Any) -> None:
    """`st-1`: full packs A and B in slots 1 and 2, slots 3 and 4 empty; rider `r` has pack R."""
    await world.station("st-1", 4, [read(1, "A"), read(2, "B")], **more)
    await world.rider("r", ["R"])


async def test_in_out_from_offer_to_receipt(world: Any, read: Any) -> None:
    await one_station(world, read)
    start = await world.started("r")
    command = await world.pool.fetchrow("SELECT body, valid_until FROM command WHERE command_id = $1", start.command_id)
    assert "in_slots" in command["body"]
    await world.ack("st-1", start.command_id, "accepted")
    assert await world.status(start.swap_id) == ("authorised", None)
    assert await world.value("SELECT status FROM reservation") == "fulfilled"
    await world.moved("st-1", start.swap_id, "in", [read(3, "R", 0.2, 0.9)])
    assert await world.status(start.swap_id) == ("half_in", None)
    out = await world.value("SELECT serial_number FROM pack_hold WHERE released_at IS NULL")
    slot_no = {"A": 1, "B": 2}[out]
    await world.moved("st-1", start.swap_id, "out", [read(slot_no, out)])
    await world.ack("st-1", start.command_id, "completed")
    assert await world.status(start.swap_id) == ("settled", None)
    assert await world.place("R") == ("slot", "st-1", 3)
    assert await world.place(out) == ("asset", "v-r")
    assert await world.column("SELECT status FROM slot WHERE slot_no IN ($1, 3) ORDER BY slot_no", slot_no) == [
        "empty",
        "occupied",
    ]
    assert await world.live_holds() == 0
    assert await world.anomalies() == []
    async with world.pool.acquire() as connection, connection.transaction():
        receipt = await world.desk.receipt(connection, start.swap_id)
    assert receipt is not None
    assert receipt.energy_wh == pytest.approx(1000 - 0.2 * 0.9 * 1000)
    assert receipt.price_micro == await world.value("SELECT price_micro FROM reservation")
    assert receipt.carbon_source == "synthetic"
    assert [pack.direction for pack in receipt.packs] == ["in", "out"]


async def test_two_packs_in_series_move_one_by_one(world: Any, read: Any) -> None:
    await world.station("st-1", 6, [read(1, "A"), read(2, "B"), read(3, "C", 0.5)])
    await world.rider("r", ["R1", "R2"], wiring="series")
    start = await world.started("r")
    await world.moved("st-1", start.swap_id, "in", [read(4, "R1", 0.1)])
    await world.moved("st-1", start.swap_id, "in", [read(5, "R2", 0.1)])
    await world.moved("st-1", start.swap_id, "out", [read(1, "A")])
    assert await world.status(start.swap_id) == ("half_in", None)
    await world.moved("st-1", start.swap_id, "out", [read(2, "B")])
    assert await world.status(start.swap_id) == ("settled", None)
    assert await world.live_holds() == 0


async def test_fifty_ask_for_the_last_pack_and_one_gets_it(world: Any, read: Any) -> None:
    await world.station("st-1", 60, [read(1, "A")])
    riders = [f"r{number}" for number in range(50)]
    for rider in riders:
        await world.rider(rider, [f"P-{rider}"])
    terms = [(await world.offers(rider)).offers[0] for rider in riders]
    await world.station("st-2", 4, [read(1, "Z")], latitude=33.1)
    answers = await asyncio.gather(*(world.reserve_terms(rider, offer) for rider, offer in zip(riders, terms, strict=True)))
    assert sum(isinstance(answer, Reserved) for answer in answers) == 1
    refused = [answer for answer in answers if isinstance(answer, Refused)]
    assert {answer.reason for answer in refused} == {"no_ready_pack"}
    assert all([offer.station_id for offer in answer.alternatives] == ["st-2"] for answer in refused)
    assert await world.value("SELECT count(*) FROM pack_hold WHERE released_at IS NULL") == 1


async def test_the_database_itself_refuses_a_second_hold_and_a_second_pack_in_a_slot(world: Any, read: Any) -> None:
    await one_station(world, read)
    reservation_id = await world.reserved("r")
    for serials, slots in ((await world.column("SELECT serial_number FROM pack_hold"), []), ([], [3])):
        async with world.pool.acquire() as connection, connection.transaction():
            with pytest.raises(asyncpg.UniqueViolationError):
                await rows.hold(connection, reservation_id, "st-1", serials, slots, world.clock.now())
    with pytest.raises(asyncpg.UniqueViolationError):
        await world.execute("UPDATE pack SET slot_no = 1 WHERE serial_number = 'B'")
    with pytest.raises(asyncpg.CheckViolationError):
        await world.execute("UPDATE pack SET asset_id = 'v-r' WHERE serial_number = 'B'")
    with pytest.raises(asyncpg.RaiseError):
        await world.execute("DELETE FROM desk_event")


async def test_the_last_empty_slot_goes_to_one(world: Any, read: Any) -> None:
    await world.station("st-1", 3, [read(1, "A"), read(2, "B")])
    await world.rider("r", ["R"])
    await world.rider("s", ["S"])
    offer = (await world.offers("s")).offers[0]
    await world.reserved("r")
    refused = await world.reserve_terms("s", offer)
    assert refused == Refused("no_empty_slot", ())
    assert (await world.offers("s")).reason == "no_empty_slot"


async def test_one_vehicle_holds_one_reservation_even_at_two_stations_at_once(world: Any, read: Any) -> None:
    await world.station("st-1", 4, [read(1, "A")])
    await world.station("st-2", 4, [read(1, "B")])
    await world.rider("r", ["R"])
    offers = (await world.offers("r")).offers
    answers = await asyncio.gather(*(world.reserve_terms("r", offer) for offer in offers))
    assert len(offers) == 2
    assert sum(isinstance(answer, Reserved) for answer in answers) == 1
    assert {answer.reason for answer in answers if isinstance(answer, Refused)} == {"reservation_exists"}
    assert await world.live_holds() == 2


async def test_an_offer_that_is_over_and_anothers_offer_are_refused(world: Any, read: Any) -> None:
    await one_station(world, read)
    terms = (await world.offers("r")).offers[0]
    assert await world.reserve_terms("somebody", terms) == Refused("offer_not_yours")
    world.clock.advance(world.rules.offer_s)
    refused = await world.reserve_terms("r", terms)
    assert isinstance(refused, Refused)
    assert refused.reason == "offer_expired"


async def test_a_rider_one_minute_late_finds_his_reservation_gone(world: Any, read: Any) -> None:
    await one_station(world, read)
    reservation_id = await world.reserved("r")
    world.clock.advance(world.rules.reservation_s + 60)
    await world.hear("st-1", [read(1, "A"), read(2, "B")])
    refused = await world.start("r", reservation_id)
    assert isinstance(refused, Refused)
    assert refused.reason == "reservation_expired"
    assert [offer.station_id for offer in refused.alternatives] == ["st-1"]
    assert await world.value("SELECT status FROM reservation") == "no_show"
    assert await world.live_holds() == 0


async def test_a_reservation_nobody_used_is_a_no_show_at_its_instant_and_not_before(world: Any, read: Any) -> None:
    await one_station(world, read)
    await world.reserved("r")
    world.clock.advance(world.rules.reservation_s - 0.001)
    assert await world.timers() == 0
    world.clock.advance(0.001)
    assert await world.timers() == 1
    assert await world.value("SELECT status FROM reservation") == "no_show"
    assert await world.live_holds() == 0


async def test_cancelling_releases_and_answers_the_same_twice(world: Any, read: Any) -> None:
    await one_station(world, read)
    reservation_id = await world.reserved("r")
    for _ in range(2):
        async with world.pool.acquire() as connection, connection.transaction():
            done = await world.desk.cancel_reservation(connection, reservation_id, "r")
        assert done.reservation.status == "cancelled"
    assert await world.live_holds() == 0


async def test_the_same_start_twice_is_one_swap(world: Any, read: Any) -> None:
    await one_station(world, read)
    reservation_id = await world.reserved("r")
    answers = await asyncio.gather(world.start("r", reservation_id), world.start("r", reservation_id))
    assert sorted(type(answer).__name__ for answer in answers) == ["Refused", "Started"]
    assert await world.value("SELECT count(*) FROM command") == 1


async def test_a_silent_station_is_not_promised(world: Any, read: Any) -> None:
    await one_station(world, read)
    reservation_id = await world.reserved("r")
    world.clock.advance(world.rules.station_silence_s + 1)
    assert (await world.offers("r")).reason == "station_offline"
    refused = await world.start("r", reservation_id)
    assert isinstance(refused, Refused)
    assert refused.reason == "station_offline"
    assert await world.live_holds() == 2  # what was held stays held


async def test_a_rejected_start_leaves_the_reservation(world: Any, read: Any) -> None:
    await one_station(world, read)
    start = await world.started("r")
    await world.ack("st-1", start.command_id, "rejected", "Busy")
    async with world.pool.acquire() as connection, connection.transaction():
        outcome = await world.desk.settle_start(connection, start.swap_id, start.command_id)
    assert (outcome.status, outcome.reason) == ("rejected", "Busy")
    assert await world.live_holds() == 2
    again = await world.start("r", await world.value("SELECT reservation_id FROM reservation WHERE status = 'reserved'"))
    assert isinstance(again, Started)


async def test_a_queued_command_is_withdrawn_and_a_sent_one_leaves_the_swap_unresolved(world: Any, read: Any) -> None:
    await one_station(world, read)
    queued = await world.started("r", sent=False)
    async with world.pool.acquire() as connection, connection.transaction():
        assert (await world.desk.settle_start(connection, queued.swap_id, queued.command_id)).status == "waiting"
        assert (await world.desk.give_up_start(connection, queued.swap_id, queued.command_id)).status == "not_delivered"
    assert await world.value("SELECT status FROM command") == "withdrawn"
    await world.rider("s", ["S"])
    sent = await world.started("s")
    async with world.pool.acquire() as connection, connection.transaction():
        assert (await world.desk.give_up_start(connection, sent.swap_id, sent.command_id)).status == "unresolved"
    await world.moved("st-1", sent.swap_id, "in", [read(4, "S", 0.1)])
    assert await world.status(sent.swap_id) == ("half_in", None)


async def test_an_unresolved_swap_ends_when_the_packs_are_seen_where_they_were(world: Any, read: Any) -> None:
    await one_station(world, read)
    start = await world.started("r")
    world.clock.advance(world.rules.command_s + world.rules.grace_s)
    await world.timers()
    assert await world.status(start.swap_id) == ("unresolved", "no_answer")
    world.clock.advance(world.rules.unresolved_s + 1)
    await world.timers()  # the station has not been heard since: no evidence
    assert (await world.status(start.swap_id))[0] == "unresolved"
    await world.hear("st-1", [read(1, "A"), read(2, "B")])
    world.clock.advance(world.rules.unresolved_s + 1)
    await world.timers()
    assert await world.status(start.swap_id) == ("expired", "nothing_moved")
    assert await world.value("SELECT status FROM reservation") == "reserved"


async def test_a_birth_settles_an_unresolved_swap_both_ways(world: Any, read: Any, born: Any) -> None:
    await one_station(world, read)
    start = await world.started("r")
    async with world.pool.acquire() as connection, connection.transaction():
        await world.desk.give_up_start(connection, start.swap_id, start.command_id)
    world.clock.advance(world.rules.command_s)
    await world.say("st-1", born(4, [read(1, "A"), read(2, "B")]), boot=2)
    assert await world.status(start.swap_id) == ("expired", "nothing_moved")
    start = await world.start("r", await world.value("SELECT reservation_id FROM reservation WHERE status = 'reserved'"))
    await world.execute("UPDATE command SET status = 'sent', sent_at = $1 WHERE status = 'queued'", world.clock.now())
    out = await world.value("SELECT serial_number FROM pack_hold WHERE released_at IS NULL")
    left = [pack for pack in (read(1, "A"), read(2, "B")) if pack.serial_number != out]
    # Power is lost in mid-swap; the inventory at boot shows both halves, the journal's own words come later.
    await world.say("st-1", born(4, [*left, read(3, "R", 0.2)]), boot=3)
    assert await world.status(start.swap_id) == ("settled", None)
    assert await world.place(out) == ("asset", "v-r")
    await world.moved("st-1", start.swap_id, "in", [read(3, "R", 0.2)])
    assert await world.status(start.swap_id) == ("settled", None)
    assert await world.value("SELECT count(*) FROM desk_event WHERE kind = 'swap_duplicate'") == 1


async def test_a_rider_who_leaves_gets_his_holds_back_until_the_old_instant(world: Any, read: Any) -> None:
    await one_station(world, read)
    start = await world.started("r")
    old = await world.value("SELECT expires_at FROM reservation")
    await world.ack("st-1", start.command_id, "accepted")
    await world.ack("st-1", start.command_id, "failed", "TimeoutIn")
    assert await world.status(start.swap_id) == ("expired", "TimeoutIn")
    assert await world.value("SELECT expires_at FROM reservation WHERE status = 'reserved'") == old
    assert await world.live_holds() == 2
    world.clock.advance(world.rules.reservation_s)
    await world.timers()
    assert await world.live_holds() == 0


async def test_pack_in_and_rider_gone_is_an_orphan_with_a_debt_and_a_hold(world: Any, read: Any) -> None:
    await one_station(world, read)
    start = await world.started("r")
    await world.moved("st-1", start.swap_id, "in", [read(3, "R", 0.2)])
    await world.moved("st-1", start.swap_id, "out_timeout")
    assert await world.status(start.swap_id) == ("orphan_in", "OutTimeout")
    debt = await world.pool.fetchrow("SELECT owed_by, serial_number, closed_at FROM debt")
    assert tuple(debt) == ("operator", "R", None)
    assert await world.live_holds() == 1
    assert (await world.offers("r")).reason == "packs_owed"
    world.clock.advance(world.rules.orphan_hold_s)
    await world.timers()
    assert await world.live_holds() == 0
    out = await world.value("SELECT serial_number FROM pack_hold LIMIT 1")
    await world.moved("st-1", start.swap_id, "out", [read(1, out)])  # the station had it all along
    assert (await world.status(start.swap_id))[0] == "settled"
    assert await world.value("SELECT closed_reason FROM debt") == "packs_moved"


async def test_out_in_without_return_is_owed_by_the_rider_and_overdue(world: Any, read: Any) -> None:
    await one_station(world, read, order="Out-In")
    start = await world.started("r")
    out = await world.value("SELECT serial_number FROM pack_hold")
    await world.moved("st-1", start.swap_id, "out", [read({"A": 1, "B": 2}[out], out)])
    assert await world.status(start.swap_id) == ("half_out", None)
    world.clock.advance(world.rules.step_s + world.rules.grace_s)
    await world.timers()
    assert await world.status(start.swap_id) == ("orphan_out", "step_timeout")
    assert (await world.offers("r")).reason == "unpaid"
    world.clock.advance(world.rules.overdue_s)
    await world.timers()
    assert await world.anomalies() == ["swap_overdue"]


async def test_a_step_that_ends_in_silence_is_unresolved_and_later_words_count(world: Any, read: Any) -> None:
    await one_station(world, read)
    start = await world.started("r")
    await world.moved("st-1", start.swap_id, "in", [read(3, "R", 0.2)])
    world.clock.advance(world.rules.station_silence_s + 1)
    await world.timers()
    assert await world.status(start.swap_id) == ("unresolved", "station_silent")
    await world.moved("st-1", start.swap_id, "out", [read(1, await world.value("SELECT serial_number FROM pack_hold"))])
    assert (await world.status(start.swap_id))[0] == "settled"


async def test_a_pack_that_became_unfit_is_replaced_at_the_start(world: Any, read: Any) -> None:
    await one_station(world, read)
    reservation_id = await world.reserved("r")
    held = await world.value("SELECT serial_number FROM pack_hold")
    await world.execute("UPDATE pack SET condition = 'quarantined' WHERE serial_number = $1", held)
    assert isinstance(await world.start("r", reservation_id), Started)
    assert await world.column("SELECT serial_number FROM pack_hold WHERE released_at IS NULL") == [{"A": "B", "B": "A"}[held]]
