"""``denchi-sim``: the simulated world on the command line."""

import argparse
import asyncio
import json
import logging
import os
import sqlite3
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import structlog

from devices.link.outbox import OutboxInUseError
from simulator.faults import FAULTS, FaultError, parse_faults
from simulator.fleet_clock import ClockFileError
from simulator.load.command import add_load_options, load_command
from simulator.offline.catalogue import POLICIES
from simulator.offline.command import SCENARIO, CompareOptions, run_compare
from simulator.offline.parallel import RunFailedError
from simulator.offline.table import Bar, print_report
from simulator.online import CredentialsError, OnlineOptions, run_online
from simulator.register import RegistrationError
from simulator.scenario import ScenarioError, list_scenarios, load_scenario
from simulator.store.world_store import WorldMismatchError
from simulator.world import MOST_STATIONS, make_world, world_summary

_CANNOT = (
    ScenarioError,
    FaultError,
    ClockFileError,
    CredentialsError,
    RegistrationError,
    WorldMismatchError,
    OutboxInUseError,
    RunFailedError,
    ValueError,
    sqlite3.Error,
    OSError,
)
"""What can keep a run from starting; each message says what to do."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``denchi-sim``; return the exit code: 0 done, 1 it could not be done, 2 wrong use."""
    asked = parser().parse_args(arguments)
    try:
        if asked.command == "world":
            return _world(asked)
        if asked.command == "online":
            return _online(asked)
        if asked.command == "load":
            return load_command(asked, lambda said: _print(said, asked_json=True), lambda: datetime.now(UTC))
        if asked.command == "compare":
            return _compare(asked)
        return _list()
    except KeyboardInterrupt:
        sys.stderr.write("denchi-sim: stopped\n")
        return 1
    except BrokenPipeError:
        # Who read our output is gone. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except _CANNOT as error:
        _print({"event": "failed", "error": type(error).__name__, "detail": str(error)}, asked_json=getattr(asked, "json", False))
        sys.stderr.write(f"denchi-sim: {error}\n")
        return 1


