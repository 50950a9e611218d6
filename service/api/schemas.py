"""Values that several audiences share, and how an operation is documented: every body has an example that tests check."""

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

from fastapi import Path
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from service.api.errors import documented

_EARLIEST, _LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def _sane(instant: datetime) -> datetime:
    # Compared before it is converted: the edges of the calendar have no UTC.
    if not _EARLIEST.replace(tzinfo=None) < instant.replace(tzinfo=None) < _LATEST.replace(tzinfo=None):
        raise ValueError("must lie between the years 2000 and 2200")
    return instant.astimezone(UTC)


Instant = Annotated[AwareDatetime, AfterValidator(_sane)]
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Letters, digits, _ and -; at most 64.")]
StationId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,48}$")]
SerialNumber = Annotated[str, Field(min_length=1, max_length=50, pattern=r"^[!-~]+$")]
PackModelId = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[!-~]+$")]
IdInPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class Given(BaseModel):
    """A body that a caller sends. Unknown members are refused: a misspelt one must not be lost in silence."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    example: ClassVar[dict[str, Any]]


class Shown(BaseModel):
    """A body that we answer with."""

    model_config = ConfigDict(frozen=True)
    example: ClassVar[dict[str, Any]]


class Price(Shown):
    """Money as integer micro-units of an ISO currency."""

    amount_micro: int
    currency: str
    example: ClassVar[dict[str, Any]] = {"amount_micro": 350_000_000, "currency": "JPY"}


_EVERYWHERE = ("unauthenticated", "forbidden", "invalid", "internal", "database_away", "identity_provider_away")
_WITH_BODY = ("malformed_json", "too_large", "unsupported_media_type")
TRACE = "0af7651916cd43dd8448eb211c80319c"


def operation(
    answer: type[Shown], *problems: str, status: int = 200, also: dict[int, str] | None = None, body: type[Given] | None = None
) -> dict[str, Any]:
    """Return the keyword arguments of a route: its answer, its problems, and an example of everything.

    Parameters
    ----------
    problems : keys of `PROBLEMS` beyond those that every operation has.
    also : further statuses with the same answer, and what they mean.
    """
    shown = {"application/json": {"example": answer.example}}
    responses = documented(*problems, *_EVERYWHERE, *(_WITH_BODY if body else ()))
    for code, meaning in {status: "What was asked for", **(also or {})}.items():
        responses[code] = {"model": answer, "description": meaning, "content": shown}
    extra = {"requestBody": {"required": True, "content": {"application/json": {"example": body.example}}}} if body else None
    return {"status_code": status, "response_model": answer, "responses": responses, "openapi_extra": extra}
