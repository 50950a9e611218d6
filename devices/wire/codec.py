"""Bytes to messages and back. The pydantic models are the only definition; this is the only way through them."""

from dataclasses import dataclass
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import from_json

from devices.wire.commands import COMMAND_ARGS, Command
from devices.wire.envelope import INT32_MAX, INT63_MAX, ClosedModel, WireModel

MAX_BYTES = 65_536
"""Largest body either side sends or accepts (64 KiB)."""

REFUSAL_REASONS = ("too_large", "not_json", "bad_schema")

Model = TypeVar("Model", bound=WireModel)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why bytes are no message. `reason` is one of `REFUSAL_REASONS`; `detail` is for people."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Key:
    """What orders and identifies a message of one station: compared as (epoch, boot, seq)."""

    epoch: int
    boot: int
    seq: int


def decode(model: type[Model], body: bytes) -> Model | Refusal:
    """Return the message in `body`, or why there is none. Never raises, whatever the bytes."""
    if len(body) > MAX_BYTES:
        return Refusal("too_large", f"{len(body)} bytes, at most {MAX_BYTES}")
    try:
        return model.model_validate_json(body, strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        detail = f"{where}: {first['msg']}" if where else first["msg"]
        return Refusal("not_json" if first["type"] == "json_invalid" else "bad_schema", detail[:500])
    except (ValueError, OverflowError, RecursionError) as error:
        return Refusal("bad_schema", str(error)[:500])


def encode(message: WireModel) -> bytes:
    """Return the body of a message; absent optional fields are left out."""
    return message.model_dump_json(by_alias=True, exclude_none=True).encode()


def key_of(body: bytes) -> Key | None:
    """Return the key of a body that may be refused for other reasons, or None when it cannot be read."""
    if len(body) > MAX_BYTES:
        return None
    try:
        loose = from_json(body)
    except ValueError:
        return None
    if not isinstance(loose, dict):
        return None
    epoch, boot, seq = loose.get("epoch"), loose.get("boot"), loose.get("seq")
    if type(epoch) is not int or type(boot) is not int or type(seq) is not int:
        return None
    if 0 <= epoch <= INT32_MAX and 0 <= boot <= INT32_MAX and 1 <= seq <= INT63_MAX:
        return Key(epoch, boot, seq)
    return None


def command_args(command: Command) -> ClosedModel | Refusal:
    """Return the arguments of a command as the model its name asks for."""
    model = COMMAND_ARGS.get(command.name)
    if model is None:
        return Refusal("bad_schema", f"command {command.name} is not defined")
    try:
        return model.model_validate(command.args, by_alias=True, by_name=False)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        return Refusal("bad_schema", f"{'.'.join(str(step) for step in first['loc'])}: {first['msg']}"[:500])
