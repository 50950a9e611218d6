"""The console as a child process for the browser tests: python console_process.py DSN PORT FLEET_NOW [PASSWORD]."""

import asyncio
import signal
import sys
from datetime import UTC, datetime

from service.console.app import run_console
from service.domain.clock import FleetTime


class WallClock:
    """Fleet time that starts at a given instant and runs with the wall."""

    def __init__(self, origin: datetime) -> None:
        self._time = FleetTime(origin, datetime.now(UTC), 1.0)

    def now(self) -> datetime:
        return self._time.at(datetime.now(UTC))

    def wall_seconds(self, fleet_seconds: float) -> float:
        return self._time.wall_seconds(fleet_seconds)


async def main(dsn: str, port: str, fleet_now: str, password: str | None = None) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    clock = WallClock(datetime.fromisoformat(fleet_now))
    await run_console(
        dsn, clock, host="127.0.0.1", port=int(port), password=password, area="kyushu", station_silence_s=600, stop=stop
    )


asyncio.run(main(*sys.argv[1:]))
