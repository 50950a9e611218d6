"""The audit finds every planted fault and names it; without one it is content."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from devices.wire.codec import decode
from devices.wire.telemetry import Meter, Telemetry
from simulator.__main__ import main
from simulator.load.audit import COLUMNS, Audit, StoredBoot, StoredMessage, audit
from simulator.load.bodies import Writer
from simulator.load.command import KEY_COLUMNS
from simulator.load.journal import JournalWriter, Run
from simulator.load.plan import Disturbances, LoadPlan
from simulator.load.script import Kind, Script, Sending

PLAN = LoadPlan(
    stations=6, packs=4, fields=24, seed=2, rate_per_s=50.0, start_at=datetime(2026, 4, 6, tzinfo=UTC), meter_every=5,
    disturbances=Disturbances(reorder=0.2, late=0.2, absurd=0.2),
)  # fmt: skip
STEPS = 100
ENDED = Run(PLAN, about=STEPS, taken=STEPS, resting=True, ended=True)
SUMMED = ("energy_in_wh", "energy_out_wh", "soc_dpct", "power_dw", "serial", "import_wh")


def sums(message: Telemetry | Meter) -> list[int]:
    """What SQL would sum, from what the wire said."""
    if isinstance(message, Meter):
        return [0, 0, 0, 0, 0, sum(register.import_wh for register in message.registers)]
    packs = message.battery_data
    return [
        sum(pack.evse_id * (pack.energy_in_wh or 0) for pack in packs),
        sum(pack.evse_id * (pack.energy_out_wh or 0) for pack in packs),
        sum(pack.evse_id * round(pack.soc_pct * 10) for pack in packs),
        sum(pack.evse_id * round((pack.power_w or 0) * 10) for pack in packs),
        sum(pack.evse_id * int(pack.serial_number[-8:]) for pack in packs),
        0,
    ]


def stored() -> Iterator[StoredMessage]:
    """A database that has taken everything exactly once, read from the bodies themselves."""
    script = Script(PLAN)
    writer = Writer(script)
    highest = script.highest(STEPS)
    for station in range(PLAN.stations):
        for seq in range(1, int(highest[station]) + 1):
            kind = Kind(script.kinds(np.array([station]), np.array([seq]))[0])
            if kind is Kind.REFUSED:
                continue
            body = writer.packets([Sending(0, station, seq, kind)])[0].body
            key = (PLAN.name(station), 1, 1, seq)
            if kind is Kind.BIRTH:
                yield StoredMessage(*key, "birth", 1, [0] * len(SUMMED))
                continue
            message = decode(Meter if kind is Kind.METER else Telemetry, body)
            assert isinstance(message, Meter | Telemetry)
            yield StoredMessage(*key, kind.name.lower(), 2 if isinstance(message, Meter) else PLAN.packs, sums(message))


def boots() -> list[StoredBoot]:
    script = Script(PLAN)
    highest = script.highest(STEPS).tolist()
    told: list[StoredBoot] = []
    for station in range(PLAN.stations):
        seqs = np.arange(1, highest[station] + 1)
        refused = int((script.kinds(np.full(seqs.shape, station), seqs) == Kind.REFUSED).sum())
        told.append(StoredBoot(PLAN.name(station), 1, 1, len(seqs) - refused, refused, [(1, len(seqs) + 1)]))
    return told


def named(found: Audit, kind: str) -> list[tuple[str, int]]:
    return [(one.station_id, one.seq) for one in getattr(found, kind)]


def of_kind(rows: list[StoredMessage], kind: str) -> int:
    return next(at for at, row in enumerate(rows) if row.kind == kind and row.seq > 3)


def test_what_was_stored_once_is_clean() -> None:
    rows = list(stored())
    found = audit([ENDED], SUMMED, rows, boots())
    assert found.clean, found.as_json()
    assert found.messages == found.stored == len(rows)
    assert found.refused > 0
    assert found.uncertain == 0
    assert found.boots == PLAN.stations


@pytest.mark.parametrize("kind", ["telemetry", "meter"])
def test_one_lost_message_is_named(kind: str) -> None:
    rows = list(stored())
    gone = rows.pop(of_kind(rows, kind))
    found = audit([ENDED], SUMMED, rows)
    assert not found.clean
    assert named(found, "lost") == [(gone.station_id, gone.seq)]
    assert f"lost: {gone.station_id} epoch 1 boot 1 seq {gone.seq}" in str(found.as_json()["findings"])


@pytest.mark.parametrize("kind", ["telemetry", "meter"])
@pytest.mark.parametrize("grouped", [True, False])
def test_one_doubled_message_is_named_however_it_is_counted(kind: str, grouped: bool) -> None:
    rows = list(stored())
    at = of_kind(rows, kind)
    if grouped:
        rows[at] = rows[at]._replace(rows=2 * rows[at].rows, sums=[2 * each for each in rows[at].sums])
    else:
        rows.append(rows[at])
    found = audit([ENDED], SUMMED, rows)
    assert not found.clean
    assert named(found, "doubled") == [(rows[at].station_id, rows[at].seq)]
    assert not found.changed


@pytest.mark.parametrize("at_sum", range(len(SUMMED) - 1))
def test_one_changed_value_is_named(at_sum: int) -> None:
    rows = list(stored())
    at = of_kind(rows, "telemetry")
    changed = list(rows[at].sums)
    changed[at_sum] += 1
    rows[at] = rows[at]._replace(sums=changed)
    found = audit([ENDED], SUMMED, rows)
    assert named(found, "changed") == [(rows[at].station_id, rows[at].seq)]
    assert not found.clean


def test_a_missing_pack_and_a_changed_register_are_changes() -> None:
    rows = list(stored())
    one, other = of_kind(rows, "telemetry"), of_kind(rows, "meter")
    rows[one] = rows[one]._replace(rows=PLAN.packs - 1)
    rows[other] = rows[other]._replace(sums=[*rows[other].sums[:-1], rows[other].sums[-1] - 1])
    assert len(audit([ENDED], SUMMED, rows).changed) == 2


def test_what_nobody_said_or_was_to_be_refused_is_invented() -> None:
    rows = list(stored())
    script = Script(PLAN)
    refused = next(seq for seq in range(2, 15) if script.kinds(np.array([0]), np.array([seq])) == Kind.REFUSED)
    rows += [rows[1]._replace(seq=999), rows[1]._replace(seq=refused, station_id=PLAN.name(0))]
    found = audit([ENDED], SUMMED, rows)
    assert {seq for _, seq in named(found, "invented")} == {999, refused}


def test_stations_and_boots_of_others_are_none_of_our_business() -> None:
    rows = list(stored())
    rows += [rows[1]._replace(boot=9), rows[1]._replace(station_id="st-1"), rows[1]._replace(station_id="load-00099")]
    assert audit([ENDED], SUMMED, rows, [*boots(), StoredBoot("st-1", 1, 1, 5, 0, [])]).clean


def test_books_of_the_service_that_do_not_add_up_are_named() -> None:
    rows, right = list(stored()), boots()
    for wrong in (
        right[2]._replace(stored=right[2].stored - 1),
        right[2]._replace(refused=right[2].refused + 1),
        right[2]._replace(settled=[(1, 5), (6, right[2].settled[0][1])]),
        right[2]._replace(settled=[(1, right[2].settled[0][1] + 1)]),
    ):
        found = audit([ENDED], SUMMED, rows, [*right[:2], wrong, *right[3:]])
        assert len(found.miscounted) == 1
        assert not found.clean


def test_of_a_killed_run_only_what_the_broker_took_must_be_there() -> None:
    rows = list(stored())
    script = Script(PLAN)
    due = {
        (row.station_id, row.seq): int(script.due_steps(np.array([int(row.station_id[-5:])]), np.array([row.seq]))[0])
        for row in rows
    }
    killed = replace(ENDED, about=60, taken=40, resting=False, ended=False)
    must = [row for row in rows if due[row.station_id, row.seq] < 40]
    may = [row for row in rows if due[row.station_id, row.seq] < 60]
    for there in (must, may):
        found = audit([killed], SUMMED, there)
        assert found.clean, found.as_json()
        assert found.messages == len(must)
        assert found.uncertain == len(may) - len(must)
    assert named(audit([killed], SUMMED, must[1:]), "lost") == [(must[0].station_id, must[0].seq)]
    assert not audit([killed], SUMMED, rows).clean


def test_nothing_to_look_at_is_not_clean() -> None:
    assert not audit([], SUMMED, []).clean
    with pytest.raises(ValueError, match="no such sums"):
        audit([ENDED], ["weight"], [])


def test_the_command_line_audits_a_csv(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "load.journal"
    with JournalWriter(path, PLAN) as journal:
        journal.about(STEPS)
        journal.rest()
        journal.end()
    lines = [",".join([*KEY_COLUMNS, *SUMMED])]
    lines += [",".join(map(str, [*row[:6], *row.sums])) for row in stored()]
    for text, code in ((lines, 0), (lines[:-1], 1)):
        monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(text)))
        assert main(["load", "--verify", "--journal", str(path)]) == code
        assert json.loads(capsys.readouterr().out)["lost"] == code
    monkeypatch.setattr("sys.stdin", io.StringIO("a,b\n"))
    assert main(["load", "--verify", "--journal", str(path)]) == 1
    assert COLUMNS[0] in capsys.readouterr().err


def test_the_command_line_says_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal = str(tmp_path / "load.journal")
    for words, word in (
        (["--verify"], "there is no run"),
        (["--credentials", str(tmp_path / "none")], "credentials file"),
        (["--stations", "0"], "--stations"),
        (["--duplicates", "2"], "--duplicates"),
        (["--connections", "0"], "--connections"),
    ):
        assert main(["load", "--journal", journal, *words]) == 1
        assert word in capsys.readouterr().err
    assert main(["load", "--names", "--stations", "2"]) == 0
    assert capsys.readouterr().out == "load-00000\nload-00001\n"
