"""How the chart of today looks: axes, colours, lines, hatches, as ECharts options over one table of rows. Pure.

Which row says what is decided in `service.console.power_chart`.
"""

from typing import Any

COLUMNS = (
    "at",
    "generated",
    "cut off",
    "expected",
    "site meters",
    "newest readings",
    "planned",
    "contracted",
    "price",
    "price ahead",
)
"""The columns of the table: instant [local ms], area [GW], fleet [kW or MW], price [JPY/kWh]."""

_FONT = 'system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif'
_INK, _FAINT, _GRID, _AHEAD = "#25313c", "#5d6b78", "#e9edf0", "#f6f8fa"
_SUPPLY, _CUT_OFF, _PLAN, _CONTRACT = "#a9d3a2", "#d08a1c", "#2f6fb0", "#2e7d46"
_MEASURED, _READINGS, _PRICE = "#25313c", "#d9692a", "#7a5a9e"

LEGEND: tuple[tuple[str, str, str], ...] = (
    ("generated", "sun and wind of the area", "generation of the area as far as it is known, right axis"),
    ("expected", "expected", "sun and wind of the area as the plan expects them, right axis"),
    ("cut-off", "cut off by the grid", "generation that the grid company had to cut off, as far as it is known, right axis"),
    ("measured", "fleet, metered", "site meters of the fleet, five-minute means, left axis"),
    ("readings", "fleet, newest readings", "sum of what packs last reported, behind the chargers, left axis"),
    ("planned", "fleet, planned", "the newest plan, left axis"),
    ("contracted", "contracted for us", "volume of sun that the operator holds, in the newest plan, left axis"),
    ("price", "price", "market price so far; dashed: as the plan expects it"),
)
"""(class of the swatch, plain words, what it means)."""

_TOOLTIP = """params => {
  const units = ["", "GW", "GW", "GW", "FLEET", "FLEET", "FLEET", "FLEET", "JPY/kWh", "JPY/kWh"];
  const words = ["", "sun and wind of the area", "cut off by the grid", "expected sun and wind", "fleet, metered",
    "fleet, newest readings", "fleet, planned", "contracted for us", "price", "price, expected"];
  const rows = [...params].sort((a, b) => a.seriesIndex - b.seriesIndex).flatMap(p => {
    const column = p.encode.y[0], value = p.value[column];
    if (value === null || value === undefined || Number.isNaN(value)) return [];
    const dot = '<i class="denchi-dot" style="background:' + p.color + '"></i>';
    const amount = value.toFixed(units[column] === "GW" ? 2 : 1) + " " + units[column];
    return ['<tr><td>' + dot + words[column] + '</td><td class="amount">' + amount + '</td></tr>'];
  });
  const at = new Date(params[0].value[0]).toISOString();
  return '<b>' + at.slice(8, 10) + '. ' + at.slice(11, 16) + ' JST</b><table>' + rows.join('') + '</table>';
}"""


