"""One reader for all open pages: reads the tables again and again and keeps the newest picture of the fleet.

Pages never query; a hundred open pages cost the database as much as one.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import structlog

from service.console.alerts_view import Alert, find_alerts, stations_that_wait
from service.console.area_series import AREA_SERIES, AreaSeries, area_series, wanted_from
from service.console.fleet_view import counters_view
from service.console.map_view import MapView, map_view
from service.console.meter_day import MeterDay
from service.console.power_chart import chart_start, fleet_power_w
from service.console.station_list_view import StationLine, station_lines
from service.console.wording import day_start
from service.domain.clock import Clock
from service.domain.plan import StepGrid
from service.domain.signal import Signal
from service.store.fleet import READ_FAILED, FleetRows, MeasuredPower, StationMore, read_fleet, read_stations_more
from service.store.pool import Connection, Pool, open_pool
from service.store.signals import series_of_area

log = structlog.get_logger()

READ_EVERY_S = 1.5
"""Wall seconds between two reads while a page is open."""
IDLE_EVERY_S = 5.0
"""The same while nobody looks; enough for /readyz."""
REST = 4.0
"""The reader rests at least this many times as long as its last read took: a large fleet is read less often, not harder."""
DAY_EVERY_S = 10.0
"""Wall seconds between two reads of the day's meters and signals, of which there is something new every five minutes."""
TRACE_EVERY = timedelta(seconds=20)
"""Fleet time between two remembered points of the power by newest readings."""


class Watch:
    """The newest picture of the fleet, shared by all pages. Everything in it is replaced, never changed."""

    def __init__(self, dsn: str, clock: Clock, area: str, station_silence_s: float) -> None:
        self._dsn = dsn
        self._clock = clock
        self._area = area
        self._silence_s = station_silence_s
        self._pool: Pool | None = None
        self._meters = MeterDay()
        self._day_due_s = 0.0
        self._wake = asyncio.Event()
        self._open: Counter[str] = Counter()
        self._pages = 0
        self.version = 0
        self.fleet: FleetRows | None = None
        self.lines: tuple[StationLine, ...] = ()
        self.counters: list[dict[str, Any]] = []
        self.alerts: tuple[Alert, ...] = ()
        self.map: MapView | None = None
        self.day_version = 0
        self.measured: tuple[MeasuredPower, ...] = ()
        self.area: AreaSeries | None = None
        self.more: dict[str, StationMore] = {}
        self.trace: deque[tuple[datetime, float]] = deque()
        self.failure: str | None = None

    def page_opened(self) -> None:
        """Count a page that looks; reads become frequent."""
        self._pages += 1
        self._wake.set()

    def page_closed(self, picked: str | None) -> None:
        """Forget a page and the station it showed."""
        self._pages -= 1
        self.pick(picked, None)

    def pick(self, before: str | None, after: str | None) -> None:
        """Move a page from one station to another (None: no station); what panels show is read with the next picture."""
        if before is not None:
            self._open -= Counter((before,))
        if after is not None:
            self._open[after] += 1
            self._wake.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Read until `stop`; a database that is away is a banner on the pages and is tried again."""
        loop = asyncio.get_running_loop()
        while not stop.is_set():
            self._wake.clear()
            started_s = loop.time()
            await self._read_once()
            least_s = REST * (loop.time() - started_s)
            with suppress(TimeoutError):
                async with asyncio.timeout(max(least_s, READ_EVERY_S if self._pages else IDLE_EVERY_S)):
                    await _first_of((stop, self._wake))
        if self._pool is not None:
            self._pool.terminate()

    async def _read_once(self) -> None:
        try:
            if self._pool is None:
                self._pool = await open_pool(self._dsn, role="console", size=2, patience_s=0.0)
            await self._read(self._pool)
        except READ_FAILED as error:
            if self.failure is None:
                log.warning("console.read_failed", error=str(error), kind=type(error).__name__)
            self.failure = _words(error)
        else:
            if self.failure is not None:
                log.info("console.read_again")
            self.failure = None
        self.version += 1

    async def _read(self, pool: Pool) -> None:
        now = self._clock.now()
        loop = asyncio.get_running_loop()
        day_is_due = loop.time() >= self._day_due_s
        signals: list[Signal] = []
        async with (
            asyncio.timeout(20),
            pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            fleet = await read_fleet(connection, now, day_start(now))
            plan_id = None if fleet.plan is None else fleet.plan.plan_id
            more = await read_stations_more(connection, list(self._open), plan_id) if self._open else {}
            if day_is_due:
                signals = await self._read_day(connection, now)
        # A large fleet takes seconds to think about; pages go on meanwhile.
        self.lines, self.counters, self.alerts, self.map, power_w = await asyncio.to_thread(_think, fleet, self._silence_s)
        self.fleet = fleet
        self._remember(now, power_w)
        self.more = more
        if day_is_due:
            self.area = await asyncio.to_thread(area_series, signals, self._area, chart_start(now), now)
            self.measured = self._meters.rows
            self.day_version += 1
            self._day_due_s = loop.time() + DAY_EVERY_S

    async def _read_day(self, connection: Connection, now: datetime) -> list[Signal]:
        start_at = chart_start(now)
        await self._meters.read(connection, start_at, now)
        grid = StepGrid(now)
        return await series_of_area(connection, self._area, AREA_SERIES, wanted_from(start_at, now), grid.end_at, now)

    def _remember(self, now: datetime, power_w: float) -> None:
        if self.trace and now - self.trace[-1][0] < TRACE_EVERY:
            return
        self.trace.append((now, power_w))
        while self.trace[0][0] < chart_start(now):
            self.trace.popleft()


def _think(
    fleet: FleetRows, station_silence_s: float
) -> tuple[tuple[StationLine, ...], list[dict[str, Any]], tuple[Alert, ...], MapView, float]:
    """Turn rows into what all pages share: lines, counters, alerts, the map, power by the newest readings [W]."""
    lines = station_lines(fleet)
    alerts = find_alerts(fleet, station_silence_s)
    on_map = map_view(fleet.stations, lines, station_silence_s, stations_that_wait(alerts))
    return lines, counters_view(fleet, lines), alerts, on_map, fleet_power_w(fleet)


def _words(error: Exception) -> str:
    """Return what the banner says; the log has the rest."""
    if isinstance(error, (OSError, TimeoutError)):
        what = "The database does not answer."
    else:
        what = f"The database cannot be read ({type(error).__name__}); is it starting, or not migrated yet?"
    return f"{what} Values below are from the last good reading. Trying again every few seconds."


async def _first_of(events: Iterable[asyncio.Event]) -> None:
    """Return as soon as one of the events is set."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
