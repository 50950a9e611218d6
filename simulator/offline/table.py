"""A comparison as people read it."""

from collections.abc import Callable
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from simulator.offline.run import Tell

_ROWS: tuple[tuple[str, Callable[[dict[str, Any]], str]], ...] = (
    ("energy price [JPY/kWh]", lambda e: f"{e['price_jpy_per_kwh']:.3f}"),
    ("surplus alignment", lambda e: f"{e['alignment']:.3f}"),
    ("energy in hours with 100 MWh or more cut off", lambda e: f"{e['surplus_share']:.1%}"),
    ("energy charged, closing and settlement included [kWh AC]", lambda e: f"{e['energy_kwh']:,.1f}"),
    ("cost [JPY]", lambda e: f"{e['cost_jpy']:,.0f}"),
    ("  without closing: price / alignment", lambda e: _pair(e["without_closing"])),
    ("  without closing: energy [kWh AC]", lambda e: f"{e['without_closing']['energy_kwh']:,.1f}"),
    ("delivered to riders [kWh]", lambda e: f"{e['delivered_kwh']:,.2f}"),
    ("  wanted and not delivered [kWh]", lambda e: f"{e['unmet_kwh']:,.2f}"),
    ("stock at the start [kWh]", lambda e: _stock(e, "start")),
    ("  when the days are over [kWh]", lambda e: _stock(e, "end")),
    ("  after the closing [kWh]", lambda e: _stock(e, "closed")),
    ("  then settled [kWh AC], share of delivered", lambda e: f"{e['settled_kwh']:,.1f}, {e['settled_share']:.2%}"),
    ("swaps", lambda e: f"{e['swaps']:,}"),
    ("  at another than the home station", lambda e: f"{e['swaps_elsewhere']:,}"),
    ("  after waiting; minutes waited", lambda e: f"{e['swaps_that_waited']:,}; {e['wait_minutes']:,.0f}"),
    ("mean SoC of packs handed out", lambda e: f"{e['hand_out_soc']:.1%}"),
)


def print_report(report: dict[str, Any], out: TextIO) -> None:
    """Print the table of all policies, the ratios, and in plain words whether the bars hold."""
    console = Console(file=out, width=None if out.isatty() else 140, highlight=False)
    names = list(report["policies"])
    table = Table(
        title=f"{report['days']} days from {report['start_at']}, area {report['area']}, {report['stations']} stations, "
        f"scenario {report['scenario']}, seed {report['seed']}: {report['curtailed_mwh']:,.0f} MWh cut off in "
        f"{report['hours_of_surplus']:.0f} hours of surplus, mean price {report['mean_price_jpy_per_kwh']:.2f} JPY/kWh"
    )
    table.add_column("")
    for name in names:
        table.add_column(name, justify="right")
    for words, cell in _ROWS:
        table.add_row(escape(words), *(cell(report["policies"][name]) for name in names))
    table.add_section()
    for what in ("price", "alignment"):
        table.add_row(f"{what}, x {report['reference']}", *(_times(report["ratios"][name][what]) for name in names))
    console.print(table)
    for line in verdict(report):
        console.print(line)


def verdict(report: dict[str, Any]) -> list[str]:
    """Return in sentences whether the bars hold."""
    bars = report["bars"]
    if bars is None:
        return ["No bars are judged: that takes on_arrival and denchi together."]
    ours = report["ratios"]["denchi"]
    return [
        f"Energy price {_times(ours['price'])} that of on_arrival; at most {bars['price_ratio_at_most']}: "
        + _word(bars["price_holds"]),
        f"Surplus alignment {_times(ours['alignment'])} that of on_arrival; at least {bars['alignment_ratio_at_least']}: "
        + _word(bars["alignment_holds"]),
        "Delivered energy is " + ("the same." if bars["delivered_equal"] else "NOT the same: the two must not be compared."),
    ]


class Bar:
    """A bar on stderr with the time that is left. Use it as a context; `tell` is what a run calls."""

    def __init__(self, names: list[str], err: TextIO) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeRemainingColumn(),
            console=Console(file=err),
            disable=not err.isatty(),
        )
        self._tasks = {name: self._progress.add_task(name, total=1.0) for name in names}

    def __enter__(self) -> Tell:
        """Show the bar."""
        self._progress.start()
        return lambda name, share: self._progress.update(self._tasks[name], completed=share)

    def __exit__(self, *ended: object) -> None:
        """Leave it as it stands."""
        self._progress.stop()


def _pair(figures: dict[str, float]) -> str:
    return f"{figures['price_jpy_per_kwh']:.3f} / {figures['alignment']:.3f}"


def _stock(entry: dict[str, Any], when: str) -> str:
    stock = entry["stock_kwh"][when]
    return f"{stock['stations']:,.0f} + {stock['vehicles']:,.0f} riding"


def _times(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.3f} x"


def _word(holds: bool) -> str:
    return "holds." if holds else "MISSED."
