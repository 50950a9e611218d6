"""What markets and operators say of prices, supply and limits, and how it is shown."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from service.api.schemas import Finite, Given, Instant, Shown, StationId
from service.domain.signal import SYNTHETIC, Series

VALUES_MOST = 1344
"""Four weeks of half hours, or two of quarter hours."""
SHOWN_MOST = 3000
"""Most values of one answer: ten days of five minutes."""

SupplySeries = Literal["demand_forecast_w", "supply_capacity_w", "solar_w", "wind_w", "own_pv_w"]
GridSeries = Literal[
    "price_jpy_per_kwh", "emission_g_per_kwh", "marginal_emission_g_per_kwh", "import_limit_w", "demand_response_limit_w"
]
AreaName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Area of the grid, such as `kyushu`.")]
Period = Literal[300, 900, 1800, 3600]


def _source(text: str) -> str:
    if text != text.strip() or not text.isprintable():
        raise ValueError("must be printable, without blanks at its ends")
    if text.casefold() == SYNTHETIC:
        raise ValueError(f"the name {SYNTHETIC!r} is kept for what is made up")
    return text


Source = Annotated[
    str, Field(min_length=1, max_length=80, description="Who says so; shown wherever it is used."), AfterValidator(_source)
]


class PlaceItem(Given):
    """Where it holds: an area of the grid or one station, exactly one of the two."""

    area: AreaName | None = None
    station_id: StationId | None = None
    example: ClassVar[dict[str, Any]] = {"area": "kyushu"}

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.area is None) == (self.station_id is None):
            raise ValueError("give area or station_id, one of the two")
        return self


class _SeriesBody(Given):
    """One series of one place: `values[i]` holds in ``[start_at + i period_s, start_at + (i + 1) period_s)``."""

    place: PlaceItem
    series: Series
    start_at: Annotated[Instant, Field(description="Begin of the first interval, a multiple of `period_s`.")]
    period_s: Period
    values: Annotated[list[Finite | None], Field(min_length=1, max_length=VALUES_MOST)]
    source: Source
    known_at: Annotated[
        Instant | None,
        Field(description="Fleet instant from which a decision may read it; not in the future. Left out: now."),
    ] = None

    @model_validator(mode="after")
    def _aligned(self) -> Self:
        if self.start_at.microsecond or round(self.start_at.timestamp()) % self.period_s:
            raise ValueError(f"start_at must be a multiple of {self.period_s} s")
        return self


class SupplyForecastBody(_SeriesBody):
    """What is expected of an area or behind a station's meter: mean powers in W."""

    series: SupplySeries
    values: Annotated[list[Finite | None], Field(min_length=1, max_length=VALUES_MOST, description="W; no gaps.")]
    example: ClassVar[dict[str, Any]] = {
        "place": {"area": "kyushu"},
        "series": "solar_w",
        "start_at": "2026-04-06T00:00:00Z",
        "period_s": 1800,
        "values": [5.1e9, 5.6e9, 6.0e9],
        "source": "our weather service",
    }


class GridSignalBody(_SeriesBody):
    """Prices, emission factors, limits, demand-response calls. Of limits `null` means: no limit (any more)."""

    series: GridSeries
    values: Annotated[
        list[Finite | None],
        Field(min_length=1, max_length=VALUES_MOST, description="JPY/kWh, g/kWh or W, as the series says."),
    ]
    example: ClassVar[dict[str, Any]] = {
        "place": {"station_id": "st-0001"},
        "series": "demand_response_limit_w",
        "start_at": "2026-04-06T08:00:00Z",
        "period_s": 1800,
        "values": [2000, 2000, None],
        "source": "aggregator",
        "known_at": "2026-04-06T00:00:00Z",
    }


class SignalsAnswer(Shown):
    """How many values are new and how many were there already."""

    added: int
    known: int
    known_at: datetime = Field(description="From when on decisions read them.")
    example: ClassVar[dict[str, Any]] = {"added": 3, "known": 0, "known_at": "2026-04-06T00:20:00Z"}


class PlaceShown(Shown):
    """The area or the station."""

    area: str | None
    station_id: str | None
    example: ClassVar[dict[str, Any]] = {"area": "kyushu", "station_id": None}


class SignalItem(Shown):
    """The newest known value of one interval; null: no limit."""

    start_at: datetime
    period_s: int
    value: float | None
    known_at: datetime
    source: str
    example: ClassVar[dict[str, Any]] = {
        "start_at": "2026-04-06T00:00:00Z",
        "period_s": 1800,
        "value": 5.1e9,
        "known_at": "2026-04-05T09:00:00Z",
        "source": "our weather service",
    }


class SignalList(Shown):
    """One series of one place in order of time."""

    place: PlaceShown
    series: str
    meaning: str
    values: list[SignalItem]
    next_from: datetime | None = Field(description="There is more: ask again with this as `from`.")
    example: ClassVar[dict[str, Any]] = {
        "place": {"area": "kyushu", "station_id": None},
        "series": "solar_w",
        "meaning": "solar generation, what was cut off not counted",
        "values": [SignalItem.example],
        "next_from": None,
    }
