"""A watermark is said at once, said again a few times, and then left to the station to ask for."""

import asyncio
from typing import Any

from devices.wire.topics import down
from service.broker import BrokerAwayError
from service.ingest.watermarks import REMIND_AFTER_S, REMINDERS, Watermarks
from service.store.messages import BootId

BOOT = BootId("st-1", 1, 1)


class Wall:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_watermark_is_said_again_a_few_times_and_then_forgotten() -> None:
    wall = Wall()
    watermarks = Watermarks(wall)
    watermarks.note({BOOT: 5})
    said = []
    for _ in range(100):
        said += watermarks.due()
        wall.now += REMIND_AFTER_S / 2
    assert said == [(BOOT, 5)] * (1 + REMINDERS)
    assert len(watermarks) == 0


def test_a_newer_watermark_takes_the_place_of_the_older_one_and_is_due_at_once() -> None:
    wall = Wall()
    watermarks = Watermarks(wall)
    watermarks.note({BOOT: 5})
    assert watermarks.due() == [(BOOT, 5)]
    watermarks.note({BOOT: 6})
    assert watermarks.due() == [(BOOT, 6)]
    assert watermarks.due() == []


class Session:
    """A broker connection that takes so many messages and then is away."""

    def __init__(self, takes: int) -> None:
        self.is_connected = True
        self.takes = takes
        self.topics: list[str] = []

    async def publish(self, topic: str, body: bytes, qos: int = 1, retain: bool = False) -> None:
        if len(self.topics) == self.takes:
            self.is_connected = False
            raise BrokerAwayError("away")
        self.topics.append(topic)


def test_what_could_not_be_said_stays_due() -> None:
    async def run() -> None:
        watermarks = Watermarks(Wall())
        watermarks.note({BootId(f"st-{number}", 1, 1): number for number in range(4)})
        session: Any = Session(2)
        assert await watermarks.publish_due(session) == 2
        assert await watermarks.publish_due(session) == 0
        back: Any = Session(9)
        assert await watermarks.publish_due(back) == 2
        assert session.topics + back.topics == [down(f"st-{number}", "committed") for number in range(4)]

    asyncio.run(run())
