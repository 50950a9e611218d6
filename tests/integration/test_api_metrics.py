"""GET /metrics over a real database: who may read it, what it says, and that dashboard and alerts ask for what there is."""

import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import yaml
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from service.api.app import make_app
from service.api.metrics import KEPT_S, Metrics
from service.cli.healthcheck import what_is_wrong
from service.cycle import run_cycle
from service.settings import Settings
from service.store.pool import pool_of
from tests import api_world
from tests.api_world import OFFER_KEY, World, wall_now

api = api_world.api

DEPLOY = Path(__file__).parents[2] / "deploy"
TOKEN = "a token of the metrics"
_BARE = {"up", "ALERTS"}
"""What Prometheus itself makes."""


@asynccontextmanager
async def client_of(metrics: Metrics, *, host: str = "127.0.0.1", client: str = "127.0.0.1") -> AsyncIterator[httpx.AsyncClient]:
    nothing: Any = None
    app = make_app(nothing, nothing, nothing, nothing, OFFER_KEY, wall_now=wall_now, station_silence_s=600, metrics=metrics)
    transport = httpx.ASGITransport(app=app, client=(client, 40000))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}:8000") as http:
        yield http


def metrics_of(world: World, token: str | None = None, **more: Any) -> Metrics:
    return Metrics(more.pop("pool", world.pool), world.clock, area="kyushu", station_silence_s=600, token=token, **more)


async def read(metrics: Metrics) -> tuple[str, dict[str, Metric]]:
    async with client_of(metrics) as http:
        answer = await http.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return answer.text, {family.name: family for family in text_string_to_metric_families(answer.text)}


def value(families: dict[str, Metric], name: str, **labels: str) -> float:
    [sample] = [sample for sample in families[name].samples if labels.items() <= sample.labels.items()]
    return sample.value


@pytest.fixture
async def fleet(api: World, new_id: Callable[[str], str]) -> World:
    """Two stations, one connected, with a plan."""
    await api.register(riders=1, packs=12)
    await api.station("st-near", ["PK-003", "PK-004", "PK-005"], soc=0.4)
    await api.station("st-far", ["PK-006"], connected=False)
    await api.pool.execute("UPDATE station SET max_import_ac_w = 2500")
    async with api.pool.acquire() as connection:
        assert await run_cycle(connection, api.clock, area="kyushu", solve_limit_s=10, new_id=new_id)
    return api


async def test_without_a_token_of_ours_only_this_machine_is_answered(api: World) -> None:
    metrics = metrics_of(api)
    for host, client, headers, status in (
        ("127.0.0.1", "127.0.0.1", {}, 200),
        ("localhost", "::1", {}, 200),
        ("127.0.0.1", "10.0.0.7", {}, 403),
        ("denchi.example", "127.0.0.1", {}, 403),
        ("127.0.0.1", "127.0.0.1", {"X-Forwarded-For": "10.0.0.7"}, 403),
    ):
        async with client_of(metrics, host=host, client=client) as http:
            answer = await http.get("/metrics", headers=headers)
        assert answer.status_code == status, (host, client, headers)
        assert status == 200 or answer.json()["type"] == "/problems/forbidden"


async def test_with_a_token_of_ours_everybody_needs_it(api: World) -> None:
    async with client_of(metrics_of(api, TOKEN), host="api", client="10.0.0.7") as http:
        for authorization in (None, TOKEN, "Bearer", "Bearer another", f"Basic {TOKEN}", f"Bearer {api.token('op', 'operator')}"):
            answer = await http.get("/metrics", headers={"Authorization": authorization} if authorization else {})
            assert answer.status_code == 401, authorization
            assert answer.headers["www-authenticate"].startswith("Bearer")
            assert answer.json()["type"] == "/problems/unauthenticated"
        assert (await http.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})).status_code == 200
    with pytest.raises(ValueError, match="empty"):
        metrics_of(api, "")


async def test_it_is_no_part_of_the_api_that_is_described(api: World) -> None:
    async with client_of(metrics_of(api)) as http:
        assert "/metrics" not in (await http.get("/openapi.json")).json()["paths"]


