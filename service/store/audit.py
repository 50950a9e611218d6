"""Invariants as questions to the tables; what to make of the answers is `service.upkeep.audit`'s business."""

from datetime import datetime
from typing import NamedTuple

from service.store.pool import Connection
from service.store.queries import statements

_sql = statements("audit")

INVARIANTS = (
    "pack_in_one_place",
    "slot_holds_one_pack",
    "pack_held_once",
    "slot_held_once",
    "hold_has_live_owner",
    "held_pack_is_there",
    "swap_counts_its_packs",
    "swap_balanced",
    "debt_matches_swap",
    "place_follows_from_events",
    "swap_follows_from_events",
    "reservation_follows_from_events",
    "answered_command_was_sent",
    "reservation_state_is_consistent",
    "vehicle_has_no_more_than_its_set",
    "vehicle_has_one_live_swap",
)


class Looked(NamedTuple):
    """How many rows an invariant looked at, and which break it."""

    checked: int
    broken: list[str]


async def look(connection: Connection, invariant: str, now: datetime) -> Looked:
    """Ask one of `INVARIANTS`."""
    ask = getattr(_sql, invariant)
    row = await (ask(connection, now=now) if invariant == "reservation_state_is_consistent" else ask(connection))
    return Looked(row["checked"], list(row["broken"] or ()))
