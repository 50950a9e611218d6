"""What the operators' console reads: the whole fleet at one instant, and more about single stations. Reads only."""

from collections.abc import AsyncIterable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar

import asyncpg

from service.store.pool import DATABASE_AWAY, Connection
from service.store.queries import statements

_sql = statements("fleet")
T = TypeVar("T")

LEAST_SHORTFALL_WH = 1.0
"""Less than this is the solver's rounding, not a shortfall."""

READ_FAILED = (*DATABASE_AWAY, asyncpg.PostgresError, TimeoutError)
"""What a read raises when the database is away, not migrated yet or too slow: show it, wait and try again."""


@dataclass(frozen=True, slots=True)
class StationRow:
    """A station and when it was last heard (fleet instants)."""

    station_id: str
    name: str
    lifecycle: str
    first_birth_at: datetime | None
    charger_efficiency: float
    max_import_ac_w: float | None
    connected: bool
    connection_at: datetime | None
    heard_at: datetime | None
    live_swaps: int
    latitude: float
    longitude: float


class SlotRow(NamedTuple):
    """A slot, the registered pack in it (None: empty or foreign) and the newest reading from it (None: never heard).

    A tuple in the order of the statement's columns: a large fleet has some hundred thousand of them.
    """

    station_id: str
    slot_no: int
    status: str
    quarantined: bool
    serial_number: str | None
    condition: str | None
    pack_model_id: str | None
    nominal_wh: float | None
    nominal_v: float | None
    max_charge_w: float | None
    hand_out_soc: float | None
    target_soc: float | None
    max_hand_out_degc: float | None
    max_cell_spread_mv: int | None
    pack_held_by: str | None
    slot_held_by: str | None
    reported_serial: str | None
    soc: float | None
    soh: float | None
    charging_state: str | None
    power_dc_w: float | None
    temp_max_degc: float | None
    cell_spread_mv: int | None
    fault_count: int | None
    reading_at: datetime | None


@dataclass(frozen=True, slots=True)
class PlanRow:
    """The newest plan, fleet-wide. Arrays have one element per step; powers are means over a step."""

    plan_id: str
    made_at: datetime
    start_at: datetime
    step_s: int
    engine: str
    coupled_by: Sequence[str]
    gap: float | None
    shortfall_wh: float
    truncated: bool
    solve_s: float
    price_source: str
    supply_source: str
    fleet_ac_w: Sequence[float]
    price_jpy_per_kwh: Sequence[float]
    renewable_w: Sequence[float]


@dataclass(frozen=True, slots=True)
class OpenDebts:
    """Debts nobody has closed yet, by who owes the pack."""

    owed_by: str
    debts: int
    overdue: int


@dataclass(frozen=True, slots=True)
class SwapLine:
    """A swap as a line in a list."""

    swap_id: str
    station_id: str
    status: str
    status_reason: str | None
    pack_count: int
    packs_in: int
    packs_out: int
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class AnomalyLine:
    """An anomaly as a line in a list. `detail` is JSON text; not every one is about a station."""

    anomaly_id: int
    station_id: str | None
    kind: str
    serial_number: str | None
    swap_id: str | None
    detail: str
    seen_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class OverdueDebt:
    """A debt that should have been settled by now."""

    debt_id: str
    station_id: str
    owed_by: str
    rider_id: str
    serial_number: str | None
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Refusals:
    """Messages from stations that ingest refused lately for one reason, and the topic of the newest."""

    reason: str
    messages: int
    topic: str
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Shortfall:
    """What the plan cannot have ready at one station [Wh]."""

    station_id: str
    shortfall_wh: float


@dataclass(frozen=True, slots=True)
class TroubleRows:
    """What may need a person: each list is bounded by its statement."""

    swaps: tuple[SwapLine, ...] = ()
    debts: tuple[OverdueDebt, ...] = ()
    anomalies: tuple[AnomalyLine, ...] = ()
    refusals: tuple[Refusals, ...] = ()
    shortfalls: tuple[Shortfall, ...] = ()


@dataclass(frozen=True, slots=True)
class FleetRows:
    """Everything the page shows about the fleet, read in one transaction at the fleet instant `at`."""

    at: datetime
    stations: tuple[StationRow, ...]
    slots: tuple[SlotRow, ...]
    plan: PlanRow | None
    swaps_by_status: dict[str, int]
    anomalies_by_kind: dict[str, int]
    debts: tuple[OpenDebts, ...]
    newest_swaps: tuple[SwapLine, ...] = ()
    trouble: TroubleRows = TroubleRows()

    @property
    def sources(self) -> tuple[str, ...]:
        """Return who says what prices and supply will be, by the newest plan."""
        return () if self.plan is None else (self.plan.price_source, self.plan.supply_source)


