"""What the packs of a load fleet read: a closed form of (station, slot, seq), so that any message can be made again. Pure.

This is not the physics of `simulator.physics`: it only has to look like charging and change from message to message. Registers
only grow; a pack charges, rests full, and comes back empty from a ride under the same serial number.
"""

from typing import NamedTuple

import numpy as np

from simulator.load.chance import Ints, bits

# Guess: a cycle of 2048 messages (5.7 h every 10 s): five hours of charging, then full until a rider comes.
_CYCLE_BITS, _CHARGING = 11, 1800
_CYCLE_WH, _RIDE_WH = 1051, 988
"""Into a pack in one cycle and out of it: 80 % of 1,314 Wh, 94 % of it given back. Guess."""
_NOMINAL_WH = 1314
"""Source: Honda Mobile Power Pack e: data sheet."""

_OF_PACK, _OF_READING = 1, 2


class Readings(NamedTuple):
    """Readings as integers, axes (messages, slots). `d` = tenths: ``soc_dpct`` 815 is 81.5 %."""

    slot_no: Ints
    serial: Ints
    """The number in the serial number."""
    charging: Ints
    """1 charging, 0 idle."""
    soc_dpct: Ints
    soh_dpct: Ints
    voltage_dv: Ints
    current_da: Ints
    power_dw: Ints
    temp_min_ddegc: Ints
    temp_max_ddegc: Ints
    cell_min_mv: Ints
    cell_max_mv: Ints
    remaining_dah: Ints
    full_cycles_d: Ints
    energy_in_wh: Ints
    energy_out_wh: Ints
    resistance_dmohm: Ints
    deep_discharges: Ints
    minutes_hot: Ints
    minutes_cold: Ints
    minutes_hot_charging: Ints
    minutes_cold_charging: Ints


def readings(seed: int, packs: int, stations: Ints, seqs: Ints) -> Readings:
    """Return what the packs of these stations read in these messages, one row a message."""
    slots = np.arange(packs, dtype=np.int64)
    pack = stations[:, None] * packs + slots
    of_pack = bits(seed, _OF_PACK, pack)
    noise = bits(seed, _OF_READING, pack, seqs[:, None])
    at = (of_pack & 2047) + seqs[:, None]
    cycle = at >> _CYCLE_BITS
    charged = np.minimum(at & 2047, _CHARGING)
    charging = (charged < _CHARGING).astype(np.int64)
    soc = 150 + (charged * 455 >> 10)
    # Constant power to 80 %, then a straight taper.
    power = (4950 - np.maximum(charged - 1440, 0) * 10 + (noise & 63)) * charging
    voltage = 440 + (charged * 70 >> 10) + (noise >> 6 & 3)
    temp_max = 220 + (power >> 6) + (noise >> 8 & 7)
    cell_max = 3300 + (charged * 380 >> 10) + (noise >> 11 & 3)
    energy_in = 100_000 + (of_pack >> 11 & 0x3FFFF) + cycle * _CYCLE_WH + (charged * 598 >> 10)
    hot = (of_pack >> 29 & 255) + (at >> 8)
    cold = (of_pack >> 37 & 255) + (at >> 9)
    return Readings(
        slot_no=np.broadcast_to(slots + 1, pack.shape),
        serial=pack + 1,
        charging=charging,
        soc_dpct=soc,
        soh_dpct=900 + (of_pack >> 45) % 100,
        voltage_dv=voltage,
        current_da=power * 10 // voltage,
        power_dw=power,
        temp_min_ddegc=temp_max - 12 - (noise >> 13 & 7),
        temp_max_ddegc=temp_max,
        cell_min_mv=cell_max - 8 - (of_pack >> 52 & 31) - (noise >> 16 & 3),
        cell_max_mv=cell_max,
        remaining_dah=soc * 267 >> 10,  # 26.1 Ah in tenths of a per mille
        full_cycles_d=np.minimum(energy_in * 10 // _NOMINAL_WH, 9999),
        energy_in_wh=energy_in,
        energy_out_wh=90_000 + (of_pack >> 11 & 0x1FFFF) + cycle * _RIDE_WH,
        resistance_dmohm=250 + (of_pack >> 57 & 15) * 8 + (noise >> 18 & 7),
        deep_discharges=np.minimum((of_pack >> 20 & 15) + (cycle >> 2), 9999),
        minutes_hot=np.minimum(hot, 9999),
        minutes_cold=np.minimum(cold, 9999),
        minutes_hot_charging=np.minimum(hot >> 1, 9999),
        minutes_cold_charging=np.minimum(cold >> 1, 9999),
    )


def site_import_wh(packs: int, stations: Ints, seqs: Ints) -> Ints:
    """Return the register of the sites' meters at these messages."""
    return 1_000_000 + stations * 1000 + seqs * packs


def aux_import_wh(stations: Ints, seqs: Ints) -> Ints:
    """Return the register of what the cabinets themselves take."""
    return 10_000 + stations + seqs


SUMS = (
    "energy_in_wh", "energy_out_wh", "soc_dpct", "soh_dpct", "voltage_dv", "current_da", "power_dw", "temp_min_ddegc",
    "temp_max_ddegc", "cell_min_mv", "cell_max_mv", "serial", "charging", "remaining_dah", "full_cycles_d", "resistance_dmohm",
    "deep_discharges", "minutes_hot", "minutes_cold", "minutes_hot_charging", "minutes_cold_charging",
)  # fmt: skip
"""Readings that an audit may compare: per message, the sum of value times slot number, so that no two slots may change places."""

SUMS_OF_12 = (
    "energy_in_wh", "energy_out_wh", "soc_dpct", "soh_dpct", "voltage_dv", "power_dw", "temp_max_ddegc", "cell_min_mv",
    "cell_max_mv", "serial", "charging",
)  # fmt: skip
"""Those of them that a message of 12 fields carries."""


def weighted(values: Ints) -> Ints:
    """Return per message the sum of value times slot number."""
    total: Ints = values @ np.arange(1, values.shape[1] + 1, dtype=np.int64)
    return total
