"""Foreign exceptions as problem details: wrong values, unknown addresses, a database that is away."""

import asyncpg
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from service.api.bodies import pointer
from service.api.errors import FieldError, ProblemError
from service.store.pool import DATABASE_AWAY

log = structlog.get_logger()

ERRORS_SHOWN = 100
"""Guess: more than this nobody reads."""
_BUSY = (asyncpg.InsufficientResourcesError, asyncpg.TransactionRollbackError, asyncpg.OperatorInterventionError)
"""What a healthy statement meets in a database in trouble: full, deadlocked, shutting down. A repeat may work."""
_BY_STATUS = {404: "not_found", 405: "method_not_allowed", 400: "malformed_json", 413: "too_large", 415: "unsupported_media_type"}


def install(app: FastAPI) -> None:
    """Give `app` a handler for each exception that is not our own fault."""
    app.add_exception_handler(ProblemError, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    for kind in (*DATABASE_AWAY, *_BUSY, TimeoutError):
        app.add_exception_handler(kind, _on_database_away)


def _answer(request: Request, problem: ProblemError) -> Response:
    return problem.response(request.state.trace_id)


async def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)
    return _answer(request, error)


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = []
    for one in error.errors()[:ERRORS_SHOWN]:
        where, *steps = one["loc"]
        detail = str(one["msg"])
        if where == "body":
            errors.append(FieldError(pointer=pointer(*steps), code=str(one["type"]), detail=detail))
        else:
            errors.append(FieldError(parameter=str(steps[0]) if steps else None, code=str(one["type"]), detail=detail))
    return _answer(request, ProblemError("invalid", f"{len(error.errors())} value(s) are not valid", errors=errors))


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    name = _BY_STATUS.get(error.status_code, "internal")
    return _answer(request, ProblemError(name, str(error.detail), headers=error.headers))


async def _on_database_away(request: Request, error: Exception) -> Response:
    if isinstance(error, ValueError):  # asyncpg's refusal of a wrong argument: our fault, not the database's absence
        raise error
    log.warning("api.database_away", path=request.url.path, error=str(error), kind=type(error).__name__)
    return _answer(request, ProblemError("database_away", "the database does not answer now", headers={"Retry-After": "2"}))
