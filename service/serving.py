"""HTTP servers as parts of a role: uvicorn whose socket and whose life are in our hands. Knows no route."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import structlog
import uvicorn
from starlette.types import ASGIApp

log = structlog.get_logger()

GRACE_S = 3
"""Guess: wall seconds that open requests get when the role ends."""
LONGEST_WEBSOCKET_MESSAGE = 1 << 20
"""Guess: bytes; a page's own messages are far smaller."""


class _Server(uvicorn.Server):
    """A server that leaves signals alone: who started the role decides when it ends."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture nothing."""
        yield


async def serve(app: ASGIApp, host: str, port: int, stop: asyncio.Event) -> None:
    """Serve `app` until `stop` is set; sets `stop` when the server ends by itself.

    Raises
    ------
    OSError
        When the address is taken or not ours.
    """
    listener = await _listen(host, port)
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
            ws_max_size=LONGEST_WEBSOCKET_MESSAGE,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    asked = asyncio.create_task(stop.wait())
    log.info("http.open", url=f"http://{host}:{listener.getsockname()[1]}")
    try:
        await asyncio.wait((asked, serving), return_when=asyncio.FIRST_COMPLETED)
    finally:
        asked.cancel()
        server.should_exit = True
        stop.set()
        await serving
    log.info("http.closed")


async def _listen(host: str, port: int) -> socket.socket:
    """Return a listening socket, so that a taken port is an error of ours and not an exit inside uvicorn."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    family, kind, proto, _, address = found[0]
    listener = socket.socket(family, kind, proto)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener
