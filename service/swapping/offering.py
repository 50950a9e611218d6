"""Finding offers: which stations can hand out a complete set now, and take the old one in. Nothing is held here."""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from service.domain import carbon, tariff
from service.domain.desk import ChosenSet, Gates, choose_set, complete_sets, unfit_reason
from service.domain.offer import OfferTerms, rank
from service.domain.pack import PackNow
from service.domain.recipe import Recipe
from service.store import desk as rows
from service.store import swaps
from service.store.desk import StationRow, VehicleRow
from service.store.pool import Connection
from service.swapping.means import Means
from service.swapping.outcomes import OfferQuery, OffersFound, RefusalReason

# Guess: what swapping networks hand out when packs are scarce and the rider accepts it.
SCARCE_SOC = 0.5

# Guess: the chance that one ready set is gone before the rider has reserved it.
_LOSE_ONE_SET = 0.05

_EARTH_M = 6_371_000.0


async def find_offers(means: Means, connection: Connection, query: OfferQuery, *, but_not: str | None = None) -> OffersFound:
    """Return the offers for a vehicle, best first; none of station `but_not`."""
    vehicle = await rows.vehicle(connection, query.asset_id)
    reason = await refuse_vehicle(connection, vehicle, query.rider_id)
    if vehicle is None or reason is not None:
        return OffersFound((), reason)
    stations = await rows.stations_near(
        connection, latitude=query.latitude, longitude=query.longitude, station_id=query.station_id, but_not=but_not
    )
    if not stations:
        return OffersFound((), "station_unknown")
    now = means.now()
    reasons: list[RefusalReason] = []
    open_stations: list[StationRow] = []
    for station in stations:
        closed = refuse_station(means, station, now)
        if closed is None:
            open_stations.append(station)
        else:
            reasons.append(closed)
    ids = [station.station_id for station in open_stations]
    packs = await rows.packs_at(connection, ids, vehicle.pack_model_id)
    slots = await rows.free_slots(connection, ids, vehicle.pack_model_id)
    factor = await carbon_factor(means, connection, now)
    found: list[OfferTerms] = []
    for station in open_stations:
        if len(slots.get(station.station_id, [])) < slots_needed(station.swap_order, vehicle.pack_count):
            reasons.append("no_empty_slot")
            continue
        promise = _promise(means, packs.get(station.station_id, []), recipe_of(vehicle), query.least_usable_wh, now)
        if promise is None:
            reasons.append("no_ready_pack")
            continue
        found.append(_terms(means, query, vehicle, station, promise, factor, now))
    if not found:
        return OffersFound((), reasons[0])
    return OffersFound(rank(found)[: query.limit])


def recipe_of(vehicle: VehicleRow) -> Recipe:
    """Return a vehicle's recipe."""
    return Recipe(vehicle.pack_model_id, vehicle.pack_count, vehicle.wiring)


def slots_needed(swap_order: str, pack_count: int) -> int:
    """Return how many empty slots a swap needs: with Out-In the packs go in where the others came out."""
    return pack_count if swap_order == "In-Out" else 0


async def refuse_vehicle(connection: Connection, vehicle: VehicleRow | None, rider_id: str) -> RefusalReason | None:
    """Return why this rider gets nothing for this vehicle, or None. Somebody else's vehicle is as good as unknown."""
    if vehicle is None or vehicle.rider_id != rider_id:
        return "vehicle_unknown"
    if vehicle.rider_status != "active":
        return "rider_blocked"
    debtors = await swaps.debts_of_vehicle(connection, vehicle.asset_id)
    if "rider" in debtors:
        return "unpaid"
    return "packs_owed" if debtors else None


def refuse_station(means: Means, station: StationRow, now: datetime) -> RefusalReason | None:
    """Return why nothing is promised at a station, or None."""
    if station.lifecycle != "in_service":
        return "station_out_of_service"
    silence = timedelta(seconds=means.rules.station_silence_s)
    if not station.connected or station.heard_at is None or now - station.heard_at > silence:
        return "station_offline"
    return None


