"""Who may see the console: this machine only, or who knows the password. Stands before every route and the live line.

Plain ASGI, so that pages, files and WebSockets pass the same gate.
"""

import asyncio
import hashlib
import hmac
import html
import ipaddress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

OPEN_PATHS = ("/livez", "/readyz")
SESSION_KEY = "operator"
LOGIN_PAUSE_S = 1.0
"""Wall seconds a wrong password costs; wrong passwords wait for each other. Guess."""
LONGEST_FORM_BYTES = 4096

_CONTENT_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self'; frame-ancestors 'none'; form-action 'self'; base-uri 'self'"
)
"""The browser itself refuses anything from outside. NiceGUI compiles templates in the browser, hence 'unsafe-eval'."""


_LOGIN_PAGE = (Path(__file__).parent / "web" / "login.html").read_text()


class NotSafeError(ValueError):
    """The console was asked to listen to other machines without a password."""


def is_loopback(host: str) -> bool:
    """Return whether `host` names this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def session_secret(password: str) -> str:
    """Return the key that signs login cookies: the same after a restart, another after a change of the password."""
    return hashlib.scrypt(password.encode(), salt=b"denchi console login", n=16_384, r=8, p=1).hex()


class Gate:
    """Let in who may see the console. With a password there must be a session middleware around the gate."""

    def __init__(self, app: ASGIApp, password: str | None) -> None:
        self._app = app
        self._password = password
        self._one_guess = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, answer with the login page, or refuse."""
        if scope["type"] not in ("http", "websocket") or scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
        elif not self._host_is_ours(scope):
            await _refuse(scope, receive, send, 403, "This console answers its own address only.")
        elif self._password is None or scope["session"].get(SESSION_KEY) is True:
            await self._app(scope, receive, _with_headers(send))
        elif scope["type"] == "websocket":
            await _refuse(scope, receive, send, 403, "Log in first.")
        elif scope["path"] == "/login" and scope["method"] == "POST":
            await self._log_in(scope, receive, send)
        elif scope["path"] == "/" or scope["path"].startswith("/stations/") or scope["path"] == "/login":
            await _login_page("")(scope, receive, _with_headers(send))
        else:
            await _refuse(scope, receive, send, 401, "Log in first.")

    def _host_is_ours(self, scope: Scope) -> bool:
        """Refuse what another page made this browser send: a foreign name for this machine, a foreign origin."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._password is None and not is_loopback(urlsplit(f"//{host}").hostname or ""):
            return False
        origin = headers.get("origin")
        return origin is None or urlsplit(origin).netloc == host

    async def _log_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        async for chunk in Request(scope, receive).stream():
            body += chunk
            if len(body) > LONGEST_FORM_BYTES:
                await _refuse(scope, receive, send, 413, "Too long for a password.")
                return
        given = parse_qs(body.decode("utf-8", "replace")).get("password", [""])[0]
        async with self._one_guess:
            right = hmac.compare_digest(given.encode(), (self._password or "").encode())
            if not right:
                await asyncio.sleep(LOGIN_PAUSE_S)
        answer: Response
        if right:
            scope["session"][SESSION_KEY] = True
            answer = RedirectResponse("/", status_code=303)
        else:
            answer = _login_page("This password is not right.", status_code=401)
        await answer(scope, receive, _with_headers(send))


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["content-security-policy"] = _CONTENT_POLICY
            headers["x-content-type-options"] = "nosniff"
            headers["referrer-policy"] = "same-origin"
        await send(message)

    return send_with_headers


async def _refuse(scope: Scope, receive: Receive, send: Send, status_code: int, words: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": words})
    else:
        await PlainTextResponse(words, status_code=status_code)(scope, receive, send)


def _login_page(words: str, status_code: int = 200) -> HTMLResponse:
    return HTMLResponse(_LOGIN_PAGE.replace("WORDS", html.escape(words)), status_code=status_code)
