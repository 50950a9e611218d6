"""The chart of fleet power and price: rows from tables to ECharts options. Pure.

ECharts draws UTC; every instant is shifted by nine hours so that the axis reads Japan's time in any browser.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from service.console.slot_view import charging_w
from service.console.wording import JST
from service.store.fleet import FleetRows, MeasuredPower, PlanRow

PAST = timedelta(hours=3)
"""How much of the past the chart shows."""
AHEAD = timedelta(hours=24)
"""How far the axis goes when there is no plan yet."""

_FONT = 'system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif'
_INK, _FAINT, _GRID = "#25313c", "#5d6b78", "#e6eaed"
_SUPPLY, _PLAN, _MEASURED, _READINGS, _PRICE = "#a9d3a2", "#2f6fb0", "#25313c", "#d9692a", "#7a5a9e"
SERIES = ("renewable supply", "planned", "site meters", "newest readings", "price")
"""Names in the legend, in the order of the series."""


def fleet_power_w(fleet: FleetRows) -> float:
    """Return what the fleet draws by its newest readings, as AC [W]: DC at the packs over each charger's efficiency."""
    efficiency = {station.station_id: station.charger_efficiency for station in fleet.stations}
    return sum(charging_w(slot, fleet.at) / efficiency[slot.station_id] for slot in fleet.slots if slot.station_id in efficiency)


def power_chart(
    now: datetime, plan: PlanRow | None, measured: Sequence[MeasuredPower], trace: Sequence[tuple[datetime, float]]
) -> dict[str, Any]:
    """Return ECharts options: power above, price below, one time axis. `trace` is (instant, AC power [W])."""
    start = now - PAST
    end = now + AHEAD if plan is None else plan.start_at + timedelta(seconds=plan.step_s * len(plan.fleet_ac_w))
    supply = [] if plan is None else _steps(plan, [watts / 1000 for watts in plan.renewable_w])
    planned = [] if plan is None else _steps(plan, [watts / 1000 for watts in plan.fleet_ac_w])
    price = [] if plan is None else _steps(plan, plan.price_jpy_per_kwh)
    meters = [_point(row.end_at, row.power_ac_w / 1000) for row in measured if row.end_at >= start]
    readings = [_point(at, power_w / 1000) for at, power_w in trace if at >= start]
    return {
        "useUTC": True,
        "animation": False,
        "textStyle": {"fontFamily": _FONT, "color": _INK},
        "legend": {
            "data": list(SERIES[:4]),
            "top": 0,
            "left": 0,
            "itemGap": 12,
            "itemWidth": 14,
            "itemHeight": 8,
            "icon": "roundRect",
            "selectedMode": False,
            "textStyle": {"color": _INK, "fontSize": 12},
        },
        "tooltip": {"trigger": "axis", "axisPointer": {"type": "line"}, "confine": True, "textStyle": {"fontSize": 12}},
        "axisPointer": {"link": [{"xAxisIndex": "all"}]},
        "grid": [
            {"left": 58, "right": 22, "top": 46, "height": "42%"},
            {"left": 58, "right": 22, "bottom": 40, "height": "15%"},
        ],
        "xAxis": [
            _time_axis(start, end, 0, labels=False),
            _time_axis(start, end, 1, labels=True),
        ],
        "yAxis": [_value_axis("kW (AC)", 0), _value_axis("JPY / kWh", 1)],
        "series": [
            _line(SERIES[0], supply, _SUPPLY, "kW", step=True, area=0.55, width=0),
            _line(SERIES[1], planned, _PLAN, "kW", step=True, dash=True, now=now),
            _line(SERIES[2], meters, _MEASURED, "kW", width=2.4),
            _line(SERIES[3], readings, _READINGS, "kW", last=True),
            _line(SERIES[4], price, _PRICE, "JPY/kWh", step=True, axis=1, now=now),
        ],
    }


def _local_ms(at: datetime) -> int:
    offset = at.astimezone(JST).utcoffset() or timedelta(0)
    return round((at + offset).timestamp() * 1000)


def _point(at: datetime, value: float) -> list[float]:
    return [_local_ms(at), round(value, 2)]


def _steps(plan: PlanRow, values: Sequence[float]) -> list[list[float]]:
    """Return a step line: each value at the begin of its step, the last once more at the end."""
    starts = [plan.start_at + timedelta(seconds=plan.step_s * step) for step in range(len(values) + 1)]
    return [_point(at, value) for at, value in zip(starts, [*values, *values[-1:]], strict=False)]


def _time_axis(start: datetime, end: datetime, grid: int, *, labels: bool) -> dict[str, Any]:
    return {
        "type": "time",
        "gridIndex": grid,
        "min": _local_ms(start),
        "max": _local_ms(end),
        "name": "JST" if labels else "",
        "nameLocation": "middle",
        "nameGap": 24,
        "nameTextStyle": {"color": _FAINT},
        "axisLabel": {
            "show": labels,
            "color": _FAINT,
            "hideOverlap": True,
            "formatter": {"day": "{d} {MMM}", "hour": "{HH}:{mm}"},
        },
        "axisLine": {"lineStyle": {"color": _FAINT}},
        "axisTick": {"show": labels},
        "splitLine": {"show": True, "lineStyle": {"color": _GRID}},
    }


def _value_axis(name: str, grid: int) -> dict[str, Any]:
    return {
        "type": "value",
        "gridIndex": grid,
        "name": name,
        "nameGap": 8,
        "nameTextStyle": {"color": _FAINT, "align": "left", "padding": [0, 0, 0, -50]},
        "axisLabel": {"color": _FAINT},
        "splitNumber": 4 if grid == 0 else 2,
        "splitLine": {"lineStyle": {"color": _GRID}},
    }


def _line(
    name: str,
    points: list[list[float]],
    colour: str,
    unit: str,
    *,
    step: bool = False,
    area: float = 0.0,
    width: float = 1.8,
    dash: bool = False,
    last: bool = False,
    axis: int = 0,
    now: datetime | None = None,
) -> dict[str, Any]:
    series: dict[str, Any] = {
        "type": "line",
        "name": name,
        "data": points,
        "xAxisIndex": axis,
        "yAxisIndex": axis,
        "step": "end" if step else False,
        "symbol": "none",
        "itemStyle": {"color": colour},
        "lineStyle": {"color": colour, "width": width, "type": "dashed" if dash else "solid"},
        "tooltip": {":valueFormatter": f"value => value === undefined ? '' : value.toFixed(1) + ' {unit}'"},
    }
    if area:
        series["areaStyle"] = {"color": colour, "opacity": area}
    if last:
        series["markPoint"] = {
            "symbol": "circle",
            "symbolSize": 7,
            "silent": True,
            "data": [{"coord": points[-1]}] if points else [],
            "label": {"show": False},
        }
    if now is not None:
        series["markLine"] = {
            "symbol": "none",
            "silent": True,
            "lineStyle": {"color": _FAINT, "type": "solid", "width": 1},
            "label": {"formatter": "now" if axis == 0 else "", "color": _FAINT},
            "data": [{"xAxis": _local_ms(now)}],
        }
    return series
