"""Prices, supply and limits over HTTP: who may post what of which place, what a repeat and a correction do, and reading back."""

import asyncio
from typing import Any, get_args

import httpx
import pytest

from service.api.schemas_signals import SHOWN_MOST, VALUES_MOST, GridSeries, SupplySeries
from service.domain.signal import LIMITS, SERIES
from tests import api_world
from tests.api_world import World

api = api_world.api

SUPPLY, GRID = "/v1/supply-forecasts", "/v1/grid-signals"
NOW = "2026-04-06T00:00:00Z"
"""Where the fixture `clock` begins."""


def supply(**changes: Any) -> dict[str, Any]:
    return {
        "place": {"area": "kyushu"},
        "series": "solar_w",
        "start_at": NOW,
        "period_s": 1800,
        "values": [1e9, 2e9, 3e9],
        "source": "weather service",
        **changes,
    }


def grid(**changes: Any) -> dict[str, Any]:
    return supply(**{"series": "price_jpy_per_kwh", "values": [10, -1.5, 12], "source": "market", **changes})


def problem(answer: httpx.Response, status: int, name: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.json()["type"] == f"/problems/{name}"
    document: dict[str, Any] = answer.json()
    return document


async def post(api: World, path: str, body: dict[str, Any], *, key: str | None = None, scope: str = "market") -> httpx.Response:
    return await api.call("POST", path, body, who="m-1", scope=scope, key=key)


async def stored(api: World) -> int:
    return int(await api.pool.fetchval("SELECT count(*) FROM signal"))


def test_each_series_is_posted_where_the_catalogue_says() -> None:
    assert set(get_args(SupplySeries)) == {name for name, info in SERIES.items() if info.posted_by == "supply-forecasts"}
    assert set(get_args(GridSeries)) == {name for name, info in SERIES.items() if info.posted_by == "grid-signals"}
    assert not [name for name in (*get_args(SupplySeries), *get_args(GridSeries)) if SERIES[name].outcome]


@pytest.mark.parametrize("scope", ["operator", "market"])
async def test_operators_and_markets_post_and_read(api: World, scope: str) -> None:
    answer = await post(api, SUPPLY, supply(), scope=scope)
    assert (answer.status_code, answer.json()) == (201, {"added": 3, "known": 0, "known_at": NOW})
    assert (await post(api, GRID, grid(), scope=scope)).status_code == 201
    read = await api.call("GET", f"/v1/signals?area=kyushu&series=price_jpy_per_kwh&from={NOW}", who="m-1", scope=scope)
    assert read.status_code == 200, read.text
    assert [item["value"] for item in read.json()["values"]] == [10, -1.5, 12]
    assert read.json()["next_from"] is None
    assert {(item["source"], item["known_at"], item["period_s"]) for item in read.json()["values"]} == {("market", NOW, 1800)}


@pytest.mark.parametrize("scope", ["rider", "station", "partner"])
async def test_nobody_else_does(api: World, scope: str) -> None:
    problem(await post(api, SUPPLY, supply(), scope=scope), 403, "forbidden")
    problem(await post(api, GRID, grid(), scope=scope), 403, "forbidden")
    answer = await api.call("GET", "/v1/signals?area=kyushu&series=solar_w", who="m-1", scope=scope)
    problem(answer, 403, "forbidden")
    assert await stored(api) == 0


async def test_the_same_again_changes_nothing_and_another_value_is_a_conflict(api: World) -> None:
    body = supply(known_at=NOW)
    assert (await post(api, SUPPLY, body)).status_code == 201
    again = await post(api, SUPPLY, body)
    assert (again.status_code, again.json()["added"], again.json()["known"]) == (200, 0, 3)
    more = await post(api, SUPPLY, supply(known_at=NOW, values=[1e9, 2e9, 3e9, 4e9]))
    assert (more.status_code, more.json()["added"], more.json()["known"]) == (201, 1, 3)
    document = problem(await post(api, SUPPLY, supply(known_at=NOW, values=[1e9, 2e9, 5e9, 4e9, 5e9])), 409, "conflict")
    assert [(error["pointer"], error["code"]) for error in document["errors"]] == [("#/values/2", "known_otherwise")]
    assert await stored(api) == 4


async def test_a_correction_comes_later_and_holds_from_then_on(api: World) -> None:
    await post(api, SUPPLY, supply())
    api.clock.advance(60)
    assert (await post(api, SUPPLY, supply(values=[7e9]))).json() == {"added": 1, "known": 0, "known_at": "2026-04-06T00:01:00Z"}
    read = (await api.op("GET", f"/v1/signals?area=kyushu&series=solar_w&from={NOW}")).json()
    assert [item["value"] for item in read["values"]] == [7e9, 2e9, 3e9]


async def test_a_key_brings_the_same_answer_although_time_went_on(api: World) -> None:
    first = await post(api, GRID, grid(), key="k-1")
    api.clock.advance(60)
    second = await post(api, GRID, grid(), key="k-1")
    assert (second.status_code, second.json()) == (first.status_code, first.json())
    assert second.headers["Idempotent-Replayed"] == "true"
    assert await stored(api) == 3
    problem(await post(api, GRID, grid(values=[1]), key="k-1"), 422, "key_reused")
    problem(await post(api, SUPPLY, supply(), key="k-1"), 422, "key_reused")


async def test_two_at_once_with_the_same_values_add_them_once(api: World) -> None:
    body = supply(known_at=NOW)
    answers = await asyncio.gather(*(post(api, SUPPLY, body) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 201]
    assert await stored(api) == 3


async def test_a_limit_may_end_and_nothing_else_may_be_blank(api: World) -> None:
    await api.station("st-1", [])
    for series in LIMITS:
        body = grid(series=series, place={"station_id": "st-1"}, values=[2000, None, 0])
        assert (await post(api, GRID, body)).status_code == 201
    read = (await api.op("GET", f"/v1/signals?station_id=st-1&series=import_limit_w&from={NOW}")).json()
    assert [item["value"] for item in read["values"]] == [2000, None, 0]
    assert await api.pool.fetchval("SELECT count(*) FROM signal WHERE value = 'Infinity'") == 2
    document = problem(await post(api, GRID, grid(values=[1, None])), 422, "invalid")
    assert document["errors"] == [{"pointer": "#/values/1", "code": "missing", "detail": "only a limit may be null"}]
    problem(await post(api, SUPPLY, supply(values=[None])), 422, "invalid")


@pytest.mark.parametrize(
    ("path", "changes", "pointer"),
    [
        (SUPPLY, {"values": [1, -1]}, "#/values/1"),
        (SUPPLY, {"values": [1e13]}, "#/values/0"),
        (SUPPLY, {"values": []}, "#/values"),
        (SUPPLY, {"values": [0] * (VALUES_MOST + 1)}, "#/values"),
        (SUPPLY, {"series": "price_jpy_per_kwh"}, "#/series"),
        (SUPPLY, {"series": "solar_curtailed_w"}, "#/series"),
        (SUPPLY, {"series": "own_pv_w"}, "#/place"),
        (SUPPLY, {"place": {"station_id": "st-1"}}, "#/place"),
        (SUPPLY, {"place": {}}, "#/place"),
        (SUPPLY, {"place": {"area": "kyushu", "station_id": "st-1"}}, "#/place"),
        (SUPPLY, {"place": {"area": "no such\nname"}}, "#/place/area"),
        (SUPPLY, {"period_s": 600}, "#/period_s"),
        (SUPPLY, {"start_at": "2026-04-06T00:10:00Z"}, "#"),
        (SUPPLY, {"start_at": "2026-04-06T00:00:00"}, "#/start_at"),
        (SUPPLY, {"known_at": "2026-04-06T00:00:01Z"}, "#/known_at"),
        (SUPPLY, {"source": "synthetic"}, "#/source"),
        (SUPPLY, {"source": ""}, "#/source"),
        (SUPPLY, {"unit": "MW"}, "#/unit"),
        (GRID, {"series": "solar_w"}, "#/series"),
        (GRID, {"series": "emission_g_per_kwh", "values": [-1]}, "#/values/0"),
        (GRID, {"place": {"station_id": "st-1"}}, "#/place"),
        (GRID, {"values": [1e6]}, "#/values/0"),
    ],
)
async def test_what_makes_no_sense_is_pointed_at(api: World, path: str, changes: dict[str, Any], pointer: str) -> None:
    body = supply(**changes) if path == SUPPLY else grid(**changes)
    document = problem(await post(api, path, body), 422, "invalid")
    assert document["errors"][0]["pointer"] == pointer
    assert await stored(api) == 0


async def test_a_station_nobody_knows_is_not_found(api: World) -> None:
    nobody = {"station_id": "st-404"}
    problem(await post(api, SUPPLY, supply(series="own_pv_w", place=nobody)), 404, "not_found")
    problem(await api.op("GET", "/v1/signals?station_id=st-404&series=own_pv_w"), 404, "not_found")
    await api.station("st-1", [])
    answer = await post(api, SUPPLY, supply(series="own_pv_w", place={"station_id": "st-1"}))
    assert answer.status_code == 201


@pytest.mark.parametrize(
    "query",
    [
        "series=solar_w",
        "series=solar_w&area=kyushu&station_id=st-1",
        "series=moonlight&area=kyushu",
        "area=kyushu",
        "series=solar_w&area=kyushu&from=2026-04-06T00:00:00Z&until=2026-04-06T00:00:00Z",
        "series=solar_w&area=kyushu&from=2026-04-06T00:00:00Z&until=2026-06-06T00:00:00Z",
        "series=solar_w&area=kyushu&from=yesterday",
    ],
)
async def test_a_reading_without_end_or_sense_is_refused(api: World, query: str) -> None:
    problem(await api.op("GET", f"/v1/signals?{query}"), 422, "invalid")


async def test_a_long_reading_goes_on_where_it_ended(api: World) -> None:
    days = SHOWN_MOST * 300 // 86_400 + 1
    for number in range(0, days * 288, VALUES_MOST):
        start_at = f"2026-04-{6 + number // 288:02}T{number % 288 // 12:02}:00:00Z"
        values = list(range(number, min(number + VALUES_MOST, days * 288)))
        assert (await post(api, SUPPLY, supply(period_s=300, start_at=start_at, values=values))).status_code == 201
    seen: list[float] = []
    at = NOW
    for _ in range(3):
        page = (await api.op("GET", f"/v1/signals?area=kyushu&series=solar_w&from={at}&until=2026-04-25T00:00:00Z")).json()
        seen += [item["value"] for item in page["values"]]
        at = page["next_from"]
        if at is None:
            break
    assert seen == [float(number) for number in range(days * 288)]


async def test_nothing_is_read_before_it_is_known(api: World) -> None:
    await post(api, SUPPLY, supply())
    await api.pool.execute("UPDATE signal SET known_at = known_at + interval '1 hour'")
    read = (await api.op("GET", f"/v1/signals?area=kyushu&series=solar_w&from={NOW}")).json()
    assert read["values"] == []
    assert read["meaning"] == SERIES["solar_w"].meaning
