"""Every order becomes the wire command that a station understands."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from devices.wire.codec import Refusal, command_args, decode, encode
from devices.wire.commands import MOTION_COMMANDS
from devices.wire.commands import Command as WireCommand
from service.dispatch.translate import wire_command
from service.domain import command as domain

NOW = datetime(2026, 4, 6, tzinfo=UTC)
SCHEDULE = domain.SetSchedule(
    schedule_id="pln_1",
    start_at=NOW,
    rows=(
        domain.ScheduleRow(
            slot_no=3, serial_number="P-1", periods=(domain.SchedulePeriod(start_s=0, limit_dc_w=500.0, target_soc=0.29),)
        ),
    ),
    site=(domain.SitePeriod(start_s=0, limit_ac_w=9000.0),),
    fallback_limit_ac_w=3000.0,
    need_ready=(domain.NeedReady(pack_model_id="m", count=2, min_usable_wh=1000.0, by_at=NOW),),
    max_offline_s=3600.0,
)
ORDERS: list[tuple[Any, str, dict[str, Any]]] = [
    (
        domain.StartSwap(request_id=2**30, token="rsv_1", count=2, offer_serials=("P-1", "P-2"), in_slots=(4,)),
        "RequestBatterySwap",
        {
            "requestId": 2**30, "idToken": {"idToken": "rsv_1", "type": "Central"}, "count": 2,
            "offerSerials": ["P-1", "P-2"], "inSlots": [4],
        },
    ),
    (domain.RefuseSwap(request_id=1, reason_code="NoPack"), "RefuseSwap", {"requestId": 1, "reasonCode": "NoPack"}),
    (domain.CancelSwap(request_id=1), "CancelSwap", {"requestId": 1}),
    (domain.UnlockSlot(slot_no=7), "UnlockSlot", {"evseId": 7}),
    (domain.SetSlotAvailability(slot_no=7, operational=False), "ChangeAvailability", {"evseId": 7, "operational": False}),
    (domain.AskBirth(), "Resync", {}),
    (
        domain.AskReplay(ranges=(domain.MessageRange(epoch=1, boot=2, first=3, last=4),)),
        "Replay",
        {"ranges": [{"epoch": 1, "boot": 2, "first": 3, "last": 4}]},
    ),
    (
        SCHEDULE,
        "SetChargingProfile",
        {
            "scheduleId": "pln_1", "startAt": "2026-04-06T00:00:00.000Z",
            "rows": [{"evseId": 3, "serialNumber": "P-1", "periods": [{"startPeriod": 0, "limitDcW": 500.0, "targetSoC": 29.0}]}],
            "site": {"periods": [{"startPeriod": 0, "siteLimitAcW": 9000.0}]}, "fallbackLimitAcW": 3000.0,
            "needReady": [{"packModelId": "m", "count": 2, "minUsableWh": 1000.0, "byAt": "2026-04-06T00:00:00.000Z"}],
            "maxOfflineDurationS": 3600.0,
        },
    ),
]  # fmt: skip


def command(order: Any) -> domain.Command:
    return domain.Command(
        command_id="cmd_1", station_id="st-1", order=order, issued_at=NOW, valid_until=NOW + timedelta(seconds=60)
    )


@pytest.mark.parametrize(("order", "name", "args"), ORDERS, ids=[name for _, name, _ in ORDERS])
def test_an_order_becomes_its_wire_command(order: Any, name: str, args: dict[str, Any]) -> None:
    said = decode(WireCommand, encode(wire_command(command(order))))
    assert not isinstance(said, Refusal)
    assert (said.name, said.args) == (name, args)
    assert said.valid_until - said.issued_at == timedelta(seconds=60)
    assert not isinstance(command_args(said), Refusal), "a station must be able to read what we say"
    assert (order.kind in domain.MOTION) == (name in MOTION_COMMANDS)


def test_an_order_that_does_not_fit_the_wire_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="evse_id"):
        wire_command(command(domain.UnlockSlot(slot_no=0)))
