"""What the stations said against what is stored: every message that is lost, doubled or changed, by name. Pure.

The caller reads the database, in whatever way its tables want; the generator never does. What should be there is computed anew
from the plan in the journal, not from what was sent: a body that was written wrongly is found as well.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

import numpy as np

from simulator.load.chance import Flags
from simulator.load.journal import Run
from simulator.load.plan import FIELD_SETS
from simulator.load.readings import SUMS, SUMS_OF_12, aux_import_wh, readings, site_import_wh, weighted
from simulator.load.script import Kind, Script

CHUNK = 4096
NAMED = 20
"""How many findings of a kind the report spells out; all are counted."""

IMPORT_WH = "import_wh"
"""Sum over the registers of a meter message."""

COLUMNS = (*SUMS, IMPORT_WH)
"""Sums that a stored message may be given with. Readings: sum over packs of slot number times value, value in the unit named."""

_TABLES = {"telemetry": Kind.TELEMETRY, "meter": Kind.METER, "birth": Kind.BIRTH}


class StoredMessage(NamedTuple):
    """One stored message. `kind`: telemetry, meter or birth. `rows`: packs or registers in it. `sums`: in the caller's order."""

    station_id: str
    epoch: int
    boot: int
    seq: int
    kind: str
    rows: int
    sums: Sequence[int]


class StoredBoot(NamedTuple):
    """What the service keeps of one boot. `settled`: half-open spans of seqs."""

    station_id: str
    epoch: int
    boot: int
    stored: int
    refused: int
    settled: Sequence[tuple[int, int]]


class Finding(NamedTuple):
    """One message with which something is wrong."""

    station_id: str
    epoch: int
    boot: int
    seq: int
    what: str


