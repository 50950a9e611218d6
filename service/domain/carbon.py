"""Carbon of the energy handed out: location-based, an area's factor times the energy, always with the factor's source."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CarbonFactor:
    """Emissions of grid energy [gCO2e per kWh, AC]. `source` is shown wherever the number is."""

    g_per_kwh: float
    source: str


# Guess: round number for a grid with much gas and some coal; stands in until a signal of the area is there.
DEFAULT = CarbonFactor(450.0, "synthetic")

# Guess: DC energy put into a pack over AC energy taken from the grid (charger and battery, one way).
CHARGE_EFFICIENCY = 0.90


def emissions_g(energy_dc_wh: float, factor: CarbonFactor) -> float:
    """Return the emissions of handing out `energy_dc_wh` more than came back [gCO2e]; never below zero."""
    return max(energy_dc_wh, 0.0) / 1000.0 / CHARGE_EFFICIENCY * factor.g_per_kwh
