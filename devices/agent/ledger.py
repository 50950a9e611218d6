"""Which commands are carried out: each once, none after its lifetime, none that is not understood."""

from dataclasses import dataclass
from datetime import UTC

from pydantic_core import from_json

from devices.hardware.ports import StationClock
from devices.link.journal import StationJournal
from devices.link.outbox import Answer
from devices.wire.codec import MAX_BYTES, Refusal, command_args, decode
from devices.wire.commands import COMMAND_ARGS, Command
from devices.wire.envelope import ClosedModel


@dataclass(frozen=True, slots=True)
class Order:
    """A command to be carried out before `deadline_s` (monotonic fleet time)."""

    command_id: str
    name: str
    args: ClosedModel
    deadline_s: float


@dataclass(frozen=True, slots=True)
class Settled:
    """A command whose answer is already clear: refused, expired, or answered before."""

    command_id: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Bytes that name no command; nobody can be answered."""

    detail: str


class Ledger:
    """Judges commands. The first answer of each is on disk before anything moves."""

    def __init__(self, journal: StationJournal, clock: StationClock) -> None:
        self._journal, self._clock = journal, clock
        self.unreadable = 0
        self.repeated = 0

    def judge(self, body: bytes) -> Order | Settled | Unreadable:
        """Return what to do with the bytes of a command. Never raises because of the bytes."""
        command = decode(Command, body)
        if isinstance(command, Refusal):
            command_id = _id_of_a_bad_command(body)
            if command_id is None:
                self.unreadable += 1
                return Unreadable(command.detail)
            return self._known(command_id) or Settled(command_id, Answer("Rejected", "Invalid"))
        known = self._known(command.command_id)
        if known is not None:
            return known
        left_s = self._left_s(command)
        if left_s <= 0:
            return Settled(command.command_id, Answer("Rejected", "Expired"))
        if command.name not in COMMAND_ARGS:
            return Settled(command.command_id, Answer("Rejected", "NotSupported"))
        args = command_args(command)
        if isinstance(args, Refusal):
            return Settled(command.command_id, Answer("Rejected", "Invalid"))
        return Order(command.command_id, command.name, args, self._clock.monotonic() + left_s)

    def _known(self, command_id: str) -> Settled | None:
        answer = self._journal.first_answer(command_id)
        if answer is None:
            return None
        self.repeated += 1
        return Settled(command_id, answer)

    def _left_s(self, command: Command) -> float:
        """Return the lifetime left [fleet s]; without a trusted clock it counts from receipt."""
        if self._clock.status().source == "none":
            return (command.valid_until - command.issued_at).total_seconds()
        return (command.valid_until - self._clock.now().astimezone(UTC)).total_seconds()

    def expired(self, order: Order) -> bool:
        """Tell whether an order's lifetime is over."""
        return self._clock.monotonic() >= order.deadline_s


def _id_of_a_bad_command(body: bytes) -> str | None:
    if len(body) > MAX_BYTES:
        return None
    try:
        loose = from_json(body)
    except ValueError:
        return None
    command_id = loose.get("commandId") if isinstance(loose, dict) else None
    return command_id if isinstance(command_id, str) and 1 <= len(command_id) <= 50 and "\x00" not in command_id else None
