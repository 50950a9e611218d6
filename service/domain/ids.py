"""Identifiers the service issues: sortable by time, unguessable, readable by prefix."""

from datetime import datetime

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def make_id(prefix: str, now: datetime, chance: bytes) -> str:
    """Return ``prefix_`` + 10 characters of time + 16 of chance (Crockford base 32, the layout of a ULID).

    Parameters
    ----------
    prefix : ``rsv``, ``swp``, ``cmd``, ``pln``, ``dbt``.
    now : aware instant, milliseconds count.
    chance : 10 random bytes, from the caller's source of randomness.
    """
    if len(chance) != 10:
        raise ValueError(f"an id takes 10 random bytes, got {len(chance)}")
    number = (int(now.timestamp() * 1000) << 80) | int.from_bytes(chance, "big")
    text = "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))
    return f"{prefix}_{text}"
