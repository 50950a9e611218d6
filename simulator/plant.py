"""The whole world's truth at run time: every pack's state and place, every site's meter, stepped together.

Places change only through `put` and `take`, which write them to the world's file before they happen here.
Stations and riders are counted from 0, slots from 1.
"""

from dataclasses import fields, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from simulator.physics import connection as site_physics
from simulator.physics import pack as pack_physics
from simulator.physics.connection import SiteMeters
from simulator.physics.pack import MOBILE_POWER_PACK, PackArrays, PackReading
from simulator.store.world_store import Errand, Place, WorldStore
from simulator.world import World

_PACK_ARRAYS = tuple(field.name for field in fields(PackArrays) if field.name != "power_w")


class Plant:
    """Packs, slots, vehicles and meters of one world."""

    def __init__(self, world: World, store: WorldStore) -> None:
        self._store = store
        self._ambient_degc = world.scenario.weather.ambient_degc
        self.kind = MOBILE_POWER_PACK
        self.connection = world.scenario.station.connection
        packs = world.packs()
        self.serials = [pack.serial_number for pack in packs]
        self._number = {serial: number for number, serial in enumerate(self.serials)}
        self.packs = PackArrays.new(
            np.array([pack.soc for pack in packs], dtype=np.float64),
            np.array([pack.soh for pack in packs], dtype=np.float64),
            np.array([pack.spread_mv for pack in packs], dtype=np.float64),
            self._ambient_degc,
            self.kind,
        )
        stations, slots = len(world.stations), world.scenario.station.slots
        self.meters = SiteMeters.new(stations)
        self.in_slot: NDArray[np.int64] = np.full((stations, slots), -1, dtype=np.int64)
        """Number of the pack in each slot, -1 when empty; axes (stations, slots)."""
        self.slot_limit_w = np.zeros((stations, slots))
        """Ceiling of each slot's charger; axes (stations, slots)."""
        self.door_open: NDArray[np.bool_] = np.zeros((stations, slots), dtype=bool)
        """Doors that stand open; an open slot gives no power. Axes (stations, slots)."""
        self.foreign_labels: dict[int, str] = {}
        """Packs whose label is not their serial (a fault), by number."""
        self.pack_faults: dict[int, tuple[str, ...]] = {}
        """What broken electronics report, by pack number."""
        self.with_rider: list[list[int]] = [[] for _ in world.riders]
        """Numbers of the packs that each rider has, in his vehicle or in his hands."""
        self._draw_w = np.array([rider.draw_w for rider in world.riders], dtype=np.float64)
        self.riding = np.ones(len(world.riders), dtype=bool)
        """Whether each rider's vehicle takes power from its packs."""
        self.charged_wh = 0.0
        """Energy that went into packs since this process began [Wh DC]."""
        self.was_there = store.found(
            {"stations": stations, "seed": world.seed, "slots": slots, "packs": len(packs), "riders": len(world.riders)},
            _first_places(world),
        )
        self._load()

    def _load(self) -> None:
        for serial, place in self._store.places().items():
            number = self._number[serial]
            if place.rider is not None:
                self.with_rider[place.rider].append(number)
            elif place.station is not None and place.slot_no is not None:
                self.in_slot[place.station, place.slot_no - 1] = number
        saved = self._store.load_arrays()
        for name in _PACK_ARRAYS:
            if name in saved:
                setattr(self.packs, name, saved[name])
        self.meters.import_wh = saved.get("meter_import_wh", self.meters.import_wh)
        self.meters.over_limit_s = saved.get("meter_over_limit_s", self.meters.over_limit_s)

    def save(self, fleet_at: datetime) -> None:
        """Write the state that steps change."""
        arrays = {name: getattr(self.packs, name) for name in _PACK_ARRAYS}
        arrays["meter_import_wh"] = self.meters.import_wh
        arrays["meter_over_limit_s"] = self.meters.over_limit_s
        self._store.save_arrays(arrays, fleet_at.isoformat())

    def step(self, dt_s: float, riding_level: float = 1.0) -> None:
        """Advance everything by `dt_s` fleet seconds. A step of nothing, or back, does nothing.

        `riding_level` : how much is ridden now, 1 on the mean of a day.
        """
        if dt_s <= 0:
            return
        taken = self.in_slot >= 0
        limit_w = np.zeros(len(self.serials))
        limit_w[self.in_slot[taken]] = np.where(self.door_open, 0.0, self.slot_limit_w)[taken]
        draw_w = np.zeros(len(self.serials))
        for rider, numbers in enumerate(self.with_rider):
            if numbers and self.riding[rider]:
                draw_w[numbers] = self._draw_w[rider] * riding_level
        in_wh = pack_physics.step(self.packs, dt_s, limit_w, draw_w, self._ambient_degc, self.kind)
        charged_wh = np.zeros(self.in_slot.shape)
        charged_wh[taken] = in_wh[self.in_slot[taken]]
        self.charged_wh += float(charged_wh.sum())
        site_physics.step(self.meters, dt_s, charged_wh.sum(axis=1), self.connection)

    def rider_soc(self) -> NDArray[np.float64]:
        """Return the state of charge of each rider's weakest pack, 0 for one who has none; axis (riders,)."""
        soc = self.packs.soc(self.kind)
        return np.array([min(soc[numbers]) if numbers else 0.0 for numbers in self.with_rider])

    def label(self, number: int) -> str:
        """Return the serial number that a pack shows to whom it may concern."""
        return self.foreign_labels.get(number, self.serials[number])

    def read(self, number: int) -> PackReading:
        """Return what a pack's electronics tell."""
        return pack_physics.read(self.packs, number, self.kind)

    def put(self, rider: int, number: int, station: int, slot_no: int, errand: Errand | None = None) -> Errand | None:
        """Let a rider put one of his packs into an empty slot; return his errand with the pack counted.

        Raises
        ------
        ValueError
            The rider does not have the pack, or the slot is not empty.
        """
        if number not in self.with_rider[rider] or self.in_slot[station, slot_no - 1] >= 0:
            raise ValueError(f"rider {rider} cannot put pack {number} into slot {slot_no} of station {station}")
        counted = None if errand is None else replace(errand, packs_in=errand.packs_in + 1)
        self._store.move(self.serials[number], Place(station=station, slot_no=slot_no), counted)
        self.with_rider[rider].remove(number)
        self.in_slot[station, slot_no - 1] = number
        return counted

    def take(self, rider: int, station: int, slot_no: int, errand: Errand | None = None, *, back: bool = False) -> Errand | None:
        """Let a rider take the pack out of a slot; `back` when it is one that he has just put there.

        Raises
        ------
        ValueError
            The slot is empty.
        """
        number = int(self.in_slot[station, slot_no - 1])
        if number < 0:
            raise ValueError(f"slot {slot_no} of station {station} is empty")
        counted = errand
        if errand is not None:
            counted = replace(errand, packs_in=errand.packs_in - 1) if back else replace(errand, packs_out=errand.packs_out + 1)
        self._store.move(self.serials[number], Place(rider=rider), counted)
        self.in_slot[station, slot_no - 1] = -1
        self.with_rider[rider].append(number)
        return counted


def _first_places(world: World) -> list[tuple[str, Place]]:
    places = [
        (pack.serial_number, Place(station=number, slot_no=slot_no))
        for number, station in enumerate(world.stations)
        for slot_no, pack in station.packs
    ]
    places += [(pack.serial_number, Place(rider=number)) for number, rider in enumerate(world.riders) for pack in rider.packs]
    return places
