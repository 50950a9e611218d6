"""What ingest keeps does not depend on the order, the grouping or the repetition of what arrives."""

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from devices.wire.topics import up
from service.domain.observation import MessageKey
from service.ingest.admit import Item, Refused, admit
from service.ingest.batch import Merged, boots_named, merge, stations_named
from service.store.messages import BootId, BootRow, EventRow, FrameRow, LiveRow, MeterRow

NOW = datetime(2026, 4, 6, tzinfo=UTC)
CLOCK = {"source": "ntp"}


def pack(slot_no: int, number: int) -> dict[str, Any]:
    return {"evseId": slot_no, "serialNumber": f"P-{number}", "soC": float(number % 100), "soH": 100.0}


slot_numbers = st.integers(1, 4)
packs = st.lists(st.builds(pack, slot_numbers, st.integers(1, 9)), max_size=4, unique_by=lambda one: one["evseId"])


def birth(held: list[dict[str, Any]], slot_count: int) -> tuple[str, dict[str, Any]]:
    slots = [{"evseId": number, "status": "Available", "maxChargeDcW": 500.0} for number in range(1, slot_count + 1)]
    descriptor = {"vendor": "v", "model": "m", "firmware": "f", "targetSoC": 90.0, "timeoutInS": 30.0, "timeoutOutS": 30.0}
    here = [one for one in held if one["evseId"] <= slot_count]
    return "birth", {**descriptor, "clock": CLOCK, "site": {"maxImportAcW": 1.0}, "slotState": slots, "batteryData": here}


def swap(kind: str, held: list[dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    return "swap", {"eventType": kind, "requestId": 1, "idToken": {"idToken": "t"}, "batteryData": held}


bodies = st.one_of(
    packs.map(lambda held: ("telemetry", {"batteryData": held})),
    packs.map(lambda held: ("history", {"batteryData": held})),
    st.builds(birth, packs, st.integers(2, 4)),
    st.builds(swap, st.sampled_from(["BatteryIn", "BatteryOut", "BatteryOutTimeout"]), packs),
    st.builds(lambda slot_no: ("slot", {"evseId": slot_no, "status": "Available"}), slot_numbers),
    st.builds(lambda slot_no: ("slot", {"evseId": slot_no, "status": "Occupied", "serialNumber": "P-9"}), slot_numbers),
    st.just(("meter", {"clock": CLOCK, "registers": [{"meterId": "m", "point": "site", "importWh": 7}]})),
    st.just(("telemetry", {"batteryData": [{"evseId": 0}]})),  # refused, and still settled
)
keys = st.builds(MessageKey, st.just(1), st.integers(1, 2), st.integers(1, 7))
messages = st.dictionaries(keys, bodies, min_size=1, max_size=14)
connections = st.sets(st.tuples(st.integers(1, 2), st.integers(1, 3), st.booleans()), max_size=6)


def item_of(key: MessageKey, said: tuple[str, dict[str, Any]]) -> Item:
    leaf, body = said
    envelope = {"v": 1, "ts": "2026-04-06T00:00:00Z", "epoch": key.epoch, "boot": key.boot, "seq": key.seq}
    return admit(up("st-1", leaf), json.dumps({**envelope, **body}).encode(), NOW, known={"st-1"}, parts=range(64))


def connection_of(boot: int, session: int, online: bool) -> Item:
    said = {"v": 1, "ts": "2026-04-06T00:00:00Z", "epoch": 1, "boot": boot, "session": session, "online": online, "clock": CLOCK}
    return admit(up("st-1", "connection"), json.dumps(said).encode(), NOW, known={"st-1"}, parts=range(64))


class Kept:
    """A database in memory: rows stay between batches."""

    def __init__(self) -> None:
        self.boots: dict[BootId, BootRow] = {}
        self.lives: dict[str, LiveRow] = {}
        self.stored: list[MessageKey] = []
        self.refused = 0
        self.duplicates = 0

    def take(self, items: list[Item]) -> None:
        boots = {boot_id: self.boots.setdefault(boot_id, BootRow(boot_id)) for boot_id in boots_named(items)}
        lives = {station: self.lives.setdefault(station, LiveRow(station)) for station in stations_named(items)}
        merged: Merged = merge(items, boots, lives, NOW)
        rows: list[FrameRow | EventRow | MeterRow] = [*merged.frames, *merged.events, *merged.meters]
        self.stored += [MessageKey(row.epoch, row.boot, row.seq) for row in rows]
        self.refused += len(merged.dead_letters)
        self.duplicates += merged.duplicates

    def state(self) -> object:
        slots = {number: slot for live in self.lives.values() for number, slot in live.slots.items()}
        sessions = {station: (live.session, live.connected) for station, live in self.lives.items()}
        settled = {boot_id: row.settled for boot_id, row in self.boots.items()}
        return sorted(self.stored), self.refused, slots, sessions, settled


@settings(max_examples=300, deadline=None)
@given(messages, connections, st.data())
def test_newest_state_and_stored_set_do_not_depend_on_order_or_repetition(
    said: dict[MessageKey, tuple[str, dict[str, Any]]], sessions: set[tuple[int, int, bool]], data: st.DataObject
) -> None:
    items = [item_of(key, body) for key, body in sorted(said.items())]
    items += [connection_of(*session) for session in sorted(sessions)]
    straight = Kept()
    straight.take(items)
    again = items + data.draw(st.lists(st.sampled_from(items), max_size=10))
    shuffled = data.draw(st.permutations(again))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(shuffled)), max_size=5)))
    jumbled = Kept()
    for first, end in zip([0, *cuts], [*cuts, len(shuffled)], strict=True):
        if shuffled[first:end]:
            jumbled.take(list(shuffled[first:end]))
    assert jumbled.state() == straight.state()
    assert len(set(jumbled.stored)) == len(jumbled.stored)


