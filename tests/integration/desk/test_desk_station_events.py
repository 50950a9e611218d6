"""What stations say and what the desk makes of it: births, foreign packs, swaps asked for at the station, notices."""

from typing import Any

import pytest

from service.domain.observation import CommandAnswered, PacksMoved, SlotChanged, StationNotice, SwapAsked
from service.upkeep.audit import audit


async def placed_events(world: Any) -> int:
    return int(await world.value("SELECT count(*) FROM desk_event WHERE kind = 'pack_placed'"))


async def test_a_first_birth_places_the_registered_packs_of_the_depot(world: Any, read: Any) -> None:
    await world.station("st-1", 3, [read(1, "A"), read(3, "B")])
    assert await world.place("A") == ("slot", "st-1", 1)
    assert await world.place("B") == ("slot", "st-1", 3)
    assert await world.anomalies() == []


async def test_a_birth_never_creates_a_pack(world: Any, read: Any, born: Any) -> None:
    await world.station("st-1", 3, [read(1, "A")])
    await world.say("st-1", born(3, [read(1, "A"), read(2, "STRANGER")]))
    assert await world.column("SELECT serial_number FROM pack") == ["A"]
    assert await world.anomalies() == ["foreign_pack"]
    assert await world.column("SELECT slot_no FROM slot WHERE quarantined") == [2]
    await world.say("st-1", born(3, [read(1, "A"), read(2, "STRANGER")]))
    assert await world.anomalies() == ["foreign_pack"]  # the same finding is no news
    await world.say("st-1", born(3, [read(1, "A")]))
    assert await world.column("SELECT slot_no FROM slot WHERE quarantined") == []


async def test_a_pack_in_another_empty_slot_of_its_station_is_moved_and_said(world: Any, read: Any, born: Any) -> None:
    await world.station("st-1", 3, [read(1, "A")])
    await world.say("st-1", born(3, [read(2, "A")]))
    assert await world.place("A") == ("slot", "st-1", 2)
    assert await world.anomalies() == ["pack_misplaced"]


async def test_a_pack_believed_elsewhere_is_said_and_not_moved(world: Any, read: Any, born: Any) -> None:
    await world.station("st-1", 3, [read(1, "A")])
    await world.station("st-2", 3, [read(1, "B")])
    await world.rider("r", ["R"])
    await world.say("st-2", born(3, [read(1, "B"), read(2, "A"), read(3, "R")]))
    assert await world.place("A") == ("slot", "st-1", 1)
    assert await world.place("R") == ("asset", "v-r")
    assert await world.anomalies() == ["pack_misplaced", "pack_misplaced"]


async def test_a_pack_delivered_after_the_first_birth_is_placed_and_said(world: Any, read: Any, born: Any) -> None:
    await world.station("st-1", 3, [read(1, "A")])
    await world.register_packs("NEW")
    await world.say("st-1", born(3, [read(1, "A"), read(2, "NEW")]))
    assert await world.place("NEW") == ("slot", "st-1", 2)
    assert await world.anomalies() == ["pack_misplaced"]


async def test_a_pack_that_is_gone_is_said_and_not_moved(world: Any, read: Any, born: Any) -> None:
    await world.station("st-1", 3, [read(1, "A"), read(2, "B")])
    await world.say("st-1", born(3, [read(2, "B")]))
    assert await world.place("A") == ("slot", "st-1", 1)
    assert await world.anomalies() == ["pack_missing"]


async def test_an_older_birth_is_history(world: Any, read: Any, born: Any) -> None:
    await world.station("st-1", 3, [read(1, "A")])
    await world.say("st-1", born(3, [read(1, "A")]), boot=5)
    await world.say("st-1", born(3, [read(2, "A")]), boot=2)
    assert await world.place("A") == ("slot", "st-1", 1)
    assert await world.anomalies() == []


