"""A pack in a slot as a row of several queries, and as a value of the domain."""

from collections.abc import Mapping
from typing import Any

from service.domain.pack import PackModel, PackNow


def pack_now(row: Mapping[str, Any]) -> PackNow:
    """Return the registered pack of a row of pack, model, hold and newest reading; never heard of: `reading_at` is None."""
    return PackNow(
        serial_number=row["serial_number"],
        model=PackModel(**{name: row[name] for name in PackModel.__dataclass_fields__}),
        slot_no=row["slot_no"],
        condition=row["condition"],
        held_by=row["pack_held_by"],
        soc=row["soc"] or 0.0,
        soh=row["soh"] or 0.0,
        temp_max_degc=row["temp_max_degc"],
        cell_spread_mv=row["cell_spread_mv"],
        fault_count=row["fault_count"] or 0,
        charging=row["charging_state"] == "charging",
        reading_at=row["reading_at"],
    )