@dataclass(slots=True)
class Audit:
    """The result. `clean` is the verdict."""

    messages: int = 0
    """Said, and acknowledged by the broker: they must be there once."""
    uncertain: int = 0
    """Of a run that was killed: may have been said, may be there once."""
    stored: int = 0
    readings: int = 0
    refused: int = 0
    """Must be settled by refusal and stored nowhere."""
    boots: int = 0
    """Rows of `StoredBoot` that were compared; 0: none were given."""
    lost: list[Finding] = field(default_factory=list)
    doubled: list[Finding] = field(default_factory=list)
    changed: list[Finding] = field(default_factory=list)
    invented: list[Finding] = field(default_factory=list)
    """Stored though nobody said it, or though it was to be refused."""
    miscounted: list[Finding] = field(default_factory=list)
    """The service's own books of a boot are wrong; seq is the first that is."""

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong and there was something to look at."""
        return self.messages > 0 and not any((self.lost, self.doubled, self.changed, self.invented, self.miscounted))

    def as_json(self) -> dict[str, object]:
        """Return counts, and the first findings in words."""
        kinds = ("lost", "doubled", "changed", "invented", "miscounted")
        said = [finding for kind in kinds for finding in getattr(self, kind)[:NAMED]]
        return {
            "event": "load_audit",
            "clean": self.clean,
            "messages": self.messages,
            "uncertain": self.uncertain,
            "stored": self.stored,
            "readings": self.readings,
            "refused": self.refused,
            "boots": self.boots,
            **{kind: len(getattr(self, kind)) for kind in kinds},
            "findings": [f"{one.what}: {one.station_id} epoch {one.epoch} boot {one.boot} seq {one.seq}" for one in said],
        }


def audit(
    runs: Sequence[Run], columns: Sequence[str], messages: Iterable[StoredMessage], boots: Iterable[StoredBoot] = ()
) -> Audit:
    """Compare runs with what is stored of them.

    Parameters
    ----------
    columns : which sums the messages are given with, of `COLUMNS`. Those that are not given are not compared.
    messages : everything stored of the runs' stations; of other stations and boots nothing is said.
    boots : the service's own books; none: they are not looked at.

    Raises
    ------
    ValueError
        When a column is none of ours, or two runs have the same epoch and boot.
    """
    if unknown := set(columns) - set(COLUMNS):
        raise ValueError(f"no such sums: {sorted(unknown)}; there are {COLUMNS}")
    books = {(run.plan.prefix, run.plan.epoch, run.plan.boot): _Book(run, columns) for run in runs}
    if len(books) < len(runs):
        raise ValueError("two runs of one journal have the same epoch and boot")
    result = Audit()
    stream = iter(messages)
    while chunk := list(islice(stream, CHUNK)):
        by_book: dict[tuple[str, int, int], list[StoredMessage]] = {}
        for one in chunk:
            by_book.setdefault((one.station_id.rpartition("-")[0], one.epoch, one.boot), []).append(one)
        for key, stored in by_book.items():
            if key in books:
                books[key].compare(stored, result)
    for book in books.values():
        book.close(result)
    for boot in boots:
        known = books.get((boot.station_id.rpartition("-")[0], boot.epoch, boot.boot))
        if known is not None:
            known.compare_boot(boot, result)
    return result


class _Book:
    """What one run must and may have stored; axes (stations, seq - 1)."""

    def __init__(self, run: Run, columns: Sequence[str]) -> None:
        self._plan = plan = run.plan
        self._columns = columns
        script = Script(plan)
        stations = np.arange(plan.stations, dtype=np.int64)
        highest = script.highest(run.about)
        last = int(highest.max(initial=0))
        self._kinds = np.zeros((plan.stations, last), dtype=np.int8)
        self._must: Flags = np.zeros((plan.stations, last), dtype=np.bool_)
        self._may: Flags = np.zeros((plan.stations, last), dtype=np.bool_)
        for seq in range(1, last + 1):
            seqs = np.full(plan.stations, seq, dtype=np.int64)
            self._kinds[:, seq - 1] = script.kinds(stations, seqs)
            made = seqs <= highest
            due = script.due_steps(stations, seqs)
            self._must[:, seq - 1] = made if run.ended else due < run.taken
            self._may[:, seq - 1] = made if run.resting else due < run.about
        self._count = np.zeros((plan.stations, last), dtype=np.int16)

    def compare(self, stored: Sequence[StoredMessage], result: Audit) -> None:
        """Count stored messages in and compare their content."""
        plan = self._plan
        places: list[tuple[int, int]] = []
        known: list[StoredMessage] = []
        for one in stored:
            number = one.station_id.rpartition("-")[2]
            station = int(number) if number.isdecimal() and len(number) == 5 else -1
            if not 0 <= station < plan.stations:
                continue
            result.stored += 1
            inside = one.seq <= self._may.shape[1] and bool(self._may[station, one.seq - 1])
            if not inside or self._kinds[station, one.seq - 1] != _TABLES.get(one.kind, -1):
                result.invented.append(self._finding(station, one.seq, f"invented {one.kind}"))
                continue
            places.append((station, one.seq))
            known.append(one)
        for at in self._wrong(known, places):
            result.changed.append(self._finding(*places[at], "changed"))
        for (station, seq), copies in zip(places, self._copies(known), strict=True):
            before = self._count[station, seq - 1]
            self._count[station, seq - 1] += copies
            if before < 2 <= before + copies:
                result.doubled.append(self._finding(station, seq, "doubled"))
        result.readings += sum(one.rows for one in known if one.kind == "telemetry")

    def _rows(self, one: StoredMessage) -> int:
        return {"telemetry": self._plan.packs, "meter": 2}.get(one.kind, 1)

    def _copies(self, stored: Sequence[StoredMessage]) -> list[int]:
        """Return how many copies of a message each is: grouped by key, what is stored twice has twice the rows."""
        return [max(1, one.rows // each) if one.rows % (each := self._rows(one)) == 0 else 1 for one in stored]

    def _wrong(self, stored: Sequence[StoredMessage], places: Sequence[tuple[int, int]]) -> list[int]:
        """Return the places of those whose content is not what was said."""
        if not stored:
            return []
        stations, seqs = np.array(places, dtype=np.int64).T
        kinds = self._kinds[stations, seqs - 1]
        rows = np.array([one.rows for one in stored], dtype=np.int64)
        copies = np.array(self._copies(stored), dtype=np.int64)
        sums = np.array([one.sums for one in stored], dtype=np.int64).reshape(len(stored), len(self._columns))
        right = rows == copies * np.array([self._rows(one) for one in stored], dtype=np.int64)
        telemetry = kinds == Kind.TELEMETRY
        carried = SUMS_OF_12 if self._plan.fields == FIELD_SETS[0] else SUMS
        said = readings(self._plan.seed, self._plan.packs, stations, seqs)
        for at, name in enumerate(self._columns):
            if name == IMPORT_WH:
                meters = site_import_wh(self._plan.packs, stations, seqs) + aux_import_wh(stations, seqs)
                right &= (kinds != Kind.METER) | (sums[:, at] == meters * copies)
            elif name in carried:
                right &= ~telemetry | (sums[:, at] == weighted(getattr(said, name)) * copies)
        return np.flatnonzero(~right).tolist()

    def compare_boot(self, boot: StoredBoot, result: Audit) -> None:
        """Compare the service's own books of one boot."""
        number = boot.station_id.rpartition("-")[2]
        station = int(number) if number.isdecimal() and len(number) == 5 else -1
        if not 0 <= station < self._plan.stations:
            return
        result.boots += 1
        settled = np.zeros(self._must.shape[1], dtype=np.bool_)
        beyond = 0
        for first, end in boot.settled:
            settled[max(first, 1) - 1 : max(end, 1) - 1] = True
            beyond = max(beyond, end - 1 - len(settled))
        must, may = self._must[station], self._may[station]
        for wrong, what in ((must & ~settled, "not settled"), (settled & ~may, "settled, never said")):
            if wrong.any():
                result.miscounted.append(self._finding(station, int(wrong.argmax()) + 1, what))
        if beyond > 0:
            result.miscounted.append(self._finding(station, len(settled) + beyond, "settled, never said"))
        refused = int((settled & (self._kinds[station] == Kind.REFUSED)).sum())
        if boot.refused != refused:
            result.miscounted.append(self._finding(station, 0, f"{boot.refused} counted as refused, not {refused}"))
        if boot.stored != (stored := int(self._count[station].sum())):
            result.miscounted.append(self._finding(station, 0, f"{boot.stored} counted as stored, not {stored}"))

    def close(self, result: Audit) -> None:
        """Name what is missing."""
        kept = self._kinds != Kind.REFUSED
        result.messages += int((self._must & kept).sum())
        result.uncertain += int((self._may & ~self._must & kept).sum())
        result.refused += int((self._must & ~kept).sum())
        missing = self._must & kept & (self._count == 0)
        result.lost += [self._finding(station, seq + 1, "lost") for station, seq in np.argwhere(missing).tolist()]

    def _finding(self, station: int, seq: int, what: str) -> Finding:
        return Finding(self._plan.name(station), self._plan.epoch, self._plan.boot, seq, what)
