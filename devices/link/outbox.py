"""The journal on disk: what a station said until the service has stored it, its counters, and its ledger of commands.

One SQLite file per process holds all stations of the process. Sending order and MQTT do not live here.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

SCHEMA = """
CREATE TABLE IF NOT EXISTS station (station_id TEXT PRIMARY KEY, epoch INTEGER NOT NULL, boot INTEGER NOT NULL,
    session INTEGER NOT NULL, request_id INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS boot (station_id TEXT NOT NULL, epoch INTEGER NOT NULL, boot INTEGER NOT NULL,
    last_seq INTEGER NOT NULL, PRIMARY KEY (station_id, epoch, boot)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS message (station_id TEXT NOT NULL, epoch INTEGER NOT NULL, boot INTEGER NOT NULL,
    seq INTEGER NOT NULL, leaf TEXT NOT NULL, rank INTEGER NOT NULL, body BLOB NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS message_key ON message (station_id, epoch, boot, seq);
CREATE TABLE IF NOT EXISTS answer (id INTEGER PRIMARY KEY, station_id TEXT NOT NULL, command_id TEXT NOT NULL,
    status TEXT NOT NULL, reason_code TEXT, UNIQUE (station_id, command_id));
CREATE TABLE IF NOT EXISTS note (station_id TEXT NOT NULL, name TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (station_id, name)) WITHOUT ROWID;
"""

ANSWERS_KEPT = 1_000
"""Answers remembered per station. Guess: a day of one command a minute, rounded down to what a command's lifetime needs."""


class OutboxInUseError(RuntimeError):
    """Another process holds the file. Two writers would issue the same keys: give each process its own file."""


class JournalError(RuntimeError):
    """The journal could not be written (disk full, damaged file). What needs a trace must not be done."""


class MessageKey(NamedTuple):
    """Orders the messages of one station."""

    epoch: int
    boot: int
    seq: int


class Held(NamedTuple):
    """A message the journal still holds. `rank` 0 goes first."""

    key: MessageKey
    leaf: str
    rank: int
    size_bytes: int


class Answer(NamedTuple):
    """The first answer a command got."""

    status: str
    reason_code: str | None


@dataclass(slots=True)
class _Load:
    rows: int
    size_bytes: int
    last_seq: int = 0


class Outbox:
    """Keep messages until they are committed.

    Parameters
    ----------
    path : the file; made when absent.
    durable : True waits for the disk at every write (a controller that may lose power); False survives the death of
        the process, not of the machine. Counters of boots always wait for the disk.
    max_rows, max_bytes : bounds per station; beyond them the least important, oldest messages are dropped.

    Raises
    ------
    OutboxInUseError : when another process holds the file.
    """

    def __init__(self, path: Path | str, *, durable: bool = True, max_rows: int = 50_000, max_bytes: int = 64_000_000) -> None:
        self._max_rows, self._max_bytes = max_rows, max_bytes
        self._synchronous = "FULL" if durable else "NORMAL"
        self._loads: dict[str, _Load] = {}
        self._db = sqlite3.connect(path, isolation_level=None, timeout=2.0)
        try:
            self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.executescript(SCHEMA)
            self._db.execute(f"PRAGMA synchronous={self._synchronous}")
        except sqlite3.OperationalError as error:
            self._db.close()
            if "locked" in str(error):
                raise OutboxInUseError(f"{path} is used by another process; give each process its own outbox") from error
            raise

    def close(self) -> None:
        """Close the file. What is held stays held."""
        self._db.close()

    def _write(self, statement: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        """Run one small writing statement; return its rows.

        Raises
        ------
        JournalError : when it could not be written.
        """
        try:
            return self._db.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise JournalError(f"the journal cannot be written: {error}") from error

    # -- counters ------------------------------------------------------------------------------------------------

    def begin(self, station_id: str, epoch: int) -> int:
        """Start a boot of a station and return its number: one more than ever before in this file."""
        # A boot that is issued twice would let two messages share a key, so this one write waits for the disk.
        self._db.execute("PRAGMA synchronous=FULL")
        try:
            ((boot,),) = self._write(
                "INSERT INTO station VALUES (?, ?, 1, 0, 0) ON CONFLICT (station_id) "
                "DO UPDATE SET epoch = excluded.epoch, boot = boot + 1 RETURNING boot",
                (station_id, epoch),
            )
            self._write("INSERT INTO boot VALUES (?, ?, ?, 0)", (station_id, epoch, boot))
        finally:
            self._db.execute(f"PRAGMA synchronous={self._synchronous}")
        rows, size = self._db.execute(
            "SELECT count(*), coalesce(sum(length(body)), 0) FROM message WHERE station_id = ?", (station_id,)
        ).fetchone()
        self._loads[station_id] = _Load(rows, size)
        return int(boot)

    def next_session(self, station_id: str) -> int:
        """Return the number of the next MQTT connection."""
        return self._count_up(station_id, "session")

    def next_request_id(self, station_id: str) -> int:
        """Return a request id of the station's own: 1 .. 2^30 - 1, then from 1 again."""
        return (self._count_up(station_id, "request_id") - 1) % (2**30 - 1) + 1

    def _count_up(self, station_id: str, column: str) -> int:
        ((count,),) = self._write(
            f"UPDATE station SET {column} = {column} + 1 WHERE station_id = ? RETURNING {column}",  # noqa: S608 - our names
            (station_id,),
        )
        return int(count)

    # -- messages ------------------------------------------------------------------------------------------------

    def append(
        self, station_id: str, epoch: int, boot: int, leaf: str, build: Callable[[int], tuple[int, bytes] | None]
    ) -> tuple[Held, bytes] | None:
        """Store the message (rank, body) that `build` makes for the next seq; None when it makes none (no seq is used).

        Raises
        ------
        JournalError : when it could not be stored. Nothing was said then.
        """
        load = self._loads[station_id]
        seq = load.last_seq + 1
        built = build(seq)
        if built is None:
            return None
        rank, body = built
        try:
            self._db.execute("BEGIN")
            self._db.execute("INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?)", (station_id, epoch, boot, seq, leaf, rank, body))
            self._db.execute(
                "UPDATE boot SET last_seq = ? WHERE station_id = ? AND epoch = ? AND boot = ?", (seq, station_id, epoch, boot)
            )
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise JournalError(f"the journal of {station_id} cannot be written: {error}") from error
        load.last_seq, load.rows, load.size_bytes = seq, load.rows + 1, load.size_bytes + len(body)
        return Held(MessageKey(epoch, boot, seq), leaf, rank, len(body)), body

    def held(self, station_id: str) -> list[Held]:
        """Return what is held, in the order of the key."""
        rows = self._db.execute(
            "SELECT epoch, boot, seq, leaf, rank, length(body) FROM message WHERE station_id = ? ORDER BY epoch, boot, seq",
            (station_id,),
        )
        return [Held(MessageKey(epoch, boot, seq), leaf, rank, size) for epoch, boot, seq, leaf, rank, size in rows]

    def body(self, station_id: str, key: MessageKey) -> bytes | None:
        """Return the body of a held message, unchanged since it was first said."""
        row = self._db.execute(
            "SELECT body FROM message WHERE station_id = ? AND epoch = ? AND boot = ? AND seq = ?", (station_id, *key)
        ).fetchone()
        return None if row is None else bytes(row[0])

    def settle(self, station_id: str, epoch: int, boot: int, seq: int) -> int:
        """Forget messages 1 to `seq` of one boot, and of no other; return how many were held.

        Raises
        ------
        JournalError : when they could not be forgotten; they are still held then.
        """
        gone = self._write(
            "DELETE FROM message WHERE station_id = ? AND epoch = ? AND boot = ? AND seq <= ? RETURNING length(body)",
            (station_id, epoch, boot, seq),
        )
        self._lighten(station_id, [size for (size,) in gone])
        return len(gone)

    def shed(self, station_id: str) -> list[MessageKey]:
        """Drop the least important, oldest messages when the bounds are passed; return their keys.

        A tenth of the bound goes at once, so that a full journal is not trimmed at every message.
        """
        load = self._loads[station_id]
        if load.rows <= self._max_rows and load.size_bytes <= self._max_bytes:
            return []
        rows_over = load.rows - self._max_rows * 9 // 10
        bytes_over = load.size_bytes - self._max_bytes * 9 // 10
        dropped: list[tuple[MessageKey, int]] = []
        for epoch, boot, seq, size in self._db.execute(
            "SELECT epoch, boot, seq, length(body) FROM message WHERE station_id = ? ORDER BY rank DESC, epoch, boot, seq",
            (station_id,),
        ).fetchall():
            if rows_over <= 0 and bytes_over <= 0:
                break
            dropped.append((MessageKey(epoch, boot, seq), size))
            rows_over, bytes_over = rows_over - 1, bytes_over - size
        self._db.executemany(
            "DELETE FROM message WHERE station_id = ? AND epoch = ? AND boot = ? AND seq = ?",
            [(station_id, *key) for key, _ in dropped],
        )
        self._lighten(station_id, [size for _, size in dropped])
        return [key for key, _ in dropped]

    def _lighten(self, station_id: str, sizes: list[int]) -> None:
        load = self._loads.get(station_id)
        if load is not None:
            load.rows, load.size_bytes = load.rows - len(sizes), load.size_bytes - sum(sizes)

    # -- audits --------------------------------------------------------------------------------------------------

    def last_seq(self, station_id: str, epoch: int, boot: int) -> int | None:
        """Return the highest seq ever issued in a boot, None for a boot this file does not know."""
        row = self._db.execute(
            "SELECT last_seq FROM boot WHERE station_id = ? AND epoch = ? AND boot = ?", (station_id, epoch, boot)
        ).fetchone()
        return None if row is None else int(row[0])

    def journal_totals(self) -> dict[str, dict[tuple[int, int], int]]:
        """Return the last seq of every boot ever begun in this file, by station and (epoch, boot)."""
        totals: dict[str, dict[tuple[int, int], int]] = {}
        for station_id, epoch, boot, last_seq in self._db.execute("SELECT station_id, epoch, boot, last_seq FROM boot"):
            totals.setdefault(station_id, {})[epoch, boot] = last_seq
        return totals

    def pending_count(self, station_id: str | None = None) -> int:
        """Return how many messages are not yet committed, of one station or of all."""
        if station_id is None:
            return int(self._db.execute("SELECT count(*) FROM message").fetchone()[0])
        return int(self._db.execute("SELECT count(*) FROM message WHERE station_id = ?", (station_id,)).fetchone()[0])

    # -- ledger and notes ----------------------------------------------------------------------------------------

    def first_answer(self, station_id: str, command_id: str) -> Answer | None:
        """Return the first answer a command got, None when it never came before."""
        row = self._db.execute(
            "SELECT status, reason_code FROM answer WHERE station_id = ? AND command_id = ?", (station_id, command_id)
        ).fetchone()
        return None if row is None else Answer(row[0], row[1])

    def remember_answer(self, station_id: str, command_id: str, answer: Answer) -> None:
        """Keep the first answer of a command; a later one does not replace it."""
        rows = self._write(
            "INSERT INTO answer (station_id, command_id, status, reason_code) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (station_id, command_id) DO NOTHING RETURNING id",
            (station_id, command_id, answer.status, answer.reason_code),
        )
        if rows and rows[0][0] % 64 == 0:
            self._write(
                "DELETE FROM answer WHERE station_id = ? AND id < (SELECT id FROM answer WHERE station_id = ? "
                "ORDER BY id DESC LIMIT 1 OFFSET ?)",
                (station_id, station_id, ANSWERS_KEPT - 1),
            )

    def keep_note(self, station_id: str, name: str, body: bytes) -> None:
        """Keep a small value over restarts (the running schedule, slots taken out of service)."""
        self._write("INSERT OR REPLACE INTO note VALUES (?, ?, ?)", (station_id, name, body))

    def note(self, station_id: str, name: str) -> bytes | None:
        """Return a kept value."""
        row = self._db.execute("SELECT body FROM note WHERE station_id = ? AND name = ?", (station_id, name)).fetchone()
        return None if row is None else bytes(row[0])
