"""A station's grid connection: what the chargers take from the mains, what the cabinet itself needs, and the meter.

Arrays have the axis ``(stations,)``. Power is AC at the site's meter, positive into the site.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ConnectionType:
    """What all connections of one kind share."""

    max_import_ac_w: float
    charger_efficiency: float
    base_load_ac_w: float


EXCHANGER_CONNECTION = ConnectionType(
    # Guess: a 200 V single-phase supply with a 20 A breaker. Twelve packs at full power want 4.5 kW, so the plan has work to do.
    max_import_ac_w=4000.0,
    # Guess: a switched charger of this size, 340 W DC.
    charger_efficiency=0.93,
    # Guess: controller, screen and fans.
    base_load_ac_w=90.0,
)


@dataclass(slots=True)
class SiteMeters:
    """The meters of all sites. `import_wh` and `over_limit_s` only grow."""

    import_wh: Floats
    power_ac_w: Floats
    over_limit_s: Floats

    @classmethod
    def new(cls, stations: int) -> "SiteMeters":
        """Return meters at zero."""
        return cls(import_wh=np.zeros(stations), power_ac_w=np.zeros(stations), over_limit_s=np.zeros(stations))


def step(meters: SiteMeters, dt_s: float, charged_wh: Floats, kind: ConnectionType) -> None:
    """Count one step.

    Parameters
    ----------
    charged_wh : energy that went into the packs of each station in this step, DC [Wh].
    """
    hours = dt_s / 3600.0
    import_wh = charged_wh / kind.charger_efficiency + kind.base_load_ac_w * hours
    meters.import_wh += import_wh
    meters.power_ac_w = import_wh / hours if hours > 0 else np.zeros_like(import_wh)
    meters.over_limit_s += (meters.power_ac_w > kind.max_import_ac_w + 0.5) * dt_s
