"""Vehicle recipes: which packs a vehicle takes at once, how they are wired, and what a set of them is worth."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from service.domain.pack import PackNow

Wiring = Literal["series", "parallel", "independent"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """`pack_count` packs (1..3) of one model. The spreads bind packs in series or parallel only."""

    pack_model_id: str
    pack_count: int
    wiring: Wiring
    # Guess: packs further apart than this are limited by the weaker one so early that the stronger is wasted.
    max_soc_spread: float = 0.15
    max_soh_spread: float = 0.10


def usable_wh(packs: Sequence[PackNow], wiring: Wiring) -> float:
    """Return what a set gives a rider [Wh]: in series n times the weakest, otherwise the sum."""
    if not packs:
        return 0.0
    if wiring == "series":
        return len(packs) * min(pack.usable_wh for pack in packs)
    return sum(pack.usable_wh for pack in packs)


def fits_together(packs: Sequence[PackNow], recipe: Recipe) -> bool:
    """Tell whether these packs may ride together: right model and count, and spreads within the recipe."""
    if len(packs) != recipe.pack_count or len({pack.serial_number for pack in packs}) != len(packs):
        return False
    if any(pack.model.pack_model_id != recipe.pack_model_id for pack in packs):
        return False
    if recipe.wiring == "independent" or len(packs) == 1:
        return True
    socs = [pack.soc for pack in packs]
    sohs = [pack.soh for pack in packs]
    return max(socs) - min(socs) <= recipe.max_soc_spread + 1e-9 and max(sohs) - min(sohs) <= recipe.max_soh_spread + 1e-9
