"""From rows to `FleetNow`. The place of a pack is the desk's; its charge is its station's newest reading there."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

import asyncpg

from service.domain.command import SetSchedule, order
from service.domain.fleet import Claim, FleetNow, HourCount, SentSchedule, SlotNow, StationNow
from service.domain.pack import PackModel, PackNow
from service.store.pool import Connection
from service.store.state import FleetRows, read_fleet

ENOUGH_RETURNS = 20
"""Returned packs from which on their mean SoC is believed. Guess."""


async def load_fleet(connection: Connection, now: datetime, history_s: float) -> FleetNow:
    """Return the stations in service that have been born, as they are at `now`, with `history_s` seconds of swaps."""
    return fleet_of(await read_fleet(connection, now, now - timedelta(seconds=history_s)), now)


class _Reading(NamedTuple):
    soc: float
    soh: float
    charging: bool
    temp_max_degc: float | None
    cell_spread_mv: int | None
    fault_count: int
    at: datetime | None


def fleet_of(rows: FleetRows, now: datetime) -> FleetNow:
    """Put the rows of one snapshot together."""
    models = {row["pack_model_id"]: PackModel(**dict(row)) for row in rows.models}
    slots, packs = _by_station(rows.slots), _by_station(rows.packs)
    claims, handed_out = _by_station(rows.claims), _by_station(rows.handed_out)
    schedules = {row["station_id"]: row for row in rows.schedules}
    stations = []
    for row in rows.stations:
        station_id = row["station_id"]
        readings = _readings(row)
        stations.append(
            StationNow(
                station_id=station_id,
                name=row["name"],
                connected=row["connected"],
                heard_at=row["heard_at"],
                first_birth_at=row["first_birth_at"],
                max_import_ac_w=row["max_import_ac_w"],
                charger_efficiency=row["charger_efficiency"],
                slots=tuple(
                    SlotNow(slot["slot_no"], slot["status"], slot["max_charge_dc_w"], slot["quarantined"])
                    for slot in slots[station_id]
                ),
                packs=tuple(_pack(pack, models[pack["pack_model_id"]], readings) for pack in packs[station_id]),
                claims=tuple(
                    Claim(
                        each["reservation_id"], each["pack_model_id"], each["pack_count"], each["arrive_from"], each["expires_at"]
                    )
                    for each in claims[station_id]
                ),
                handed_out=tuple(HourCount(each["hour_at"], each["pack_count"]) for each in handed_out[station_id]),
                sent=_sent(schedules.get(station_id)),
            )
        )
    return_soc = rows.return_soc if rows.return_count >= ENOUGH_RETURNS else None
    return FleetNow(at=now, stations=tuple(stations), models=models, return_soc=return_soc)


def _by_station(rows: Iterable[asyncpg.Record]) -> defaultdict[str, list[asyncpg.Record]]:
    found: defaultdict[str, list[asyncpg.Record]] = defaultdict(list)
    for row in rows:
        found[row["station_id"]].append(row)
    return found


def _readings(row: asyncpg.Record) -> dict[tuple[int, str], _Reading]:
    """Return a station's newest readings by slot and serial: a reading of another pack says nothing of this one."""
    if row["slot_no"] is None:
        return {}
    found: dict[tuple[int, str], _Reading] = {}
    for at, (slot_no, serial) in enumerate(zip(row["slot_no"], row["serial_number"], strict=True)):
        if serial is None or row["soc"][at] is None or row["soh"][at] is None:
            continue
        found[(slot_no, serial)] = _Reading(
            soc=row["soc"][at],
            soh=row["soh"][at],
            charging=row["charging_state"][at] == "charging",
            temp_max_degc=row["temp_max_degc"][at],
            cell_spread_mv=row["cell_spread_mv"][at],
            fault_count=row["fault_count"][at] or 0,
            at=row["reading_at"][at],
        )
    return found


_UNHEARD = _Reading(0.0, 1.0, False, None, None, 0, None)


def _pack(row: asyncpg.Record, model: PackModel, readings: dict[tuple[int, str], _Reading]) -> PackNow:
    reading = readings.get((row["slot_no"], row["serial_number"]), _UNHEARD)
    return PackNow(
        serial_number=row["serial_number"],
        model=model,
        slot_no=row["slot_no"],
        condition=row["condition"],
        held_by=row["held_by"],
        soc=reading.soc,
        soh=reading.soh,
        temp_max_degc=reading.temp_max_degc,
        cell_spread_mv=reading.cell_spread_mv,
        fault_count=reading.fault_count,
        charging=reading.charging,
        reading_at=reading.at,
    )


def _sent(row: asyncpg.Record | None) -> SentSchedule | None:
    if row is None:
        return None
    schedule = order.validate_json(row["body"])
    return SentSchedule(schedule, row["issued_at"], row["stands"]) if isinstance(schedule, SetSchedule) else None
