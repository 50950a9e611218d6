"""What a station refuses whoever asks: charging, unlocking, and when a zone stops. Pure; reads values, returns values."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite

from devices.hardware.ports import PackSample, SafetySignal, SlotDescriptor


@dataclass(frozen=True, slots=True)
class SafetyRules:
    """Local limits. They hold over every command and every schedule."""

    charge_min_degc: float = 0.0
    """Source: IEC 62133-2 annex A / JEITA guideline, charging of lithium-ion cells starts at 0..10 degC."""
    charge_max_degc: float = 45.0
    """Source: IEC 62133-2 annex A, upper limit charging temperature 45 degC where the maker names no other."""
    alarm_degc: float = 70.0
    """Guess: far above any lawful operation, below the onset of self-heating (80..120 degC)."""
    cell_max_mv: int = 4250
    """Source: IEC 62133-2 annex A, 4.25 V per cell as upper limit charging voltage."""


@dataclass(frozen=True, slots=True)
class SlotNow:
    """One slot as the agent just read it."""

    slot: SlotDescriptor
    pack: PackSample | None
    door_open: bool
    fault: str | None
    stopped: bool = False
    """Its zone is in the safe state."""
    disabled: bool = False


def why_not_charge(now: SlotNow, rules: SafetyRules, max_soc: float) -> str | None:
    """Return why a slot must not charge now, None when it may."""
    pack = now.pack
    if pack is None:
        return "Empty"
    if now.stopped:
        return "SafeState"
    if now.fault is not None:
        return "SlotFault"
    if pack.faults:
        return "PackFault"
    if now.door_open:
        return "DoorOpen"
    if not _is_readable(pack):
        return "BadReading"
    if pack.temp_max_degc > rules.charge_max_degc:
        return "TooHot"
    if pack.temp_min_degc < rules.charge_min_degc:
        return "TooCold"
    if pack.cell_max_mv > rules.cell_max_mv:
        return "CellVoltage"
    if pack.soc >= max_soc:
        return "Charged"
    return None


def _is_readable(pack: PackSample) -> bool:
    """Tell whether the readings the rules rest on are numbers: a comparison with NaN is never true."""
    return all(map(isfinite, (pack.soc, pack.temp_min_degc, pack.temp_max_degc, pack.cell_max_mv, pack.charge_limit_w)))


def charge_ceiling_w(now: SlotNow, rules: SafetyRules, max_soc: float) -> float:
    """Return the most a slot may charge with now [W DC]: 0 when it must not, never above the slot or the BMS."""
    if now.pack is None or why_not_charge(now, rules, max_soc) is not None:
        return 0.0
    return max(0.0, min(now.slot.max_charge_dc_w, now.pack.charge_limit_w))


def why_not_unlock(now: SlotNow, rules: SafetyRules) -> str | None:
    """Return why a slot must stay locked, None when it may open."""
    if now.stopped:
        return "SafeState"
    if now.fault is not None:
        return "SlotFault"
    if now.pack is not None and now.pack.temp_max_degc > rules.alarm_degc:
        return "OverTemperature"
    return None


def why_not_hand_out(now: SlotNow, rules: SafetyRules) -> str | None:
    """Return why a pack must not go to a rider, None when it may."""
    if now.pack is None:
        return "NoBatteryAvailable"
    if now.pack.faults:
        return "PackFault"
    if not _is_readable(now.pack):
        return "BadReading"
    if now.disabled:
        return "SlotDisabled"
    return why_not_unlock(now, rules)


def why_not_take_in(now: SlotNow, rules: SafetyRules) -> str | None:
    """Return why a slot cannot take a pack in, None when it can."""
    if now.pack is not None:
        return "Occupied"
    if now.disabled:
        return "SlotDisabled"
    if now.door_open:
        return "DoorOpen"
    return why_not_unlock(now, rules)


def fits(slot: SlotDescriptor, pack: PackSample) -> bool:
    """Tell whether a slot is built for a pack. A slot that names no model takes all."""
    return not slot.accepts or pack.pack_model_id in slot.accepts


def alarms(slots: Iterable[SlotNow], rules: SafetyRules) -> list[SafetySignal]:
    """Return the alarms that the packs' own readings raise."""
    return [
        SafetySignal("OverTemperature", now.slot.zone, (now.slot.slot_no,))
        for now in slots
        if now.pack is not None and now.pack.temp_max_degc > rules.alarm_degc
    ]


def slots_stopped_by(signal: SafetySignal, slots: Mapping[int, SlotDescriptor]) -> frozenset[int]:
    """Return the slots a signal stops: its zone; without a zone its slots' zones; with neither the whole station."""
    zones = {signal.zone} if signal.zone is not None else {slots[n].zone for n in signal.slot_numbers if n in slots}
    if None in zones or not zones:
        return frozenset(slots)
    return frozenset(number for number, slot in slots.items() if slot.zone in zones) | frozenset(signal.slot_numbers)
