"""Virtual time for asyncio: nobody waits, the clock jumps to the next timer."""

import asyncio
import selectors
from datetime import datetime, timedelta
from typing import Any

from devices.hardware.ports import ClockStatus


class _Jump(selectors.SelectSelector):
    """Waits for nothing: what would be waited for is added to the time."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready and timeout is not None and timeout > 0:
            self.now_s += timeout
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        return self._jump.now_s


class LoopClock:
    """Fleet and wall time of a loop, from `origin` on."""

    def __init__(self, loop: asyncio.AbstractEventLoop, origin: datetime) -> None:
        self._loop, self._origin = loop, origin

    def now(self) -> datetime:
        return self._origin + timedelta(seconds=self._loop.time())

    def monotonic(self) -> float:
        return self._loop.time()

    def wall_monotonic(self) -> float:
        return self._loop.time()

    def wall_seconds(self, fleet_seconds: float) -> float:
        return fleet_seconds

    def status(self) -> ClockStatus:
        return ClockStatus("ntp", 1.5, self.now())