async def test_a_slot_notice_never_moves_a_pack_and_an_old_one_changes_nothing(world: Any, read: Any) -> None:
    await world.station("st-1", 3, [read(1, "A")])
    await world.say("st-1", SlotChanged(slot_no=1, status="empty", serial_number=None, reason=None), boot=3)
    await world.say("st-1", SlotChanged(slot_no=1, status="faulted", serial_number=None, reason=None), boot=2)
    assert await world.value("SELECT status FROM slot WHERE slot_no = 1") == "empty"
    assert await world.place("A") == ("slot", "st-1", 1)


async def test_a_foreign_pack_put_in_closes_its_slot_and_no_pack_is_owed(world: Any, read: Any) -> None:
    await world.station("st-1", 4, [read(1, "A")])
    await world.rider("r", ["R"])
    start = await world.started("r")
    await world.moved("st-1", start.swap_id, "in", [read(3, "STRANGER")])
    assert (await world.status(start.swap_id))[0] == "requested"
    assert await world.column("SELECT slot_no FROM slot WHERE quarantined") == [3]
    assert await world.anomalies() == ["foreign_pack"]
    await world.ack("st-1", start.command_id, "failed", "TimeoutIn")
    assert (await world.status(start.swap_id))[0] == "expired"
    assert await world.value("SELECT count(*) FROM debt") == 0


async def test_a_pack_of_another_rider_is_accepted_and_both_are_bound_anew(world: Any, read: Any) -> None:
    await world.station("st-1", 4, [read(1, "A")])
    await world.rider("r", ["R"])
    await world.rider("s", ["S"])
    start = await world.started("r")
    await world.moved("st-1", start.swap_id, "in", [read(3, "S", 0.3)])
    await world.moved("st-1", start.swap_id, "out", [read(1, "A")])
    assert (await world.status(start.swap_id))[0] == "settled"
    assert await world.place("S") == ("slot", "st-1", 3)
    assert await world.place("R") == ("asset", "v-s")
    assert await world.place("A") == ("asset", "v-r")
    assert await world.anomalies() == ["pack_of_other_vehicle"]
    async with world.pool.acquire() as connection:
        assert (await audit(connection, world.clock.now())).violations == ()


async def test_a_swap_event_nobody_asked_for_is_an_anomaly_and_still_true(world: Any, read: Any) -> None:
    await world.station("st-1", 4, [read(1, "A")])
    await world.rider("r", ["R"])
    await world.say("st-1", PacksMoved(what="in", request_id=77, token="?", packs=(read(2, "R", 0.1),)))
    await world.say("st-1", PacksMoved(what="out", request_id=77, token="?", packs=(read(1, "A"),)))
    assert await world.place("R") == ("slot", "st-1", 2)
    assert await world.place("A") == ("lost",)
    assert await world.anomalies() == ["unauthorised_swap_event"] * 2


async def test_a_pack_put_where_another_was_believed_displaces_it(world: Any, read: Any, born: Any) -> None:
    await world.station("st-1", 4, [read(1, "A"), read(2, "B")])
    await world.rider("r", ["R"])
    start = await world.started("r")
    await world.moved("st-1", start.swap_id, "in", [read(2, "R", 0.1)])
    assert await world.place("R") == ("slot", "st-1", 2)
    assert await world.place("B") == ("lost",)
    assert "pack_displaced" in await world.anomalies()
    await world.say("st-1", born(4, [read(1, "A"), read(2, "R"), read(4, "B")]))
    assert await world.place("B") == ("slot", "st-1", 4)


@pytest.mark.parametrize("token", ["rider:r", "v-r"])
async def test_a_swap_asked_for_at_the_station_is_started_with_its_own_request_id(world: Any, read: Any, token: str) -> None:
    await world.station("st-1", 4, [read(1, "A")])
    await world.rider("r", ["R"])
    asked = SwapAsked(request_id=5, token=token, token_type="ISO14443", asset_id=None, slot_no=None, packs=())
    await world.say("st-1", asked)
    await world.say("st-1", asked)  # asked again with the same id: one swap
    assert await world.column("SELECT request_id FROM swap") == [5]
    assert await world.column("SELECT name FROM command") == ["start_swap"]
    await world.say("st-1", PacksMoved(what="in", request_id=5, token=token, packs=(read(2, "R", 0.1),)))
    await world.say("st-1", PacksMoved(what="out", request_id=5, token=token, packs=(read(1, "A"),)))
    assert await world.value("SELECT status FROM swap") == "settled"


