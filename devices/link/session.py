"""The MQTT session of one station: connects, reconnects, knows who listens, and moves the journal."""

import asyncio
import random
from dataclasses import dataclass, field

import structlog

from devices.hardware.ports import StationClock
from devices.link.address import LinkAddress
from devices.link.connection import Connection, LinkDownError
from devices.link.hosts import Hosts
from devices.link.journal import StationJournal
from devices.link.order import SendRules
from devices.link.outbox import JournalError, MessageKey, Outbox
from devices.link.port import Listener
from devices.wire import topics
from devices.wire.codec import Refusal, decode, encode
from devices.wire.envelope import StationClock as WireClock
from devices.wire.events import Committed, HostState
from devices.wire.events import Connection as ConnectionNotice

log = structlog.get_logger(__name__)

_HOST_FILTER = topics.host_state("+")
_CHECK_S = 5.0
"""How often a session looks at what waits. Guess: well below every wall limit it watches."""


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """How a link behaves; all seconds are wall seconds."""

    connect_jitter_s: float = 60.0
    """Connects are spread over 0 .. this, so that a restarted broker is not stormed. Small in a simulation."""
    backoff_first_s: float = 1.0
    backoff_max_s: float = 60.0
    connect_timeout_s: float = 10.0
    keepalive_s: int = 30
    not_heard_s: float = 60.0
    """Source: contract v1, a station that gets no ``committed`` within 60 s raises NotHeard."""
    firmware: str | None = None
    send: SendRules = field(default_factory=SendRules)


