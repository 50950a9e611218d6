"""Riders in virtual time: hours pass in milliseconds, and every ending is reached and counted once."""

import asyncio
from collections.abc import Callable

import numpy as np
import pytest

from simulator.demand import Demand
from simulator.places import Point
from simulator.plant import Plant
from simulator.rider import Rider
from simulator.rider_client import Offer, Refused, Unresolved
from simulator.store.world_store import Errand
from tests.unit.simulator import rider_stage
from tests.unit.simulator.rider_stage import SPEED, Stage, play

stage = rider_stage.stage


@pytest.mark.parametrize("packs", [1, 2])
def test_a_rider_leaves_with_as_many_fresh_packs_as_he_brought(stage: Callable[..., Stage], packs: int) -> None:
    s = stage()
    number = s.rider_with(packs)
    plant = s.town.plant
    before, old = plant.rider_soc()[number], list(plant.with_rider[number])
    ending, wall_s = play(Rider(s.town, number).swap_packs)
    assert ending == "completed"
    assert s.swaps() == {"attempted": 1, "completed": 1}
    assert len(plant.with_rider[number]) == packs
    assert not set(old) & set(plant.with_rider[number])
    assert plant.rider_soc()[number] > before
    assert set(old) <= set(plant.in_slot[0].tolist())
    assert s.town.store.errands() == []
    assert not plant.door_open.any()
    assert plant.riding.all()
    assert 5 < wall_s < 60
    assert s.told[-1]["event"] == "swap_completed"


def test_riders_queue_and_swap_one_after_the_other(stage: Callable[..., Stage]) -> None:
    s = stage()
    riders = [n for n, rider in enumerate(s.town.world.riders) if len(rider.packs) == 1][:4]

    async def together() -> list[str]:
        return list(await asyncio.gather(*(Rider(s.town, number).swap_packs() for number in riders)))

    endings, _ = play(together)
    assert endings == ["completed"] * 4
    places = s.town.store.places()
    assert len({(p.station, p.slot_no) for p in places.values() if p.station is not None}) == sum(
        1 for p in places.values() if p.station is not None
    )


def test_no_offer_is_refused_with_its_reason(stage: Callable[..., Stage]) -> None:
    s = stage(offers_answer=Refused("no_ready_pack"))
    assert play(Rider(s.town, 0).swap_packs)[0] == "refused"
    assert s.swaps() == {"attempted": 1, "refused": 1}
    assert dict(s.town.tally.refusals) == {"no_ready_pack": 1}


def test_a_lost_reservation_is_tried_elsewhere(stage: Callable[..., Stage]) -> None:
    s = stage(reserve_answers=[Refused("no_ready_pack")])
    ending, wall_s = play(Rider(s.town, s.rider_with(1)).swap_packs)
    assert ending == "completed"
    assert dict(s.town.tally.refusals) == {"no_ready_pack": 1}
    assert s.swaps() == {"attempted": 1, "completed": 1}
    assert wall_s > 20


def test_a_forgotten_reservation_is_given_back(stage: Callable[..., Stage]) -> None:
    s = stage(reserve_answers=[Refused("reservation_exists")] * 3)
    assert play(Rider(s.town, 0).swap_packs)[0] == "refused"
    assert s.script.released == [s.town.world.riders[0].rider_id]


def test_a_start_that_was_not_delivered_is_tried_again_under_another_key(stage: Callable[..., Stage]) -> None:
    s = stage(start_answers=[Refused("not_delivered"), Refused("not_delivered")])
    assert play(Rider(s.town, s.rider_with(1)).swap_packs)[0] == "completed"
    assert len(set(s.script.keys)) == 3
    assert dict(s.town.tally.refusals) == {"not_delivered": 2}


def test_a_rejected_start_ends_the_errand_at_once(stage: Callable[..., Stage]) -> None:
    s = stage(start_answers=[Refused("NoBatteryAvailable")])
    ending, wall_s = play(Rider(s.town, 0).swap_packs)
    assert ending == "refused"
    assert wall_s < 60
    assert len(s.script.keys) == 1


def test_an_unresolved_start_is_never_repeated_and_the_open_door_is_used(stage: Callable[..., Stage]) -> None:
    number = stage().rider_with(1)
    s = stage(start_answers=[Unresolved(f"swp-rider-{number + 1:06d}")])
    assert play(Rider(s.town, number).swap_packs)[0] == "completed"
    assert len(s.script.keys) == 1


def test_a_station_that_stays_shut_is_left_when_the_patience_is_over(stage: Callable[..., Stage]) -> None:
    s = stage(opens=False)
    ending, wall_s = play(Rider(s.town, 0).swap_packs)
    assert ending == "abandoned"
    patience_s = s.town.terms.patience_s / SPEED
    assert patience_s < wall_s < patience_s + 60
    assert s.swaps() == {"attempted": 1, "abandoned": 1}


