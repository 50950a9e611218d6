"""Whatever is thrown at a POST, the answer is a problem that names the caller's mistake, never a 500."""

import asyncio
import itertools
import json
from typing import Any

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import api_world
from tests.api_world import World

loop_and_world = api_world.loop_and_world

PATHS = (
    *("/v1/offers", "/v1/reservations", "/v1/swaps", "/v1/pack-models", "/v1/packs", "/v1/riders", "/v1/vehicles"),
    *("/v1/supply-forecasts", "/v1/grid-signals"),
)
_keys = itertools.count(1)

wild_text = st.one_of(
    st.text(st.characters(codec=None, categories=None), max_size=20),
    st.sampled_from(
        ["", "\0", "\ud800", "a\0b", "rider-1", "'; DROP TABLE pack; --", "x" * 5000, "PK-001", "pm-1", "\u202e", "NaN", "1e999"]
    ),
)
wild_number = st.one_of(
    st.integers(), st.sampled_from([10**30, -(10**400), 2**63, 2**31, 0, -1, 1]), st.floats(), st.sampled_from([1e308, 5e-324])
)
wild = st.recursive(
    st.one_of(st.none(), st.booleans(), wild_number, wild_text),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(wild_text, inner, max_size=4)),
    max_leaves=12,
)
GOOD: dict[str, dict[str, Any]] = {
    "/v1/offers": {"vehicle_id": "vehicle-1", "rider_id": "rider-1", "near": {"latitude": 1, "longitude": 2}},
    "/v1/reservations": {"offer_id": "x", "rider_id": "rider-1"},
    "/v1/swaps": {"reservation_id": "x", "rider_id": "rider-1"},
    "/v1/pack-models": {"pack_model_id": "pm-1", "nominal_wh": 1300, "nominal_v": 48, "max_charge_w": 500},
    "/v1/packs": {"serial_number": "PK-001", "pack_model_id": "pm-1"},
    "/v1/riders": {"rider_id": "rider-1", "name": "Rider"},
    "/v1/vehicles": {
        "vehicle_id": "v",
        "rider_id": "rider-1",
        "pack_model_id": "pm-1",
        "pack_count": 1,
        "wiring": "series",
        "serial_numbers": [],
    },
    "/v1/supply-forecasts": {
        "place": {"area": "kyushu"},
        "series": "solar_w",
        "start_at": "2026-04-06T00:00:00Z",
        "period_s": 1800,
        "values": [1.0, 2.0],
        "source": "weather service",
    },
    "/v1/grid-signals": {
        "place": {"area": "kyushu"},
        "series": "import_limit_w",
        "start_at": "2026-04-06T00:00:00Z",
        "period_s": 900,
        "values": [1.0, None],
        "source": "grid",
    },
}
OPTIONAL = {
    "/v1/offers": ("arrive_from", "least_usable_wh", "limit", "station_id"),
    **dict.fromkeys(("/v1/supply-forecasts", "/v1/grid-signals"), ("known_at",)),
    "/v1/pack-models": ("hand_out_soc", "target_soc", "max_hand_out_degc", "max_cell_spread_mv"),
}
MEMBER = {"/v1/pack-models": "pack_models", "/v1/packs": "packs", "/v1/riders": "riders", "/v1/vehicles": "vehicles"}
instants = st.one_of(
    st.datetimes().map(lambda at: at.isoformat() + "Z"), st.datetimes().map(lambda at: at.isoformat() + "+23:59")
)


@st.composite
def nearly_good(draw: st.DrawFn) -> tuple[str, bytes]:
    """A good body with some members replaced by something wild."""
    path = draw(st.sampled_from(PATHS))
    item = dict(GOOD[path])
    for name in draw(st.lists(st.sampled_from([*item, *OPTIONAL.get(path, ())]), max_size=2)):
        item[name] = draw(st.one_of(wild, instants) if name in ("arrive_from", "start_at", "known_at") else wild)
    body = {MEMBER[path]: [item]} if path in MEMBER else item
    return path, json.dumps(body).encode()


anything = st.tuples(
    st.sampled_from(PATHS), st.one_of(st.binary(max_size=200), wild.map(lambda value: json.dumps(value).encode()))
)
content_types = st.one_of(
    st.just("application/json"),
    st.sampled_from(["", "application/json; charset=utf-8", "text/html", "application/json;charset=\xff", "a/b/c", "; ;", "*"]),
)


def throw(loop: asyncio.AbstractEventLoop, world: World, path: str, body: bytes, content_type: str = "application/json") -> None:
    async def send() -> Any:
        headers = [
            (b"authorization", f"Bearer {world.token('op', 'operator')}".encode()),
            (b"content-type", content_type.encode("latin-1")),
            (b"idempotency-key", f"k{next(_keys)}".encode()),
        ]
        return await world.client.post(path, content=body, headers=headers)

    answer = loop.run_until_complete(send())
    assert answer.status_code < 500, (path, body, answer.text)
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        document = answer.json()
        assert document["type"].startswith("/problems/")
        assert document["status"] == answer.status_code
        assert "Traceback" not in answer.text


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(thrown=nearly_good())
def test_a_nearly_good_body_never_breaks_the_service(loop_and_world: tuple[Any, World], thrown: tuple[str, bytes]) -> None:
    throw(*loop_and_world, *thrown)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(thrown=anything, content_type=content_types)
def test_bodies_of_every_wrong_kind_never_break_the_service(
    loop_and_world: tuple[Any, World], thrown: tuple[str, bytes], content_type: str
) -> None:
    throw(*loop_and_world, *thrown, content_type)


@settings(max_examples=300, deadline=None)
@given(
    path=st.sampled_from(
        [
            *("/v1/stations", "/v1/packs", "/v1/swaps", "/v1/reservations", "/v1/anomalies", "/v1/debts", "/v1/vehicles"),
            "/v1/signals?area=kyushu&series=solar_w",
        ]
    ),
    name=st.sampled_from(
        [
            *("cursor", "limit", "near", "radius_m", "pack_model_id", "place", "rider_id", "kind", "station_id", "open_only"),
            *("from", "until", "series", "area"),
        ]
    ),
    value=st.text(max_size=30),
)
def test_queries_of_every_wrong_kind_never_break_the_service(
    loop_and_world: tuple[Any, World], path: str, name: str, value: str
) -> None:
    loop, world = loop_and_world
    headers = {"Authorization": f"Bearer {world.token('op', 'operator')}"}
    try:
        request = world.client.build_request("GET", httpx.URL(path).copy_merge_params({name: value}), headers=headers)
    except UnicodeEncodeError:  # a lone surrogate has no place in a URL
        return
    answer = loop.run_until_complete(world.client.send(request))
    assert answer.status_code < 500, (path, name, value, answer.text)