@dataclass(frozen=True, slots=True)
class MeasuredPower:
    """Mean import of the site meters over the five minutes that end at `end_at`, and how many stations it holds."""

    end_at: datetime
    power_ac_w: float
    stations: int


@dataclass(frozen=True, slots=True)
class StationPlan:
    """What the newest plan wants of a station, and why. Energy is AC, per step."""

    station_id: str
    reason: str
    shortfall_wh: float
    energy_ac_wh: Sequence[float]


@dataclass(frozen=True, slots=True)
class StationMore:
    """What the panel of one station shows beyond its slots."""

    swaps: tuple[SwapLine, ...]
    anomalies: tuple[AnomalyLine, ...]
    plan: StationPlan | None


async def read_fleet(connection: Connection, now: datetime, day_start: datetime) -> FleetRows:
    """Read the fleet as it is at `now`; swaps are counted from `day_start`. Call it in a repeatable-read transaction."""
    plan_row = await _sql.newest_plan(connection, now=now)
    plan = PlanRow(**plan_row) if plan_row is not None else None
    return FleetRows(
        at=now,
        stations=await _lines(StationRow, _sql.stations(connection)),
        slots=tuple([SlotRow._make(row) async for row in _sql.slots(connection)]),
        plan=plan,
        swaps_by_status={row["status"]: row["swaps"] async for row in _sql.swaps_by_status(connection, since=day_start)},
        anomalies_by_kind={row["kind"]: row["anomalies"] async for row in _sql.open_anomalies(connection)},
        debts=await _lines(OpenDebts, _sql.open_debts(connection, now=now)),
        newest_swaps=await _lines(SwapLine, _sql.newest_swaps(connection)),
        trouble=await _read_trouble(connection, now, plan),
    )


async def _read_trouble(connection: Connection, now: datetime, plan: PlanRow | None) -> TroubleRows:
    shortfalls: tuple[Shortfall, ...] = ()
    if plan is not None and plan.shortfall_wh >= LEAST_SHORTFALL_WH:
        rows = _sql.plan_shortfalls(connection, plan_id=plan.plan_id, least_wh=LEAST_SHORTFALL_WH)
        shortfalls = await _lines(Shortfall, rows)
    return TroubleRows(
        swaps=await _lines(SwapLine, _sql.troubled_swaps(connection, since=now - timedelta(days=1))),
        debts=await _lines(OverdueDebt, _sql.overdue_debts(connection, now=now)),
        anomalies=await _lines(AnomalyLine, _sql.newest_anomalies(connection)),
        refusals=await _lines(Refusals, _sql.refusals(connection, since=now - timedelta(hours=1))),
        shortfalls=shortfalls,
    )


async def read_measured_power(connection: Connection, since: datetime, until: datetime) -> tuple[MeasuredPower, ...]:
    """Read the fleet's measured import between two fleet instants, five minutes a value, oldest first."""
    return await _lines(MeasuredPower, _sql.measured_power(connection, since=since, until=until))


async def read_stations_more(connection: Connection, station_ids: Sequence[str], plan_id: str | None) -> dict[str, StationMore]:
    """Read the newest swaps and anomalies of these stations, and what the plan `plan_id` says of each."""
    wanted = list(station_ids)
    swaps = await _lines(SwapLine, _sql.station_swaps(connection, station_ids=wanted))
    anomalies = await _lines(AnomalyLine, _sql.station_anomalies(connection, station_ids=wanted))
    plans = await _lines(StationPlan, _sql.station_plans(connection, plan_id=plan_id, station_ids=wanted)) if plan_id else ()
    by_station = {plan.station_id: plan for plan in plans}
    return {
        station_id: StationMore(
            swaps=tuple(line for line in swaps if line.station_id == station_id),
            anomalies=tuple(line for line in anomalies if line.station_id == station_id),
            plan=by_station.get(station_id),
        )
        for station_id in wanted
    }


async def _lines(kind: Callable[..., T], rows: AsyncIterable[Mapping[str, Any]]) -> tuple[T, ...]:
    return tuple([kind(**row) async for row in rows])