def test_a_start_nobody_knows_of_with_a_shut_station_is_unresolved(stage: Callable[..., Stage]) -> None:
    s = stage(opens=False, start_answers=[Unresolved("swp-x")])
    assert play(Rider(s.town, 0).swap_packs)[0] == "unresolved"
    assert s.swaps() == {"attempted": 1, "unresolved": 1}


def test_a_rider_whose_packs_are_kept_walks_away_without_any(stage: Callable[..., Stage]) -> None:
    s = stage(hands_out=False)
    number = s.rider_with(2)
    assert play(Rider(s.town, number).swap_packs)[0] == "abandoned"
    assert s.town.plant.with_rider[number] == []
    assert s.town.plant.rider_soc()[number] == 0.0


def test_a_rider_who_leaves_on_purpose_takes_nothing(stage: Callable[..., Stage]) -> None:
    s = stage(rates={"rider_leaves": 1.0})
    number = s.rider_with(1)
    assert play(Rider(s.town, number).swap_packs)[0] == "abandoned"
    assert s.town.plant.with_rider[number] == []


def test_a_closing_town_sends_riders_home_and_frees_what_they_held(stage: Callable[..., Stage]) -> None:
    s = stage(reserve_answers=[Refused("no_ready_pack")])

    async def closes() -> str:
        errand = asyncio.create_task(Rider(s.town, 0).swap_packs())
        await asyncio.sleep(5)
        s.town.closing.set()
        return await errand

    ending, wall_s = play(closes)
    assert ending == "abandoned"
    assert wall_s < 10
    assert len(s.script.cancelled) == 1
    assert s.town.store.errands() == []


def test_an_errand_cut_in_the_middle_goes_on_after_a_restart(stage: Callable[..., Stage]) -> None:
    s = stage()
    number = s.rider_with(1)
    plant, store = s.town.plant, s.town.store
    slot_no = int(np.flatnonzero(plant.in_slot[0] < 0)[0]) + 1
    started = Errand(number, 0, "rsv-near-x", "key-old", f"swp-{s.town.world.riders[number].rider_id}")
    store.save_errand(started)
    plant.put(number, plant.with_rider[number][0], 0, slot_no, started)
    again = Plant(s.town.world, store)
    for name in ("in_slot", "with_rider"):
        setattr(plant, name, getattr(again, name))

    async def goes_on() -> str:
        full = int(np.flatnonzero(plant.in_slot[0] >= 0)[0]) + 1
        s.script.statuses[str(started.swap_id)] = "completed"
        await s.script.cabinets[0].open_slot(full)
        return await Rider(s.town, number).visit(store.errands()[0])

    assert play(goes_on)[0] == "completed"
    assert s.script.keys == []
    assert len(plant.with_rider[number]) == 1


def test_demand_sends_out_only_who_is_low_and_waits_longer_after_each_refusal(stage: Callable[..., Stage]) -> None:
    s = stage(offers_answer=Refused("no_ready_pack"))
    low = s.town.plant.rider_soc() < np.array([rider.swap_below_soc for rider in s.town.world.riders])
    assert not low.any()
    s.town.plant.packs.stored_wh[s.town.plant.with_rider[4]] = 1.0

    async def an_hour() -> None:
        demand = Demand(s.town)
        for _ in range(int(3600 / SPEED)):
            demand.tick()
            await asyncio.sleep(1)
        await demand.finish(10.0)
        assert demand.out_count == 0

    play(an_hour)
    # 30, 60, 120, 240, 480, then every 600 fleet seconds.
    assert 8 <= s.town.tally.attempted <= 10
    assert s.swaps()["refused"] == s.town.tally.attempted


def test_at_a_start_the_lowest_riders_set_out_once_though_they_could_still_ride(stage: Callable[..., Stage]) -> None:
    s = stage(opening_riders=3, offers_answer=Refused("no_ready_pack"))

    async def five_minutes() -> None:
        demand = Demand(s.town)
        for _ in range(int(300 / SPEED)):
            demand.tick()
            await asyncio.sleep(1)
        await demand.finish(10.0)

    play(five_minutes)
    assert s.town.tally.attempted == 3


def test_a_rider_that_our_own_code_breaks_does_not_end_the_world(stage: Callable[..., Stage]) -> None:
    s = stage()
    s.town.plant.packs.stored_wh[s.town.plant.with_rider[4]] = 1.0

    async def broken(rider_id: str, vehicle_id: str, near: Point) -> list[Offer]:
        raise KeyError("offers")

    s.script.offers = broken  # type: ignore[method-assign]

    async def a_while() -> None:
        demand = Demand(s.town)
        for _ in range(100):
            demand.tick()
            await asyncio.sleep(1)

    play(a_while)
    assert s.town.tally.faults_of_ours == 1
    assert s.told[-1]["event"] == "rider_broken"
