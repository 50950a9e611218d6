"""Who gets through the console's gate; HTTP through a real ASGI app, no network."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import PlainTextResponse

from service.console import gate
from service.console.app import run_console
from service.console.gate import Gate, NotSafeError, is_loopback, session_secret

REST: dict[str, Any] = {"area": "kyushu", "station_silence_s": 600, "stop": asyncio.Event()}


def client_of(password: str | None, base_url: str = "http://127.0.0.1:8001") -> httpx.AsyncClient:
    inner = PlainTextResponse("the fleet")
    app = SessionMiddleware(Gate(inner, password), secret_key=session_secret(password or ""), session_cookie="denchi_console")
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=base_url)


@pytest.fixture
async def locked(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    monkeypatch.setattr(gate, "LOGIN_PAUSE_S", 0.0)
    async with client_of("sesame", "http://console.example") as client:
        yield client


def test_only_addresses_of_this_machine_are_loopback() -> None:
    assert [is_loopback(host) for host in ("127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost")] == [True] * 5
    assert [is_loopback(host) for host in ("0.0.0.0", "::", "10.0.0.1", "console.example", "")] == [False] * 5


async def test_the_console_refuses_to_listen_to_others_without_a_password(clock: Any) -> None:
    with pytest.raises(NotSafeError, match="DENCHI_CONSOLE_PASSWORD_FILE"):
        await run_console("", clock, host="0.0.0.0", port=0, password=None, **REST)


async def test_an_empty_password_is_refused(clock: Any) -> None:
    with pytest.raises(NotSafeError, match="empty"):
        await run_console("", clock, host="127.0.0.1", port=0, password="", **REST)


async def test_without_a_password_this_machine_gets_in_and_a_foreign_name_for_it_does_not() -> None:
    async with client_of(None) as client:
        assert (await client.get("/")).text == "the fleet"
        assert (await client.get("/", headers={"host": "evil.example"})).status_code == 403
        assert (await client.get("/", headers={"origin": "http://evil.example"})).status_code == 403
        assert (await client.get("/", headers={"origin": "http://127.0.0.1:8001"})).status_code == 200


async def test_health_is_open_to_whoever_asks(locked: httpx.AsyncClient) -> None:
    assert (await locked.get("/livez")).text == "the fleet"


async def test_before_the_login_pages_give_the_form_and_everything_else_is_refused(locked: httpx.AsyncClient) -> None:
    for path in ("/", "/stations/st-1"):
        answer = await locked.get(path)
        assert "Password" in answer.text
        assert "the fleet" not in answer.text
    for path in ("/_nicegui/x", "/_nicegui_ws/socket.io/", "/anything"):
        assert (await locked.get(path)).status_code == 401


async def test_the_right_password_opens_and_stays_open(locked: httpx.AsyncClient) -> None:
    answer = await locked.post("/login", data={"password": "sesame"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert (await locked.get("/")).text == "the fleet"


@pytest.mark.parametrize("body", [b"password=wrong", b"", b"password=", b"\xff\xfe=\x00", b"password=sesame%20", b"{}"])
async def test_a_wrong_or_broken_login_is_refused(locked: httpx.AsyncClient, body: bytes) -> None:
    answer = await locked.post("/login", content=body)
    assert answer.status_code == 401
    assert "not right" in answer.text
    assert "the fleet" not in (await locked.get("/")).text


async def test_an_endless_login_is_cut_off(locked: httpx.AsyncClient) -> None:
    assert (await locked.post("/login", content=b"x" * 5000)).status_code == 413


async def test_a_forged_or_older_cookie_does_not_open(locked: httpx.AsyncClient) -> None:
    async with client_of("older password", "http://console.example") as other:
        await other.post("/login", data={"password": "older password"})
        stolen = other.cookies["denchi_console"]
    locked.cookies.set("denchi_console", stolen)
    assert "the fleet" not in (await locked.get("/")).text


async def test_the_live_line_is_closed_before_the_login() -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/_nicegui_ws/", "headers": [(b"host", b"console.example")], "session": {}}
    await Gate(PlainTextResponse("the fleet"), "sesame")(scope, receive, send)
    assert [message["type"] for message in sent] == ["websocket.close"]