@settings(max_examples=200, deadline=None)
@given(messages)
def test_the_newest_message_about_a_slot_decides_and_nothing_older_than_the_newest_birth(
    said: dict[MessageKey, tuple[str, dict[str, Any]]],
) -> None:
    kept = Kept()
    kept.take([item_of(key, body) for key, body in sorted(said.items(), reverse=True)])
    expected: dict[int, tuple[MessageKey, str | None]] = {}
    for key, (leaf, body) in sorted(said.items()):
        if isinstance(item_of(key, (leaf, body)), Refused) or leaf == "meter":
            continue
        held = {one["evseId"]: one["serialNumber"] for one in body.get("batteryData", [])}
        if leaf == "birth":
            expected = {slot["evseId"]: (key, held.get(slot["evseId"])) for slot in body["slotState"]}
        elif leaf == "slot":
            if body["status"] == "Available":
                expected[body["evseId"]] = (key, None)
        else:
            gone = body.get("eventType") == "BatteryOut"
            expected.update({slot_no: (key, None if gone else serial) for slot_no, serial in held.items()})
    live = kept.lives.get("st-1", LiveRow("st-1"))
    assert {number: (slot.key, slot.serial_number) for number, slot in live.slots.items()} == expected


def test_the_watermark_is_contiguous_and_waits_for_what_is_missing() -> None:
    kept = Kept()
    telemetry = ("telemetry", {"batteryData": [pack(1, 1)]})
    boot = BootId("st-1", 1, 1)
    for seq, watermark, gap in [(1, 1, False), (2, 2, False), (5, 2, True), (4, 2, True), (3, 5, False)]:
        kept.take([item_of(MessageKey(1, 1, seq), telemetry)])
        assert kept.boots[boot].settled[0] == (1, watermark + 1)
        assert (kept.boots[boot].gap_since is not None) == gap


def test_what_a_station_no_longer_holds_is_settled_but_only_of_its_past() -> None:
    kept = Kept()
    leaf, body = birth([], 2)
    journal = [
        {"boot": 1, "firstSeq": 40, "lastSeq": 50},
        {"boot": 2, "firstSeq": 2**63 - 1, "lastSeq": 2**63 - 1},  # its own boot: never beyond this very message
        {"boot": 3, "firstSeq": 9, "lastSeq": 9},  # a boot that has not been yet
    ]
    kept.take([item_of(MessageKey(1, 2, 10), (leaf, {**body, "journal": journal}))])
    assert {boot.boot: row.settled for boot, row in kept.boots.items()} == {1: [(1, 40)], 2: [(1, 11)]}
    assert {boot.boot: row.dropped for boot, row in kept.boots.items()} == {1: 39, 2: 9}
    dropped = {"kind": "journal", "code": "Dropped", "phase": "once", "severity": "warning"}
    ranges = [{"epoch": 1, "boot": 1, "first": 38, "last": 44}, {"epoch": 2, "boot": 1, "first": 1, "last": 9}]
    kept.take([item_of(MessageKey(1, 2, 11), ("event", {**dropped, "ranges": ranges}))])
    assert kept.boots[BootId("st-1", 1, 1)].settled == [(1, 45)]
    assert BootId("st-1", 2, 1) not in kept.boots
