"""``denchi-sim load``: its options, and what they start."""

import argparse
import csv
import json
import signal
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from devices.link.address import LinkAddress
from simulator.load.audit import COLUMNS, StoredMessage, audit
from simulator.load.journal import next_boot, read_journal
from simulator.load.plan import FIELD_SETS, Disturbances, LoadPlan, station_names
from simulator.load.run import LoadOptions, run_load

KEY_COLUMNS = ("station_id", "epoch", "boot", "seq", "kind", "rows")


class LoadUseError(ValueError):
    """The options do not go together, or a file they name cannot be used; the message says what to do."""


def add_load_options(load: argparse.ArgumentParser) -> None:
    """Give a parser the options of ``denchi-sim load``."""
    load.add_argument("--stations", type=int, default=12_500, metavar="N", help="how many stations speak (default 12500)")
    load.add_argument("--rate", type=float, default=1250.0, metavar="R", help="messages a second over all (default 1250)")
    load.add_argument(
        "--for", dest="for_s", type=float, metavar="S", help="seconds of telemetry; without: until SIGTERM or SIGINT"
    )
    load.add_argument("--rounds", type=int, metavar="N", help="stop after so many messages of each station, beside its birth")
    load.add_argument("--packs", type=int, default=24, metavar="P", help="packs in a message (default 24)")
    load.add_argument("--fields", type=int, default=12, choices=FIELD_SETS, help="fields of a pack (default 12)")
    load.add_argument("--seed", type=int, default=1, metavar="S", help="another seed, other readings (default 1)")
    load.add_argument("--prefix", default="load", metavar="NAME", help="stations are NAME-00000, NAME-00001, ... (default load)")
    load.add_argument("--epoch", type=int, default=1, metavar="E", help="epoch of all stations (default 1)")
    load.add_argument("--boot", type=int, metavar="B", help="boot of all stations (default: the journal's last + 1)")
    load.add_argument(
        "--meter-every", type=int, default=30, metavar="N", help="one message in N is a meter's; 0: none (default 30)"
    )
    load.add_argument("--no-births", action="store_true", help="say nothing but telemetry and meters")
    for name, what in (
        ("duplicates", "sent twice"),
        ("reorder", "that change places with their neighbour"),
        ("late", "held back, then sent as history"),
        ("absurd", "that are no JSON or break the schema"),
    ):
        load.add_argument(f"--{name}", type=float, default=0.0, metavar="SHARE", help=f"share of messages {what} (default 0)")
    load.add_argument("--broker-host", default="127.0.0.1", metavar="HOST", help="the MQTT broker (default 127.0.0.1)")
    load.add_argument("--broker-port", type=int, default=1883, metavar="PORT")
    load.add_argument("--ca-file", type=Path, metavar="FILE", help="speak TLS and check the broker against this")
    load.add_argument(
        "--credentials", type=Path, metavar="FILE", help="JSON: user, password of a login that may publish for all the stations"
    )
    load.add_argument("--connections", type=int, default=2, metavar="C", help="connections to the broker (default 2)")
    load.add_argument("--window", type=int, default=500, metavar="W", help="unacknowledged messages a connection (default 500)")
    load.add_argument("--drain", type=float, default=60.0, metavar="S", help="seconds for the last acknowledgements (default 60)")
    load.add_argument(
        "--wait-committed",
        type=float,
        default=0.0,
        metavar="S",
        help="wait so many seconds until the service has committed everything, and say again what it has not",
    )
    load.add_argument(
        "--journal", type=Path, default=Path("load.journal"), metavar="FILE", help="appended to (default load.journal)"
    )
    load.add_argument("--names", action="store_true", help="print the station ids that must be registered, and end")
    load.add_argument(
        "--verify",
        action="store_true",
        help="compare the journal with stored messages, read as CSV from stdin (docs/simulator.md says how to write it), and end",
    )


