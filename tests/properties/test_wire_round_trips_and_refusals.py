"""Every message survives the wire unchanged, and no bytes whatsoever make the codec raise."""

import json
from datetime import UTC
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from devices.wire.codec import Key, Refusal, command_args, decode, encode, key_of
from devices.wire.commands import COMMAND_ARGS, Command
from devices.wire.envelope import WireModel
from devices.wire.events import Committed, HostState
from devices.wire.topics import UP
from tests.contract.test_published_wire_contract import ARGS, MESSAGES

MODELS: dict[str, type[WireModel]] = {**UP, "committed": Committed, "host_state": HostState, "command": Command}
EXAMPLES = {name: example for name, _, example in MESSAGES}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=60),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
percents = st.floats(0, 100)
numbers = st.integers(0, 2**31 - 1)
instants = st.datetimes(timezones=st.just(UTC)).map(lambda t: t.replace(year=2000 + t.year % 100, microsecond=0))
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=40)


def _paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    paths = [here]
    if isinstance(value, dict):
        for key, inner in value.items():
            paths += _paths(inner, (*here, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            paths += _paths(inner, (*here, index))
    return paths


def _with(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = _with(copy[path[0]], path[1:], new)
    return copy


@st.composite
def packs(draw: st.DrawFn) -> dict[str, Any]:
    pack: dict[str, Any] = {
        "evseId": draw(st.integers(1, 999)), "serialNumber": draw(words), "soC": draw(percents), "soH": draw(percents),
    }  # fmt: skip
    optional: dict[str, st.SearchStrategy[Any]] = {
        "packModelId": words, "voltageV": st.floats(0, 1000), "currentA": st.floats(-1000, 1000), "powerW": st.floats(-1e5, 1e5),
        "tempMinC": st.floats(-50, 150), "tempMaxC": st.floats(-50, 150), "cellMinMv": st.integers(0, 6000),
        "energyInWh": st.integers(0, 2**63 - 1), "minutesHot": numbers, "faults": st.lists(words, max_size=3),
        "customData": st.dictionaries(words, st.integers() | words | st.booleans(), max_size=3),
        "chargingState": st.sampled_from(["Idle", "Charging", "SuspendedEVSE"]),
    }  # fmt: skip
    for name in draw(st.sets(st.sampled_from(sorted(optional)))):
        pack[name] = draw(optional[name])
    return pack


@st.composite
def messages(draw: st.DrawFn) -> tuple[type[WireModel], dict[str, Any]]:
    """A lawful message of any kind: an example with drawn keys, instants, packs, words."""
    name = draw(st.sampled_from(sorted(MODELS)))
    body = dict(EXAMPLES["telemetry" if name == "history" else name])
    for key in ("epoch", "boot"):
        if key in body:
            body[key] = draw(numbers)
    if "seq" in body:
        body["seq"] = draw(st.integers(1, 2**63 - 1))
    if "session" in body:
        body["session"] = draw(st.integers(0, 2**63 - 1))
    if "ts" in body:
        body["ts"] = draw(instants).isoformat()
    if "batteryData" in body:
        body["batteryData"] = draw(st.lists(packs(), max_size=4))
    for key in ("code", "reasonCode", "commandId", "traceparent", "name"):
        if key in body:
            body[key] = draw(words)
    if name == "command":
        body["args"] = draw(st.dictionaries(words, st.integers() | words, max_size=3))
    return MODELS[name], body


@given(messages())
@settings(max_examples=300, deadline=None)
def test_a_message_survives_encode_and_decode_unchanged(case: tuple[type[WireModel], dict[str, Any]]) -> None:
    model, body = case
    message = decode(model, json.dumps(body).encode())
    assert isinstance(message, model), message
    again = decode(model, encode(message))
    assert again == message
    assert isinstance(again, model)
    assert encode(again) == encode(message)


@given(st.sampled_from(sorted(MODELS)), st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_arbitrary_bytes_are_refused_and_never_raise(name: str, body: bytes) -> None:
    assert isinstance(decode(MODELS[name], body), Refusal)
    assert key_of(body) is None


@given(st.sampled_from(sorted(EXAMPLES)), st.data())
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_message_with_one_thing_replaced_is_decoded_or_refused_but_never_raises(name: str, data: st.DataObject) -> None:
    example = EXAMPLES[name]
    path = data.draw(st.sampled_from(_paths(example)))
    mutated = json.dumps(_with(example, path, data.draw(json_values))).encode()
    outcome = decode(MODELS[name], mutated)
    assert isinstance(outcome, (Refusal, WireModel))
    key_of(mutated)
    if isinstance(outcome, WireModel):
        assert b"NaN" not in encode(outcome)
        assert decode(MODELS[name], encode(outcome)) == outcome


@given(st.sampled_from(sorted(EXAMPLES)), st.integers(0, 400), st.binary(min_size=1, max_size=4))
@settings(max_examples=200, deadline=None)
def test_damaged_bytes_never_raise(name: str, at: int, damage: bytes) -> None:
    body = json.dumps(EXAMPLES[name]).encode()
    damaged = body[:at] + damage + body[at + len(damage) :]
    assert isinstance(decode(MODELS[name], damaged), (Refusal, WireModel))
    key_of(damaged)


@given(st.sampled_from(sorted(COMMAND_ARGS)), st.data())
@settings(max_examples=300, deadline=None)
def test_arguments_with_one_thing_replaced_are_read_or_refused_but_never_raise(name: str, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(_paths(ARGS[name])))
    args = _with(ARGS[name], path, data.draw(json_values))
    command = {**EXAMPLES["command"], "name": name, "args": args}
    decoded = decode(Command, json.dumps(command).encode())
    if isinstance(decoded, Command):
        assert isinstance(command_args(decoded), (Refusal, WireModel))


@given(numbers, numbers, st.integers(1, 2**63 - 1))
def test_the_key_of_a_refused_message_can_still_be_read(epoch: int, boot: int, seq: int) -> None:
    body = json.dumps({"epoch": epoch, "boot": boot, "seq": seq, "ts": "never"}).encode()
    assert isinstance(decode(UP["ack"], body), Refusal)
    assert key_of(body) == Key(epoch, boot, seq)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("soC", float("nan")),
        ("soC", 100.1),
        ("soC", float("inf")),
        ("evseId", 0),
        ("serialNumber", ""),
        ("serialNumber", "a\x00"),
        ("odd", 1),
    ],
)
def test_absurd_readings_are_refused(field: str, value: object) -> None:
    body = _with(EXAMPLES["telemetry"], ("batteryData", 0), {**EXAMPLES["telemetry"]["batteryData"][0], field: value})
    outcome = decode(UP["telemetry"], json.dumps(body).encode())
    assert isinstance(outcome, Refusal)
    assert outcome.reason in {"bad_schema", "not_json"}


def test_more_than_64_kib_is_refused_unread() -> None:
    outcome = decode(UP["ack"], b" " * 65_537)
    assert isinstance(outcome, Refusal)
    assert outcome.reason == "too_large"


def test_unknown_fields_are_tolerated_in_the_envelope_and_kept_to_be_counted() -> None:
    outcome = decode(UP["ack"], json.dumps({**EXAMPLES["ack"], "newField": 1}).encode())
    assert not isinstance(outcome, (Refusal, ValidationError))
    assert outcome.model_extra == {"newField": 1}
