"""Prices, supply, emissions, limits and calls, from markets and operators: posted once, corrected by what is known later."""

import math
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from service.api.auth import Caller
from service.api.bodies import pointer
from service.api.deps import Door, DoorDep, allow
from service.api.errors import FieldError, ProblemError, invalid, not_found
from service.api.idempotency import Once, OptionalIdempotencyKey
from service.api.schemas import Given, Instant, operation
from service.api.schemas_signals import (
    SHOWN_MOST,
    GridSignalBody,
    PlaceItem,
    PlaceShown,
    SignalItem,
    SignalList,
    SignalsAnswer,
    SupplyForecastBody,
)
from service.domain.signal import LIMITS, SERIES, Place, Series, Signal
from service.store import listings
from service.store.pool import Connection
from service.store.signals import add_signals, series_of_place

router = APIRouter(tags=["operators", "machines"])

OperatorOrMarket = Annotated[Caller, Depends(allow("operator", "market"))]
SHOWN_SPAN = timedelta(days=31)
"""Most that one reading spans."""
MOST_W = 1e12
"""Guess: no area has a terawatt; numbers beyond it would only upset the planner's arithmetic."""
MOST_PER_KWH = 1e5
"""Guess: no market has paid 100,000 JPY/kWh, nothing emits 100 kg/kWh."""
_LEASE_S = 30.0
"""Guess: only a dead process leaves a claim that is older than this; wall seconds."""
_ERRORS_SHOWN = 100

AreaFilter = Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="An area of the grid.")]
StationFilter = Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_-]{1,48}$", description="Or a station.")]
From = Annotated[Instant | None, Query(alias="from", description="Intervals that start here or later; left out: now.")]
Until = Annotated[Instant | None, Query(description="Intervals that start before; left out: a day after `from`.")]


def _posting(body: type[Given]) -> dict[str, Any]:
    also = {200: "Nothing new: all of it was there"}
    return operation(SignalsAnswer, "not_found", "conflict", "still_running", "key_reused", status=201, also=also, body=body)


@router.post("/v1/supply-forecasts", summary="Post what supply is expected", **_posting(SupplyForecastBody))
async def add_supply_forecast(
    door: DoorDep, caller: OperatorOrMarket, body: SupplyForecastBody, key: OptionalIdempotencyKey = None
) -> Response:
    """Post expected supply or demand of an area, or what a station's own panels are expected to yield. The newest counts."""
    return await _post(door, caller, key, "POST supply-forecasts", body)


@router.post("/v1/grid-signals", summary="Post prices, emissions, limits, calls", **_posting(GridSignalBody))
async def add_grid_signal(
    door: DoorDep, caller: OperatorOrMarket, body: GridSignalBody, key: OptionalIdempotencyKey = None
) -> Response:
    """Post prices or emission factors of an area, or limits of an area or a station. The next plan keeps to them."""
    return await _post(door, caller, key, "POST grid-signals", body)


@router.get("/v1/signals", summary="Read a series", **operation(SignalList, "not_found"))
async def show_signals(
    door: DoorDep,
    caller: OperatorOrMarket,
    series: Series,
    area: AreaFilter = None,
    station_id: StationFilter = None,
    from_: From = None,
    until: Until = None,
) -> SignalList:
    """Read the newest values of one series at one place that are known now, at most 31 days and 3,000 values at once."""
    if (area is None) == (station_id is None):
        raise invalid("give area or station_id, one of the two", parameter="area", code="missing")
    now = door.clock.now()
    first_at = from_ or now
    end_at = until or first_at + timedelta(days=1)
    if not first_at < end_at <= first_at + SHOWN_SPAN:
        raise invalid(f"until must lie after from, at most {SHOWN_SPAN.days} days", parameter="until", code="out_of_range")
    place = Place("area", area) if area is not None else Place("station", str(station_id))
    async with door.connection() as connection:
        await _require_place(connection, place)
        found = await series_of_place(connection, place, [series], first_at, end_at, now, most=SHOWN_MOST + 1)
    next_from = found[-1].start_at if len(found) > SHOWN_MOST else None
    items = [
        SignalItem(
            start_at=signal.start_at,
            period_s=signal.period_s,
            value=signal.value if math.isfinite(signal.value) else None,
            known_at=signal.known_at,
            source=signal.source,
        )
        for signal in found
        if next_from is None or signal.start_at < next_from
    ]
    shown = PlaceShown(area=area, station_id=station_id)
    return SignalList(place=shown, series=series, meaning=SERIES[series].meaning, values=items, next_from=next_from)


