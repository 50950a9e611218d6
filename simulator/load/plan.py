"""What one run of the load generator is asked to say. Everything it says follows from a plan alone."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from devices.wire.ids import is_station_id

MOST_STATIONS = 99_999
"""The number in a station's name has five digits."""

MOST_PACKS = 99
"""A slot number is written with two digits."""

FIELD_SETS = (12, 24)
"""Sizes of a reading: what a fleet map needs, and all of it but what travels in births."""

LATE_ROUNDS = 3
"""Guess: a late message comes this many rounds after its own, a late copy one round earlier; then it is old news everywhere."""


@dataclass(frozen=True, slots=True)
class Disturbances:
    """Shares [0..1] of telemetry messages that do not come once, in time and whole. Each is drawn apart."""

    duplicates: float = 0.0
    """Sent twice: at once, or the second time `LATE_ROUNDS` - 1 rounds later."""
    reorder: float = 0.0
    """Neighbours of one station that change places."""
    late: float = 0.0
    """Held back for `LATE_ROUNDS` rounds, then sent as history."""
    absurd: float = 0.0
    """Half of them break the schema and settle their own seq, half are no JSON and come on top, without one."""

    def __post_init__(self) -> None:
        for name, share in asdict(self).items():
            if not 0 <= share <= 1:
                raise ValueError(f"--{name} is a share between 0 and 1, not {share}")


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """One run: one boot of every station.

    Parameters
    ----------
    rate_per_s : steps a wall second; a step is one station's turn.
    start_at : instant of step 0; the `ts` of a message is the instant at which the schedule wants it.
    births : begin with one connection message and one birth a station.
    meter_every : one message in so many of each station is a meter's; 0: none.
    """

    stations: int
    packs: int
    fields: int
    seed: int
    rate_per_s: float
    start_at: datetime
    epoch: int = 1
    boot: int = 1
    prefix: str = "load"
    births: bool = True
    meter_every: int = 30
    disturbances: Disturbances = Disturbances()

    def __post_init__(self) -> None:
        if not 1 <= self.stations <= MOST_STATIONS:
            raise ValueError(f"--stations is 1 to {MOST_STATIONS}, not {self.stations}")
        if not 1 <= self.packs <= MOST_PACKS:
            raise ValueError(f"--packs is 1 to {MOST_PACKS}, not {self.packs}")
        if self.fields not in FIELD_SETS:
            raise ValueError(f"--fields is one of {FIELD_SETS}, not {self.fields}")
        if not 0 < self.rate_per_s <= 1_000_000:
            raise ValueError(f"--rate is above 0 and at most 1000000, not {self.rate_per_s}")
        if self.seed < 0 or self.meter_every < 0:
            raise ValueError("--seed and --meter-every are not negative")
        if not is_station_id(self.name(0)):
            raise ValueError(f"--prefix {self.prefix!r} makes no station ids: up to 42 of A-Z a-z 0-9 _ -")

    def name(self, station: int) -> str:
        """Return the id of a station by its number from 0."""
        return f"{self.prefix}-{station:05}"

    def as_json(self) -> dict[str, object]:
        """Return the plan as what `plan_from_json` reads."""
        return {**asdict(self), "start_at": self.start_at.isoformat()}


def station_names(count: int, prefix: str = "load") -> list[str]:
    """Return the ids of the stations that a run of `count` speaks for; they must be registered."""
    return [f"{prefix}-{station:05}" for station in range(count)]


def plan_from_json(told: Mapping[str, object]) -> LoadPlan:
    """Return the plan that `LoadPlan.as_json` wrote.

    Raises
    ------
    ValueError
        When it is none.
    """
    known = dict(told)
    try:
        known["start_at"] = datetime.fromisoformat(str(known["start_at"]))
        known["disturbances"] = Disturbances(**known["disturbances"])  # type: ignore[arg-type]
        return LoadPlan(**known)  # type: ignore[arg-type]
    except (KeyError, TypeError) as error:
        raise ValueError(f"no plan of a load: {error}") from error
