"""Random days at two stations, on a real database: whatever riders, stations, clocks and inventories do, the audit stays silent.

Seeds drive the desk itself; the rules alone are driven by hypothesis in tests/properties.
"""

import random
from typing import Any

import pytest

from service.domain.observation import PackReading, PacksMoved, StationBorn
from service.store import outbox
from service.swapping.desk import Reserved, Started
from service.upkeep.audit import audit

SLOTS = 5


class Truth:
    """Where packs really are. A station tells it; the desk has to follow."""

    def __init__(self) -> None:
        self.slots: dict[str, dict[int, str]] = {"st-1": {1: "A1", 2: "A2"}, "st-2": {1: "B1", 2: "B2"}}
        self.vehicles: dict[str, str | None] = {rider: f"P-{rider}" for rider in ("r", "s", "t")}

    def readings(self, station_id: str, read: Any) -> list[PackReading]:
        return [read(slot_no, serial) for slot_no, serial in sorted(self.slots[station_id].items())]


@pytest.mark.parametrize("seed", range(8))
async def test_the_audit_is_silent_after_any_day(world: Any, read: Any, born: Any, seed: int) -> None:
    chance = random.Random(seed)
    truth = Truth()
    for number, station_id in enumerate(truth.slots):
        await world.station(station_id, SLOTS, truth.readings(station_id, read), latitude=33.0 + number / 100)
    for rider, serial in truth.vehicles.items():
        await world.rider(rider, [serial])
    for _ in range(60):
        await one_thing(world, read, born, truth, chance)
        world.clock.advance(chance.choice([1, 5, 30, 200]))
    async with world.pool.acquire() as connection:
        report = await audit(connection, world.clock.now())
    assert report.violations == ()
    # In the end every station tells what is in it, and no pack is believed in two places or nowhere.
    assert await world.value("SELECT count(*) FROM pack") == 7
    believed = {
        row["serial_number"]: row["station_id"] for row in await world.pool.fetch("SELECT * FROM pack WHERE place = 'slot'")
    }
    wrong = {
        serial: station_id
        for serial, station_id in believed.items()
        if serial not in truth.slots[station_id].values() and serial in truth.vehicles.values()
    }
    assert wrong == {}, "a pack that a rider has was never said to have left"


async def one_thing(world: Any, read: Any, born: Any, truth: Truth, chance: random.Random) -> None:
    for station_id in truth.slots:
        await world.hear(station_id, truth.readings(station_id, read), connected=chance.random() < 0.9)
    match chance.choice(["start", "start", "swap", "swap", "swap", "leave", "birth", "timers", "cancel", "repeat"]):
        case "start":
            await start(world, chance)
        case "swap":
            await carry_out(world, read, truth, chance, whole=True)
        case "leave":
            await carry_out(world, read, truth, chance, whole=False)
        case "birth":
            station_id = chance.choice(list(truth.slots))
            inventory: StationBorn = born(SLOTS, truth.readings(station_id, read))
            await world.say(station_id, inventory)
        case "timers":
            await world.timers()
        case "cancel":
            for reservation_id, rider in await world.pool.fetch(
                "SELECT reservation_id, rider_id FROM reservation WHERE status = 'reserved'"
            ):
                async with world.pool.acquire() as connection, connection.transaction():
                    await world.desk.cancel_reservation(connection, reservation_id, rider)
        case "repeat":
            # The newest thing a station said comes again under a new key.
            row = await world.pool.fetchrow(
                "SELECT station_id, body FROM station_event WHERE kind = 'swap' ORDER BY seq DESC LIMIT 1"
            )
            if row is not None:
                await world.say(row["station_id"], PacksMoved.model_validate_json(row["body"]))


async def start(world: Any, chance: random.Random) -> None:
    rider = chance.choice(["r", "s", "t"])
    found = await world.offers(rider)
    if not found.offers:
        return
    made = await world.reserve_terms(rider, chance.choice(found.offers))
    if not isinstance(made, Reserved):
        return
    started = await world.start(rider, made.reservation.reservation_id)
    if not isinstance(started, Started):
        return
    async with world.pool.acquire() as connection, connection.transaction():
        if chance.random() < 0.8:
            await outbox.mark_sent(connection, [started.command_id], world.clock.now())
        if chance.random() < 0.3:
            await world.desk.give_up_start(connection, started.swap_id, started.command_id)


async def carry_out(world: Any, read: Any, truth: Truth, chance: random.Random, *, whole: bool) -> None:
    """The station does what a command that it was sent says; perhaps the rider leaves in the middle, perhaps words are lost."""
    row = await world.pool.fetchrow(
        """SELECT s.swap_id, s.station_id, s.rider_id, c.command_id, c.body ->> 'request_id' AS request_id,
                  c.body ->> 'token' AS token,
                  c.body -> 'offer_serials' ->> 0 AS serial, (c.body -> 'in_slots' ->> 0)::int AS slot_no
           FROM swap s JOIN command c USING (swap_id)
           WHERE c.sent_at IS NOT NULL AND s.status IN ('requested', 'authorised', 'unresolved') AND s.packs_in = 0
           ORDER BY s.swap_id LIMIT 1"""
    )
    if row is None:
        return
    station_id, rider = row["station_id"], row["rider_id"]
    slots, own = truth.slots[station_id], truth.vehicles[rider]
    if own is None or row["slot_no"] in slots or row["serial"] not in slots.values():
        return
    if chance.random() < 0.7:
        await world.ack(station_id, row["command_id"], "accepted")
    slots[row["slot_no"]] = own
    truth.vehicles[rider] = None
    request_id, token = int(row["request_id"]), row["token"]
    if chance.random() < 0.9:
        await world.say(station_id, PacksMoved(what="in", request_id=request_id, token=token, packs=(read(row["slot_no"], own),)))
    if not whole:
        await world.say(station_id, PacksMoved(what="out_timeout", request_id=request_id, token=token, packs=()))
        return
    out = next(slot_no for slot_no, serial in slots.items() if serial == row["serial"])
    del slots[out]
    truth.vehicles[rider] = row["serial"]
    await world.say(station_id, PacksMoved(what="out", request_id=request_id, token=token, packs=(read(out, row["serial"]),)))
    await world.ack(station_id, row["command_id"], "completed")
