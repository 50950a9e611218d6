"""Signals in a real database: added once, corrected only by what became known later, never shown before they were known."""

import math
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from service.domain.signal import SERIES, SYNTHETIC, Place, Series, Signal
from service.grid.synthetic import synthetic_signals
from service.store.pool import Connection, Pool
from service.store.signals import Added, add_missing, add_signals, known_signals, series_of_area, series_of_place, signal_coverage

NOON = datetime(2022, 4, 10, 3, 0, tzinfo=UTC)
KYUSHU = Place("area", "kyushu")
HALF_HOUR = timedelta(minutes=30)


@pytest.fixture
async def connection(pool: Pool) -> AsyncIterator[Connection]:
    async with pool.acquire() as connection:
        yield connection


def signal(
    value: float,
    *,
    half: int = 0,
    series: Series = "price_jpy_per_kwh",
    place: Place = KYUSHU,
    period_s: int = 1800,
    known_at: datetime = NOON,
    source: str = "market",
) -> Signal:
    return Signal(series, place, NOON + half * HALF_HOUR, period_s, value, known_at, source)


async def known(connection: Connection, now: datetime, *series: Series) -> list[Signal]:
    return await known_signals(
        connection, "kyushu", series or list(SERIES), NOON - timedelta(days=1), NOON + timedelta(days=1), now
    )


async def test_the_same_batch_twice_changes_nothing(connection: Connection) -> None:
    batch = [signal(10.0 + half, half=half) for half in range(48)]
    assert await add_signals(connection, batch) == Added(48, 0, 0)
    assert await add_signals(connection, batch) == Added(0, 48, 0)
    assert await add_signals(connection, [*batch, signal(99.0, half=48)]) == Added(1, 48, 0)
    assert await connection.fetchval("SELECT count(*) FROM signal") == 49


async def test_another_value_known_at_the_same_instant_is_not_taken_and_is_named(connection: Connection) -> None:
    await add_signals(connection, [signal(10.0), signal(11.0, half=1)])
    assert await add_signals(connection, [signal(10.0), signal(12.0, half=1)]) == Added(0, 2, 1, (NOON + HALF_HOUR,))
    assert [each.value for each in await known(connection, NOON)] == [10.0, 11.0]


async def test_a_batch_that_contradicts_itself_says_so(connection: Connection) -> None:
    done = await add_signals(connection, [signal(10.0), signal(10.0), signal(11.0)])
    assert (done.added, done.known) == (1, 2)
    assert done.different in (1, 2)  # whichever of them came first stands


async def test_a_correction_holds_from_the_instant_at_which_it_is_known(connection: Connection) -> None:
    later = NOON + timedelta(hours=2)
    await add_signals(connection, [signal(10.0), signal(12.0, known_at=later)])
    assert [each.value for each in await known(connection, later - timedelta(seconds=1))] == [10.0]
    assert [each.value for each in await known(connection, later)] == [12.0]


async def test_of_a_price_the_newest_source_is_returned_and_of_a_limit_every_source(connection: Connection) -> None:
    later = NOON + timedelta(minutes=1)
    for series in ("price_jpy_per_kwh", "import_limit_w"):
        await add_signals(connection, [signal(5.0, series=series, source="a")])
        await add_signals(connection, [signal(9.0, series=series, source="b", known_at=later)])
        await add_signals(connection, [signal(7.0, series=series, source="b")])
    assert [each.value for each in await known(connection, later, "price_jpy_per_kwh")] == [9.0]
    limits = await known(connection, later, "import_limit_w")
    assert {each.source: each.value for each in limits} == {"a": 5.0, "b": 9.0}


async def test_what_is_made_up_stands_behind_everybody_else(connection: Connection) -> None:
    await add_signals(connection, [signal(10.0), signal(1.0, source=SYNTHETIC, known_at=NOON + timedelta(hours=1))])
    assert [each.value for each in await known(connection, NOON + timedelta(days=1))] == [10.0]
    made_up = [signal(2.0, half=half, source=SYNTHETIC, known_at=NOON + timedelta(hours=2)) for half in range(-1, 3)]
    assert await add_missing(connection, made_up) == 3
    assert await add_missing(connection, made_up) == 0


