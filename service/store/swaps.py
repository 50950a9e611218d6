"""Reservations, swaps, debts, anomalies and the log of the desk. What they mean is `service.domain`'s business."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple

import asyncpg

from service.store.pool import Connection
from service.store.queries import statements

_sql = statements("swaps")


class ReservationRow(NamedTuple):
    """A row of `reservation`."""

    reservation_id: str
    rider_id: str
    asset_id: str
    station_id: str
    status: Literal["pending", "reserved", "rejected", "expired", "fulfilled", "cancelled", "no_show"]
    pack_count: int
    promised_usable_wh: float
    price_micro: int
    currency: str
    reason: str
    created_at: datetime
    arrive_from: datetime
    expires_at: datetime
    ended_at: datetime | None


class SwapRow(NamedTuple):
    """A row of `swap`, and whether its reservation is fulfilled (the holds are the swap's)."""

    swap_id: str
    reservation_id: str | None
    rider_id: str
    asset_id: str
    station_id: str
    request_id: int
    token: str
    swap_order: str
    status: Any
    status_reason: str | None
    pack_count: int
    packs_in: int
    packs_out: int
    promised_usable_wh: float
    price_micro: int
    currency: str
    created_at: datetime
    deadline_at: datetime
    ended_at: datetime | None
    was_authorised: bool


class SwapPackRow(NamedTuple):
    """A pack that moved in a swap."""

    direction: Literal["in", "out"]
    serial_number: str
    slot_no: int
    soc: float
    soh: float
    usable_wh: float | None
    moved_at: datetime


class StartCommand(NamedTuple):
    """The newest start command of a swap."""

    command_id: str
    status: Literal["queued", "sent", "acknowledged", "expired", "withdrawn"]
    answer: str | None
    reason_code: str | None
    sent_at: datetime | None
    valid_until: datetime


class Due(NamedTuple):
    """Something whose time is over, and at which station."""

    owner_id: str
    station_id: str


async def insert_reservation(connection: Connection, row: ReservationRow) -> None:
    """Store a new reservation. Raises asyncpg.UniqueViolationError when the vehicle has a live one."""
    fields = row._asdict()
    del fields["ended_at"]
    await _sql.insert_reservation(connection, **fields)


async def reservation(connection: Connection, reservation_id: str) -> ReservationRow | None:
    """Return a reservation, or None."""
    return _reservation(await _sql.reservation(connection, reservation_id=reservation_id))


async def live_reservation_of(connection: Connection, asset_id: str) -> ReservationRow | None:
    """Return the live reservation of a vehicle, or None."""
    return _reservation(await _sql.live_reservation_of(connection, asset_id=asset_id))


async def live_reservations_at(connection: Connection, station_id: str) -> list[ReservationRow]:
    """Return the live reservations at a station."""
    return [ReservationRow(**dict(row)) async for row in _sql.live_reservations_at(connection, station_id=station_id)]


async def end_reservation(
    connection: Connection, reservation_id: str, status: str, now: datetime, *, swap_id: str | None = None
) -> None:
    """End a live reservation and write the event that proves it; one that has ended stays as it is."""
    await _sql.end_reservation(connection, reservation_id=reservation_id, status=status, now=now, swap_id=swap_id)


async def reservations_over(connection: Connection, now: datetime, most: int) -> list[Due]:
    """Return live reservations whose time is over and that no swap is using."""
    rows = _sql.reservations_over(connection, now=now, most=most)
    return [Due(row["reservation_id"], row["station_id"]) async for row in rows]


async def insert_swap(connection: Connection, **fields: object) -> None:
    """Store a new swap. Raises asyncpg.UniqueViolationError when the vehicle has a live one."""
    await _sql.insert_swap(connection, **fields)


async def swap_by_id(connection: Connection, swap_id: str) -> SwapRow | None:
    """Return a swap, or None."""
    return _swap(await _sql.swap_by_id(connection, swap_id=swap_id))


async def swap_by_request(connection: Connection, station_id: str, request_id: int) -> SwapRow | None:
    """Return the swap that a station knows by this request id, or None."""
    return _swap(await _sql.swap_by_request(connection, station_id=station_id, request_id=request_id))


async def live_swap_of(connection: Connection, asset_id: str) -> str | None:
    """Return the id of a vehicle's live swap, or None."""
    swap_id: str | None = await _sql.live_swap_of(connection, asset_id=asset_id)
    return swap_id


async def open_swaps_at(connection: Connection, station_id: str) -> list[SwapRow]:
    """Return the swaps at a station in which packs may still move."""
    return [SwapRow(**dict(row)) async for row in _sql.open_swaps_at(connection, station_id=station_id)]


async def swaps_over(connection: Connection, now: datetime, most: int) -> list[Due]:
    """Return swaps whose deadline has passed."""
    return [Due(row["swap_id"], row["station_id"]) async for row in _sql.swaps_over(connection, now=now, most=most)]


async def update_swap(
    connection: Connection,
    swap_id: str,
    *,
    status: str,
    status_reason: str | None,
    packs_in: int,
    packs_out: int,
    deadline_at: datetime,
    ended_at: datetime | None,
) -> None:
    """Write a swap's state and signal `swap_changed`."""
    async for _ in _sql.update_swap(
        connection,
        swap_id=swap_id,
        status=status,
        status_reason=status_reason,
        packs_in=packs_in,
        packs_out=packs_out,
        deadline_at=deadline_at,
        ended_at=ended_at,
    ):
        pass


async def put_off_swap(connection: Connection, swap_id: str, deadline_at: datetime) -> None:
    """Look at a swap again later."""
    await _sql.put_off_swap(connection, swap_id=swap_id, deadline_at=deadline_at)


async def swap_packs(connection: Connection, swap_id: str) -> list[SwapPackRow]:
    """Return the packs that have moved in a swap."""
    return [SwapPackRow(**dict(row)) async for row in _sql.swap_packs(connection, swap_id=swap_id)]


async def insert_swap_pack(
    connection: Connection, swap_id: str, direction: str, serial_number: str, slot_no: int, soc: float, soh: float, at: datetime
) -> None:
    """Count a pack that moved; a second time changes nothing."""
    await _sql.insert_swap_pack(
        connection,
        swap_id=swap_id,
        direction=direction,
        serial_number=serial_number,
        slot_no=slot_no,
        soc=soc,
        soh=soh,
        moved_at=at,
    )


async def start_command(connection: Connection, swap_id: str) -> StartCommand | None:
    """Return the newest start command of a swap as the outbox has it, or None."""
    row = await _sql.start_command(connection, swap_id=swap_id)
    return None if row is None else StartCommand(**dict(row))


async def insert_debt(connection: Connection, **fields: object) -> None:
    """Open a debt of one pack."""
    await _sql.insert_debt(connection, **fields)


async def open_debts_of_swap(connection: Connection, swap_id: str) -> list[tuple[str, str]]:
    """Return (debt id, who owes) of a swap's open debts, oldest first."""
    return [(row["debt_id"], row["owed_by"]) async for row in _sql.open_debts_of_swap(connection, swap_id=swap_id)]


async def close_debt(connection: Connection, debt_id: str, reason: str, now: datetime) -> None:
    """Close a debt."""
    await _sql.close_debt(connection, debt_id=debt_id, reason=reason, now=now)


async def debts_of_vehicle(connection: Connection, asset_id: str) -> set[str]:
    """Return who owes packs over this vehicle: `rider`, `operator`, both, nobody."""
    return {row["owed_by"] async for row in _sql.debts_of_vehicle(connection, asset_id=asset_id)}


async def write_anomaly(
    connection: Connection,
    kind: str,
    now: datetime,
    *,
    station_id: str | None = None,
    serial_number: str | None = None,
    swap_id: str | None = None,
    detail: Mapping[str, object] | None = None,
    once: bool = False,
) -> None:
    """Write down that something is not as it should be. `once`: not again while the same finding is open."""
    fields = {"kind": kind, "station_id": station_id, "serial_number": serial_number, "now": now}
    fields["detail"] = json.dumps(dict(detail or {}))
    if once:
        await _sql.insert_anomaly_once(connection, **fields)
    else:
        await _sql.insert_anomaly(connection, swap_id=swap_id, **fields)


async def write_event(
    connection: Connection,
    kind: str,
    now: datetime,
    *,
    station_id: str | None = None,
    reservation_id: str | None = None,
    swap_id: str | None = None,
    serial_number: str | None = None,
    body: Mapping[str, object] | None = None,
) -> None:
    """Append to the log of the desk."""
    await _sql.insert_event(
        connection,
        kind=kind,
        now=now,
        station_id=station_id,
        reservation_id=reservation_id,
        swap_id=swap_id,
        serial_number=serial_number,
        body=json.dumps(dict(body or {})),
    )


async def events_after(connection: Connection, after_xid: int, after_id: int, most: int) -> list[asyncpg.Record]:
    """Return the desk's log after a cursor (xid, id); what commits late is not skipped: it is read when it is safe to pass."""
    return [row async for row in _sql.events_after(connection, after_xid=str(after_xid), after_id=after_id, most=most)]


def _reservation(row: asyncpg.Record | None) -> ReservationRow | None:
    return None if row is None else ReservationRow(**dict(row))


def _swap(row: asyncpg.Record | None) -> SwapRow | None:
    return None if row is None else SwapRow(**dict(row))


async def pinned_serials(connection: Connection, command_id: str) -> set[str]:
    """Return the packs that a start command names."""
    return {row["serial_number"] async for row in _sql.pinned_serials(connection, command_id=command_id)}
