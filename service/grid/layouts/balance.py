"""The identity that tables of an area must hold: what supplied it adds up to what it used, as far as rounding allows."""

from collections.abc import Collection, Sequence
from datetime import datetime

from service.domain.signal import Series
from service.grid.layouts.sheet import JST
from service.grid.layouts.table import Table

SUPPLY: frozenset[Series] = frozenset(
    (
        "nuclear_w", "thermal_w", "thermal_lng_w", "thermal_coal_w", "thermal_oil_w", "thermal_other_w", "hydro_w",
        "geothermal_w", "biomass_w", "solar_w", "wind_w", "pumped_w", "battery_w", "interconnect_w", "other_w",
    )
)  # fmt: skip
"""What supplies an area. What was cut off is not among it: nobody used it."""
_NEEDED: frozenset[Series] = frozenset(("demand_w", "hydro_w", "solar_w", "wind_w", "interconnect_w"))


def holds_all(series: Collection[Series | None]) -> bool:
    """Say whether these are all columns of an area's balance: demand, the lines to its neighbours and what generates."""
    return set(series) >= _NEEDED and any(name in series for name in ("thermal_w", "thermal_lng_w"))


def balance_notes(table: Table, unit_w: float) -> list[str]:
    """Return what is to be said about lines whose supply is not their demand; nothing where columns of the balance are missing.

    Every figure is rounded to a unit, so n of them may be n/2 units apart. A cell without a figure counts as 0.
    """
    series = [column.series for column in table.columns]
    if not holds_all(series):
        return []
    parts = [at for at, name in enumerate(series) if name in SUPPLY]
    notes = [_note(table, "demand", series.index("demand_w"), parts, unit_w)]
    if None in series:
        notes.append(_note(table, "the total supply of the file", series.index(None), parts, unit_w))
    return notes


def _note(table: Table, what: str, total_at: int, parts: Sequence[int], unit_w: float) -> str:
    tolerance_w = (len(parts) + 1) / 2 * unit_w
    checked, worst_w, worst_line, worst_at, beyond = 0, 0.0, 0, None, 0
    for moment, values in table.rows:
        total = values[total_at]
        supply = [value for at in parts if isinstance(value := values[at], float)]
        if not isinstance(total, float) or not supply:
            continue
        checked += 1
        apart_w = abs(sum(supply) - total)
        # A millionth of a unit is what floats lose, no figure of the file.
        beyond += apart_w > tolerance_w + 1e-6 * unit_w
        if apart_w > worst_w:
            worst_w, worst_line, worst_at = apart_w, moment.line.number, moment.start_at
    rule = f"{what} is the sum of its parts within rounding ({tolerance_w / 1e6:g} MW)"
    if not beyond:
        return f"{rule} in all {checked} lines"
    worst = f"at most {worst_w / 1e6:g} MW apart{_where(worst_line, worst_at)}"
    return f"NOT BALANCED: {rule} except in {beyond} of {checked} lines, {worst}"


def _where(line: int, at: datetime | None) -> str:
    return "" if at is None else f" (line {line}, {at.astimezone(JST):%Y-%m-%d %H:%M} JST)"