async def _post(
    door: Door, caller: Caller, key: str | None, operation_name: str, body: SupplyForecastBody | GridSignalBody
) -> Response:
    now = door.clock.now()
    known_at = body.known_at or now
    if known_at > now:
        raise invalid("known_at lies in the future of the fleet's clock", pointer="#/known_at", code="in_the_future")
    place = _place(body.place, body.series)
    signals = _signals(body, place, known_at)
    once = Once(caller, key, operation_name, body, door.wall_now(), _LEASE_S) if key is not None else None
    async with door.transaction() as connection:
        if once is not None:
            kept = await once.claim(connection)
            if isinstance(kept, Response):
                return kept
        await _require_place(connection, place)
        done = await add_signals(connection, signals)
        if done.different:  # leaving by an exception rolls back what was written
            raise _conflict(body, done.different, done.different_at)
        answer = SignalsAnswer(added=done.added, known=done.known, known_at=known_at)
        response = Response(answer.model_dump_json(), 201 if done.added else 200, media_type="application/json")
        return await once.answer(connection, response) if once is not None else response


def _place(given: PlaceItem, series: Series) -> Place:
    place = Place("area", given.area) if given.area is not None else Place("station", str(given.station_id))
    if place.kind not in SERIES[series].kinds:
        raise invalid(f"{series} is not a series of a {place.kind}", pointer="#/place", code="wrong_place")
    return place


def _signals(body: SupplyForecastBody | GridSignalBody, place: Place, known_at: datetime) -> list[Signal]:
    """Return the values as signals; raise ``invalid`` for a blank that is no limit's and for what no such series can be."""
    least, most = SERIES[body.series].minimum, MOST_W if body.series.endswith("_w") else MOST_PER_KWH
    least = max(least, -most)
    errors, signals = [], []
    for index, value in enumerate(body.values):
        if value is None and body.series not in LIMITS:
            errors.append(FieldError(pointer=pointer("values", index), code="missing", detail="only a limit may be null"))
        elif value is not None and not least <= value <= most:
            detail = f"must be from {least:g} to {most:g}"
            errors.append(FieldError(pointer=pointer("values", index), code="out_of_range", detail=detail))
        else:
            at = body.start_at + timedelta(seconds=index * body.period_s)
            number = math.inf if value is None else value
            signals.append(Signal(body.series, place, at, body.period_s, number, known_at, body.source))
    if errors:
        raise ProblemError("invalid", f"{len(errors)} value(s) are not valid", errors=errors[:_ERRORS_SHOWN])
    return signals


async def _require_place(connection: Connection, place: Place) -> None:
    if place.kind == "station":
        rows = await listings.stations(connection, station_id=place.name, all_lifecycles=True, row_limit=1)
        if not rows:
            raise not_found("station")


def _conflict(body: SupplyForecastBody | GridSignalBody, count: int, starts: tuple[datetime, ...]) -> ProblemError:
    detail = "known since the same instant from the same source with another value; a correction has a later known_at"
    errors = [
        FieldError(
            pointer=pointer("values", round((at - body.start_at).total_seconds()) // body.period_s),
            code="known_otherwise",
            detail=detail,
        )
        for at in starts
    ]
    return ProblemError("conflict", f"{count} value(s) are known otherwise; nothing was written", errors=errors[:_ERRORS_SHOWN])