class MqttLink:
    """A station's session over its journal.

    Parameters
    ----------
    epoch : issued when the station was commissioned.
    outbox : shared by all links of the process; making a link begins a boot in it.
    random : this link's own source of jitter.
    """

    def __init__(
        self,
        address: LinkAddress,
        station_id: str,
        epoch: int,
        outbox: Outbox,
        clock: StationClock,
        settings: LinkSettings,
        random: random.Random,
    ) -> None:
        self.journal = StationJournal(station_id, epoch, outbox, clock, settings.send, not_heard_s=settings.not_heard_s)
        self.connects = 0
        self.refused_downlinks = 0
        self._station_id = station_id
        self._address, self._clock, self._settings, self._random = address, clock, settings, random
        self._hosts = Hosts(station_id)
        self._connection: Connection | None = None
        self._mids: dict[int, MessageKey] = {}
        self._listener: Listener | None = None
        self._wake = asyncio.Event()
        self.journal.on_said = self._wake.set
        self._connection_topic = topics.up(station_id, "connection")
        self._committed_topic = topics.down(station_id, topics.DOWN_COMMITTED)
        self._command_topic = topics.down(station_id, topics.DOWN_COMMAND)

    @property
    def is_up(self) -> bool:
        """Tell whether the session stands and an online host owns our part."""
        return self.journal.live

    # -- the session ----------------------------------------------------------------------------------------------

    async def run(self, listener: Listener, stop: asyncio.Event) -> None:
        """Keep the session up until `stop`; then say that we go offline and close."""
        self._listener = listener
        stopping = asyncio.create_task(self._wake_on(stop))
        settings, failures, why = self._settings, 0, ""
        pause_s = self._random.uniform(0.0, settings.connect_jitter_s)
        try:
            while not stop.is_set():
                await self._sleep(pause_s, stop)
                if stop.is_set():
                    break
                try:
                    session = await self._connect()
                except (LinkDownError, JournalError) as error:
                    failures += 1
                    pause_s = min(settings.backoff_max_s, settings.backoff_first_s * 2 ** min(failures - 1, 10))
                    pause_s *= self._random.uniform(0.5, 1.0)
                    if failures in (1, 10) or failures % 100 == 0 or str(error) != why:
                        why = str(error)
                        log.warning("no session", action="store and try again", station=self._station_id, error=why)
                    continue
                failures, why = 0, ""
                await self._serve(stop)
                self._disconnect(session if stop.is_set() else None)
                pause_s = self._random.uniform(0.0, settings.connect_jitter_s)
        finally:
            stopping.cancel()
            self._disconnect(None)

    async def _wake_on(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._wake.set()

    async def _sleep(self, seconds: float, stop: asyncio.Event) -> None:
        until = self._clock.wall_monotonic() + seconds
        while not stop.is_set() and (left_s := until - self._clock.wall_monotonic()) > 0:
            await self._wait(min(left_s, _CHECK_S))
            self.journal.check_heard()

    async def _wait(self, seconds: float) -> None:
        timer = asyncio.get_running_loop().call_later(seconds, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            timer.cancel()
        self._wake.clear()

    async def _connect(self) -> int:
        session = self.journal.next_session()
        connection = Connection(
            self._address,
            self._station_id,
            will=(self._connection_topic, self._notice(session, online=False)),
            keepalive_s=self._settings.keepalive_s,
            window=self._settings.send.window,
            on_message=self._received,
            on_acknowledged=self._acknowledged,
            on_lost=self._wake.set,
        )
        await connection.open(self._settings.connect_timeout_s)
        self._connection = connection
        self.connects += 1
        connection.publish(self._connection_topic, self._notice(session, online=True), retain=True)
        connection.subscribe([self._command_topic, self._committed_topic, _HOST_FILTER])
        return session

    def _notice(self, session: int, *, online: bool) -> bytes:
        status = self._clock.status()
        return encode(
            ConnectionNotice(
                ts=self._clock.now(),
                epoch=self.journal.epoch,
                boot=self.journal.boot,
                session=session,
                online=online,
                firmware=self._settings.firmware,
                clock=WireClock(source=status.source, offset_ms=status.offset_ms, last_sync_at=status.last_sync_at),
            )
        )

    async def _serve(self, stop: asyncio.Event) -> None:
        """Move messages until the connection is lost or `stop` is set."""
        next_check_s = 0.0
        while not stop.is_set() and self._connection is not None and not self._connection.lost:
            now_s = self._clock.wall_monotonic()
            if now_s >= next_check_s:
                next_check_s = now_s + _CHECK_S
                self._connection.tick()
                self.journal.check_heard()
                if self.is_up:
                    self.journal.order.revive(now_s)
                else:
                    # A retained state that is published while we subscribe may reach us neither way; asking again is cheap.
                    self._connection.subscribe([_HOST_FILTER])
            history_s = self._pump(now_s)
            await self._wait(_CHECK_S if history_s is None else min(_CHECK_S, max(history_s, 0.01)))

    def _pump(self, now_s: float) -> float | None:
        """Publish what may go; return how long until history may go on, None when only an event can tell."""
        order = self.journal.order
        while self.is_up and self._connection is not None and not self._connection.lost:
            entry = order.take(now_s)
            if entry is None:
                return order.wait_s(now_s)
            body = self.journal.body(entry.body, entry.key)
            if body is None:
                order.drop([entry.key])
                continue
            mid = self._connection.publish(topics.up(self._station_id, entry.topic_leaf), body)
            if mid is None:
                return None
            self._mids[mid] = entry.key
        return None

    def _disconnect(self, goodbye: int | None) -> None:
        """Close; `goodbye` names the session that leaves politely (the broker drops the will of one that does)."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if goodbye is not None and not connection.lost:
            connection.publish(self._connection_topic, self._notice(goodbye, online=False), retain=True)
        connection.close()
        self._mids.clear()
        self._hosts.clear()
        self.journal.order.interrupted()
        self._set_up(False)

    def _set_up(self, up: bool) -> None:
        if up == self.is_up or self._listener is None:
            return
        self.journal.live = up
        if up:
            self._listener.link_came_up()
        else:
            self._listener.link_went_down()
        self._wake.set()

    # -- what comes in --------------------------------------------------------------------------------------------

    def _acknowledged(self, mid: int) -> None:
        key = self._mids.pop(mid, None)
        if key is not None:
            self.journal.order.acknowledged(key)
            self._wake.set()

    def _received(self, topic: str, body: bytes) -> None:
        if topic == self._command_topic:
            if self._listener is not None:
                self._listener.command_came(body)
        elif topic == self._committed_topic:
            committed = decode(Committed, body)
            if isinstance(committed, Refusal):
                self.refused_downlinks += 1
            else:
                self.journal.settle(committed)
        else:
            self._host_said(topic, body)

    def _host_said(self, topic: str, body: bytes) -> None:
        pieces, expected = topic.split("/"), _HOST_FILTER.split("/")
        if len(pieces) != len(expected) or pieces[:-2] != expected[:-2] or pieces[-1] != expected[-1]:
            self.refused_downlinks += 1
            return
        state = decode(HostState, body) if body else None
        if isinstance(state, Refusal):
            self.refused_downlinks += 1
            return
        if state is None:
            self._hosts.forgotten(pieces[-2])
        else:
            self._hosts.heard(pieces[-2], state)
        self._set_up(self._hosts.listening)
