"""Rows of answers already given: the same POST twice has one effect and one answer. What a retry gets is decided in ``api``."""

import json
from dataclasses import dataclass
from datetime import datetime

from service.store.pool import Connection
from service.store.queries import statements

_q = statements("idempotency")


@dataclass(frozen=True, slots=True)
class KeptRequest:
    """A request seen before. Without `status_code` its answer is not known yet, and `body` is how far it came."""

    fingerprint: bytes
    status_code: int | None
    headers: dict[str, str]
    body: bytes | None
    claimed_at: datetime


async def try_lock(connection: Connection, caller: str, key: str) -> bool:
    """Take the turn for this caller and key until the transaction ends; False when another transaction has it."""
    return bool(await _q.try_lock(connection, caller=caller, idempotency_key=key))


async def take(connection: Connection, caller: str, key: str) -> KeptRequest | None:
    """Return what is kept for this caller and key."""
    row = await _q.take(connection, caller=caller, idempotency_key=key)
    if row is None:
        return None
    return KeptRequest(
        fingerprint=row["fingerprint"],
        status_code=row["status_code"],
        headers=json.loads(row["headers"]) if row["headers"] else {},
        body=row["body"],
        claimed_at=row["created_at"],
    )


async def claim(connection: Connection, caller: str, key: str, fingerprint: bytes, wall_at: datetime) -> None:
    """Note that the request runs since `wall_at`; a claim that was left behind is taken over."""
    await _q.claim(connection, caller=caller, idempotency_key=key, fingerprint=fingerprint, wall_at=wall_at)


async def keep_progress(connection: Connection, caller: str, key: str, progress: bytes) -> None:
    """Keep what a retry needs to go on after this transaction."""
    await _q.keep_progress(connection, caller=caller, idempotency_key=key, progress=progress)


async def keep_answer(
    connection: Connection, caller: str, key: str, status_code: int, headers: dict[str, str], body: bytes
) -> None:
    """Keep the answer; the first one stays."""
    await _q.keep_answer(
        connection, caller=caller, idempotency_key=key, status_code=status_code, headers=json.dumps(headers), body=body
    )


async def forget(connection: Connection, before: datetime) -> int:
    """Forget requests that began before this wall instant; return how many."""
    return int(str(await _q.forget(connection, before=before)).split()[-1])
