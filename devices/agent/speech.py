"""From what the hardware reads to what the wire says. Pure builders; keys and sending live in the link."""

from collections.abc import Mapping
from math import isfinite

from pydantic import ValidationError

from devices.agent.safety import SlotNow
from devices.hardware.ports import ClockStatus, PackSample, RegisterSample, StationDescriptor
from devices.link.journal import Stamp
from devices.wire import events, telemetry
from devices.wire.envelope import StationClock


def pack_data(slot_no: int, pack: PackSample, *, slim: bool = False) -> telemetry.BatteryData:
    """Return a pack as the wire says it. Readings that are no lawful numbers are left out and named as ``BadReading``.

    `slim`: only what OCPP and the desk need, for births of very large stations.
    """
    if slim:
        return _slim(slot_no, pack, None)
    try:
        return _full(slot_no, pack)
    except ValidationError:
        return _slim(slot_no, pack, ["BadReading"])


def _share_pct(share: float) -> float:
    return round(100 * min(max(share, 0.0), 1.0), 2) if isfinite(share) else 0.0


def _slim(slot_no: int, pack: PackSample, faults: list[str] | None) -> telemetry.BatteryData:
    return telemetry.BatteryData(
        evse_id=slot_no,
        serial_number=pack.serial_number,
        soC=_share_pct(pack.soc),
        soH=_share_pct(pack.soh),
        pack_model_id=pack.pack_model_id,
        faults=faults,
    )


def _full(slot_no: int, pack: PackSample) -> telemetry.BatteryData:
    return telemetry.BatteryData(
        evse_id=slot_no,
        serial_number=pack.serial_number,
        soC=_share_pct(pack.soc) if isfinite(pack.soc) else pack.soc,
        soH=_share_pct(pack.soh) if isfinite(pack.soh) else pack.soh,
        pack_model_id=pack.pack_model_id,
        lot=pack.lot,
        bms_firmware=pack.bms_firmware,
        charge_limit_w=round(pack.charge_limit_w, 1),
        discharge_limit_w=round(pack.discharge_limit_w, 1),
        status="Occupied",
        charging_state="Charging" if pack.power_dc_w > 1.0 else "Idle",
        voltage_v=round(pack.voltage_v, 2),
        current_a=round(pack.current_a, 2),
        power_w=round(pack.power_dc_w, 1),
        tempMinC=round(pack.temp_min_degc, 1),
        tempMaxC=round(pack.temp_max_degc, 1),
        cell_min_mv=pack.cell_min_mv,
        cell_max_mv=pack.cell_max_mv,
        full_cycles=round(pack.full_cycles, 1),
        energy_in_wh=pack.energy_in_wh,
        energy_out_wh=pack.energy_out_wh,
        resistance_mohm=pack.resistance_mohm,
        deep_discharges=pack.deep_discharges,
        minutes_hot=pack.minutes_hot,
        minutes_cold=pack.minutes_cold,
        minutes_hot_charging=pack.minutes_hot_charging,
        minutes_cold_charging=pack.minutes_cold_charging,
        faults=[fault[:40] for fault in pack.faults[:32]],
    )


def slot_status(now: SlotNow, *, reserved: bool) -> events.SlotStatus:
    """Return a slot's status in OCPP's words: ``Available`` means empty."""
    if now.fault is not None:
        return "Faulted"
    if now.disabled or now.stopped:
        return "Unavailable"
    if reserved:
        return "Reserved"
    return "Available" if now.pack is None else "Occupied"


def wire_clock(status: ClockStatus) -> StationClock:
    """Return how far the clock is trusted, as the wire says it."""
    return StationClock(source=status.source, offset_ms=status.offset_ms, last_sync_at=status.last_sync_at)


def birth(
    stamp: Stamp,
    station: StationDescriptor,
    slots: Mapping[int, SlotNow],
    statuses: Mapping[int, events.SlotStatus],
    clock: ClockStatus,
    journal: list[events.JournalSpan],
    schedule_id: str | None,
    *,
    slim: bool = False,
) -> events.Birth:
    """Return everything about a station."""
    return events.Birth(
        ts=stamp.ts,
        epoch=stamp.epoch,
        boot=stamp.boot,
        seq=stamp.seq,
        vendor=station.vendor,
        model=station.model,
        firmware=station.firmware,
        swap_order=station.swap_order,
        targetSoC=100 * station.target_soc,
        maxSoC=100 * station.max_soc,
        timeout_in_s=station.timeout_in_s,
        timeout_out_s=station.timeout_out_s,
        schedule_id=schedule_id,
        clock=wire_clock(clock),
        journal=journal,
        site=events.Site(phases=station.phases, max_import_ac_w=station.max_import_ac_w, max_export_ac_w=station.max_export_ac_w),
        lanes=[
            events.LaneDescriptor(lane_id=lane.lane_id, cycle_s=lane.cycle_s, automatic=lane.automatic) for lane in station.lanes
        ],
        charger_groups=[
            events.ChargerGroup(id=group.group_id, max_ac_w=group.max_ac_w, efficiency=group.efficiency)
            for group in station.charger_groups
        ],
        slot_state=[
            events.SlotState(
                evse_id=slot.slot_no,
                status=statuses[slot.slot_no],
                accepts=list(slot.accepts),
                zone=slot.zone,
                max_charge_dc_w=slot.max_charge_dc_w,
                max_discharge_dc_w=slot.max_discharge_dc_w,
                charger_group=slot.charger_group,
            )
            for slot in station.slots
        ],
        battery_data=[pack_data(slot_no, now.pack, slim=slim) for slot_no, now in slots.items() if now.pack is not None],
    )


def register(sample: RegisterSample, clock: ClockStatus) -> telemetry.MeterRegister:
    """Return a register; a station that cannot tell the time marks its energy as estimated."""
    return telemetry.MeterRegister(
        meter_id=sample.meter_id,
        serial=sample.serial,
        point=sample.point,
        import_wh=sample.import_wh,
        export_wh=sample.export_wh,
        quality="estimated" if clock.source == "none" else "measured",
    )
