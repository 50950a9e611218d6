"""The application: routes, the boundary around them, the bell. Everything it needs is handed in."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime

from fastapi import FastAPI

from service.api import (
    failures,
    health,
    openapi,
    operators_fleet,
    operators_lists,
    operators_registry,
    riders_me,
    riders_offers,
    riders_swaps,
    signals,
    stations,
)
from service.api.auth import TokenVerifier
from service.api.bell import Bell
from service.api.boundary import Boundary
from service.api.cursors import Cursors
from service.api.deps import Door
from service.api.docs_page import add_docs_page
from service.api.metrics import Metrics
from service.api.metrics import router as metrics_router
from service.api.offers import OfferSeal
from service.domain.clock import Clock
from service.store.pool import Pool
from service.swapping.desk import Desk

_TAGS = [
    {"name": "riders", "description": "Riders' apps: a rider sees only himself; an operator acts for a rider by `rider_id`."},
    {"name": "operators", "description": "Who runs the network."},
    {"name": "machines", "description": "Probes and partners."},
]
_OPENAPI_URL = "/openapi.json"
_ABOUT = """Battery swapping: stations, offers, reservations, swaps, and the fleet behind them.

Errors are RFC 9457 problem details; their types are listed at `/problems`. Domain instants are fleet time, tokens are wall time.
POST that moves something takes an `Idempotency-Key`. Lists have opaque cursors."""


def make_app(
    pool: Pool,
    clock: Clock,
    desk: Desk,
    verifier: TokenVerifier,
    offer_key: bytes,
    *,
    answer_patience_s: float = 5.0,
    wall_now: Callable[[], datetime],
    station_silence_s: float,
    metrics: Metrics | None = None,
) -> FastAPI:
    """Build the HTTP application.

    Parameters
    ----------
    offer_key : 32 bytes or more; seals offers and cursors.
    answer_patience_s : how long POST /v1/swaps waits for a station, wall seconds.
    wall_now : the wall clock, aware, UTC; ages of Idempotency-Keys are wall time.
    station_silence_s : fleet seconds after which nothing is promised at a silent station.
    metrics : what ``/metrics`` answers with; without it there is no such page.
    """
    bell = Bell(pool)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        listening = asyncio.create_task(bell.run())
        try:
            yield
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening

    app = FastAPI(
        title="denchi",
        version="1",
        description=_ABOUT,
        openapi_tags=_TAGS,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=_OPENAPI_URL,
    )
    app.state.door = Door(
        pool=pool,
        clock=clock,
        desk=desk,
        seal=OfferSeal(offer_key),
        cursors=Cursors(offer_key),
        bell=bell,
        answer_patience_s=answer_patience_s,
        wall_now=wall_now,
        station_silence_s=station_silence_s,
    )
    add_docs_page(app, _OPENAPI_URL)
    failures.install(app)
    openapi.install(app)
    riders = (stations, riders_offers, riders_swaps, riders_me)
    operators = (operators_registry, operators_lists, operators_fleet, signals)
    for room in (health, *riders, *operators):
        app.include_router(room.router)
    if metrics is not None:
        app.state.metrics = metrics
        app.include_router(metrics_router)
    app.add_middleware(Boundary, verifier=verifier)
    return app
