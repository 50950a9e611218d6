"""The desk's own small rules: times, stations that are not promised, slots that a swap needs."""

from datetime import UTC, datetime, timedelta

import pytest

from service.domain.swap import SwapStatus
from service.store.desk import StationRow
from service.swapping.means import Means
from service.swapping.offering import refuse_station, slots_needed
from service.swapping.outcomes import DeskRules
from service.swapping.progress import deadline

NOW = datetime(2026, 4, 6, 8, tzinfo=UTC)


class Still:
    def now(self) -> datetime:
        return NOW

    def wall_seconds(self, fleet_seconds: float) -> float:
        return fleet_seconds


MEANS = Means(Still(), DeskRules(), lambda prefix: f"{prefix}_1")
STATION = StationRow("st-1", "One", 33.0, 130.0, "in_service", "In-Out", True, NOW)


def test_a_station_that_is_there_is_not_refused() -> None:
    assert refuse_station(MEANS, STATION, NOW) is None


@pytest.mark.parametrize(
    ("station", "reason"),
    [
        (STATION._replace(lifecycle="emergency"), "station_out_of_service"),
        (STATION._replace(connected=False), "station_offline"),
        (STATION._replace(heard_at=None), "station_offline"),
        (STATION._replace(heard_at=NOW - timedelta(seconds=601)), "station_offline"),
    ],
)
def test_a_station_that_cannot_keep_a_promise_is_refused_by_name(station: StationRow, reason: str) -> None:
    assert refuse_station(MEANS, station, NOW) == reason


def test_in_out_needs_a_slot_for_each_pack_and_out_in_none() -> None:
    assert slots_needed("In-Out", 2) == 2
    assert slots_needed("Out-In", 2) == 0


@pytest.mark.parametrize(
    ("status", "seconds"),
    [("requested", 120), ("authorised", 300), ("half_in", 300), ("unresolved", 300), ("orphan_in", 1800), ("orphan_out", 86_400)],
)
def test_each_state_has_its_time_and_each_pack_of_a_set_its_step(status: SwapStatus, seconds: float) -> None:
    assert deadline(MEANS, status, 2) == NOW + timedelta(seconds=seconds)
