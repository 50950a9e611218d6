"""A rider's errand from the first wish to the new packs: ask, reserve, ride there, queue, swap.

What happens in front of the station is ``simulator.visit``; when a rider gets low is the plant's matter.
"""

import math
import random

from simulator.places import distance_m, moved
from simulator.rider_client import Offer, Refused
from simulator.store.world_store import Errand
from simulator.tally import Ending
from simulator.town import Town
from simulator.visit import Visit

TRIES = 3
"""How many of the offers he tries to reserve before he gives up for now."""
FAR_S = 1800.0
"""He does not ride longer than this to a station, fleet seconds."""


class Rider:
    """One rider, counted from 0."""

    def __init__(self, town: Town, number: int) -> None:
        self._town = town
        self._number = number
        self._me = town.world.riders[number]
        self._chance = random.Random(f"{town.world.seed}/errands/{number}")

    async def swap_packs(self) -> Ending:
        """Get the packs swapped, or give up; return how it ended."""
        town, me = self._town, self._me
        town.tally.begin()
        distance = self._chance.uniform(*town.terms.approach_m)
        bearing = self._chance.uniform(0.0, 2.0 * math.pi)
        home = town.world.stations[me.home].place
        here = moved(home, distance * math.sin(bearing), distance * math.cos(bearing))
        offers = await town.app.offers(me.rider_id, me.vehicle_id, here)
        if isinstance(offers, Refused):
            await self._refused(offers.reason)
            return "refused"
        errand = await self._reserve(offers)
        if errand is None:
            return "refused"
        way_m = distance_m(here, town.world.stations[errand.station].place)
        if not await town.travel(way_m / town.terms.riding_speed_mps):
            return await self._turn_back(errand)
        return await self.visit(errand)

    async def visit(self, errand: Errand) -> Ending:
        """Queue at the station and swap; also after a restart, when the errand was found in the world's file."""
        town = self._town
        async with town.fronts[errand.station]:
            if town.closing.is_set():
                return await self._turn_back(errand)
            town.plant.riding[self._number] = False
            try:
                ending = await Visit(town, self._number, self._me, errand).run()
            finally:
                town.plant.riding[self._number] = True
        town.store.end_errand(self._number)
        return ending

    async def _reserve(self, offers: list[Offer]) -> Errand | None:
        town = self._town
        speed = town.terms.riding_speed_mps
        known = [offer for offer in offers if offer.station_id in town.number_of]
        near = [offer for offer in known if offer.distance_m / speed <= FAR_S]
        near.sort(key=lambda offer: offer.distance_m / speed + offer.wait_s)
        reason = "too_far"
        for position, offer in enumerate(near[:TRIES]):
            if position:
                town.tally.no(reason)
            answer = await town.app.reserve(self._me.rider_id, offer.offer_id, town.new_key())
            if not isinstance(answer, Refused):
                station = town.number_of[answer.station_id]
                errand = Errand(self._number, station, answer.reservation_id, town.new_key())
                town.store.save_errand(errand)
                return errand
            reason = answer.reason
        await self._refused(reason)
        return None

    async def _refused(self, reason: str) -> None:
        self._town.tally.refused(reason)
        if reason == "reservation_exists":
            await self._town.app.release(self._me.rider_id)

    async def _turn_back(self, errand: Errand) -> Ending:
        town = self._town
        if errand.swap_id is None:
            await town.app.cancel(self._me.rider_id, errand.reservation_id)
            town.store.end_errand(self._number)
        town.tally.end("abandoned", errand.swap_id, town.station_id(errand.station), "town_closes")
        return "abandoned"
