"""An archive of forecasts of marginal emissions: each line was made at one moment and looks ahead in steps of five minutes."""

from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise

from service.domain.signal import Place, Series, Signal
from service.grid.layouts import known
from service.grid.layouts.instants import instant
from service.grid.layouts.reading import Gap, Layout, Reading, Request
from service.grid.layouts.sheet import Sheet
from service.grid.layouts.table import BLANK, EPOCH, Column, Moment, read_table

SOURCE = "marginal emissions"
LAYOUT = Layout(
    "marginal emission forecasts",
    "forecasts of marginal emissions in kgCO2/kWh, made every few minutes for the next steps of five minutes",
    "a first row time,moer,f1,f2,...",
    ("time", "moer", "f1", "f2", "f3", "f4", "f5", "f6"),
)
STEP_S = 300
SERIES_OF: Series = "marginal_emission_g_per_kwh"
KG_TO_G = 3


def reads(sheet: Sheet) -> bool:
    """Say whether the headings are ``time,moer,f1,f2,...`` without a hole."""
    names = [cell.lower() for cell in sheet.lines[0].cells]
    return len(names) > 2 and names == ["time", "moer", *(f"f{k}" for k in range(1, len(names) - 1))]


def read(sheet: Sheet, request: Request) -> Reading:
    """Read an archive of forecasts. Raises LayoutError.

    What was forecast is known at the moment in ``time``, the value of the moment itself (``moer``) at the end of its interval.
    """
    top, lines = sheet.lines[0], sheet.lines[1:]
    if not lines:
        raise sheet.refusal("no line with figures follows the headings", top.number)
    place, width = Place("area", request.area or ""), len(top.cells)
    step = timedelta(seconds=STEP_S)
    moments: list[Moment] = []
    for line in lines:
        made_at = instant(sheet, line, 0, "time")
        if (made_at - EPOCH) % step:
            raise sheet.refusal(f"{line.cells[0]} is not on the grid of five minutes", line.number, 0)
        moments.append(Moment(line, made_at, STEP_S, made_at))
    for earlier, later in pairwise(moments):
        if later.start_at < earlier.start_at:
            raise sheet.refusal("the time does not continue: it goes back", later.line.number, 0)
    columns = [Column(at, SERIES_OF, place, KG_TO_G) for at in range(1, width)]
    table = read_table(sheet, moments, columns, width=width, at=0, missing=BLANK)
    signals: list[Signal] = []
    gaps: list[Gap] = []
    for moment, values in table.rows:
        made_at = moment.start_at
        for ahead, value in enumerate(values):
            start_at = made_at + ahead * step
            if isinstance(value, str):
                why = f"{value}, in the forecast of {made_at:%Y-%m-%d %H:%M} UTC" if ahead else value
                gaps.append(Gap(SERIES_OF, place.name, start_at, start_at + step, why))
                continue
            told_at = made_at if ahead else _known_at(start_at + step, request.known_after)
            signals.append(Signal(SERIES_OF, place, start_at, STEP_S, value, told_at, SOURCE))
    notes = [
        f"{sheet.encoding}; kgCO2/kWh; times with their offset, labels are beginnings; {width - 2} steps of 5 min ahead",
        "known_at of forecasts: the moment in `time`",
        known.in_words("of the column moer: the end of the interval (an assumption, the file does not say)", request.known_after),
        *_left_out(moments),
    ]
    if table.unfinished:
        notes.append(f"{table.unfinished} lines at the end hold no figures yet")
    return Reading(sheet.file, LAYOUT.name, tuple(signals), tuple(gaps), table.duplicates, tuple(notes))


def _known_at(end_at: datetime, known_after: timedelta | None) -> datetime:
    return end_at if known_after is None else end_at + known_after


def _left_out(moments: list[Moment]) -> list[str]:
    """Say where no forecast was made between two that were."""
    apart = Counter(
        later.start_at - earlier.start_at for earlier, later in pairwise(moments) if later.start_at > earlier.start_at
    )
    if len(apart) < 2:
        return []
    usual = min(apart, key=lambda span: (-apart[span], span))
    late = sum(count for span, count in apart.items() if span > usual)
    return [f"forecasts are {usual.total_seconds() / 60:g} min apart, {late} times they are further apart"]
