"""What a happening does to a stored swap: counts, holds, debts, deadline, log. The rule itself is `domain.swap.advance`."""

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from service.domain import tariff
from service.domain.observation import PackReading
from service.domain.swap import (
    LIVE,
    NOTHING_MOVED,
    ORPHAN,
    DebtsClosed,
    Direction,
    Happening,
    Moved,
    Outcome,
    SwapNow,
    SwapStatus,
    advance,
)
from service.store import desk as rows
from service.store import swaps
from service.store.pool import Connection
from service.store.swaps import ReservationRow, SwapRow
from service.swapping.means import Means


async def swap_now(connection: Connection, row: SwapRow) -> SwapNow:
    """Return a stored swap as the rules see it."""
    packs = await swaps.swap_packs(connection, row.swap_id)
    return SwapNow(
        status=row.status,
        pack_count=row.pack_count,
        packs_in=frozenset(pack.serial_number for pack in packs if pack.direction == "in"),
        packs_out=frozenset(pack.serial_number for pack in packs if pack.direction == "out"),
        reason=row.status_reason,
        was_authorised=row.was_authorised,
    )


async def apply(
    means: Means, connection: Connection, row: SwapRow, happening: Happening, readings: tuple[PackReading, ...] = ()
) -> Outcome:
    """Advance a swap and write everything that follows. The caller holds the station. `readings` describe packs that moved."""
    before = await swap_now(connection, row)
    outcome = advance(before, happening)
    now = means.now()
    after = outcome.swap
    if outcome.surprise is not None:
        detail = {"status": before.status, "duplicates": list(outcome.duplicates), "moved": list(outcome.moved)}
        await swaps.write_anomaly(
            connection, outcome.surprise, now, station_id=row.station_id, swap_id=row.swap_id, detail=detail
        )
    if outcome.duplicates:
        body = {"serial_numbers": list(outcome.duplicates)}
        await swaps.write_event(connection, "swap_duplicate", now, station_id=row.station_id, swap_id=row.swap_id, body=body)
    if not outcome.changed:
        return outcome
    if before.status in NOTHING_MOVED and after.status in LIVE and await swaps.live_swap_of(connection, row.asset_id):
        # A dead swap moves after all while the vehicle is in another one: only a person can tell what happened.
        after = replace(after, status="exception", reason="two_swaps_at_once")
        outcome = replace(outcome, swap=after, holds="release")
    if isinstance(happening, Moved):
        await _count(connection, row, happening.direction, outcome.moved, readings, now)
    await _pass_holds(means, connection, row, before, outcome)
    await _balance_debts(means, connection, row, after)
    await _write(means, connection, row, before, after)
    if after.status == "completed":
        settled = advance(after, DebtsClosed())
        await _write(means, connection, row, after, settled.swap)
        return replace(outcome, swap=settled.swap)
    return outcome


async def _count(
    connection: Connection,
    row: SwapRow,
    direction: Direction,
    moved: tuple[str, ...],
    readings: tuple[PackReading, ...],
    now: datetime,
) -> None:
    for reading in readings:
        if reading.serial_number in moved:
            await swaps.insert_swap_pack(
                connection, row.swap_id, direction, reading.serial_number, reading.slot_no, reading.soc, reading.soh, now
            )


async def _pass_holds(means: Means, connection: Connection, row: SwapRow, before: SwapNow, outcome: Outcome) -> None:
    now = means.now()
    if outcome.swap.was_authorised and not before.was_authorised and row.reservation_id is not None:
        await swaps.end_reservation(connection, row.reservation_id, "fulfilled", now, swap_id=row.swap_id)
        await rows.pass_holds_to_swap(connection, row.reservation_id, row.swap_id)
    match outcome.holds:
        case "keep" | "to_swap":
            return
        case "release":
            await rows.release_all(connection, row.swap_id, now)
            if row.reservation_id is not None:
                await rows.release_all(connection, row.reservation_id, now)
        case "give_back":
            await _give_back(means, connection, row)
        case _:
            assert_never(outcome.holds)


