"""Which known layout comes closest to a file that is none of them, and what it has instead."""

from collections.abc import Sequence

from service.grid.layouts.reading import Layout, LayoutError
from service.grid.layouts.sheet import Line, Sheet, heading

ALIKE = 0.15
"""Below this a file has nothing to do with any layout. Guess: prose and tables of other things stay below it."""
LOOKED_AT = 30
"""So many lines from the top may hold headings."""
SHOWN = 4


def refusal(sheet: Sheet, layouts: Sequence[Layout]) -> LayoutError:
    """Return the error for a file that no layout recognised; it points at the line that is nearest to headings of one."""
    line, layout = max(
        ((line, layout) for line in sheet.lines[:LOOKED_AT] for layout in layouts),
        key=lambda pair: _likeness(pair[0], pair[1]),
    )
    if _likeness(line, layout) < ALIKE:
        names = ", ".join(layout.name for layout in layouts)
        return sheet.refusal(f"the layout is not known (known ones: {names})", line.number)
    words = _words(line)
    missing = [word for word in layout.headings if word not in words]
    foreign = [(at, word) for at, word in enumerate(words) if word and word not in layout.headings]
    differs = [f"it has {_few(missing)}" if missing else "", f"not {_few([word for _, word in foreign])}" if foreign else ""]
    at = foreign[0][0] if foreign else None
    return sheet.refusal(
        "the layout is not known", line.number, at, f"{layout.name}; {', '.join(filter(None, differs)) or layout.recognised}"
    )


def _words(line: Line) -> list[str]:
    return [heading(cell)[0][:40] for cell in line.cells[:60]]


def _few(words: Sequence[str]) -> str:
    return " ".join(repr(word) for word in words[:SHOWN]) + (f" and {len(words) - SHOWN} more" if len(words) > SHOWN else "")


def _likeness(line: Line, layout: Layout) -> float:
    """Return how much of the headings two have in common, pair of letters by pair of letters; 0 none, 1 all."""
    ours, theirs = _pairs(layout.headings), _pairs(_words(line))
    return 2 * len(ours & theirs) / (len(ours) + len(theirs)) if theirs else 0.0


def _pairs(words: Sequence[str]) -> set[str]:
    return {f"^{word}$"[at : at + 2] for word in words if word for at in range(len(word) + 1)}
