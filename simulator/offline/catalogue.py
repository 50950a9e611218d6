"""The policies there are, by name."""

from collections.abc import Callable

from simulator.offline.planned import Denchi
from simulator.offline.policies import Charging, OnArrival, Sight, Timer, Uniform

POLICIES: dict[str, tuple[Callable[[Sight], Charging], str]] = {
    "on_arrival": (OnArrival, "every pack at full power as soon as it is in"),
    "denchi": (Denchi, "the planner of the service, a new plan every fifteen minutes, as a price taker"),
    "timer_10_14": (lambda sight: Timer(sight, 10, 14), "full power from 10:00 to 14:00, otherwise a guard of ready packs"),
    "night": (lambda sight: Timer(sight, 23, 7), "full power from 23:00 to 07:00, otherwise a guard of ready packs"),
    "uniform": (Uniform, "the same power all day"),
}
