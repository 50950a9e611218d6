"""One slot as the console shows it: what is in it, and in which of a few states. Pure.

`ready` is what the desk's own gates say; everything else only sorts slots for the eye.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from service.console.wording import NOTHING, age_s, age_text, percent_text, plain_words, power_text
from service.domain.desk import CHARGING_INTERVAL_S, Gates, unfit_reason
from service.domain.pack import Condition, PackModel, PackNow
from service.store.fleet import SlotRow

STATES: dict[str, tuple[str, str]] = {
    "ready": ("ready", "ready to hand out"),
    "charging": ("charging", "charging, below the hand-out threshold"),
    "resting": ("resting", "at rest, below the hand-out threshold"),
    "held": ("held", "held for a rider"),
    "unfit": ("not fit", "not fit: fault, heat, quarantine or no fresh reading"),
    "faulted": ("out of order", "slot faulted or disabled"),
    "foreign": ("unexpected", "a pack that the registry does not expect here"),
    "empty": ("empty", "empty"),
}
"""State -> (its name in the legend, what it means). The mark inside the picture carries the state where colour does not."""


_CONDITIONS: dict[str, Condition] = {"ok": "ok", "quarantined": "quarantined", "retired": "retired"}
_TROUBLES = {
    "quarantined": "pack is quarantined",
    "retired": "pack is retired",
    "never_heard": "never heard from",
    "cell_spread": "cells too far apart",
}
_NORMAL = ("low", "held")


def desk_reason(slot: SlotRow, now: datetime) -> str | None:
    """Return why the desk would not hand out the pack in `slot` now, in the desk's own words; None when it would."""
    if slot.quarantined:
        return "quarantined_slot"
    pack = _pack(slot)
    return "never_heard" if pack is None else unfit_reason(pack, Gates(now=now))


def _pack(slot: SlotRow) -> PackNow | None:
    """Return the pack as the desk sees it; None while there is no reading."""
    if slot.serial_number is None or slot.soc is None or slot.nominal_wh is None:
        return None
    model = PackModel(
        pack_model_id=slot.pack_model_id or "",
        nominal_wh=slot.nominal_wh,
        nominal_v=slot.nominal_v or 0.0,
        max_charge_w=slot.max_charge_w or 0.0,
        hand_out_soc=1.0 if slot.hand_out_soc is None else slot.hand_out_soc,
        target_soc=1.0 if slot.target_soc is None else slot.target_soc,
        max_hand_out_degc=45.0 if slot.max_hand_out_degc is None else slot.max_hand_out_degc,
        max_cell_spread_mv=150 if slot.max_cell_spread_mv is None else slot.max_cell_spread_mv,
    )
    return PackNow(
        serial_number=slot.serial_number,
        model=model,
        slot_no=slot.slot_no,
        condition=_CONDITIONS.get(slot.condition or "ok", "quarantined"),
        held_by=slot.pack_held_by,
        soc=slot.soc,
        soh=1.0 if slot.soh is None else slot.soh,
        temp_max_degc=slot.temp_max_degc,
        cell_spread_mv=slot.cell_spread_mv,
        fault_count=slot.fault_count or 0,
        charging=slot.charging_state == "charging",
        reading_at=slot.reading_at,
    )


def _trouble_words(slot: SlotRow, now: datetime) -> str:
    reason = desk_reason(slot, now) or "not fit"
    if reason == "fault":
        return f"{slot.fault_count} fault" + ("s" if (slot.fault_count or 0) > 1 else "")
    if reason == "stale":
        return f"last reading {age_text(age_s(slot.reading_at, now))} ago"
    if reason == "hot":
        return f"too hot: {slot.temp_max_degc:.0f} °C"
    return _TROUBLES.get(reason, plain_words(reason))


