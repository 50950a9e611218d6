"""The end of a timed run: the fleet drains, everything it journalled is awaited, sums and invariants are taken."""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from service.domain.clock import FleetTime
from service.standalone.fleet import FleetEvents
from service.standalone.machine import Machine
from service.standalone.report import RunTotals, make_report
from service.store import totals
from service.store.plans import newest_plan_id, read_plan
from service.store.pool import Connection
from service.upkeep.audit import audit

DRAIN_S = 110.0
"""The fleet takes up to 30 s to end its swaps and 60 s to empty its outboxes."""

_SETTLE_S = 20.0


@dataclass(frozen=True, slots=True)
class RunStart:
    """What was there before the run: reports count from here."""

    fleet_at: datetime
    monotonic_s: float
    duplicates: int
    refusals: dict[str, int]


def mark_start(machine: Machine, line: FleetTime) -> RunStart:
    """Remember where this run begins."""

    async def read(connection: Connection) -> tuple[int, dict[str, int]]:
        return (await totals.message_totals(connection)).duplicates, await totals.refusals(connection)

    duplicates, refusals = machine.with_database(read)
    return RunStart(line.at(datetime.now(UTC)), time.monotonic(), duplicates, refusals)


def drain(machine: Machine, events: FleetEvents, keep_going: Callable[[], None]) -> dict[str, Any] | None:
    """Ask the fleet to end; return its report, None when it gave none in time. `keep_going` is called often and may raise."""
    child = machine.supervisor.release("fleet")
    if child is None:
        return None
    child.process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + DRAIN_S
    report = None
    while True:
        over = child.process.poll() is not None  # read before the events: its last line is written before it ends
        for event in events.take():
            if event["event"] == "report":
                report = event
        if over:
            return report
        if time.monotonic() > deadline:
            child.process.kill()
            child.process.wait()
            return report
        try:
            keep_going()
        except BaseException:
            child.process.kill()
            child.process.wait()
            raise


def settle_and_report(
    machine: Machine, line: FleetTime, start: RunStart, fleet: dict[str, Any] | None, wanted: bool, keep_going: Callable[[], None]
) -> dict[str, Any]:
    """Wait until what was sent is settled and handled, at most some seconds, and return the report."""
    journal = [(str(s), int(e), int(b), int(q)) for s, e, b, q in ((fleet or {}).get("journal") or {}).get("by_boot", [])]
    deadline = time.monotonic() + _SETTLE_S

    async def is_settled(connection: Connection) -> bool:
        held = await totals.journal_totals(connection, journal)
        return held.settled >= held.sent and await totals.unhandled_events(connection) == 0

    while not machine.with_database(is_settled) and time.monotonic() < deadline:
        for _ in range(5):
            keep_going()

    async def gather(connection: Connection) -> RunTotals:
        refused = await totals.refusals(connection)
        since = {name: count - start.refusals.get(name, 0) for name, count in refused.items()}
        found = await audit(connection, line.at(datetime.now(UTC)))
        newest = await newest_plan_id(connection)
        plan = None if newest is None else await read_plan(connection, newest)
        return RunTotals(
            seconds=time.monotonic() - start.monotonic_s,
            fleet_wanted=wanted,
            fleet=fleet,
            journal=await totals.journal_totals(connection, journal),
            messages=await totals.message_totals(connection),
            refused_by_reason={name: count for name, count in since.items() if count > 0},
            swaps_by_status=await totals.swap_totals(connection, start.fleet_at),
            plans=await totals.plan_totals(connection, start.fleet_at),
            commands=await totals.command_totals(connection, start.fleet_at),
            unhandled_events=await totals.unhandled_events(connection),
            invariants_checked=found.total,
            violations=[f"{broken.invariant}: {broken.subject}" for broken in found.violations],
            restarts=machine.supervisor.restarts,
            duplicates_before=start.duplicates,
            price_source=None if plan is None else plan.price_source,
            supply_source=None if plan is None else plan.supply_source,
        )

    return make_report(machine.with_database(gather))
