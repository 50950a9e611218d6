"""A set of sequence numbers as half-open ranges: which messages of one boot are settled. Pure."""

from bisect import bisect_right
from collections.abc import Iterable


class Ranges:
    """Disjoint, non-touching, ascending half-open ranges ``[first, end)``. Mostly there is one, ``[1, n)``."""

    __slots__ = ("_ends", "_firsts")

    def __init__(self, spans: Iterable[tuple[int, int]] = ()) -> None:
        self._firsts: list[int] = []
        self._ends: list[int] = []
        for first, end in spans:
            self.add(first, end)

    def __contains__(self, seq: int) -> bool:
        at = bisect_right(self._firsts, seq) - 1
        return at >= 0 and seq < self._ends[at]

    def __len__(self) -> int:
        """How many separate ranges there are."""
        return len(self._firsts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ranges) and self._firsts == other._firsts and self._ends == other._ends

    def __repr__(self) -> str:
        return f"Ranges({self.spans()})"

    def spans(self) -> list[tuple[int, int]]:
        """Return the ranges, ascending."""
        return list(zip(self._firsts, self._ends, strict=True))

    def copy(self) -> "Ranges":
        """Return an independent copy."""
        other = Ranges()
        other._firsts, other._ends = self._firsts[:], self._ends[:]
        return other

    def add(self, first: int, end: int) -> int:
        """Put ``[first, end)`` in and return how many numbers are new."""
        if end <= first:
            return 0
        # All ranges that overlap or touch [first, end) become one.
        low = bisect_right(self._firsts, first)
        if low > 0 and self._ends[low - 1] >= first:
            low -= 1
        high = bisect_right(self._firsts, end)
        covered = sum(max(0, min(end, self._ends[at]) - max(first, self._firsts[at])) for at in range(low, high))
        if low < high:
            merged_first, merged_end = min(first, self._firsts[low]), max(end, self._ends[high - 1])
        else:
            merged_first, merged_end = first, end
        self._firsts[low:high] = [merged_first]
        self._ends[low:high] = [merged_end]
        return end - first - covered

    def contiguous_to(self) -> int:
        """Return the committed watermark: the highest n with 1..n all inside; 0 when 1 is missing."""
        return self._ends[0] - 1 if self._firsts and self._firsts[0] <= 1 else 0

    def highest(self) -> int:
        """Return the highest number inside; 0 when there is none."""
        return self._ends[-1] - 1 if self._ends else 0

    def missing(self) -> list[tuple[int, int]]:
        """Return the holes between 1 and the highest number, half-open, ascending."""
        holes: list[tuple[int, int]] = []
        reached = 1
        for first, end in zip(self._firsts, self._ends, strict=True):
            if first > reached:
                holes.append((reached, first))
            reached = end
        return holes
