"""The life of a swap: a state machine over values. What happens goes in, what it means comes out; nothing is raised.

``requested -> authorised -> half_in | half_out -> completed -> settled``; aside of it `rejected`, `expired`, `cancelled`
(nothing moved), `orphan_in` (we owe packs), `orphan_out` (the rider owes packs), `unresolved` (nobody knows yet: a timeout
is no evidence) and `exception` (a person decides). Pack events move it, per pack; doors and clocks alone never do.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal

SwapStatus = Literal[
    "requested",
    "authorised",
    "half_in",
    "half_out",
    "completed",
    "settled",
    "rejected",
    "expired",
    "cancelled",
    "orphan_in",
    "orphan_out",
    "unresolved",
    "exception",
]
Direction = Literal["in", "out"]

LIVE: Final[frozenset[SwapStatus]] = frozenset({"requested", "authorised", "half_in", "half_out", "unresolved"})
"""A vehicle has at most one swap in these states."""
NOTHING_MOVED: Final[frozenset[SwapStatus]] = frozenset({"rejected", "expired", "cancelled"})
ORPHAN: Final[frozenset[SwapStatus]] = frozenset({"orphan_in", "orphan_out"})
OPEN: Final[frozenset[SwapStatus]] = LIVE | ORPHAN
"""A pack event of this swap is still expected, or welcome."""


@dataclass(frozen=True, slots=True)
class SwapNow:
    """A swap as far as is known. The serials that moved are counted once each."""

    status: SwapStatus
    pack_count: int
    packs_in: frozenset[str] = frozenset()
    packs_out: frozenset[str] = frozenset()
    reason: str | None = None
    was_authorised: bool = False
    """The station has accepted it, or has moved a pack of it: the holds are the swap's."""

    @property
    def owed_to_rider(self) -> int:
        """Return how many packs more came in than went out, at least 0."""
        return max(len(self.packs_in) - len(self.packs_out), 0)

    @property
    def owed_by_rider(self) -> int:
        """Return how many packs more went out than came in, at least 0."""
        return max(len(self.packs_out) - len(self.packs_in), 0)


@dataclass(frozen=True, slots=True)
class Answered:
    """The station answered the start command."""

    answer: Literal["accepted", "rejected", "completed", "failed"]
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """Packs went in or out."""

    direction: Direction
    serial_numbers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NotTaken:
    """The station offered packs and nobody took them (BatteryOutTimeout)."""


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The start was not answered in time. `sent`: the command may have reached the station."""

    sent: bool


@dataclass(frozen=True, slots=True)
class StepOver:
    """The time of the present step is over. `station_heard`: the station is there, and said nothing of a pack."""

    station_heard: bool


@dataclass(frozen=True, slots=True)
class NothingMoved:
    """Evidence from after the command's life: every pack it could have moved is where it was."""


@dataclass(frozen=True, slots=True)
class GivenToPerson:
    """Unknown for so long that a person decides."""


@dataclass(frozen=True, slots=True)
class DebtsClosed:
    """Nothing is owed any more; the receipt stands."""


