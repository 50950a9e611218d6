"""Periodic measurements: packs (``up/telemetry``, ``up/history``) and registers (``up/meter``)."""

import json
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from devices.wire.envelope import (
    ClosedModel,
    CustomData,
    Envelope,
    Instant,
    Percent,
    SlotNumber,
    StationClock,
    WattHours,
    Watts,
    WireModel,
)
from devices.wire.ids import SerialNumber, Text40, Text50, Text500

PackSlotStatus = Literal["Occupied", "Reserved", "Unavailable", "Faulted"]
ChargingState = Literal["Idle", "EVConnected", "Charging", "SuspendedEV", "SuspendedEVSE"]
MeterPoint = Literal["site", "charger", "slot", "pv", "storage", "aux"]


def _storable(data: CustomData) -> CustomData:
    text = json.dumps(data, allow_nan=False)
    if "\\u0000" in text:
        raise ValueError("customData must not contain the NUL character")
    return data


Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
Celsius = Annotated[float, Field(ge=-50, le=150)]


class BatteryData(ClosedModel):
    """One pack in one slot. The first six fields are OCPP 2.1 ``BatteryDataType``, one to one.

    Power and current are positive into the pack. Energies are registers: integers that only grow.
    """

    evse_id: SlotNumber
    serial_number: SerialNumber
    soc_pct: Percent = Field(alias="soC")
    soh_pct: Percent = Field(alias="soH")
    production_date: Instant | None = None
    vendor_info: Text500 | None = None
    pack_model_id: Text40 | None = None
    lot: Text40 | None = None
    bms_firmware: Text40 | None = None
    charge_limit_w: Watts | None = None
    discharge_limit_w: Watts | None = None
    status: PackSlotStatus | None = None
    charging_state: ChargingState | None = None
    voltage_v: float | None = Field(default=None, ge=0, le=1000)
    current_a: float | None = Field(default=None, ge=-1000, le=1000)
    power_w: float | None = Field(default=None, ge=-100_000, le=100_000)
    temp_min_degc: Celsius | None = Field(default=None, alias="tempMinC")
    temp_max_degc: Celsius | None = Field(default=None, alias="tempMaxC")
    cell_min_mv: int | None = Field(default=None, ge=0, le=6000)
    cell_max_mv: int | None = Field(default=None, ge=0, le=6000)
    remaining_capacity_ah: float | None = Field(default=None, ge=0, le=2000)
    full_cycles: float | None = Field(default=None, ge=0, le=100_000)
    energy_in_wh: WattHours | None = None
    energy_out_wh: WattHours | None = None
    resistance_mohm: float | None = Field(default=None, ge=0, le=10_000)
    deep_discharges: Count | None = None
    minutes_hot: Count | None = None
    minutes_cold: Count | None = None
    minutes_hot_charging: Count | None = None
    minutes_cold_charging: Count | None = None
    faults: list[Text40] | None = Field(default=None, max_length=32)
    custom_data: Annotated[CustomData, AfterValidator(_storable)] | None = None


class Telemetry(Envelope):
    """Readings of the packs that changed beyond their dead band, or were due."""

    battery_data: list[BatteryData] = Field(max_length=999)


class MeterRegister(WireModel):
    """One energy register. Import is energy into the site (or the device); both only grow."""

    meter_id: Text50
    serial: Text50 | None = None
    point: MeterPoint
    import_wh: WattHours
    export_wh: WattHours = 0
    max_demand_w: Watts | None = None
    quality: Literal["measured", "estimated"] = "measured"


class Meter(Envelope):
    """Registers, aligned to :00 and :30 and every five minutes."""

    clock: StationClock
    registers: list[MeterRegister] = Field(max_length=999)
    host_load_ac_w: Watts | None = None
    host_limit_ac_w: Watts | None = None
