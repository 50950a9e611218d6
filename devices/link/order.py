"""Which held message goes next: importance, the window, the pace of history, and what is sent again. No IO, no clock."""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from devices.link.outbox import Held, MessageKey
from devices.wire.events import SeqRange

SAFETY, EVENT, READING, HISTORY = 0, 1, 2, 3
"""Ranks: safety first, then what happened (in the order of the key), live readings, old telemetry."""


@dataclass(frozen=True, slots=True)
class SendRules:
    """How much may be under way. Source: contract v1, topic ``up/history``; the window is nats-server's default order."""

    window: int = 20
    """Messages published and not yet acknowledged by the broker."""
    history_per_s: float = 2.0
    history_uncommitted: int = 20
    resend_after_s: float = 30.0
    """Wall time after which a message that the broker took, but nobody committed, goes again; doubles up to 8 times."""


@dataclass(slots=True)
class Entry:
    """One held message on its way."""

    key: MessageKey
    leaf: str
    rank: int
    body: bytes | None
    """None: to be read from the journal."""
    old: bool
    """Goes as ``history`` when it is telemetry."""
    queued: bool = False
    under_way: bool = False
    sent_at: float | None = None
    tries: int = 0

    @property
    def topic_leaf(self) -> str:
        """Return the topic it goes to now."""
        return "history" if self.old and self.leaf == "telemetry" else self.leaf


class SendOrder:
    """The send queue of one station, in memory; the journal on disk is the truth behind it."""

    def __init__(self, rules: SendRules, held: Iterable[Held] = ()) -> None:
        self._rules = rules
        self._entries: dict[MessageKey, Entry] = {}
        self._ready: list[tuple[int, MessageKey]] = []
        self._under_way = 0
        self._unsettled_history: set[MessageKey] = set()
        self._next_history_at = 0.0
        for message in held:
            self._enter(Entry(message.key, message.leaf, message.rank, None, old=True))

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, message: Held, body: bytes, *, live: bool) -> None:
        """Take a new message. One said while nobody listens is old when its turn comes."""
        self._enter(Entry(message.key, message.leaf, message.rank, body if live else None, old=not live))

    def _enter(self, entry: Entry) -> None:
        self._entries[entry.key] = entry
        self._queue(entry)

    def _queue(self, entry: Entry) -> None:
        if not entry.queued:
            entry.queued = True
            rank = HISTORY if entry.old and entry.leaf == "telemetry" else entry.rank
            heapq.heappush(self._ready, (rank, entry.key))

    def take(self, now_s: float) -> Entry | None:
        """Return the next message to publish and count it as under way; None when nothing may go now."""
        while self._ready and self._under_way < self._rules.window:
            rank, key = self._ready[0]
            entry = self._entries.get(key)
            if entry is None or not entry.queued:
                heapq.heappop(self._ready)
                continue
            if rank == HISTORY:
                if now_s < self._next_history_at or len(self._unsettled_history) >= self._rules.history_uncommitted:
                    return None
                self._next_history_at = now_s + 1.0 / self._rules.history_per_s
                self._unsettled_history.add(key)
            heapq.heappop(self._ready)
            entry.queued, entry.under_way, entry.sent_at = False, True, now_s
            entry.tries += 1
            self._under_way += 1
            return entry
        return None

    def acknowledged(self, key: MessageKey) -> None:
        """Note that the broker took a message (flow control, not proof of storage)."""
        entry = self._entries.get(key)
        if entry is not None and entry.under_way:
            entry.under_way, entry.body = False, None
            self._under_way -= 1

    def interrupted(self) -> None:
        """Put back what the broker may not have taken, after the connection was lost; readings are old from now on."""
        self._under_way = 0
        self._unsettled_history.clear()
        self._ready.clear()
        for entry in self._entries.values():
            waiting = entry.queued or entry.under_way
            entry.old, entry.body, entry.tries = True, None, 0
            entry.queued = entry.under_way = False
            if waiting:
                self._queue(entry)

    def settle(self, epoch: int, boot: int, seq: int) -> int:
        """Forget what is committed; return how many messages that were."""
        # Keys of one boot are entered in order, so only the settled ones and the first later one are looked at per boot.
        gone = [key for key in self._entries if key.epoch == epoch and key.boot == boot and key.seq <= seq]
        self.drop(gone)
        return len(gone)

    def drop(self, keys: Iterable[MessageKey]) -> None:
        """Forget messages."""
        for key in keys:
            entry = self._entries.pop(key, None)
            self._unsettled_history.discard(key)
            if entry is not None and entry.under_way:
                self._under_way -= 1

    def revive(self, now_s: float) -> int:
        """Queue again what the broker took long ago and nobody committed; return how many messages that are."""
        revived = 0
        for entry in self._entries.values():
            if entry.queued or entry.under_way or entry.sent_at is None:
                continue
            patience_s = self._rules.resend_after_s * 2 ** min(max(entry.tries - 1, 0), 3)
            if now_s - entry.sent_at >= patience_s:
                self._send_again(entry)
                revived += 1
        return revived

    def _send_again(self, entry: Entry) -> None:
        entry.old = True
        self._unsettled_history.discard(entry.key)
        self._queue(entry)

    def replay(self, epoch: int, boot: int, first: int, last: int) -> list[SeqRange]:
        """Queue what is still held of ``first..last``; return the ranges that are not."""
        held = sorted(key.seq for key in self._entries if key.epoch == epoch and key.boot == boot and first <= key.seq <= last)
        for seq in held:
            entry = self._entries[MessageKey(epoch, boot, seq)]
            if not entry.under_way:
                self._send_again(entry)
        missing, expected = [], first
        for seq in [*held, last + 1]:
            if seq > expected:
                missing.append(SeqRange(epoch=epoch, boot=boot, first=expected, last=seq - 1))
            expected = seq + 1
        return missing

    def spans(self, epoch: int) -> dict[int, tuple[int, int]]:
        """Return the lowest and the highest held seq of every boot of an epoch."""
        spans: dict[int, tuple[int, int]] = {}
        for key in self._entries:
            if key.epoch == epoch:
                low, high = spans.get(key.boot, (key.seq, key.seq))
                spans[key.boot] = (min(low, key.seq), max(high, key.seq))
        return spans

    def wait_s(self, now_s: float) -> float | None:
        """Return how long until history may go on; None when only an event can change anything."""
        if not self._ready or self._under_way >= self._rules.window:
            return None
        if len(self._unsettled_history) >= self._rules.history_uncommitted:
            return None
        return max(0.0, self._next_history_at - now_s)


def ranges_of(keys: Sequence[MessageKey]) -> list[SeqRange]:
    """Return keys as ranges, per boot, in order."""
    ranges: list[SeqRange] = []
    for key in sorted(keys):
        if ranges and (ranges[-1].epoch, ranges[-1].boot, ranges[-1].last + 1) == key:
            ranges[-1] = ranges[-1].model_copy(update={"last": key.seq})
        else:
            ranges.append(SeqRange(epoch=key.epoch, boot=key.boot, first=key.seq, last=key.seq))
    return ranges
