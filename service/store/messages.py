"""What stations said: settled sequence numbers, frames, events, registers, newest state, refusals.

Written by ingest alone, except that upkeep bounds what is kept. Row types follow the columns; what they mean stands in the
migration.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple

import asyncpg

from service.domain.observation import MessageKey
from service.store.pool import Connection
from service.store.queries import statements

_sql = statements("messages")


class BootId(NamedTuple):
    """One run of one station's controller."""

    station_id: str
    epoch: int
    boot: int


class FrameRow(NamedTuple):
    """One telemetry message, columns of `telemetry`; element i of every list is one reading."""

    station_id: str
    epoch: int
    boot: int
    seq: int
    ts_day: date
    ts: datetime
    received_at: datetime
    slot_no: list[int]
    serial_number: list[str]
    soc_bp: list[int]
    soh_bp: list[int]
    charging_state: list[int]
    voltage_mv: list[int | None]
    current_ma: list[int | None]
    power_dw: list[int | None]
    temp_min_ddegc: list[int | None]
    temp_max_ddegc: list[int | None]
    cell_min_mv: list[int | None]
    cell_max_mv: list[int | None]
    energy_in_wh: list[int | None]
    energy_out_wh: list[int | None]
    more: str | None


class EventRow(NamedTuple):
    """One message for the desk, columns of `station_event`."""

    station_id: str
    epoch: int
    boot: int
    seq: int
    kind: str
    ts: datetime
    received_at: datetime
    body: str


class MeterRow(NamedTuple):
    """One register reading, columns of `meter_register`."""

    station_id: str
    meter_id: str
    point: str
    epoch: int
    boot: int
    seq: int
    ts: datetime
    received_at: datetime
    import_wh: int
    export_wh: int
    quality: str


class DeadLetterRow(NamedTuple):
    """One refused message; `body` is cut, `body_bytes` is its whole length."""

    topic: str
    body: bytes
    body_bytes: int
    reason: str
    detail: str
    received_at: datetime


@dataclass(slots=True)
class BootRow:
    """A row of `station_boot`: locked, changed in memory, written back. `settled`, `asked`: half-open spans."""

    boot_id: BootId
    settled: list[tuple[int, int]] = field(default_factory=list)
    stored: int = 0
    refused: int = 0
    dropped: int = 0
    lost: int = 0
    duplicates: int = 0
    gap_since: datetime | None = None
    replays: int = 0
    asked: list[tuple[int, int]] = field(default_factory=list)
    last_at: datetime | None = None


class LiveSlot(NamedTuple):
    """The newest known content of one slot and the key of the message that said so. No serial number: empty."""

    slot_no: int
    key: MessageKey
    reading_at: datetime
    serial_number: str | None = None
    soc: float | None = None
    soh: float | None = None
    charging_state: str | None = None
    power_dc_w: float | None = None
    temp_max_degc: float | None = None
    cell_spread_mv: int | None = None
    fault_count: int | None = None
    energy_in_wh: int | None = None


@dataclass(slots=True)
class LiveRow:
    """A row of `station_live`: locked, changed in memory, written back."""

    station_id: str
    connected: bool = False
    session: tuple[int, int, int] = (0, 0, 0)
    connection_at: datetime | None = None
    heard_at: datetime | None = None
    birth_at: datetime | None = None
    birth_key: MessageKey = MessageKey(0, 0, 0)  # noqa: RUF009 - a tuple is a value
    clock_source: str | None = None
    clock_offset_ms: float | None = None
    slots: dict[int, LiveSlot] = field(default_factory=dict)


async def registered(connection: Connection, station_ids: Collection[str]) -> set[str]:
    """Return those of `station_ids` that are registered."""
    return {row["station_id"] async for row in _sql.registered(connection, station_ids=list(station_ids))}


async def lock_boots(connection: Connection, boot_ids: Collection[BootId], now: datetime) -> dict[BootId, BootRow]:
    """Lock the rows of these boots in station order, making those that are missing, and return them."""
    wanted = sorted(boot_ids)
    columns = {
        "station_ids": [boot.station_id for boot in wanted],
        "epochs": [boot.epoch for boot in wanted],
        "boots": [boot.boot for boot in wanted],
    }
    rows = [row async for row in _sql.lock_boots(connection, **columns)]
    if len(rows) < len(wanted):
        await _sql.make_boots(connection, **columns, now=now)
        rows = [row async for row in _sql.lock_boots(connection, **columns)]
    return {(row_id := BootId(row["station_id"], row["epoch"], row["boot"])): _boot(row_id, row) for row in rows}


async def write_boots(connection: Connection, boots: Sequence[BootRow], now: datetime) -> None:
    """Write locked boots back; all of them were heard of just now."""
    await _sql.write_boots(
        connection,
        station_ids=[boot.boot_id.station_id for boot in boots],
        epochs=[boot.boot_id.epoch for boot in boots],
        boots=[boot.boot_id.boot for boot in boots],
        settled=[_multirange(boot.settled) for boot in boots],
        stored=[boot.stored for boot in boots],
        refused=[boot.refused for boot in boots],
        dropped=[boot.dropped for boot in boots],
        lost=[boot.lost for boot in boots],
        duplicates=[boot.duplicates for boot in boots],
        gap_since=[boot.gap_since for boot in boots],
        replays=[boot.replays for boot in boots],
        asked=[_multirange(boot.asked) for boot in boots],
        now=now,
    )


