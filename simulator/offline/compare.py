"""What policies come to beside each other: the same world, the same days, the same energy ridden, the same stock in the end.

Three things make the stock the same: a common warm-up, the closing (`simulator.offline.run`), and a settlement: energy that the
packs of a run hold less than those of the fullest run is bought evenly over the days, at their mean price and mean surplus.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simulator.offline.market import PERIOD_S, Outturn
from simulator.offline.run import Run, Task
from simulator.physics.pack import MOBILE_POWER_PACK

REFERENCE = "on_arrival"
OURS = "denchi"
MOST_PRICE_RATIO = 0.7
LEAST_ALIGNMENT_RATIO = 1.5
MUCH_CURTAILED_W = 100e6
"""From this much on an hour counts as one of surplus: 418 such hours held 99 % of what was cut off in Kyushu in FY2022."""
SAME_SHARE = 1e-6
"""Energies that differ by less than this share are equal."""
HALF_HOURS_A_DAY = 86_400 // PERIOD_S


@dataclass(frozen=True, slots=True)
class Figures:
    """What one policy comes to over the days, as they ended or with closing and settlement."""

    energy_kwh: float
    """Taken from the mains by the chargers."""
    cost_jpy: float
    price_jpy_per_kwh: float
    alignment: float
    """Energy-weighted mean of what was cut off, over its plain mean: 1 for a fleet that takes the same power all the time."""
    surplus_share: float
    """Share of the energy in hours in which at least `MUCH_CURTAILED_W` was cut off."""


def compare(runs: Sequence[Run], task: Task, went: Outturn) -> dict[str, object]:
    """Return the report: what each policy came to, beside which other, and whether the bars hold. Same runs, same bytes."""
    ac_per_stored = 1.0 / (MOBILE_POWER_PACK.charge_efficiency * task.scenario.station.connection.charger_efficiency)
    fullest_wh = max(run.stock["closed"].whole_wh for run in runs)
    entries: dict[str, dict[str, object]] = {}
    settled: dict[str, Figures] = {}
    for run in runs:
        owed_wh = (fullest_wh - run.stock["closed"].whole_wh) * ac_per_stored
        settled[run.policy] = figures(run, task, went, periods=task.periods, owed_ac_wh=owed_wh)
        entries[run.policy] = _entry(run, task, went, settled[run.policy], owed_wh)
    report: dict[str, object] = {"event": "comparison", **_words(task, went), "policies": entries}
    reference = next((run for run in runs if run.policy == REFERENCE), runs[0])
    report["reference"] = reference.policy
    report["ratios"] = {
        run.policy: {
            "price": _ratio(settled[run.policy].price_jpy_per_kwh, settled[reference.policy].price_jpy_per_kwh),
            "alignment": _ratio(settled[run.policy].alignment, settled[reference.policy].alignment),
            "delivered": _ratio(_delivered_wh(run), _delivered_wh(reference), digits=9),
        }
        for run in runs
    }
    report["bars"] = _bars(report["ratios"]) if reference.policy == REFERENCE else None
    return report


def figures(run: Run, task: Task, went: Outturn, *, periods: int, owed_ac_wh: float = 0.0) -> Figures:
    """Return what the first `periods` half hours come to, with `owed_ac_wh` bought evenly over the days that count."""
    days = task.days * HALF_HOURS_A_DAY
    energy_kwh = run.charged_ac_wh[:periods] / 1000.0
    energy_kwh[:days] += owed_ac_wh / 1000.0 / days
    price, cut = went.price_jpy_per_kwh[:periods], went.curtailed_w[:periods]
    whole_kwh = float(energy_kwh.sum())
    cost = float(energy_kwh @ price)
    # The mean power is over the days alone, so that the hours of the closing do not thin it out.
    flat = whole_kwh / days * float(cut.sum())
    return Figures(
        energy_kwh=whole_kwh,
        cost_jpy=cost,
        price_jpy_per_kwh=cost / whole_kwh if whole_kwh else 0.0,
        alignment=float(energy_kwh @ cut) / flat if flat else 0.0,
        surplus_share=float(energy_kwh[cut >= MUCH_CURTAILED_W].sum()) / whole_kwh if whole_kwh else 0.0,
    )


def _entry(run: Run, task: Task, went: Outturn, settled: Figures, owed_ac_wh: float) -> dict[str, object]:
    delivered_wh = _delivered_wh(run)
    closed = run.stock["closed"]
    stock_kwh = {
        when: {"stations": round(stock.stations_wh / 1000.0, 3), "vehicles": round(stock.vehicles_wh / 1000.0, 3)}
        for when, stock in run.stock.items()
    }
    by_hour = run.charged_ac_wh[: task.days * HALF_HOURS_A_DAY].reshape(task.days, 24, -1).sum(axis=(0, 2))
    return {
        **_rounded(settled),
        "without_closing": _rounded(figures(run, task, went, periods=task.days * HALF_HOURS_A_DAY)),
        "delivered_kwh": round(delivered_wh / 1000.0, 6),
        "unmet_kwh": round(max(run.wanted_wh - delivered_wh, 0.0) / 1000.0, 6),
        "stock_kwh": stock_kwh,
        "settled_kwh": round(owed_ac_wh / 1000.0, 3),
        "settled_share": round(owed_ac_wh / delivered_wh, 6) if delivered_wh else 0.0,
        "packs_not_full": run.not_full,
        "books_off_wh": round(books_off_wh(run), 3),
        "swaps": run.swaps,
        "packs_handed_out": run.packs,
        "hand_out_soc": round(run.hand_out_soc, 4),
        "swaps_elsewhere": run.elsewhere,
        "swaps_that_waited": run.waited,
        "wait_minutes": round(run.wait_s / 60.0, 1),
        "import_kwh": round(run.import_wh / 1000.0, 3),
        "over_limit_s": round(run.over_limit_s, 1),
        "stored_kwh_at_closing": round(closed.whole_wh / 1000.0, 3),
        "energy_by_hour_share": [round(float(hour), 4) for hour in by_hour / max(float(by_hour.sum()), 1e-9)],
        "notes": {name: round(value, 3) for name, value in run.notes.items()},
    }


def books_off_wh(run: Run) -> float:
    """Return what the packs hold more than energy in, out and lost say [Wh]: nothing but rounding."""
    first, last = run.stock["start"], run.stock["closed"]
    flowed = (last.in_wh - first.in_wh) - (last.out_wh - first.out_wh) - (last.lost_wh - first.lost_wh)
    return abs((last.whole_wh - first.whole_wh) - flowed)


def _delivered_wh(run: Run) -> float:
    return run.stock["closed"].out_wh - run.stock["start"].out_wh


def _words(task: Task, went: Outturn) -> dict[str, object]:
    days = slice(0, task.days * HALF_HOURS_A_DAY)
    return {
        "area": task.area,
        "start_at": task.start_at.isoformat(),
        "days": task.days,
        "warm_up_days": task.warm_up_days,
        "stations": task.stations,
        "seed": task.seed,
        "cycle_s": task.cycle_s,
        "mean_price_jpy_per_kwh": round(float(went.price_jpy_per_kwh[days].mean()), 4),
        "curtailed_mwh": round(float(went.curtailed_w[days].sum()) * PERIOD_S / 3600.0 / 1e6, 1),
        "hours_of_surplus": float(np.count_nonzero(went.curtailed_w[days] >= MUCH_CURTAILED_W)) * PERIOD_S / 3600.0,
    }


def _rounded(figures: Figures) -> dict[str, float]:
    return {
        "energy_kwh": round(figures.energy_kwh, 3),
        "cost_jpy": round(figures.cost_jpy, 2),
        "price_jpy_per_kwh": round(figures.price_jpy_per_kwh, 4),
        "alignment": round(figures.alignment, 4),
        "surplus_share": round(figures.surplus_share, 4),
    }


def _ratio(value: float, of: float, digits: int = 4) -> float | None:
    return round(value / of, digits) if of else None


def _bars(ratios: object) -> dict[str, object] | None:
    ours = ratios.get(OURS) if isinstance(ratios, dict) else None
    if ours is None:
        return None
    price, alignment, delivered = ours["price"], ours["alignment"], ours["delivered"]
    return {
        "price_ratio_at_most": MOST_PRICE_RATIO,
        "alignment_ratio_at_least": LEAST_ALIGNMENT_RATIO,
        "price_holds": price is not None and price <= MOST_PRICE_RATIO,
        "alignment_holds": alignment is not None and alignment >= LEAST_ALIGNMENT_RATIO,
        "delivered_equal": delivered is not None and abs(delivered - 1.0) <= SAME_SHARE,
    }
