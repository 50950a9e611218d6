"""Stations as riders and operators see them."""

from datetime import datetime
from typing import Any, ClassVar

from pydantic import Field

from service.api.schemas import Shown


class ReadyOfModel(Shown):
    """How many packs of one model stand here and may be handed out now."""

    pack_model_id: str
    packs: int
    ready_packs: int
    best_usable_wh: float | None = Field(description="Energy of the best ready pack.")
    example: ClassVar[dict[str, Any]] = {"pack_model_id": "pm-48-1300", "packs": 9, "ready_packs": 6, "best_usable_wh": 1240.0}


class StationItem(Shown):
    """A station now. `promising`: in service, connected and heard lately, so that offers are made for it."""

    station_id: str
    name: str
    latitude: float
    longitude: float
    distance_m: float | None
    lifecycle: str
    connected: bool
    heard_at: datetime | None
    promising: bool
    ready_packs: int
    empty_slots: int = Field(description="Empty, in order and not held.")
    slot_count: int
    models: list[ReadyOfModel]
    example: ClassVar[dict[str, Any]] = {
        "station_id": "st-0001",
        "name": "Hakata 1",
        "latitude": 33.5902,
        "longitude": 130.4017,
        "distance_m": 412.5,
        "lifecycle": "in_service",
        "connected": True,
        "heard_at": "2026-04-06T00:19:30Z",
        "promising": True,
        "ready_packs": 6,
        "empty_slots": 3,
        "slot_count": 12,
        "models": [ReadyOfModel.example],
    }


class StationList(Shown):
    """Stations, the nearest first when `near` was given; with none of them `reason` says why."""

    stations: list[StationItem]
    next_cursor: str | None
    reason: str | None
    example: ClassVar[dict[str, Any]] = {"stations": [StationItem.example], "next_cursor": None, "reason": None}


class PackInSlot(Shown):
    """A pack in a slot with its newest reading."""

    serial_number: str
    pack_model_id: str
    condition: str
    held_by: str | None
    soc: float | None
    soh: float | None
    usable_wh: float | None
    charging_state: str | None
    power_dc_w: float | None
    temp_max_degc: float | None
    reading_at: datetime | None
    not_ready_because: str | None = Field(description="Null: it may be handed out, if its station may.")
    example: ClassVar[dict[str, Any]] = {
        "serial_number": "PK-000031",
        "pack_model_id": "pm-48-1300",
        "condition": "ok",
        "held_by": None,
        "soc": 0.95,
        "soh": 0.98,
        "usable_wh": 1210.3,
        "charging_state": "charging",
        "power_dc_w": 410.0,
        "temp_max_degc": 31.5,
        "reading_at": "2026-04-06T00:19:30Z",
        "not_ready_because": None,
    }


class SlotItem(Shown):
    """A slot as its station describes it, and the registered pack in it."""

    slot_no: int
    status: str
    quarantined: bool
    held_by: str | None
    accepts: list[str]
    max_charge_dc_w: float
    pack: PackInSlot | None
    example: ClassVar[dict[str, Any]] = {
        "slot_no": 4,
        "status": "occupied",
        "quarantined": False,
        "held_by": None,
        "accepts": ["pm-48-1300"],
        "max_charge_dc_w": 500.0,
        "pack": PackInSlot.example,
    }


class StationDetail(StationItem):
    """One station; its slots are shown to operators only."""

    slots: list[SlotItem] | None
    example: ClassVar[dict[str, Any]] = {**StationItem.example, "slots": [SlotItem.example]}
