"""Telling stations what they may forget: `down/committed`, per boot, after COMMIT."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from devices.wire.codec import encode
from devices.wire.events import Committed as CommittedMessage
from devices.wire.topics import DOWN_COMMITTED, down
from service.broker import Broker, BrokerAwayError
from service.store.messages import BootId

EVERY_S = 2.0
"""Guess: wall seconds between two rounds; a station holds that much more of its journal."""

REMIND_AFTER_S = 15.0
"""Guess: a station may miss a watermark (QoS 0), so that the last one is said again after this many wall seconds..."""

REMINDERS = 3
"""...this many times. Guess: then it is for the station's next message or birth to ask again."""


@dataclass(slots=True)
class _Told:
    seq: int
    due_at: float
    reminders_left: int


class Watermarks:
    """The watermarks of boots heard of lately, and when each wants to be said. Instants: monotonic wall seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._told: dict[BootId, _Told] = {}

    def __len__(self) -> int:
        return len(self._told)

    def note(self, watermarks: Mapping[BootId, int]) -> None:
        """Take over what was committed; each is said in the next round, a repeated message being a repeated question."""
        now = self._monotonic()
        for boot_id, seq in watermarks.items():
            self._told[boot_id] = _Told(seq, now, REMINDERS)

    def due(self) -> list[tuple[BootId, int]]:
        """Return what wants to be said now, and forget what has been said often enough."""
        now = self._monotonic()
        due: list[tuple[BootId, int]] = []
        for boot_id, told in list(self._told.items()):
            if told.due_at > now:
                continue
            due.append((boot_id, told.seq))
            if told.reminders_left == 0:
                del self._told[boot_id]
            else:
                told.reminders_left -= 1
                told.due_at = now + REMIND_AFTER_S
        return due

    async def publish_due(self, broker: Broker) -> int:
        """Say what is due; return how many. While the broker is away everything stays due."""
        if not broker.is_connected:
            return 0
        due = self.due()
        for at, (boot_id, seq) in enumerate(due):
            body = encode(CommittedMessage(epoch=boot_id.epoch, boot=boot_id.boot, seq=seq))
            try:
                # Stations subscribe at QoS 0; what gets lost is said again.
                await broker.publish(down(boot_id.station_id, DOWN_COMMITTED), body, qos=0)
            except BrokerAwayError:
                self.note(
                    {left: seq_left for left, seq_left in due[at:] if left not in self._told or self._told[left].seq <= seq_left}
                )
                return at
        return len(due)
