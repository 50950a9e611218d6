"""A batch of messages into rows: duplicates out, gaps noted, newest state merged. Pure: changes the locked rows it is given."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from devices.wire.events import Ack, Authorize, Birth, Event, Lane, SlotNotice, Swap
from devices.wire.telemetry import Meter, Telemetry
from service.domain.observation import MessageKey
from service.ingest import live, translate
from service.ingest.admit import SEQ_END, Admitted, ConnectionSaid, Item, Refused
from service.ingest.ranges import Ranges
from service.store.messages import BootId, BootRow, DeadLetterRow, EventRow, FrameRow, LiveRow, MeterRow

DEAD_LETTER_BYTES = 4096
"""Guess: enough of a refused body to see what is wrong with it."""

DROPPED = "Dropped"
"""Code of the journal event that names what a station no longer holds."""


@dataclass(slots=True)
class Merged:
    """What one batch comes to."""

    frames: list[FrameRow] = field(default_factory=list)
    events: list[EventRow] = field(default_factory=list)
    meters: list[MeterRow] = field(default_factory=list)
    dead_letters: list[DeadLetterRow] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)
    boots: list[BootRow] = field(default_factory=list)
    live: list[LiveRow] = field(default_factory=list)
    watermarks: dict[BootId, int] = field(default_factory=dict)
    """Highest n such that 1..n are settled, for every boot that the batch touched."""
    born: set[str] = field(default_factory=set)
    stored: int = 0
    duplicates: int = 0


def boots_named(items: Iterable[Item]) -> set[BootId]:
    """Return every boot whose settled numbers a batch may change."""
    named: set[BootId] = set()
    for item in items:
        if isinstance(item, ConnectionSaid) or item.station_id is None or item.key is None:
            continue
        named.add(BootId(item.station_id, item.key.epoch, item.key.boot))
        if isinstance(item, Admitted):
            named.update(boot_id for boot_id, _, _ in given_up(item))
    return named


def stations_named(items: Iterable[Item]) -> set[str]:
    """Return every station whose newest state a batch may change."""
    return {item.station_id for item in items if isinstance(item, Admitted | ConnectionSaid)}


def given_up(said: Admitted) -> list[tuple[BootId, int, int]]:
    """Return what a message declares as no longer held by its station: boot, first, end (half-open).

    A station speaks of the past only: of its own boot up to this message, of older boots and epochs freely.
    """
    message, key = said.message, said.key
    spans: list[tuple[int, int, int, int]] = []
    if isinstance(message, Birth):
        spans = [(key.epoch, span.boot, 1, span.first_seq) for span in message.journal]
    elif isinstance(message, Event) and message.kind == "journal" and message.code == DROPPED:
        spans = [(span.epoch, span.boot, span.first, min(span.last, SEQ_END - 1) + 1) for span in message.ranges]
    past: list[tuple[BootId, int, int]] = []
    for epoch, boot, first, end in spans:
        if (epoch, boot) > (key.epoch, key.boot):
            continue
        last = min(end, key.seq) if (epoch, boot) == (key.epoch, key.boot) else min(end, SEQ_END)
        # An empty span is kept: it names a boot that the station still holds and that wants a watermark.
        past.append((BootId(said.station_id, epoch, boot), first, last))
    return past


def merge(items: Sequence[Item], boots: Mapping[BootId, BootRow], lives: Mapping[str, LiveRow], now: datetime) -> Merged:
    """Merge a batch into the locked rows, which are changed in place.

    Parameters
    ----------
    boots, lives : at least what `boots_named` and `stations_named` return.
    now : fleet instant; since when a gap that opens here is open.
    """
    merged = Merged()
    settled = {boot_id: Ranges(row.settled) for boot_id, row in boots.items()}
    before = {boot_id: ranges.contiguous_to() for boot_id, ranges in settled.items()}
    for item in items:
        if isinstance(item, ConnectionSaid):
            live.say_connection(lives[item.station_id], item)
            if item.message.online and not item.retained:
                live.heard(lives[item.station_id], item.received_at)
            continue
        if isinstance(item, Admitted):
            live.heard(lives[item.station_id], item.received_at)
        if item.station_id is not None and item.key is not None:
            boot_id = BootId(item.station_id, item.key.epoch, item.key.boot)
            if item.key.seq in settled[boot_id]:
                boots[boot_id].duplicates += 1
                merged.duplicates += 1
                continue
            settled[boot_id].add(item.key.seq, item.key.seq + 1)
            if isinstance(item, Refused):
                boots[boot_id].refused += 1
            else:
                boots[boot_id].stored += 1
        if isinstance(item, Refused):
            _refuse(merged, item)
        else:
            merged.stored += 1
            _store(merged, item)
            live.say_slots(lives[item.station_id], item)
    # After all messages of the batch: what a station no longer holds may still have been on its way.
    for item in items:
        if isinstance(item, Admitted):
            for boot_id, first, end in given_up(item):
                boots[boot_id].dropped += settled[boot_id].add(first, end)
            if isinstance(item.message, Birth):
                merged.born.add(item.station_id)
    for boot_id, ranges in settled.items():
        note_gap(boots[boot_id], before[boot_id], ranges, now)
        merged.watermarks[boot_id] = ranges.contiguous_to()
    merged.boots = list(boots.values())
    merged.live = list(lives.values())
    return merged


def note_gap(row: BootRow, watermark_before: int, settled: Ranges, now: datetime) -> None:
    """Write `settled` into the row, and since when its watermark has been stuck below a gap."""
    row.settled = settled.spans()
    if settled.contiguous_to() == settled.highest():
        row.gap_since, row.replays, row.asked = None, 0, []
    elif row.gap_since is None or settled.contiguous_to() > watermark_before:
        # A watermark that moves is a station that is sending; only one that is stuck wants a Replay.
        row.gap_since, row.replays, row.asked = now, 0, []


def _store(merged: Merged, said: Admitted) -> None:
    message = said.message
    if isinstance(message, Telemetry):
        merged.frames.append(translate.frame(said.station_id, message, said.received_at))
    elif isinstance(message, Meter):
        merged.meters.extend(translate.meters(said.station_id, message, said.received_at))
    elif isinstance(message, Birth | SlotNotice | Lane | Authorize | Swap | Event | Ack):
        event = translate.station_event(message)
        key: MessageKey = said.key
        merged.events.append(EventRow(said.station_id, *key, event.kind, message.ts, said.received_at, event.model_dump_json()))
    else:
        raise TypeError(f"{said.leaf} has no table")


def _refuse(merged: Merged, refused: Refused) -> None:
    merged.refusals[refused.reason] += 1
    if refused.reason == "not_ours":
        return  # its own worker takes it; nothing is wrong with it
    merged.dead_letters.append(
        DeadLetterRow(
            topic=_storable(refused.topic),
            body=refused.body[:DEAD_LETTER_BYTES],
            body_bytes=len(refused.body),
            reason=refused.reason,
            detail=_storable(refused.detail),
            received_at=refused.received_at,
        )
    )


def _storable(text: str) -> str:
    # PostgreSQL's text takes neither NUL nor half of a surrogate pair.
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
