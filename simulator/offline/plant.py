"""The simplest plant: the same physics as online, kept in memory. Packs are in slots or in vehicles; a swap takes no time.

What a charger may give is set by a policy (`slot_limit_w`); what the connection cannot give is taken from all chargers of the
station alike. Stations and riders are counted from 0, slots here too.
"""

import numpy as np
from numpy.typing import NDArray

from simulator.physics import connection as site_physics
from simulator.physics import pack as pack_physics
from simulator.physics.connection import SiteMeters
from simulator.physics.pack import MOBILE_POWER_PACK, PackArrays
from simulator.world import World

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

MOST_PACKS = 2
"""Packs that a vehicle of this world takes at most."""


class OfflinePlant:
    """Packs, slots, vehicles and meters of one world."""

    def __init__(self, world: World) -> None:
        self.kind = MOBILE_POWER_PACK
        self.connection = world.scenario.station.connection
        self._ambient_degc = world.scenario.weather.ambient_degc
        packs = world.packs()
        self.serials = [pack.serial_number for pack in packs]
        number = {serial: at for at, serial in enumerate(self.serials)}
        self.packs = PackArrays.new(
            np.array([pack.soc for pack in packs]),
            np.array([pack.soh for pack in packs]),
            np.array([pack.spread_mv for pack in packs]),
            self._ambient_degc,
            self.kind,
        )
        stations, slots = len(world.stations), world.scenario.station.slots
        self.meters = SiteMeters.new(stations)
        self.in_slot: Numbers = np.full((stations, slots), -1, dtype=np.int64)
        """Number of the pack in each slot, -1 when empty; axes (stations, slots)."""
        self.slot_limit_w = np.zeros((stations, slots))
        self.in_vehicle: Numbers = np.full((len(world.riders), MOST_PACKS), -1, dtype=np.int64)
        """Numbers of the packs of each rider, -1 where his vehicle has no second; axes (riders, MOST_PACKS)."""
        self.charging = np.zeros(len(packs), dtype=bool)
        """Which packs took energy in the last step."""
        for station, at_start in enumerate(world.stations):
            for slot_no, pack in at_start.packs:
                self.in_slot[station, slot_no - 1] = number[pack.serial_number]
        for rider, owner in enumerate(world.riders):
            for place, pack in enumerate(owner.packs):
                self.in_vehicle[rider, place] = number[pack.serial_number]
        self._draw_w = np.array([rider.draw_w for rider in world.riders])

    def soc(self) -> Floats:
        """Return the state of charge of each pack."""
        return self.packs.soc(self.kind)

    def stored_wh(self) -> tuple[float, float]:
        """Return the energy stored in the packs at stations and in those in vehicles [Wh]."""
        at_stations = self.packs.stored_wh[self.in_slot[self.in_slot >= 0]].sum()
        return float(at_stations), float(self.packs.stored_wh.sum() - at_stations)

    def step(self, dt_s: float, riding_level: float) -> tuple[float, float]:
        """Advance everything by `dt_s`; return what the fleet's chargers took from the mains and what riders wanted to ride [Wh].

        `riding_level` : how much is ridden now, 1 on the mean of a day, 0: everybody stands still.
        """
        hours = dt_s / 3600.0
        taken = self.in_slot >= 0
        inside = self.in_slot[taken]
        soc = self.soc()
        wanted_w = np.zeros(self.in_slot.shape)
        wanted_w[taken] = np.minimum(self.slot_limit_w[taken], pack_physics.charge_power_w(soc[inside], self.kind))
        room_w = (self.connection.max_import_ac_w - self.connection.base_load_ac_w) * self.connection.charger_efficiency
        asked_w = wanted_w.sum(axis=1)
        share = np.divide(room_w, asked_w, out=np.ones_like(asked_w), where=asked_w > room_w)
        limit_w = np.zeros(len(self.serials))
        limit_w[inside] = (wanted_w * share[:, None])[taken]
        draw_w = np.zeros(len(self.serials))
        rides = self.in_vehicle >= 0
        draw_w[self.in_vehicle[rides]] = np.broadcast_to(self._draw_w[:, None], rides.shape)[rides] * riding_level
        in_wh = pack_physics.step(self.packs, dt_s, limit_w, draw_w, self._ambient_degc, self.kind)
        charged_wh = np.zeros(self.in_slot.shape)
        charged_wh[taken] = in_wh[inside]
        self.charging = in_wh > 0
        site_physics.step(self.meters, dt_s, charged_wh.sum(axis=1), self.connection)
        return float(in_wh.sum()) / self.connection.charger_efficiency, float(draw_w.sum()) * hours

    def weakest_soc(self, soc: Floats) -> Floats:
        """Return the state of charge of each rider's weakest pack; axis (riders,)."""
        each: Floats = np.where(self.in_vehicle >= 0, soc[self.in_vehicle], np.inf)
        return np.asarray(each.min(axis=1, initial=np.inf), dtype=np.float64)

    def swap(self, rider: int, station: int, wanted: list[int], arriving_w: float) -> None:
        """Let a rider put his packs into empty slots and take those with the numbers `wanted`.

        `arriving_w` : what the charger gives a pack that has just come in, until a policy says more.

        Raises
        ------
        ValueError
            Too few slots are empty, or a pack is not there.
        """
        row = self.in_slot[station]
        old = [int(number) for number in self.in_vehicle[rider] if number >= 0]
        empty = np.flatnonzero(row < 0)[: len(old)]
        places = [int(np.flatnonzero(row == number)[0]) for number in wanted if number in row]
        if len(empty) < len(old) or len(places) != len(old):
            raise ValueError(f"rider {rider} cannot swap {len(old)} packs at station {station}")
        row[empty] = old
        self.slot_limit_w[station, empty] = arriving_w
        row[places] = -1
        self.in_vehicle[rider, : len(wanted)] = wanted
