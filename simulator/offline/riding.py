"""Who swaps when: riders ride as the day wants it, swap when they are low, and take what the desk's own rules give them.

The way to a station takes no time here, and nobody reserves. A rider goes to his home station, else to the nearest with a
complete set; if there is none he rides on and looks again after the next step.
"""

from datetime import datetime

import numpy as np

from service.domain.desk import Gates, choose_set
from service.domain.pack import PackModel, PackNow
from service.domain.recipe import Recipe
from simulator.offline.plant import Floats, OfflinePlant
from simulator.places import distance_m
from simulator.rider import FAR_S
from simulator.world import World


class Handed:
    """What went over the counter: per station the packs handed out by hour, and what all of it comes to."""

    def __init__(self, stations: int) -> None:
        self.by_hour: list[dict[datetime, int]] = [{} for _ in range(stations)]
        self.returned: list[tuple[datetime, float]] = []
        """When and with which SoC packs came back."""
        self.reset()

    def reset(self) -> None:
        """Begin to count anew; what stations remember stays."""
        self.swaps = self.packs = self.elsewhere = self.waited = 0
        self.soc_sum = self.wait_s = 0.0


class Riding:
    """All riders of a world."""

    def __init__(self, world: World, plant: OfflinePlant, model: PackModel) -> None:
        self._plant = plant
        self._model = model
        self._below = np.array([rider.swap_below_soc for rider in world.riders])
        places = [station.place for station in world.stations]
        far_m = FAR_S * world.scenario.riders.riding_speed_mps
        nearest = []
        for number, here in enumerate(places):
            ways = sorted((distance_m(here, there), other) for other, there in enumerate(places) if other != number)
            nearest.append([number] + [other for way, other in ways if way <= far_m])
        self._stations = [nearest[rider.home] for rider in world.riders]
        self._recipes = [Recipe(model.pack_model_id, len(rider.packs), "series") for rider in world.riders]
        self._last_soh: list[float | None] = [None] * len(world.riders)
        self._waits: set[int] = set()
        self.handed = Handed(len(world.stations))

    def swap_all(self, now: datetime, dt_s: float, arriving_w: float) -> None:
        """Let everybody who is low swap, the lowest first. `dt_s` : how long one who finds nothing waits until the next call."""
        soc = self._plant.soc()
        weakest = self._plant.weakest_soc(soc)
        low = np.flatnonzero(weakest < self._below)
        for rider in low[np.argsort(weakest[low], kind="stable")]:
            number = int(rider)
            if self._swap(number, now, soc, arriving_w):
                self.handed.waited += number in self._waits
                self._waits.discard(number)
            else:
                self._waits.add(number)
                self.handed.wait_s += dt_s

    def _swap(self, rider: int, now: datetime, soc: Floats, arriving_w: float) -> bool:
        plant, recipe = self._plant, self._recipes[rider]
        for station in self._stations[rider]:
            row = plant.in_slot[station]
            inside = row[row >= 0]
            if np.count_nonzero(soc[inside] >= self._model.hand_out_soc) < recipe.pack_count:
                continue
            packs = packs_now(plant, station, self._model, now, soc)
            chosen = choose_set(packs, recipe, Gates(now), last_soh=self._last_soh[rider])
            if chosen is None:
                continue
            number_of = {plant.serials[number]: int(number) for number in inside}
            wanted = [number_of[serial] for serial in chosen.serial_numbers]
            old = [int(number) for number in plant.in_vehicle[rider] if number >= 0]
            plant.swap(rider, station, wanted, arriving_w)
            self._last_soh[rider] = float(np.mean([pack.soh for pack in chosen.packs]))
            self._note(rider, station, now, [float(soc[number]) for number in old], [pack.soc for pack in chosen.packs])
            return True
        return False

    def _note(self, rider: int, station: int, now: datetime, back: list[float], out: list[float]) -> None:
        handed = self.handed
        handed.swaps += 1
        handed.packs += len(out)
        handed.soc_sum += sum(out)
        handed.elsewhere += station != self._stations[rider][0]
        handed.returned += [(now, soc) for soc in back]
        hour = now.replace(minute=0, second=0, microsecond=0)
        handed.by_hour[station][hour] = handed.by_hour[station].get(hour, 0) + len(out)


def packs_now(plant: OfflinePlant, station: int, model: PackModel, now: datetime, soc: Floats) -> tuple[PackNow, ...]:
    """Return the packs at a station as fresh readings tell of them, in the order of the slots."""
    return tuple(
        PackNow(
            serial_number=plant.serials[number],
            model=model,
            slot_no=slot + 1,
            condition="ok",
            held_by=None,
            soc=float(soc[number]),
            soh=float(plant.packs.soh[number]),
            temp_max_degc=float(plant.packs.temperature_degc[number]),
            # No pack of this world drifts as far apart as the gate: 4 to 25 mV at rest.
            cell_spread_mv=None,
            fault_count=0,
            charging=bool(plant.charging[number]),
            reading_at=now,
        )
        for slot, number in enumerate(plant.in_slot[station].tolist())
        if number >= 0
    )
