"""One station's journal: what it says gets its key here, is stored, and waits in the order of sending. No MQTT."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import structlog

from devices.hardware.ports import StationClock
from devices.link.order import EVENT, READING, SAFETY, SendOrder, SendRules, ranges_of
from devices.link.outbox import Answer, JournalError, MessageKey, Outbox
from devices.wire.codec import MAX_BYTES, encode
from devices.wire.envelope import Envelope
from devices.wire.events import Committed, Event, JournalSpan, SeqRange

log = structlog.get_logger(__name__)

_READINGS = frozenset({"telemetry", "meter"})
_RANGES_PER_EVENT = 500
"""At most this many ranges in one ``Dropped``, so that it stays below 64 KiB."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """The first fields of a message, given by the journal when it is said."""

    ts: datetime
    epoch: int
    boot: int
    seq: int


@dataclass(slots=True)
class JournalCounters:
    """What happened in this journal since the process started."""

    said: int = 0
    oversize: int = 0
    dropped: int = 0
    unjournaled: int = 0


class StationJournal:
    """Say things and keep them until they are committed. Making one begins a boot.

    Parameters
    ----------
    epoch : issued when the station was commissioned.
    outbox : shared by all stations of the process.
    not_heard_s : wall seconds without a commit after which ``NotHeard`` is raised.
    """

    def __init__(
        self, station_id: str, epoch: int, outbox: Outbox, clock: StationClock, rules: SendRules, *, not_heard_s: float = 60.0
    ) -> None:
        self.station_id, self.epoch = station_id, epoch
        self.boot = outbox.begin(station_id, epoch)
        self.order = SendOrder(rules, outbox.held(station_id))
        self.counters = JournalCounters()
        self.live = False
        """Somebody listens: what is said now goes at once and is not old."""
        self.on_said: Callable[[], None] = lambda: None
        self._outbox, self._clock, self._not_heard_s = outbox, clock, not_heard_s
        self._waiting_since = clock.wall_monotonic() if len(self.order) else None
        self._not_heard = False

    def say(self, leaf: str, build: Callable[[Stamp], Envelope]) -> bool:
        """Store a message and queue it; False when it is larger than 64 KiB (counted, not said).

        Raises
        ------
        JournalError : when it could not be stored: what needs a trace must not be done.
        """
        said = self._store(leaf, build)
        dropped = self._outbox.shed(self.station_id)
        if dropped:
            self.counters.dropped += len(dropped)
            self.order.drop(dropped)
            log.warning("journal full", action="dropped the least important", station=self.station_id, count=len(dropped))
            self._say_dropped(ranges_of(dropped))
        return said

    def _store(self, leaf: str, build: Callable[[Stamp], Envelope]) -> bool:
        ts = self._clock.now()

        def built(seq: int) -> tuple[int, bytes] | None:
            message = build(Stamp(ts, self.epoch, self.boot, seq))
            rank = READING if leaf in _READINGS else EVENT
            if isinstance(message, Event) and message.kind == "safety":
                rank = SAFETY
            body = encode(message)
            return (rank, body) if len(body) <= MAX_BYTES else None

        try:
            stored = self._outbox.append(self.station_id, self.epoch, self.boot, leaf, built)
        except JournalError as error:
            self.counters.unjournaled += 1
            log.error("journal", action="not said, not done", station=self.station_id, leaf=leaf, error=str(error))
            raise
        if stored is None:
            self.counters.oversize += 1
            return False
        self.counters.said += 1
        self.order.add(*stored, live=self.live)
        if self._waiting_since is None:
            self._waiting_since = self._clock.wall_monotonic()
        self.on_said()
        return True

    def _say_event(self, code: str, phase: Literal["raised", "cleared", "once"], ranges: Sequence[SeqRange] = ()) -> None:
        def build(s: Stamp) -> Event:
            return Event(
                ts=s.ts, epoch=s.epoch, boot=s.boot, seq=s.seq,
                kind="journal", code=code, phase=phase, severity="warning", ranges=list(ranges),
            )  # fmt: skip

        # Called from timers and callbacks, where nobody could mend a full disk; `_store` has counted and logged it.
        with contextlib.suppress(JournalError):
            self._store("event", build)

    def _say_dropped(self, ranges: Sequence[SeqRange]) -> None:
        for start in range(0, len(ranges), _RANGES_PER_EVENT):
            self._say_event("Dropped", "once", ranges[start : start + _RANGES_PER_EVENT])

    def replay(self, ranges: Sequence[SeqRange]) -> None:
        """Send again what is still held, and say ``Dropped`` for what is not. A seq never issued is no gap."""
        missing: list[SeqRange] = []
        for wanted in ranges:
            last_issued = self._outbox.last_seq(self.station_id, wanted.epoch, wanted.boot)
            last = wanted.last if last_issued is None else min(wanted.last, last_issued)
            if last >= wanted.first:
                missing += self.order.replay(wanted.epoch, wanted.boot, wanted.first, last)
        self._say_dropped(missing)
        self.on_said()

    def settle(self, said: Committed) -> None:
        """Forget what is committed of one boot."""
        try:
            self._outbox.settle(self.station_id, said.epoch, said.boot, said.seq)
        except JournalError as error:
            log.warning("journal", action="kept what is committed", station=self.station_id, error=str(error))
            return
        if self.order.settle(said.epoch, said.boot, said.seq):
            self._waiting_since = self._clock.wall_monotonic() if len(self.order) else None
            if self._not_heard:
                self._not_heard = False
                self._say_event("NotHeard", "cleared")
            self.on_said()

    def check_heard(self) -> None:
        """Raise ``NotHeard`` once when nothing was committed for too long while something waits."""
        since = self._waiting_since
        if since is not None and not self._not_heard and self._clock.wall_monotonic() - since >= self._not_heard_s:
            self._not_heard = True
            self._say_event("NotHeard", "raised")

    def body(self, entry_body: bytes | None, key: MessageKey) -> bytes | None:
        """Return the bytes of a held message, from memory or from the file."""
        return entry_body if entry_body is not None else self._outbox.body(self.station_id, key)

    def spans(self, own_seq: int) -> list[JournalSpan]:
        """Return what is held of each boot of this epoch, for a birth that itself is message `own_seq` of this boot."""
        spans = self.order.spans(self.epoch)
        spans[self.boot] = (spans.get(self.boot, (own_seq, own_seq))[0], own_seq)
        return [JournalSpan(boot=boot, first_seq=low, last_seq=high) for boot, (low, high) in sorted(spans.items())][-1000:]

    def next_session(self) -> int:
        """Return the number of the next connection."""
        return self._outbox.next_session(self.station_id)

    def next_request_id(self) -> int:
        """Return a request id of the station's own."""
        return self._outbox.next_request_id(self.station_id)

    def first_answer(self, command_id: str) -> Answer | None:
        """Return the first answer a command got."""
        return self._outbox.first_answer(self.station_id, command_id)

    def remember_answer(self, command_id: str, answer: Answer) -> None:
        """Keep the first answer of a command."""
        self._outbox.remember_answer(self.station_id, command_id, answer)

    def keep_note(self, name: str, body: bytes) -> None:
        """Keep a small value over restarts."""
        self._outbox.keep_note(self.station_id, name, body)

    def note(self, name: str) -> bytes | None:
        """Return a kept value."""
        return self._outbox.note(self.station_id, name)
