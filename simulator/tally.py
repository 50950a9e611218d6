"""What the riders went through, counted for the report, and told line by line to who listens."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

Ending = Literal["completed", "refused", "unresolved", "abandoned"]
Tell = Callable[[dict[str, object]], None]


@dataclass(slots=True)
class Tally:
    """Counts of swaps by ending, and of refusals by reason. Every attempt has one ending in the end.

    completed: the service says so. refused: the service or the station said no. unresolved: nobody knew in time.
    abandoned: the rider lost patience, or the world stopped.
    """

    tell: Tell
    attempted: int = 0
    endings: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    faults_of_ours: int = 0

    def begin(self) -> None:
        """Count an attempt: a rider wants a swap and asks for an offer."""
        self.attempted += 1

    def no(self, reason: str) -> None:
        """Count a no that did not end the attempt: the rider has another offer."""
        self.refusals[reason] += 1

    def refused(self, reason: str) -> None:
        """Count an attempt that a no has ended."""
        self.endings["refused"] += 1
        self.refusals[reason] += 1

    def end(self, ending: Ending, swap_id: str | None, station_id: str, reason: str | None = None) -> None:
        """Count an attempt that ended at a station, and tell it."""
        self.endings[ending] += 1
        said: dict[str, object] = {"event": f"swap_{ending}", "swap_id": swap_id, "station_id": station_id}
        if reason is not None:
            said["reason"] = reason
        self.tell(said)

    def broken(self, rider: int, error: BaseException) -> None:
        """Tell of a rider whose errand our own code broke; he counts as abandoned and stays at home."""
        self.faults_of_ours += 1
        self.endings["abandoned"] += 1
        self.tell({"event": "rider_broken", "rider": rider, "error": f"{type(error).__name__}: {error}"})

    def swaps(self) -> dict[str, int]:
        """Return the counts so far; attempts without an ending are under way."""
        kinds = ("completed", "refused", "unresolved", "abandoned")
        return {"attempted": self.attempted} | {kind: self.endings[kind] for kind in kinds}

    def swaps_at_the_end(self) -> dict[str, int]:
        """Return the counts of the report: an attempt that was cut off counts as abandoned, so that the sum is right."""
        counts = self.swaps()
        counts["abandoned"] += self.attempted - sum(self.endings.values())
        return counts
