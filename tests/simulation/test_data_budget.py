"""What a station costs on the wire in a month: the bar is 90 MB of MQTT, both ways, without TLS, TCP and IP.

A station of 24 packs in 26 slots, 32 swaps a day in the rhythm of a day, one site meter, default dead bands. `station_day` says
how the bytes are counted; here its arithmetic is held against paho's own bytes, and the sums against the bar.
"""

import asyncio
from functools import partial
from pathlib import Path

import pytest

from devices.link import session
from devices.link.address import LinkAddress
from devices.link.connection import Connection
from tests.simulation.mqtt_bytes import connect_bytes, publish_bytes, subscribe_bytes
from tests.simulation.station_day import PACKS, SWAPS, CountingConnection, Day, swap_times
from tests.simulation.virtual_time import JumpingLoop

BUDGET_MB = 90.0
MONTH_DAYS = 30
OWN_TICK = 1.012
"""An agent ticks every second; a day of that takes minutes here. Measured once: 88.70 MB, against 87.64 at `STEP_S`."""
CONNECT, PUBLISH, SUBSCRIBE = 1, 3, 8
"""Control packet types of MQTT 3.1.1, section 2.2.1."""


def run_day(directory: Path, monkeypatch: pytest.MonkeyPatch, *, plans: bool) -> Day:
    loop = JumpingLoop()
    day = Day(directory, loop, plans=plans)
    monkeypatch.setattr(session, "Connection", partial(CountingConnection, day.service))
    loop.run_until_complete(day.run())
    loop.close()
    assert day.swaps == SWAPS
    assert day.service.packets["up/swap"] == 2 * SWAPS
    assert day.service.packets["up/meter"] == 287, "every five minutes; the day's last one is the next day's first"
    assert len([slot for slot in day.service.live.values() if slot.serial_number]) == PACKS
    assert day.pending == 0, "everything said was committed, and the station forgot it"
    return day


def month_mb(day: Day, *kinds: str) -> float:
    """Megabytes of a month of such days: of all, or of the kinds whose names begin so."""
    return sum(size for kind, size in day.service.bytes.items() if kind.startswith(kinds or "")) * MONTH_DAYS / 1e6


def breakdown(day: Day) -> str:
    """For whoever reads why the bar is missed."""
    counted = day.service.bytes.most_common()
    return "\n".join(
        f"{kind:32} {day.service.packets[kind]:6} packets {size * MONTH_DAYS / 1e6:7.2f} MB" for kind, size in counted
    )


def test_riders_come_in_the_rhythm_of_the_day() -> None:
    times = swap_times([0.0] * 8 + [3.0, 1.0] + [0.0] * 14)
    assert len(times) == SWAPS
    assert times == sorted(times)
    assert sum(at < 9 * 3600 for at in times) == 24
    assert 8 * 3600 < times[0] < times[-1] < 10 * 3600


async def test_the_arithmetic_is_what_paho_sends() -> None:
    will, topic = ("denchi/v1/0e/station/st-1/up/connection", b"w" * 200), "denchi/v1/0e/station/st-1/up/telemetry"
    bodies, filters = [b"x" * size for size in (0, 80, 81, 500, 16_300, 16_400, 65_536)], ["a/b", "c/+/d"]
    sent: list[tuple[int, int]] = []
    done, gone = asyncio.Event(), asyncio.Event()

    async def broker(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while first := await reader.read(1):
            length, shift, size = 0, 0, 1
            while True:
                byte = (await reader.readexactly(1))[0]
                length, shift, size = length | (byte & 127) << shift, shift + 7, size + 1
                if byte < 128:
                    break
            await reader.readexactly(length)
            sent.append((first[0] >> 4, size + length))
            if first[0] >> 4 == CONNECT:
                writer.write(b"\x20\x02\x00\x00")
            if len(sent) == 2 + len(bodies):
                done.set()
        writer.close()
        await writer.wait_closed()
        gone.set()

    server = await asyncio.start_server(broker, "127.0.0.1", 0)
    address = LinkAddress("127.0.0.1", server.sockets[0].getsockname()[1], "st-1", "p" * 43)
    connection = Connection(
        address, "st-1", will=will, keepalive_s=30, window=20,
        on_message=lambda *_: None, on_acknowledged=lambda _: None, on_lost=lambda: None,
    )  # fmt: skip
    await connection.open(10.0)
    connection.subscribe(filters)
    for body in bodies:
        connection.publish(topic, body)
    await asyncio.wait_for(done.wait(), 10.0)
    connection.close()
    await asyncio.wait_for(gone.wait(), 10.0)
    server.close()
    assert sent[0] == (CONNECT, connect_bytes("st-1", will, "st-1", "p" * 43))
    assert sent[1] == (SUBSCRIBE, subscribe_bytes(filters))
    assert sent[2 : 2 + len(bodies)] == [(PUBLISH, publish_bytes(topic, body, qos=1)) for body in bodies]


@pytest.mark.timeout(600)
@pytest.mark.long
def test_what_a_station_says_and_is_answered_stays_within_the_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a planner: packs charge as they come in, each alone, which is when dead bands cost most."""
    day = run_day(tmp_path, monkeypatch, plans=False)
    assert month_mb(day) * OWN_TICK <= BUDGET_MB, breakdown(day)
    # Measured. Below the bar by so little that a change which costs two percent must show.
    assert month_mb(day) == pytest.approx(87.6, rel=0.03), breakdown(day)
    assert month_mb(day, "up/telemetry") == pytest.approx(66.0, rel=0.03), breakdown(day)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_with_the_planners_schedules_the_budget_is_not_kept_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar is 90 MB and it is MISSED: what a station says costs 60 MB, but the schedules it is sent cost as much as the bar.

    `service.cycle` sends a schedule of 24 rows to the horizon (14 KB) every ten minutes and whenever a limit of the next ten
    minutes changed. The numbers below are what was measured, so that a change shows; they are not what is wanted.
    """
    day = run_day(tmp_path, monkeypatch, plans=True)
    schedules_mb = month_mb(day, "down/command SetChargingProfile")
    assert month_mb(day) - schedules_mb <= BUDGET_MB, breakdown(day)
    assert schedules_mb == pytest.approx(95.0, rel=0.15), breakdown(day)
    assert month_mb(day) == pytest.approx(157.0, rel=0.10), breakdown(day)
