"""Access tokens for development and for `denchi up`. In production an identity provider issues them."""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import jwt

from service.provisioning.keys import jwk, load_token_key

SCOPES = ("rider", "operator", "station", "market", "partner")


def mint_token(
    key_file: Path, issuer: str, audience: str, sub: str, scopes: Sequence[str], lifetime_s: float, wall_now: datetime
) -> str:
    """Return a signed access token (JWT, EdDSA).

    Parameters
    ----------
    sub : whom it speaks for; with the scope `rider` a rider id.
    lifetime_s : wall seconds until it ends.

    Raises
    ------
    ValueError
        When a scope is unknown or the key file holds no Ed25519 key.
    """
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        raise ValueError(f"unknown scope {' '.join(unknown) or '(none)'}: choose from {' '.join(SCOPES)}")
    key = load_token_key(key_file)
    claims = {
        "iss": issuer,
        "aud": audience,
        "sub": sub,
        "scope": " ".join(scopes),
        "iat": wall_now,
        "exp": wall_now + timedelta(seconds=lifetime_s),
        "jti": secrets.token_urlsafe(12),
    }
    return jwt.encode(claims, key, algorithm="EdDSA", headers={"kid": jwk(key.public_key())["kid"]})
