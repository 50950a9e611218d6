"""The console as a process: NiceGUI on a FastAPI app of ours, served by a uvicorn whose life we hold in our hands."""

import asyncio

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from nicegui import ui
from starlette.middleware.sessions import SessionMiddleware

from service.console.gate import Gate, NotSafeError, is_loopback, session_secret
from service.console.page import add_pages
from service.console.watch import Watch
from service.domain.clock import Clock
from service.serving import serve

_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect x="12" y="2" width="8" height="4" rx="1" fill="#2f6fb0"/>'
    '<rect x="7" y="5" width="18" height="25" rx="3" fill="#fff" stroke="#2f6fb0" stroke-width="2.5"/>'
    '<rect x="10" y="14" width="12" height="13" rx="1" fill="#9fd3a4"/></svg>'
)

LOGIN_LASTS_S = 12 * 3600
"""Wall seconds after which an operator logs in again. Guess: a working day."""


async def run_console(
    dsn: str,
    clock: Clock,
    *,
    host: str,
    port: int,
    password: str | None,
    area: str,
    station_silence_s: float,
    stop: asyncio.Event,
) -> None:
    """Serve the console until `stop`. NiceGUI is one per process: call it once.

    Parameters
    ----------
    dsn : database, with its password. It may be away, now or later: the page says so and goes on.
    password : of the one operator login; None: `host` must be a loopback address.
    area : price and supply area of the fleet.
    station_silence_s : silence [fleet s] after which a station counts as not heard.

    Raises
    ------
    NotSafeError
        When other machines could reach the console without a password, or the password is empty.
    OSError
        When the address is taken.
    """
    if password is None and not is_loopback(host):
        raise NotSafeError(
            f"without a console password the console answers this machine only, not {host}; set DENCHI_CONSOLE_PASSWORD_FILE"
        )
    if password == "":
        raise NotSafeError("the console's password is empty; write one into the file of DENCHI_CONSOLE_PASSWORD_FILE")
    watch = Watch(dsn, clock, area, station_silence_s)
    app = make_app(watch, clock, password, station_silence_s)
    watching = asyncio.create_task(watch.run(stop))
    try:
        await serve(app, host, port, stop)
    finally:
        stop.set()
        await watching


def make_app(watch: Watch, clock: Clock, password: str | None, station_silence_s: float) -> FastAPI:
    """Return the ASGI app: the pages behind the gate, ``/livez`` and ``/readyz`` before it."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)

    @app.get("/livez")
    async def livez() -> JSONResponse:
        return JSONResponse({"status": "live"})

    @app.get("/readyz")
    async def readyz() -> JSONResponse:
        ready = watch.fleet is not None and watch.failure is None
        return JSONResponse({"status": "ready" if ready else "database away"}, status_code=200 if ready else 503)

    add_pages(watch, clock, station_silence_s)
    ui.run_with(
        app, title="denchi", favicon=_ICON, language="en-US", tailwind=False, reconnect_timeout=10.0, show_welcome_message=False
    )
    app.add_middleware(Gate, password=password)
    if password is not None:
        # Added last, so it is outermost: the gate finds the session in the scope.
        app.add_middleware(
            SessionMiddleware,
            secret_key=session_secret(password),
            session_cookie="denchi_console",
            max_age=LOGIN_LASTS_S,
            same_site="lax",
        )
    return app