async def _give_back(means: Means, connection: Connection, row: SwapRow) -> None:
    """Nothing moved: the rider keeps his holds until the instant he was promised, under a new reservation."""
    now = means.now()
    old = await swaps.reservation(connection, row.reservation_id) if row.reservation_id else None
    if old is None or now >= old.expires_at or await swaps.live_reservation_of(connection, row.asset_id) is not None:
        await rows.release_all(connection, row.swap_id, now)
        return
    new: ReservationRow = old._replace(reservation_id=means.new_id("rsv"), status="reserved", created_at=now, ended_at=None)
    await swaps.insert_reservation(connection, new)
    await rows.pass_holds_to_reservation(connection, row.swap_id, new.reservation_id)
    await swaps.write_event(
        connection,
        "reservation_made",
        now,
        station_id=row.station_id,
        reservation_id=new.reservation_id,
        swap_id=row.swap_id,
        body={"again_after": old.reservation_id},
    )


async def _balance_debts(means: Means, connection: Connection, row: SwapRow, after: SwapNow) -> None:
    """Open or close debts until there is one per pack that is owed."""
    counts = after.status in ORPHAN or after.status == "exception"
    wanted = {
        "operator": after.owed_to_rider if counts else 0,
        "rider": after.owed_by_rider if counts else 0,
    }
    open_debts = await swaps.open_debts_of_swap(connection, row.swap_id)
    now = means.now()
    for owed_by, count in wanted.items():
        ids = [debt_id for debt_id, who in open_debts if who == owed_by]
        for debt_id in ids[count:]:
            await swaps.close_debt(connection, debt_id, "packs_moved", now)
        serials = sorted(after.packs_out - after.packs_in if owed_by == "rider" else after.packs_in - after.packs_out)
        for number in range(len(ids), count):
            await swaps.insert_debt(
                connection,
                debt_id=means.new_id("dbt"),
                swap_id=row.swap_id,
                owed_by=owed_by,
                rider_id=row.rider_id,
                serial_number=serials[number] if number < len(serials) else None,
                value_micro=tariff.STANDARD.pack_value_micro,
                currency=tariff.STANDARD.currency,
                reason=after.reason or after.status,
                opened_at=now,
                due_at=means.after(means.rules.overdue_s),
            )


def deadline(means: Means, status: SwapStatus, pack_count: int = 1) -> datetime:
    """Return when the desk looks at a swap in this state again, on the fleet clock. Each pack of a set has a step's time."""
    rules = means.rules
    match status:
        case "requested":
            return means.after(rules.command_s + rules.grace_s)
        case "authorised" | "half_in" | "half_out":
            return means.after(rules.step_s * pack_count + rules.grace_s)
        case "unresolved":
            return means.after(rules.unresolved_s)
        case "orphan_in":
            return means.after(rules.orphan_hold_s)
        case "orphan_out":
            return means.after(rules.overdue_s)
        case _:
            return means.now()


async def _write(means: Means, connection: Connection, row: SwapRow, before: SwapNow, after: SwapNow) -> None:
    over = after.status not in LIVE and after.status not in ORPHAN
    await swaps.update_swap(
        connection,
        row.swap_id,
        status=after.status,
        status_reason=after.reason,
        packs_in=min(len(after.packs_in), 3),
        packs_out=min(len(after.packs_out), 3),
        deadline_at=deadline(means, after.status, row.pack_count),
        ended_at=means.now() if over else None,
    )
    await swaps.write_event(
        connection,
        "swap_changed",
        means.now(),
        station_id=row.station_id,
        reservation_id=row.reservation_id,
        swap_id=row.swap_id,
        body={
            "from": before.status,
            "to": after.status,
            "reason": after.reason,
            "packs_in": sorted(after.packs_in),
            "packs_out": sorted(after.packs_out),
        },
    )
