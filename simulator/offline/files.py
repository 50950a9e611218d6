"""Files of supply and prices for a comparison, read with the service's own importers."""

from collections.abc import Iterable
from pathlib import Path

from service.domain.signal import Place, Signal
from service.grid.importing import read_file


def read_signals(paths: Iterable[Path], area: str) -> list[Signal]:
    """Return everything that the files say of an area.

    Raises
    ------
    LayoutError
        A file is not understood; says which line and column.
    OSError
        A file cannot be read.
    """
    place = Place("area", area)
    found: list[Signal] = []
    for path in paths:
        found += [signal for signal in read_file(path.read_bytes(), path.name, area=area).signals if signal.place == place]
    return found
