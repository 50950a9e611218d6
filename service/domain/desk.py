"""The desk's choices: which packs may be handed out at all, and which of them this rider gets. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations, islice
from statistics import median

from service.domain.pack import PackNow
from service.domain.recipe import Recipe, fits_together, usable_wh

# Source: contract of the wire, telemetry: at least every 5 min while charging, every 30 min at rest; plus 10 %.
CHARGING_INTERVAL_S = 300.0
IDLE_INTERVAL_S = 1800.0
_LATE = 1.1

_MOST_SETS = 400
"""How many sets are looked at after the neighbours in health; a bound on work, not on truth."""


@dataclass(frozen=True, slots=True)
class Gates:
    """What a pack must pass before it is handed out, as of `now`. `for_holder` may take what it holds itself."""

    now: datetime
    least_usable_wh: float = 0.0
    for_holder: str | None = None
    least_soc: float | None = None
    """Overrides the model's hand-out threshold, when the rider has accepted less."""
    idle_interval_s: float = IDLE_INTERVAL_S


def unfit_reason(pack: PackNow, gates: Gates) -> str | None:
    """Return why a pack may not be handed out, the gravest reason first, or None when it may."""
    if pack.condition != "ok":
        return pack.condition
    if pack.fault_count:
        return "fault"
    if pack.held_by is not None and pack.held_by != gates.for_holder:
        return "held"
    if pack.reading_at is None:
        return "never_heard"
    interval_s = CHARGING_INTERVAL_S if pack.charging else gates.idle_interval_s
    if (gates.now - pack.reading_at).total_seconds() > max(interval_s, CHARGING_INTERVAL_S) * _LATE:
        return "stale"
    if pack.temp_max_degc is not None and pack.temp_max_degc > pack.model.max_hand_out_degc:
        return "hot"
    if pack.cell_spread_mv is not None and pack.cell_spread_mv > pack.model.max_cell_spread_mv:
        return "cell_spread"
    if pack.soc < (pack.model.hand_out_soc if gates.least_soc is None else gates.least_soc):
        return "low"
    if pack.usable_wh < gates.least_usable_wh:
        return "little_energy"
    return None


@dataclass(frozen=True, slots=True)
class ChosenSet:
    """A pack set and why this one."""

    packs: tuple[PackNow, ...]
    usable_wh: float
    why: str

    @property
    def serial_numbers(self) -> tuple[str, ...]:
        """Return the serials in the order of the set."""
        return tuple(pack.serial_number for pack in self.packs)


def choose_set(
    packs: Iterable[PackNow],
    recipe: Recipe,
    gates: Gates,
    *,
    at_least_wh: float = 0.0,
    last_soh: float | None = None,
) -> ChosenSet | None:
    """Choose a complete set that gives at least `at_least_wh`, or None.

    Enough energy comes first. Among the sets that have it, riders take turns by health: who had the weaker half last time
    (`last_soh` below the median of what is fit here) gets the healthiest, who had the better half gets the weakest that is
    still enough. So no rider gets the weak packs again and again, and the weak ones are not left to stand.

    Parameters
    ----------
    at_least_wh : energy promised for the whole set [Wh].
    last_soh : mean health of the packs this rider took last, 0..1; None when he is new.
    """
    fit = [pack for pack in packs if pack.model.pack_model_id == recipe.pack_model_id and unfit_reason(pack, gates) is None]
    if len(fit) < recipe.pack_count:
        return None
    middle = median(pack.soh for pack in fit)
    healthiest = last_soh is not None and last_soh < middle
    fit.sort(key=lambda pack: ((-pack.soh if healthiest else pack.soh), -pack.soc, pack.serial_number))
    for candidate in _sets(fit, recipe.pack_count):
        energy_wh = usable_wh(candidate, recipe.wiring)
        if energy_wh + 1e-6 >= at_least_wh and fits_together(candidate, recipe):
            return ChosenSet(tuple(candidate), energy_wh, _why(candidate, energy_wh, healthiest, last_soh is None))
    return None


def complete_sets(packs: Iterable[PackNow], recipe: Recipe, gates: Gates, *, at_least_wh: float = 0.0) -> tuple[ChosenSet, ...]:
    """Return disjoint complete sets that are ready, chosen one after the other."""
    left = list(packs)
    found: list[ChosenSet] = []
    while (chosen := choose_set(left, recipe, gates, at_least_wh=at_least_wh)) is not None:
        found.append(chosen)
        taken = set(chosen.serial_numbers)
        left = [pack for pack in left if pack.serial_number not in taken]
    return tuple(found)


def _sets(fit: Sequence[PackNow], count: int) -> Iterator[Sequence[PackNow]]:
    # Neighbours in health first: they suit each other best.
    for first in range(len(fit) - count + 1):
        yield fit[first : first + count]
    if count > 1:
        by_charge = sorted(fit, key=lambda pack: (-pack.soc, pack.serial_number))
        for first in range(len(by_charge) - count + 1):
            yield by_charge[first : first + count]
        yield from islice(combinations(fit, count), _MOST_SETS)


def _why(packs: Sequence[PackNow], energy_wh: float, healthiest: bool, is_new: bool) -> str:
    subject = "This pack gives" if len(packs) == 1 else f"These {len(packs)} packs give"
    if healthiest:
        return f"{subject} {energy_wh:.0f} Wh; the healthiest here, because your last ones were below the middle."
    if is_new:
        return f"{subject} {energy_wh:.0f} Wh, enough for what was promised, and leave the stronger ones for longer trips."
    return f"{subject} {energy_wh:.0f} Wh; riders take turns by health, and your last ones were from the better half."
