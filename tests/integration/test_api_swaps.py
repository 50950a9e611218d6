"""From a wish to a receipt over HTTP, and what a rider hears when the station says nothing, says no, or died half-way."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import asyncpg
import jwt
import pytest

from service.domain.observation import MessageKey, PackReading, PacksMoved, ReceivedEvent
from tests import api_world
from tests.api_world import OFFER_KEY, World, wall_now

api = api_world.api


@pytest.fixture
async def ready(api: World) -> World:
    """A rider, and a station with a full set and three empty slots."""
    await api.register(riders=3)
    await api.station("st-1", ["PK-007", "PK-008", "PK-009"])
    return api


async def start(api: World, reservation: dict[str, Any], key: str = "start") -> Any:
    return await api.call("POST", "/v1/swaps", {"reservation_id": reservation["reservation_id"]}, key=key)


async def started(api: World, reservation: dict[str, Any], eventually: Any, key: str = "start") -> tuple[Any, asyncpg.Record]:
    """Start a swap in the background and return the running request and its command, sent."""
    request = asyncio.create_task(start(api, reservation, key))
    return request, await eventually(api.sent_command, 5)


async def moved(api: World, swap_id: str, what: str, packs: list[tuple[int, str, float]]) -> None:
    swap = await api.pool.fetchrow("SELECT * FROM swap WHERE swap_id = $1", swap_id)
    api.seq["st-1"] = api.seq.get("st-1", 1) + 1
    readings = tuple(
        PackReading(slot_no=n, serial_number=serial, soc=soc, soh=0.98, pack_model_id="pm-1") for n, serial, soc in packs
    )
    event = PacksMoved(what=what, request_id=swap["request_id"], token=swap["token"], packs=readings)  # type: ignore[arg-type]
    now = api.clock.now()
    async with api.pool.acquire() as connection, connection.transaction():
        await api.desk.handle(connection, ReceivedEvent("st-1", MessageKey(1, 1, api.seq["st-1"]), now, now, event))


async def test_an_offer_holds_nothing_and_a_reservation_holds_a_set_and_slots(ready: World) -> None:
    offer = await ready.ask(near={"latitude": 33.59, "longitude": 130.41})
    assert (offer["station_id"], offer["pack_count"], offer["price"]["currency"]) == ("st-1", 2, "JPY")
    assert await ready.pool.fetchval("SELECT count(*) FROM pack_hold") == 0
    made = await ready.reserve()
    assert (made["status"], made["vehicle_id"], made["station_id"]) == ("reserved", "vehicle-1", "st-1")
    assert await ready.pool.fetchval("SELECT count(*) FROM pack_hold WHERE released_at IS NULL") == 2
    assert await ready.pool.fetchval("SELECT count(*) FROM slot_hold WHERE released_at IS NULL") == 2
    cancelled = await ready.call("DELETE", f"/v1/reservations/{made['reservation_id']}")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert await ready.pool.fetchval("SELECT count(*) FROM pack_hold WHERE released_at IS NULL") == 0
    assert (await ready.call("DELETE", f"/v1/reservations/{made['reservation_id']}")).json()["status"] == "cancelled"


async def test_a_search_that_finds_nothing_says_why(ready: World) -> None:
    await ready.pool.execute("UPDATE station_live SET connected = false")
    answer = await ready.call("POST", "/v1/offers", {"vehicle_id": "vehicle-1"})
    assert (answer.status_code, answer.json()) == (200, {"offers": [], "reason": "station_offline"})


async def test_an_offer_that_was_changed_or_is_of_another_rider_is_not_accepted(ready: World) -> None:
    offer_id = (await ready.ask())["offer_id"]
    head, payload, signature = offer_id.split(".")
    terms = json.loads(jwt.decode(offer_id, OFFER_KEY, algorithms=["HS256"])["offer"])
    cheap = {"offer": json.dumps({**terms, "price_micro": 1})}
    wrong = {
        "changed": f"{head}.{payload[:-2]}xx.{signature}",
        "other key": jwt.encode(cheap, b"y" * 32, "HS256", headers={"typ": "denchi-offer+jwt"}),
        "unsigned": jwt.encode(cheap, None, "none", headers={"typ": "denchi-offer+jwt"}),
        "an access token": ready.token("rider-1"),
        "other type": jwt.encode(cheap, OFFER_KEY, "HS256"),
        "no offer": jwt.encode({"a": 1}, OFFER_KEY, "HS256", headers={"typ": "denchi-offer+jwt"}),
        "garbage": "x",
    }
    for what, tampered in wrong.items():
        answer = await ready.call("POST", "/v1/reservations", {"offer_id": tampered}, key=what.replace(" ", "-"))
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/offer_invalid"), what
    other = await ready.call("POST", "/v1/reservations", {"offer_id": offer_id}, who="rider-2", key="k")
    assert (other.status_code, other.json()["type"]) == (422, "/problems/offer_invalid")
    assert await ready.pool.fetchval("SELECT count(*) FROM reservation") == 0


async def test_an_offer_expires_on_the_fleet_clock(ready: World) -> None:
    offer_id = (await ready.ask())["offer_id"]
    ready.clock.advance(121)
    answer = await ready.call("POST", "/v1/reservations", {"offer_id": offer_id}, key="k")
    assert (answer.status_code, answer.json()["type"], answer.json()["reason"]) == (
        409,
        "/problems/offer_expired",
        "offer_expired",
    )
    assert "POST /v1/offers" in answer.json()["detail"]


async def test_the_second_rider_is_refused_with_an_alternative(ready: World) -> None:
    await ready.station("st-2", ["PK-010", "PK-011"], latitude=33.60)
    near = {"latitude": 33.59, "longitude": 130.40}
    offers = {who: await ready.ask(who, near=near) for who in ("rider-1", "rider-2")}
    assert {offer["station_id"] for offer in offers.values()} == {"st-1"}
    answers = await asyncio.gather(
        *(ready.call("POST", "/v1/reservations", {"offer_id": o["offer_id"]}, who=w, key="k") for w, o in offers.items())
    )
    assert sorted(a.status_code for a in answers) == [201, 409]
    refused = next(a.json() for a in answers if a.status_code == 409)
    assert (refused["type"], refused["reason"]) == ("/problems/refused", "no_ready_pack")
    assert [o["station_id"] for o in refused["alternatives"]] == ["st-2"]
    loser = "rider-1" if answers[0].status_code == 409 else "rider-2"
    taken = await ready.call(
        "POST", "/v1/reservations", {"offer_id": refused["alternatives"][0]["offer_id"]}, who=loser, key="k2"
    )
    assert taken.status_code == 201


async def test_of_thirty_riders_who_want_the_last_set_exactly_one_gets_it(api: World) -> None:
    await api.register(riders=30, packs=62)
    await api.station("st-1", ["PK-061", "PK-062"])
    riders = [f"rider-{number}" for number in range(1, 31)]
    offers = {rider: (await api.ask(rider))["offer_id"] for rider in riders}
    answers = await asyncio.gather(
        *(api.call("POST", "/v1/reservations", {"offer_id": offers[rider]}, who=rider, key="k") for rider in riders)
    )
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 29
    refused = [answer.json() for answer in answers if answer.status_code == 409]
    assert {(problem["reason"], len(problem["alternatives"])) for problem in refused} == {("no_ready_pack", 0)}
    assert await api.pool.fetchval("SELECT count(*) FROM pack_hold WHERE released_at IS NULL") == 2


async def test_the_same_post_twice_has_one_effect_and_one_answer(ready: World) -> None:
    body = {"offer_id": (await ready.ask())["offer_id"]}
    first, second, other = [await ready.call("POST", "/v1/reservations", body, key="same") for _ in range(3)]
    assert (first.status_code, first.content) == (second.status_code, second.content) == (other.status_code, other.content)
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert first.headers["location"] == second.headers["location"]
    assert await ready.pool.fetchval("SELECT count(*) FROM reservation") == 1
    ready.clock.advance(10_000)  # the offer is long over: a retry still gets its answer
    assert (await ready.call("POST", "/v1/reservations", body, key="same")).content == first.content


async def test_a_refusal_is_replayed_too(ready: World) -> None:
    offers = [await ready.ask(), await ready.ask()]
    await ready.call("POST", "/v1/reservations", {"offer_id": offers[0]["offer_id"]}, key="a")
    refused = [await ready.call("POST", "/v1/reservations", {"offer_id": offers[1]["offer_id"]}, key="b") for _ in range(2)]
    assert [r.json()["reason"] for r in refused] == ["reservation_exists"] * 2
    assert refused[0].content == refused[1].content
    assert refused[1].headers["content-type"] == "application/problem+json"


async def test_a_key_with_another_body_is_refused_and_belongs_to_its_caller(ready: World) -> None:
    await ready.reserve("rider-1")
    again = await ready.call("POST", "/v1/reservations", {"offer_id": "other"}, key="reserve-rider-1")
    assert (again.status_code, again.json()["type"]) == (422, "/problems/key_reused")
    theirs = await ready.call("POST", "/v1/reservations", {"offer_id": "x"}, who="rider-2", key="reserve-rider-1")
    assert theirs.json()["type"] == "/problems/offer_invalid"


async def test_concurrent_requests_with_one_key_have_one_effect(ready: World) -> None:
    body = {"offer_id": (await ready.ask())["offer_id"]}
    answers = await asyncio.gather(*(ready.call("POST", "/v1/reservations", body, key="one") for _ in range(12)))
    assert {a.status_code for a in answers} <= {201, 409}
    assert len({a.content for a in answers if a.status_code == 201}) == 1
    assert {a.json()["type"] for a in answers if a.status_code == 409} <= {"/problems/still_running"}
    assert await ready.pool.fetchval("SELECT count(*) FROM reservation") == 1


@pytest.mark.parametrize("path", ["/v1/reservations", "/v1/swaps"])
async def test_what_moves_something_needs_a_key(api: World, path: str) -> None:
    answer = await api.call("POST", path, {"offer_id": "x"} if "res" in path else {"reservation_id": "x"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == "Idempotency-Key"


async def test_a_swap_goes_from_start_to_receipt(ready: World, eventually: Any) -> None:
    request, command = await started(ready, await ready.reserve(), eventually)
    await ready.answer_command(command, "accepted")
    answer = await request
    swap = answer.json()
    assert (answer.status_code, swap["status"], swap["pack_count"]) == (201, "authorised", 2)
    assert answer.headers["location"] == f"/v1/swaps/{swap['swap_id']}"
    assert (await start(ready, {"reservation_id": swap["reservation_id"]})).content == answer.content

    path = f"/v1/swaps/{swap['swap_id']}"
    early = await ready.call("GET", f"{path}/receipt")
    assert (early.status_code, early.json()["type"]) == (409, "/problems/swap_not_completed")
    await moved(ready, swap["swap_id"], "in", [(4, "PK-001", 0.2), (5, "PK-002", 0.3)])
    half = (await ready.call("GET", path)).json()
    assert (half["status"], half["packs_in"], half["packs_out"], len(half["packs"])) == ("half_in", 2, 0, 2)
    offered = json.loads(command["body"])["offer_serials"]
    slots = dict(await ready.pool.fetch("SELECT serial_number, slot_no FROM pack WHERE serial_number = ANY($1)", offered))
    await moved(ready, swap["swap_id"], "out", [(slots[serial], serial, 0.95) for serial in offered])
    done = (await ready.call("GET", path)).json()
    assert (done["status"], done["packs_in"], done["packs_out"]) == ("settled", 2, 2)
    assert {(p["direction"], p["serial_number"]) for p in done["packs"]} >= {("in", "PK-001"), ("out", offered[0])}

    receipt = (await ready.call("GET", f"{path}/receipt")).json()
    assert receipt["energy_kwh"] == pytest.approx(1.3 * 0.98 * (0.95 * 2 - 0.5), rel=0.01)
    assert receipt["price"] == done["price"]
    assert (receipt["certified_renewable_wh"], receipt["surplus_timing_share"]) == (0, None)
    assert receipt["carbon_source"]
    assert receipt["location_gco2e"] > 0
    assert "renewable" not in json.dumps(receipt).replace("certified_renewable_wh", "")
    assert (await ready.call("GET", path, who="rider-2")).status_code == 404
    assert (await ready.call("GET", f"{path}/receipt", who="rider-2")).status_code == 404
    assert [s["swap_id"] for s in (await ready.call("GET", "/v1/swaps")).json()["swaps"]] == [swap["swap_id"]]


async def test_a_station_that_says_no_is_a_409_and_the_hold_lives_on(ready: World, eventually: Any) -> None:
    request, command = await started(ready, await ready.reserve(), eventually)
    await ready.answer_command(command, "rejected", "Busy")
    answer = await request
    problem = answer.json()
    assert (answer.status_code, problem["type"], problem["reason"]) == (409, "/problems/swap_rejected", "Busy")
    assert (await ready.call("GET", f"/v1/reservations/{problem['reservation_id']}")).json()["status"] == "reserved"
    again = asyncio.create_task(start(ready, problem, "second"))
    await ready.answer_command(await eventually(ready.sent_command, 5), "accepted")
    assert (await again).status_code == 201


async def test_a_command_that_was_never_sent_is_withdrawn_and_a_503(ready: World) -> None:
    answer = await start(ready, await ready.reserve())
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/not_delivered")
    assert answer.headers["retry-after"]
    assert await ready.pool.fetchval("SELECT status FROM command") == "withdrawn"
    replayed = await start(ready, {"reservation_id": (await ready.call("GET", "/v1/swaps")).json()["swaps"][0]["reservation_id"]})
    assert (replayed.status_code, replayed.content) == (503, answer.content)
    assert answer.json()["reservation_id"] is not None


async def test_a_command_without_an_answer_is_unresolved_and_never_sent_again(ready: World, eventually: Any) -> None:
    request, _ = await started(ready, await ready.reserve(), eventually)
    answer = await request
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (504, "/problems/unresolved")
    assert (await ready.call("GET", f"/v1/swaps/{problem['swap_id']}")).json()["status"] == "unresolved"
    assert await ready.pool.fetchval("SELECT count(*) FROM command WHERE name = 'start_swap'") == 1


async def test_an_answer_wakes_the_request_long_before_its_patience_ends(ready: World, eventually: Any) -> None:
    loop = asyncio.get_running_loop()
    request, command = await started(ready, await ready.reserve(), eventually)
    told = loop.time()
    await ready.answer_command(command, "accepted")
    assert (await request).status_code == 201
    assert loop.time() - told < 0.5


async def test_a_second_attempt_while_the_first_waits_is_told_to_come_again(ready: World, eventually: Any) -> None:
    reservation = await ready.reserve()
    request, command = await started(ready, reservation, eventually)
    second = await start(ready, reservation)
    assert (second.status_code, second.json()["type"], second.headers["retry-after"]) == (409, "/problems/still_running", "1")
    await ready.answer_command(command, "accepted")
    assert (await request).status_code == 201


async def test_a_retry_goes_on_where_a_dead_process_stopped(ready: World, eventually: Any) -> None:
    reservation = await ready.reserve()
    request, command = await started(ready, reservation, eventually)
    request.cancel()  # the process dies while it waits
    await asyncio.gather(request, return_exceptions=True)
    await ready.answer_command(command, "accepted")
    await ready.pool.execute(
        "UPDATE idempotency SET created_at = $1 WHERE status_code IS NULL", wall_now() - timedelta(minutes=5)
    )
    answer = await start(ready, reservation)
    assert (answer.status_code, answer.json()["status"]) == (201, "authorised")
    assert await ready.pool.fetchval("SELECT count(*) FROM swap") == 1
    assert await ready.pool.fetchval("SELECT count(*) FROM command WHERE name = 'start_swap'") == 1


async def test_the_bell_rings_again_after_its_connection_was_cut(ready: World, eventually: Any) -> None:
    pids = "SELECT pid FROM pg_stat_activity WHERE query ILIKE 'LISTEN%' AND datname = current_database()"
    before = await eventually(lambda: ready.pool.fetchval(pids), 5)
    await ready.pool.execute("SELECT pg_terminate_backend($1)", before)

    async def again() -> bool:
        return await ready.pool.fetchval(pids) not in (None, before)

    await eventually(again, 10)
    with ready.app.state.door.bell.listening() as rung:
        await ready.pool.execute("NOTIFY command_answered")
        await asyncio.wait_for(rung.wait(), 5)