def parser() -> argparse.ArgumentParser:
    """Return the command line of ``denchi-sim``."""
    top = argparse.ArgumentParser(
        prog="denchi-sim",
        description="Plays the world around a battery-swap network: packs, chargers, grid connections, vehicles, riders. "
        "It drives the real station agents over MQTT and speaks for riders over HTTP.",
        epilog="Usually `denchi up` starts it. See docs/simulator.md.",
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    world = commands.add_parser(
        "world",
        help="print who lives in a world, without running it",
        description="Print stations and riders of a world. The same scenario, stations and seed always give the same world.",
    )
    _world_options(world)

    online = commands.add_parser(
        "online",
        help="run a world against a running service",
        description="Register a world through the operator API, then run it until SIGTERM, SIGINT or the end of the parent. "
        "The world's state stays in --data-dir: the next run goes on with it. A second signal ends it without waiting.",
    )
    _world_options(online)
    online.add_argument("--api-url", required=True, metavar="URL", help="where the API answers, as http://127.0.0.1:8000")
    online.add_argument("--broker-host", required=True, metavar="HOST", help="the MQTT broker")
    online.add_argument("--broker-port", required=True, type=int, metavar="PORT")
    online.add_argument(
        "--credentials",
        required=True,
        type=Path,
        metavar="FILE",
        help="JSON: operator_token, stations {id: {user, password}}, rider_tokens {rider_id: token}",
    )
    online.add_argument(
        "--clock-file", required=True, type=Path, metavar="FILE", help="the fleet clock: JSON with origin, anchor, speed"
    )
    online.add_argument(
        "--data-dir", required=True, type=Path, metavar="DIR", help="where world.sqlite and outbox.sqlite are kept"
    )
    online.add_argument(
        "--faults",
        action="append",
        default=[],
        metavar="NAME=RATE",
        help="let something go wrong, may be repeated; see `denchi-sim list`",
    )
    online.add_argument(
        "--log-level", default="warning", choices=["debug", "info", "warning", "error"], help="of the log on stderr"
    )

    add_load_options(
        commands.add_parser(
            "load",
            help="speak for thousands of stations at a fixed rate, with a journal; verify what was stored",
            description="Says what thousands of stations would say, at a rate, over a few connections. One JSON report on "
            "stdout, progress on stderr. The stations must be registered and the login may publish for all of them. "
            "See docs/simulator.md.",
        )
    )
    _compare_options(commands.add_parser("compare", help="charge the same world by several policies along real days, offline"))
    commands.add_parser("list", help="print the bundled scenarios, the faults and the policies there are")
    return top


def _compare_options(compare: argparse.ArgumentParser) -> None:
    compare.description = (
        "Run the same riders against several ways of charging, along the prices and the surplus of real days, without a "
        "service: rules, forecast and planner in this process. Decisions read only what was known; energy that was cut off "
        f"is only counted. The scenario is {SCENARIO} unless told otherwise."
    )
    compare.add_argument("--policies", default="on_arrival,denchi", metavar="A,B", help="see `denchi-sim list`")
    compare.add_argument(
        "--supply", action="append", required=True, type=Path, metavar="FILE", help="supply of the area, may be repeated"
    )
    compare.add_argument("--price", action="append", required=True, type=Path, metavar="FILE", help="prices, may be repeated")
    compare.add_argument("--area", default="kyushu", metavar="AREA", help="area of the grid (default kyushu)")
    compare.add_argument("--days", type=int, default=7, metavar="N", help="days that count (default 7)")
    compare.add_argument(
        "--start", metavar="DAY", help="the first of them, as 2022-04-10 (default: as early as files and warm-up allow)"
    )
    compare.add_argument(
        "--warm-up-days", type=int, default=2, metavar="N", help="days before, on arrival whatever the policy (default 2)"
    )
    compare.add_argument("--processes", type=int, metavar="N", help="policies at the same time (default: one a processor)")
    _world_options(compare)
    compare.set_defaults(scenario=SCENARIO)


def _world_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--stations", type=int, default=60, metavar="N", help=f"how many stations, 1 to {MOST_STATIONS} (default 60)"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="another seed, another world (default 1)")
    parser.add_argument("--scenario", default="default", metavar="NAME", help="a bundled scenario or the path of a .toml file")
    parser.add_argument("--json", action="store_true", help="one JSON object a line, for programs")


def _world(asked: argparse.Namespace) -> int:
    summary = world_summary(make_world(load_scenario(asked.scenario), asked.stations, asked.seed))
    if asked.json:
        _print(summary, asked_json=True)
        return 0
    world = make_world(load_scenario(asked.scenario), asked.stations, asked.seed)
    for station in world.stations:
        place = f"{station.place.latitude:.5f} {station.place.longitude:.5f}"
        sys.stdout.write(f"{station.station_id}  {place}  {len(station.packs)} packs  {station.name}\n")
    sys.stdout.write(f"{len(world.stations)} stations, {len(world.packs())} packs, {len(world.riders)} riders\n")
    return 0


def _online(asked: argparse.Namespace) -> int:
    # The log goes to stderr: stdout carries what programs read.
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[asked.log_level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    options = OnlineOptions(
        api_url=asked.api_url,
        broker_host=asked.broker_host,
        broker_port=asked.broker_port,
        credentials=asked.credentials,
        clock_file=asked.clock_file,
        data_dir=asked.data_dir,
        stations=asked.stations,
        seed=asked.seed,
        scenario=asked.scenario,
        fault_rates=parse_faults(asked.faults),
        parent=os.getppid(),
    )
    report = asyncio.run(run_online(options, lambda said: _print(said, asked_json=asked.json), lambda: datetime.now(UTC)))
    _print(report, asked_json=asked.json)
    return 0


def _compare(asked: argparse.Namespace) -> int:
    options = CompareOptions(
        policies=tuple(name.strip() for name in asked.policies.split(",") if name.strip()),
        supply=tuple(asked.supply),
        price=tuple(asked.price),
        area=asked.area,
        start=asked.start,
        days=asked.days,
        warm_up_days=asked.warm_up_days,
        stations=asked.stations,
        seed=asked.seed,
        scenario=asked.scenario,
        processes=asked.processes,
    )
    with Bar([name for name in options.policies if name in POLICIES], sys.stderr) as tell:
        report = run_compare(options, tell)
    if asked.json:
        _print(report, asked_json=True)
    else:
        print_report(report, sys.stdout)
    return 0


def _list() -> int:
    sys.stdout.write("scenarios:\n" + "".join(f"  {name}\n" for name in list_scenarios()))
    sys.stdout.write("faults (--faults NAME=RATE):\n" + "".join(f"  {name:<14} {what}\n" for name, what in FAULTS.items()))
    sys.stdout.write(
        "policies (compare --policies A,B):\n" + "".join(f"  {name:<14} {what}\n" for name, (_, what) in POLICIES.items())
    )
    return 0


def _print(said: dict[str, object], *, asked_json: bool) -> None:
    if asked_json:
        text = json.dumps(said, allow_nan=False)
    else:
        text = "  ".join([str(said.get("event", "")), *(f"{name}={value}" for name, value in said.items() if name != "event")])
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
