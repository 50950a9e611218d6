"""The tariff: what a swap costs, in integer micro-units: a fee for the swap and a price for the energy promised."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class Tariff:
    """A price list. The price agreed at the offer is the price paid: nothing is added at the door."""

    name: str
    currency: str
    swap_micro: int
    energy_micro_per_kwh: int
    pack_value_micro: int
    """What one pack is worth while it is owed."""


# Guess: 100 JPY a swap and 45 JPY/kWh, in the range of published pay-as-you-go swapping prices; 88,000 JPY a pack.
STANDARD = Tariff("standard", "JPY", 100 * MICRO, 45 * MICRO, 88_000 * MICRO)


def price_micro(tariff: Tariff, usable_wh: float) -> int:
    """Return the price of a set that gives `usable_wh` [micro-units], whole yen, half up."""
    exact = tariff.swap_micro + tariff.energy_micro_per_kwh * Decimal(str(usable_wh)) / 1000
    return int((exact / MICRO).quantize(Decimal(1), rounding=ROUND_HALF_UP)) * MICRO
