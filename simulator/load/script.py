"""Who says what at which step: the whole run as a function of its plan, disturbances included. Pure.

Step i is the turn of station ``i % stations`` in round ``i // stations``. In round m a station says its message ``seq = m + 1``;
a disturbance moves, holds back, repeats or spoils it.
"""

from collections.abc import Callable
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from simulator.load.chance import Flags, Ints, bits, happens
from simulator.load.plan import LATE_ROUNDS, LoadPlan

_REORDER, _LATE, _DUPLICATE, _ABSURD, _WHICH, _CUT = 11, 12, 13, 14, 15, 16


class Kind(IntEnum):
    """What one sending is. Up to `REFUSED` it is also what a seq is, once and for all."""

    BIRTH = 0
    TELEMETRY = 1
    METER = 2
    REFUSED = 3
    """Breaks the schema; its seq can be read and is settled by the refusal."""
    HISTORY = 4
    """Telemetry that comes late, on the topic for what is late."""
    NOT_JSON = 5
    """On top of what the station says; has no seq of its own."""
    COPY = 6
    """Telemetry said before."""
    ONLINE = 7
    OFFLINE = 8


class Sending(NamedTuple):
    """One message on its way to the broker. Without a seq of its own (`NOT_JSON`, `ONLINE`, `OFFLINE`): that of its turn."""

    step: int
    station: int
    seq: int
    kind: Kind


_KINDS = tuple(Kind)


