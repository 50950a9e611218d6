"""What a person must know now: findings in the rows that the page reads, each with what it means and what to do. Pure.

`act`: somebody or something waits for a person. `look`: it can wait, or it may pass by itself.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from service.console.fleet_view import PLAN_OLD_S
from service.console.wording import age_s, age_text, plain_words
from service.store.fleet import AnomalyLine, FleetRows, StationRow, SwapLine

Severity = Literal["act", "look"]

MOST_OF_A_KIND = 5
"""Alerts of one kind that get a line of their own; the rest is counted in one more. Guess."""
MOST_STATIONS_SHARE = 0.5
"""Share of the stations away from which it is not the stations that are in trouble, but what they talk to. Guess."""
LEAST_STATIONS = 3
"""With fewer stations away than this nothing is said about the broker. Guess."""
ACT_SHORTFALL_WH = 2500.0
"""A shortfall from which a truck is worth sending: about two packs; less is within the reserve for surprises. Guess."""

_SWAP_WORDS: dict[str, tuple[str, str]] = {
    "unresolved": (
        "swap not known",
        "Nobody knows whether packs moved. Call the rider or look at the slots; do not book it by hand.",
    ),
    "orphan_in": ("pack in, none out", "The rider gave packs and got none: we owe him. Send him where packs are ready."),
    "orphan_out": ("pack out, none in", "The rider left with packs and gave none back. Call him; the debt stands in his name."),
    "exception": ("swap against the rules", "More or other packs moved than agreed. Compare the slots with the registry."),
}
_ANOMALY_WORDS: dict[str, tuple[Severity, str]] = {
    "safety": ("act", "The station reports danger. Follow the emergency sheet before anything else."),
    "tamper": ("act", "Somebody may be opening the station. Send someone to look."),
    "foreign_pack": ("look", "A pack that is not registered stands in a slot. Register it or have it taken out."),
    "pack_missing": ("look", "A registered pack is not where it should be. Look for it before it is handed out twice."),
    "pack_misplaced": ("look", "A pack stands elsewhere than the registry said; the registry follows. Find out who moved it."),
    "pack_displaced": ("look", "Another pack stands where this one was registered. Look for the first one."),
    "unauthorised_swap_event": ("look", "Packs moved without a swap. Ask who was at the station."),
    "messages_lost": ("look", "The station no longer has messages that never arrived. Its history has a gap."),
    "event_not_handled": ("look", "A message was tried five times in vain. The log of the role desk says why."),
    "fault": ("look", "The station reports a fault. Plan a visit when it comes back."),
    "door": ("look", "A door does not do what it should. Plan a visit when it comes back."),
}
_KIND_WORDS = {
    "silent": "stations that are away",
    "shortfall": "stations short of packs",
    "swap": "swaps that need a person",
    "debt": "overdue debts",
    "anomaly": "open anomalies",
    "refused": "reasons of refused messages",
}
_OTHER_ANOMALY = "The rules did not expect this. Open the station and compare."


@dataclass(frozen=True, slots=True)
class Alert:
    """One finding. `since`: when it began, as far as is known; `weight` orders findings of the same age, the heaviest first."""

    kind: str
    severity: Severity
    what: str
    todo: str
    since: datetime
    station_id: str | None = None
    weight: float = 0.0


def find_alerts(fleet: FleetRows, station_silence_s: float) -> tuple[Alert, ...]:
    """Return everything that a person should know, what waits for him first, then the newest, then the worst."""
    names = {station.station_id: station.name for station in fleet.stations}
    found = [
        *_plan(fleet),
        *_silent(fleet, station_silence_s),
        *_shortfalls(fleet, names),
        *(_swap(swap, names) for swap in fleet.trouble.swaps),
        *_debts(fleet, names),
        *_anomalies(fleet, names),
        *_refused(fleet),
    ]
    return tuple(sorted(found, key=lambda alert: (alert.severity != "act", -alert.since.timestamp(), -alert.weight, alert.what)))


def stations_that_wait(alerts: Iterable[Alert]) -> frozenset[str]:
    """Return the stations where a person must act. Silence is not among them: a map has a colour of its own for it."""
    return frozenset(
        alert.station_id for alert in alerts if alert.station_id and alert.severity == "act" and alert.kind != "silent"
    )


def alerts_view(alerts: Sequence[Alert], now: datetime) -> dict[str, Any]:
    """Return the list that the page draws: a few lines of each kind, and how many more there are."""
    counts = Counter((alert.severity, alert.kind) for alert in alerts)
    seen: Counter[tuple[str, str]] = Counter()
    lines = []
    for alert in alerts:
        group = (alert.severity, alert.kind)
        seen[group] += 1
        if seen[group] <= MOST_OF_A_KIND:
            lines.append(_line(alert, now))
        elif seen[group] == MOST_OF_A_KIND + 1:
            lines.append(_rest(alert, counts[group] - MOST_OF_A_KIND))
    act = sum(alert.severity == "act" for alert in alerts)
    return {"act": act, "look": len(alerts) - act, "lines": lines}


def _line(alert: Alert, now: datetime) -> dict[str, Any]:
    return {
        "key": f"{alert.kind} {alert.what} {alert.since.isoformat()}",
        "tone": alert.severity,
        "what": alert.what,
        "todo": alert.todo,
        "age": age_text(age_s(alert.since, now)),
        "station": alert.station_id or "",
    }


def _rest(alert: Alert, count: int) -> dict[str, Any]:
    what = f"… and {count} more: {_KIND_WORDS.get(alert.kind, alert.kind)}"
    return {"key": f"{alert.severity} {alert.kind}", "tone": alert.severity, "what": what, "todo": "", "age": "", "station": ""}


def _plan(fleet: FleetRows) -> Iterator[Alert]:
    plan = fleet.plan
    if plan is None:
        born = [station.first_birth_at for station in fleet.stations if station.first_birth_at is not None]
        if born:
            yield Alert(
                "plan",
                "act",
                "There is no plan yet",
                "Stations keep to their own safe limit. Is the role plan running?",
                min(born),
            )
        return
    age = age_s(plan.made_at, fleet.at)
    if age is None or age > PLAN_OLD_S:
        todo = "Stations follow their last schedule. Is the role plan running? Its log says why it fails."
        yield Alert("plan", "act", f"No new plan for {age_text(age)}", todo, plan.made_at)
    if plan.engine == "greedy":
        todo = "It keeps every promise but is not the cheapest. If it stays, the log of the role plan says why."
        what = (
            "The solver found no plan, the greedy one stands in"
            if plan.truncated
            else "The solver's plan was refused, the greedy one stands in"
        )
        yield Alert("plan", "look", what, todo, plan.made_at)
    elif plan.truncated:
        gap = "" if plan.gap is None else f" It is at most {plan.gap * 100:.1f} % from the best."
        todo = f"The plan is lawful.{gap} If it stays, raise DENCHI_SOLVE_LIMIT_S."
        yield Alert("plan", "look", "The solver was cut off at its time limit", todo, plan.made_at)


def _silent(fleet: FleetRows, station_silence_s: float) -> Iterator[Alert]:
    """Yield one alert per station that is away, or one for all when most of them are."""
    expected = [station for station in fleet.stations if station.first_birth_at is not None and station.lifecycle == "in_service"]
    away = [(station, since) for station in expected if (since := _away_since(station, fleet.at, station_silence_s))]
    if len(away) >= max(LEAST_STATIONS, MOST_STATIONS_SHARE * len(expected)):
        todo = "So many at once: look at the broker and the role ingest first. Stations follow their last schedule meanwhile."
        yield Alert("silent", "act", f"{len(away)} of {len(expected)} stations are away", todo, max(since for _, since in away))
        return
    for station, since in away:
        gone = age_s(since, fleet.at) or 0.0
        words = "is silent although connected" if station.connected else "is not connected"
        todo = "Its packs are promised to nobody; it follows its last schedule. Check power and network there."
        severity: Severity = "act" if gone > station_silence_s else "look"
        yield Alert("silent", severity, f"{station.name} {words}", todo, since, station.station_id)


def _away_since(station: StationRow, now: datetime, station_silence_s: float) -> datetime | None:
    """Return since when nothing is heard of a station; None while all is well."""
    heard = station.heard_at or station.connection_at or station.first_birth_at
    if not station.connected:
        return station.connection_at or heard
    return heard if heard is not None and now - heard > timedelta(seconds=station_silence_s) else None


def _shortfalls(fleet: FleetRows, names: dict[str, str]) -> Iterator[Alert]:
    if fleet.plan is None:
        return
    for row in fleet.trouble.shortfalls:
        severity: Severity = "act" if row.shortfall_wh >= ACT_SHORTFALL_WH else "look"
        what = f"{names.get(row.station_id, row.station_id)} will be {row.shortfall_wh / 1000:.1f} kWh short"
        todo = "No charging speed readies enough packs for expected riders and the reserve. Bring full packs."
        yield Alert("shortfall", severity, what, todo, fleet.plan.made_at, row.station_id, row.shortfall_wh)


def _swap(swap: SwapLine, names: dict[str, str]) -> Alert:
    words, todo = _SWAP_WORDS.get(swap.status, (plain_words(swap.status), "Open the station and compare."))
    return Alert("swap", "act", f"{names.get(swap.station_id, swap.station_id)}: {words}", todo, swap.created_at, swap.station_id)


def _debts(fleet: FleetRows, names: dict[str, str]) -> Iterator[Alert]:
    for debt in fleet.trouble.debts:
        pack = f"pack {debt.serial_number}" if debt.serial_number else "a pack"
        if debt.owed_by == "rider":
            what, todo = f"{debt.rider_id} has not brought back {pack}", "Overdue. Call the rider, or charge him its value."
        else:
            what, todo = (
                f"We still owe {debt.rider_id} {pack}",
                "Overdue. Call the rider and offer him a station with ready packs.",
            )
        severity: Severity = "look" if debt.owed_by == "rider" else "act"
        yield Alert(
            "debt", severity, f"{what} ({names.get(debt.station_id, debt.station_id)})", todo, debt.due_at, debt.station_id
        )


def _anomalies(fleet: FleetRows, names: dict[str, str]) -> Iterator[Alert]:
    told = {swap.swap_id for swap in fleet.trouble.swaps}
    for line in fleet.trouble.anomalies:
        if line.swap_id is None or line.swap_id not in told:
            yield _anomaly(line, names)


def _anomaly(line: AnomalyLine, names: dict[str, str]) -> Alert:
    severity, todo = _ANOMALY_WORDS.get(line.kind, ("look", _OTHER_ANOMALY))
    where = names.get(line.station_id or "", line.station_id or "fleet")
    pack = f", pack {line.serial_number}" if line.serial_number else ""
    return Alert("anomaly", severity, f"{where}: {plain_words(line.kind)}{pack}", todo, line.seen_at, line.station_id)


def _refused(fleet: FleetRows) -> Iterator[Alert]:
    for row in fleet.trouble.refusals:
        count = "1000 messages or more" if row.messages >= 1000 else f"{row.messages} message" + "s" * (row.messages != 1)
        what = f"{count} refused within the hour: {plain_words(row.reason)}"
        todo = f"The newest came on {row.topic}: old firmware, or a stranger. The table dead_letter keeps what was refused."
        yield Alert("refused", "look", what, todo, row.last_at, weight=row.messages)
