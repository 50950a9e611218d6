"""What can go wrong in the world, by name and rate. A world without rates is sound: faults come only when asked for."""

import random
from collections.abc import Iterable

FAULTS = {
    "door_jam": "share of door openings at which the door does not move; the slot is out of order for 10 fleet minutes",
    "pack_foreign": "share of packs put in whose label nobody registered",
    "pack_faulty": "share of packs put in whose electronics report a fault from then on",
    "rider_leaves": "share of riders who put their packs in and walk away",
}


class FaultError(ValueError):
    """A fault's name or rate is wrong; the message lists the names there are."""


class Faults:
    """Throws the dice for every fault. `happens` draws from one stream per fault, made from the seed."""

    def __init__(self, rates: dict[str, float], seed: int) -> None:
        self._rates = rates
        self._chance = {name: random.Random(f"{seed}/fault/{name}") for name in FAULTS}

    def happens(self, name: str) -> bool:
        """Tell whether the fault strikes this time. Without a rate no chance is drawn."""
        rate = self._rates.get(name, 0.0)
        return rate > 0 and self._chance[name].random() < rate


def parse_faults(words: Iterable[str]) -> dict[str, float]:
    """Read ``NAME=RATE`` words. Raises FaultError."""
    rates: dict[str, float] = {}
    for word in words:
        name, sign, text = word.partition("=")
        if name not in FAULTS:
            raise FaultError(f"no fault {name!r}; there are: {', '.join(FAULTS)}")
        try:
            rate = float(text) if sign else -1.0
        except ValueError:
            rate = -1.0
        if not 0 <= rate <= 1:
            raise FaultError(f"the rate of {name} must be a number from 0 to 1, as in {name}=0.05; got {word!r}")
        rates[name] = rate
    return rates