class Script:
    """The run that a plan describes."""

    def __init__(self, plan: LoadPlan) -> None:
        self.plan = plan
        self._disturb = plan.disturbances

    # --- what a message is -----------------------------------------------------------------------------------------------

    def kinds(self, stations: Ints, seqs: Ints) -> Ints:
        """Return the kind of each message, as numbers of `Kind`."""
        plan = self.plan
        kinds = np.full(seqs.shape, int(Kind.TELEMETRY), dtype=np.int64)
        if self._disturb.absurd > 0:
            spoiled = happens(self._disturb.absurd / 2, plan.seed, _ABSURD, stations, seqs)
            kinds[spoiled] = Kind.REFUSED
        if plan.meter_every:
            kinds[(seqs + stations) % plan.meter_every == 0] = Kind.METER
        if plan.births:
            kinds[seqs == 1] = Kind.BIRTH
        return kinds

    def rounds(self, stations: Ints, seqs: Ints) -> Ints:
        """Return the round in which a message is made; it is said then, unless it is late."""
        return self._swapped(stations, seqs) - 1

    def due_steps(self, stations: Ints, seqs: Ints) -> Ints:
        """Return the step at which a message is first said."""
        rounds = self.rounds(stations, seqs) + LATE_ROUNDS * self._late(stations, seqs, self.kinds(stations, seqs))
        return rounds * self.plan.stations + stations

    def highest(self, steps: int) -> Ints:
        """Return per station the highest seq made before step `steps`."""
        stations = np.arange(self.plan.stations, dtype=np.int64)
        done = (steps - stations + self.plan.stations - 1) // self.plan.stations
        return np.where(done > 0, np.maximum(done, self._swapped(stations, np.maximum(done, 1))), 0)

    def _swapped(self, stations: Ints, numbers: Ints) -> Ints:
        """Return turn for seq and seq for turn (both from 1): neighbours 2 and 3, 4 and 5, ... may have changed places."""
        if self._disturb.reorder == 0:
            return numbers
        # A share of pairs is the same share of messages.
        change = happens(self._disturb.reorder, self.plan.seed, _REORDER, stations, numbers >> 1) & (numbers > 1)
        return np.where(change, numbers ^ 1, numbers)

    def _late(self, stations: Ints, seqs: Ints, kinds: Ints) -> Flags:
        if self._disturb.late == 0:
            return np.zeros(seqs.shape, dtype=np.bool_)
        late: Flags = happens(self._disturb.late, self.plan.seed, _LATE, stations, seqs) & (kinds == Kind.TELEMETRY)
        return late

    def _copied(self, stations: Ints, seqs: Ints, kinds: Ints, *, later: bool) -> Flags:
        if self._disturb.duplicates == 0:
            return np.zeros(seqs.shape, dtype=np.bool_)
        twice = happens(self._disturb.duplicates, self.plan.seed, _DUPLICATE, stations, seqs) & (kinds == Kind.TELEMETRY)
        when: Flags = twice & ((bits(self.plan.seed, _WHICH, stations, seqs) & 1) == int(later))
        return when

    # --- what is said, in order ------------------------------------------------------------------------------------------

    def sendings(self, first: int, most: int) -> tuple[list[Sending], int]:
        """Return what is said from step `first` on, and the step after it: at most `most` steps, of one round."""
        plan = self.plan
        turn, station = divmod(first, plan.stations)
        count = min(most, plan.stations - station)
        stations = np.arange(station, station + count, dtype=np.int64)
        steps = range(first, first + count)
        seqs = self._swapped(stations, np.full(count, turn + 1, dtype=np.int64))
        kinds = self.kinds(stations, seqs)
        if plan.births and turn == 0:
            said: list[Sending] = []
            for step, who in zip(steps, stations.tolist(), strict=True):
                said += (Sending(step, who, 1, Kind.ONLINE), Sending(step, who, 1, Kind.BIRTH))
            return said, first + count
        turns = zip(steps, stations.tolist(), seqs.tolist(), map(_KINDS.__getitem__, kinds.tolist()), strict=True)
        if self._disturb == type(self._disturb)():
            return list(map(Sending._make, turns)), first + count
        return self._disturbed(list(map(Sending._make, turns)), stations, seqs, kinds, turn), first + count

    def _disturbed(self, plain: list[Sending], stations: Ints, seqs: Ints, kinds: Ints, turn: int) -> list[Sending]:
        held = self._late(stations, seqs, kinds).tolist()
        twice = self._copied(stations, seqs, kinds, later=False).tolist()
        cut = happens(self._disturb.absurd / 2, self.plan.seed, _CUT, stations, seqs).tolist()
        came_late = self._of_round(turn - LATE_ROUNDS, stations, self._late)
        again = self._of_round(turn - LATE_ROUNDS + 1, stations, lambda *of: self._copied(*of, later=True))
        said: list[Sending] = []
        for at, one in enumerate(plain):
            if not held[at]:
                said.append(one)
                if twice[at]:
                    said.append(one._replace(kind=Kind.COPY))
            if came_late[at]:
                said.append(Sending(one.step, one.station, came_late[at], Kind.HISTORY))
            if again[at]:
                said.append(Sending(one.step, one.station, again[at], Kind.COPY))
            if cut[at]:
                said.append(Sending(one.step, one.station, one.seq, Kind.NOT_JSON))
        return said

    def _of_round(self, turn: int, stations: Ints, which: Callable[[Ints, Ints, Ints], Flags]) -> list[int]:
        """Return the seq that each station had in an earlier round where `which` holds for it, else 0."""
        if turn < 0:
            return [0] * len(stations)
        seqs = self._swapped(stations, np.full(len(stations), turn + 1, dtype=np.int64))
        chosen: list[int] = np.where(which(stations, seqs, self.kinds(stations, seqs)), seqs, 0).tolist()
        return chosen

    def rest(self, steps: int) -> list[Sending]:
        """Return what a run that ends before step `steps` still owes, so that nothing below the highest seq is missing."""
        highest = self.highest(steps)
        owed: list[Sending] = []
        # Behind the highest by more than what can be held back, everything has been said.
        for back in range(LATE_ROUNDS + 2):
            seqs = highest - back
            stations = np.flatnonzero(seqs > 0).astype(np.int64)
            seqs = seqs[stations]
            kinds = self.kinds(stations, seqs)
            unsaid = self.due_steps(stations, seqs) >= steps
            late = self._late(stations, seqs, kinds)
            owed += [
                Sending(steps, station, seq, Kind.HISTORY if is_late else _KINDS[kind])
                for station, seq, kind, is_late in zip(
                    stations[unsaid].tolist(), seqs[unsaid].tolist(), kinds[unsaid].tolist(), late[unsaid].tolist(), strict=True
                )
            ]
        return owed[::-1]
