"""What happens to every request before a route sees it: a trace id, a caller, a body that is JSON."""

import re
import secrets

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.auth import Caller, KeysAwayError, TokenRefusedError, TokenVerifier
from service.api.bodies import BODY_LIMIT_BYTES, check_json, check_media_type
from service.api.errors import ProblemError

log = structlog.get_logger()

OPEN_PATHS = frozenset({"/livez", "/readyz", "/openapi.json", "/docs", "/problems", "/metrics"})
"""What answers without an access token: health, the documentation of the API itself; metrics ask for a token of their own."""
OPEN_PREFIXES = ("/problems/", "/docs/assets/")
_DRAIN_LIMIT_BYTES = 8 * BODY_LIMIT_BYTES
"""Guess: so much of a body without a length is read and dropped, so that its sender hears the answer; then we hang up."""
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


class Boundary:
    """ASGI middleware around the whole application; `verifier` judges tokens."""

    def __init__(self, app: ASGIApp, verifier: TokenVerifier) -> None:
        self._app = app
        self._verifier = verifier

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; whatever breaks inside becomes a problem document without a stack trace."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        trace_id = _trace_id(headers.get("traceparent"))
        state = scope.setdefault("state", {})
        state["trace_id"] = trace_id
        begun = False

        async def send_traced(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                MutableHeaders(scope=message)["X-Trace-Id"] = trace_id
            await send(message)

        structlog.contextvars.bind_contextvars(trace_id=trace_id)
        try:
            if not (scope["path"] in OPEN_PATHS or scope["path"].startswith(OPEN_PREFIXES)):
                state["caller"] = await self._caller(headers.get("authorization"))
            await self._app(scope, await _checked_body(scope, headers, receive), send_traced)
        except ProblemError as problem:
            await problem.response(trace_id)(scope, receive, send_traced)
        except Exception:
            log.exception("api.failed", method=scope["method"], path=scope["path"])
            if begun:
                raise
            await ProblemError("internal", "the request could not be served").response(trace_id)(scope, receive, send_traced)
        finally:
            structlog.contextvars.unbind_contextvars("trace_id")

    async def _caller(self, authorization: str | None) -> Caller:
        kind, _, token = (authorization or "").partition(" ")
        if kind.lower() != "bearer" or not token.strip():
            raise ProblemError("unauthenticated", "send an access token", headers={"WWW-Authenticate": 'Bearer realm="denchi"'})
        try:
            return await self._verifier.verify(token.strip())
        except TokenRefusedError as refusal:
            challenge = f'Bearer realm="denchi", error="invalid_token", error_description="{refusal}"'
            raise ProblemError("unauthenticated", str(refusal), headers={"WWW-Authenticate": challenge}) from None
        except KeysAwayError:
            raise ProblemError("identity_provider_away", "tokens cannot be checked now", headers={"Retry-After": "5"}) from None


def _trace_id(traceparent: str | None) -> str:
    found = _TRACEPARENT.fullmatch(traceparent or "")
    return found[1] if found else secrets.token_hex(16)


async def _checked_body(scope: Scope, headers: Headers, receive: Receive) -> Receive:
    """Read the body of a request that may have one, judge it, and return a `receive` that gives it again."""
    announced = headers.get("content-length", "")
    too_large = ProblemError("too_large", f"the body may have {BODY_LIMIT_BYTES} bytes", headers={"Connection": "close"})
    if announced.isdecimal() and (len(announced) > 12 or int(announced) > BODY_LIMIT_BYTES):
        raise too_large
    if scope["method"] not in ("POST", "PUT", "PATCH"):
        return receive
    raw = bytearray()
    received = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        received += len(message.get("body", b""))
        more = message.get("more_body", False)
        if received <= BODY_LIMIT_BYTES:
            raw += message.get("body", b"")
        elif received > _DRAIN_LIMIT_BYTES:
            break
    if received > BODY_LIMIT_BYTES:
        raise too_large
    if raw:
        check_media_type(headers.get("content-type", ""))
        check_json(bytes(raw))
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": bytes(raw), "more_body": False}

    return again
