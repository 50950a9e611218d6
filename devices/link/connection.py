"""One MQTT 3.1.1 connection on asyncio: paho with its external-loop callbacks, no thread of its own.

A `Connection` lives from one connect to one loss and is then thrown away, so nothing is resent behind the back of the
outbox. Only the blocking connect (name lookup, TCP, TLS) visits the shared thread pool.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from paho.mqtt.client import MQTT_ERR_SUCCESS, Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from devices.link.address import LinkAddress

Paho = Client


class LinkDownError(ConnectionError):
    """The broker cannot be reached or refuses us; try again later."""


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
        raise LinkDownError(f"the CA file {ca_file} cannot be used: {error}") from error
    context.sslsocket_class = _TidySocket
    return context


class Connection:
    """One connection.

    Parameters
    ----------
    client_id : the station id.
    will : topic and body the broker publishes, retained, when we vanish.
    on_message : called with topic and body, in the event loop.
    on_acknowledged : called with the number `publish` returned, once the broker has taken that message.
    on_lost : called once when the connection has ended for any reason.

    Raises
    ------
    LinkDownError : when the address names a CA file that cannot be used; it is read anew for every connection.
    """

    def __init__(
        self,
        address: LinkAddress,
        client_id: str,
        *,
        will: tuple[str, bytes],
        keepalive_s: int,
        window: int,
        on_message: Callable[[str, bytes], None],
        on_acknowledged: Callable[[int], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._address = address
        self._keepalive_s = keepalive_s
        self._on_message = on_message
        self._on_acknowledged = on_acknowledged
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._answered: asyncio.Future[str | None] = self._loop.create_future()
        self._socket: Any = None
        self._lost = False
        self._client = Client(CallbackAPIVersion.VERSION2, client_id, clean_session=True, protocol=MQTTProtocolVersion.MQTTv311)
        self._client.max_inflight_messages_set(window + 8)
        self._client.connect_timeout = 5.0
        self._client.will_set(will[0], will[1], qos=1, retain=True)
        if address.user is not None:
            self._client.username_pw_set(address.user, address.password)
        if address.ca_file is not None:
            self._client.tls_set_context(_trust(address.ca_file))
        self._client.on_connect = self._connected
        self._client.on_disconnect = self._disconnected
        self._client.on_message = self._received
        self._client.on_publish = self._published

    @property
    def lost(self) -> bool:
        """Tell whether the connection has ended."""
        return self._lost

    async def open(self, timeout_s: float) -> None:
        """Connect and wait for the broker's answer.

        Raises
        ------
        LinkDownError : when the broker is away, refuses, or does not answer in `timeout_s` of wall time.
        """
        address = self._address
        connecting = asyncio.ensure_future(asyncio.to_thread(self._client.connect, address.host, address.port, self._keepalive_s))
        try:
            await asyncio.shield(connecting)
        except asyncio.CancelledError:
            # The thread cannot be stopped; wait for it, or its socket would leak.
            with contextlib.suppress(OSError, ValueError):
                await connecting
            self.close()
            raise
        except (OSError, ValueError) as error:
            how = "" if address.ca_file is None else " with TLS"
            raise LinkDownError(f"cannot reach the broker at {address.host}:{address.port}{how}: {error}") from error
        self._watch()
        try:
            refusal = await asyncio.wait_for(self._answered, timeout_s)
        except (TimeoutError, asyncio.CancelledError) as error:
            self.close()
            if isinstance(error, asyncio.CancelledError):
                raise
            raise LinkDownError(f"the broker at {address.host}:{address.port} does not answer") from error
        if refusal is not None:
            self.close()
            raise LinkDownError(f"the broker at {address.host}:{address.port} refuses us: {refusal}")

    def _watch(self) -> None:
        sock = self._client.socket()
        if sock is None:
            self._end("the connection ended at once")
            return
        self._socket = sock
        self._client.on_socket_close = self._socket_closing
        self._client.on_socket_register_write = self._want_write
        self._client.on_socket_unregister_write = self._no_write
        self._loop.add_reader(sock, self._readable)
        if self._client.want_write():
            self._want_write(self._client, None, sock)

    def subscribe(self, filters: Sequence[str]) -> None:
        """Subscribe at QoS 0."""
        self._client.subscribe([(topic, 0) for topic in filters])

    def publish(self, topic: str, body: bytes, *, retain: bool = False) -> int | None:
        """Publish at QoS 1; return the number that `on_acknowledged` will name, None when the connection is gone."""
        info = self._client.publish(topic, body, qos=1, retain=retain)
        return info.mid if info.rc == MQTT_ERR_SUCCESS else None

    def tick(self) -> None:
        """Keep the connection alive; call every few seconds of wall time."""
        self._client.loop_misc()

    def close(self) -> None:
        """Say goodbye (the broker then drops the will) and close the socket."""
        self._client.disconnect()
        for _ in range(8):
            if self._client.socket() is None:
                break
            self._client.loop_write()
        sock = self._client.socket()
        if sock is not None:
            self._socket_closing(self._client, None, sock)
            sock.close()
        self._end("closed")

    # -- paho's callbacks, all in the event loop ------------------------------------------------------------------

    def _readable(self) -> None:
        self._client.loop_read()
        # TLS may hold whole records that select() does not see.
        while isinstance(self._socket, ssl.SSLSocket) and self._socket.fileno() >= 0 and self._socket.pending():
            self._client.loop_read()

    def _writable(self) -> None:
        self._client.loop_write()

    def _want_write(self, _client: Paho, _data: Any, sock: Any) -> None:
        self._loop.add_writer(sock, self._writable)

    def _no_write(self, _client: Paho, _data: Any, sock: Any) -> None:
        self._loop.remove_writer(sock)

    def _socket_closing(self, _client: Paho, _data: Any, sock: Any) -> None:
        if sock.fileno() >= 0:
            self._loop.remove_reader(sock)
            self._loop.remove_writer(sock)
        self._socket = None

    def _connected(
        self, _client: Paho, _data: Any, _flags: ConnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if not self._answered.done():
            self._answered.set_result(str(reason) if reason.is_failure else None)

    def _disconnected(
        self, _client: Paho, _data: Any, _flags: DisconnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        # paho may call this from the thread that connects.
        self._loop.call_soon_threadsafe(self._end, str(reason))

    def _end(self, why: str) -> None:
        if not self._answered.done():
            hint = "" if self._address.ca_file else "; a broker that speaks only TLS does so, and no CA file is set"
            self._answered.set_result(f"it ended the connection without an answer ({why}){hint}")
        if not self._lost:
            self._lost = True
            self._on_lost()

    def _received(self, _client: Paho, _data: Any, message: MQTTMessage) -> None:
        self._on_message(message.topic, bytes(message.payload))

    def _published(self, _client: Paho, _data: Any, mid: int, _reason: ReasonCode, _properties: Properties | None) -> None:
        self._on_acknowledged(mid)