def choose_for(
    means: Means,
    packs: Sequence[PackNow],
    recipe: Recipe,
    promised_wh: float,
    holder: str | None,
    last_soh: float | None,
    now: datetime,
) -> ChosenSet | None:
    """Choose a set that keeps a promise; from packs below the usual charge only when the energy is there all the same."""
    gates = Gates(now, for_holder=holder, idle_interval_s=means.rules.idle_interval_s)
    chosen = choose_set(packs, recipe, gates, at_least_wh=promised_wh, last_soh=last_soh)
    if chosen is None:
        scarce = replace(gates, least_soc=SCARCE_SOC)
        chosen = choose_set(packs, recipe, scarce, at_least_wh=promised_wh, last_soh=last_soh)
    return chosen


async def carbon_factor(means: Means, connection: Connection, now: datetime) -> carbon.CarbonFactor:
    """Return the area's emission factor as known now, else the default one."""
    known = await rows.emission(connection, means.rules.area, now) if means.rules.area else None
    return carbon.DEFAULT if known is None else carbon.CarbonFactor(*known)


def _promise(
    means: Means, packs: Sequence[PackNow], recipe: Recipe, least_wh: float | None, now: datetime
) -> tuple[float, int] | None:
    """Return (energy promised [Wh], complete sets ready), or None. What the weakest ready pack gives is promised to everyone."""
    gates = Gates(now, idle_interval_s=means.rules.idle_interval_s)
    for attempt in (gates, replace(gates, least_soc=SCARCE_SOC)):
        if attempt.least_soc is not None and least_wh is None:
            return None
        each = replace(attempt, least_usable_wh=(least_wh or 0.0) / recipe.pack_count)
        ready = [pack for pack in packs if unfit_reason(pack, each) is None]
        sets = complete_sets(ready, recipe, each, at_least_wh=least_wh or 0.0)
        if sets:
            return max(recipe.pack_count * min(pack.usable_wh for pack in ready), least_wh or 0.0), len(sets)
    return None


def _terms(
    means: Means,
    query: OfferQuery,
    vehicle: VehicleRow,
    station: StationRow,
    promise: tuple[float, int],
    factor: carbon.CarbonFactor,
    now: datetime,
) -> OfferTerms:
    usable_wh, sets = float(math.floor(promise[0])), promise[1]
    arrive_from = max(query.arrive_from or now, now)
    return OfferTerms(
        rider_id=query.rider_id,
        asset_id=query.asset_id,
        station_id=station.station_id,
        station_name=station.name,
        latitude=station.latitude,
        longitude=station.longitude,
        distance_m=_distance_m(query, station),
        pack_model_id=vehicle.pack_model_id,
        pack_count=vehicle.pack_count,
        usable_wh=usable_wh,
        probability=round(1 - _LOSE_ONE_SET**sets, 4),
        wait_s=0.0,
        price_micro=tariff.price_micro(tariff.STANDARD, usable_wh),
        currency=tariff.STANDARD.currency,
        co2e_g=round(carbon.emissions_g(usable_wh, factor), 1),
        carbon_source=factor.source,
        why=f"Ready now: {sets} complete {'set' if sets == 1 else 'sets'} with at least {usable_wh:.0f} Wh.",
        arrive_from=arrive_from,
        valid_until=now + timedelta(seconds=means.rules.offer_s),
        hold_until=arrive_from + timedelta(seconds=means.rules.reservation_s),
    )


def _distance_m(query: OfferQuery, station: StationRow) -> float | None:
    if query.latitude is None or query.longitude is None:
        return None
    a, b = math.radians(query.latitude), math.radians(station.latitude)
    half = math.sin((b - a) / 2) ** 2
    half += math.cos(a) * math.cos(b) * math.sin(math.radians(station.longitude - query.longitude) / 2) ** 2
    return round(2 * _EARTH_M * math.asin(min(1.0, math.sqrt(half))), 1)
