"""Access tokens against a JWKS: files and addresses, keys that come and go, algorithms that are allowed."""

import asyncio
import json
import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from service.api import auth
from service.api.auth import KeysAwayError, TokenRefusedError, TokenVerifier


def public_jwk(key: Any, algorithm: str, kid: str) -> dict[str, Any]:
    maker = jwt.get_algorithm_by_name(algorithm)
    public = json.loads(maker.to_jwk(key.public_key()))
    return {**public, "kid": kid, "alg": algorithm, "use": "sig"}


def token(key: Any, algorithm: str, kid: str | None, **claims: Any) -> str:
    known = {"iss": "i", "aud": "a", "sub": "rider-1", "scope": "rider", "exp": datetime.now(UTC) + timedelta(minutes=5)}
    return jwt.encode({**known, **claims}, key, algorithm, headers={"kid": kid} if kid else {})


KEYS = {
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "RS256": rsa.generate_private_key(65537, 2048),
}


@pytest.fixture
def jwks_file(tmp_path: Path) -> Path:
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps({"keys": [public_jwk(key, name, name) for name, key in KEYS.items()]}))
    return path


def verifier(path: Path) -> TokenVerifier:
    return TokenVerifier(issuer="i", audience="a", jwks_file=path)


@pytest.mark.parametrize("algorithm", sorted(auth.ALGORITHMS))
async def test_the_three_allowed_algorithms_are_accepted(jwks_file: Path, algorithm: str) -> None:
    caller = await verifier(jwks_file).verify(token(KEYS[algorithm], algorithm, algorithm, scope="rider operator"))
    assert (caller.subject, caller.scopes, caller.is_operator) == ("rider-1", {"rider", "operator"}, True)


async def test_a_key_does_not_speak_another_algorithm(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    entry = public_jwk(KEYS["RS256"], "RS256", "k")
    path.write_text(
        json.dumps({"keys": [{**entry, "alg": "RS512"}, {"kty": "oct", "k": "c2VjcmV0" * 8, "kid": "s"}, {"kty": "?"}]})
    )
    for signed in (token(KEYS["RS256"], "RS256", "k"), token("secret" * 8, "HS256", "s"), token(KEYS["RS256"], "RS512", "k")):
        with pytest.raises(TokenRefusedError):
            await verifier(path).verify(signed)


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "other"},
        {"aud": "other"},
        {"exp": datetime(2020, 1, 1, tzinfo=UTC)},
        {"exp": None},
        {"exp": "soon"},
        {"nbf": datetime(2199, 1, 1, tzinfo=UTC)},
        {"sub": None},
        {"sub": ""},
        {"sub": "a\0b"},
        {"scope": ["operator"]},
        {"scope": 7},
    ],
    ids=str,
)
async def test_claims_that_do_not_fit_are_refused(jwks_file: Path, claims: dict[str, Any]) -> None:
    known = {"iss": "i", "aud": "a", "sub": "rider-1", "scope": "rider", "exp": datetime.now(UTC) + timedelta(minutes=5)}
    merged = {name: value for name, value in {**known, **claims}.items() if value is not None}
    signed = jwt.api_jws.encode(
        json.dumps(merged, default=lambda at: at.timestamp()).encode(), KEYS["EdDSA"], "EdDSA", headers={"kid": "EdDSA"}
    )
    with pytest.raises(TokenRefusedError):
        await verifier(jwks_file).verify(signed)


async def test_without_readable_keys_nobody_is_judged(tmp_path: Path) -> None:
    with pytest.raises(KeysAwayError):
        await verifier(tmp_path / "none.json").verify(token(KEYS["EdDSA"], "EdDSA", "EdDSA"))


async def test_a_new_key_is_found_soon_and_a_lost_file_changes_nothing(jwks_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "KEYS_RETRY_S", 0.0)
    judge = verifier(jwks_file)
    await judge.verify(token(KEYS["EdDSA"], "EdDSA", "EdDSA"))
    fresh = ed25519.Ed25519PrivateKey.generate()
    with pytest.raises(TokenRefusedError):
        await judge.verify(token(fresh, "EdDSA", "fresh"))
    jwks_file.write_text(json.dumps({"keys": [public_jwk(fresh, "EdDSA", "fresh")]}))
    assert (await judge.verify(token(fresh, "EdDSA", "fresh"))).subject == "rider-1"
    os.unlink(jwks_file)
    with pytest.raises(TokenRefusedError):
        await judge.verify(token(KEYS["EdDSA"], "EdDSA", "unknown"))
    assert (await judge.verify(token(fresh, "EdDSA", "fresh"))).subject == "rider-1"


@pytest.fixture
def identity_provider() -> Iterator[tuple[str, list[str]]]:
    """A real HTTP server with one JWKS; every request is noted."""
    asked: list[str] = []
    body = json.dumps({"keys": [public_jwk(KEYS["ES256"], "ES256", "ES256")]}).encode()

    class Provider(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Provider)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/jwks", asked
    server.shutdown()
    thread.join()
    server.server_close()


async def test_keys_from_an_address_are_asked_for_once(identity_provider: tuple[str, list[str]]) -> None:
    url, asked = identity_provider
    judge = TokenVerifier(issuer="i", audience="a", jwks_url=url)
    signed = token(KEYS["ES256"], "ES256", "ES256")
    callers = await asyncio.gather(*(judge.verify(signed) for _ in range(20)))
    assert {caller.subject for caller in callers} == {"rider-1"}
    for _ in range(20):  # unknown keys must not become a way to make us ask again and again
        with pytest.raises(TokenRefusedError):
            await judge.verify(token(ed25519.Ed25519PrivateKey.generate(), "EdDSA", "made-up"))
    assert asked == ["/jwks"]


def test_one_source_of_keys_is_wanted() -> None:
    with pytest.raises(ValueError, match="one of the two"):
        TokenVerifier(issuer="i", audience="a")
