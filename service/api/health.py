"""Whether this process lives and can serve, and the pages of the problem types. The only routes without a token."""

from typing import Any, ClassVar

from fastapi import APIRouter
from starlette.responses import PlainTextResponse

from service.api.deps import DoorDep
from service.api.errors import documented, problem_page
from service.api.schemas import Shown
from service.store import listings

router = APIRouter(tags=["machines"])


class HealthAnswer(Shown):
    """All is well; otherwise the answer is a problem."""

    status: str
    example: ClassVar[dict[str, Any]] = {"status": "ok"}


_OK: dict[int | str, dict[str, Any]] = {
    200: {"model": HealthAnswer, "description": "Well", "content": {"application/json": {"example": HealthAnswer.example}}}
}


@router.get("/livez", summary="Is the process alive", responses={**_OK, **documented("internal")})
async def livez() -> HealthAnswer:
    """Say that this process runs; touches nothing else."""
    return HealthAnswer(status="ok")


@router.get("/readyz", summary="Can it serve", responses={**_OK, **documented("database_away")})
async def readyz(door: DoorDep) -> HealthAnswer:
    """Say whether the database answers and has our tables; 503 otherwise."""
    async with door.connection() as connection:
        await listings.schema_is_there(connection)
    return HealthAnswer(status="ok")


@router.get("/problems", include_in_schema=False)
async def problem_types() -> PlainTextResponse:
    """List every problem type with what to do about it."""
    return PlainTextResponse(problem_page())


@router.get("/problems/{name}", include_in_schema=False)
async def problem_type(name: str) -> PlainTextResponse:
    """Explain one problem type."""
    return PlainTextResponse(problem_page(name))
