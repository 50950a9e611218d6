"""The world on disk: where every pack is, how charged it is, who is on an errand. One SQLite file, one process.

A pack's place changes in one transaction, written together with the physical act and never after it. The plant's arrays
are saved after each step and before anybody reads them, so that a register that a station has reported never falls, even
after a kill -9. A loss of power may cost the last seconds (``synchronous=NORMAL``), never the file.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS pack_place (
    serial_number TEXT PRIMARY KEY,
    station       INTEGER,
    slot_no       INTEGER,
    rider         INTEGER,
    CHECK ((station IS NULL) = (slot_no IS NULL)),
    CHECK ((station IS NULL) <> (rider IS NULL)),
    UNIQUE (station, slot_no)
) STRICT;
CREATE TABLE IF NOT EXISTS arrays (name TEXT PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS errand (
    rider          INTEGER PRIMARY KEY,
    station        INTEGER NOT NULL,
    reservation_id TEXT NOT NULL,
    swap_key       TEXT NOT NULL,
    swap_id        TEXT,
    packs_in       INTEGER NOT NULL DEFAULT 0,
    packs_out      INTEGER NOT NULL DEFAULT 0
) STRICT;
"""


class WorldMismatchError(RuntimeError):
    """The file holds another world than the one asked for."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a pack is: in a slot (`station` counted from 0, `slot_no` from 1) or with a rider (counted from 0)."""

    station: int | None = None
    slot_no: int | None = None
    rider: int | None = None


@dataclass(frozen=True, slots=True)
class Errand:
    """A rider who has a reservation and is on his way to swap, or at it."""

    rider: int
    station: int
    reservation_id: str
    swap_key: str
    swap_id: str | None = None
    packs_in: int = 0
    packs_out: int = 0


class WorldStore:
    """One world's file. Opening creates it; use it as a context manager, or `close` it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = sqlite3.connect(path, isolation_level=None)
        self._file.execute("PRAGMA journal_mode=WAL")
        self._file.execute("PRAGMA synchronous=NORMAL")
        self._file.executescript(_SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def fact(self, name: str) -> str | None:
        """Return a remembered fact, None when it was never told."""
        row = self._file.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def remember(self, name: str, value: str) -> None:
        """Remember a fact; a later one of the same name replaces it."""
        self._file.execute(
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (name, value)
        )

    def found(self, identity: Mapping[str, object], places: Iterable[tuple[str, Place]]) -> bool:
        """Make the world on first use; tell whether it was there before.

        Raises
        ------
        WorldMismatchError
            The file holds a world of another identity (stations, seed, scenario).
        """
        wanted = json.dumps(identity, sort_keys=True)
        there = self.fact("identity")
        if there is not None:
            if there != wanted:
                raise WorldMismatchError(f"the file holds the world {there}, not {wanted}; use another --data-dir")
            return True
        with self._transaction():
            self._file.executemany(
                "INSERT INTO pack_place VALUES (?, ?, ?, ?)",
                ((serial, place.station, place.slot_no, place.rider) for serial, place in places),
            )
            self.remember("identity", wanted)
        return False

    def places(self) -> dict[str, Place]:
        """Return the place of every pack, by serial number."""
        rows = self._file.execute("SELECT serial_number, station, slot_no, rider FROM pack_place")
        return {serial: Place(station, slot_no, rider) for serial, station, slot_no, rider in rows}

    def move(self, serial_number: str, to: Place, errand: Errand | None = None) -> None:
        """Move one pack, and count it for the errand it belongs to, in one transaction.

        Raises
        ------
        sqlite3.IntegrityError
            The slot holds a pack already, or the place is not exactly one.
        KeyError
            There is no such pack.
        """
        with self._transaction():
            moved = self._file.execute(
                "UPDATE pack_place SET station = ?, slot_no = ?, rider = ? WHERE serial_number = ?",
                (to.station, to.slot_no, to.rider, serial_number),
            ).rowcount
            if moved != 1:
                raise KeyError(f"no pack {serial_number} in this world")
            if errand is not None:
                self.save_errand(errand)

    def save_arrays(self, arrays: Mapping[str, NDArray[np.float64]], fleet_at: str) -> None:
        """Save the plant's arrays and the fleet instant they belong to, in one transaction."""
        with self._transaction():
            self._file.executemany(
                "INSERT INTO arrays VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET body = excluded.body",
                ((name, values.tobytes()) for name, values in arrays.items()),
            )
            self.remember("fleet_at", fleet_at)

    def load_arrays(self) -> dict[str, NDArray[np.float64]]:
        """Return the saved arrays, empty when none were."""
        rows = self._file.execute("SELECT name, body FROM arrays")
        return {name: np.frombuffer(body, dtype=np.float64).copy() for name, body in rows}

    def save_errand(self, errand: Errand) -> None:
        """Write or replace a rider's errand."""
        self._file.execute(
            "INSERT OR REPLACE INTO errand VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                errand.rider,
                errand.station,
                errand.reservation_id,
                errand.swap_key,
                errand.swap_id,
                errand.packs_in,
                errand.packs_out,
            ),
        )

    def end_errand(self, rider: int) -> None:
        """Forget a rider's errand."""
        self._file.execute("DELETE FROM errand WHERE rider = ?", (rider,))

    def errands(self) -> list[Errand]:
        """Return all errands that were not ended."""
        columns = "rider, station, reservation_id, swap_key, swap_id, packs_in, packs_out"
        return [Errand(*row) for row in self._file.execute(f"SELECT {columns} FROM errand ORDER BY rider")]  # noqa: S608 - our own names

    def _transaction(self) -> "_Transaction":
        return _Transaction(self._file)


class _Transaction:
    """BEGIN IMMEDIATE ... COMMIT, ROLLBACK on an error."""

    def __init__(self, file: sqlite3.Connection) -> None:
        self._file = file

    def __enter__(self) -> None:
        self._file.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.execute("COMMIT" if kind is None else "ROLLBACK")
