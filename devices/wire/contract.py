"""The published contract: JSON Schemas (2020-12) of every message and one AsyncAPI 3 document. Made from the models; pure."""

import json
from typing import Any

from pydantic import BaseModel

from devices.wire.commands import COMMAND_ARGS, Command
from devices.wire.events import Committed, HostState
from devices.wire.topics import ROOT, UP

_DIALECT = "https://json-schema.org/draft/2020-12/schema"

_SUMMARIES = {
    "connection": "Retained, and the MQTT will: the station is online or gone.",
    "birth": "Everything about the station, after each connect and on Resync.",
    "telemetry": "Packs whose readings changed beyond their dead band, or were due.",
    "history": "Telemetry sent again, body unchanged; at most 2 messages/s and 20 not yet committed.",
    "slot": "A slot changed.",
    "lane": "A lane changed (automatic stations).",
    "authorize": "Somebody asks for a swap at the station itself; answered within 3 s.",
    "swap": "Packs of a swap went in or out, or were not taken.",
    "meter": "Energy registers, aligned to :00/:30 and every 5 minutes.",
    "event": "Something happened: safety before everything else.",
    "ack": "The answer to a command.",
}


def schemas() -> dict[str, dict[str, Any]]:
    """Return the JSON Schema of every message and of every command's arguments, by file name without ``.json``."""
    found = {leaf: _schema(model) for leaf, model in UP.items() if leaf != "history"}
    found["command"] = _schema(Command)
    found["committed"] = _schema(Committed)
    found["host_state"] = _schema(HostState)
    found.update({f"command.{name}": _schema(model) for name, model in COMMAND_ARGS.items()})
    return found


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return {"$schema": _DIALECT, **model.model_json_schema(by_alias=True, mode="validation")}


def asyncapi() -> dict[str, Any]:
    """Return the AsyncAPI 3 document of contract v1, written from the station's side."""
    station = {
        "stationId": {"description": "1 to 48 of A-Z a-z 0-9 _ -; the MQTT user name and client id."},
        "part": {"description": "crc32(stationId) mod 64 as two lower-case hex digits.", "examples": ["00", "3f"]},
    }
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    messages: dict[str, Any] = {}

    def add(name: str, address: str, action: str, schema: str, summary: str, parameters: dict[str, Any], retain: bool) -> None:
        messages.setdefault(schema, {"name": schema, "contentType": "application/json", "payload": {"$ref": f"./{schema}.json"}})
        channels[name] = {
            "address": address,
            "parameters": parameters,
            "messages": {schema: {"$ref": f"#/components/messages/{schema}"}},
        }
        operations[f"{action}_{name}"] = {
            "action": action,
            "channel": {"$ref": f"#/channels/{name}"},
            "summary": summary,
            "bindings": {"mqtt": {"qos": 1 if action == "send" else 0, "retain": retain}},
        }

    for leaf in UP:
        schema = "telemetry" if leaf == "history" else leaf
        address = f"{ROOT}/{{part}}/station/{{stationId}}/up/{leaf}"
        add(leaf, address, "send", schema, _SUMMARIES[leaf], station, retain=leaf == "connection")
    down = f"{ROOT}/{{part}}/station/{{stationId}}/down"
    add("command", f"{down}/command", "receive", "command", "One command; `args` by its name.", station, retain=False)
    add(
        "committed",
        f"{down}/committed",
        "receive",
        "committed",
        "Messages 1 to seq of a boot are stored.",
        station,
        retain=False,
    )
    host = {"hostId": {"description": "Name of an ingest worker."}}
    add("host", f"{ROOT}/host/{{hostId}}/state", "receive", "host_state", "An ingest worker: birth, will.", host, retain=True)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "denchi station contract",
            "version": "1.0.0",
            "description": "MQTT 3.1.1, JSON in UTF-8, at most 64 KiB. Additive change inside v1. OCPP `Available` = slot EMPTY.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages},
    }


def files() -> dict[str, str]:
    """Return every generated file: name -> text."""
    documents: dict[str, Any] = {f"{name}.json": schema for name, schema in schemas().items()}
    documents["asyncapi.json"] = asyncapi()
    return {
        name: json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n" for name, document in documents.items()
    }