async def stuck_boots(connection: Connection, stuck_before: datetime, limit: int) -> list[BootId]:
    """Return boots whose watermark has not moved since `stuck_before` though their station is connected and was heard since."""
    return [
        BootId(row["station_id"], row["epoch"], row["boot"])
        async for row in _sql.stuck_boots(connection, stuck_before=stuck_before, limit=limit)
    ]


async def lock_live(connection: Connection, station_ids: Collection[str]) -> dict[str, LiveRow]:
    """Lock the newest states of these stations in station order, making those that are missing, and return them."""
    wanted = sorted(station_ids)
    rows = [row async for row in _sql.lock_live(connection, station_ids=wanted)]
    if len(rows) < len(wanted):
        await _sql.make_live(connection, station_ids=wanted)
        rows = [row async for row in _sql.lock_live(connection, station_ids=wanted)]
    return {row["station_id"]: _live(row) for row in rows}


async def write_live(connection: Connection, rows: Sequence[LiveRow]) -> None:
    """Write locked newest states back."""
    await _sql.write_live(connection, [_live_parameters(row) for row in rows])


async def store_frames(connection: Connection, rows: Sequence[FrameRow]) -> None:
    """Store telemetry. No row may be there already: `station_boot.settled` was asked under lock."""
    await connection.copy_records_to_table("telemetry", records=rows, columns=FrameRow._fields)


async def store_events(connection: Connection, rows: Sequence[EventRow]) -> None:
    """Store messages for the desk and signal `station_event` once."""
    await connection.copy_records_to_table("station_event", records=rows, columns=EventRow._fields)
    await _sql.notify_events(connection)


async def store_meters(connection: Connection, rows: Sequence[MeterRow]) -> None:
    """Store register readings."""
    await connection.copy_records_to_table("meter_register", records=rows, columns=MeterRow._fields)


async def store_refusals(connection: Connection, letters: Sequence[DeadLetterRow], counts: Mapping[str, int]) -> None:
    """Keep refused messages and count all refusals by reason."""
    if letters:
        await connection.copy_records_to_table("dead_letter", records=letters, columns=DeadLetterRow._fields)
    for reason, count in sorted(counts.items()):
        await _sql.count_refusals(connection, reason=reason, count=count)


async def report_lost(connection: Connection, boot_id: BootId, count: int, now: datetime) -> None:
    """Write the anomaly `messages_lost` of a boot."""
    await _sql.report_lost(
        connection, station_id=boot_id.station_id, epoch=boot_id.epoch, boot=boot_id.boot, count=count, now=now
    )


def _boot(boot_id: BootId, row: asyncpg.Record) -> BootRow:
    return BootRow(
        boot_id=boot_id,
        settled=[(span.lower, span.upper) for span in row["settled"]],
        stored=row["stored"],
        refused=row["refused"],
        dropped=row["dropped"],
        lost=row["lost"],
        duplicates=row["duplicates"],
        gap_since=row["gap_since"],
        replays=row["replays"],
        asked=[(span.lower, span.upper) for span in row["asked"]],
        last_at=row["last_at"],
    )


def _multirange(spans: Sequence[tuple[int, int]]) -> str:
    # As text: asyncpg takes a list of lists for a matrix and so cannot send an array of multiranges.
    return "{" + ",".join(f"[{first},{end})" for first, end in spans) + "}"


_SLOT_COLUMNS = (
    "serial_number",
    "soc",
    "soh",
    "charging_state",
    "power_dc_w",
    "temp_max_degc",
    "cell_spread_mv",
    "fault_count",
    "energy_in_wh",
)


def _live(row: asyncpg.Record) -> LiveRow:
    columns = zip(
        row["slot_no"],
        map(MessageKey, row["epoch"], row["boot"], row["seq"]),
        row["reading_at"],
        *(row[name] for name in _SLOT_COLUMNS),
        strict=True,
    )
    return LiveRow(
        station_id=row["station_id"],
        connected=row["connected"],
        session=(row["session_epoch"], row["session_boot"], row["session"]),
        connection_at=row["connection_at"],
        heard_at=row["heard_at"],
        birth_at=row["birth_at"],
        birth_key=MessageKey(row["birth_epoch"], row["birth_boot"], row["birth_seq"]),
        clock_source=row["clock_source"],
        clock_offset_ms=row["clock_offset_ms"],
        slots={values[0]: LiveSlot(*values) for values in columns},
    )


def _live_parameters(row: LiveRow) -> dict[str, object]:
    slots = [row.slots[slot_no] for slot_no in sorted(row.slots)]
    parameters: dict[str, object] = {name: [getattr(slot, name) for slot in slots] for name in _SLOT_COLUMNS}
    epoch, boot, session = row.session
    parameters.update(
        station_id=row.station_id,
        connected=row.connected,
        session_epoch=epoch,
        session_boot=boot,
        session=session,
        connection_at=row.connection_at,
        heard_at=row.heard_at,
        birth_at=row.birth_at,
        birth_epoch=row.birth_key.epoch,
        birth_boot=row.birth_key.boot,
        birth_seq=row.birth_key.seq,
        clock_source=row.clock_source,
        clock_offset_ms=row.clock_offset_ms,
        slot_no=[slot.slot_no for slot in slots],
        reading_at=[slot.reading_at for slot in slots],
        epoch=[slot.key.epoch for slot in slots],
        boot=[slot.key.boot for slot in slots],
        seq=[slot.key.seq for slot in slots],
    )
    return parameters
