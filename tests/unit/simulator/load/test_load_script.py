"""A run says every message once, whatever disturbs it and wherever it is cut; its plan and its journal say so."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.load.journal import JournalError, JournalWriter, next_boot, read_journal
from simulator.load.plan import Disturbances, LoadPlan, plan_from_json, station_names
from simulator.load.script import Kind, Script, Sending

START = datetime(2026, 4, 6, tzinfo=UTC)
SHARES = st.sampled_from([0.0, 0.1, 0.5, 1.0])
ONCE = {Kind.BIRTH, Kind.TELEMETRY, Kind.METER, Kind.REFUSED, Kind.HISTORY}


def plan(**changes: object) -> LoadPlan:
    told = {"stations": 5, "packs": 3, "fields": 12, "seed": 3, "rate_per_s": 100.0, "start_at": START}
    return LoadPlan(**{**told, **changes})  # type: ignore[arg-type]


def all_said(script: Script, steps: int, at_once: int) -> list[Sending]:
    said: list[Sending] = []
    step = 0
    while step < steps:
        sendings, step = script.sendings(step, min(at_once, steps - step))
        said += sendings
    return said


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 9), births=st.booleans(), steps=st.integers(1, 60), at_once=st.integers(1, 9),
    reorder=SHARES, late=SHARES, absurd=SHARES, duplicates=SHARES,
)  # fmt: skip
def test_cut_anywhere_every_seq_up_to_the_highest_is_said_once(
    seed: int, births: bool, steps: int, at_once: int, reorder: float, late: float, absurd: float, duplicates: float
) -> None:
    script = Script(plan(seed=seed, births=births, disturbances=Disturbances(duplicates, reorder, late, absurd)))
    said = all_said(script, steps, at_once)
    rest = script.rest(steps)
    once = Counter((one.station, one.seq) for one in [*said, *rest] if one.kind in ONCE)
    highest = script.highest(steps).tolist()
    assert once == {(station, seq): 1 for station in range(5) for seq in range(1, highest[station] + 1)}
    assert all(once[one.station, one.seq] for one in said if one.kind is Kind.COPY)
    for one in said:
        if one.kind in ONCE:
            assert script.due_steps(np.array([one.station]), np.array([one.seq])) == one.step


def test_it_does_not_matter_how_many_are_made_at_once() -> None:
    script = Script(plan(disturbances=Disturbances(0.2, 0.2, 0.2, 0.2)))
    assert all_said(script, 55, 1) == all_said(script, 55, 4) == all_said(script, 55, 100)


@pytest.mark.parametrize(
    ("share", "kind"), [("duplicates", Kind.COPY), ("late", Kind.HISTORY), ("absurd", Kind.REFUSED), ("absurd", Kind.NOT_JSON)]
)
def test_a_share_is_about_that_share(share: str, kind: Kind) -> None:
    script = Script(plan(stations=200, births=False, meter_every=0, disturbances=Disturbances(**{share: 0.1})))
    said = all_said(script, 200 * 100, 256)
    wanted = 0.05 if share == "absurd" else 0.1
    assert sum(one.kind is kind for one in said) / 20_000 == pytest.approx(wanted, rel=0.2)


def test_neighbours_change_places_in_that_share() -> None:
    script = Script(plan(stations=200, births=False, disturbances=Disturbances(reorder=0.1)))
    said = all_said(script, 200 * 100, 256)
    assert sum(one.seq != one.step // 200 + 1 for one in said) / 20_000 == pytest.approx(0.1, rel=0.2)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"stations": 0}, "--stations"), ({"packs": 100}, "--packs"), ({"fields": 13}, "--fields"), ({"rate_per_s": 0}, "--rate"),
        ({"prefix": "a b"}, "--prefix"), ({"prefix": "x" * 43}, "--prefix"), ({"seed": -1}, "--seed"),
    ],
)  # fmt: skip
def test_a_wrong_plan_says_what_is_wrong(changes: dict[str, object], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        plan(**changes)


def test_a_share_beyond_one_is_refused() -> None:
    with pytest.raises(ValueError, match="--late"):
        Disturbances(late=1.5)


def test_names_are_those_of_the_plan() -> None:
    assert station_names(5) == [plan().name(station) for station in range(5)]


# --- the journal ---------------------------------------------------------------------------------------------------------------


def test_a_journal_tells_its_runs(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "load.journal"
    assert read_journal(path) == []
    first = plan(disturbances=Disturbances(late=0.25))
    with JournalWriter(path, first) as journal:
        journal.about(40)
        journal.taken(30)
        journal.taken(30)
        journal.rest()
        journal.end()
    with JournalWriter(path, plan(boot=2)) as journal:
        journal.about(7)
    one, two = read_journal(path)
    assert one.plan == first == plan_from_json(first.as_json())
    assert (one.about, one.taken, one.resting, one.ended) == (40, 30, True, True)
    assert (two.about, two.taken, two.resting, two.ended) == (7, 0, False, False)
    assert next_boot([one, two], 1) == 3
    assert next_boot([one, two], 2) == 1


def test_a_torn_last_line_says_nothing_and_does_not_hurt_the_next_run(tmp_path: Path) -> None:
    path = tmp_path / "load.journal"
    with JournalWriter(path, plan()) as journal:
        journal.about(40)
    with path.open("ab") as file:
        file.write(b'{"abo')
    assert [run.about for run in read_journal(path)] == [40]
    with JournalWriter(path, plan(boot=2)) as journal:
        journal.about(9)
    assert [run.about for run in read_journal(path)] == [40, 9]


def test_what_is_no_journal_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "load.journal"
    path.write_text('{"about": 1}\n{"about": 2}\n')
    with pytest.raises(JournalError, match="line 1"):
        read_journal(path)
