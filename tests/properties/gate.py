"""What must hold of every message at the gate, lawful or not: one function that takes it as far as the rows."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from devices.wire.codec import Refusal, decode, encode, key_of
from devices.wire.topics import UP
from service.domain.observation import station_event
from service.ingest.admit import Admitted, Item, RefusalReason, Refused, admit
from service.ingest.batch import Merged, boots_named, merge, stations_named
from service.store.messages import BootRow, LiveRow

STATION = "st-1"
RECEIVED_AT = datetime(2026, 4, 6, tzinfo=UTC)
REASONS = set(get_args(RefusalReason))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from (*_texts(key), *_texts(inner))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)


def judge(topic: str, body: bytes) -> Item:
    """Take a message through the gate, hold what must hold of any, and return what became of it."""
    item = admit(topic, body, RECEIVED_AT, known={STATION}, parts=range(64))
    merged = merge(
        [item],
        {boot_id: BootRow(boot_id) for boot_id in boots_named([item])},
        {station_id: LiveRow(station_id) for station_id in stations_named([item])},
        RECEIVED_AT,
    )
    if isinstance(item, Refused):
        assert item.reason in REASONS
        assert merged.refusals.total() == 1
        assert merged.stored == 0
        assert item.detail, "a person must be told why"
    elif isinstance(item, Admitted):
        assert merged.stored == 1
        assert not merged.refusals
        _survives_the_way_back(item, body)
    _fits_the_columns(merged)
    return item


def _survives_the_way_back(item: Admitted, body: bytes) -> None:
    known = set(type(item.message).model_fields)
    again = decode(UP[item.leaf], encode(item.message))
    assert not isinstance(again, Refusal), again
    assert again.model_dump(include=known) == item.message.model_dump(include=known)
    key = key_of(body)
    assert key is not None
    assert (key.epoch, key.boot, key.seq) == item.key, "a message has one key, refused or not"


def _fits_the_columns(merged: Merged) -> None:
    """What PostgreSQL would refuse must not get as far as a row: it would cost the batch a second try."""
    for frame in merged.frames:
        assert 1 <= min(frame.slot_no, default=1) <= max(frame.slot_no, default=1) <= 999
        lists = [value for value in frame if isinstance(value, list)]
        assert {len(values) for values in lists} == {len(frame.slot_no)}
        for name in ("soc_bp", "soh_bp", "temp_min_ddegc", "temp_max_ddegc", "cell_min_mv", "cell_max_mv"):
            assert all(value is None or abs(value) < 2**15 for value in getattr(frame, name))
        for name in ("voltage_mv", "current_ma", "power_dw"):
            assert all(value is None or abs(value) < 2**31 for value in getattr(frame, name))
        for name in ("energy_in_wh", "energy_out_wh"):
            assert all(value is None or 0 <= value < 2**63 for value in getattr(frame, name))
        if frame.more is not None:
            _fits_jsonb(frame.more)
    for event in merged.events:
        _fits_jsonb(event.body)
        assert station_event.validate_json(event.body).kind == event.kind
    for meter in merged.meters:
        assert 0 <= meter.import_wh < 2**63
    for row in (*merged.frames, *merged.meters, *merged.dead_letters):
        for text in _texts(tuple(row)):
            text.encode()
            assert "\x00" not in text
    for live in merged.live:
        for text in _texts([slot.serial_number for slot in live.slots.values()]):
            assert "\x00" not in text


def _fits_jsonb(text: str) -> None:
    """As PostgreSQL's jsonb reads it: no NUL, no half of a surrogate pair, no NaN."""

    def refuse(constant: str) -> None:
        pytest.fail(f"{constant} in {text[:200]}")

    told = json.loads(text, parse_constant=refuse)
    for inner in _texts(told):
        assert "\x00" not in inner, f"jsonb takes no NUL: {text[:300]}"
        inner.encode()
