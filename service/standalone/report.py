"""What a run came to, as one JSON object, and whether all of it worked. Pure; the sums come from ``store.totals``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.store.totals import CommandTotals, JournalTotals, MessageTotals, PlanTotals

_REFUSED = ("rejected", "expired", "cancelled")


@dataclass(frozen=True, slots=True)
class RunTotals:
    """Everything that was counted. `fleet` is the simulator's own report, None when it gave none or there was no fleet.

    The sources are those of the newest plan.
    """

    seconds: float
    fleet_wanted: bool
    fleet: Mapping[str, Any] | None
    journal: JournalTotals
    messages: MessageTotals
    refused_by_reason: Mapping[str, int]
    swaps_by_status: Mapping[str, int]
    plans: PlanTotals
    commands: CommandTotals
    unhandled_events: int
    invariants_checked: int
    violations: Sequence[str]
    restarts: int
    duplicates_before: int = 0
    price_source: str | None = None
    supply_source: str | None = None


def make_report(totals: RunTotals) -> dict[str, Any]:
    """Return the report; ``ok`` is true only when ``problems`` is empty."""
    swaps = totals.swaps_by_status
    completed = swaps.get("completed", 0) + swaps.get("settled", 0)
    fleet = totals.fleet or {}
    problems = _problems(totals, completed)
    return {
        "ok": not problems,
        "problems": problems,
        "seconds": round(totals.seconds, 1),
        "messages": {
            "sent": totals.journal.sent,
            "settled": totals.journal.settled,
            "stored": totals.messages.stored,
            "duplicates": totals.messages.duplicates - totals.duplicates_before,
            "dropped": totals.journal.dropped,
            "lost": totals.journal.lost,
            "refused": dict(totals.refused_by_reason),
        },
        "swaps": {
            "completed": completed,
            "refused": sum(swaps.get(status, 0) for status in _REFUSED),
            "unresolved": swaps.get("unresolved", 0),
            "by_status": dict(swaps),
            "refusals": fleet.get("refusals", {}),
            "riders": fleet.get("swaps", {}),
        },
        "energy_charged_wh": fleet.get("energy_charged_wh"),
        "plans": {"made": totals.plans.made, "worst_gap": totals.plans.worst_gap, "truncated": totals.plans.truncated},
        "signals": {"price_source": totals.price_source, "supply_source": totals.supply_source},
        "commands": {
            "sent": totals.commands.sent,
            "acknowledged": totals.commands.acknowledged,
            "expired": totals.commands.expired,
            "open": totals.commands.open,
        },
        "invariants": {
            "checked": totals.invariants_checked,
            "violated": len(totals.violations),
            "violations": list(totals.violations[:20]),
        },
        "restarts": totals.restarts,
    }


def _problems(totals: RunTotals, completed: int) -> list[str]:
    found = []
    if totals.violations:
        found.append(f"{len(totals.violations)} invariants are violated")
    if totals.restarts:
        found.append(f"{totals.restarts} children fell and were started again")
    if not totals.fleet_wanted:
        return found
    if not totals.invariants_checked:
        found.append("no invariant was checked")
    if totals.fleet is None:
        return [*found, "the fleet ended without a report"]
    if totals.journal.sent == 0:
        found.append("the stations sent nothing")
    if totals.journal.settled < totals.journal.sent:
        found.append(f"{totals.journal.sent - totals.journal.settled} journalled messages are not settled")
    if totals.journal.dropped or totals.journal.lost:
        found.append(f"{totals.journal.dropped} messages were dropped by stations and {totals.journal.lost} were lost")
    if totals.fleet.get("outbox_left"):
        found.append(f"{totals.fleet['outbox_left']} messages are left in outboxes")
    if totals.refused_by_reason:
        found.append("messages were refused: " + ", ".join(f"{count} {name}" for name, count in totals.refused_by_reason.items()))
    if totals.unhandled_events:
        found.append(f"{totals.unhandled_events} station events were not handled")
    if totals.plans.made == 0:
        found.append("no plan was made")
    if completed == 0:
        found.append("no swap was completed")
    unresolved = totals.swaps_by_status.get("unresolved", 0) + totals.swaps_by_status.get("exception", 0)
    if unresolved:
        found.append(f"{unresolved} swaps are unresolved")
    return found
