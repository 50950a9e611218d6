"""Stations over HTTP: where, what is ready by the desk's gates, what is empty."""

from tests import api_world
from tests.api_world import World

api = api_world.api


async def test_the_nearest_station_comes_first_and_the_radius_cuts(api: World) -> None:
    await api.register()
    for number, latitude in ((1, 33.70), (2, 33.59), (3, 33.60)):
        await api.station(f"st-{number}", [], latitude=latitude)
    page = (await api.call("GET", "/v1/stations?near=33.59,130.40")).json()
    assert [s["station_id"] for s in page["stations"]] == ["st-2", "st-3", "st-1"]
    assert page["stations"][0]["distance_m"] == 0
    assert 1100 < page["stations"][1]["distance_m"] < 1125
    near = (await api.call("GET", "/v1/stations?near=33.59,130.40&radius_m=5000")).json()
    assert [s["station_id"] for s in near["stations"]] == ["st-2", "st-3"]
    nothing = (await api.call("GET", "/v1/stations?near=-10.5,20.25&radius_m=10")).json()
    assert nothing == {"stations": [], "next_cursor": None, "reason": "no_station_found"}


async def test_pages_by_distance_hold_every_station_once(api: World) -> None:
    await api.register()
    for number in range(7):
        await api.station(f"st-{number}", [], latitude=33.59 + (number * 5 % 7) * 0.01)
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await api.call("GET", f"/v1/stations?near=33.59,130.40&limit=2{cursor}")).json()
        seen += [s["station_id"] for s in page["stations"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert sorted(seen) == [f"st-{n}" for n in range(7)]
    assert seen[0] == "st-0"


async def test_ready_counts_only_what_passes_the_gates(api: World) -> None:
    await api.register()
    await api.station("st-1", ["PK-003", "PK-004", "PK-005", "PK-006"])
    await api.pool.execute("UPDATE station_live SET soc[1] = 0.3, temp_max_degc[2] = 60, fault_count[3] = 1")
    station = (await api.call("GET", "/v1/stations/st-1")).json()
    assert (station["ready_packs"], station["empty_slots"], station["slot_count"]) == (1, 2, 6)
    assert station["models"] == [
        {"pack_model_id": "pm-1", "packs": 4, "ready_packs": 1, "best_usable_wh": station["models"][0]["best_usable_wh"]}
    ]
    assert 1200 < station["models"][0]["best_usable_wh"] < 1220


async def test_a_silent_station_promises_nothing(api: World) -> None:
    await api.register()
    await api.station("st-1", ["PK-003", "PK-004"])
    assert (await api.call("GET", "/v1/stations/st-1")).json()["ready_packs"] == 2
    api.clock.advance(601)
    station = (await api.call("GET", "/v1/stations/st-1")).json()
    assert (station["promising"], station["ready_packs"]) == (False, 0)


async def test_held_packs_and_slots_are_not_counted(api: World) -> None:
    await api.register()
    await api.station("st-1", ["PK-003", "PK-004", "PK-005"])
    await api.reserve()
    station = (await api.call("GET", "/v1/stations/st-1")).json()
    assert (station["ready_packs"], station["empty_slots"]) == (1, 1)


async def test_slots_and_serials_are_for_operators_only(api: World) -> None:
    await api.register()
    await api.station("st-1", ["PK-003"])
    assert (await api.call("GET", "/v1/stations/st-1")).json()["slots"] is None
    slots = (await api.op("GET", "/v1/stations/st-1")).json()["slots"]
    assert (slots[0]["pack"]["serial_number"], slots[0]["pack"]["not_ready_because"], slots[1]["pack"]) == ("PK-003", None, None)


async def test_a_station_that_is_not_there_is_not_found(api: World) -> None:
    assert (await api.call("GET", "/v1/stations/st-none")).status_code == 404


async def test_wrong_positions_are_refused(api: World) -> None:
    for query in (
        "near=91,0",
        "near=0,181",
        "near=abc",
        "near=1",
        "near=1,2,3",
        "radius_m=5",
        "near=1,1&radius_m=nan",
        "near=NaN,1",
    ):
        answer = await api.call("GET", f"/v1/stations?{query}")
        assert answer.status_code == 422, query
        assert answer.json()["errors"][0]["parameter"] in ("near", "radius_m")