async def test_nothing_is_made_up_inside_a_longer_interval_of_somebody_else(connection: Connection) -> None:
    await add_signals(connection, [signal(10.0, period_s=3600, series="solar_w")])
    made_up = [signal(2.0, half=half, source=SYNTHETIC, series="solar_w") for half in range(-1, 3)]
    assert await add_missing(connection, made_up) == 2
    starts = sorted(each.start_at for each in await known(connection, NOON))
    assert starts == [NOON - HALF_HOUR, NOON, NOON + 2 * HALF_HOUR]


async def test_no_limit_is_kept_as_infinity_and_no_other_series_may_be_infinite(connection: Connection) -> None:
    await add_signals(connection, [signal(math.inf, series="import_limit_w", place=Place("station", "st-1"))])
    assert [each.value for each in await known(connection, NOON)] == [math.inf]
    for value in (math.inf, math.nan, -math.inf):
        with pytest.raises(asyncpg.CheckViolationError):
            await add_signals(connection, [signal(value)])
    assert await connection.fetchval("SELECT count(*) FROM signal") == 1


async def test_a_refused_batch_leaves_nothing_and_the_connection_works_on(connection: Connection) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await add_signals(connection, [signal(1.0), signal(math.nan, half=1)])
    assert await add_signals(connection, [signal(1.0)]) == Added(1, 0, 0)


async def test_a_place_is_read_alone_in_order_of_time_and_bounded(connection: Connection) -> None:
    station = Place("station", "kyushu")  # a name may be both
    batch = [
        signal(float(half), half=half, series="import_limit_w", place=place) for half in range(6) for place in (KYUSHU, station)
    ]
    await add_signals(connection, batch)
    end_at = NOON + timedelta(days=1)
    of_area = await series_of_area(connection, "kyushu", ["import_limit_w"], NOON, NOON + 3 * HALF_HOUR, NOON)
    assert [(each.place, each.value) for each in of_area] == [(KYUSHU, 0.0), (KYUSHU, 1.0), (KYUSHU, 2.0)]
    first = await series_of_place(connection, station, ["import_limit_w"], NOON, end_at, NOON, most=2)
    assert [(each.place, each.value) for each in first] == [(station, 0.0), (station, 1.0)]
    assert await series_of_place(connection, station, ["import_limit_w"], NOON, end_at, NOON - timedelta(seconds=1)) == []


async def test_coverage_says_what_there_is(connection: Connection) -> None:
    later = NOON + timedelta(hours=1)
    await add_signals(connection, [signal(1.0, half=half) for half in (0, 1, 3)] + [signal(2.0, known_at=later)])
    await add_signals(connection, [signal(3.0, series="solar_w", period_s=3600, source="grid company")])
    price, solar = await signal_coverage(connection)
    assert (price.series, price.place_kind, price.place, price.period_s, price.source) == (
        "price_jpy_per_kwh",
        "area",
        "kyushu",
        1800,
        "market",
    )
    assert (price.first_at, price.end_at, price.intervals, price.last_known_at) == (NOON, NOON + 4 * HALF_HOUR, 3, later)
    assert (solar.series, solar.source, solar.end_at) == ("solar_w", "grid company", NOON + timedelta(hours=1))


async def test_synthetic_days_are_added_once_and_extended_as_the_clock_goes_on(connection: Connection) -> None:
    now = NOON
    assert await add_missing(connection, synthetic_signals("kyushu", now, 3, now)) == 3 * 48 * 2
    assert await add_missing(connection, synthetic_signals("kyushu", now, 3, now + timedelta(hours=1))) == 0
    later = now + timedelta(days=1)
    assert await add_missing(connection, synthetic_signals("kyushu", later, 3, later)) == 48 * 2
    assert await connection.fetchval("SELECT count(*) FROM (SELECT DISTINCT series, start_at FROM signal) AS s") == 4 * 48 * 2
    assert await connection.fetchval("SELECT count(*) FROM signal WHERE source <> 'synthetic'") == 0


async def test_no_signal_leaves_the_store_before_it_is_known(connection: Connection) -> None:
    now = NOON
    await add_missing(connection, synthetic_signals("kyushu", now, 3, now))
    every = list(SERIES)
    far = now + timedelta(days=4)
    for hours in (0, 1, 3, 12, 30):
        at = now + timedelta(hours=hours)
        known = await known_signals(connection, "kyushu", every, now - timedelta(days=1), far, at)
        assert known
        assert max(signal.known_at for signal in known) <= at
    assert await known_signals(connection, "kyushu", every, now - timedelta(days=1), far, now - timedelta(seconds=1)) == []
    assert await known_signals(connection, "tokyo", every, now - timedelta(days=1), far, far) == []
