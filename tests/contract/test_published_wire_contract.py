"""The committed schemas are those of the code, they are valid JSON Schema 2020-12, and encoded messages satisfy them."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from devices.__main__ import SCHEMA_DIR, check_contract
from devices.wire.codec import Refusal, decode, encode
from devices.wire.commands import COMMAND_ARGS, Command
from devices.wire.contract import asyncapi, schemas
from devices.wire.envelope import WireModel
from devices.wire.events import Committed, HostState
from devices.wire.topics import UP

ENVELOPE: dict[str, Any] = {"v": 1, "ts": "2026-11-23T04:00:00.250Z", "epoch": 1, "boot": 57, "seq": 18422}
TOKEN = {"idToken": "rsv_01KATW", "type": "Central"}
CLOCK = {"source": "ntp", "offsetMs": 1.5, "lastSyncAt": "2026-11-23T03:59:00.000Z"}
PACK = {
    "evseId": 3, "serialNumber": "MPP-00012345", "soC": 81.5, "soH": 96.4, "status": "Occupied", "chargingState": "Charging",
    "voltageV": 50.9, "currentA": 9.8, "powerW": 498.8, "tempMinC": 24.1, "tempMaxC": 26.3, "cellMinMv": 3631, "cellMaxMv": 3644,
    "fullCycles": 212.4, "energyInWh": 291400, "energyOutWh": 274100, "minutesHot": 35, "minutesHotCharging": 4, "faults": [],
}  # fmt: skip
SLOT = {"evseId": 3, "status": "Occupied", "accepts": ["MPP"], "zone": "A", "maxChargeDcW": 500.0, "chargerGroup": 1}

MESSAGES: list[tuple[str, type[WireModel], dict[str, Any]]] = [
    (
        "connection",
        UP["connection"],
        {"v": 1, "ts": ENVELOPE["ts"], "epoch": 1, "boot": 2, "session": 3, "online": True, "clock": CLOCK},
    ),
    (
        "birth",
        UP["birth"],
        {
            **ENVELOPE, "vendor": "v", "model": "m", "firmware": "1", "swapOrder": "In-Out", "targetSoC": 95, "maxSoC": 100,
            "timeoutInS": 60, "timeoutOutS": 60, "scheduleId": "s", "clock": CLOCK, "slotState": [SLOT], "batteryData": [PACK],
            "journal": [{"boot": 57, "firstSeq": 18422, "lastSeq": 18422}], "site": {"phases": 3, "maxImportAcW": 6000},
            "lanes": [{"laneId": 1, "cycleS": 180, "automatic": True}],
            "chargerGroups": [{"id": 1, "maxAcW": 6000, "efficiency": 0.93}],
        },
    ),
    ("telemetry", UP["telemetry"], {**ENVELOPE, "batteryData": [PACK]}),
    ("slot", UP["slot"], {**ENVELOPE, "evseId": 3, "status": "Available"}),
    ("lane", UP["lane"], {**ENVELOPE, "laneId": 1, "state": "free"}),
    ("authorize", UP["authorize"], {**ENVELOPE, "requestId": 17, "idToken": TOKEN, "packsIn": [PACK]}),
    ("swap", UP["swap"], {**ENVELOPE, "eventType": "BatteryIn", "requestId": 2**30, "idToken": TOKEN, "batteryData": [PACK]}),
    ("meter", UP["meter"], {**ENVELOPE, "clock": CLOCK, "registers": [{"meterId": "main", "point": "site", "importWh": 123456}]}),
    ("event", UP["event"], {**ENVELOPE, "kind": "safety", "code": "Smoke", "phase": "raised", "severity": "critical"}),
    ("ack", UP["ack"], {**ENVELOPE, "commandId": "01KATX", "status": "Rejected", "reasonCode": "NoBatteryAvailable"}),
    ("committed", Committed, {"epoch": 1, "boot": 57, "seq": 18420}),
    ("host_state", HostState, {"v": 1, "ts": ENVELOPE["ts"], "session": 4, "online": True, "parts": ["00-1f", "3f"]}),
    (
        "command",
        Command,
        {
            "v": 1, "commandId": "01KATX", "name": "RequestBatterySwap", "issuedAt": "2026-11-23T04:00:01.000Z",
            "validUntil": "2026-11-23T04:01:01.000Z", "args": {"requestId": 1734829911, "idToken": TOKEN, "count": 1},
        },
    ),
]  # fmt: skip

ARGS: dict[str, dict[str, Any]] = {
    "RequestBatterySwap": {"requestId": 1734829911, "idToken": TOKEN, "count": 1, "offerSerials": ["MPP-1"], "inSlots": [3]},
    "RefuseSwap": {"requestId": 5, "reasonCode": "Unknown"},
    "CancelSwap": {"requestId": 5},
    "ReserveNow": {"reservationId": "r", "evseId": 1, "expiresAt": "2026-11-23T04:01:01.000Z"},
    "CancelReservation": {"reservationId": "r"},
    "SetChargingProfile": {
        "scheduleId": "sch", "startAt": "2026-11-23T04:00:00.000Z", "fallbackLimitAcW": 500, "maxOfflineDurationS": 86400,
        "rows": [{"evseId": 1, "serialNumber": "MPP-1", "periods": [{"startPeriod": 0, "limitDcW": 500, "targetSoC": 95}]}],
        "site": {"periods": [{"startPeriod": 0, "siteLimitAcW": 6000}]},
        "needReady": [{"packModelId": "MPP", "count": 2, "minUsableWh": 1000, "byAt": "2026-11-23T05:00:00.000Z"}],
    },
    "ChangeAvailability": {"evseId": 1, "operational": False},
    "SetVariables": {"fixedIntervalS": 10},
    "UnlockSlot": {"evseId": 1},
    "SafeState": {"reason": "Drill", "zone": "A"},
    "Resync": {},
    "Replay": {"ranges": [{"epoch": 1, "boot": 57, "first": 1, "last": 9}]},
    "ClearFault": {"evseId": 1},
    "Reset": {"reason": "Update"},
}  # fmt: skip


def test_the_committed_files_are_those_of_the_code() -> None:
    assert check_contract(SCHEMA_DIR) == [], "run `denchi-station contract --write` and look at the difference"


@pytest.mark.parametrize("name", sorted(schemas()))
def test_every_schema_is_valid_json_schema(name: str) -> None:
    schema = schemas()[name]
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(("name", "model", "example"), MESSAGES, ids=[name for name, _, _ in MESSAGES])
def test_an_encoded_example_satisfies_its_schema_and_an_empty_one_does_not(
    name: str, model: type[WireModel], example: dict[str, Any]
) -> None:
    message = decode(model, json.dumps(example).encode())
    assert not isinstance(message, Refusal), message
    validator = Draft202012Validator(schemas()[name])
    validator.validate(json.loads(encode(message)))
    assert not validator.is_valid({})
    assert json.loads(encode(message)).keys() >= example.keys(), "every field of the example is known and said again"


@pytest.mark.parametrize("name", sorted(ARGS))
def test_every_commands_arguments_satisfy_their_schema(name: str) -> None:
    args = COMMAND_ARGS[name].model_validate(ARGS[name])
    validator = Draft202012Validator(schemas()[f"command.{name}"])
    validator.validate(json.loads(encode(args)))
    assert not validator.is_valid({**ARGS[name], "unknownField": 1}), "arguments are closed"


def test_every_defined_message_and_command_has_an_example_here() -> None:
    assert {name for name, _, _ in MESSAGES} | {"history"} == set(UP) | {"committed", "host_state", "command"}
    assert set(ARGS) == set(COMMAND_ARGS)


def test_the_asyncapi_document_names_every_topic_and_every_reference_resolves() -> None:
    document = asyncapi()
    assert document["asyncapi"] == "3.0.0"
    assert set(document["channels"]) == set(UP) | {"command", "committed", "host"}
    assert document["channels"]["birth"]["address"] == "denchi/v1/{part}/station/{stationId}/up/birth"
    for channel in document["channels"].values():
        for name, message in channel["messages"].items():
            assert message["$ref"] == f"#/components/messages/{name}"
            payload = document["components"]["messages"][name]["payload"]["$ref"]
            assert (SCHEMA_DIR / payload).is_file()
    for operation in document["operations"].values():
        assert operation["channel"]["$ref"].removeprefix("#/channels/") in document["channels"]
