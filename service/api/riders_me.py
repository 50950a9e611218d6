"""Who the caller is."""

from fastapi import APIRouter

from service.api.deps import LIMIT_MOST, DoorDep, RiderOrOperator
from service.api.schemas import operation
from service.api.schemas_riders import MeAnswer, VehicleShown
from service.store import listings
from service.store.listings import FIRST_PAGE

router = APIRouter(tags=["riders"])


@router.get("/v1/me", summary="Who am I", **operation(MeAnswer))
async def show_me(door: DoorDep, caller: RiderOrOperator) -> MeAnswer:
    """Show who the token speaks for: the rider, his vehicles, his open debts."""
    async with door.connection() as connection:
        riders = await listings.riders(connection, rider_id=caller.subject, row_limit=1)
        vehicles = await listings.vehicles(connection, rider_id=caller.subject, row_limit=LIMIT_MOST)
        debts = await listings.debts(connection, rider_id=caller.subject, open_only=True, after=FIRST_PAGE, row_limit=LIMIT_MOST)
    return MeAnswer(
        subject=caller.subject,
        scopes=sorted(caller.scopes),
        name=riders[0]["name"] if riders else None,
        status=riders[0]["status"] if riders else None,
        vehicles=[VehicleShown(**row) for row in vehicles],
        open_debts=len(debts),
    )
