"""Who may say what: bytes from the broker into messages, or a refusal with a name. Pure."""

from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from devices.wire.codec import Key, Refusal, decode, key_of
from devices.wire.envelope import INT63_MAX, Envelope
from devices.wire.events import Connection
from devices.wire.ids import part_of
from devices.wire.topics import UP, parse_up
from service.domain.observation import MessageKey

RefusalReason = Literal[
    "too_large", "not_json", "bad_schema", "foreign_topic", "unknown_station", "not_ours", "seq_out_of_range", "not_storable"
]

SEQ_END = INT63_MAX
"""First seq that cannot be kept: a half-open range ends one above it, and PostgreSQL's bigint ends here."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """A lawful message with its key."""

    station_id: str
    leaf: str
    key: MessageKey
    message: Envelope
    received_at: datetime
    topic: str
    body: bytes


@dataclass(frozen=True, slots=True)
class ConnectionSaid:
    """The connection message of a station; it has no seq. `retained`: the broker's memory, nothing that was said now."""

    station_id: str
    message: Connection
    received_at: datetime
    retained: bool
    topic: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """A message that is not taken. With a station and a key it still counts as settled."""

    topic: str
    body: bytes
    reason: RefusalReason
    detail: str
    received_at: datetime
    station_id: str | None = None
    key: MessageKey | None = None


Item = Admitted | ConnectionSaid | Refused


def admit(
    topic: str, body: bytes, received_at: datetime, *, known: Container[str], parts: Container[int], retained: bool = False
) -> Item:
    """Judge one message. Never raises, whatever the bytes.

    Parameters
    ----------
    received_at : fleet instant.
    known : registered stations.
    parts : parts of the topic tree that this worker owns.
    """
    said = parse_up(topic)
    if said is None:
        return Refused(topic, body, "foreign_topic", "no station topic of this contract", received_at)
    if int(part_of(said.station_id), 16) not in parts:
        return Refused(topic, body, "not_ours", "another worker owns this part", received_at)
    if said.station_id not in known:
        return Refused(topic, body, "unknown_station", "the station is not registered", received_at)
    message = decode(UP[said.leaf], body)
    if isinstance(message, Refusal):
        # `connection` has no seq; whatever looks like one there settles nothing.
        key = None if said.leaf == "connection" else _readable(key_of(body))
        return Refused(topic, body, _REASONS[message.reason], message.detail, received_at, said.station_id, key)
    if isinstance(message, Connection):
        return ConnectionSaid(said.station_id, message, received_at, retained, topic, body)
    if not isinstance(message, Envelope):  # pragma: no cover - every other topic has an envelope
        return Refused(topic, body, "bad_schema", "no envelope", received_at, said.station_id)
    if message.seq >= SEQ_END:
        return Refused(topic, body, "seq_out_of_range", f"seq {message.seq}", received_at, said.station_id)
    return Admitted(
        said.station_id, said.leaf, MessageKey(message.epoch, message.boot, message.seq), message, received_at, topic, body
    )


_REASONS: dict[str, RefusalReason] = {"too_large": "too_large", "not_json": "not_json", "bad_schema": "bad_schema"}


def _readable(key: Key | None) -> MessageKey | None:
    return None if key is None or key.seq >= SEQ_END else MessageKey(key.epoch, key.boot, key.seq)
