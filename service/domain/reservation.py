"""The life of a reservation, in the words of OCPI Bookings 1.1. Pure."""

from datetime import datetime
from typing import Final, Literal

ReservationStatus = Literal["pending", "reserved", "rejected", "expired", "fulfilled", "cancelled", "no_show"]

LIVE: Final[frozenset[ReservationStatus]] = frozenset({"pending", "reserved"})
"""States in which a reservation holds packs and slots."""

_NEXT: Final[dict[ReservationStatus, frozenset[ReservationStatus]]] = {
    "pending": frozenset({"reserved", "rejected", "expired", "cancelled"}),
    "reserved": frozenset({"fulfilled", "cancelled", "no_show"}),
}


def may_become(status: ReservationStatus, other: ReservationStatus) -> bool:
    """Tell whether a reservation may go from one state to the other. What has ended stays ended."""
    return other in _NEXT.get(status, frozenset())


def when_over(status: ReservationStatus, expires_at: datetime, now: datetime) -> ReservationStatus | None:
    """Return what time alone makes of a live reservation: unconfirmed `expired`, unused `no_show`; None while it holds.

    `expires_at` itself is too late: a reservation holds for ``[created_at, expires_at)``.
    """
    if status not in LIVE or now < expires_at:
        return None
    return "expired" if status == "pending" else "no_show"
