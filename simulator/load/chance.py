"""Chance as a function of names and numbers: the same question always gets the same answer, whole arrays at once. Pure."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Ints: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]

_MASK = 2**64 - 1
# Source: the constants of splitmix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators").
_GOLDEN, _MIX_A, _MIX_B = 0x9E3779B97F4A7C15, np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_SECOND = np.uint64(0xD1B54A32D192ED03)  # odd, so that no two pairs of small numbers meet


def bits(seed: int, salt: int, first: Ints, second: Ints | None = None) -> Ints:
    """Return 62 random bits for each (seed, salt, first, second), as non-negative integers."""
    base = np.uint64((seed * 0x100000001B3 + salt) * _GOLDEN & _MASK)
    mixed = first.astype(np.uint64) * np.uint64(_GOLDEN) + base
    if second is not None:
        mixed = mixed + second.astype(np.uint64) * _SECOND
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _MIX_A
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX_B
    return ((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(2)).astype(np.int64)


def happens(share: float, seed: int, salt: int, first: Ints, second: Ints) -> Flags:
    """Tell for each pair whether what has this share happens."""
    return bits(seed, salt, first, second) < int(share * 2**62)
