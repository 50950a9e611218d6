"""The newest swaps of the whole fleet, as lines. Pure."""

from collections.abc import Sequence
from datetime import datetime

from service.console.wording import moment_text, plain_words
from service.store.fleet import StationRow, SwapLine

LIVE = ("requested", "authorised", "half_in", "half_out")
BAD = ("unresolved", "exception", "orphan_in", "orphan_out")

STATUS_WORDS = {
    "requested": "asked",
    "authorised": "door open",
    "half_in": "packs in",
    "half_out": "packs out",
    "completed": "done",
    "settled": "done, settled",
    "rejected": "refused",
    "expired": "lapsed",
    "cancelled": "cancelled",
    "orphan_in": "in, none out",
    "orphan_out": "out, none in",
    "unresolved": "not known",
    "exception": "against the rules",
}
"""Status of a swap in an operator's words."""


def swaps_view(swaps: Sequence[SwapLine], stations: Sequence[StationRow], now: datetime) -> list[dict[str, str]]:
    """Return the lines, in the order of the rows."""
    names = {station.station_id: station.name for station in stations}
    return [_line(swap, names.get(swap.station_id, swap.station_id), now) for swap in swaps]


def _line(swap: SwapLine, name: str, now: datetime) -> dict[str, str]:
    over = swap.status in ("completed", "settled")
    return {
        "id": swap.swap_id,
        "at": moment_text(swap.created_at, now),
        "station": swap.station_id,
        "name": name,
        "packs": f"{swap.packs_in} in, {swap.packs_out} out",
        "status": STATUS_WORDS.get(swap.status, plain_words(swap.status)),
        "reason": "" if over or not swap.status_reason else plain_words(swap.status_reason),
        "tone": "bad" if swap.status in BAD else ("live" if swap.status in LIVE else "ok"),
    }
