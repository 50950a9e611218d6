"""The nightly audit: does what is stored keep the promises of the desk? Finds, never repairs.

One snapshot for all questions, so that work going on meanwhile cannot look like a violation.
"""

from dataclasses import dataclass
from datetime import datetime

from service.store.audit import INVARIANTS, look
from service.store.pool import Connection


@dataclass(frozen=True, slots=True)
class Violation:
    """One row that breaks one invariant."""

    invariant: str
    subject: str


@dataclass(frozen=True, slots=True)
class AuditReport:
    """How many rows each invariant was held against, and what broke."""

    checked: dict[str, int]
    violations: tuple[Violation, ...]

    @property
    def total(self) -> int:
        """Return how many checks were made in all."""
        return sum(self.checked.values())


async def audit(connection: Connection, now: datetime) -> AuditReport:
    """Hold every invariant against the tables as they are at one instant.

    Parameters
    ----------
    connection : not inside a transaction: the audit opens its own, read only, with one snapshot.
    now : fleet instant.
    """
    checked: dict[str, int] = {}
    violations: list[Violation] = []
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        for invariant in INVARIANTS:
            looked = await look(connection, invariant, now)
            checked[invariant] = looked.checked
            violations += [Violation(invariant, subject) for subject in sorted(looked.broken)]
    return AuditReport(checked, tuple(violations))
