"""`denchi up`: one machine from nothing to a running fleet, what is shown meanwhile, and a clean end."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from service.domain.clock import FleetTime
from service.standalone.errors import UpError
from service.standalone.fleet import FleetEvents
from service.standalone.fleet_time import FIRST_INSTANT, FleetTimeKeeper
from service.standalone.grid_files import GridFiles
from service.standalone.layout import DataDir
from service.standalone.machine import Machine
from service.standalone.ports import require_free
from service.standalone.settling import RunStart, drain, mark_start, settle_and_report
from service.store import totals
from service.store.pool import Connection

_TICK_S = 0.1
_STATUS_S = 15.0
_RENEW_S = 600.0
_READY_S = 90.0
_STEADY_SIGNAL_S = 0.5
"""The same Ctrl-C may arrive twice, from the terminal and from make: only a later one means "harder"."""


@dataclass(frozen=True, slots=True)
class UpOptions:
    """What the person asked for. `for_s` wall seconds with the fleet; None: until Ctrl-C. `area` None: as it was."""

    data_dir: Path
    stations: int = 60
    speed: float = 1.0
    for_s: float | None = None
    port: int = 8000
    seed: int = 1
    start: datetime | None = None
    as_json: bool = False
    with_fleet: bool = True
    files: GridFiles = field(default_factory=GridFiles)
    area: str | None = None


class _StopAsked(Exception):
    """Ctrl-C or SIGTERM."""


class Up:
    """One run of `denchi up`."""

    def __init__(self, options: UpOptions) -> None:
        """Take the options; `run` does the rest."""
        self._options = options
        self._began = time.monotonic()
        self._signals: list[float] = []
        self._machine: Machine | None = None
        self._keeper: FleetTimeKeeper | None = None
        self._out = sys.stderr if options.as_json else sys.stdout

    def run(self) -> int:
        """Bring everything up, keep it up, take it down; return the exit status. Says what stands in the way and what to do."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        report: dict[str, Any] | None = None
        status = 0
        try:
            report = self._run()
            status = 0 if report is None or report["ok"] else 1
        except _StopAsked:
            pass
        except UpError as error:
            self.say(f"cannot go on: {error.message}")
            self.say(f"what to do: {error.remedy}")
            report = {"ok": False, "problems": [error.message], "remedy": error.remedy}
            status = 1
        if report is not None:
            self._show(report)
        elif self._options.as_json:
            self._show({"ok": False, "problems": ["stopped before the end"]})
            status = 130
        return status

    def say(self, line: str) -> None:
        """Show one line of progress with the seconds since the start."""
        print(f"{time.monotonic() - self._began:6.1f} s  {line}", file=self._out, flush=True)

    def _run(self) -> dict[str, Any] | None:
        layout = DataDir.prepare(self._options.data_dir)
        with layout.lock():
            try:
                return self._run_locked(layout)
            except _StopAsked:
                self.say("stopping")
                raise
            finally:
                self._take_down()

    def _run_locked(self, layout: DataDir) -> dict[str, Any] | None:
        options = self._options
        require_free(options.port, "API", "--port")
        require_free(options.port + 1, "console", "--port (the console takes the port after it)")
        machine = self._machine = Machine(layout, options.port, self.say, options.area)
        machine.require_room()
        keeper = FleetTimeKeeper(layout.clock_file)
        signals = options.files.read(machine.area, options.start or keeper.last_instant() or FIRST_INSTANT, self.say)
        line = keeper.begin(datetime.now(UTC), options.speed, options.start)
        self._keeper = keeper
        self.say(f"data in {layout.root}; fleet clock at {line.origin.isoformat(timespec='seconds')}, speed {line.speed:g}")
        world = machine.start_world(options.stations, options.seed) if options.with_fleet else None
        machine.start_base(line, signals)
        self._pause(0)
        machine.start_roles()
        start = mark_start(machine, line)
        if world is not None:
            machine.provision(world, line)
        self._await_roles(machine)
        events = None
        if options.with_fleet:
            events = machine.start_fleet(options.stations, options.seed)
            self.say("fleet started")
        self.say(f"API      http://127.0.0.1:{options.port}/docs")
        self.say(f"console  http://127.0.0.1:{options.port + 1}")
        self.say("ready" + ("" if options.for_s else "; Ctrl-C ends it, everything is kept"))
        self._live(machine, line, events)
        return self._end(machine, line, events, start)

    def _await_roles(self, machine: Machine) -> None:
        deadline = time.monotonic() + _READY_S
        while not machine.roles_ready():
            self._pause(_TICK_S)
            machine.supervisor.check()
            if time.monotonic() > deadline:
                logs = f"{machine.layout.log_of('api')} and console.log beside it"
                raise UpError(f"API and console do not answer after {_READY_S:.0f} s", f"See {logs}")
        self.say("all roles run: api console ingest plan desk")

    def _live(self, machine: Machine, line: FleetTime, events: FleetEvents | None) -> None:
        options = self._options
        began = time.monotonic()
        status_at, renew_at = began + _STATUS_S, began + _RENEW_S
        watch = _FleetWatch(self.say)
        while options.for_s is None or time.monotonic() - began < options.for_s:
            self._pause(_TICK_S)
            self._keep(machine)
            if events is not None:
                for event in events.take():
                    watch.see(event)
            now = time.monotonic()
            if now >= status_at:
                status_at = now + _STATUS_S
                self._show_status(machine, line)
            if now >= renew_at:
                renew_at = now + _RENEW_S
                machine.renew_signals(line)

    def _end(self, machine: Machine, line: FleetTime, events: FleetEvents | None, start: RunStart) -> dict[str, Any]:
        def keep_going() -> None:
            self._pause(_TICK_S)
            self._keep(machine)

        report = None
        if events is not None:
            self.say("the time is over; the fleet ends its swaps and empties its journals")
            report = drain(machine, events, keep_going)
        return settle_and_report(machine, line, start, report, events is not None, keep_going)

    def _keep(self, machine: Machine) -> None:
        if machine.supervisor.check():
            machine.write_run_file()
        if self._keeper is not None:
            self._keeper.tick(datetime.now(UTC))

    def _show_status(self, machine: Machine, line: FleetTime) -> None:
        async def read(connection: Connection) -> str:
            messages = await totals.message_totals(connection)
            swaps = await totals.swap_totals(connection, line.origin)
            plans = await totals.plan_totals(connection, line.origin)
            stations = await totals.station_totals(connection)
            done = swaps.get("completed", 0) + swaps.get("settled", 0)
            return (
                f"{stations.connected}/{stations.stations} stations connected, {messages.stored} messages stored, "
                f"{done} swaps completed, {plans.made} plans"
            )

        try:
            text = machine.with_database(read)
        except UpError as error:  # it may just be starting again
            text = error.message
        self.say(f"[{line.at(datetime.now(UTC)):%a %H:%M:%S} UTC] {text}")

    def _pause(self, seconds: float) -> None:
        if self._signals:
            raise _StopAsked
        time.sleep(seconds)
        if self._signals:
            raise _StopAsked

    def _take_down(self) -> None:
        if self._machine is not None:
            self._machine.stop()
            if self._keeper is not None:
                self._keeper.end(datetime.now(UTC))
            self.say("stopped; everything is kept")

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._signals and now - self._signals[0] > _STEADY_SIGNAL_S:
            # Harder: nothing of ours survives; the clock's mark and the journals on disk make the next start right.
            if self._machine is not None:
                self._machine.supervisor.kill_all()
            os._exit(130)
        self._signals.append(now)

    def _show(self, report: dict[str, Any]) -> None:
        if self._options.as_json:
            print(json.dumps(report), flush=True)  # noqa: T201 - the result
        elif "messages" in report:
            print(json.dumps(report, indent=1), flush=True)  # noqa: T201


class _FleetWatch:
    """Turns the fleet's events into the few lines that a person wants to see."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._online: set[str] = set()
        self._swaps = 0

    def see(self, event: dict[str, Any]) -> None:
        kind = event["event"]
        if kind == "registered":
            self._say("fleet registered: packs, vehicles, riders")
        elif kind == "station_online":
            self._online.add(str(event.get("station_id")))
            if len(self._online) == 1:
                self._say(f"first station online: {event.get('station_id')}")
        elif kind == "swap_completed":
            self._swaps += 1
            if self._swaps == 1:
                self._say(f"first swap completed at {event.get('station_id')}")
