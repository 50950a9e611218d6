"""What every message shares: field naming, strictness, the envelope and the station clock.

Attributes are snake_case with a unit suffix; the wire is camelCase. Both names are one definition.
"""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, PlainSerializer
from pydantic.alias_generators import to_camel

from devices.wire.ids import Text255

INT32_MAX = 2**31 - 1
INT63_MAX = 2**63 - 1


def _in_utc(instant: datetime) -> datetime:
    if not 1 < instant.year < 9999:
        raise ValueError("an instant must lie in the years 2 to 9998")
    return instant.astimezone(UTC)


def _rfc3339_ms(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Instant = Annotated[AwareDatetime, AfterValidator(_in_utc), PlainSerializer(_rfc3339_ms, return_type=str, when_used="json")]
"""An aware UTC instant; RFC 3339 with milliseconds and ``Z`` on the wire."""


def _number_one(value: object) -> object:
    # To pydantic, true and 1.0 are literally 1.
    if type(value) is not int:
        raise ValueError("the version of the contract is the number 1")
    return value


Version = Annotated[Literal[1], BeforeValidator(_number_one)]
Watts = Annotated[float, Field(ge=-100_000_000, le=100_000_000)]
WattsCeiling = Annotated[float, Field(ge=0, le=100_000_000)]
Percent = Annotated[float, Field(ge=0, le=100)]
WattHours = Annotated[int, Field(ge=0, le=INT63_MAX)]
SlotNumber = Annotated[int, Field(ge=1, le=999)]


class WireModel(BaseModel):
    """A part of a message. Unknown fields are tolerated: an old service must understand a newer station."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        serialize_by_alias=True,
        frozen=True,
        extra="ignore",
        allow_inf_nan=False,
        ser_json_inf_nan="constants",
    )


class ClosedModel(WireModel):
    """A part of a message in which an unknown field is an error."""

    model_config = ConfigDict(extra="forbid")


class StationClock(WireModel):
    """How far a station trusts its own clock."""

    source: Literal["ntp", "gnss", "rtc", "none"]
    offset_ms: float | None = Field(default=None, ge=-1e15, le=1e15)
    last_sync_at: Instant | None = None


class Envelope(WireModel):
    """First fields of every station message but ``connection``. Its key is (station, epoch, boot, seq).

    Unknown top-level fields are kept in ``model_extra`` so that the service can count them.
    """

    model_config = ConfigDict(extra="allow")

    v: Version = 1
    ts: Instant
    epoch: int = Field(ge=0, le=INT32_MAX)
    boot: int = Field(ge=0, le=INT32_MAX)
    seq: int = Field(ge=1, le=INT63_MAX)
    traceparent: Text255 | None = None


CustomData = dict[str, JsonValue]
