"""Gaps that stay: ask the station again, and give up what it cannot send. Gives up only what it has asked for three times."""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from service.domain.clock import Clock
from service.domain.command import AskReplay, Command, MessageRange
from service.domain.ids import make_id
from service.ingest.batch import note_gap
from service.ingest.ranges import Ranges
from service.store import messages, outbox
from service.store.messages import BootId, BootRow
from service.store.pool import Connection, Pool

PATIENCE_S = 60.0
"""Guess: wall seconds for which a watermark may be stuck below a gap before the station is asked."""

MAX_REPLAYS = 3
"""Source: the contract of the wire; a gap that is open after three Replays is lost."""

RANGES_PER_REPLAY = 100
"""Source: the contract of the wire, `Replay.ranges`."""

BOOTS_PER_ROUND = 100
"""Guess: a round locks no more rows than this."""

log = structlog.get_logger()


async def look_for_gaps(
    pool: Pool, clock: Clock, *, chance: Callable[[int], bytes], patience_s: float = PATIENCE_S
) -> dict[BootId, int]:
    """Ask for what is missing, or give it up; return the watermarks that moved because something was given up."""
    now = clock.now()
    stuck_before = now - timedelta(seconds=patience_s / clock.wall_seconds(1.0))
    async with pool.acquire() as connection, connection.transaction():
        stuck = await messages.stuck_boots(connection, stuck_before, BOOTS_PER_ROUND)
        rows = await messages.lock_boots(connection, stuck, now) if stuck else {}
        commands: list[Command] = []
        moved: dict[BootId, int] = {}
        for row in rows.values():
            # Between the look and the lock the gap may have closed or moved.
            if row.gap_since is None or row.gap_since > stuck_before:
                continue
            settled = Ranges(row.settled)
            if row.replays >= MAX_REPLAYS:
                await _give_up(connection, row, settled, now)
                moved[row.boot_id] = settled.contiguous_to()
            else:
                commands.append(_ask(row, settled, now, stuck_before, chance))
        if rows:
            await messages.write_boots(connection, list(rows.values()), now)
        await outbox.enqueue(connection, commands)
    if commands or moved:
        log.info("ingest.gaps", replays=len(commands), given_up=len(moved))
    return moved


def _ask(row: BootRow, settled: Ranges, now: datetime, stuck_before: datetime, chance: Callable[[int], bytes]) -> Command:
    missing = settled.missing()[:RANGES_PER_REPLAY] if row.replays == 0 else both(settled.missing(), row.asked)
    row.asked = missing
    row.replays += 1
    # The next question waits as long again, and until the station was heard of in between.
    row.gap_since = now
    station_id, epoch, boot = row.boot_id
    ranges = tuple(MessageRange(epoch=epoch, boot=boot, first=first, last=end - 1) for first, end in missing)
    return Command(
        command_id=make_id("cmd", now, chance(10)),
        station_id=station_id,
        order=AskReplay(ranges=ranges),
        issued_at=now,
        valid_until=now + (now - stuck_before),
    )


async def _give_up(connection: Connection, row: BootRow, settled: Ranges, now: datetime) -> None:
    before = settled.contiguous_to()
    lost = sum(settled.add(first, end) for first, end in both(settled.missing(), row.asked))
    row.lost += lost
    note_gap(row, before, settled, now)
    if lost:
        await messages.report_lost(connection, row.boot_id, lost, now)
        log.error("ingest.lost", station_id=row.boot_id.station_id, epoch=row.boot_id.epoch, boot=row.boot_id.boot, count=lost)


def both(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return what lies in both lists of half-open ranges, ascending."""
    shared = [
        (max(first, other_first), min(end, other_end))
        for first, end in one
        for other_first, other_end in other
        if max(first, other_first) < min(end, other_end)
    ]
    return sorted(shared)
