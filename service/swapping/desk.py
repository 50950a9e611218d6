"""The desk: the one way in which reservations, swaps and the places of packs change.

Every method takes the connection of an open transaction and writes everything or nothing. Conflicts take turns on the
station's row. What happens in detail stands in the modules beside this one.
"""

from collections.abc import Callable

from service.domain.clock import Clock
from service.domain.observation import ReceivedEvent
from service.domain.offer import OfferTerms
from service.store.pool import Connection
from service.swapping import offering, receipts, reserving, starting, station_events, timers
from service.swapping.means import Means
from service.swapping.outcomes import (
    Cancelled,
    DeskRules,
    OfferQuery,
    OffersFound,
    Receipt,
    Refused,
    Reservation,
    Reserved,
    Started,
    StartOutcome,
)

__all__ = [
    "Cancelled",
    "Desk",
    "DeskRules",
    "OfferQuery",
    "OffersFound",
    "Receipt",
    "Refused",
    "Reservation",
    "Reserved",
    "StartOutcome",
    "Started",
]


class Desk:
    """Offers, reservations and swaps of one fleet. `new_id` makes an id from a prefix."""

    def __init__(self, clock: Clock, rules: DeskRules, new_id: Callable[[str], str]) -> None:
        self._means = Means(clock, rules, new_id)

    async def offers(self, connection: Connection, query: OfferQuery) -> OffersFound:
        """Return what can be had now, best first; nothing is held."""
        return await offering.find_offers(self._means, connection, query)

    async def reserve(self, connection: Connection, rider_id: str, terms: OfferTerms) -> Reserved | Refused:
        """Hold a pack set and the empty slots it needs, or refuse with alternatives at other stations."""
        return await reserving.reserve(self._means, connection, rider_id, terms)

    async def cancel_reservation(self, connection: Connection, reservation_id: str, rider_id: str) -> Cancelled | Refused:
        """Give the holds back. Cancelling twice answers the same."""
        return await reserving.cancel(self._means, connection, reservation_id, rider_id)

    async def start_swap(self, connection: Connection, reservation_id: str, rider_id: str) -> Started | Refused:
        """Request the swap of a reservation: the command lies in the outbox when this transaction commits."""
        return await starting.start_swap(self._means, connection, reservation_id, rider_id)

    async def settle_start(self, connection: Connection, swap_id: str, command_id: str) -> StartOutcome:
        """Return what is known of a start by now."""
        return await starting.settle_start(connection, swap_id, command_id)

    async def give_up_start(self, connection: Connection, swap_id: str, command_id: str) -> StartOutcome:
        """Stop waiting: withdraw the command if it was never sent, else mark the swap unresolved."""
        return await starting.give_up_start(self._means, connection, swap_id, command_id)

    async def receipt(self, connection: Connection, swap_id: str) -> Receipt | None:
        """Return the receipt of a completed swap, or None."""
        return await receipts.receipt(self._means, connection, swap_id)

    async def handle(self, connection: Connection, received: ReceivedEvent) -> None:
        """Take in one thing that a station said. Idempotent; the caller holds the station and goes in the order of the key."""
        await station_events.handle(self._means, connection, received)

    async def run_timers(self, connection: Connection) -> int:
        """End what is over by the fleet clock; return how many things that were."""
        return await timers.run_timers(self._means, connection)
