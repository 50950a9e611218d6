"""One value of a time series of the outside world, with the moment from which a decision may read it.

Prices, supply, emissions, limits and calls are one family: who says what of which place, for which interval, known since when.
`SERIES` is the list of what there is. Powers are means over the interval, energies are never stored.
"""

import math
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

Series = Literal[
    "price_jpy_per_kwh",
    "demand_w",
    "demand_forecast_w",
    "supply_capacity_w",
    "solar_w",
    "wind_w",
    "nuclear_w",
    "thermal_w",
    "thermal_lng_w",
    "thermal_coal_w",
    "thermal_oil_w",
    "thermal_other_w",
    "hydro_w",
    "geothermal_w",
    "biomass_w",
    "pumped_w",
    "battery_w",
    "interconnect_w",
    "other_w",
    "solar_curtailed_w",
    "wind_curtailed_w",
    "emission_g_per_kwh",
    "marginal_emission_g_per_kwh",
    "own_pv_w",
    "import_limit_w",
    "demand_response_limit_w",
]
PlaceKind = Literal["area", "station"]

SYNTHETIC = "synthetic"
"""The source of what we made up ourselves. Whatever anybody else says goes before it, whenever it became known."""


class SeriesInfo(NamedTuple):
    """What one series means. `outcome`: it tells how things went and is never the input of a decision."""

    meaning: str
    kinds: tuple[PlaceKind, ...]
    minimum: float = 0.0
    outcome: bool = False
    posted_by: Literal["grid-signals", "supply-forecasts", "importers only"] = "importers only"


_AREA: tuple[PlaceKind, ...] = ("area",)
_BOTH: tuple[PlaceKind, ...] = ("area", "station")
_SIGNED = -math.inf

SERIES: dict[Series, SeriesInfo] = {
    "price_jpy_per_kwh": SeriesInfo("market price of energy", _AREA, _SIGNED, posted_by="grid-signals"),
    "demand_w": SeriesInfo("demand of the area", _AREA),
    "demand_forecast_w": SeriesInfo("demand of the area as its grid company forecast it", _AREA, posted_by="supply-forecasts"),
    "supply_capacity_w": SeriesInfo("most power that the area can supply", _AREA, posted_by="supply-forecasts"),
    "solar_w": SeriesInfo("solar generation, what was cut off not counted", _AREA, posted_by="supply-forecasts"),
    "wind_w": SeriesInfo("wind generation, what was cut off not counted", _AREA, posted_by="supply-forecasts"),
    "nuclear_w": SeriesInfo("nuclear generation", _AREA, _SIGNED),
    "thermal_w": SeriesInfo("thermal generation, all fuels", _AREA, _SIGNED),
    "thermal_lng_w": SeriesInfo("thermal generation from gas", _AREA, _SIGNED),
    "thermal_coal_w": SeriesInfo("thermal generation from coal", _AREA, _SIGNED),
    "thermal_oil_w": SeriesInfo("thermal generation from oil", _AREA, _SIGNED),
    "thermal_other_w": SeriesInfo("thermal generation from other fuels", _AREA, _SIGNED),
    "hydro_w": SeriesInfo("hydro generation, pumped storage not counted", _AREA, _SIGNED),
    "geothermal_w": SeriesInfo("geothermal generation", _AREA, _SIGNED),
    "biomass_w": SeriesInfo("generation from biomass", _AREA, _SIGNED),
    "pumped_w": SeriesInfo("pumped storage, positive when it supplies the area", _AREA, _SIGNED),
    "battery_w": SeriesInfo("grid batteries, positive when they supply the area", _AREA, _SIGNED),
    "interconnect_w": SeriesInfo("lines to other areas, positive into this area", _AREA, _SIGNED),
    "other_w": SeriesInfo("other supply", _AREA, _SIGNED),
    "solar_curtailed_w": SeriesInfo("solar generation that was cut off", _AREA, outcome=True),
    "wind_curtailed_w": SeriesInfo("wind generation that was cut off", _AREA, outcome=True),
    "emission_g_per_kwh": SeriesInfo("mean emissions of grid energy, gCO2e", _AREA, posted_by="grid-signals"),
    "marginal_emission_g_per_kwh": SeriesInfo("emissions of one kWh more, gCO2e", _AREA, _SIGNED, posted_by="grid-signals"),
    "own_pv_w": SeriesInfo("generation behind a station's own meter", ("station",), posted_by="supply-forecasts"),
    "import_limit_w": SeriesInfo("most power that the grid lets in", _BOTH, posted_by="grid-signals"),
    "demand_response_limit_w": SeriesInfo("most power during a demand-response call", _BOTH, posted_by="grid-signals"),
}
LIMITS: tuple[Series, ...] = ("import_limit_w", "demand_response_limit_w")
"""Series of which ``inf`` is a lawful value: no limit (any more)."""
OUTCOMES: tuple[Series, ...] = tuple(series for series, info in SERIES.items() if info.outcome)


class Place(NamedTuple):
    """Where a series holds: an area of the grid by its name (`kyushu`), or one station by its id."""

    kind: PlaceKind
    name: str

    def __str__(self) -> str:
        """Return it as people write it: ``area kyushu``."""
        return f"{self.kind} {self.name}"


class Signal(NamedTuple):
    """The value of `series` in ``[start_at, start_at + period_s)``. Nobody reads it before `known_at`."""

    series: Series
    place: Place
    start_at: datetime
    period_s: int
    value: float
    known_at: datetime
    source: str

    @property
    def end_at(self) -> datetime:
        """Return the first instant that this value no longer covers."""
        return self.start_at + timedelta(seconds=self.period_s)
