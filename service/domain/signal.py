"""One value of a time series of the outside world, with the moment from which a decision may read it."""

from datetime import datetime, timedelta
from typing import Literal, NamedTuple

Series = Literal["price_jpy_per_kwh", "pv_w", "emission_g_per_kwh"]


class Signal(NamedTuple):
    """The value of `series` in ``[start_at, start_at + period_s)``. Nobody reads it before `known_at`."""

    series: Series
    area: str
    start_at: datetime
    period_s: int
    value: float
    known_at: datetime
    source: str

    @property
    def end_at(self) -> datetime:
        """Return the first instant that this value no longer covers."""
        return self.start_at + timedelta(seconds=self.period_s)
