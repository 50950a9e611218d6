"""The keys of one installation: Ed25519 for access tokens (private PEM and public JWKS), a secret for offers."""

import base64
import hashlib
import json
import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat, load_pem_private_key


def make_token_key(key_file: Path, jwks_file: Path) -> None:
    """Make the key that signs access tokens (0600), unless it exists, and write its public half as JWKS."""
    if not key_file.exists():
        pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        _write_private(key_file, pem)
    public = load_token_key(key_file).public_key()
    jwks_file.write_text(json.dumps({"keys": [jwk(public)]}, indent=1))


def make_offer_key(key_file: Path) -> None:
    """Make the secret that signs offers (32 random bytes as text, 0600), unless it exists."""
    if not key_file.exists():
        _write_private(key_file, secrets.token_urlsafe(32).encode())


def load_token_key(key_file: Path) -> Ed25519PrivateKey:
    """Read the private key. Raises ValueError when the file holds no Ed25519 key."""
    key = load_pem_private_key(key_file.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"{key_file} holds no Ed25519 key")
    return key


def jwk(public: Ed25519PublicKey) -> dict[str, str]:
    """Return a public key as JWK, its ``kid`` the RFC 7638 thumbprint."""
    x = _base64url(public.public_bytes(Encoding.Raw, PublicFormat.Raw))
    # Source: RFC 8037 appendix A.3: the members of an OKP thumbprint, in this order, without spaces.
    thumbprint = hashlib.sha256(json.dumps({"crv": "Ed25519", "kty": "OKP", "x": x}, separators=(",", ":")).encode())
    return {"kty": "OKP", "crv": "Ed25519", "x": x, "use": "sig", "alg": "EdDSA", "kid": _base64url(thumbprint.digest())}


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _write_private(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