def load_command(asked: argparse.Namespace, tell: Callable[[dict[str, object]], None], wall_now: Callable[[], datetime]) -> int:
    """Run ``denchi-sim load``; `tell` takes the report. Progress goes to stderr. Return the exit code."""
    if asked.names:
        sys.stdout.writelines(f"{name}\n" for name in station_names(asked.stations, asked.prefix))
        return 0
    if asked.verify:
        runs = read_journal(asked.journal)
        if not runs:
            raise LoadUseError(f"there is no run in {asked.journal}")
        columns, messages = read_stored(sys.stdin)
        found = audit(runs, columns, messages)
        tell(found.as_json())
        return 0 if found.clean else 1
    options = load_options(asked, wall_now())
    signals: list[int] = []
    numbers = (signal.SIGTERM, signal.SIGINT)

    def heard(number: int, _frame: object) -> None:
        signals.append(number)
        for each in numbers:
            signal.signal(each, signal.SIG_DFL)  # the second one ends it at once

    before = {number: signal.signal(number, heard) for number in numbers}
    try:
        report = run_load(options, _progress, lambda: bool(signals))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    tell(report)
    return 0 if report["ended"] else 1


def load_options(asked: argparse.Namespace, start_at: datetime) -> LoadOptions:
    """Return what was asked for.

    Raises
    ------
    LoadUseError, JournalError, ValueError
        When it cannot be done.
    """
    user, password = read_login(asked.credentials) if asked.credentials is not None else (None, None)
    runs = read_journal(asked.journal)
    boot = next_boot(runs, asked.epoch) if asked.boot is None else asked.boot
    if any((run.plan.prefix, run.plan.epoch, run.plan.boot) == (asked.prefix, asked.epoch, boot) for run in runs):
        raise LoadUseError(f"{asked.journal} has boot {boot} already; leave out --boot")
    plan = LoadPlan(
        stations=asked.stations,
        packs=asked.packs,
        fields=asked.fields,
        seed=asked.seed,
        rate_per_s=asked.rate,
        start_at=start_at,
        epoch=asked.epoch,
        boot=boot,
        prefix=asked.prefix,
        births=not asked.no_births,
        meter_every=asked.meter_every,
        disturbances=Disturbances(asked.duplicates, asked.reorder, asked.late, asked.absurd),
    )
    return LoadOptions(
        plan,
        LinkAddress(asked.broker_host, asked.broker_port, user, password, asked.ca_file),
        asked.journal,
        connections=asked.connections,
        window=asked.window,
        for_s=asked.for_s,
        rounds=asked.rounds,
        drain_s=asked.drain,
        wait_committed_s=asked.wait_committed,
    )


def read_login(path: Path) -> tuple[str, str]:
    """Return user and password of a credentials file. Raises LoadUseError."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return str(told["user"]), str(told["password"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LoadUseError(f"credentials file {path}: {type(error).__name__}: {error}") from error


def read_stored(lines: Iterator[str]) -> tuple[list[str], Iterator[StoredMessage]]:
    """Return the names of the sums and the stored messages of a CSV with a header.

    Raises
    ------
    LoadUseError
        When the header is not ours.
    """
    rows = csv.reader(lines)
    head = next(rows, [])
    columns = head[len(KEY_COLUMNS) :]
    if tuple(head[: len(KEY_COLUMNS)]) != KEY_COLUMNS or set(columns) - set(COLUMNS):
        raise LoadUseError(f"the CSV begins with {','.join(KEY_COLUMNS)} and then any of {','.join(COLUMNS)}")
    return columns, (
        StoredMessage(row[0], int(row[1]), int(row[2]), int(row[3]), row[4], int(row[5]), [int(each or -1) for each in row[6:]])
        for row in rows
    )


def _progress(said: dict[str, object]) -> None:
    sys.stderr.write(json.dumps(said) + "\n")
    sys.stderr.flush()
