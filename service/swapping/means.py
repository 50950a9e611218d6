"""What every act of the desk needs: the clock, the times, a source of ids."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from service.domain.clock import Clock
from service.swapping.outcomes import DeskRules


@dataclass(frozen=True, slots=True)
class Means:
    """Handed to every act; holds no state of its own."""

    clock: Clock
    rules: DeskRules
    new_id: Callable[[str], str]

    def now(self) -> datetime:
        """Return the fleet instant."""
        return self.clock.now()

    def after(self, seconds: float) -> datetime:
        """Return the fleet instant `seconds` from now."""
        return self.clock.now() + timedelta(seconds=seconds)
