"""Wire words into ours: observations for the desk, rows for the store. Pure; whether a message counts is decided elsewhere."""

import json
from datetime import UTC, date, datetime
from typing import Literal, assert_never

from devices.wire.envelope import WireModel
from devices.wire.events import Ack, Authorize, Birth, Event, Lane, SlotNotice, SlotState, Swap
from devices.wire.telemetry import BatteryData, Meter, Telemetry
from service.domain.observation import (
    ChargingState,
    CommandAnswered,
    LaneChanged,
    MessageKey,
    PackReading,
    PacksMoved,
    SlotChanged,
    SlotDescription,
    SlotStatus,
    StationBorn,
    StationEvent,
    StationNotice,
    SwapAsked,
)
from service.store.messages import FrameRow, LiveSlot, MeterRow

EventMessage = Birth | SlotNotice | Lane | Authorize | Swap | Event | Ack

_CHARGING_STATES: dict[str | None, ChargingState] = {
    None: "unknown",
    "Idle": "idle",
    "EVConnected": "ev_connected",
    "Charging": "charging",
    "SuspendedEV": "suspended_ev",
    "SuspendedEVSE": "suspended_evse",
}
_CHARGING_CODES = {state: code for code, state in enumerate(_CHARGING_STATES)}
"""Position = number in `telemetry.charging_state`."""

_MOVES: dict[str, Literal["in", "out", "out_timeout"]] = {
    "BatteryIn": "in",
    "BatteryOut": "out",
    "BatteryOutTimeout": "out_timeout",
}

_ANSWERS: dict[str, Literal["accepted", "rejected", "completed", "failed"]] = {
    "Accepted": "accepted",
    "Rejected": "rejected",
    "Completed": "completed",
    "Failed": "failed",
}

_MORE_FIELDS = tuple(
    (name, info.alias or name)
    for name, info in BatteryData.model_fields.items()
    if name
    in {
        "production_date", "vendor_info", "lot", "bms_firmware", "charge_limit_w", "discharge_limit_w", "remaining_capacity_ah",
        "full_cycles", "resistance_mohm", "deep_discharges", "minutes_hot", "minutes_cold", "minutes_hot_charging",
        "minutes_cold_charging", "custom_data",
    }
)  # fmt: skip
"""Fields of the wire without a column of their own, with their wire names. `status` repeats the slot's and is not read."""

_MORE_NAMES = frozenset(name for name, _ in _MORE_FIELDS)

_FIRST_DAY = datetime(2020, 1, 1, tzinfo=UTC)
_END_OF_DAYS = datetime(2100, 1, 1, tzinfo=UTC)
UNDATED = date(1970, 1, 1)
"""`ts_day` of a message whose own clock is out of the question; no daily partition ever holds it."""

DEFAULT_EFFICIENCY = 0.92
"""Guess: DC out / AC in of a charger group whose station does not say."""


def day_of(ts: datetime) -> date:
    """Return the partition day of a message by its own `ts` alone, so that a redelivery finds the same one."""
    return ts.astimezone(UTC).date() if _FIRST_DAY <= ts < _END_OF_DAYS else UNDATED


def slot_status(status: str, has_pack: bool) -> SlotStatus:
    """Return our word for a slot status of OCPP. A slot that is `Reserved` holds a pack or not; the hold lives with us."""
    if status == "Available":
        return "empty"
    if status == "Occupied":
        return "occupied"
    if status == "Reserved":
        return "occupied" if has_pack else "empty"
    return "faulted" if status == "Faulted" else "disabled"


def pack_reading(pack: BatteryData) -> PackReading:
    """Return one pack in our words."""
    return PackReading(
        slot_no=pack.evse_id,
        serial_number=pack.serial_number,
        soc=pack.soc_pct / 100,
        soh=pack.soh_pct / 100,
        pack_model_id=pack.pack_model_id,
        charging_state=_CHARGING_STATES[pack.charging_state],
        voltage_v=pack.voltage_v,
        current_a=pack.current_a,
        power_dc_w=pack.power_w,
        temp_min_degc=pack.temp_min_degc,
        temp_max_degc=pack.temp_max_degc,
        cell_min_mv=pack.cell_min_mv,
        cell_max_mv=pack.cell_max_mv,
        energy_in_wh=pack.energy_in_wh,
        energy_out_wh=pack.energy_out_wh,
        faults=tuple(pack.faults or ()),
        more=_more(pack),
    )


