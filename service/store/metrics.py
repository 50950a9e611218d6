"""What the metrics page says, read in one snapshot, and when a role last did anything at the database. Read only."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from service.domain.signal import Series, Signal
from service.store import totals
from service.store.pool import Connection
from service.store.queries import statements
from service.store.signals import series_of_area

_sql = statements("metrics")

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
AREA_SERIES: tuple[Series, ...] = ("price_jpy_per_kwh", "solar_w", "wind_w", "demand_forecast_w")


@dataclass(frozen=True, slots=True)
class PlanNow:
    """The newest plan and its present step; powers are None when its horizon is over."""

    made_at: datetime
    engine: str
    price_source: str
    supply_source: str
    gap: float | None
    solve_s: float
    truncated: bool
    shortfall_wh: float
    fleet_ac_w: float | None
    renewable_w: float | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Fleet and pipeline at one fleet instant. Counts by what their names say."""

    at: datetime
    stations: totals.StationTotals
    stations_heard: int
    slots: dict[str, int]
    packs: dict[tuple[str, str], int]
    charging: dict[str, tuple[int, float]]
    """By charging state: packs, and the power into them [W, DC]."""
    messages: totals.MessageTotals
    refusals: dict[str, int]
    gaps_open: int
    dead_letters: int
    events_waiting: int
    oldest_event_at: datetime | None
    swaps_of_a_day: dict[str, int]
    reservations_live: int
    debts: dict[str, int]
    anomalies: dict[str, int]
    commands_open: int
    commands_of_an_hour: totals.CommandTotals
    plan: PlanNow | None
    signals: tuple[Signal, ...]
    """Of each of `AREA_SERIES` the value that covers `at` and is known, where there is one."""
    role_silences_s: dict[str, float]


async def read_snapshot(connection: Connection, area: str, now: datetime, silence: timedelta) -> Snapshot:
    """Read all of it at fleet instant `now`; `silence` is how old a station's word may be to count."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        queues: dict[str, Any] = dict(await _sql.queues(connection))
        plan = await _sql.newest_plan(connection, now=now)
        signals = await series_of_area(connection, area, AREA_SERIES, now - HOUR, now + timedelta(microseconds=1), now)
        # In order of time: what begins last and still holds stands.
        holding = {signal.series: signal for signal in signals if signal.end_at > now}
        return Snapshot(
            at=now,
            stations=await totals.station_totals(connection),
            stations_heard=int(await _sql.stations_heard(connection, since=now - silence)),
            slots={row["status"]: row["count"] async for row in _sql.slots_by_status(connection)},
            packs={(row["place"], row["condition"]): row["count"] async for row in _sql.packs_by_place(connection)},
            charging={
                row["state"]: (row["packs"], row["power_dc_w"]) async for row in _sql.charging(connection, since=now - silence)
            },
            messages=await totals.message_totals(connection),
            refusals=await totals.refusals(connection),
            events_waiting=await totals.unhandled_events(connection),
            oldest_event_at=await totals.oldest_unhandled_at(connection),
            swaps_of_a_day=await totals.swap_totals(connection, now - DAY),
            debts={row["owed_by"]: row["count"] async for row in _sql.open_debts(connection)},
            anomalies={row["kind"]: row["count"] async for row in _sql.open_anomalies(connection)},
            commands_of_an_hour=await totals.command_totals(connection, now - HOUR),
            plan=PlanNow(**dict(plan)) if plan is not None else None,
            signals=tuple(holding.values()),
            role_silences_s={row["role"]: max(row["silence_s"], 0.0) async for row in _sql.role_silences(connection)},
            **queues,
        )


async def role_silence_s(connection: Connection, role: str) -> float | None:
    """Return the wall seconds since a role on this machine last did anything at the database, None when it is not connected."""
    value: float | None = await _sql.role_silence_here(connection, role=role)
    return value
