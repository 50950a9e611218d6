"""One run: make messages at their rate, hand them to the connections, write the journal, report."""

import select
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from devices.link.address import LinkAddress
from simulator.load.bodies import Writer
from simulator.load.committed import CommittedWatch, said_again
from simulator.load.journal import JournalWriter
from simulator.load.line import Line
from simulator.load.plan import LoadPlan
from simulator.load.script import Kind, Script, Sending

BATCH = 256
"""Guess, after measuring: steps made at once; beyond it arrays save nothing more."""
TICK_S = 0.02
"""Guess: at a low rate the messages of so many seconds are made together."""
TAKEN_EVERY_S = 0.2
PROGRESS_EVERY_S = 5.0
CONNECT_PATIENCE_S = 30.0
SAY_AGAIN_AFTER_S = 4.0
"""Guess: longer than the service takes to say what it has committed (every two seconds)."""

Tell = Callable[[dict[str, object]], None]


class NoBrokerError(ConnectionError):
    """No connection came up in time."""


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """What ``denchi-sim load`` was asked to do. Times are wall seconds.

    Parameters
    ----------
    for_s, rounds : when to stop making telemetry, whichever comes first; None: never.
    drain_s : how long to wait for the broker's last acknowledgements.
    wait_committed_s : how long to wait until the service has committed everything; 0: not at all.
    say_again_after_s : how long no watermark may move before stations say again what is open.
    """

    plan: LoadPlan
    address: LinkAddress
    journal: Path
    connections: int = 2
    window: int = 500
    for_s: float | None = None
    rounds: int | None = None
    drain_s: float = 60.0
    wait_committed_s: float = 0.0
    say_again_after_s: float = SAY_AGAIN_AFTER_S

    def __post_init__(self) -> None:
        if not 1 <= self.connections <= 256:
            raise ValueError(f"--connections is 1 to 256, not {self.connections}")
        if not 1 <= self.window <= 60_000:
            raise ValueError(f"--window is 1 to 60000, not {self.window}")


def run_load(options: LoadOptions, tell: Tell, stopping: Callable[[], bool]) -> dict[str, object]:
    """Run until time or rounds are over, or `stopping`; return the report.

    Raises
    ------
    NoBrokerError, LineRefusedError
        The broker is not there or does not let us in.
    """
    with JournalWriter(options.journal, options.plan) as journal:
        run = _Run(options, journal, tell, stopping)
        try:
            run.connect()
            run.say_all()
            run.say_rest()
            committed = run.wait_committed() if options.wait_committed_s > 0 else None
            run.say_goodbye()
        finally:
            run.close()
    return run.report(committed)


