"""The gate under fire: whatever bytes come, `admit`, `translate` and `merge` never raise; a refusal has a listed name.

`test_wire_round_trips_and_refusals` does the same for the codec alone; here a message goes as far as the rows.
"""

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from devices.wire.codec import MAX_BYTES, encode
from devices.wire.contract import schemas
from devices.wire.topics import UP, parse_up, up
from service.ingest.admit import Admitted, ConnectionSaid, Refused
from tests.contract.test_published_wire_contract import MESSAGES
from tests.properties.gate import REASONS, STATION, judge

EXAMPLES: dict[str, dict[str, Any]] = {name: body for name, _, body in MESSAGES if name in UP}
EXAMPLES["history"] = EXAMPLES["telemetry"]
LEAVES = sorted(UP)
FIELDS_OF_A_PACK = {
    "productionDate": "2024-02-29T23:59:59.999Z", "vendorInfo": "v", "packModelId": "MPP", "lot": "L", "bmsFirmware": "1",
    "chargeLimitW": 500, "dischargeLimitW": -2500, "remainingCapacityAh": 21.5, "resistanceMohm": 31, "deepDischarges": 2,
    "minutesCold": 0, "minutesColdCharging": 0, "faults": ["CellImbalance"], "customData": {"a": [1, None, {"b": "c"}]},
}  # fmt: skip
for leaf in ("telemetry", "history", "birth", "swap"):
    EXAMPLES[leaf] = {**EXAMPLES[leaf], "batteryData": [{**EXAMPLES[leaf]["batteryData"][0], **FIELDS_OF_A_PACK}]}

ABSURD: list[Any] = [
    None, True, False, 0, 1, -1, "", "1", "\x00", "a\x00b", "\ud800", "\udfff\ud800", "\U0010ffff", "é" * 256, "x" * 70_000,
    [], {}, [[]], {"": None}, {"a": {"b": {"c": {}}}}, "NaN", "Infinity", math.nan, math.inf, -math.inf, -0.0, 5e-324, 1.0, 1.5,
    0.1 + 0.2, 1e16, 1.7976931348623157e308, 2**31 - 1, 2**31, 2**32, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**400,
    "0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-11-23T04:00:00", "2026-11-23T04:00:00+23:59",
    "2016-12-31T23:59:60Z", "2026-02-30T00:00:00Z", 1700000000,
]  # fmt: skip
LEVELS = ["denchi", "v1", "0e", "station", STATION, "up", "ack", "+", "#", "", "\x00"]
numbers = st.integers() | st.integers(2**31 - 2, 2**31 + 2) | st.integers(2**63 - 2, 2**63 + 2) | st.floats()
texts = st.text(st.characters(exclude_categories=[]), max_size=60) | st.sampled_from(["\x00", "\ud800", "NaN"])
anything = st.recursive(
    st.none() | st.booleans() | numbers | texts | st.sampled_from(ABSURD),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)


