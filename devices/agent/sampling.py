"""When a pack is worth a reading: dead bands, the longest silence, a fixed interval. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from devices.hardware.ports import PackSample
from devices.wire.commands import SetVariables

_POWER_FLOOR_W = 10.0
"""Changes of power below this are noise of the measurement. Guess: 2 % of a 500 W charger."""


@dataclass(frozen=True, slots=True)
class SamplingRules:
    """Source: contract v1, topic ``up/telemetry``. Seconds are fleet seconds."""

    soc_dead_band: float = 0.01
    temp_dead_band_degc: float = 1.0
    power_dead_band_fraction: float = 0.05
    charging_interval_s: float = 300.0
    idle_interval_s: float = 1800.0
    fixed_interval_s: float = 0.0
    """Above 0: every pack at this interval, dead bands unused."""
    spacing_s: float = 10.0
    """Least time between two messages, so that dead bands of many slots share one."""

    def changed_by(self, wanted: SetVariables) -> "SamplingRules":
        """Return these rules with what a command names."""
        return replace(
            self,
            soc_dead_band=self.soc_dead_band if wanted.soc_dead_band_pct is None else wanted.soc_dead_band_pct / 100,
            temp_dead_band_degc=_or(wanted.temp_dead_band_degc, self.temp_dead_band_degc),
            power_dead_band_fraction=_or(wanted.power_dead_band_fraction, self.power_dead_band_fraction),
            charging_interval_s=_or(wanted.charging_interval_s, self.charging_interval_s),
            idle_interval_s=_or(wanted.idle_interval_s, self.idle_interval_s),
            fixed_interval_s=_or(wanted.fixed_interval_s, self.fixed_interval_s),
        )


def _or(wanted: float | None, present: float) -> float:
    return present if wanted is None else wanted


class Sampler:
    """Remembers what was said of each slot last and tells what is due."""

    def __init__(self, rules: SamplingRules) -> None:
        self.rules = rules
        self._said: dict[int, tuple[PackSample, float]] = {}
        self._last_message_s = float("-inf")

    def due(self, packs: Mapping[int, PackSample], now_s: float) -> list[int]:
        """Return the slots whose packs should be said now; `now_s` is monotonic fleet time."""
        if now_s - self._last_message_s < self.rules.spacing_s:
            return []
        return [slot_no for slot_no, pack in packs.items() if self._is_due(slot_no, pack, now_s)]

    def _is_due(self, slot_no: int, pack: PackSample, now_s: float) -> bool:
        said = self._said.get(slot_no)
        if said is None or said[0].serial_number != pack.serial_number or said[0].faults != pack.faults:
            return True
        before, since_s = said[0], now_s - said[1]
        rules = self.rules
        if rules.fixed_interval_s > 0:
            return since_s >= rules.fixed_interval_s
        if since_s >= (rules.charging_interval_s if pack.power_dc_w > _POWER_FLOOR_W else rules.idle_interval_s):
            return True
        power_band_w = max(_POWER_FLOOR_W, rules.power_dead_band_fraction * abs(before.power_dc_w))
        return (
            abs(pack.soc - before.soc) >= rules.soc_dead_band
            or abs(pack.temp_max_degc - before.temp_max_degc) >= rules.temp_dead_band_degc
            or abs(pack.power_dc_w - before.power_dc_w) > power_band_w
        )

    def said(self, packs: Mapping[int, PackSample], now_s: float, *, in_telemetry: bool = True) -> None:
        """Note that these packs were said (in telemetry, or in a birth)."""
        for slot_no, pack in packs.items():
            self._said[slot_no] = (pack, now_s)
        if in_telemetry and packs:
            self._last_message_s = now_s
