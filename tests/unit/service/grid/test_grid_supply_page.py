"""What docs/supply.md shows of the generic CSV is what happens."""

import re
from pathlib import Path

import pytest

from service.domain.signal import SERIES
from service.grid.importing import layouts, read_file

PAGE = (Path(__file__).parents[4] / "docs" / "supply.md").read_text()
EXAMPLES = re.findall(r"```csv\n(.*?)```\n\n([^\n]*):\n\n```text\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize(("written", "sentence", "shown"), EXAMPLES)
def test_examples_of_the_page_give_what_the_page_says(written: str, sentence: str, shown: str) -> None:
    area, station_id = (re.search(rf"{kind} `([^`]+)`", sentence) for kind in ("area", "station"))
    reading = read_file(
        written.encode(), "example.csv", area=area[1] if area else None, station_id=station_id[1] if station_id else None
    )
    lines = [
        f"{s.series} {s.place} {s.start_at.isoformat()} {s.period_s} {s.value} {s.known_at.isoformat()} {s.source}"
        for s in reading.signals
    ]
    lines += [f"gap {g.series} {g.place} {g.first_at.isoformat()} {g.end_at.isoformat()} {g.why}" for g in reading.gaps]
    assert lines == shown.splitlines()


def test_the_page_has_examples_and_names_every_layout_and_every_series() -> None:
    assert len(EXAMPLES) == 3
    assert not [name for name, _, _ in layouts() if f"| `{name}` |" not in PAGE]
    assert not [series for series in SERIES if f"`{series}`" not in PAGE]
