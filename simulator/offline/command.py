"""What ``denchi-sim compare`` does once it knows what was asked."""

import os
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from service.forecast.supply import HISTORY
from simulator.offline.catalogue import POLICIES
from simulator.offline.compare import compare
from simulator.offline.files import read_signals
from simulator.offline.market import PERIOD_S, KnownSignals, first_day, outturn
from simulator.offline.parallel import run_all
from simulator.offline.run import Task, Tell
from simulator.scenario import load_scenario

SCENARIO = "exchanger-30"
"""What is compared unless told otherwise: a network on an ordinary day, in which most packs can wait."""


class CompareError(ValueError):
    """What was asked cannot be compared; the message says what to change."""


@dataclass(frozen=True, slots=True)
class CompareOptions:
    """What was asked. `start` is a local day or an instant; None: the first day that the files allow."""

    policies: tuple[str, ...]
    supply: tuple[Path, ...]
    price: tuple[Path, ...]
    area: str = "kyushu"
    start: str | None = None
    days: int = 7
    warm_up_days: int = 2
    stations: int = 60
    seed: int = 1
    scenario: str = SCENARIO
    processes: int | None = None
    """None: as many as there are processors."""


def run_compare(options: CompareOptions, tell: Tell) -> dict[str, object]:
    """Run all policies over the same days and return the report.

    Raises
    ------
    CompareError, ScenarioError, LayoutError, CoverageError, OSError
        It could not begin.
    RunFailedError, UnlawfulPlanError, ProblemError
        A policy could not be run to its end.
    """
    for name in options.policies:
        if name not in POLICIES:
            raise CompareError(f"no policy {name!r}; there are: {', '.join(POLICIES)}")
    if not options.policies or len(set(options.policies)) < len(options.policies):
        raise CompareError("name each policy once, as in on_arrival,denchi")
    if not 1 <= options.days <= 366 or not 0 <= options.warm_up_days <= 60:
        raise CompareError("days must be 1 to 366, warm-up days 0 to 60")
    scenario = load_scenario(options.scenario)
    offset_h = scenario.demand.utc_offset_h
    signals = read_signals(dict.fromkeys((*options.supply, *options.price)), options.area)
    if options.start is None:
        start_at = first_day(signals, options.area, offset_h) + timedelta(days=options.warm_up_days)
    else:
        start_at = read_start(options.start, offset_h)
    # Shown in local time, so that a reader sees midnights.
    start_at = start_at.astimezone(timezone(timedelta(hours=offset_h)))
    task = Task(scenario, options.stations, options.seed, options.area, start_at, options.days, options.warm_up_days)
    went = outturn(signals, options.area, task.start_at, task.periods)
    known = KnownSignals(signals, options.area).between(task.born_at - HISTORY, task.closed_at + timedelta(days=2))
    processes = options.processes or os.cpu_count() or 1
    runs = run_all(options.policies, task, known, tell, processes=processes)
    report = compare(list(runs.values()), task, went)
    return {**report, "scenario": options.scenario, "files": [path.name for path in (*options.supply, *options.price)]}


def read_start(text: str, utc_offset_h: float) -> datetime:
    """Return an instant from a day (its local midnight) or an ISO instant. Raises CompareError."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise CompareError(f"--start {text} is no date: write 2022-04-03, or an instant as 2022-04-03T00:00+09:00") from error
    if at.tzinfo is None:
        at = at.replace(tzinfo=timezone(timedelta(hours=utc_offset_h)))
    if at.timestamp() % PERIOD_S:
        raise CompareError(f"--start {text} must be a full or half hour")
    return at
