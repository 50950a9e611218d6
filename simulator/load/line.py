"""One connection to the broker that only publishes at QoS 1: a bounded window, whole bursts in one write.

paho opens it (names, TLS, login); from then on its socket is ours. paho's own `publish` costs more than making the message and
would leave no room on the machine for what is to be measured.
"""

import select
import ssl
import time
from collections import deque
from collections.abc import Iterable
from typing import Any

from paho.mqtt.client import Client, ConnectFlags
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from devices.link.address import LinkAddress
from simulator.load.bodies import Packet

KEEPALIVE_S = 60
_PING_AFTER_S = 20.0
_DEAF_AFTER_S = 45.0
"""Guess: without any answer for so long while one is owed, a connection is dead."""
_RETRY_S = 0.5
_CONNECT_PATIENCE_S = 5.0
_BURST_BYTES = 256 * 1024
"""Guess: handed to the kernel at once; more only lies in memory."""

# Source: MQTT 3.1.1, sections 2.2, 3.3, 3.4, 3.12 to 3.14.
_PUBLISH_QOS1, _DUP, _RETAIN = 0x32, 0x08, 0x01
_PUBACK, _PINGRESP = 0x40, 0xD0
_PINGREQ, _DISCONNECT = b"\xc0\x00", b"\xe0\x00"
_LAST_MID = 65_535


class LineRefusedError(ConnectionError):
    """The broker does not let us in: wrong login, or no room. Trying again is in vain."""


