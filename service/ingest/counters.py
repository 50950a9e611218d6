"""What an ingest worker has done since it started; for its own log line, not for truth: truth is in the database."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Counters:
    """Counts since the start of the process."""

    taken: int = 0
    stored: int = 0
    duplicates: int = 0
    batches: int = 0
    unknown_fields: int = 0
    refusals: Counter[str] = field(default_factory=Counter)

    def as_log(self) -> dict[str, object]:
        """Return the fields of one log line."""
        return {
            "taken": self.taken,
            "stored": self.stored,
            "duplicates": self.duplicates,
            "batches": self.batches,
            "unknown_fields": self.unknown_fields,
            "refusals": dict(self.refusals),
        }
