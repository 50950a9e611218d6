"""Every error answer of the API as RFC 9457 problem details: the types, the exception that carries one, the rendering.

How foreign exceptions become problems is in ``failures``; nothing here knows a route.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class ProblemType:
    """One kind of problem: its HTTP status, its title, and what the caller can do about it."""

    status: int
    title: str
    remedy: str


PROBLEMS: Mapping[str, ProblemType] = {
    "malformed_json": ProblemType(400, "The body is not JSON", "Send one JSON document in UTF-8; NaN and Infinity are not JSON."),
    "unauthenticated": ProblemType(
        401, "No valid access token", "Send `Authorization: Bearer <token>` with a token that is not expired."
    ),
    "forbidden": ProblemType(403, "The token does not allow this", "Use a token with the scope that the operation names."),
    "not_found": ProblemType(404, "There is no such thing", "Check the address; what belongs to others is not found either."),
    "method_not_allowed": ProblemType(405, "The address does not know this method", "Look at the header Allow."),
    "conflict": ProblemType(409, "It does not fit what is registered", "Nothing was written; `errors` names what is in the way."),
    "refused": ProblemType(
        409, "The desk refuses this now", "`reason` says why; `alternatives` lists other stations. Ask for a new offer."
    ),
    "offer_expired": ProblemType(
        409, "The offer is no longer good", "Ask for a new offer with POST /v1/offers; nothing was held."
    ),
    "swap_rejected": ProblemType(409, "The station said no", "Nothing moved. `status_reason` is the station's word."),
    "swap_not_completed": ProblemType(409, "The swap is not completed", "A receipt exists once every pack of the set has moved."),
    "still_running": ProblemType(
        409, "The same request is still running", "Repeat it with the same Idempotency-Key after Retry-After."
    ),
    "too_large": ProblemType(413, "The body is too large", "Send at most 1 MiB; split bulk bodies."),
    "unsupported_media_type": ProblemType(415, "The body must be application/json", "Send `Content-Type: application/json`."),
    "invalid": ProblemType(422, "Some values are not valid", "`errors` points at each of them."),
    "offer_invalid": ProblemType(
        422, "This is no offer of ours", "Send the `offer_id` exactly as it was given, by the rider it was given to."
    ),
    "cursor_invalid": ProblemType(
        422, "This is no cursor of this list", "Send `next_cursor` as it was given, with the same filters."
    ),
    "key_reused": ProblemType(422, "The Idempotency-Key was used for another body", "Use a new key for a new request."),
    "internal": ProblemType(500, "Something broke on our side", "Tell the operator the trace id; a repeat may work."),
    "database_away": ProblemType(
        503, "The database is away", "Repeat the request after Retry-After; use the same Idempotency-Key."
    ),
    "identity_provider_away": ProblemType(
        503, "The keys that check tokens cannot be read", "Repeat the request after Retry-After."
    ),
    "not_delivered": ProblemType(
        503, "The station did not get the command", "Nothing opened. Start again, or ask for another station."
    ),
    "unresolved": ProblemType(
        504, "The station has not answered; it may have opened", "Do not start again. GET /v1/swaps/{swap_id} tells how it ends."
    ),
}


class FieldError(BaseModel):
    """One wrong value: where it stands and why it is wrong."""

    model_config = ConfigDict(extra="forbid")

    pointer: str | None = Field(default=None, description="JSON pointer into the body, as a URI fragment.")
    parameter: str | None = Field(default=None, description="Name of the header, path or query parameter.")
    code: str
    detail: str


class Problem(BaseModel):
    """RFC 9457 problem details; some types add members, which their page names."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="Relative reference to the page of this type.")
    title: str
    status: int
    detail: str
    trace_id: str = Field(description="Name it to the operator; it stands in the log.")
    errors: list[FieldError] | None = None


class ProblemError(Exception):
    """A request ends with this problem. `name` is a key of `PROBLEMS`; `members` are added to the document."""

    def __init__(
        self,
        name: str,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{name}: {detail}")
        self.name = name
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.members = dict(members or {})

    def document(self, trace_id: str) -> dict[str, Any]:
        """Return the JSON document."""
        kind = PROBLEMS[self.name]
        document: dict[str, Any] = {
            "type": f"/problems/{self.name}",
            "title": kind.title,
            "status": kind.status,
            "detail": self.detail,
            "trace_id": trace_id,
        }
        if self.errors:
            document["errors"] = [error.model_dump(exclude_none=True) for error in self.errors]
        return document | self.members

    def response(self, trace_id: str) -> Response:
        """Return the HTTP answer."""
        # ASCII: a detail may quote what the caller sent, and a lone surrogate has no UTF-8.
        body = json.dumps(self.document(trace_id), allow_nan=False).encode("ascii")
        return Response(body, PROBLEMS[self.name].status, self.headers, MEDIA_TYPE)


def not_found(what: str) -> ProblemError:
    """Return the problem for a thing that is not there, or that is somebody else's."""
    return ProblemError("not_found", f"no such {what}")


def invalid(detail: str, *, pointer: str | None = None, parameter: str | None = None, code: str = "invalid") -> ProblemError:
    """Return the problem for one wrong value."""
    return ProblemError("invalid", detail, errors=[FieldError(pointer=pointer, parameter=parameter, code=code, detail=detail)])


def documented(*names: str) -> dict[int | str, dict[str, Any]]:
    """Return OpenAPI `responses` for these problem types, one example each, grouped by status."""
    grouped: dict[int | str, dict[str, Any]] = {}
    for name in names:
        kind = PROBLEMS[name]
        examples = grouped.setdefault(
            kind.status, {"model": Problem, "description": kind.title, "content": {MEDIA_TYPE: {"examples": {}}}}
        )["content"][MEDIA_TYPE]["examples"]
        examples[name] = {
            "summary": kind.title,
            "value": ProblemError(name, kind.remedy).document("0af7651916cd43dd8448eb211c80319c"),
        }
    return grouped


def problem_page(name: str | None = None) -> str:
    """Return the page (plain text, one paragraph a type) that the `type` of a problem points at; all types without a name.

    Raises
    ------
    ProblemError
        For a name that is no problem type.
    """
    names = [name] if name is not None else list(PROBLEMS)
    if name is not None and name not in PROBLEMS:
        raise not_found("problem type")
    return "\n\n".join(f"/problems/{n}\n{PROBLEMS[n].status}: {PROBLEMS[n].title}.\n{PROBLEMS[n].remedy}" for n in names) + "\n"
