"""The spot summary of the Japanese power exchange: a price per half hour of the next day, for nine areas and the system."""

from datetime import datetime, timedelta

from service.domain.signal import Place
from service.grid.layouts import known
from service.grid.layouts.reading import Layout, Reading, Request
from service.grid.layouts.sheet import Line, Sheet, date_in_japan, heading
from service.grid.layouts.table import Column, Moment, check_continues, check_order, read_table

SOURCE = "jepx spot"
PERIOD_S = 1800
SLOTS = 48
AREAS = {
    "北海道": "hokkaido",
    "東北": "tohoku",
    "東京": "tokyo",
    "中部": "chubu",
    "北陸": "hokuriku",
    "関西": "kansai",
    "中国": "chugoku",
    "四国": "shikoku",
    "九州": "kyushu",
}
SYSTEM = "system"
PLACES = (SYSTEM, *AREAS.values())
"""Places of the exchange's prices, as the signals name them."""
LAYOUT = Layout(
    SOURCE,
    "day-ahead prices of the Japanese exchange JEPX per half hour: nine areas, and the system price as area `system`",
    "a first row with 受渡日 (or 年月日), 時刻コード, システムプライス and エリアプライス...",
    ("受渡日", "時刻コード", "システムプライス", *(f"エリアプライス{area}" for area in AREAS)),
)
_DAYS = ("受渡日", "年月日")


def reads(sheet: Sheet) -> bool:
    """Say whether the file is a spot summary."""
    words = [heading(cell)[0] for cell in sheet.lines[0].cells]
    return words[0] in _DAYS and words[1:2] == ["時刻コード"] and any("プライス" in word for word in words)


def read(sheet: Sheet, request: Request) -> Reading:
    """Read a spot summary. Raises LayoutError."""
    top = sheet.lines[0]
    headings = [heading(cell) for cell in top.cells]
    columns: list[Column] = []
    not_taken: list[str] = []
    for at, (words, unit) in enumerate(headings[2:], start=2):
        area = SYSTEM if words == "システムプライス" else AREAS.get(words.removeprefix("エリアプライス"))
        if area is None:
            if words.startswith("エリアプライス"):
                raise sheet.refusal(f"the area of {words!r} is not known", top.number, at, nearest=SOURCE)
            if words:
                not_taken.append(words)
            continue
        if unit != "円/kwh":
            raise sheet.refusal(f"the unit of {words!r} is {unit!r}, not 円/kWh", top.number, at, nearest=SOURCE)
        columns.append(Column(at, "price_jpy_per_kwh", Place("area", area)))
    if not columns:
        raise sheet.refusal("no column of prices", top.number, nearest=SOURCE)
    stamps = _stamps(sheet)
    check_order(sheet, stamps, 1)
    check_continues(sheet, stamps, 1, PERIOD_S)
    moments = [Moment(line, at, PERIOD_S, known_at(at, request.known_after)) for line, at in stamps]
    table = read_table(sheet, moments, columns, width=len(headings), at=1)
    notes = [
        f"{sheet.encoding}; JPY/kWh; times of Japan (JST), slot 1 begins at 0:00; intervals of 30 min",
        known.in_words(known.MARKET_RULE, request.known_after),
        "areas: " + ", ".join(column.place.name for column in columns),
    ]
    if not_taken:
        notes.append("columns not taken: " + ", ".join(not_taken))
    if table.unfinished:
        notes.append(f"{table.unfinished} lines at the end hold no figures yet")
    return Reading(sheet.file, SOURCE, tuple(table.signals(SOURCE)), tuple(table.gaps()), table.duplicates, tuple(notes))


def known_at(start_at: datetime, known_after: timedelta | None) -> datetime:
    """Return when the price of the half hour from `start_at` became known."""
    if known_after is None:
        return known.noon_before(start_at)
    return start_at + timedelta(seconds=PERIOD_S) + known_after


def _stamps(sheet: Sheet) -> list[tuple[Line, datetime]]:
    stamps: list[tuple[Line, datetime]] = []
    for line in sheet.lines[1:]:
        if len(line.cells) < 2:
            raise sheet.refusal("the line has no day and slot", line.number, len(line.cells) - 1)
        day, slot = line.cells[:2]
        midnight = date_in_japan(sheet, line, 0, day)
        if not (slot.isascii() and slot.isdigit() and len(slot) <= 2 and 1 <= int(slot) <= SLOTS):
            raise sheet.refusal(f"{slot!r} is no slot from 1 to {SLOTS}", line.number, 1)
        stamps.append((line, midnight + timedelta(seconds=(int(slot) - 1) * PERIOD_S)))
    if not stamps:
        raise sheet.refusal("no line with figures follows the headings", sheet.lines[0].number)
    return stamps
