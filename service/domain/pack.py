"""Packs: their type, what one gives a rider now, and whether it may be handed out at all."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Condition = Literal["ok", "quarantined", "retired"]


@dataclass(frozen=True, slots=True)
class PackModel:
    """A type of pack. Powers are DC, at the pack."""

    pack_model_id: str
    nominal_wh: float
    nominal_v: float
    max_charge_w: float
    hand_out_soc: float = 0.80
    target_soc: float = 1.0
    max_hand_out_degc: float = 45.0
    max_cell_spread_mv: int = 150


@dataclass(frozen=True, slots=True)
class PackNow:
    """A registered pack in a slot, with its newest reading. `reading_at` is None when it was never heard of there."""

    serial_number: str
    model: PackModel
    slot_no: int
    condition: Condition
    held_by: str | None
    soc: float
    soh: float
    temp_max_degc: float | None
    cell_spread_mv: int | None
    fault_count: int
    charging: bool
    reading_at: datetime | None

    @property
    def usable_wh(self) -> float:
        """Energy a rider gets now [Wh]: soc x soh x nominal."""
        return self.soc * self.soh * self.model.nominal_wh
