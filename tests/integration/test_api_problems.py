"""Errors over HTTP: always problem details, never a stack trace, never silence about the database."""

import asyncio
import json
from typing import Any

import asyncpg
import httpx
import pytest

from service.api.errors import PROBLEMS
from service.standalone.database import Database
from service.store.migrate import migrate
from tests import api_world
from tests.api_world import World, open_world

api = api_world.api


def problem(answer: httpx.Response, status: int, name: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert document["type"] == f"/problems/{name}"
    assert document["status"] == status
    assert answer.headers["x-trace-id"] == document["trace_id"]
    return document


async def raw(api: World, body: bytes, content_type: str = "application/json", path: str = "/v1/packs") -> httpx.Response:
    headers = {"Authorization": f"Bearer {api.token('op', 'operator')}", "Content-Type": content_type, "Idempotency-Key": "k"}
    return await api.client.post(path, content=body, headers=headers)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"",
        b'{"packs": NaN}',
        b'{"packs": [Infinity]}',
        b"\xff\xfe{}",
        b"[" * 100_000,
        b"9" * 5000,
        b"[" * 40 + b"]" * 40,
        b"\xef\xbb\xbf{}",
    ],
    ids=["open", "empty", "nan", "infinity", "utf-16", "abyss", "huge number", "deep", "bom"],
)
async def test_what_is_not_json_is_said_to_be_not_json(api: World, body: bytes) -> None:
    answer = await raw(api, body)
    if body:
        problem(answer, 400, "malformed_json")
    else:
        problem(answer, 422, "invalid")


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/xml", "", "application/json; charset=utf-16", "multipart/form-data; boundary=x"]
)
async def test_another_content_type_is_refused(api: World, content_type: str) -> None:
    problem(await raw(api, b"{}", content_type), 415, "unsupported_media_type")


async def test_wrong_values_are_pointed_at(api: World) -> None:
    body = {"packs": [{"serial_number": "ok-1", "pack_model_id": "pm-1"}, {"serial_number": "", "pack_model_id": 7, "~a/b": 1}]}
    document = problem(await api.op("POST", "/v1/packs", body), 422, "invalid")
    assert {error["pointer"] for error in document["errors"]} == {
        "#/packs/1/serial_number",
        "#/packs/1/pack_model_id",
        "#/packs/1/~0a~1b",
    }


@pytest.mark.parametrize("text", ["a\u0000b", "\ud800", "x\udfff"])
async def test_text_that_cannot_be_stored_is_refused_where_it_stands(api: World, text: str) -> None:
    body = json.dumps({"riders": [{"rider_id": "r", "name": text}]}).encode()
    document = problem(await raw(api, body, path="/v1/riders"), 422, "invalid")
    assert document["errors"][0]["pointer"] == "#/riders/0/name"


async def test_a_body_beyond_one_mebibyte_is_refused_announced_or_not(api: World) -> None:
    big = b'{"packs": "' + b"x" * (1 << 20) + b'"}'
    problem(await raw(api, big), 413, "too_large")

    async def chunks() -> Any:
        for _ in range(64):
            yield b"x" * 65536

    headers = {"Authorization": f"Bearer {api.token('op', 'operator')}", "Content-Type": "application/json"}
    problem(await api.client.post("/v1/packs", content=chunks(), headers=headers), 413, "too_large")


async def test_unknown_addresses_and_methods_are_problems(api: World) -> None:
    problem(await api.op("GET", "/v1/nothing"), 404, "not_found")
    answer = await api.op("PUT", "/v1/packs", {})
    problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"]


@pytest.mark.parametrize("path", ["/v1/swaps/%00", "/v1/swaps/a%20b", "/v1/stations/%F0%9F%98%80", "/v1/plans/" + "x" * 300])
async def test_ids_that_can_be_nobodys_are_refused(api: World, path: str) -> None:
    assert (await api.op("GET", path)).status_code in (404, 422)


async def test_a_broken_route_answers_500_without_a_stack_trace(api: World) -> None:
    async def broken() -> None:
        raise RuntimeError("secret detail")

    api.app.add_api_route("/v1/broken", broken)
    answer = await api.op("GET", "/v1/broken")
    problem(answer, 500, "internal")
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text


async def test_the_trace_of_the_caller_is_kept(api: World) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    answer = await api.client.get("/v1/me", headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
    assert problem(answer, 401, "unauthenticated")["trace_id"] == trace
    assert answer.headers["x-trace-id"] == trace


async def test_every_problem_type_has_a_page(api: World) -> None:
    everything = (await api.client.get("/problems")).text
    for name in PROBLEMS:
        page = await api.client.get(f"/problems/{name}")
        assert (page.status_code, page.text.splitlines()[0]) == (200, f"/problems/{name}")
        assert page.text.strip() in everything
    assert (await api.client.get("/problems/none")).status_code == 404


async def test_a_database_that_went_away_is_a_503_and_comes_back(
    private_postgres: Database, clock: Any, new_id: Any, tmp_path: Any, eventually: Any
) -> None:
    connection = await asyncpg.connect(private_postgres.dsn("postgres"))
    await migrate(connection)
    await connection.close()
    pool = await asyncpg.create_pool(private_postgres.dsn("postgres"), min_size=1, max_size=4)
    async with open_world(pool, clock, new_id, tmp_path) as api:
        assert (await api.client.get("/readyz")).status_code == 200
        await asyncio.to_thread(private_postgres.stop)
        for path in ("/readyz", "/v1/stations", "/v1/fleet"):
            answer = await api.op("GET", path)
            problem(answer, 503, "database_away")
            assert int(answer.headers["retry-after"]) > 0
        problem(await api.op("POST", "/v1/pack-models", {"pack_models": [api_world.MODEL]}), 503, "database_away")
        assert (await api.client.get("/livez")).status_code == 200
        await asyncio.to_thread(private_postgres.start)

        async def ready() -> bool:
            return (await api.client.get("/readyz")).status_code == 200

        await eventually(ready, 20)
    await pool.close()


async def test_a_start_whose_database_dies_in_the_wait_goes_on_with_the_same_key(
    private_postgres: Database, clock: Any, new_id: Any, tmp_path: Any, eventually: Any
) -> None:
    connection = await asyncpg.connect(private_postgres.dsn("postgres"))
    await migrate(connection)
    await connection.close()
    pool = await asyncpg.create_pool(private_postgres.dsn("postgres"), min_size=1, max_size=6)
    async with open_world(pool, clock, new_id, tmp_path, patience_s=30) as api:
        await api.register()
        await api.station("st-1", ["PK-003", "PK-004"])
        body = {"reservation_id": (await api.reserve())["reservation_id"]}
        request = asyncio.create_task(api.call("POST", "/v1/swaps", body, key="once"))
        command = await eventually(api.sent_command, 5)
        await asyncio.to_thread(private_postgres.stop)
        problem(await request, 503, "database_away")
        await asyncio.to_thread(private_postgres.start)

        async def ready() -> bool:
            return (await api.client.get("/readyz")).status_code == 200

        await eventually(ready, 20)
        await api.answer_command(command, "accepted")
        await api.pool.execute("UPDATE idempotency SET created_at = created_at - interval '1 hour' WHERE status_code IS NULL")
        answer = await api.call("POST", "/v1/swaps", body, key="once")
        assert (answer.status_code, answer.json()["status"]) == (201, "authorised")
        assert await api.pool.fetchval("SELECT count(*) FROM command WHERE name = 'start_swap'") == 1
    await pool.close()
