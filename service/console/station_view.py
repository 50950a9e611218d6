"""The panel of one station: its slots, what the plan wants and why, newest swaps and anomalies. Pure."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from service.console.slot_view import charging_w, slot_detail
from service.console.swaps_view import BAD, LIVE
from service.console.wording import age_s, age_text, moment_text, plain_words, power_text
from service.store.fleet import AnomalyLine, FleetRows, PlanRow, SlotRow, StationMore, SwapLine


def station_view(fleet: FleetRows, station_id: str, more: StationMore | None) -> dict[str, Any]:
    """Return the panel of a station; an unknown id gives a panel that says so."""
    station = next((row for row in fleet.stations if row.station_id == station_id), None)
    if station is None:
        return {"id": station_id, "known": False}
    slots = [slot for slot in fleet.slots if slot.station_id == station_id]
    now = fleet.at
    heard = age_s(station.heard_at, now)
    link = "connected" if station.connected else ("not connected" if station.first_birth_at else "registered, never born")
    heard_words = "never heard" if heard is None else ("heard just now" if heard < 60 else f"heard {age_text(heard)} ago")
    return {
        "id": station.station_id,
        "known": True,
        "name": station.name,
        "connected": station.connected,
        "link": f"{link}, {heard_words}" + ("" if station.lifecycle == "in_service" else f", {plain_words(station.lifecycle)}"),
        "power": _power_words(slots, station.max_import_ac_w, now),
        "plan": _plan_words(fleet.plan, more, now),
        "reason": more.plan.reason if more is not None and more.plan is not None else "",
        "slots": [slot_detail(slot, now) for slot in slots],
        "swaps": [] if more is None else [_swap(line, now) for line in more.swaps],
        "anomalies": [] if more is None else [_anomaly(line, now) for line in more.anomalies],
    }


def _power_words(slots: Sequence[SlotRow], max_import_ac_w: float | None, now: datetime) -> str:
    power = f"charging with {power_text(sum(charging_w(slot, now) for slot in slots))} (DC)"
    return power if max_import_ac_w is None else f"{power}, connection {power_text(max_import_ac_w)} (AC)"


def _plan_words(plan: PlanRow | None, more: StationMore | None, now: datetime) -> str:
    if plan is None:
        return "no plan yet"
    if more is None:
        return ""
    if more.plan is None:
        return "not in the newest plan"
    step = int((now - plan.start_at).total_seconds() // plan.step_s)
    energy = more.plan.energy_ac_wh
    words = f"{sum(energy) / 1000:.1f} kWh over the horizon"
    if 0 <= step < len(energy):
        words = f"{energy[step] / 1000:.2f} kWh in this step, {words}"
    return words if more.plan.shortfall_wh < 1 else f"{words}, {more.plan.shortfall_wh / 1000:.1f} kWh short"


def _swap(line: SwapLine, now: datetime) -> dict[str, str]:
    tone = "bad" if line.status in BAD else ("live" if line.status in LIVE else "ok")
    reason = f": {plain_words(line.status_reason)}" if line.status_reason else ""
    return {
        "id": line.swap_id,
        "at": moment_text(line.created_at, now),
        "words": f"{plain_words(line.status)}{reason}",
        "note": f"{line.packs_in} in, {line.packs_out} out of {line.pack_count}",
        "tone": tone,
    }


def _anomaly(line: AnomalyLine, now: datetime) -> dict[str, str]:
    return {
        "id": str(line.anomaly_id),
        "at": moment_text(line.seen_at, now),
        "words": plain_words(line.kind),
        "note": ", ".join(part for part in (line.serial_number, _detail_words(line.detail)) if part),
        "tone": "bad" if line.closed_at is None else "ok",
    }


def _detail_words(detail: str) -> str:
    """Return an anomaly's JSON detail as ``key value`` pairs, at most 120 characters."""
    value = json.loads(detail)
    words = ", ".join(f"{plain_words(key)} {item}" for key, item in value.items()) if isinstance(value, dict) else str(value)
    return words if len(words) <= 120 else words[:119] + "…"
