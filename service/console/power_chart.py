"""The chart of today: fleet power against supply above, price below; rows from tables to ECharts options. Pure.

ECharts draws UTC; every instant is shifted by nine hours so that the axis reads Japan's time in any browser. All lines share
one table of rows, so that one look at an instant tells all of them.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from service.console.area_series import RASTER_S, AreaSeries, Known
from service.console.chart_options import COLUMNS, chart_options
from service.console.slot_view import charging_w
from service.console.wording import JST, day_start
from service.store.fleet import FleetRows, MeasuredPower, PlanRow

PAST = timedelta(hours=3)
"""The least that the chart shows of the past; else it begins with the day."""
AHEAD = timedelta(hours=24)
"""How far the axis goes when there is no plan yet."""
READING_LASTS = timedelta(minutes=10)
"""How long a remembered point of the newest readings stands until the next; longer, the line is broken. Guess."""
MEGAWATTS_FROM_W = 10e6
"""Fleet power from which the axis counts in MW."""
COMPLETE_SHARE = 0.9
"""Share of the stations of the mean before that the newest mean of the meters needs; else its last stations are still to come."""


def chart_start(now: datetime) -> datetime:
    """Return where the chart begins: the local midnight, or three hours ago if that is earlier; on the raster."""
    since_s = int((now - PAST).timestamp())
    return min(day_start(now), datetime.fromtimestamp(since_s - since_s % RASTER_S, UTC))


def fleet_power_w(fleet: FleetRows) -> float:
    """Return what the fleet draws by its newest readings, as AC [W]: DC at the packs over each charger's efficiency."""
    efficiency = {station.station_id: station.charger_efficiency for station in fleet.stations}
    return sum(charging_w(slot, fleet.at) / efficiency[slot.station_id] for slot in fleet.slots if slot.station_id in efficiency)


def sources_text(plan: PlanRow | None, area: AreaSeries | None) -> str:
    """Return who says what is drawn of supply and price: by the newest plan, before the first one by what is known."""
    says = plan or area
    return "" if says is None else f"supply: {says.supply_source}; price: {says.price_source}"


def power_chart(
    now: datetime,
    plan: PlanRow | None,
    area: AreaSeries | None,
    measured: Sequence[MeasuredPower],
    trace: Sequence[tuple[datetime, float]],
) -> dict[str, Any]:
    """Return ECharts options. `trace` is (instant, AC power by the newest readings [W]), oldest first."""
    start = chart_start(now)
    ends = [now + PAST]
    ends += [] if plan is None else [plan.start_at + timedelta(seconds=plan.step_s * len(plan.fleet_ac_w))]
    ends += [] if area is None else [area.end_at]
    end = max(ends) if len(ends) > 1 else now + AHEAD
    meters = _complete(measured)
    most_w = max([0.0, *meters.values(), *(() if plan is None else plan.fleet_ac_w), *(power_w for _, power_w in trace)])
    unit, scale = ("kW", 1e-3) if most_w < MEGAWATTS_FROM_W else ("MW", 1e-6)
    columns = _columns(plan, area, meters, trace, now, scale)
    rows = [[_local_ms(at), *(_rounded(columns[name](at)) for name in COLUMNS[1:])] for at in _instants(start, now, plan, area)]
    newest = _rounded(trace[-1][1] * scale) if trace else None
    return chart_options(rows, unit, start_ms=_local_ms(start), end_ms=_local_ms(end), now_ms=_local_ms(now), newest=newest)


def _instants(start: datetime, now: datetime, plan: PlanRow | None, area: AreaSeries | None) -> list[datetime]:
    """Return the rows' instants: five minutes apart in the past, now, then where steps begin, and where they end."""
    raster = timedelta(seconds=RASTER_S)
    found = {start + number * raster for number in range(int((now - start) / raster) + 1)} | {now}
    if plan is not None:
        found |= {plan.start_at + timedelta(seconds=plan.step_s * step) for step in range(len(plan.fleet_ac_w) + 1)}
    if area is not None:
        found |= {area.ahead_at + timedelta(seconds=area.step_s * step) for step in range(len(area.expected_jpy_per_kwh) + 1)}
    return sorted(at for at in found if at >= start)