def chart_options(
    rows: list[list[float | None]], fleet_unit: str, *, start_ms: int, end_ms: int, now_ms: int, newest: float | None
) -> dict[str, Any]:
    """Return ECharts options over `rows`, which have the columns `COLUMNS`. `newest` fleet power gets a dot at now."""
    return {
        "useUTC": True,
        "animation": False,
        # Hatches are drawn only with this; it also describes the picture to who cannot see it.
        "aria": {
            "enabled": True,
            "label": {"description": "Fleet power, area supply and price from midnight to the end of the plan."},
        },
        "textStyle": {"fontFamily": _FONT, "color": _INK},
        "tooltip": {
            "trigger": "axis",
            "confine": True,
            "axisPointer": {"type": "line"},
            "textStyle": {"fontSize": 12, "color": _INK},
            ":formatter": _TOOLTIP.replace("FLEET", fleet_unit),
        },
        "axisPointer": {"link": [{"xAxisIndex": "all"}]},
        "grid": [
            {"left": 48, "right": 44, "top": 24, "bottom": 118},
            {"left": 48, "right": 44, "height": 52, "bottom": 34},
        ],
        "xAxis": [_time_axis(start_ms, end_ms, 0, labels=False), _time_axis(start_ms, end_ms, 1, labels=True)],
        "yAxis": [
            _value_axis(f"fleet {fleet_unit} (AC)", 0, "left", splits=4),
            _value_axis("area GW", 0, "right", splits=4),
            _value_axis("JPY/kWh", 1, "left", splits=2),
        ],
        "dataset": {"dimensions": list(COLUMNS), "source": rows},
        "series": [
            {**_line("generated", _SUPPLY, axis=1, width=0, step=True), "areaStyle": {"opacity": 0.6}, "stack": "area"},
            {
                **_line("cut off", _CUT_OFF, axis=1, width=0, step=True),
                "areaStyle": {"opacity": 0.5},
                "stack": "area",
                "itemStyle": {"color": _CUT_OFF, "decal": _HATCH},
            },
            {**_line("expected", _SUPPLY, axis=1, width=1, step=True), "areaStyle": {"opacity": 0.28}},
            _line("site meters", _MEASURED, width=2.2),
            {**_line("newest readings", _READINGS, width=1.4), "markPoint": _dot(now_ms, newest)},
            {**_line("planned", _PLAN, width=2, step=True, dash="dashed"), **_now(now_ms, end_ms, words="now")},
            _line("contracted", _CONTRACT, width=1, step=True),
            {**_line("price", _PRICE, axis=2, width=1.8, step=True), **_now(now_ms, end_ms, words="")},
            _line("price ahead", _PRICE, axis=2, width=1.6, step=True, dash="dashed"),
        ],
    }


_HATCH = {
    "symbol": "rect",
    "symbolSize": 1,
    "dashArrayX": [1, 0],
    "dashArrayY": [2, 4],
    "rotation": -0.785,
    "color": "rgba(112, 66, 0, .75)",
}


def _line(column: str, colour: str, *, axis: int = 0, width: float, step: bool = False, dash: str = "solid") -> dict[str, Any]:
    return {
        "type": "line",
        "name": column,
        "encode": {"x": "at", "y": column},
        "xAxisIndex": 1 if axis == 2 else 0,
        "yAxisIndex": axis,
        "step": "end" if step else False,
        "symbol": "none",
        "connectNulls": False,
        "itemStyle": {"color": colour},
        "lineStyle": {"color": colour, "width": width, "type": dash},
    }


def _now(now_ms: int, end_ms: int, *, words: str) -> dict[str, Any]:
    """Return the line of now, and a tint over what is still ahead."""
    return {
        "markLine": {
            "symbol": "none",
            "silent": True,
            "lineStyle": {"color": _INK, "type": "solid", "width": 1.2},
            "label": {"formatter": words, "color": _INK, "fontWeight": 600, "distance": 3},
            "data": [{"xAxis": now_ms}],
        },
        "markArea": {
            "silent": True,
            "z": -1,
            "itemStyle": {"color": _AHEAD, "opacity": 0.9},
            "data": [[{"xAxis": now_ms}, {"xAxis": end_ms}]],
        },
    }


def _dot(now_ms: int, newest: float | None) -> dict[str, Any]:
    return {
        "symbol": "circle",
        "symbolSize": 7,
        "silent": True,
        "label": {"show": False},
        "data": [] if newest is None else [{"coord": [now_ms, newest]}],
    }


def _time_axis(start_ms: int, end_ms: int, grid: int, *, labels: bool) -> dict[str, Any]:
    return {
        "type": "time",
        "gridIndex": grid,
        "min": start_ms,
        "max": end_ms,
        "name": "JST" if labels else "",
        "nameLocation": "middle",
        "nameGap": 20,
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


def _value_axis(name: str, grid: int, side: str, *, splits: int) -> dict[str, Any]:
    return {
        "type": "value",
        "gridIndex": grid,
        "position": side,
        "min": 0 if grid == 0 else None,
        "name": name,
        "nameGap": 8,
        "nameTextStyle": {"color": _FAINT, "align": side, "padding": [0, -42, 0, -42]},
        "axisLabel": {"color": _FAINT},
        "splitNumber": splits,
        "splitLine": {"show": side == "left", "lineStyle": {"color": _GRID}},
    }
