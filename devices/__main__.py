"""The command `denchi-station`: builds one agent from its settings and runs it, or writes the published contract."""

import argparse
import asyncio
import contextlib
import importlib
import logging
import random
import signal
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, cast

import structlog
from pydantic import ValidationError

from devices.agent.agent import StationAgent
from devices.agent.settings import AgentSettings
from devices.hardware.bench import BenchCabinet
from devices.hardware.ports import Cabinet, ClockStatus, StationClock
from devices.link.address import LinkAddress
from devices.link.outbox import Outbox, OutboxInUseError
from devices.link.session import LinkSettings, MqttLink
from devices.settings import StationSettings
from devices.wire.contract import files

SCHEMA_DIR = Path(__file__).parent / "wire" / "schema"

EPILOG = """\
Settings come from environment variables with the prefix DENCHI_STATION_:
{settings}

Try it:
  denchi-station bench --broker 127.0.0.1:1883      an agent with a bench cabinet of 6 slots
  denchi-station contract --check                   are the published schemas those of the code?
"""


class MachineClock:
    """This machine's own clock: fleet time is wall time."""

    def __init__(self, source: Literal["ntp", "gnss", "rtc", "none"]) -> None:
        self._status = ClockStatus(source)

    def now(self) -> datetime:
        """Return the instant, aware, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    def wall_monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    def wall_seconds(self, fleet_seconds: float) -> float:
        """Return the same: one second is one second here."""
        return fleet_seconds

    def status(self) -> ClockStatus:
        """Return who keeps this clock."""
        return self._status


class NoDriverError(ValueError):
    """The hardware driver is not named or cannot be loaded."""


def load_cabinet(driver: str, clock: StationClock) -> Cabinet:
    """Return the cabinet of a driver named ``package.module:factory``.

    Raises
    ------
    NoDriverError : when there is none; says what to set.
    """
    module, _, factory = driver.partition(":")
    if not module or not factory:
        raise NoDriverError("set DENCHI_STATION_DRIVER to package.module:factory, or try `denchi-station bench`")
    try:
        return cast("Cabinet", getattr(importlib.import_module(module), factory)(clock))
    except (ImportError, AttributeError) as error:
        raise NoDriverError(f"the driver {driver} cannot be loaded: {error}") from error


async def run_station(settings: StationSettings, cabinet: Cabinet, clock: StationClock) -> None:
    """Run one agent until SIGTERM or SIGINT."""
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    outbox = Outbox(
        settings.data_dir / "journal.sqlite", max_rows=settings.journal_max_rows, max_bytes=settings.journal_max_bytes
    )
    with contextlib.closing(outbox):
        address = LinkAddress(
            settings.broker_host,
            settings.broker_port,
            settings.broker_user or settings.station_id,
            settings.broker_password(),
            settings.broker_ca_file,
        )
        link_settings = LinkSettings(
            connect_jitter_s=settings.connect_jitter_s, not_heard_s=settings.not_heard_s, firmware=cabinet.descriptor.firmware
        )
        chance = random.Random()  # noqa: S311 - jitter, not secrets
        link = MqttLink(address, settings.station_id, settings.epoch, outbox, clock, link_settings, chance)
        agent_settings = AgentSettings(fallback_limit_ac_w=settings.fallback_limit_ac_w)
        agent = StationAgent(settings.station_id, settings.epoch, cabinet, link, clock, agent_settings, chance)
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await agent.run(stop)


def check_contract(directory: Path) -> list[str]:
    """Return what differs between the generated contract and the files in a directory; empty when nothing does."""
    wanted = files()
    present = {path.name: path.read_text() for path in directory.glob("*.json")}
    missing = [f"{name}: missing" for name in sorted(wanted.keys() - present.keys())]
    extra = [f"{name}: not part of the contract" for name in sorted(present.keys() - wanted.keys())]
    return (
        missing + extra + [f"{name}: differs" for name in sorted(wanted.keys() & present.keys()) if wanted[name] != present[name]]
    )


def write_contract(directory: Path) -> int:
    """Write the generated contract; return how many files that are."""
    directory.mkdir(parents=True, exist_ok=True)
    generated = files()
    for path in directory.glob("*.json"):
        if path.name not in generated:
            path.unlink()
    for name, text in generated.items():
        (directory / name).write_text(text)
    return len(generated)


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    fields = StationSettings.model_fields.items()
    lines = "\n".join(f"  {name.upper():22} {field.description} (default: {field.default!s})" for name, field in fields)
    top = argparse.ArgumentParser(
        prog="denchi-station",
        description="The agent of one battery-swap station: reads, protects, charges, swaps, and speaks MQTT.",
        epilog=EPILOG.format(settings=lines),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("run", help="run the agent on this cabinet's hardware driver")
    bench = commands.add_parser("bench", help="run the agent with a bench cabinet: packs charge, nothing moves by itself")
    bench.add_argument("--broker", metavar="HOST:PORT", help="broker to use (default: the settings)")
    bench.add_argument("--station-id", help="name to use (default: the settings)")
    bench.add_argument("--slots", type=int, default=6, help="slots of the bench, 1 to 999 (default: 6)")
    bench.add_argument("--packs", type=int, default=4, help="packs in them (default: 4)")
    contract = commands.add_parser("contract", help="write or check the published JSON Schemas and the AsyncAPI document")
    what = contract.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--write", metavar="DIR", type=Path, nargs="?", const=SCHEMA_DIR, help="write them (default: into the package)"
    )
    what.add_argument("--check", metavar="DIR", type=Path, nargs="?", const=SCHEMA_DIR, help="exit 1 when they differ")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `denchi-station`; return the exit code."""
    options = parser().parse_args(arguments)
    if options.command == "contract":
        if options.write is not None:
            sys.stdout.write(f"{write_contract(options.write)} files written to {options.write}\n")
            return 0
        differences = check_contract(options.check)
        for difference in differences:
            sys.stderr.write(f"{difference}; run `denchi-station contract --write`\n")
        return 1 if differences else 0
    try:
        settings = StationSettings(**_overrides(options))
        clock = MachineClock(cast("Literal['ntp', 'gnss', 'rtc', 'none']", settings.clock_source))
        if options.command == "bench":
            cabinet: Cabinet = BenchCabinet(clock, name=settings.station_id, slot_count=options.slots, pack_count=options.packs)
        else:
            cabinet = load_cabinet(settings.driver, clock)
        structlog.configure(
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        )
        asyncio.run(run_station(settings, cabinet, clock))
    except (ValidationError, ValueError, OutboxInUseError, OSError) as error:
        sys.stderr.write(f"denchi-station: {error}\n")
        return 2
    return 0


def _overrides(options: argparse.Namespace) -> dict[str, Any]:
    wanted: dict[str, Any] = {}
    if options.command == "bench":
        wanted["connect_jitter_s"] = 0.5
        if options.station_id:
            wanted["station_id"] = options.station_id
        if options.broker:
            host, _, port = options.broker.rpartition(":")
            wanted |= {"broker_host": host or "127.0.0.1", "broker_port": port}
    return wanted


if __name__ == "__main__":
    sys.exit(main())
