"""One MQTT session on asyncio: TLS, credentials, manual acknowledgement, reconnection. Knows no message.

paho-mqtt runs its own network thread, so that keepalive goes on whatever the event loop does. What it receives goes into a
bounded deque and wakes the loop once per burst. A message that finds the deque full is left unacknowledged: the broker keeps it
and delivers it again.
"""

import asyncio
import ssl
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import structlog
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

KEEPALIVE_S = 30
"""Guess: a dead connection is noticed within 45 s."""

PUBACK_PATIENCE_S = 10.0
"""Guess: wall seconds after which a publish without PUBACK counts as not done."""

RECONNECT_MAX_S = 5
"""Guess: longest wall seconds between two tries."""

OUT_IN_FLIGHT = 1000
"""Guess: most own QoS 1 messages that wait for a PUBACK at once."""

log = structlog.get_logger()


class BrokerAwayError(ConnectionError):
    """The broker cannot be reached, or did not take a message in time. Try again."""


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where a broker is and who we are there. With `ca_file` the connection is TLS."""

    host: str
    port: int
    user: str | None
    password: str | None
    ca_file: Path | None = None


class _TidySocket(ssl.SSLSocket):
    """Close when the handshake fails: paho would leave the socket open for the garbage collector to find."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


def _trust(ca_file: Path) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=str(ca_file))
    except (OSError, ValueError) as error:
        raise OSError(f"the CA file {ca_file} cannot be used: {error}") from error
    context.sslsocket_class = _TidySocket
    return context


class Received(NamedTuple):
    """One message as the broker delivered it. `generation` names the connection its `mid` belongs to; 0 as `mid`: QoS 0."""

    topic: str
    body: bytes
    mid: int
    retained: bool
    generation: int


