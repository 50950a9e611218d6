"""Table `signal`: values of the outside world, added once and read only after they were known."""

from collections.abc import Sequence
from datetime import datetime

from service.domain.signal import Signal
from service.store.pool import Connection
from service.store.queries import statements

_sql = statements("signals")


async def add_missing(connection: Connection, area: str, source: str, signals: Sequence[Signal]) -> int:
    """Add the values whose step has none of this source yet; return how many were new. Twice changes nothing."""
    row = await _sql.add_signal_where_missing(
        connection,
        area=area,
        source=source,
        series=[signal.series for signal in signals],
        start_at=[signal.start_at for signal in signals],
        period_s=[signal.period_s for signal in signals],
        value=[signal.value for signal in signals],
        known_at=[signal.known_at for signal in signals],
    )
    return int(row["added"])


async def known_signals(connection: Connection, area: str, first_at: datetime, end_at: datetime, now: datetime) -> list[Signal]:
    """Return the newest value known at `now` of every step that starts in ``[first_at, end_at)``."""
    rows = _sql.known_signals(connection, area=area, first_at=first_at, end_at=end_at, now=now)
    return [Signal(**dict(row)) async for row in rows]
