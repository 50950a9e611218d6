"""Packs as they really are: energy in and out, heat, voltage, wear. Arrays of all packs of the world, one `step` for all.

What does not live here: where a pack is (``simulator.plant``), what a station reports of it (``simulator.cabinet``).
Power is DC at the pack's terminals, positive into the pack. Arrays have the axis ``(packs,)``.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
"""One number per pack."""


@dataclass(frozen=True, slots=True)
class PackType:
    """What all packs of one type share."""

    nominal_wh: float
    nominal_v: float
    max_charge_w: float
    max_discharge_w: float
    cells_in_series: int
    charge_efficiency: float
    """Stored energy per energy at the terminals while charging."""
    discharge_efficiency: float
    """Energy at the terminals per stored energy while discharging."""
    taper_from_soc: float
    """State of charge at which constant current ends; the voltage is at its limit and the current falls."""
    taper_floor: float
    """Share of the full charging power that is left just below 100 %."""
    thermal_resistance_k_per_w: float
    thermal_time_constant_s: float
    fade_per_full_cycle: float
    """State of health lost for each nominal energy that went in."""


MOBILE_POWER_PACK = PackType(
    # Source: Honda Mobile Power Pack e:, maker's data sheet: 50.26 V, 26.1 Ah, 1,314 Wh, about 5 h of charging.
    nominal_wh=1314.0,
    nominal_v=50.26,
    # With the taper below, 340 W fills an empty new pack in 4.9 h: the data sheet's "about 5 h".
    max_charge_w=340.0,
    # Source: data sheet: 2.5 kW or more of output.
    max_discharge_w=2500.0,
    # 50.26 V / 14 = 3.59 V, the nominal voltage of an NMC cell.
    cells_in_series=14,
    # Guess: 97 % each way at C/4 and 1 C, usual for NMC packs of this size without their charger.
    charge_efficiency=0.97,
    discharge_efficiency=0.96,
    # Guess: CC ends near 85 %, cut-off near C/40, usual for NMC chargers.
    taper_from_soc=0.85,
    taper_floor=0.10,
    # Guess: 10 kg of cells in a sealed case: about 10 K above the air at 25 W of loss, and 40 min to get there.
    thermal_resistance_k_per_w=0.40,
    thermal_time_constant_s=2400.0,
    # Guess: 80 % left after 1,000 full cycles.
    fade_per_full_cycle=0.20 / 1000,
)

HOT_DEGC = 45.0
COLD_DEGC = 0.0
FULL = 1.0 - 1e-9


@dataclass(slots=True)
class PackArrays:
    """The state of all packs. Registers (`energy_*_wh`, `hot_s` ...) only grow."""

    stored_wh: Floats
    soh: Floats
    temperature_degc: Floats
    energy_in_wh: Floats
    energy_out_wh: Floats
    loss_wh: Floats
    hot_s: Floats
    cold_s: Floats
    hot_charging_s: Floats
    spread_mv: Floats
    """Distance of the highest from the lowest cell at rest, half charged."""
    power_w: Floats
    """What flowed in the last step; not kept over a restart."""

    @classmethod
    def new(cls, soc: Floats, soh: Floats, spread_mv: Floats, ambient_degc: float, kind: PackType) -> "PackArrays":
        """Return packs at rest with earlier life taken from their state of health."""
        cycles = (1.0 - soh) / kind.fade_per_full_cycle
        energy_in_wh = cycles * kind.nominal_wh + soc * soh * kind.nominal_wh
        energy_out_wh = cycles * kind.nominal_wh * kind.charge_efficiency * kind.discharge_efficiency
        zeros = np.zeros_like(soc)
        return cls(
            stored_wh=soc * soh * kind.nominal_wh,
            soh=soh.copy(),
            temperature_degc=np.full_like(soc, ambient_degc),
            energy_in_wh=energy_in_wh,
            energy_out_wh=energy_out_wh,
            loss_wh=zeros.copy(),
            hot_s=zeros.copy(),
            cold_s=zeros.copy(),
            hot_charging_s=zeros.copy(),
            spread_mv=spread_mv.copy(),
            power_w=zeros.copy(),
        )

    def soc(self, kind: PackType) -> Floats:
        """Return the state of charge of each pack, 0 to 1, of what its health still lets it hold."""
        return np.clip(self.stored_wh / (self.soh * kind.nominal_wh), 0.0, 1.0)


def charge_power_w(soc: Floats, kind: PackType) -> Floats:
    """Return what a pack takes at most [W]: constant, then falling in a straight line towards full, then nothing."""
    progress = np.clip((soc - kind.taper_from_soc) / (1.0 - kind.taper_from_soc), 0.0, 1.0)
    power_w = kind.max_charge_w * (1.0 - (1.0 - kind.taper_floor) * progress)
    return np.where(soc >= FULL, 0.0, power_w)


def step(packs: PackArrays, dt_s: float, limit_w: Floats, draw_w: Floats, ambient_degc: float, kind: PackType) -> Floats:
    """Advance all packs by `dt_s` and return the energy that went into each at its terminals [Wh].

    Parameters
    ----------
    limit_w : what the charger may give each pack; 0 for a pack that is in no charger.
    draw_w : what a vehicle takes from each pack. A pack that is empty gives nothing.
    """
    hours = dt_s / 3600.0
    soc = packs.soc(kind)
    room_wh = np.maximum(packs.soh * kind.nominal_wh - packs.stored_wh, 0.0)
    in_wh = np.minimum(np.minimum(limit_w, charge_power_w(soc, kind)) * hours, room_wh / kind.charge_efficiency)
    in_wh = np.maximum(in_wh, 0.0)
    out_wh = np.minimum(np.minimum(draw_w, kind.max_discharge_w) * hours, packs.stored_wh * kind.discharge_efficiency)
    out_wh = np.maximum(out_wh, 0.0)
    lost_wh = in_wh * (1.0 - kind.charge_efficiency) + out_wh * (1.0 / kind.discharge_efficiency - 1.0)

    packs.stored_wh += in_wh * kind.charge_efficiency - out_wh / kind.discharge_efficiency
    np.maximum(packs.stored_wh, 0.0, out=packs.stored_wh)
    packs.energy_in_wh += in_wh
    packs.energy_out_wh += out_wh
    packs.loss_wh += lost_wh
    # A worn pack holds less, so one that is full loses what no longer fits. It counts as loss: energy does not vanish.
    packs.soh -= kind.fade_per_full_cycle * in_wh / kind.nominal_wh
    spilled_wh = np.maximum(packs.stored_wh - packs.soh * kind.nominal_wh, 0.0)
    packs.stored_wh -= spilled_wh
    packs.loss_wh += spilled_wh
    packs.power_w = (in_wh - out_wh) / hours if hours > 0 else np.zeros_like(in_wh)

    # First order, solved exactly, so that a long step is as right as many short ones.
    loss_w = lost_wh / hours if hours > 0 else np.zeros_like(lost_wh)
    goal_degc = ambient_degc + loss_w * kind.thermal_resistance_k_per_w
    packs.temperature_degc += (goal_degc - packs.temperature_degc) * -np.expm1(-dt_s / kind.thermal_time_constant_s)
    hot = packs.temperature_degc > HOT_DEGC
    packs.hot_s += hot * dt_s
    packs.cold_s += (packs.temperature_degc < COLD_DEGC) * dt_s
    packs.hot_charging_s += (hot & (in_wh > 0)) * dt_s
    return in_wh


class PackReading(NamedTuple):
    """What one pack's own electronics tell. Registers are whole numbers that only grow."""

    soc: float
    soh: float
    voltage_v: float
    current_a: float
    power_dc_w: float
    temp_min_degc: float
    temp_max_degc: float
    cell_min_mv: int
    cell_max_mv: int
    full_cycles: float
    energy_in_wh: int
    energy_out_wh: int
    charge_limit_w: float
    minutes_hot: int
    minutes_cold: int
    minutes_hot_charging: int