class _Run:
    def __init__(self, options: LoadOptions, journal: JournalWriter, tell: Tell, stopping: Callable[[], bool]) -> None:
        self._options, self._journal, self._tell, self._stopping = options, journal, tell, stopping
        self._plan = plan = options.plan
        self._script = Script(plan)
        self._writer = Writer(self._script)
        self._lines = [
            Line(options.address, f"{plan.prefix}-line-{number}", options.window) for number in range(options.connections)
        ]
        self._step = 0
        self._sent: Counter[Kind] = Counter()
        self._bytes: Counter[Kind] = Counter()
        self._reordered = 0
        self._ended = False
        self._took_at = self._told_at = 0.0
        # Of the part that is measured: after the births, before what was held back.
        self._from_s = self._to_s = self._cpu_s = self._behind_s = 0.0
        self._from_step = self._to_taken = 0

    # --- the parts of a run ----------------------------------------------------------------------------------------------

    def connect(self) -> None:
        """Wait until all connections stand."""
        deadline = time.monotonic() + CONNECT_PATIENCE_S
        while not all(line.socket for line in self._lines):
            if time.monotonic() > deadline or self._stopping():
                address = self._options.address
                trouble = next((line.trouble for line in self._lines if line.trouble), "it does not answer")
                raise NoBrokerError(f"cannot reach the broker at {address.host}:{address.port}: {trouble}")
            if not any(line.pump() for line in self._lines):
                time.sleep(TICK_S)

    def say_all(self) -> None:
        """Make and send messages at their rate."""
        plan, options = self._plan, self._options
        births = plan.stations if plan.births else 0
        last = births + options.rounds * plan.stations if options.rounds is not None else None
        room = options.connections * options.window
        begin = time.monotonic()
        self._told_at = begin
        if not births:
            self._begin_measuring(begin)
        while not self._stopping():
            now = time.monotonic()
            if self._from_s and options.for_s is not None and now - self._from_s >= options.for_s:
                break
            owed = int((now - begin) * plan.rate_per_s) - self._step
            if last is not None:
                owed = min(owed, last - self._step)
                if self._step == last:
                    break
            enough = max(1, min(BATCH, int(plan.rate_per_s * TICK_S), (last or self._step + BATCH) - self._step))
            if owed >= enough and self._waiting() < room:
                self._make(min(owed, BATCH))
                if self._step >= births and not self._from_s:
                    self._begin_measuring(now)
                self._pump()
            elif not self._pump():
                # Whoever is behind waits for the broker, who is on time for the next turn.
                self._rest_a_little((enough - owed) / plan.rate_per_s if owed < enough else TICK_S)
            self._keep_books(now)
        self._to_s = time.monotonic()
        if not self._from_s:
            self._begin_measuring(self._to_s)  # stopped among the births: nothing was measured
        self._to_taken = self._taken()
        self._cpu_s = time.process_time() - self._cpu_s
        self._behind_s = max(0.0, self._to_s - begin - self._step / plan.rate_per_s)

    def say_rest(self) -> None:
        """Send what had been held back, and wait for the broker."""
        self._journal.rest()
        self._put(self._script.rest(self._step))
        if self._drain(self._options.drain_s):
            self._journal.taken(self._step)
            self._journal.end()
            self._ended = True

    def wait_committed(self) -> dict[str, object]:
        """Wait until the service has committed everything; say again what stays open."""
        plan = self._plan
        highest = self._script.highest(self._step)
        watch = CommittedWatch(self._options.address, f"{plan.prefix}-watch", plan)
        watch.start()
        begin = asked_at = time.monotonic()
        turn = again = 0
        before: int | None = None
        try:
            while True:
                now = time.monotonic()
                upto = watch.upto()
                if (upto >= highest).all() or now - begin > self._options.wait_committed_s or self._stopping():
                    break
                if int(upto.sum()) != before:
                    # Whoever hears that it goes on does not ask.
                    before, asked_at = int(upto.sum()), now
                elif now - asked_at > self._options.say_again_after_s and self._waiting() == 0:
                    sendings = said_again(self._script, upto, highest, self._step, turn)
                    turn, again = turn + 1, again + len(sendings)
                    self._put(sendings)
                    asked_at = now
                if not self._pump():
                    self._rest_a_little(0.02)
        finally:
            watch.stop()
        open_ = (highest - upto.clip(min=0)).clip(min=0)
        names = [plan.name(station) for station in open_.nonzero()[0][:10].tolist()]
        return {
            "complete": not names,
            "seconds": round(time.monotonic() - begin, 1),
            "open_messages": int(open_.sum()),
            "open_stations": int((open_ > 0).sum()),
            "first_open": names,
            "said_again": again,
        }

    def say_goodbye(self) -> None:
        """Stations that said that they came say that they go."""
        if self._plan.births and self._step >= self._plan.stations:
            self._put([Sending(self._step, station, 1, Kind.OFFLINE) for station in range(self._plan.stations)])
            self._drain(self._options.drain_s)

    def close(self) -> None:
        """Close every connection."""
        for line in self._lines:
            line.close()

    def report(self, committed: dict[str, object] | None) -> dict[str, object]:
        """Return what there is to say."""
        seconds = max(self._to_s - self._from_s, 1e-9)
        steps = max(self._to_taken - self._from_step, 0)
        sent, readings = self._sent, self._sent[Kind.TELEMETRY] + self._sent[Kind.HISTORY]
        made = max(self._step - self._from_step, 1)
        said: dict[str, object] = {
            "event": "load_report",
            "stations": self._plan.stations,
            "packs": self._plan.packs,
            "fields": self._plan.fields,
            "seed": self._plan.seed,
            "epoch": self._plan.epoch,
            "boot": self._plan.boot,
            "offered_per_s": self._plan.rate_per_s,
            "achieved_per_s": round(steps / seconds, 1),
            "behind_s": round(self._behind_s, 2),
            "seconds": round(seconds, 2),
            "messages": sum(sent.values()),
            "unacknowledged": self._waiting(),
            "telemetry": readings,
            "readings": readings * self._plan.packs,
            "bytes_per_message": round((self._bytes[Kind.TELEMETRY] + self._bytes[Kind.HISTORY]) / max(readings, 1)),
            "births": sent[Kind.BIRTH],
            "meters": sent[Kind.METER],
            "duplicates": sent[Kind.COPY],
            "reordered": self._reordered,
            "late": sent[Kind.HISTORY],
            "absurd": {"not_json": sent[Kind.NOT_JSON], "bad_schema": sent[Kind.REFUSED]},
            "connections": len(self._lines),
            "reconnects": sum(line.connects for line in self._lines) - len(self._lines),
            "cpu_s": round(self._cpu_s, 3),
            "cpu_share": round(self._cpu_s / seconds, 3),
            "cpu_us_per_message": round(self._cpu_s / made * 1e6, 1),
            "cpu_total_s": round(time.process_time(), 3),
            "journal": str(self._options.journal),
            "ended": self._ended,
        }
        if committed is not None:
            said["committed"] = committed
        return said

    # --- making and sending ----------------------------------------------------------------------------------------------

    def _make(self, most: int) -> None:
        sendings, end = self._script.sendings(self._step, most)
        self._journal.about(end)
        if self._plan.disturbances.reorder > 0:
            in_turn = {Kind.TELEMETRY, Kind.METER, Kind.REFUSED}
            turn = self._step // self._plan.stations + 1
            self._reordered += sum(one.seq != turn and one.kind in in_turn for one in sendings)
        self._step = end
        self._put(sendings)

    def _put(self, sendings: list[Sending]) -> None:
        lines = self._lines
        for first in range(0, len(sendings), BATCH):
            part = sendings[first : first + BATCH]
            packets = self._writer.packets(part)
            for one, packet in zip(part, packets, strict=True):
                self._sent[one.kind] += 1
                self._bytes[one.kind] += len(packet.body)
            # A station keeps to its connection, so that its own messages stay in order.
            for number, line in enumerate(lines):
                line.put([packet for packet in packets if packet.station % len(lines) == number])

    def _pump(self) -> bool:
        moved = [line.pump() for line in self._lines]  # every one of them has its turn
        return any(moved)

    def _waiting(self) -> int:
        return sum(line.waiting for line in self._lines)

    def _taken(self) -> int:
        return min((line.first_step for line in self._lines if line.first_step is not None), default=self._step)

    def _rest_a_little(self, at_most_s: float) -> None:
        # Answers wait for us, unless a full window waits for them.
        reading = [line.socket for line in self._lines if line.socket is not None and line.is_full]
        writing = [line.socket for line in self._lines if line.socket is not None and line.wants_write]
        unread = any(line.has_unread for line in self._lines)
        select.select(reading, writing, [], 0.0 if unread else min(max(at_most_s, 0.0005), 0.05))

    def _drain(self, patience_s: float) -> bool:
        deadline = time.monotonic() + patience_s
        while self._waiting() and time.monotonic() < deadline:
            if not self._pump():
                self._rest_a_little(0.05)
            self._keep_books(time.monotonic())
        return not self._waiting()

    # --- books -----------------------------------------------------------------------------------------------------------

    def _begin_measuring(self, now: float) -> None:
        self._from_s, self._from_step, self._cpu_s = now, self._step, time.process_time()

    def _keep_books(self, now: float) -> None:
        if now - self._took_at > TAKEN_EVERY_S:
            self._took_at = now
            self._journal.taken(self._taken())
        if now - self._told_at > PROGRESS_EVERY_S:
            self._told_at = now
            self._tell(
                {
                    "event": "load_progress",
                    "made": self._step,
                    "taken": self._taken(),
                    "acknowledged": sum(line.acknowledged for line in self._lines),
                    "waiting": self._waiting(),
                    "connected": sum(line.socket is not None for line in self._lines),
                }
            )
