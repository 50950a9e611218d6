"""How careful and how green the fleet is run: choices of the operator, each with its starting value and where it comes from."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Policy:
    """The operator's choices that turn a forecast into a problem. Frozen, so that a plan can be made again."""

    safety_z: float = 2.05
    """Safety stock = this many standard deviations of the demand while a pack charges. Guess: 98 % of a normal law."""
    lead_h: float = 3.0
    """Time over which that demand is counted: how long an empty pack takes [h]. Guess: between 1 C and 0.2 C."""
    most_stock_share: float = 0.6
    """Safety stock never asks for more than this share of a station's packs. Guess."""
    end_stock_share: float = 0.5
    """Share of a station's packs that shall stand full at the end of the horizon. Guess: tomorrow is like today."""
    return_soc: float = 0.25
    """SoC with which packs come back while too few came back to say. Guess."""
    green_share: float = 0.4
    """Contracted PV volume as a share of the energy expected over the horizon. Guess: the smallest of 0.4 / 0.7 / 1.0."""
    green_jpy_per_kwh: float = 8.0
    """Price of contracted PV energy; never counted above the market price. Guess: an old off-site PPA."""
    holding_jpy_per_kwh_step: float = -0.0005
    """Price of a kWh in the packs per step. Negative: among steps of equal price the earlier is worth a little more,
    because forecasts are wrong and a full pack serves whoever comes. Guess: 0.05 JPY/kWh over a day."""
    away_from_sun_jpy_per_kwh: float = 0.0
    """A kWh from the grid counts this much dearer in a step without any sun and wind expected, nothing at the strongest of the
    horizon, a line between. It decides between hours of about the same price: around a clear noon the market price lies at
    its floor for hours, the surplus peaks within them. 0: an operator who holds contracted PV has its shape already."""
    fallback_share: float = 0.5
    """Share of its connection that a station may use once its schedule has run out and nobody is heard. Guess."""
    most_offline_s: float = 86_400.0
    """How long a station follows its cached schedule alone [s]: as long as the schedule reaches."""
    need_ready_h: float = 4.0
    """How far ahead the packs are counted that a lonely station works towards [h]. Guess."""
