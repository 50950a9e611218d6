"""What each kind of station event does to the desk. Called in the order of the station's key, by whoever holds the station."""

from typing import assert_never

from service.domain.observation import (
    CommandAnswered,
    LaneChanged,
    PacksMoved,
    ReceivedEvent,
    SlotChanged,
    StationBorn,
    StationNotice,
    SwapAsked,
)
from service.domain.swap import Answered, NotTaken
from service.store import desk as rows
from service.store import outbox, station_queue, swaps
from service.store.pool import Connection
from service.swapping import moving, progress, reserving
from service.swapping.asking import handle_asked
from service.swapping.births import handle_birth
from service.swapping.means import Means


async def handle(means: Means, connection: Connection, received: ReceivedEvent) -> None:
    """Handle one event; handling it twice has the effect of once."""
    event = received.event
    match event:
        case StationBorn():
            await handle_birth(means, connection, received, event)
        case PacksMoved():
            await _packs_moved(means, connection, received, event)
        case CommandAnswered():
            await _answered(means, connection, received, event)
        case SwapAsked():
            await handle_asked(means, connection, received, event)
        case SlotChanged():
            # A slot's word is about the slot: it never moves a pack.
            await rows.say_slot(connection, received.station_id, event.slot_no, event.status, received.key)
        case StationNotice():
            await _notice(means, connection, received, event)
        case LaneChanged():
            pass
        case _:
            assert_never(event)


async def _packs_moved(means: Means, connection: Connection, received: ReceivedEvent, event: PacksMoved) -> None:
    row = await swaps.swap_by_request(connection, received.station_id, event.request_id)
    if row is None:
        await swaps.write_anomaly(
            connection,
            "unauthorised_swap_event",
            means.now(),
            station_id=received.station_id,
            serial_number=event.packs[0].serial_number if event.packs else None,
            detail={"what": event.what, "request_id": event.request_id, "token": event.token, "key": list(received.key)},
        )
    elif event.token != row.token:
        # The request id is what counts (it is unique at the station); a strange token is worth a look.
        detail = {"token": event.token, "expected": row.token}
        await swaps.write_anomaly(
            connection, "swap_token_differs", means.now(), station_id=received.station_id, swap_id=row.swap_id, detail=detail
        )
    if event.what == "out_timeout":
        if row is not None:
            await progress.apply(means, connection, row, NotTaken())
        return
    await moving.move(means, connection, received.station_id, row, event.what, event.packs, received.key)


async def _answered(means: Means, connection: Connection, received: ReceivedEvent, event: CommandAnswered) -> None:
    recorded = await outbox.record_answer(
        connection, event.command_id, event.answer, event.reason_code, received.received_at, station_id=received.station_id
    )
    await station_queue.signal_answers(connection)
    if recorded is None:
        await swaps.write_anomaly(
            connection,
            "unknown_command_answered",
            means.now(),
            station_id=received.station_id,
            detail={"command_id": event.command_id, "answer": event.answer},
        )
        return
    if recorded.swap_id is None or recorded.name != "start_swap":
        return
    row = await swaps.swap_by_id(connection, recorded.swap_id)
    if row is not None:
        await progress.apply(means, connection, row, Answered(event.answer, event.reason_code))


async def _notice(means: Means, connection: Connection, received: ReceivedEvent, event: StationNotice) -> None:
    if event.severity == "info" or event.topic == "journal" or event.phase == "cleared":
        return
    danger = event.topic == "safety" and event.severity == "critical"
    now = means.now()
    await swaps.write_anomaly(
        connection,
        "safety" if danger else event.topic,
        now,
        station_id=received.station_id,
        serial_number=event.serial_numbers[0] if event.serial_numbers else None,
        detail={
            "code": event.code,
            "severity": event.severity,
            "zone": event.zone,
            "slots": list(event.slot_numbers),
            "detail": event.detail,
        },
    )
    if not danger:
        return
    # Latched: nothing a station says ends an emergency, a person on site does.
    await rows.set_lifecycle(connection, received.station_id, "emergency")
    await swaps.write_event(
        connection, "emergency", now, station_id=received.station_id, body={"code": event.code, "zone": event.zone}
    )
    for reservation in await swaps.live_reservations_at(connection, received.station_id):
        await reserving.end(means, connection, reservation, "cancelled")
