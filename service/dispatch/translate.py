"""Our orders into wire commands. Pure."""

from typing import assert_never

from devices.wire import commands as wire
from devices.wire.envelope import ClosedModel
from devices.wire.events import IdToken, SeqRange
from service.domain.command import (
    AskBirth,
    AskReplay,
    CancelSwap,
    Command,
    Order,
    RefuseSwap,
    SetSchedule,
    SetSlotAvailability,
    StartSwap,
    UnlockSlot,
)


def wire_command(command: Command) -> wire.Command:
    """Return what goes over the wire for a command.

    Raises
    ------
    ValueError
        (pydantic's ValidationError is one) When the order does not fit the wire: too many rows, an impossible slot.
    """
    args = wire_args(command.order)
    return wire.Command(
        command_id=command.command_id,
        name=type(args).__name__,
        issued_at=command.issued_at,
        valid_until=command.valid_until,
        args=args.model_dump(mode="json", by_alias=True, exclude_none=True),
    )


def wire_args(order: Order) -> ClosedModel:
    """Return the arguments of an order; their type names the command."""
    match order:
        case StartSwap():
            return wire.RequestBatterySwap(
                request_id=order.request_id,
                id_token=IdToken(id_token=order.token, type=order.token_type),
                count=order.count,
                offer_serials=list(order.offer_serials),
                in_slots=list(order.in_slots),
            )
        case RefuseSwap():
            return wire.RefuseSwap(request_id=order.request_id, reason_code=order.reason_code, message=order.message)
        case CancelSwap():
            return wire.CancelSwap(request_id=order.request_id)
        case SetSchedule():
            return _schedule(order)
        case UnlockSlot():
            return wire.UnlockSlot(evse_id=order.slot_no)
        case SetSlotAvailability():
            return wire.ChangeAvailability(evse_id=order.slot_no, operational=order.operational)
        case AskBirth():
            return wire.Resync()
        case AskReplay():
            return wire.Replay(
                ranges=[SeqRange(epoch=span.epoch, boot=span.boot, first=span.first, last=span.last) for span in order.ranges]
            )
        case _:
            assert_never(order)


def _schedule(order: SetSchedule) -> wire.SetChargingProfile:
    return wire.SetChargingProfile(
        schedule_id=order.schedule_id,
        start_at=order.start_at,
        rows=[
            wire.ScheduleRow(
                evse_id=row.slot_no,
                serial_number=row.serial_number,
                periods=[
                    wire.SchedulePeriod(
                        start_period=period.start_s,
                        limit_dc_w=period.limit_dc_w,
                        # A fraction times 100 may come out a hair above it.
                        targetSoC=min(round(period.target_soc * 100, 6), 100.0),
                    )
                    for period in row.periods
                ],
            )
            for row in order.rows
        ],
        site=wire.SiteSchedule(
            periods=[wire.SitePeriod(start_period=period.start_s, site_limit_ac_w=period.limit_ac_w) for period in order.site]
        ),
        fallback_limit_ac_w=order.fallback_limit_ac_w,
        need_ready=[
            wire.NeedReady(pack_model_id=need.pack_model_id, count=need.count, min_usable_wh=need.min_usable_wh, by_at=need.by_at)
            for need in order.need_ready
        ],
        max_offline_duration_s=order.max_offline_s,
    )
