"""Opaque cursors of keyset pages: where the next page begins, sealed so that a made-up one is refused."""

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence

from service.api.errors import FieldError, ProblemError

Key = tuple[str | float | int, ...]
_SEAL_BYTES = 12


class Cursors:
    """Seals and opens cursors. A cursor is good for one list with one set of filters, nothing else."""

    def __init__(self, secret: bytes) -> None:
        self._secret = hashlib.sha256(b"cursor\0" + secret).digest()

    def seal(self, scope: Sequence[str | float | None], key: Key) -> str:
        """Return the cursor that goes on behind `key` in the list that `scope` names (its name, then its filters)."""
        body = json.dumps([list(scope), list(key)], separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._mac(body) + body).decode().rstrip("=")

    def open(self, scope: Sequence[str | float | None], cursor: str | None) -> Key | None:
        """Return the key in `cursor`, None for the first page.

        Raises
        ------
        ProblemError
            ``cursor_invalid`` when it was not sealed here for this list.
        """
        if cursor is None:
            return None
        try:
            raw = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except ValueError:
            raw = b""
        seal, body = raw[:_SEAL_BYTES], raw[_SEAL_BYTES:]
        if hmac.compare_digest(seal, self._mac(body)):
            sealed_scope, key = json.loads(body)
            if sealed_scope == list(scope):
                return tuple(key)
        raise ProblemError(
            "cursor_invalid",
            "the cursor does not belong to this list and these filters",
            errors=[FieldError(parameter="cursor", code="cursor_invalid", detail="not sealed for this list")],
        )

    def _mac(self, body: bytes) -> bytes:
        return hmac.new(self._secret, body, hashlib.sha256).digest()[:_SEAL_BYTES]
