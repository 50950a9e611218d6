"""Registration and lists over HTTP: bulk, idempotent, all or nothing."""

import asyncio
import time
from typing import Any

from tests import api_world
from tests.api_world import MODEL, World, vehicle

api = api_world.api


async def count(api: World, table: str) -> int:
    return int(await api.pool.fetchval(f"SELECT count(*) FROM {table}"))


async def test_the_same_bulk_again_changes_nothing(api: World) -> None:
    await api.register(riders=2)
    again = await api.op("POST", "/v1/vehicles", {"vehicles": [vehicle(1), vehicle(2)]})
    assert (again.status_code, again.json()) == (200, {"created": 0, "unchanged": 2})
    mixed = await api.op("POST", "/v1/riders", {"riders": [{"rider_id": f"rider-{i}", "name": f"Rider {i}"} for i in (1, 2, 3)]})
    assert (mixed.status_code, mixed.json()) == (201, {"created": 1, "unchanged": 2})
    models = await api.op("POST", "/v1/pack-models", {"pack_models": [MODEL]})
    assert models.json() == {"created": 0, "unchanged": 1}


async def test_one_conflict_among_many_writes_nothing_and_points_at_it(api: World) -> None:
    await api.register()
    await api.op("POST", "/v1/pack-models", {"pack_models": [{**MODEL, "pack_model_id": "pm-2"}]})
    before = await count(api, "pack")
    packs = [{"serial_number": f"NEW-{i}", "pack_model_id": "pm-1"} for i in range(5)]
    packs.append({"serial_number": "PK-001", "pack_model_id": "pm-2"})
    answer = await api.op("POST", "/v1/packs", {"packs": packs})
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"] == [
        {
            "pointer": "#/packs/5/serial_number",
            "code": "registered_otherwise",
            "detail": "this id is registered with other values",
        }
    ]
    assert await count(api, "pack") == before


async def test_what_a_vehicle_refers_to_must_be_registered_and_free(api: World) -> None:
    await api.register(riders=1)
    bad: dict[str, tuple[dict[str, Any], str]] = {
        "rider": ({"rider_id": "nobody"}, "unknown_rider"),
        "model": ({"pack_model_id": "pm-9"}, "unknown_pack_model"),
        "pack": ({"serial_numbers": ["PK-999"]}, "unknown_pack"),
        "elsewhere": ({"serial_numbers": ["PK-001"]}, "pack_elsewhere"),
    }
    for change, code in bad.values():
        answer = await api.op("POST", "/v1/vehicles", {"vehicles": [{**vehicle(1), "vehicle_id": "vehicle-9", **change}]})
        assert answer.status_code == 409, answer.text
        assert answer.json()["errors"][0]["code"] == code
    assert await count(api, "asset") == 1


async def test_a_registered_pack_is_in_the_depot_or_its_vehicle_and_the_desk_has_it_in_writing(api: World) -> None:
    await api.register(riders=1, packs=3)
    places = {row["serial_number"]: (row["place"], row["asset_id"]) for row in await api.pool.fetch("SELECT * FROM pack")}
    assert places == {"PK-001": ("asset", "vehicle-1"), "PK-002": ("asset", "vehicle-1"), "PK-003": ("depot", None)}
    written = await api.pool.fetch("SELECT serial_number FROM desk_event WHERE kind = 'pack_placed' ORDER BY 1")
    assert [row["serial_number"] for row in written] == ["PK-001", "PK-002"]


async def test_the_same_id_twice_in_one_body_is_refused_at_its_place(api: World) -> None:
    await api.register()
    item = {"serial_number": "TWICE", "pack_model_id": "pm-1"}
    answer = await api.op("POST", "/v1/packs", {"packs": [item, item]})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "#/packs/1"
    shared = await api.op("POST", "/v1/vehicles", {"vehicles": [vehicle(1), {**vehicle(1), "vehicle_id": "v-2"}]})
    assert shared.json()["errors"][0]["pointer"] == "#/vehicles/1/serial_numbers/0"


async def test_a_thousand_packs_are_registered_in_one_go_and_a_thousand_and_one_are_refused(api: World) -> None:
    await api.register(packs=2)
    packs = [{"serial_number": f"BULK-{i:04}", "pack_model_id": "pm-1"} for i in range(1001)]
    assert (await api.op("POST", "/v1/packs", {"packs": packs})).status_code == 422
    begun = time.monotonic()
    answer = await api.op("POST", "/v1/packs", {"packs": packs[:1000]})
    took_s = time.monotonic() - begun
    assert answer.json() == {"created": 1000, "unchanged": 0}
    assert took_s < 5, f"{took_s:.2f} s"