async def test_it_says_what_the_tables_say(fleet: World) -> None:
    await fleet.pool.execute("INSERT INTO refusal_count VALUES ('unknown_station', 3)")
    await fleet.pool.execute(
        "INSERT INTO station_event (station_id, epoch, boot, seq, kind, ts, received_at, body)"
        " VALUES ('st-near', 1, 1, 9, 'slot', $1, $1, '{}')",
        fleet.clock.now() - timedelta(seconds=40),
    )
    fleet.clock.advance(5)
    text, families = await read(metrics_of(fleet))
    assert value(families, "denchi_database_up") == 1
    assert value(families, "denchi_fleet_time_seconds") == fleet.clock.now().timestamp()
    assert value(families, "denchi_stations") == 2
    assert value(families, "denchi_stations_connected") == 1
    assert value(families, "denchi_stations_heard") == 2
    assert value(families, "denchi_slots", status="occupied") == 4
    assert value(families, "denchi_packs", place="slot", condition="ok") == 4
    assert value(families, "denchi_packs", place="asset", condition="ok") == 2
    assert value(families, "denchi_station_packs", state="idle") == 3
    assert value(families, "denchi_messages_refused", reason="unknown_station") == 3
    assert value(families, "denchi_station_events_waiting") == 1
    assert value(families, "denchi_station_event_oldest_seconds") == 45
    assert value(families, "denchi_plan_age_seconds") == 5
    assert value(families, "denchi_plan_gap_ratio") < 0.01
    [plan] = families["denchi_plan_info"].samples
    assert plan.labels["price_source"].startswith("synthetic")
    assert value(families, "denchi_price_jpy_per_kwh", area="kyushu", source="synthetic") > 0
    assert value(families, "denchi_commands_open") == 1, "the schedule of the one connected station"
    assert families["process_resident_memory_bytes"].samples
    for name in ("PK-0", "st-near", "rider-1"):
        assert name not in text, "nobody is a label"


async def test_a_swap_is_counted_by_its_status_for_a_day(fleet: World) -> None:
    await fleet.station("st-full", ["PK-007", "PK-008"], soc=0.95)
    reservation = await fleet.reserve()
    body = {"reservation_id": reservation["reservation_id"]}
    assert (await fleet.call("POST", "/v1/swaps", body, key="swap-1")).status_code == 503, (
        "there is no station that would hear it"
    )
    status = await fleet.pool.fetchval("SELECT status FROM swap")
    _, families = await read(metrics_of(fleet))
    assert value(families, "denchi_swaps_day", status=status) == 1
    fleet.clock.advance(86_401)
    _, families = await read(metrics_of(fleet))
    assert families["denchi_swaps_day"].samples == []


async def test_within_a_second_the_database_is_not_asked_again(fleet: World) -> None:
    wall_s = 100.0
    metrics = metrics_of(fleet, monotonic=lambda: wall_s)
    _, before = await read(metrics)
    fleet.clock.advance(60)
    wall_s += KEPT_S / 2
    assert value((await read(metrics))[1], "denchi_plan_age_seconds") == value(before, "denchi_plan_age_seconds")
    wall_s += KEPT_S
    assert value((await read(metrics))[1], "denchi_plan_age_seconds") == value(before, "denchi_plan_age_seconds") + 60


async def test_without_the_database_it_says_so_and_speaks_of_itself(api: World, database: str) -> None:
    pool = await asyncpg.create_pool(database, min_size=0, max_size=1)
    await pool.close()
    _, families = await read(metrics_of(api, pool=pool))
    assert value(families, "denchi_database_up") == 0
    assert "denchi_stations" not in families
    assert families["process_cpu_seconds"].samples


async def test_a_role_is_well_while_it_speaks_to_the_database(fleet: World, database: str) -> None:
    settings = Settings(database_url=database)
    assert "not connected" in str(await what_is_wrong("desk", settings))
    async with pool_of(database, role="desk", size=2) as connections:
        await connections.execute("SELECT 1")
        assert await what_is_wrong("desk", settings) is None
        assert "not connected" in str(await what_is_wrong("ingest", settings)), "the desk is not ingest"
        _, families = await read(metrics_of(fleet))
        assert 0 <= value(families, "denchi_role_silence_seconds", role="desk") < 10
    unreachable = Settings(database_url="postgresql://denchi@127.0.0.1:1/denchi")
    assert "does not answer" in str(await what_is_wrong("plan", unreachable))


async def test_dashboard_and_alerts_ask_only_for_what_there_is(fleet: World, database: str) -> None:
    async with pool_of(database, role="api", size=2) as connections:
        text, _ = await read(metrics_of(fleet, pool=connections))
    there = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)) | _BARE
    asked = dict(_expressions())
    assert len(asked) > 30
    for expression, where in asked.items():
        bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[\w+\]', "", expression)
        names = set(re.findall(r"\b(?:denchi_\w+|process_\w+|python_\w+|up|ALERTS)\b", bare))
        assert names, expression
        assert names <= there, f"{where}: {names - there}"
        labels = {
            (name, label)
            for name, inside in re.findall(r"(denchi_\w+)\{([^}]*)\}", expression)
            for label in re.findall(r"(\w+)=", inside)
        }
        assert labels <= {("denchi_swaps_day", "status")}, where


def _expressions() -> list[tuple[str, str]]:
    board = json.loads((DEPLOY / "grafana/dashboards/denchi.json").read_text())
    found = [(target["expr"], panel["title"]) for panel in board["panels"] for target in panel["targets"]]
    for group in yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text())["groups"]:
        found += [(rule["expr"], rule["alert"]) for rule in group["rules"]]
    return found
