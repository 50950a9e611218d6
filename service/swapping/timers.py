"""What time alone does: reservations that nobody used, steps that took too long, debts that fall due. On the fleet clock.

An unresolved swap is settled by evidence only: when the station has been heard after the command's life and every pack it
was to hand out still lies in its slot, nothing has moved. Without evidence it is looked at again, and after
`overdue_s` a person decides.
"""

from datetime import timedelta

from service.domain import reservation as reservation_rules
from service.domain.swap import ORPHAN, GivenToPerson, NothingMoved, StepOver
from service.store import desk as rows
from service.store import swaps
from service.store.pool import Connection
from service.store.swaps import SwapRow
from service.swapping import progress, reserving, starting
from service.swapping.means import Means
from service.swapping.offering import refuse_station

_MOST = 50
"""How many of each are ended in one transaction; the next call takes the rest."""


async def run_timers(means: Means, connection: Connection) -> int:
    """End what is over. A station somebody else is working at is left for the next time."""
    now = means.now()
    done = 0
    for due in await swaps.reservations_over(connection, now, _MOST):
        if await rows.try_lock_station(connection, due.station_id):
            done += await _reservation_over(means, connection, due.owner_id)
    for due in await swaps.swaps_over(connection, now, _MOST):
        if await rows.try_lock_station(connection, due.station_id):
            row = await swaps.swap_by_id(connection, due.owner_id)
            # It may have moved on between the look and the lock.
            if row is not None and row.deadline_at <= now:
                done += await _swap_over(means, connection, row)
    return done


async def _reservation_over(means: Means, connection: Connection, reservation_id: str) -> int:
    row = await swaps.reservation(connection, reservation_id)
    status = reservation_rules.when_over(row.status, row.expires_at, means.now()) if row else None
    if row is None or status is None:
        return 0
    await reserving.end(means, connection, row, status)
    return 1


async def _swap_over(means: Means, connection: Connection, row: SwapRow) -> int:
    if row.status == "requested":
        command = await swaps.start_command(connection, row.swap_id)
        await starting.give_up(means, connection, row, command.command_id if command else None)
        return 1
    if row.status == "unresolved":
        return await _unresolved(means, connection, row)
    if row.status in ORPHAN:
        return await _orphan(means, connection, row)
    await progress.apply(means, connection, row, StepOver(station_heard=await _heard(means, connection, row.station_id)))
    return 1


async def _heard(means: Means, connection: Connection, station_id: str) -> bool:
    station = await rows.stations_near(connection, station_id=station_id)
    return bool(station) and refuse_station(means, station[0], means.now()) != "station_offline"


async def _unresolved(means: Means, connection: Connection, row: SwapRow) -> int:
    now = means.now()
    command = await swaps.start_command(connection, row.swap_id)
    evidence_from = command.valid_until if command else row.created_at
    evidence_from += timedelta(seconds=means.rules.step_s * row.pack_count + means.rules.grace_s)
    station = await rows.stations_near(connection, station_id=row.station_id)
    heard_at = station[0].heard_at if station else None
    if heard_at is not None and heard_at >= evidence_from and await _heard(means, connection, row.station_id):
        pinned = await swaps.pinned_serials(connection, command.command_id) if command else set()
        moved = bool(row.packs_in or row.packs_out)
        # Half a swap that goes no further becomes what is owed; one of which nothing is known needs its packs seen in place.
        if moved or pinned <= await rows.live_serials(connection, row.station_id):
            await progress.apply(means, connection, row, NothingMoved())
            return 1
    if now - row.created_at > timedelta(seconds=means.rules.overdue_s):
        await swaps.write_anomaly(connection, "swap_unresolved", now, station_id=row.station_id, swap_id=row.swap_id)
        await progress.apply(means, connection, row, GivenToPerson())
        return 1
    await swaps.put_off_swap(connection, row.swap_id, means.after(means.rules.unresolved_s))
    return 0


async def _orphan(means: Means, connection: Connection, row: SwapRow) -> int:
    """The held set is free again after `orphan_hold_s` and the debt stays as a credit; a rider who owes is overdue."""
    now = means.now()
    await rows.release_all(connection, row.swap_id, now)
    kind = "swap_credit_open" if row.status == "orphan_in" else "swap_overdue"
    await swaps.write_anomaly(connection, kind, now, station_id=row.station_id, swap_id=row.swap_id)
    await swaps.write_event(connection, kind, now, station_id=row.station_id, swap_id=row.swap_id)
    # Once said it stays said; it ends by a late pack event or by a person.
    await swaps.put_off_swap(connection, row.swap_id, now + timedelta(days=3650))
    return 1