class Line:
    """A publishing connection that comes back by itself and then sends again what was not acknowledged.

    Parameters
    ----------
    window : most messages on their way at once.

    Attributes
    ----------
    acknowledged, connects : how many messages, how many times.
    trouble : why the last try to connect failed.
    """

    def __init__(self, address: LinkAddress, client_id: str, window: int) -> None:
        self._address = address
        self._client_id = client_id
        self._window = window
        self._paho: Client | None = None
        self._socket: Any = None
        self._waiting: deque[Packet] = deque()
        self._on_its_way: dict[int, tuple[int, bytes]] = {}
        self._unsent = memoryview(b"")
        self._partial = b""
        self._mid = 0
        self._retry_at = 0.0
        self._wrote_at = self._heard_at = 0.0
        self.acknowledged = 0
        self.trouble = ""
        self.connects = 0

    @property
    def waiting(self) -> int:
        """How many messages are not acknowledged yet."""
        return len(self._waiting) + len(self._on_its_way)

    @property
    def first_step(self) -> int | None:
        """The lowest step of which something is not acknowledged yet; None: nothing is owed."""
        if self._on_its_way:
            # Oldest first; after a message that waited longer only newer ones follow.
            return next(iter(self._on_its_way.values()))[0]
        return self._waiting[0].step if self._waiting else None

    @property
    def socket(self) -> Any:
        """What to wait on with `select`; None while disconnected."""
        return self._socket

    @property
    def wants_write(self) -> bool:
        """Whether bytes lie here that the kernel did not take."""
        return len(self._unsent) > 0

    @property
    def is_full(self) -> bool:
        """Whether messages wait for the acknowledgement of others."""
        return len(self._waiting) > 0

    @property
    def has_unread(self) -> bool:
        """Whether TLS holds bytes that `select` does not see."""
        return isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0

    def put(self, packets: Iterable[Packet]) -> None:
        """Take packets to send; steps never fall."""
        self._waiting.extend(packets)

    def pump(self) -> bool:
        """Send what the window allows, read what there is; return whether anything moved. Comes back from a lost connection.

        Raises
        ------
        LineRefusedError
            When the broker answers and says no.
        """
        now = time.monotonic()
        if self._socket is None and (now < self._retry_at or not self._open()):
            return False
        try:
            moved = self._read(now)
            moved |= self._write(now)
            if self._on_its_way and now - max(self._heard_at, 0.0) > _DEAF_AFTER_S:
                raise ConnectionError("the broker does not answer")
        except (OSError, ssl.SSLError):
            self._drop()
            return False
        return moved

    def close(self) -> None:
        """Say goodbye; what is not acknowledged stays so."""
        if self._socket is not None:
            try:
                if not self.wants_write:
                    self._socket.send(_DISCONNECT)
            except OSError:
                pass
            self._drop()

    # --- opening ---------------------------------------------------------------------------------------------------------

    def _open(self) -> bool:
        answer: list[ReasonCode] = []

        def connected(
            _client: Client, _data: object, _flags: ConnectFlags, reason: ReasonCode, _properties: Properties | None
        ) -> None:
            answer.append(reason)

        client = Client(CallbackAPIVersion.VERSION2, self._client_id, clean_session=True, protocol=MQTTProtocolVersion.MQTTv311)
        client.connect_timeout = _CONNECT_PATIENCE_S
        client.on_connect = connected
        if self._address.user is not None:
            client.username_pw_set(self._address.user, self._address.password)
        if self._address.ca_file is not None:
            client.tls_set_context(ssl.create_default_context(cafile=str(self._address.ca_file)))
        deadline = time.monotonic() + _CONNECT_PATIENCE_S
        try:
            client.connect(self._address.host, self._address.port, KEEPALIVE_S)
            while not answer and (sock := client.socket()) is not None and time.monotonic() < deadline:
                client.loop_write()
                if select.select([sock], [], [], 0.1)[0]:
                    client.loop_read()
        except (OSError, ValueError) as error:
            answer.clear()
            self.trouble = str(error)
        self._retry_at = time.monotonic() + _RETRY_S
        if answer and answer[0].is_failure:
            raise LineRefusedError(f"the broker refuses {self._client_id}: {answer[0]}")
        if not answer or client.socket() is None:
            return False
        self._paho, self._socket = client, client.socket()
        self._socket.setblocking(False)
        self._partial = b""
        self._wrote_at = self._heard_at = time.monotonic()
        self.connects += 1
        # In the old order and marked as sent before; the broker may have taken any of them.
        again = [bytes((packet[0] | _DUP,)) + packet[1:] for _, packet in self._on_its_way.values()]
        self._unsent = memoryview(b"".join(again))
        return True

    def _drop(self) -> None:
        sock, self._socket, self._paho = self._socket, None, None
        self._unsent = memoryview(b"")
        self._retry_at = time.monotonic() + _RETRY_S
        if sock is not None:
            sock.close()

    # --- bytes -----------------------------------------------------------------------------------------------------------

    def _write(self, now: float) -> bool:
        if not self._unsent:
            burst = self._burst()
            if not burst and now - self._wrote_at > _PING_AFTER_S:
                burst = [_PINGREQ]
            if not burst:
                return False
            self._unsent = memoryview(b"".join(burst))
        try:
            sent = self._socket.send(self._unsent)
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return False
        self._unsent = self._unsent[sent:]
        self._wrote_at = now
        return True

    def _burst(self) -> list[bytes]:
        burst: list[bytes] = []
        size = 0
        waiting, on_its_way = self._waiting, self._on_its_way
        if not on_its_way:
            self._heard_at = time.monotonic()  # nothing was owed until now
        if len(waiting) > self._window - len(on_its_way) < self._window // 8:
            return burst  # a few at a time would cost more calls than messages
        while waiting and len(on_its_way) < self._window and size < _BURST_BYTES:
            packet = waiting.popleft()
            mid = self._mid % _LAST_MID + 1
            while mid in on_its_way:
                mid = mid % _LAST_MID + 1
            self._mid = mid
            topic, body = packet.topic, packet.body
            flags = _PUBLISH_QOS1 | _RETAIN if packet.retain else _PUBLISH_QOS1
            whole = b"".join((header(flags, len(topic) + 2 + len(body)), topic, mid.to_bytes(2, "big"), body))
            on_its_way[mid] = (packet.step, whole)
            burst.append(whole)
            size += len(whole)
        return burst

    def _read(self, now: float) -> bool:
        try:
            data: bytes = self._socket.recv(65_536)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        if not data:
            raise ConnectionError("the broker has closed the connection")
        self._heard_at = now
        data = self._partial + data
        at, end = 0, len(data)
        on_its_way = self._on_its_way
        while end - at >= 2:
            kind = data[at]
            if kind == _PUBACK:
                if end - at < 4:
                    break
                if on_its_way.pop(data[at + 2] << 8 | data[at + 3], None) is not None:
                    self.acknowledged += 1
                at += 4
            elif kind == _PINGRESP:
                at += 2
            else:
                raise ConnectionError(f"the broker sent a packet of type {kind >> 4} to a connection that only publishes")
        self._partial = data[at:]
        return True


def header(flags: int, length: int) -> bytes:
    """Return the fixed header of an MQTT packet with `length` bytes behind it."""
    if length < 128:
        return bytes((flags, length))
    if length < 16_384:
        return bytes((flags, length & 127 | 128, length >> 7))
    return bytes((flags, length & 127 | 128, length >> 7 & 127 | 128, length >> 14))