def _paths(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in steps:
        yield (*here, step)
        yield from _paths(inner, (*here, step))


PATHS = [(leaf, path) for leaf in LEAVES for path in _paths(EXAMPLES[leaf])]


def _with(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = new if len(path) == 1 else _with(copy[path[0]], path[1:], new)
    return copy


def _without(value: Any, path: tuple[Any, ...]) -> Any:
    copy = dict(value) if isinstance(value, dict) else list(value)
    if len(path) == 1:
        del copy[path[0]]
    else:
        copy[path[0]] = _without(copy[path[0]], path[1:])
    return copy


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


def _bytes(value: Any, *, ascii_only: bool = True) -> bytes:
    return json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")


def test_the_reasons_are_those_of_the_page() -> None:
    page = (Path(__file__).parents[2] / "docs" / "wire.md").read_text()
    table = page.partition("## Refusals")[2].partition("##")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == REASONS


# --- any bytes, any JSON -----------------------------------------------------------------------------------------


@given(st.sampled_from(LEAVES), st.binary(max_size=400))
@settings(max_examples=400, deadline=None)
def test_any_bytes_on_any_topic_are_refused_by_name(leaf: str, body: bytes) -> None:
    item = judge(up(STATION, leaf), body)
    assert isinstance(item, Refused)
    assert item.reason in {"not_json", "bad_schema"}
    assert item.key is None


@given(st.sampled_from(LEAVES), anything, st.booleans())
@settings(max_examples=400, deadline=None)
def test_any_json_on_any_topic_is_refused_by_name(leaf: str, value: Any, ascii_only: bool) -> None:
    item = judge(up(STATION, leaf), _bytes(value, ascii_only=ascii_only))
    assert isinstance(item, Refused)
    assert item.reason in {"not_json", "bad_schema", "too_large"}


@given(st.text(max_size=80) | st.lists(st.sampled_from(LEVELS)).map("/".join), st.binary(max_size=40))
@settings(max_examples=400, deadline=None)
def test_any_topic_is_refused_by_name(topic: str, body: bytes) -> None:
    item = judge(topic, body)
    assert isinstance(item, Refused)
    if parse_up(topic) is None:
        assert (item.reason, item.station_id, item.key) == ("foreign_topic", None, None)


def test_a_schedule_id_with_a_nul_is_refused_at_the_gate() -> None:
    item = judge(up(STATION, "birth"), _bytes({**EXAMPLES["birth"], "scheduleId": "sch\x00"}))
    assert isinstance(item, Refused)


# --- nearly right ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("leaf", LEAVES)
def test_every_field_of_every_message_withstands_every_absurd_value(leaf: str) -> None:
    for path in _paths(EXAMPLES[leaf]):
        for value in ABSURD:
            item = judge(up(STATION, leaf), _bytes(_with(EXAMPLES[leaf], path, value)))
            if isinstance(item, Refused):
                assert item.reason in {"not_json", "bad_schema", "too_large", "seq_out_of_range"}
        judge(up(STATION, leaf), _bytes(_without(EXAMPLES[leaf], path)))


@given(st.sampled_from(PATHS), st.sampled_from(PATHS), anything, anything, st.booleans())
@settings(max_examples=800, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_message_with_two_fields_broken_passes_or_is_refused_by_name(
    one: tuple[str, tuple[Any, ...]], two: tuple[str, tuple[Any, ...]], first: Any, second: Any, ascii_only: bool
) -> None:
    leaf, path = one
    body = _with(EXAMPLES[leaf], path, first)
    if two[0] == leaf and two[1][: len(path)] != path:
        body = _with(body, two[1], second) if path[: len(two[1])] != two[1] else body
    judge(up(STATION, leaf), _bytes(body, ascii_only=ascii_only))


@pytest.mark.parametrize(("leaf", "path"), PATHS, ids=[f"{leaf}:{'.'.join(map(str, path))}" for leaf, path in PATHS])
def test_a_number_is_no_truth_and_no_word_and_the_other_way_round(leaf: str, path: tuple[Any, ...]) -> None:
    told = _at(EXAMPLES[leaf], path)
    wrong: list[Any] = []
    if isinstance(told, bool):
        wrong = [int(told), str(told).lower(), None]
    elif isinstance(told, int | float):
        wrong = [True, str(told), [told]]
    elif isinstance(told, str):
        wrong = [1, True, [told], {"": told}]
    if "customData" in path[:-1]:
        return  # the maker's own; what is in it means nothing to us
    for value in wrong:
        item = judge(up(STATION, leaf), _bytes(_with(EXAMPLES[leaf], path, value)))
        assert isinstance(item, Refused), (path, value)
        assert item.reason == "bad_schema"


@pytest.mark.parametrize("leaf", LEAVES)
def test_true_is_no_version(leaf: str) -> None:
    assert isinstance(judge(up(STATION, leaf), _bytes({**EXAMPLES[leaf], "v": True})), Refused)


@pytest.mark.parametrize(("wire_name", "python_name"), [("soC", "soc_pct"), ("evseId", "evse_id"), ("tempMaxC", "temp_max_degc")])
def test_a_name_in_python_spelling_is_no_name_of_the_wire(wire_name: str, python_name: str) -> None:
    pack = dict(EXAMPLES["telemetry"]["batteryData"][0])
    pack[python_name] = pack.pop(wire_name)
    assert isinstance(judge(up(STATION, "telemetry"), _bytes({**EXAMPLES["telemetry"], "batteryData": [pack]})), Refused)


@pytest.mark.parametrize("leaf", LEAVES)
def test_nan_and_infinity_are_refused_wherever_a_number_stands(leaf: str) -> None:
    for path in _paths(EXAMPLES[leaf]):
        if isinstance(_at(EXAMPLES[leaf], path), int | float):
            for value in (math.nan, math.inf, -math.inf):
                item = judge(up(STATION, leaf), _bytes(_with(EXAMPLES[leaf], path, value)))
                assert isinstance(item, Refused), (path, value)
                assert item.reason in {"bad_schema", "not_json"}


@pytest.mark.parametrize("leaf", LEAVES)
@pytest.mark.parametrize("text", ["\ud800", "a\udfff", "\udc00\ud800"])
def test_half_of_a_surrogate_pair_is_refused_in_every_spelling(leaf: str, text: str) -> None:
    for path in _paths(EXAMPLES[leaf]):
        if isinstance(_at(EXAMPLES[leaf], path), str):
            for ascii_only in (True, False):
                item = judge(up(STATION, leaf), _bytes(_with(EXAMPLES[leaf], path, text), ascii_only=ascii_only))
                assert isinstance(item, Refused), path
                assert item.reason == "not_json"


@pytest.mark.parametrize(("depth", "opened", "closed"), [(50, "[", "]"), (10_000, "[", "]"), (10_000, '{"a":', "}")])
@pytest.mark.parametrize("leaf", LEAVES)
def test_deep_nesting_is_refused_or_kept_but_never_overflows(leaf: str, depth: int, opened: str, closed: str) -> None:
    deep = opened * depth + "1" + closed * depth
    for hidden in ("newField", "customData"):
        body = _bytes(EXAMPLES[leaf]).decode()
        nested = body.replace('"customData": {', f'"customData": {{"deep": {deep}, ') if hidden == "customData" else body
        nested = nested if hidden == "customData" else body[:-1] + f', "newField": {deep}}}'
        item = judge(up(STATION, leaf), nested.encode())
        if depth > 1000 and nested != body:
            assert isinstance(item, Refused)
            assert item.reason == "not_json"


@given(st.sampled_from([leaf for leaf in LEAVES if leaf != "connection"]), st.integers(1, 2**62), st.integers(1, 2**62))
@settings(max_examples=100, deadline=None)
def test_of_a_key_said_twice_one_counts_and_it_is_the_same_one_for_a_refused_message(leaf: str, first: int, second: int) -> None:
    body = re.sub(rb'"seq": \d+', b'"seq": %d, "seq": %d' % (first, second), _bytes(EXAMPLES[leaf]), count=1)
    taken = judge(up(STATION, leaf), body)
    refused = judge(up(STATION, leaf), body.replace(b'"v": 1', b'"v": 2'))
    assert isinstance(taken, Admitted)
    assert isinstance(refused, Refused)
    assert taken.key == refused.key
    assert taken.key.seq == second


@pytest.mark.parametrize("leaf", LEAVES)
@pytest.mark.parametrize(("size", "reason"), [(MAX_BYTES - 1, None), (MAX_BYTES, None), (MAX_BYTES + 1, "too_large")])
def test_64_kib_are_a_message_and_one_byte_more_is_none(leaf: str, size: int, reason: str | None) -> None:
    body = _bytes(EXAMPLES[leaf])
    item = judge(up(STATION, leaf), body + b" " * (size - len(body)))
    assert (item.reason if isinstance(item, Refused) else None) == reason
    if isinstance(item, Refused):
        assert item.key is None, "nobody reads a body that is too large"


@given(st.integers(-1, 2**31 + 1), st.integers(-1, 2**31 + 1), st.integers(2**63 - 3, 2**63 + 2) | st.integers(-1, 3))
@example(2**31 - 1, 2**31 - 1, 2**63 - 2)
@settings(max_examples=200, deadline=None)
def test_the_ends_of_the_key_are_held(epoch: int, boot: int, seq: int) -> None:
    item = judge(up(STATION, "ack"), _bytes({**EXAMPLES["ack"], "epoch": epoch, "boot": boot, "seq": seq}))
    lawful = 0 <= epoch < 2**31 and 0 <= boot < 2**31
    if lawful and 1 <= seq < 2**63 - 1:
        assert isinstance(item, Admitted)
    else:
        assert isinstance(item, Refused)
        assert item.reason == ("seq_out_of_range" if lawful and seq == 2**63 - 1 else "bad_schema")
        assert item.key is None


@given(st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_admitted_satisfies_the_published_schema_when_it_is_said_again(data: st.DataObject) -> None:
    leaf, path = data.draw(st.sampled_from(PATHS))
    item = judge(up(STATION, leaf), _bytes(_with(EXAMPLES[leaf], path, data.draw(anything))))
    if isinstance(item, Admitted | ConnectionSaid):
        _validator("telemetry" if leaf == "history" else leaf).validate(json.loads(encode(item.message)))


_validators: dict[str, Draft202012Validator] = {}


def _validator(name: str) -> Draft202012Validator:
    if name not in _validators:
        _validators[name] = Draft202012Validator(schemas()[name])
    return _validators[name]
