"""How the console writes numbers, ages and instants. Local time is Japan's (UTC+9, no summer time), and says so."""

import re
from datetime import datetime, timedelta, timezone

JST = timezone(timedelta(hours=9), "JST")
NOTHING = "–"


def clock_text(at: datetime) -> str:
    """Return a fleet instant for the header, such as ``Mon 23 Nov 2026  14:05:09 JST``."""
    return at.astimezone(JST).strftime("%a %d %b %Y  %H:%M:%S JST")


def moment_text(at: datetime, now: datetime) -> str:
    """Return an instant for a list: the time of day, with the day in front when it is not today."""
    local = at.astimezone(JST)
    return local.strftime("%H:%M" if local.date() == now.astimezone(JST).date() else "%d %b %H:%M")


def day_start(now: datetime) -> datetime:
    """Return the instant at which the local day of `now` began."""
    return now.astimezone(JST).replace(hour=0, minute=0, second=0, microsecond=0)


def age_s(at: datetime | None, now: datetime) -> float | None:
    """Return how long ago `at` was [fleet s], never negative; None when it never was."""
    return None if at is None else max(0.0, (now - at).total_seconds())


def age_text(seconds: float | None) -> str:
    """Return an age in coarse steps, so that a calm fleet gives a calm page."""
    if seconds is None:
        return "never"
    if seconds < 60:
        return "now"
    if seconds < 5400:
        return f"{int(seconds // 60)} min"
    if seconds < 172_800:
        return f"{int(seconds // 3600)} h"
    return f"{int(seconds // 86_400)} d"


def fine_age_text(seconds: float | None) -> str:
    """Return an age with seconds while it is young; for the one number an operator watches move."""
    if seconds is None:
        return "never"
    return f"{int(seconds)} s" if seconds < 120 else age_text(seconds)


def power_text(power_w: float | None) -> str:
    """Return a power in W below 1 kW, in kW or MW above."""
    if power_w is None:
        return NOTHING
    if abs(power_w) < 999.5:
        return f"{power_w:.0f} W"
    if abs(power_w) < 999_500:
        return f"{power_w / 1000:.1f} kW"
    return f"{power_w / 1_000_000:.2f} MW"


def percent_text(fraction: float | None) -> str:
    """Return a fraction 0..1 as whole percent."""
    return NOTHING if fraction is None else f"{round(fraction * 100)} %"


def plain_words(code: str) -> str:
    """Return a stored code as words: ``orphan_in`` -> ``orphan in``, a station's ``DoorJammed`` -> ``Door jammed``."""
    return re.sub(r"(?<=[a-z])[A-Z]", lambda found: f" {found[0].lower()}", code).replace("_", " ")