def slot_state(slot: SlotRow, now: datetime) -> str:
    """Return one of `STATES`. What needs a person wins over what is normal."""
    if slot.status in ("faulted", "disabled"):
        return "faulted"
    if slot.serial_number is None:
        return "foreign" if slot.reported_serial is not None or slot.status == "occupied" else "empty"
    if slot.reported_serial is not None and slot.reported_serial != slot.serial_number:
        return "foreign"
    reason = desk_reason(slot, now)
    if reason is None:
        return "ready"
    if reason not in _NORMAL:
        return "unfit"
    if reason == "held":
        return "held"
    return "charging" if slot.charging_state == "charging" else "resting"


def charging_w(slot: SlotRow, now: datetime) -> float:
    """Return the DC power into the pack by its newest reading [W].

    Nothing without a pack, and nothing when the reading is older than a charging pack may stay silent: then nobody knows.
    """
    age = age_s(slot.reading_at, now)
    if slot.power_dc_w is None or slot.reported_serial is None or age is None or age > CHARGING_INTERVAL_S * 1.1:
        return 0.0
    return slot.power_dc_w


def slot_cell(slot: SlotRow, now: datetime) -> list[Any]:
    """Return ``[slot_no, state, soc in whole percent or -1]``, the small picture in a station's row."""
    return [
        slot.slot_no,
        slot_state(slot, now),
        -1 if slot.soc is None or slot.reported_serial is None else round(slot.soc * 100),
    ]


def slot_detail(slot: SlotRow, now: datetime) -> dict[str, Any]:
    """Return everything the station panel shows of one slot, as text."""
    state = slot_state(slot, now)
    serial = slot.serial_number or slot.reported_serial
    return {
        "slot_no": slot.slot_no,
        "cell": slot_cell(slot, now),
        "serial": serial or "",
        "model": slot.pack_model_id or "",
        "state": _state_words(slot, state, now),
        "held_by": slot.pack_held_by or slot.slot_held_by or "",
        "soc": percent_text(slot.soc) if serial else "",
        "facts": _facts(slot, now) if serial else [],
    }


def _facts(slot: SlotRow, now: datetime) -> list[list[str]]:
    """Return (label, value) pairs; a value whose unit says what it is has no label."""
    temperature = NOTHING if slot.temp_max_degc is None else f"{slot.temp_max_degc:.0f} °C"
    return [
        ["SoH", percent_text(slot.soh)],
        ["", temperature],
        ["", power_text(slot.power_dc_w)],
        ["read", age_text(age_s(slot.reading_at, now))],
    ]


def _state_words(slot: SlotRow, state: str, now: datetime) -> str:
    words = {
        "ready": "ready",
        "charging": "charging",
        "resting": "resting",
        "held": f"held for a {_holder(slot.pack_held_by)}",
        "unfit": _trouble_words(slot, now) if state == "unfit" else "",
        "faulted": f"slot {slot.status}",
        "foreign": _foreign_words(slot),
        "empty": f"empty, kept for a {_holder(slot.slot_held_by)}" if slot.slot_held_by else "empty",
    }[state]
    if state == "ready" and slot.charging_state == "charging":
        return "ready, charging on"
    if state == "held" and slot.charging_state == "charging":
        return f"{words}, charging"
    return words


def _holder(held_by: str | None) -> str:
    return "swap" if held_by is not None and held_by.startswith("swp_") else "reservation"


def _foreign_words(slot: SlotRow) -> str:
    if slot.serial_number is not None:
        return f"reports {slot.reported_serial}, registry expects {slot.serial_number}"
    return "not registered here" if slot.reported_serial else "occupied, pack unknown"


def legend() -> list[dict[str, str]]:
    """Return the legend of the slot pictures, in a fixed order."""
    return [{"state": state, "short": short, "words": words} for state, (short, words) in STATES.items()]


def count_states(cells: Iterable[Sequence[Any]]) -> dict[str, int]:
    """Return how many slots are in each state, by their cells; every state is there, possibly with 0."""
    return dict.fromkeys(STATES, 0) | Counter(cell[1] for cell in cells)
