"""What is refused is refused by name, and its number still counts when it can be read."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.wire.ids import part_of
from devices.wire.topics import up
from service.domain.observation import MessageKey
from service.ingest.admit import Admitted, ConnectionSaid, Refused, admit

NOW = datetime(2026, 4, 6, tzinfo=UTC)
ALL = frozenset(range(64))
ENVELOPE = {"v": 1, "ts": "2026-04-06T00:00:00.000Z", "epoch": 1, "boot": 2, "seq": 7}
PACK = {"evseId": 3, "serialNumber": "P-1", "soC": 50.0, "soH": 99.0}


def judge(body: object, leaf: str = "telemetry", topic: str | None = None, parts: frozenset[int] = ALL) -> object:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return admit(topic or up("st-1", leaf), raw, NOW, known={"st-1"}, parts=parts)


def test_a_lawful_message_is_admitted_with_its_key() -> None:
    item = judge({**ENVELOPE, "batteryData": [PACK]})
    assert isinstance(item, Admitted)
    assert item.key == MessageKey(1, 2, 7)


@pytest.mark.parametrize(
    ("body", "reason", "settles"),
    [
        (b"{", "not_json", False),
        (b"\xff\xfe", "not_json", False),
        (b"[" * 5000, "not_json", False),
        (b'"' + b"x" * 70_000 + b'"', "too_large", False),
        ({**ENVELOPE, "batteryData": [{**PACK, "soC": 100.5}]}, "bad_schema", True),
        ({**ENVELOPE, "batteryData": [{**PACK, "colour": "red"}]}, "bad_schema", True),
        ({**ENVELOPE, "batteryData": [{**PACK, "soC": "50"}]}, "bad_schema", True),
        ({**ENVELOPE, "v": 2, "batteryData": []}, "bad_schema", True),
        ({**ENVELOPE, "seq": 0, "batteryData": []}, "bad_schema", False),
        ({**ENVELOPE, "ts": "yesterday", "batteryData": []}, "bad_schema", True),
        (b'{"v":1,"ts":"2026-04-06T00:00:00Z","epoch":1,"boot":2,"seq":7,"batteryData":[{"soC":NaN}]}', "bad_schema", True),
        ({**ENVELOPE, "seq": 2**63 - 1, "batteryData": []}, "seq_out_of_range", False),
        ([1, 2], "bad_schema", False),
    ],
)
def test_bad_bytes_are_refused_by_name(body: object, reason: str, settles: bool) -> None:
    item = judge(body)
    assert isinstance(item, Refused)
    assert item.reason == reason
    assert (item.key is not None) == settles


@pytest.mark.parametrize(
    "topic",
    [
        "denchi/v1/00/station/st-1/up/telemetry",
        "denchi/v2/x",
        "",
        f"denchi/v1/{part_of('st-1')}/station/st-1/up/secret",
        "a" * 500,
    ],
)
def test_a_topic_outside_the_contract_is_foreign(topic: str) -> None:
    item = judge({**ENVELOPE, "batteryData": []}, topic=topic or "x")
    assert isinstance(item, Refused)
    assert item.reason == "foreign_topic"
    assert item.station_id is None


def test_a_station_that_is_not_registered_settles_nothing() -> None:
    item = judge({**ENVELOPE, "batteryData": []}, topic=up("stranger", "telemetry"))
    assert isinstance(item, Refused)
    assert (item.reason, item.station_id, item.key) == ("unknown_station", None, None)


def test_a_part_of_another_worker_is_left_alone() -> None:
    item = judge({**ENVELOPE, "batteryData": []}, parts=ALL - {int(part_of("st-1"), 16)})
    assert isinstance(item, Refused)
    assert item.reason == "not_ours"


def test_a_connection_message_has_no_key_even_when_it_pretends_to() -> None:
    clock = {"source": "ntp"}
    said = {"v": 1, "ts": ENVELOPE["ts"], "epoch": 1, "boot": 2, "session": 3, "online": True, "clock": clock}
    assert isinstance(judge(said, leaf="connection"), ConnectionSaid)
    bad = judge({**said, "seq": 9, "online": "maybe"}, leaf="connection")
    assert isinstance(bad, Refused)
    assert bad.key is None


@given(st.sampled_from(["birth", "telemetry", "swap", "event", "meter", "connection", "ack"]), st.binary(max_size=200))
def test_no_bytes_whatever_make_it_raise(leaf: str, body: bytes) -> None:
    assert isinstance(judge(body, leaf=leaf), Refused)