Happening = Answered | Moved | NotTaken | NoAnswer | StepOver | NothingMoved | GivenToPerson | DebtsClosed
Holds = Literal["keep", "to_swap", "give_back", "release"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a happening made of a swap.

    Attributes
    ----------
    moved : serials that count now; `duplicates` : serials that had been counted in this direction before.
    holds : `to_swap` when the swap takes over its reservation's, `give_back` when it ends before anything moved,
        `release` at an end.
    surprise : kind of the anomaly to write, or None.
    """

    swap: SwapNow
    changed: bool = False
    moved: tuple[str, ...] = ()
    duplicates: tuple[str, ...] = ()
    holds: Holds = "keep"
    surprise: str | None = None


def advance(swap: SwapNow, happening: Happening) -> Outcome:
    """Return what becomes of a swap. Late, repeated and impossible happenings leave it as it is, or say a surprise."""
    match happening:
        case Moved():
            return _moved(swap, happening)
        case Answered():
            return _answered(swap, happening)
        case NotTaken():
            return _stopped(swap, "OutTimeout", "not_taken_unexpected")
        case NoAnswer():
            if swap.status != "requested":
                return Outcome(swap)
            if happening.sent:
                return _to(swap, "unresolved", "no_answer")
            return _to(swap, "cancelled", "not_delivered")
        case StepOver():
            if swap.status not in {"authorised", "half_in", "half_out"}:
                return Outcome(swap)
            if not happening.station_heard:
                return _to(swap, "unresolved", "station_silent")
            return _stopped(swap, "step_timeout", None)
        case NothingMoved():
            if swap.status not in {"requested", "authorised", "unresolved"}:
                return Outcome(swap)
            return _stopped(swap, "nothing_moved", None)
        case GivenToPerson():
            return _to(swap, "exception", "unresolved_too_long", "release") if swap.status in OPEN else Outcome(swap)
        case DebtsClosed():
            return _to(swap, "settled", swap.reason) if swap.status == "completed" else Outcome(swap)


def _to(swap: SwapNow, status: SwapStatus, reason: str | None, holds: Holds = "keep", surprise: str | None = None) -> Outcome:
    return Outcome(replace(swap, status=status, reason=reason), True, holds=holds, surprise=surprise)


def _moved(swap: SwapNow, happening: Moved) -> Outcome:
    before = swap.packs_in if happening.direction == "in" else swap.packs_out
    # A serial twice in one message is one pack.
    named = tuple(dict.fromkeys(happening.serial_numbers))
    duplicates = tuple(serial for serial in named if serial in before)
    new = tuple(serial for serial in named if serial not in before)
    if not new:
        return Outcome(swap, duplicates=duplicates)
    count = before | set(new)
    after = replace(swap, packs_in=count) if happening.direction == "in" else replace(swap, packs_out=count)
    surprise: str | None = None
    if swap.status in NOTHING_MOVED:
        surprise = "moved_after_end"
    elif len(count) > swap.pack_count or swap.status in {"completed", "settled", "exception"}:
        # More packs than the set: physically true, lawfully impossible. A person looks at it.
        return Outcome(
            replace(after, status="exception", reason="too_many_packs"), True, new, duplicates, "release", "too_many_packs"
        )
    complete = len(after.packs_in) == len(after.packs_out) == swap.pack_count
    status: SwapStatus
    if complete:
        status = "completed"
    elif swap.status in ORPHAN:
        # Too late for the step, not for the truth: what is owed shrinks, the swap stays what it became.
        status = "orphan_out" if after.owed_by_rider else "orphan_in"
    elif swap.packs_in:
        status = "half_in"
    elif swap.packs_out:
        status = "half_out"
    else:
        status = "half_in" if happening.direction == "in" else "half_out"
    holds: Holds = "release" if complete else "keep"
    if not complete and not swap.was_authorised:
        holds = "to_swap"
    reason = None if complete else (swap.reason if swap.status in ORPHAN else None)
    return Outcome(replace(after, status=status, reason=reason, was_authorised=True), True, new, duplicates, holds, surprise)


def _answered(swap: SwapNow, happening: Answered) -> Outcome:
    waits = swap.status == "requested" or (swap.status == "unresolved" and not (swap.packs_in or swap.packs_out))
    match happening.answer:
        case "accepted":
            if waits and not swap.was_authorised:
                return Outcome(replace(swap, status="authorised", reason=None, was_authorised=True), True, holds="to_swap")
            return Outcome(swap)
        case "rejected":
            if waits:
                return _to(swap, "rejected", happening.reason or "Rejected", "give_back" if swap.was_authorised else "keep")
            return Outcome(swap, surprise="rejected_after_movement" if swap.packs_in or swap.packs_out else None)
        case "failed":
            return _stopped(swap, happening.reason or "Failed", None)
        case "completed":
            return Outcome(swap, surprise="completed_without_packs" if swap.status in LIVE else None)


def _stopped(swap: SwapNow, reason: str, surprise_when_over: str | None) -> Outcome:
    """End a swap that will move no further: balanced sets end well, nothing moved ends without trace, the rest is owed."""
    if swap.status not in LIVE:
        return Outcome(swap, surprise=None if swap.status in ORPHAN else surprise_when_over)
    if swap.owed_to_rider:
        return _to(swap, "orphan_in", reason)
    if swap.owed_by_rider:
        return _to(swap, "orphan_out", reason)
    if swap.packs_in:
        # As many out as in, but not the whole set: nobody owes, yet it is no complete swap.
        return _to(swap, "exception", "partial_set", "release", "partial_set")
    return _to(swap, "expired", reason, "give_back" if swap.was_authorised else "keep")
