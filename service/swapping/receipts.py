"""Receipts: what a completed swap gave, cost and emitted."""

from service.domain import carbon, tariff
from service.store import swaps
from service.store.pool import Connection
from service.swapping.means import Means
from service.swapping.offering import carbon_factor
from service.swapping.outcomes import Receipt, ReceiptPack


async def receipt(means: Means, connection: Connection, swap_id: str) -> Receipt | None:
    """Return the receipt of a completed swap. The price is the one agreed; the energy is what went out less what came in."""
    row = await swaps.swap_by_id(connection, swap_id)
    if row is None or row.status not in {"completed", "settled"} or row.ended_at is None:
        return None
    packs = tuple(
        ReceiptPack(pack.direction, pack.serial_number, pack.slot_no, pack.soc, round(pack.usable_wh or 0.0, 1), pack.moved_at)
        for pack in await swaps.swap_packs(connection, swap_id)
    )
    energy_wh = sum(pack.usable_wh * (1 if pack.direction == "out" else -1) for pack in packs)
    factor = await carbon_factor(means, connection, row.ended_at)
    return Receipt(
        swap_id=swap_id,
        rider_id=row.rider_id,
        asset_id=row.asset_id,
        station_id=row.station_id,
        completed_at=row.ended_at,
        energy_wh=round(energy_wh, 1),
        price_micro=row.price_micro,
        currency=row.currency,
        tariff=tariff.STANDARD.name,
        co2e_g=round(carbon.emissions_g(energy_wh, factor), 1),
        carbon_g_per_kwh=factor.g_per_kwh,
        carbon_source=factor.source,
        packs=packs,
    )