class Broker:
    """One MQTT 3.1.1 session. Use it as an async context manager; entering does not wait for the connection."""

    def __init__(
        self,
        address: BrokerAddress,
        client_id: str,
        *,
        clean_session: bool = True,
        will: tuple[str, bytes, bool] | None = None,
        subscriptions: Sequence[tuple[str, int]] = (),
        queue_size: int = 4096,
        on_connected: Callable[[], None] | None = None,
    ) -> None:
        """Prepare a session.

        Parameters
        ----------
        will : topic, body, retain; sent at QoS 1 by the broker when the connection dies.
        subscriptions : filters with their QoS, asked for at each connect.
        queue_size : most messages taken from the broker and not yet taken by `take`.
        on_connected : called on the event loop after each connect, once all subscriptions are granted.

        Raises
        ------
        OSError
            The CA file cannot be used. It is read once: a new CA is for the next process.
        """
        self._address = address
        self._client_id = client_id
        self._subscriptions = list(subscriptions)
        self._queue_size = queue_size
        self._on_connected = on_connected
        self._received: deque[Received] = deque()
        self._arrived = asyncio.Event()
        self._connected = asyncio.Event()
        self._woken = False
        self._left_with_broker = 0
        self._away_reason: str | None = None
        self._accepted: bool | None = None
        # Taken by paho's thread when the connection changes and by `acknowledge`: a mid must never reach the next connection.
        self._guard = threading.Lock()
        self._generation = 0
        self._unacked_subscriptions: set[int] = set()
        self._pending: dict[int, asyncio.Future[None]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=clean_session, protocol=paho.MQTTv311, manual_ack=True
        )
        self._client.max_inflight_messages_set(OUT_IN_FLIGHT)
        self._client.reconnect_delay_set(min_delay=1, max_delay=RECONNECT_MAX_S)
        if address.user is not None:
            self._client.username_pw_set(address.user, address.password)
        if address.ca_file is not None:
            self._client.tls_set_context(_trust(address.ca_file))
        if will is not None:
            topic, body, retain = will
            self._client.will_set(topic, body, qos=1, retain=retain)
        self._client.on_pre_connect = self._before_connect
        self._client.on_connect = self._connack
        self._client.on_connect_fail = self._connect_failed
        self._client.on_subscribe = self._suback
        self._client.on_disconnect = self._lost
        self._client.on_message = self._message
        self._client.on_publish = self._puback

    @property
    def is_connected(self) -> bool:
        """Whether the session is up and its subscriptions are granted."""
        return self._connected.is_set()

    @property
    def left_with_broker(self) -> int:
        """How many messages found the queue full and will be delivered again."""
        return self._left_with_broker

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._client.connect_async(self._address.host, self._address.port, keepalive=KEEPALIVE_S)
        self._client.loop_start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._client.disconnect()
        # The thread may be in a connect that only its own timeout ends; joining it must not hold the event loop.
        await asyncio.to_thread(self._client.loop_stop)
        self._fail_pending()

    async def wait_connected(self, patience_s: float | None = None) -> bool:
        """Wait until the session is up; return False when that takes longer than `patience_s` wall seconds."""
        try:
            await asyncio.wait_for(self._connected.wait(), patience_s)
        except TimeoutError:
            return False
        return True

    async def take(self, max_count: int, linger_s: float) -> list[Received]:
        """Wait for a message, linger for more, and return up to `max_count` in the order of arrival."""
        while not self._received:
            self._arrived.clear()
            self._woken = False
            # A message may have come between the look and the clear.
            if not self._received:
                await self._arrived.wait()
        if len(self._received) < max_count and linger_s > 0:
            await asyncio.sleep(linger_s)
        return [self._received.popleft() for _ in range(min(max_count, len(self._received)))]

    def acknowledge(self, received: Received) -> None:
        """Let the broker forget a message. A message of an older connection is ignored: it will be delivered again."""
        if received.mid == 0:
            return
        with self._guard:
            if received.generation == self._generation:
                self._client.ack(received.mid, 1)

    async def publish(self, topic: str, body: bytes, qos: int = 1, retain: bool = False) -> None:
        """Publish; at QoS 1 return when the broker has taken it over.

        Raises
        ------
        BrokerAwayError
            Not connected, or no PUBACK in time. The message may or may not have been delivered.
        """
        if not self._connected.is_set():
            raise BrokerAwayError("not connected to the broker")
        info = self._client.publish(topic, body, qos=qos, retain=retain)
        if info.rc not in (MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_NO_CONN):
            raise BrokerAwayError(f"publish failed: {info.rc!r}")
        if qos == 0:
            return
        # paho answers through call_soon_threadsafe, so not before this function first waits: the future is always there.
        waiter = asyncio.get_running_loop().create_future()
        self._pending[info.mid] = waiter
        try:
            await asyncio.wait_for(waiter, PUBACK_PATIENCE_S)
        except TimeoutError:
            raise BrokerAwayError("no PUBACK in time") from None
        finally:
            self._pending.pop(info.mid, None)

    # --- paho's thread -------------------------------------------------------------------------------------------------

    def _tell_loop(self, call: Callable[..., None], *args: Any) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(call, *args)

    def _before_connect(self, _client: paho.Client, _userdata: object) -> None:
        with self._guard:
            self._generation += 1
        self._accepted = None

    def _connect_failed(self, _client: paho.Client, _userdata: object) -> None:
        # paho calls this where it handles the exception, and hands it to nobody.
        self._say_away(str(sys.exception()))

    def _say_away(self, reason: str) -> None:
        """Log why there is no session, once for each new reason."""
        if reason != self._away_reason:
            self._away_reason = reason
            address = self._address
            log.error(
                "broker.away",
                client_id=self._client_id,
                broker=f"{address.host}:{address.port}",
                tls=address.ca_file is not None,
                reason=reason,
            )

    def _connack(
        self,
        client: paho.Client,
        _userdata: object,
        _flags: paho.ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._accepted = not reason.is_failure
        if reason.is_failure:
            self._say_away(f"it refuses us: {reason}")
            return
        self._away_reason = None
        self._unacked_subscriptions.clear()
        for subscription in self._subscriptions:
            _, mid = client.subscribe(*subscription)
            if mid is not None:
                self._unacked_subscriptions.add(mid)
        if not self._unacked_subscriptions:
            self._tell_loop(self._ready, self._generation)

    def _suback(
        self, _client: paho.Client, _userdata: object, mid: int, reasons: list[ReasonCode], _properties: Properties | None
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            log.error("broker.subscription_refused", client_id=self._client_id)
        self._unacked_subscriptions.discard(mid)
        if not self._unacked_subscriptions:
            self._tell_loop(self._ready, self._generation)

    def _lost(
        self,
        _client: paho.Client,
        _userdata: object,
        _flags: paho.DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        with self._guard:
            self._generation += 1
        if reason.is_failure and self._accepted:
            self._say_away(str(reason))
        elif reason.is_failure and self._accepted is None:
            hint = "" if self._address.ca_file else "; a broker that speaks only TLS does so, and no CA file is set"
            self._say_away(f"it ended the connection without an answer ({reason}){hint}")
        self._tell_loop(self._gone)

    def _message(self, _client: paho.Client, _userdata: object, message: paho.MQTTMessage) -> None:
        if len(self._received) >= self._queue_size:
            self._left_with_broker += 1
            return
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""
        self._received.append(
            Received(topic, bytes(message.payload), message.mid if message.qos else 0, message.retain, self._generation)
        )
        if not self._woken:
            self._woken = True
            self._tell_loop(self._arrived.set)

    def _puback(
        self, _client: paho.Client, _userdata: object, mid: int, _reason: ReasonCode, _properties: Properties | None
    ) -> None:
        self._tell_loop(self._published, mid)

    # --- the event loop ------------------------------------------------------------------------------------------------

    # What paho's thread tells arrives here in its order, but later: the generation says whether it still holds. paho's own
    # `is_connected` does not: it stays true for a moment after `on_disconnect`.

    def _ready(self, generation: int) -> None:
        if generation != self._generation:
            return
        self._connected.set()
        log.info("broker.connected", client_id=self._client_id)
        if self._on_connected is not None:
            self._on_connected()

    def _gone(self) -> None:
        self._connected.clear()
        self._fail_pending()

    def _published(self, mid: int) -> None:
        waiter = self._pending.get(mid)
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _fail_pending(self) -> None:
        for waiter in self._pending.values():
            if not waiter.done():
                waiter.set_exception(BrokerAwayError("the connection to the broker was lost"))
