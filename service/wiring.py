"""The composition root of one role: the only place that reads the wall clock, the environment and the dice for it."""

import asyncio
import json
import os
import signal
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog

from service.broker import BrokerAddress
from service.domain.clock import FleetTime
from service.domain.ids import make_id
from service.logs import set_up_logs
from service.settings import Settings
from service.store.pool import Pool, pool_of
from service.swapping.outcomes import DeskRules

ROLES = ("api", "console", "ingest", "plan", "desk")

GRACE_S = 5.0
"""Guess: wall seconds a role gets to end by itself; what it had not committed will be done again."""

log = structlog.get_logger()


class WallFleetClock:
    """The fleet clock of this process: the fleet's line, read at the wall's instant."""

    def __init__(self, line: FleetTime) -> None:
        self._line = line

    def now(self) -> datetime:
        """Return the fleet instant."""
        return self._line.at(wall_now())

    def wall_seconds(self, fleet_seconds: float) -> float:
        """Return how long `fleet_seconds` take on the wall [s]."""
        return self._line.wall_seconds(fleet_seconds)


@dataclass(frozen=True, slots=True)
class Process:
    """What every role is given."""

    role: str
    settings: Settings
    clock: WallFleetClock
    stop: asyncio.Event

    def new_id(self, prefix: str) -> str:
        """Make an id."""
        return make_id(prefix, self.clock.now(), os.urandom(10))

    def broker(self) -> BrokerAddress:
        """Return where the broker is and who we are there."""
        settings = self.settings
        return BrokerAddress(
            settings.broker_host, settings.broker_port, settings.broker_user, settings.broker_password(), settings.broker_ca_file
        )

    def pool(self) -> AbstractAsyncContextManager[Pool]:
        """Open this role's connections."""
        return pool_of(self.settings.database_dsn(), role=self.role, size=self.settings.database_pool_size)


def wall_now() -> datetime:
    """Return the wall's instant, UTC."""
    return datetime.now(UTC)


def read_fleet_time(path: Path | None) -> FleetTime:
    """Return the line in a clock file; without a file the fleet runs on wall time."""
    if path is None:
        beginning = datetime(2020, 1, 1, tzinfo=UTC)
        return FleetTime(origin=beginning, anchor=beginning, speed=1.0)
    line = json.loads(path.read_text())
    return FleetTime(
        origin=datetime.fromisoformat(line["origin"]), anchor=datetime.fromisoformat(line["anchor"]), speed=float(line["speed"])
    )


def run_role(role: str, settings: Settings) -> None:
    """Run one role in this process until SIGTERM or SIGINT.

    Raises
    ------
    ValueError
        When there is no such role.
    """
    if role not in _ROLES:
        raise ValueError(f"there is no role {role!r}; the roles are {', '.join(ROLES)}")
    set_up_logs(role, settings.log_level, as_json=settings.log_json)
    asyncio.run(_run(role, settings))


async def _run(role: str, settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    log.info("role.start", pid=os.getpid())
    process = Process(role, settings, WallFleetClock(read_fleet_time(settings.clock_file)), stop)
    await _until_stopped(_ROLES[role](process), stop)
    log.info("role.end")


async def _until_stopped(work: Coroutine[None, None, None], stop: asyncio.Event) -> None:
    """Run `work`; once `stop` is set it has `GRACE_S` to end, whatever it waits for (a database that is gone, say)."""
    working = asyncio.create_task(work)
    asked = asyncio.create_task(stop.wait())
    await asyncio.wait({working, asked}, return_when=asyncio.FIRST_COMPLETED)
    if not working.done():
        await asyncio.wait({working}, timeout=GRACE_S)
    if not working.done():
        log.warning("role.cut_off", after_s=GRACE_S)
        working.cancel()
        await asyncio.wait({working}, timeout=GRACE_S)
    asked.cancel()
    if working.done() and not working.cancelled():
        working.result()


# Each role imports its own rooms only when it runs: a console does not load a solver.


async def _ingest(process: Process) -> None:
    from service.ingest.ingest import run_ingest

    settings = process.settings
    async with process.pool() as pool:
        await run_ingest(
            pool,
            process.broker(),
            process.clock,
            host_id=settings.host_id,
            parts=settings.parts,
            queue_size=settings.ingest_queue,
            stop=process.stop,
        )


async def _plan(process: Process) -> None:
    from service.cycle import run_cycles

    settings = process.settings
    async with process.pool() as pool:
        await run_cycles(
            pool,
            process.clock,
            area=settings.area,
            cycle_s=settings.cycle_s,
            solve_limit_s=settings.solve_limit_s,
            new_id=process.new_id,
            stop=process.stop,
        )


async def _desk(process: Process) -> None:
    from service.dispatch.dispatch import run_dispatch
    from service.swapping.worker import run_desk
    from service.upkeep.upkeep import run_upkeep

    async with process.pool() as pool, asyncio.TaskGroup() as parts:
        parts.create_task(
            run_desk(pool, process.clock, rules=_desk_rules(process.settings), new_id=process.new_id, stop=process.stop)
        )
        parts.create_task(run_dispatch(pool, process.broker(), process.clock, stop=process.stop))
        parts.create_task(run_upkeep(pool, process.clock, wall_now=wall_now, stop=process.stop))


async def _api(process: Process) -> None:
    from service.api.app import make_app
    from service.api.auth import TokenVerifier
    from service.api.metrics import Metrics
    from service.serving import serve
    from service.swapping.desk import Desk

    settings = process.settings
    if settings.offer_key_file is None:
        raise SystemExit("the api needs DENCHI_OFFER_KEY_FILE: a file with at least 32 random bytes")
    async with process.pool() as pool:
        app = make_app(
            pool,
            process.clock,
            Desk(process.clock, _desk_rules(settings), process.new_id),
            TokenVerifier(
                issuer=settings.token_issuer,
                audience=settings.token_audience,
                jwks_file=settings.jwks_file,
                jwks_url=settings.jwks_url,
            ),
            settings.offer_key_file.read_bytes(),
            wall_now=wall_now,
            station_silence_s=settings.station_silence_s,
            metrics=Metrics(
                pool,
                process.clock,
                area=settings.area,
                station_silence_s=settings.station_silence_s,
                token=settings.metrics_token_file.read_text().strip() if settings.metrics_token_file else None,
            ),
        )
        await serve(app, settings.api_host, settings.api_port, process.stop)


async def _console(process: Process) -> None:
    from service.console.app import run_console

    settings = process.settings
    await run_console(
        settings.database_dsn(),
        process.clock,
        host=settings.console_host,
        port=settings.console_port,
        password=settings.console_password_file.read_text().strip() if settings.console_password_file else None,
        area=settings.area,
        station_silence_s=settings.station_silence_s,
        stop=process.stop,
    )


def _desk_rules(settings: Settings) -> DeskRules:
    return DeskRules(
        offer_s=settings.offer_s,
        reservation_s=settings.reservation_s,
        station_silence_s=settings.station_silence_s,
        area=settings.area,
    )


_ROLES: dict[str, Callable[[Process], Coroutine[None, None, None]]] = {
    "api": _api,
    "console": _console,
    "ingest": _ingest,
    "plan": _plan,
    "desk": _desk,
}