def station_event(message: EventMessage) -> StationEvent:
    """Return what a message means to the desk."""
    match message:
        case Birth():
            return _born(message)
        case SlotNotice():
            return SlotChanged(
                slot_no=message.evse_id,
                status=slot_status(message.status, message.serial_number is not None),
                serial_number=message.serial_number,
                reason=message.reason,
            )
        case Lane():
            return LaneChanged(lane_id=message.lane_id, state=message.state, vehicle_id=message.vehicle_id)
        case Authorize():
            return SwapAsked(
                request_id=message.request_id,
                token=message.id_token.id_token,
                token_type=message.id_token.type,
                asset_id=message.vehicle_id,
                slot_no=message.evse_id,
                packs=tuple(map(pack_reading, message.packs_in)),
            )
        case Swap():
            return PacksMoved(
                what=_MOVES[message.event_type],
                request_id=message.request_id,
                token=message.id_token.id_token,
                packs=tuple(map(pack_reading, message.battery_data)),
            )
        case Event():
            return StationNotice(
                topic=message.kind,
                code=message.code,
                phase=message.phase,
                severity=message.severity,
                slot_numbers=tuple(message.evse_ids),
                serial_numbers=tuple(message.serial_numbers),
                zone=message.zone,
                detail=message.detail,
            )
        case Ack():
            return CommandAnswered(
                command_id=message.command_id,
                answer=_ANSWERS[message.status],
                reason_code=message.reason_code,
            )
        case _:
            assert_never(message)


def frame(station_id: str, message: Telemetry, received_at: datetime) -> FrameRow:
    """Return the row of a telemetry message."""
    packs = message.battery_data
    more = {str(pack.evse_id): extras for pack in packs if (extras := _more(pack, faults=True))}
    return FrameRow(
        station_id=station_id,
        epoch=message.epoch,
        boot=message.boot,
        seq=message.seq,
        ts_day=day_of(message.ts),
        ts=message.ts,
        received_at=received_at,
        slot_no=[pack.evse_id for pack in packs],
        serial_number=[pack.serial_number for pack in packs],
        soc_bp=[round(pack.soc_pct * 100) for pack in packs],
        soh_bp=[round(pack.soh_pct * 100) for pack in packs],
        charging_state=[_CHARGING_CODES[pack.charging_state] for pack in packs],
        voltage_mv=[_scaled(pack.voltage_v, 1000) for pack in packs],
        current_ma=[_scaled(pack.current_a, 1000) for pack in packs],
        power_dw=[_scaled(pack.power_w, 10) for pack in packs],
        temp_min_ddegc=[_scaled(pack.temp_min_degc, 10) for pack in packs],
        temp_max_ddegc=[_scaled(pack.temp_max_degc, 10) for pack in packs],
        cell_min_mv=[pack.cell_min_mv for pack in packs],
        cell_max_mv=[pack.cell_max_mv for pack in packs],
        energy_in_wh=[pack.energy_in_wh for pack in packs],
        energy_out_wh=[pack.energy_out_wh for pack in packs],
        more=json.dumps(more, separators=(",", ":")) if more else None,
    )


def meters(station_id: str, message: Meter, received_at: datetime) -> list[MeterRow]:
    """Return one row per register; of a meter named twice in one message the last counts."""
    last = {register.meter_id: register for register in message.registers}
    return [
        MeterRow(
            station_id=station_id,
            meter_id=register.meter_id,
            point=register.point,
            epoch=message.epoch,
            boot=message.boot,
            seq=message.seq,
            ts=message.ts,
            received_at=received_at,
            import_wh=register.import_wh,
            export_wh=register.export_wh,
            quality=register.quality,
        )
        for register in last.values()
    ]


