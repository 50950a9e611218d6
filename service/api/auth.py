"""Who is asking: checks access tokens (JWT) as a resource server. It issues none; what a caller may do is in ``deps``."""

import asyncio
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jwt
import structlog

log = structlog.get_logger()

ALGORITHMS = frozenset({"EdDSA", "ES256", "RS256"})
"""Asymmetric only: whoever can check a token must not be able to make one."""
KEYS_FRESH_S = 300.0
"""Guess: how long keys are used before they are read again, wall seconds."""
KEYS_RETRY_S = 10.0
"""Guess: a token with an unknown key makes us read the keys again, but not more often than this."""
LEEWAY_S = 5.0
"""Guess: difference between two wall clocks that is forgiven."""
_SUBJECT = re.compile(r"[!-~]{1,128}")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and what his token allows. For a rider `subject` is the rider_id."""

    subject: str
    scopes: frozenset[str]

    @property
    def is_operator(self) -> bool:
        """Return whether the caller runs the network."""
        return "operator" in self.scopes


class TokenRefusedError(Exception):
    """The token is not good; the text says why and carries nothing of the token."""


class KeysAwayError(Exception):
    """No public key could be read, so no token can be judged."""


class TokenVerifier:
    """Checks signature, issuer, audience, expiry and algorithm of access tokens against a JWKS (file or URL, cached).

    Parameters
    ----------
    issuer, audience : what `iss` and `aud` must say.
    jwks_file, jwks_url : exactly one of the two.
    """

    def __init__(self, *, issuer: str, audience: str, jwks_file: Path | None = None, jwks_url: str | None = None) -> None:
        if (jwks_file is None) == (jwks_url is None):
            raise ValueError("give jwks_file or jwks_url, one of the two")
        self._issuer = issuer
        self._audience = audience
        self._file = jwks_file
        self._url = jwks_url
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._read_at: float | None = None
        self._reading = asyncio.Lock()

    async def verify(self, token: str) -> Caller:
        """Return who the token speaks for.

        Raises
        ------
        TokenRefusedError
            When the token is malformed, expired, signed by someone else, or meant for someone else.
        KeysAwayError
            When the keys have never been read and cannot be read now.
        """
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            raise TokenRefusedError("malformed token") from None
        if header.get("alg") not in ALGORITHMS:
            raise TokenRefusedError("algorithm not allowed")
        key = await self._key(header.get("kid"))
        if key is None:
            raise TokenRefusedError("unknown signing key")
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                issuer=self._issuer,
                audience=self._audience,
                leeway=LEEWAY_S,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.ExpiredSignatureError:
            raise TokenRefusedError("token expired") from None
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
            raise TokenRefusedError("token not accepted") from None
        subject, scope = claims["sub"], claims.get("scope", "")
        if not isinstance(scope, str) or not isinstance(subject, str) or not _SUBJECT.fullmatch(subject):
            raise TokenRefusedError("claims sub and scope must be text")
        return Caller(subject, frozenset(scope.split()))

    async def _key(self, kid: str | None) -> jwt.PyJWK | None:
        loop = asyncio.get_running_loop()
        async with self._reading:
            age = None if self._read_at is None else loop.time() - self._read_at
            if age is None or age > KEYS_FRESH_S or (self._find(kid) is None and age > KEYS_RETRY_S):
                await self._read(loop.time())
            return self._find(kid)

    def _find(self, kid: str | None) -> jwt.PyJWK | None:
        if kid is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(kid)

    async def _read(self, now: float) -> None:
        try:
            if self._file is not None:
                text = await asyncio.to_thread(self._file.read_text)
            else:
                async with httpx.AsyncClient(timeout=5.0) as client:
                    text = (await client.get(str(self._url))).raise_for_status().text
            entries = json.loads(text)["keys"]
            keys: dict[str | None, jwt.PyJWK] = {}
            for entry in entries:
                try:
                    key = jwt.PyJWK(entry)
                except jwt.PyJWTError as error:
                    log.warning("auth.key_skipped", kid=entry.get("kid"), error=str(error))
                    continue
                if key.algorithm_name in ALGORITHMS:
                    keys[key.key_id] = key
        except (OSError, httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("auth.keys_away", error=str(error))
            if self._read_at is None:
                raise KeysAwayError("the signing keys cannot be read") from error
            self._read_at = now - KEYS_FRESH_S + KEYS_RETRY_S  # the old keys stay good; try again soon
            return
        self._keys = keys
        self._read_at = now
