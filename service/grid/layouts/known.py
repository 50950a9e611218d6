"""When a figure became known, where its file does not say: the rules of the layouts, all of them guesses on the late side."""

from datetime import UTC, datetime, timedelta

from service.grid.layouts.sheet import JST

RESULTS_DELAY = timedelta(hours=1)
"""Results of an interval are published this long after its end. Guess: the running day is shown with about this delay."""
MARKET_HOUR = 12
"""Spot prices of a day are out at this hour in Japan of the day before. Guess: results come out shortly before noon."""


def after_end(end_at: datetime, known_after: timedelta | None) -> datetime:
    """Return when the result of an interval became known."""
    return end_at + (RESULTS_DELAY if known_after is None else known_after)


def noon_before(start_at: datetime) -> datetime:
    """Return noon in Japan of the day before the day in Japan that holds `start_at`, in UTC."""
    midnight = start_at.astimezone(JST).replace(hour=0, minute=0, second=0, microsecond=0)
    return (midnight - timedelta(hours=24 - MARKET_HOUR)).astimezone(UTC)


def in_words(rule: str, known_after: timedelta | None) -> str:
    """Return the note on `known_at`: the layout's `rule`, or what the caller said."""
    if known_after is not None:
        return f"known_at: {known_after.total_seconds() / 60:g} min after the end of the interval, as asked"
    return f"known_at: {rule}"


RESULTS_RULE = "60 min after the end of the interval (an assumption, the file does not say)"
MARKET_RULE = "12:00 in Japan of the day before delivery (an assumption, the file does not say)"
