"""A made-up fleet of any size, for examples, measurements and tests. Nothing in it was measured anywhere."""

from datetime import UTC, datetime, timedelta

import numpy as np

from service.domain.fleet import Claim, FleetNow, SlotNow, StationNow
from service.domain.pack import PackModel, PackNow
from service.domain.plan import StepGrid
from service.planning.build import Outlook

NOW = datetime(2026, 4, 6, 3, 7, 30, tzinfo=UTC)
MODEL = PackModel("example-1300", nominal_wh=1300.0, nominal_v=50.0, max_charge_w=500.0)
"""Guess: a scooter pack of the usual size."""


def example_fleet(stations: int, seed: int, *, slots: int = 12, now: datetime = NOW) -> FleetNow:
    """Return a fleet whose packs are charged as chance (`seed`) wants; a tenth of the slots are empty."""
    random = np.random.default_rng(seed)
    return FleetNow(
        at=now,
        stations=tuple(_station(number, random, slots, now) for number in range(stations)),
        models={MODEL.pack_model_id: MODEL},
    )


def _station(number: int, random: np.random.Generator, slots: int, now: datetime) -> StationNow:
    filled = [slot_no for slot_no in range(1, slots + 1) if random.random() < 0.9]
    packs = tuple(
        PackNow(
            serial_number=f"EX-{number:04d}-{slot_no:02d}",
            model=MODEL,
            slot_no=slot_no,
            condition="ok",
            held_by=None,
            soc=float(random.choice([1.0, random.uniform(0.1, 1.0)])),
            soh=float(random.uniform(0.8, 1.0)),
            temp_max_degc=25.0,
            cell_spread_mv=10,
            fault_count=0,
            charging=False,
            reading_at=now,
        )
        for slot_no in filled
    )
    arrive = now + timedelta(minutes=float(random.uniform(0, 600)))
    claim = Claim(f"rsv-{number}", MODEL.pack_model_id, 1, arrive, arrive + timedelta(hours=1))
    return StationNow(
        station_id=f"example-{number:04d}",
        name=f"Example {number}",
        connected=True,
        heard_at=now,
        first_birth_at=now,
        max_import_ac_w=float(random.uniform(0.3, 0.9) * slots * MODEL.max_charge_w),
        charger_efficiency=float(random.uniform(0.88, 0.96)),
        slots=tuple(
            SlotNow(slot_no, "occupied" if slot_no in filled else "empty", 500.0, quarantined=False)
            for slot_no in range(1, slots + 1)
        ),
        packs=packs,
        claims=(claim,) if random.random() < 0.5 else (),
    )


def example_outlook(fleet: FleetNow, grid: StepGrid, seed: int) -> Outlook:
    """Return demand of about one pack per pack and day, a price with a dip at noon in Japan, and sun."""
    random = np.random.default_rng(seed)
    hour = np.array([((grid.step_at(step).hour + 9) % 24) + grid.step_at(step).minute / 60 for step in range(grid.step_count)])
    weight = 0.2 + np.exp(-(((hour - 8) / 1.6) ** 2)) + 1.2 * np.exp(-(((hour - 18) / 2.2) ** 2))
    daily = np.array([len(station.packs) for station in fleet.stations]) * random.uniform(0.5, 1.5, len(fleet.stations))
    mean = daily[:, None] * weight / weight.sum()
    mean[:, 0] *= grid.first_share
    sun = np.clip(np.sin(np.pi * (hour - 6) / 12), 0.0, None)
    price = 12 + 6 * np.exp(-(((hour - 18.5) / 2) ** 2)) - 8 * sun
    return Outlook(
        handed_out=mean,
        lead_deviation=np.sqrt(mean * 12.0),
        price_jpy_per_kwh=price,
        renewable_w=1e6 * sun,
        price_source="example",
    )