def _columns(
    plan: PlanRow | None,
    area: AreaSeries | None,
    measured: dict[datetime, float],
    trace: Sequence[tuple[datetime, float]],
    now: datetime,
    fleet_scale: float,
) -> dict[str, Callable[[datetime], float | None]]:
    """Return for each column what it holds at an instant, None where nothing is known of it."""

    def past(values: Known, scale: float) -> Callable[[datetime], float | None]:
        return lambda at: None if area is None or at > now else _scaled(_raster(values, area.first_at, at), scale)

    def ahead(values: Sequence[float | None], scale: float) -> Callable[[datetime], float | None]:
        return lambda at: None if area is None else _scaled(_step(values, area.ahead_at, area.step_s, at), scale)

    def planned(values: Sequence[float], scale: float) -> Callable[[datetime], float | None]:
        return lambda at: None if plan is None else _scaled(_step(values, plan.start_at, plan.step_s, at), scale)

    readings = _carried(trace, now)
    price_ahead = (
        planned(plan.price_jpy_per_kwh, 1.0)
        if plan is not None
        else ahead(() if area is None else area.expected_jpy_per_kwh, 1.0)
    )
    return {
        "generated": past(() if area is None else area.generated_w, 1e-9),
        "cut off": past(() if area is None else area.cut_off_w, 1e-9),
        "expected": ahead(() if area is None else area.expected_w, 1e-9),
        "site meters": lambda at: _scaled(measured.get(at), fleet_scale),
        "newest readings": lambda at: _scaled(readings(at), fleet_scale),
        "planned": planned(() if plan is None else plan.fleet_ac_w, fleet_scale),
        "contracted": planned(() if plan is None else plan.renewable_w, fleet_scale),
        "price": past(() if area is None else area.price_jpy_per_kwh, 1.0),
        "price ahead": lambda at: price_ahead(at) if at >= now else None,
    }


def _complete(measured: Sequence[MeasuredPower]) -> dict[datetime, float]:
    """Return the means by their end [W], without a newest one that still lacks stations."""
    rows = list(measured)
    if len(rows) > 1 and rows[-1].stations < COMPLETE_SHARE * rows[-2].stations:
        rows.pop()
    return {row.end_at: row.power_ac_w for row in rows}


def _carried(trace: Sequence[tuple[datetime, float]], now: datetime) -> Callable[[datetime], float | None]:
    """Return the newest readings' power [W] at an instant: of the last remembered point before it."""
    points = list(trace)
    at_points = [at for at, _ in points]

    def find(at: datetime) -> float | None:
        place = bisect_right(at_points, at) - 1
        if at > now or place < 0 or at - at_points[place] > READING_LASTS:
            return None
        return points[place][1]

    return find


def _raster(values: Known, first_at: datetime, at: datetime) -> float | None:
    place = int((at - first_at).total_seconds() // RASTER_S)
    return values[place] if 0 <= place < len(values) else None


def _step(values: Sequence[float | None], start_at: datetime, step_s: int, at: datetime) -> float | None:
    """Return the value of the step that holds `at`; the last one's once more where it ends."""
    place = int((at - start_at).total_seconds() // step_s)
    if place == len(values) and at == start_at + timedelta(seconds=step_s * place):
        place -= 1
    return values[place] if 0 <= place < len(values) else None


def _scaled(value: float | None, scale: float) -> float | None:
    return None if value is None else value * scale


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _local_ms(at: datetime) -> int:
    offset = at.astimezone(JST).utcoffset() or timedelta(0)
    return round((at + offset).timestamp() * 1000)
