"""The head of the page and its counters: rows from tables to words and numbers. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from service.console.slot_view import count_states
from service.console.station_list_view import StationLine
from service.console.wording import age_s, clock_text, fine_age_text, plain_words
from service.store.fleet import FleetRows, PlanRow

PLAN_OLD_S = 300.0
"""Age of the newest plan [fleet s] from which the head warns. Guess: five missed cycles of a minute."""

_SWAP_GROUPS = (
    ("completed", ("completed", "settled"), "ok"),
    ("under way", ("requested", "authorised", "half_in", "half_out"), "ok"),
    ("refused", ("rejected",), "ok"),
    ("lapsed", ("expired", "cancelled"), "ok"),
    ("need a person", ("unresolved", "exception", "orphan_in", "orphan_out"), "bad"),
)


def head_view(fleet: FleetRows | None, now: datetime, speed: float, station_silence_s: float) -> dict[str, Any]:
    """Return the head: the fleet clock as of `now`, and the health of what was read last (None: nothing yet)."""
    return {
        "clock": clock_text(now),
        "speed": "" if speed == 1 else f"× {speed:g}",
        "facts": [] if fleet is None else [_stations_fact(fleet, now, station_silence_s), _plan_fact(fleet.plan, now)],
        "synthetic": fleet is not None and any("synthetic" in source for source in fleet.sources),
    }


def _stations_fact(fleet: FleetRows, now: datetime, station_silence_s: float) -> dict[str, str]:
    connected = sum(station.connected for station in fleet.stations)
    ages = [age_s(station.heard_at, now) for station in fleet.stations]
    heard = sum(age is not None and age <= station_silence_s for age in ages)
    count = len(fleet.stations)
    return {
        "label": "stations",
        "value": f"{connected} of {count} connected",
        "note": f"{heard} heard within {station_silence_s / 60:.0f} min",
        "tone": "ok" if connected == count and heard == count else "warn",
    }


def _plan_fact(plan: PlanRow | None, now: datetime) -> dict[str, str]:
    if plan is None:
        return {"label": "last plan", "value": "none yet", "note": "", "tone": "warn"}
    age = age_s(plan.made_at, now)
    notes = [plan.engine, "no bound" if plan.gap is None else f"gap {plan.gap * 100:.2f} %"]
    if plan.truncated:
        notes.append("cut off at its time limit")
    if plan.shortfall_wh >= 1:
        notes.append(f"{plan.shortfall_wh / 1000:.1f} kWh short")
    late = age is None or age > PLAN_OLD_S
    return {
        "label": "last plan",
        "value": f"{fine_age_text(age)} ago",
        "note": ", ".join(notes),
        "tone": "bad" if late else ("warn" if plan.truncated or plan.shortfall_wh >= 1 else "ok"),
    }


def counters_view(fleet: FleetRows, lines: Sequence[StationLine]) -> list[dict[str, Any]]:
    """Return the four counters: packs, swaps today, open anomalies, open debts."""
    return [_packs(fleet, lines), _swaps(fleet), _anomalies(fleet), _debts(fleet)]


def _packs(fleet: FleetRows, lines: Sequence[StationLine]) -> dict[str, Any]:
    states = count_states(cell for line in lines for cell in line.cells)
    trouble = states["unfit"] + states["faulted"] + states["foreign"]
    packs = sum(slot.serial_number is not None for slot in fleet.slots)
    return _counter(
        "packs ready",
        states["ready"],
        [
            ("charging", states["charging"], "ok"),
            ("resting", states["resting"], "ok"),
            ("held", states["held"], "ok"),
            ("in trouble", trouble, "bad"),
            ("empty slots", states["empty"], "ok"),
        ],
        note=f"of {packs}",
    )


def _swaps(fleet: FleetRows) -> dict[str, Any]:
    counts = fleet.swaps_by_status
    lines = [(words, sum(counts.get(status, 0) for status in statuses), tone) for words, statuses, tone in _SWAP_GROUPS]
    return _counter("swaps today", sum(counts.values()), lines, note="from 00:00")


def _anomalies(fleet: FleetRows) -> dict[str, Any]:
    kinds = sorted(fleet.anomalies_by_kind.items(), key=lambda item: (-item[1], item[0]))
    lines = [(plain_words(kind), count, "bad") for kind, count in kinds[:4]]
    others = sum(count for _, count in kinds[4:])
    if others:
        lines.append(("other kinds", others, "bad"))
    return _counter("open anomalies", sum(fleet.anomalies_by_kind.values()), lines, note="" if lines else "none")


def _debts(fleet: FleetRows) -> dict[str, Any]:
    lines = [(f"owed by {'riders' if debt.owed_by == 'rider' else 'us'}", debt.debts, "ok") for debt in fleet.debts]
    overdue = sum(debt.overdue for debt in fleet.debts)
    if overdue:
        lines.append(("overdue", overdue, "bad"))
    return _counter("open debts", sum(debt.debts for debt in fleet.debts), lines, note="packs" if lines else "none")


def _counter(title: str, total: int, lines: Sequence[tuple[str, int, str]], *, note: str) -> dict[str, Any]:
    return {
        "title": title,
        "total": total,
        "note": note,
        "lines": [{"words": words, "count": count, "tone": tone if count else "ok"} for words, count, tone in lines],
    }
