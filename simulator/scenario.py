"""What a simulated world is made of, as numbers from a TOML file. Who lives in it is ``simulator.world``."""

import tomllib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Self

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from simulator.physics.connection import EXCHANGER_CONNECTION, ConnectionType

BUNDLED = Path(__file__).parent / "scenarios"
"""Where the scenarios lie that come with the simulator."""


class ScenarioError(ValueError):
    """A scenario file is not lawful. The message names every wrong field and says what is expected."""


def _ordered(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError(f"the first of a range must not be above the second, got {list(pair)}")
    return pair


Share = Annotated[float, Field(ge=0, le=1)]
ShareRange = Annotated[tuple[Share, Share], AfterValidator(_ordered)]
PositiveRange = Annotated[tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]], AfterValidator(_ordered)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Area(_Section):
    """Where stations stand: on a jittered grid around a centre."""

    centre_latitude: float = Field(ge=-60, le=60)
    centre_longitude: float = Field(ge=-180, le=180)
    spacing_m: float = Field(ge=100, le=50_000)


class StationKind(_Section):
    """How every station is built and filled at the start."""

    slots: int = Field(ge=3, le=60)
    packs_full: int = Field(ge=0)
    packs_charging: int = Field(ge=0)
    full_soc: ShareRange
    charging_soc: ShareRange
    soh: Annotated[tuple[Annotated[float, Field(ge=0.5, le=1)], Annotated[float, Field(ge=0.5, le=1)]], AfterValidator(_ordered)]
    vendor: str = Field(min_length=1, max_length=50)
    model: str = Field(min_length=1, max_length=20)
    max_import_ac_w: float = Field(default=EXCHANGER_CONNECTION.max_import_ac_w, ge=500, le=1_000_000)

    @property
    def connection(self) -> ConnectionType:
        """Return the grid connection of every station: as large as the scenario says, otherwise as all are."""
        return replace(EXCHANGER_CONNECTION, max_import_ac_w=self.max_import_ac_w)

    @model_validator(mode="after")
    def _two_slots_stay_empty(self) -> Self:
        if self.packs_full + self.packs_charging > self.slots - 2:
            raise ValueError("packs_full + packs_charging must leave two slots empty, or no two-pack set can come in")
        return self


class ModelTerms(_Section):
    """What the service is told of the pack model; its physics are fixed (``physics.pack.MOBILE_POWER_PACK``)."""

    pack_model_id: str = Field(min_length=1, max_length=40)
    hand_out_soc: Share
    target_soc: Share


class Riders(_Section):
    """Who rides, and how patient he is. Times are fleet seconds."""

    per_station: int = Field(ge=0, le=1000)
    two_pack_share: Share
    swap_below_soc: ShareRange
    riding_speed_mps: float = Field(gt=0, le=40)
    approach_m: PositiveRange
    patience_s: float = Field(gt=0)
    hand_s: PositiveRange
    retry_after_s: float = Field(gt=0)


class Demand(_Section):
    """How many swaps are wanted. Times are fleet seconds."""

    swaps_per_station_hour: float = Field(ge=0, le=200)
    """On the mean of a day."""
    day_shape: Annotated[tuple[Annotated[float, Field(ge=0)], ...], Field(min_length=24, max_length=24)]
    """How much is ridden in each local hour, from midnight on; only the proportions count."""
    utc_offset_h: float = Field(ge=-12, le=14)
    opening_riders: int = Field(ge=0, le=1000)
    opening_first_s: float = Field(ge=0)
    opening_gap_s: float = Field(ge=0)
    most_riders_at_once: int = Field(ge=1, le=1000)

    @model_validator(mode="after")
    def _somebody_rides(self) -> Self:
        if sum(self.day_shape) <= 0:
            raise ValueError("day_shape must not be zero all day")
        return self

    def riding_at(self, at: datetime) -> float:
        """Return how much is ridden at a fleet instant; 1 is the mean of a day. Between the middles of two hours it is a line."""
        local = at.astimezone(UTC) + timedelta(hours=self.utc_offset_h)
        hour = local.hour + local.minute / 60 + local.second / 3600
        level = np.interp(hour, np.arange(24) + 0.5, self.day_shape, period=24.0)
        return float(level) * 24.0 / sum(self.day_shape)


class Weather(_Section):
    """The air around everything."""

    ambient_degc: float = Field(ge=-40, le=50)


class Scenario(_Section):
    """One world's recipe. Read it with `load_scenario`."""

    area: Area
    station: StationKind
    pack_model: ModelTerms
    riders: Riders
    demand: Demand
    weather: Weather


def list_scenarios() -> list[str]:
    """Return the names of the bundled scenarios."""
    return sorted(entry.stem for entry in BUNDLED.glob("*.toml"))


def load_scenario(name_or_path: str) -> Scenario:
    """Read a bundled scenario by name, or any by the path of its ``.toml`` file.

    Raises
    ------
    ScenarioError
        The scenario does not exist, is no TOML, or has a wrong field; the message names it.
    """
    if name_or_path.endswith(".toml"):
        path = Path(name_or_path)
        if not path.is_file():
            raise ScenarioError(f"scenario file {name_or_path} does not exist")
        text = path.read_text(encoding="utf-8")
    elif name_or_path in list_scenarios():
        text = (BUNDLED / f"{name_or_path}.toml").read_text(encoding="utf-8")
    else:
        raise ScenarioError(f"no scenario {name_or_path!r}; bundled are: {', '.join(list_scenarios())}; or give a .toml file")
    return parse_scenario(text, name_or_path)


def parse_scenario(text: str, name: str) -> Scenario:
    """Read a scenario from TOML text; `name` is what errors call it. Raises ScenarioError."""
    try:
        return Scenario.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"scenario {name} is not TOML: {error}") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in error.errors())
        raise ScenarioError(f"scenario {name}: {wrong}") from error