async def test_pages_hold_everything_once_and_end(api: World) -> None:
    await api.register(packs=23)
    seen: list[str] = []
    cursor = None
    for _ in range(10):
        query = f"&cursor={cursor}" if cursor else ""
        page = (await api.op("GET", f"/v1/packs?limit=5{query}")).json()
        seen += [pack["serial_number"] for pack in page["packs"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [f"PK-{i:03}" for i in range(1, 24)]


async def test_a_cursor_of_another_list_or_another_filter_or_nobody_is_refused(api: World) -> None:
    await api.register(packs=9, riders=3)
    cursor = (await api.op("GET", "/v1/packs?limit=2")).json()["next_cursor"]
    for path in (
        f"/v1/riders?cursor={cursor}",
        f"/v1/packs?place=depot&cursor={cursor}",
        f"/v1/packs?cursor={cursor[:-2]}",
        f"/v1/packs?cursor={cursor}A",
        "/v1/packs?cursor=made-up",
        "/v1/packs?cursor=%F0%9F%98%80",
    ):
        answer = await api.op("GET", path)
        assert answer.status_code == 422, (path, answer.text)
        assert answer.json()["type"] == "/problems/cursor_invalid"


async def test_a_limit_beyond_200_is_refused(api: World) -> None:
    assert (await api.op("GET", "/v1/packs?limit=201")).status_code == 422
    assert (await api.op("GET", "/v1/packs?limit=200")).status_code == 200


async def test_the_lists_show_what_was_registered(api: World) -> None:
    await api.register(riders=2)
    vehicles = (await api.op("GET", "/v1/vehicles?rider_id=rider-2")).json()["vehicles"]
    assert [v["serial_numbers"] for v in vehicles] == [["PK-003", "PK-004"]]
    riders = (await api.op("GET", "/v1/riders")).json()["riders"]
    assert [r["name"] for r in riders] == ["Rider 1", "Rider 2"]
    assert (await api.op("GET", "/v1/pack-models")).json()["pack_models"][0]["hand_out_soc"] == 0.8
    assert len((await api.op("GET", "/v1/packs?place=asset")).json()["packs"]) == 4


async def test_the_fleet_is_counted(api: World) -> None:
    await api.register(riders=2)
    await api.station("st-1", ["PK-005", "PK-006"])
    fleet = (await api.op("GET", "/v1/fleet")).json()
    assert fleet["packs_by_place"] == {"asset": 4, "depot": 6, "slot": 2}
    assert (fleet["stations"], fleet["stations_connected"]) == ({"in_service": 1}, 1)
    assert fleet["slots"] == {"empty": 4, "occupied": 2}
    assert (fleet["vehicles"], fleet["plan_id"]) == (2, None)


async def test_plans_anomalies_and_debts_are_shown(api: World) -> None:
    assert (await api.op("GET", "/v1/plans/current")).status_code == 404
    await api.register()
    await api.station("st-1", [])
    now = api.clock.now()
    for number in (1, 2):
        await api.pool.execute(
            "INSERT INTO plan VALUES ($1, $2, $2, 900, 2, 1, 'glop', '{}', 12.5, 12.5, 0, 0, false, 0.1, 'synthetic',"
            " '{1,2}', '{3,4}', '{0,0}')",
            f"pln_{number}",
            now,
        )
    await api.pool.execute("INSERT INTO plan_station VALUES ('pln_2', 'st-1', '{10,20}', 0, 'cheap steps')")
    plan = (await api.op("GET", "/v1/plans/current")).json()
    assert (plan["plan_id"], plan["stations"][0]["reason"], plan["price_source"]) == ("pln_2", "cheap steps", "synthetic")
    assert (await api.op("GET", "/v1/plans/pln_1")).json()["stations"] == []
    assert (await api.op("GET", "/v1/plans/pln_none")).status_code == 404
    for number in range(3):
        await api.pool.execute("INSERT INTO anomaly (kind, seen_at, detail) VALUES ('k', $1, $2)", now, f'{{"n": {number}}}')
    page = (await api.op("GET", "/v1/anomalies?limit=2")).json()
    assert [a["detail"]["n"] for a in page["anomalies"]] == [2, 1]
    rest = (await api.op("GET", f"/v1/anomalies?limit=2&cursor={page['next_cursor']}")).json()
    assert [a["detail"]["n"] for a in rest["anomalies"]] == [0]
    assert (await api.op("GET", "/v1/debts")).json() == {"debts": [], "next_cursor": None}


async def test_bulk_bodies_that_overlap_crosswise_both_go_through(api: World) -> None:
    await api.register(packs=2)
    packs = [{"serial_number": f"X-{i:03}", "pack_model_id": "pm-1"} for i in range(300)]
    answers = await asyncio.gather(
        *(api.op("POST", "/v1/packs", {"packs": order}) for order in (packs, packs[::-1], packs, packs[::-1]))
    )
    assert sum(a.json()["created"] for a in answers) == 300
    assert sum(a.json()["unchanged"] for a in answers) == 900


async def test_a_key_is_optional_for_bulk_bodies_and_replays_when_given(api: World) -> None:
    body = {"riders": [{"rider_id": "r-1", "name": "One"}]}
    await api.op("POST", "/v1/pack-models", {"pack_models": [MODEL]})
    first = await api.op("POST", "/v1/riders", body, key="bulk")
    again = await api.op("POST", "/v1/riders", body, key="bulk")
    assert (first.status_code, first.json()["created"]) == (201, 1)
    assert (again.status_code, again.content, again.headers["idempotent-replayed"]) == (201, first.content, "true")
