"""Readings into the text of `batteryData`, whole arrays at once: digits come from tables and go to fixed places of a template.

A number has a fixed width; where it needs less, spaces stand before it, which JSON allows.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from simulator.load.readings import Readings

_PADDED = np.array([b"%4d" % n for n in range(10_000)], dtype="S4").view("<u4")
_ZEROS = np.array([b"%04d" % n for n in range(10_000)], dtype="S4").view("<u4")
_TENTHS = np.array([b"%2d.%d" % divmod(n, 10) for n in range(1000)], dtype="S4").view("<u4")
_WHOLE = np.array([b"%3d." % n for n in range(1000)], dtype="S4").view("<u4")
_SLOT = np.array([b"%2d" % n for n in range(100)], dtype="S2").view("<u2")
# Both words fill ten bytes: the first eight, then the rest.
_STATE_8 = np.array([b'"Idle"  ', b'"Chargin'], dtype="S8").view("<u8")
_STATE_2 = np.array([b"  ", b'g"'], dtype="S2").view("<u2")

_PLACES = {
    "slot": ("<u2",),
    "serial": ("<u4", "<u4"),
    "state": ("<u8", "<u2"),
    "tenths": ("<u4",),
    "long_tenths": ("<u4", "u1"),
    "small": ("<u4",),
    "register": ("<u4", "<u4"),
}
"""How many bytes each way of writing takes, in the pieces that are written at once."""

# Wire name -> how it is written, which reading; or the text that it always has.
_WRITTEN: dict[str, tuple[str, str] | bytes] = {
    "evseId": ("slot", "slot_no"),
    "serialNumber": ("serial", "serial"),
    "soC": ("tenths", "soc_dpct"),
    "soH": ("tenths", "soh_dpct"),
    "status": b'"Occupied"',
    "chargingState": ("state", "charging"),
    "voltageV": ("tenths", "voltage_dv"),
    "currentA": ("tenths", "current_da"),
    "powerW": ("long_tenths", "power_dw"),
    "tempMinC": ("tenths", "temp_min_ddegc"),
    "tempMaxC": ("tenths", "temp_max_ddegc"),
    "cellMinMv": ("small", "cell_min_mv"),
    "cellMaxMv": ("small", "cell_max_mv"),
    "remainingCapacityAh": ("tenths", "remaining_dah"),
    "fullCycles": ("long_tenths", "full_cycles_d"),
    "energyInWh": ("register", "energy_in_wh"),
    "energyOutWh": ("register", "energy_out_wh"),
    "resistanceMohm": ("tenths", "resistance_dmohm"),
    "deepDischarges": ("small", "deep_discharges"),
    "minutesHot": ("small", "minutes_hot"),
    "minutesCold": ("small", "minutes_cold"),
    "minutesHotCharging": ("small", "minutes_hot_charging"),
    "minutesColdCharging": ("small", "minutes_cold_charging"),
    "faults": b"[]",
    "productionDate": b'"2025-04-01T00:00:00.000Z"',
    "vendorInfo": b'"load"',
    "packModelId": b'"MPP-E"',
    "lot": b'"L25-04"',
    "bmsFirmware": b'"4.2.0"',
    "chargeLimitW": b"500.0",
    "dischargeLimitW": b"2000.0",
}

BIRTH_FIELDS = tuple(_WRITTEN)
TELEMETRY_24 = BIRTH_FIELDS[:24]
TELEMETRY_12 = (
    "evseId", "serialNumber", "soC", "soH", "chargingState", "voltageV", "powerW", "tempMaxC", "cellMinMv", "cellMaxMv",
    "energyInWh", "energyOutWh",
)  # fmt: skip

SERIAL = "MPP-%08d"
"""A serial number from its number."""


class PackText:
    """Writes packs with certain fields."""

    def __init__(self, fields: Sequence[str], packs: int) -> None:
        template = bytearray()
        self._columns: list[tuple[str, str, list[str]]] = []
        names: list[str] = []
        formats: list[str] = []
        offsets: list[int] = []
        for name in fields:
            template += b',"%s":' % name.encode() if template else b'{"%s":' % name.encode()
            written = _WRITTEN[name]
            if isinstance(written, bytes):
                template += written
                continue
            how, value = written
            if how == "serial":
                template += b'"MPP-'
            pieces = [f"{name}{at}" for at in range(len(_PLACES[how]))]
            self._columns.append((how, value, pieces))
            for piece, place in zip(pieces, _PLACES[how], strict=True):
                names.append(piece)
                formats.append(place)
                offsets.append(len(template))
                template += b" " * np.dtype(place).itemsize
            if how == "serial":
                template += b'"'
        template += b"},"
        self._dtype = np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": len(template)})
        self._template = np.frombuffer(bytes(template), dtype=np.uint8)
        self._packs = packs
        self.row_bytes = packs * len(template)

    def write(self, said: Readings) -> list[memoryview]:
        """Return per message the elements of its `batteryData`, without the brackets."""
        count = said.serial.shape[0]
        raw = np.empty((count, self._packs, len(self._template)), dtype=np.uint8)
        raw[...] = self._template
        places = raw.view(self._dtype)[..., 0]
        for how, value, names in self._columns:
            _put(places, how, getattr(said, value), names)
        text = memoryview(raw.data).cast("B")
        # The last comma of each row separates nothing.
        return [text[at : at + self.row_bytes - 1] for at in range(0, count * self.row_bytes, self.row_bytes)]


def _put(places: NDArray[np.void], how: str, values: NDArray[np.int64], names: Sequence[str]) -> None:
    if how == "tenths":
        places[names[0]] = _TENTHS[values]
    elif how == "small":
        places[names[0]] = _PADDED[values]
    elif how == "slot":
        places[names[0]] = _SLOT[values]
    elif how == "state":
        places[names[0]], places[names[1]] = _STATE_8[values], _STATE_2[values]
    elif how == "long_tenths":
        whole = values // 10
        places[names[0]], places[names[1]] = _WHOLE[whole], values - whole * 10 + ord("0")
    else:
        high = values // 10_000
        places[names[0]], places[names[1]] = (_ZEROS if how == "serial" else _PADDED)[high], _ZEROS[values - high * 10_000]
