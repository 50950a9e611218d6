"""What routes are given: the door's parts, a connection, and who asks with which right."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Query, Request, Security
from fastapi.security import HTTPBearer

from service.api.auth import Caller
from service.api.bell import Bell
from service.api.cursors import Cursors
from service.api.errors import ProblemError, invalid, not_found
from service.api.offers import OfferSeal
from service.domain.clock import Clock
from service.store.pool import Connection, Pool
from service.swapping.desk import Desk

LIMIT_MOST = 200
_ACQUIRE_S = 20.0
"""Guess: longer than this nobody waits for a connection; he is told to come again."""


@dataclass(frozen=True, slots=True)
class Door:
    """The parts that routes work with. `answer_patience_s` and `wall_now` are wall time, `station_silence_s` fleet time."""

    pool: Pool
    clock: Clock
    desk: Desk
    seal: OfferSeal
    cursors: Cursors
    bell: Bell
    answer_patience_s: float
    wall_now: Callable[[], datetime]
    station_silence_s: float

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection outside a transaction, for reading."""
        async with self.pool.acquire(timeout=_ACQUIRE_S) as connection:
            yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Lend a connection inside a transaction: all or nothing."""
        async with self.pool.acquire(timeout=_ACQUIRE_S) as connection, connection.transaction():
            yield connection


async def _door(request: Request) -> Door:
    # async, as `check` below: the framework sends plain functions to a thread, which costs more than they do.
    door: Door = request.app.state.door
    return door


DoorDep = Annotated[Door, Depends(_door)]
bearer = HTTPBearer(auto_error=False, bearerFormat="JWT", description="Access token (JWT). The scope says what it allows.")


def allow(*scopes: str) -> Callable[..., Awaitable[Caller]]:
    """Return a dependency that lets callers with any of these scopes in and gives the caller."""

    async def check(request: Request, _: Annotated[object, Security(bearer)]) -> Caller:
        caller: Caller = request.state.caller
        if caller.scopes.isdisjoint(scopes):
            raise ProblemError(
                "forbidden",
                f"this needs the scope {' or '.join(scopes)}",
                headers={"WWW-Authenticate": f'Bearer realm="denchi", error="insufficient_scope", scope="{" ".join(scopes)}"'},
            )
        return caller

    return check


Operator = Annotated[Caller, Depends(allow("operator"))]
RiderOrOperator = Annotated[Caller, Depends(allow("rider", "operator"))]

Cursor = Annotated[
    str | None, Query(max_length=2000, description="`next_cursor` of the page before; leave out for the first page.")
]
Limit = Annotated[int, Query(ge=1, le=LIMIT_MOST, description="Most items on a page.")]
RiderId = Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="For operators: the rider to act for.")]


def acting_rider(caller: Caller, rider_id: str | None) -> str:
    """Return the rider for whom something is done: the caller himself, or the one an operator names.

    Raises
    ------
    ProblemError
        ``not_found`` when a rider names another rider; ``invalid`` when an operator names none.
    """
    if caller.is_operator:
        if rider_id is None and "rider" in caller.scopes:
            return caller.subject
        if rider_id is None:
            raise invalid("an operator must say for which rider", pointer="#/rider_id", code="missing")
        return rider_id
    if rider_id is not None and rider_id != caller.subject:
        raise not_found("rider")
    return caller.subject


def seen_rider(caller: Caller, rider_id: str | None) -> str | None:
    """Return whose things the caller may see: his own; None = everybody's, for operators who name nobody."""
    if caller.is_operator:
        return rider_id
    return acting_rider(caller, rider_id)