def read(packs: PackArrays, index: int, kind: PackType) -> PackReading:
    """Return what the electronics of pack number `index` tell."""
    soh = float(packs.soh[index])
    soc = min(max(float(packs.stored_wh[index]) / (soh * kind.nominal_wh), 0.0), 1.0)
    power_w = float(packs.power_w[index])
    # Guess: open-circuit voltage of an NMC cell, 3.30 V empty to 4.15 V full, steeper at the bottom.
    cell_v = 3.30 + 0.70 * soc + 0.15 * soc**3
    pack_v = cell_v * kind.cells_in_series
    current_a = power_w / pack_v
    # Guess: 40 milliohm for the whole pack.
    voltage_v = pack_v + current_a * 0.040
    mean_mv = voltage_v / kind.cells_in_series * 1000.0
    # Cells drift apart at the ends of the curve and as they wear.
    half_mv = float(packs.spread_mv[index]) * (1.0 + 1.5 * (2.0 * soc - 1.0) ** 2) * (2.0 - soh) / 2.0
    degc = float(packs.temperature_degc[index])
    return PackReading(
        soc=soc,
        soh=soh,
        voltage_v=voltage_v,
        current_a=current_a,
        power_dc_w=power_w,
        temp_min_degc=degc - 0.8,
        temp_max_degc=degc + 0.8,
        cell_min_mv=int(mean_mv - half_mv),
        cell_max_mv=int(mean_mv + half_mv),
        full_cycles=float(packs.energy_in_wh[index]) / kind.nominal_wh,
        energy_in_wh=int(packs.energy_in_wh[index]),
        energy_out_wh=int(packs.energy_out_wh[index]),
        charge_limit_w=float(charge_power_w(np.array([soc]), kind)[0]),
        minutes_hot=int(packs.hot_s[index] // 60),
        minutes_cold=int(packs.cold_s[index] // 60),
        minutes_hot_charging=int(packs.hot_charging_s[index] // 60),
    )