def live_slots(message: WireModel, key: MessageKey, received_at: datetime) -> list[LiveSlot]:
    """Return the slots whose content a message tells: a pack with its reading, or nothing.

    A notice that a slot is occupied tells no reading and so says nothing here: the newest reading stays until a message brings
    another. So the newest state is the highest key per slot, whatever the order of arrival.
    """
    match message:
        case Telemetry():
            return [live_slot(pack, key, received_at) for pack in message.battery_data]
        case Swap(event_type="BatteryOut"):
            return [LiveSlot(pack.evse_id, key, received_at) for pack in message.battery_data]
        case Swap():
            return [live_slot(pack, key, received_at) for pack in message.battery_data]
        case SlotNotice():
            empty = slot_status(message.status, message.serial_number is not None) == "empty"
            return [LiveSlot(message.evse_id, key, received_at)] if empty else []
        case Birth():
            slots = {state.evse_id: LiveSlot(state.evse_id, key, received_at) for state in message.slot_state}
            slots.update((pack.evse_id, live_slot(pack, key, received_at)) for pack in message.battery_data)
            return list(slots.values())
        case _:
            return []


def live_slot(pack: BatteryData, key: MessageKey, received_at: datetime) -> LiveSlot:
    """Return the newest state of a slot that holds this pack."""
    spread = None if pack.cell_min_mv is None or pack.cell_max_mv is None else max(0, pack.cell_max_mv - pack.cell_min_mv)
    return LiveSlot(
        slot_no=pack.evse_id,
        key=key,
        reading_at=received_at,
        serial_number=pack.serial_number,
        soc=pack.soc_pct / 100,
        soh=pack.soh_pct / 100,
        charging_state=_CHARGING_STATES[pack.charging_state],
        power_dc_w=pack.power_w,
        temp_max_degc=pack.temp_max_degc,
        cell_spread_mv=spread,
        fault_count=len(pack.faults or ()),
        energy_in_wh=pack.energy_in_wh,
    )


def _born(message: Birth) -> StationBorn:
    packs = {pack.evse_id for pack in message.battery_data}
    slots = {state.evse_id: _described(state, state.evse_id in packs) for state in message.slot_state}
    groups = message.charger_groups
    power_w = sum(group.max_ac_w for group in groups)
    if power_w > 0:
        efficiency = sum(group.efficiency * group.max_ac_w for group in groups) / power_w
    else:
        efficiency = groups[0].efficiency if groups else DEFAULT_EFFICIENCY
    return StationBorn(
        vendor=message.vendor,
        model=message.model,
        firmware=message.firmware,
        swap_order=message.swap_order,
        target_soc=message.target_soc_pct / 100,
        max_import_ac_w=message.site.max_import_ac_w,
        charger_efficiency=min(efficiency, 1.0),
        schedule_id=message.schedule_id,
        slots=tuple(slots.values()),
        packs=tuple(map(pack_reading, message.battery_data)),
    )


def _described(state: SlotState, has_pack: bool) -> SlotDescription:
    return SlotDescription(
        slot_no=state.evse_id,
        status=slot_status(state.status, has_pack),
        accepts=tuple(state.accepts),
        zone=state.zone,
        max_charge_dc_w=state.max_charge_dc_w,
        max_discharge_dc_w=state.max_discharge_dc_w,
        charger_group=state.charger_group,
    )


def _scaled(value: float | None, factor: int) -> int | None:
    return None if value is None else round(value * factor)


def _more(pack: BatteryData, *, faults: bool = False) -> dict[str, object]:
    extras: dict[str, object] = {}
    if not _MORE_NAMES.isdisjoint(pack.model_fields_set):
        for name, wire_name in _MORE_FIELDS:
            value = getattr(pack, name)
            if value is not None:
                extras[wire_name] = value.isoformat() if isinstance(value, datetime) else value
    if faults and pack.faults:
        extras["faults"] = pack.faults
    return extras
