"""Who gets in: every route is walked without a token, with wrong ones, and with the wrong scope."""

import base64
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.routing import Mount

from service.api.boundary import OPEN_PATHS
from tests import api_world
from tests.api_world import AUDIENCE, ISSUER, World, filled, operations, wall_now

api = api_world.api


def flat(routes: list[Any]) -> list[Any]:
    """Return all routes, those of included routers too."""
    found: list[Any] = []
    for route in routes:
        inner = getattr(route, "original_router", None)
        found += flat(inner.routes) if inner is not None else [route]
    return found


async def test_every_route_but_health_and_documentation_needs_a_token(api: World) -> None:
    walked = 0
    for route in flat(api.app.routes):
        if isinstance(route, Mount):
            assert route.path == "/docs/assets"
            continue
        for method in route.methods or {"GET"}:
            answer = await api.client.request(method, filled(route.path), json={})
            is_open = route.path in OPEN_PATHS or route.path == "/problems/{name}"
            assert (answer.status_code == 401) != is_open, (method, route.path, answer.status_code)
            if not is_open:
                assert answer.headers["www-authenticate"].startswith("Bearer")
                assert method == "HEAD" or answer.json()["type"] == "/problems/unauthenticated"
                walked += 1
    assert walked >= 25
    assert {path for _, path, _ in operations(api)} - OPEN_PATHS == {p for _, p, _ in operations(api) if p.startswith("/v1/")}


async def test_an_unknown_address_is_not_even_unknown_without_a_token(api: World) -> None:
    assert (await api.client.get("/v1/secrets")).status_code == 401
    assert (await api.op("GET", "/v1/secrets")).status_code == 404


async def test_operators_routes_are_closed_to_riders(api: World) -> None:
    closed = 0
    for method, path, spec in operations(api):
        if spec["tags"] == ["operators"]:
            answer = await api.call(method, filled(path))
            assert answer.status_code in (403, 422), (method, path)
            if answer.status_code == 422:  # a body is judged too; an empty one says so, but nothing was done
                continue
            assert answer.json()["type"] == "/problems/forbidden"
            closed += 1
    assert closed >= 8


async def test_a_token_without_a_fitting_scope_is_forbidden_everywhere(api: World) -> None:
    for path in ("/v1/me", "/v1/stations", "/v1/swaps", "/v1/packs"):
        answer = await api.call("GET", path, who="m", scope="market")
        assert answer.status_code == 403, path
        assert "insufficient_scope" in answer.headers["www-authenticate"]


def _foreign(claims: dict[str, Any], algorithm: str = "EdDSA", **headers: Any) -> str:
    return jwt.encode(claims, Ed25519PrivateKey.generate(), algorithm, headers=headers)


async def test_every_kind_of_wrong_token_is_refused(api: World) -> None:
    good = api.token("rider-1")
    head, payload, signature = good.split(".")
    kid = jwt.get_unverified_header(good)["kid"]
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "rider-1", "scope": "operator", "exp": wall_now().timestamp() + 60}
    unsigned = base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": kid}).encode()).decode().rstrip("=")
    wrong = {
        "expired": api.token("rider-1", lifetime_s=-60),
        "other issuer": api.token("rider-1", issuer="https://evil.test"),
        "other audience": api.token("rider-1", audience="other"),
        "foreign key, our kid": _foreign(claims, kid=kid),
        "foreign key, its kid": _foreign(claims, kid="other"),
        "no signature": f"{unsigned}.{payload}.",
        "changed payload": f"{head}.{payload[:-4]}AAAA.{signature}",
        "symmetric": jwt.encode(claims, "x" * 64, "HS256", headers={"kid": kid}),
        "garbage": "not-a-token",
        "dots": "...",
        "long": "a" * 5000,
        "latin": "\xe9.\xe9.\xe9",
    }
    for what, token in wrong.items():
        answer = await api.client.get("/v1/me", headers={"Authorization": f"Bearer {token}".encode("latin-1")})
        assert answer.status_code == 401, what
        assert "invalid_token" in answer.headers["www-authenticate"], what
    assert (await api.client.get("/v1/me", headers={"Authorization": f"Basic {good}"})).status_code == 401
    assert (await api.client.get("/v1/me", headers={"Authorization": f"Bearer {good}"})).status_code == 200


@pytest.mark.parametrize("subject", ["a b", "x" * 200, "ü"])
async def test_a_subject_that_cannot_be_one_of_ours_is_refused(api: World, subject: str) -> None:
    answer = await api.client.get("/v1/me", headers={"Authorization": f"Bearer {api.token(subject)}"})
    assert answer.status_code == 401


async def test_a_rider_sees_only_himself(api: World) -> None:
    await api.register(riders=2)
    await api.station("st-1", ["PK-005", "PK-006"])
    mine = await api.reserve("rider-1")
    path = f"/v1/reservations/{mine['reservation_id']}"
    assert (await api.call("GET", path, who="rider-1")).json() == mine
    for method in ("GET", "DELETE"):
        assert (await api.call(method, path, who="rider-2")).status_code == 404
    assert (await api.call("GET", "/v1/reservations", who="rider-2")).json()["reservations"] == []
    assert (await api.call("GET", "/v1/reservations?rider_id=rider-1", who="rider-2")).status_code == 404
    assert (await api.call("POST", "/v1/offers", {"vehicle_id": "vehicle-1"}, who="rider-2")).status_code == 404
    assert (
        await api.call("POST", "/v1/offers", {"vehicle_id": "vehicle-1", "rider_id": "rider-1"}, who="rider-2")
    ).status_code == 404
    start = await api.call("POST", "/v1/swaps", {"reservation_id": mine["reservation_id"]}, who="rider-2", key="k")
    assert start.status_code == 404
    assert (await api.op("GET", "/v1/reservations?rider_id=rider-1")).json()["reservations"] == [mine]


async def test_an_operator_acts_for_a_rider_by_naming_him(api: World) -> None:
    await api.register()
    await api.station("st-1", ["PK-005", "PK-006"])
    unnamed = await api.op("POST", "/v1/offers", {"vehicle_id": "vehicle-1"})
    assert (unnamed.status_code, unnamed.json()["errors"][0]["pointer"]) == (422, "#/rider_id")
    offer = (await api.op("POST", "/v1/offers", {"vehicle_id": "vehicle-1", "rider_id": "rider-1"})).json()["offers"][0]
    made = await api.op("POST", "/v1/reservations", {"offer_id": offer["offer_id"], "rider_id": "rider-1"}, key="k1")
    assert (made.status_code, made.json()["rider_id"]) == (201, "rider-1")


async def test_me_shows_the_rider_and_his_vehicles(api: World) -> None:
    await api.register()
    me = (await api.call("GET", "/v1/me")).json()
    assert (me["subject"], me["name"], me["scopes"], me["open_debts"]) == ("rider-1", "Rider 1", ["rider"], 0)
    assert me["vehicles"][0]["serial_numbers"] == ["PK-001", "PK-002"]
    assert (await api.op("GET", "/v1/me")).json()["name"] is None


async def test_a_rider_who_is_an_operator_too_acts_for_himself_unless_he_names_another(api: World) -> None:
    await api.register(riders=2)
    await api.station("st-1", ["PK-005", "PK-006"])
    for body in ({"vehicle_id": "vehicle-1"}, {"vehicle_id": "vehicle-2", "rider_id": "rider-2"}):
        answer = await api.call("POST", "/v1/offers", body, who="rider-1", scope="rider operator")
        assert (answer.status_code, len(answer.json()["offers"])) == (200, 1)