async def test_a_swap_asked_for_uses_the_reservation_made_before(world: Any, read: Any) -> None:
    await world.station("st-1", 4, [read(1, "A"), read(2, "B")])
    await world.rider("r", ["R"])
    reservation_id = await world.reserved("r")
    await world.say(
        "st-1", SwapAsked(request_id=5, token=reservation_id, token_type="App", asset_id=None, slot_no=None, packs=())
    )
    assert await world.value("SELECT reservation_id FROM swap") == reservation_id


async def test_an_unknown_card_and_an_empty_shelf_are_refused_by_name(world: Any, read: Any) -> None:
    await world.station("st-1", 4, [read(1, "A", 0.3)])
    await world.rider("r", ["R"])
    for request_id, token in ((5, "nobody"), (6, "rider:r")):
        await world.say(
            "st-1", SwapAsked(request_id=request_id, token=token, token_type="t", asset_id=None, slot_no=None, packs=())
        )
    assert await world.column("SELECT body ->> 'reason_code' FROM command ORDER BY body ->> 'request_id'") == [
        "UnknownToken",
        "NoBatteryAvailable",
    ]


async def test_somebody_elses_question_after_an_outage_is_not_answered(world: Any, read: Any) -> None:
    await world.station("st-1", 4, [read(1, "A")])
    await world.rider("r", ["R"])
    await world.queue("st-1", SwapAsked(request_id=5, token="rider:r", token_type="t", asset_id=None, slot_no=None, packs=()))
    world.clock.advance(world.rules.command_s + 1)
    await world.work()
    assert await world.value("SELECT count(*) FROM command") == 0
    assert await world.live_holds() == 0


async def test_smoke_closes_the_station_and_frees_the_holds(world: Any, read: Any) -> None:
    await world.station("st-1", 4, [read(1, "A")])
    await world.rider("r", ["R"])
    await world.reserved("r")
    smoke = StationNotice(
        topic="safety",
        code="Smoke",
        phase="raised",
        severity="critical",
        slot_numbers=(1,),
        serial_numbers=("A",),
        zone="z",
        detail=None,
    )
    await world.say("st-1", smoke)
    assert await world.value("SELECT lifecycle FROM station") == "emergency"
    assert await world.live_holds() == 0
    assert (await world.offers("r")).reason == "station_out_of_service"
    await world.say("st-1", smoke.model_copy(update={"phase": "cleared"}))
    assert await world.value("SELECT lifecycle FROM station") == "emergency"  # latched until a person clears it


async def test_the_same_event_twice_has_the_effect_of_once(world: Any, read: Any) -> None:
    await world.station("st-1", 4, [read(1, "A")])
    await world.rider("r", ["R"])
    start = await world.started("r")
    for _ in range(2):
        await world.moved("st-1", start.swap_id, "in", [read(3, "R", 0.2)])
    for _ in range(2):
        await world.moved("st-1", start.swap_id, "out", [read(1, "A")])
    assert await world.status(start.swap_id) == ("settled", None)
    assert await world.value("SELECT count(*) FROM swap_pack") == 2
    assert await world.value("SELECT count(*) FROM desk_event WHERE kind = 'swap_duplicate'") == 2
    assert await placed_events(world) == 3  # A at birth, R in, A out


async def test_an_ack_of_a_command_nobody_sent_is_an_anomaly(world: Any, read: Any) -> None:
    await world.station("st-1", 4, [read(1, "A")])
    await world.say("st-1", CommandAnswered(command_id="cmd_x", answer="accepted", reason_code=None))
    assert await world.anomalies() == ["unknown_command_answered"]
