"""One effect and one answer per Idempotency-Key: claims a key inside the transaction of the effect, replays kept answers.

A request whose effect is committed but whose answer was never given (the process died while it waited for a station)
leaves its progress behind; a retry goes on from there.
"""

import hashlib
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import Header
from pydantic import BaseModel
from starlette.responses import Response

from service.api.auth import Caller
from service.api.errors import FieldError, ProblemError
from service.store import idempotency as store
from service.store.pool import Connection

IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[!-~]+$",
        description="Chosen by the caller, one for each thing he wants to happen. The same key and body get the same answer.",
        examples=["6f1c2b3e-6a7e-4f0e-9d0f-2f3b8f6c1a55"],
    ),
]
OptionalIdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[!-~]+$",
        description="Optional here: the body itself is idempotent.",
        examples=["6f1c2b3e-6a7e-4f0e-9d0f-2f3b8f6c1a55"],
    ),
]
_KEPT_HEADERS = ("content-type", "location", "retry-after")


class Once:
    """One request under one key. `wall_at` is the wall instant at which this attempt began."""

    def __init__(self, caller: Caller, key: str, operation: str, body: BaseModel, wall_at: datetime, lease_s: float) -> None:
        self._caller = caller.subject
        self._key = key
        self._fingerprint = hashlib.sha256(f"{operation}\n{body.model_dump_json()}".encode()).digest()
        self._wall_at = wall_at
        self._lease_s = lease_s

    async def claim(self, connection: Connection) -> Response | bytes | None:
        """Return the kept answer, or the progress of an attempt that died, or None when this is the first attempt.

        Raises
        ------
        ProblemError
            ``still_running`` while another attempt is at work, ``key_reused`` for another body.
        """
        running = ProblemError(
            "still_running", "another request with this Idempotency-Key is at work", headers={"Retry-After": "1"}
        )
        if not await store.try_lock(connection, self._caller, self._key):
            raise running
        kept = await store.take(connection, self._caller, self._key)
        if kept is not None:
            if kept.fingerprint != self._fingerprint:
                raise ProblemError(
                    "key_reused",
                    "this Idempotency-Key came with another request before",
                    errors=[FieldError(parameter="Idempotency-Key", code="key_reused", detail="used before for another request")],
                )
            if kept.status_code is not None:
                return Response(kept.body, kept.status_code, kept.headers | {"Idempotent-Replayed": "true"})
            if self._wall_at - kept.claimed_at < timedelta(seconds=self._lease_s):
                raise running
        await store.claim(connection, self._caller, self._key, self._fingerprint, self._wall_at)
        return kept.body if kept is not None else None

    async def progress(self, connection: Connection, progress: bytes) -> None:
        """Keep what a retry needs to go on when this process dies after the transaction."""
        await store.keep_progress(connection, self._caller, self._key, progress)

    async def answer(self, connection: Connection, response: Response) -> Response:
        """Keep the answer in the same transaction as the effect and return it."""
        headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
        await store.keep_answer(connection, self._caller, self._key, response.status_code, headers, bytes(response.body))
        return response
