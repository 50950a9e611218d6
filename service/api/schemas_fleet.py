"""What operators see of the running fleet: counts, plans, anomalies, debts."""

from datetime import datetime
from typing import Any, ClassVar

from pydantic import Field

from service.api.schemas import Price, Shown


class FleetAnswer(Shown):
    """The fleet in numbers, each a count by name, at the fleet instant `at`."""

    at: datetime
    stations: dict[str, int] = Field(description="By lifecycle.")
    stations_connected: int
    slots: dict[str, int] = Field(description="By status.")
    packs_by_place: dict[str, int]
    packs_by_condition: dict[str, int]
    riders: dict[str, int] = Field(description="By status.")
    vehicles: int
    live_reservations: dict[str, int]
    swaps: dict[str, int] = Field(description="All there ever were, by present status.")
    open_debts: dict[str, int] = Field(description="By who owes.")
    open_anomalies: dict[str, int] = Field(description="By kind.")
    plan_id: str | None = Field(description="The newest plan.")
    example: ClassVar[dict[str, Any]] = {
        "at": "2026-04-06T00:20:00Z",
        "stations": {"in_service": 60},
        "stations_connected": 60,
        "slots": {"empty": 180, "occupied": 540},
        "packs_by_place": {"slot": 540, "asset": 240},
        "packs_by_condition": {"ok": 780},
        "riders": {"active": 120},
        "vehicles": 120,
        "live_reservations": {"reserved": 4},
        "swaps": {"completed": 311, "half_in": 1},
        "open_debts": {},
        "open_anomalies": {},
        "plan_id": "pln_01kp3v9x800123456789abcdef",
    }


class PlanStationItem(Shown):
    """One station's part of a plan: AC energy per step, and what binds, in one sentence."""

    station_id: str
    energy_ac_wh: list[float]
    shortfall_wh: float
    reason: str
    example: ClassVar[dict[str, Any]] = {
        "station_id": "st-0001",
        "energy_ac_wh": [410.0, 405.5],
        "shortfall_wh": 0.0,
        "reason": "Charges in the cheapest steps.",
    }


class PlanAnswer(Shown):
    """A plan. `gap` = how far the objective may be from the best one; arrays have one element per step."""

    plan_id: str
    made_at: datetime
    start_at: datetime
    step_s: int
    step_count: int
    station_count: int
    engine: str
    coupled_by: list[str]
    objective_jpy: float
    bound_jpy: float | None
    gap: float | None
    shortfall_wh: float
    truncated: bool
    solve_s: float
    price_source: str = Field(description="'synthetic' wherever made-up prices were used.")
    fleet_ac_w: list[float]
    price_jpy_per_kwh: list[float]
    renewable_w: list[float]
    stations: list[PlanStationItem]
    example: ClassVar[dict[str, Any]] = {
        "plan_id": "pln_01kp3v9x800123456789abcdef",
        "made_at": "2026-04-06T00:20:00Z",
        "start_at": "2026-04-06T00:15:00Z",
        "step_s": 900,
        "step_count": 2,
        "station_count": 1,
        "engine": "glop",
        "coupled_by": [],
        "objective_jpy": 12.5,
        "bound_jpy": 12.5,
        "gap": 0.0,
        "shortfall_wh": 0.0,
        "truncated": False,
        "solve_s": 0.12,
        "price_source": "synthetic",
        "fleet_ac_w": [1640.0, 1622.0],
        "price_jpy_per_kwh": [9.8, 8.1],
        "renewable_w": [0.0, 0.0],
        "stations": [PlanStationItem.example],
    }


class AnomalyItem(Shown):
    """Something that does not fit and that a person should look at."""

    anomaly_id: int
    kind: str
    station_id: str | None
    serial_number: str | None
    swap_id: str | None
    detail: dict[str, Any]
    seen_at: datetime
    closed_at: datetime | None
    example: ClassVar[dict[str, Any]] = {
        "anomaly_id": 17,
        "kind": "foreign_pack",
        "station_id": "st-0001",
        "serial_number": "XX-1",
        "swap_id": None,
        "detail": {"slot_no": 4},
        "seen_at": "2026-04-06T00:20:00Z",
        "closed_at": None,
    }


class AnomalyList(Shown):
    """Anomalies, the newest first."""

    anomalies: list[AnomalyItem]
    next_cursor: str | None
    example: ClassVar[dict[str, Any]] = {"anomalies": [AnomalyItem.example], "next_cursor": None}


class DebtItem(Shown):
    """One pack that somebody owes."""

    debt_id: str
    swap_id: str
    owed_by: str
    rider_id: str
    serial_number: str | None
    value: Price
    reason: str
    opened_at: datetime
    due_at: datetime
    overdue: bool
    closed_at: datetime | None
    closed_reason: str | None
    example: ClassVar[dict[str, Any]] = {
        "debt_id": "dbt_01kp3v9x800123456789abcdef",
        "swap_id": "swp_01kp3wg4800123456789abcdef",
        "owed_by": "operator",
        "rider_id": "rider-0001",
        "serial_number": None,
        "value": {"amount_micro": 60_000_000_000, "currency": "JPY"},
        "reason": "orphan_in",
        "opened_at": "2026-04-06T00:25:00Z",
        "due_at": "2026-04-06T00:55:00Z",
        "overdue": False,
        "closed_at": None,
        "closed_reason": None,
    }


class DebtList(Shown):
    """Debts, the newest first."""

    debts: list[DebtItem]
    next_cursor: str | None
    example: ClassVar[dict[str, Any]] = {"debts": [DebtItem.example], "next_cursor": None}
