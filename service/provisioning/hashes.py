"""What the service keeps of a password: one hash per broker's format, never the password."""

import base64
import hashlib
import secrets

import bcrypt

# The secret is 256 random bits: no guessing reaches it however cheap one guess is, so the lowest cost is right. A dear one would
# only make thousands of stations that reconnect at once wait for each other.
_BCRYPT_COST = 4
_PBKDF2_ROUNDS = 101  # Source: mosquitto 2.0 mosquitto_passwd, PW_DEFAULT_ITERATIONS


def new_secret() -> str:
    """Return a new password: 256 bits from the system's source of randomness, URL-safe."""
    return secrets.token_urlsafe(32)


def hash_bcrypt(secret: str) -> str:
    """Return the bcrypt hash that nats-server compares with."""
    return bcrypt.hashpw(secret.encode(), bcrypt.gensalt(_BCRYPT_COST, prefix=b"2a")).decode()


def hash_pbkdf2(secret: str) -> str:
    """Return ``$7$rounds$salt$hash`` (PBKDF2-SHA512, base64), Mosquitto's format."""
    salt = secrets.token_bytes(12)
    key = hashlib.pbkdf2_hmac("sha512", secret.encode(), salt, _PBKDF2_ROUNDS, dklen=64)
    return f"$7${_PBKDF2_ROUNDS}${base64.b64encode(salt).decode()}${base64.b64encode(key).decode()}"
