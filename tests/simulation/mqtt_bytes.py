"""How many bytes an MQTT 3.1.1 control packet has. Source: OASIS MQTT 3.1.1, sections 2.2 and 3; no TLS, no TCP, no IP."""

from collections.abc import Sequence


def packet_bytes(remaining: int) -> int:
    """A control packet whose variable header and payload have `remaining` bytes: type, length (7 bits a byte), rest."""
    length_bytes = 1 if remaining < 128 else 2 if remaining < 16_384 else 3 if remaining < 2_097_152 else 4
    return 1 + length_bytes + remaining


def publish_bytes(topic: str, body: bytes, qos: int) -> int:
    """PUBLISH: the topic with its length, at QoS 1 a packet id, the body."""
    return packet_bytes(2 + len(topic.encode()) + (2 if qos else 0) + len(body))


def connect_bytes(client_id: str, will: tuple[str, bytes], user: str, password: str) -> int:
    """CONNECT: "MQTT" with its length, level, flags, keepalive, then client id, will and login, each with its length."""
    texts = (client_id.encode(), will[0].encode(), will[1], user.encode(), password.encode())
    return packet_bytes(6 + 1 + 1 + 2 + sum(2 + len(text) for text in texts))


def subscribe_bytes(filters: Sequence[str]) -> int:
    """SUBSCRIBE: a packet id, then each filter with its length and its QoS."""
    return packet_bytes(2 + sum(2 + len(topic.encode()) + 1 for topic in filters))


def suback_bytes(filters: Sequence[str]) -> int:
    """SUBACK: a packet id and one code for each filter."""
    return packet_bytes(2 + len(filters))


PUBACK, CONNACK, PING = packet_bytes(2), packet_bytes(2), packet_bytes(0)
