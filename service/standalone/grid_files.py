"""Files of prices and supply that a person names: read before anything starts, and held against the fleet's clock."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from service.domain.signal import Signal
from service.grid.importing import LayoutError, Reading, read_file
from service.standalone.errors import UpError

PRICE = "price_jpy_per_kwh"
_BIG_BYTES = 2_000_000
"""Guess: reading more than this takes long enough for a person to wonder."""


@dataclass(frozen=True, slots=True)
class GridFiles:
    """What `denchi up` was given. Nothing of it is read before `read`."""

    price: tuple[Path, ...] = ()
    supply: tuple[Path, ...] = ()

    def read(self, area: str, fleet_at: datetime, say: Callable[[str], None]) -> list[Signal]:
        """Return the signals of one area and of stations; the figures of other areas are left in the files.

        Raises
        ------
        UpError
            When a file is not understood, says nothing of the area, or does not cover the fleet's instant.
        """
        found: list[Signal] = []
        for option, paths, is_wanted in (("--price", self.price, _is_price), ("--supply", self.supply, _is_supply)):
            if paths:
                readings = read_grid_files(paths, area=area, say=say)
                signals = [signal for reading in readings for signal in reading.signals]
                _require_cover(option, [signal for signal in signals if is_wanted(signal)], signals, area, fleet_at)
                found += [signal for signal in signals if _is_ours(signal, area)]
        return found


def read_grid_files(
    paths: Sequence[Path],
    *,
    area: str,
    known_after: timedelta | None = None,
    station_id: str | None = None,
    say: Callable[[str], None],
) -> list[Reading]:
    """Read every file, or none of them is of any use.

    Raises
    ------
    UpError
        For the first file that cannot be read or is not understood.
    """
    readings = []
    for path in paths:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise UpError(f"{path} cannot be read: {error.strerror}", "Is it there, and may this account read it?") from error
        if len(data) > _BIG_BYTES:
            say(f"reading {path.name} ({len(data) / 1e6:.0f} MB)")
        try:
            readings.append(read_file(data, str(path), area=area, known_after=known_after, station_id=station_id))
        except LayoutError as error:
            remedy = "Nothing was taken in. `denchi supply layouts` lists what is understood; bring the file into one of these"
            raise UpError(str(error), remedy) from error
    return readings


def _is_price(signal: Signal) -> bool:
    return signal.series == PRICE


def _is_supply(signal: Signal) -> bool:
    return signal.series != PRICE


def _is_ours(signal: Signal, area: str) -> bool:
    return signal.place.kind == "station" or signal.place.name == area


def _require_cover(option: str, wanted: Sequence[Signal], every: Sequence[Signal], area: str, fleet_at: datetime) -> None:
    ours = [signal for signal in wanted if _is_ours(signal, area)]
    if not ours:
        others = ", ".join(sorted({str(signal.place) for signal in wanted}))
        there = f"they speak of {others}" if others else f"they hold {', '.join(sorted({s.series for s in every})) or 'nothing'}"
        what = "prices" if option == "--price" else "supply figures"
        raise UpError(
            f"the files of {option} hold no {what} of area {area}; {there}",
            "Name the area with --area" if others else "Prices are given with --price, everything else with --supply",
        )
    first_at, end_at = min(signal.start_at for signal in ours), max(signal.end_at for signal in ours)
    if not first_at <= fleet_at < end_at:
        span = f"{_shown(first_at)} to {_shown(end_at)}"
        raise UpError(
            f"the fleet's clock stands at {_shown(fleet_at)}, and the files of {option} cover {span}",
            f"Choose --start within that span, or leave {option} out; a fleet that is past it needs another --data-dir",
        )


def _shown(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC"
