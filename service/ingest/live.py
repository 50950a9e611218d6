"""The newest state of a station, merged message by message. Pure, and independent of the order of arrival.

Per slot the highest (epoch, boot, seq) counts, and nothing older than the newest birth says anything about any slot:
a birth tells of every slot there is. `connected` follows the highest (epoch, boot, session); of one session its end counts.
"""

from datetime import datetime

from devices.wire.events import Birth
from service.ingest.admit import Admitted, ConnectionSaid
from service.ingest.translate import live_slots
from service.store.messages import LiveRow


def heard(row: LiveRow, at: datetime) -> None:
    """Note that the station was heard of at fleet instant `at`."""
    if row.heard_at is None or row.heard_at < at:
        row.heard_at = at


def say_slots(row: LiveRow, said: Admitted) -> None:
    """Merge what a message tells about slots."""
    key = said.key
    if key < row.birth_key:
        return
    if isinstance(said.message, Birth):
        row.birth_key = key
        row.birth_at = said.received_at
        row.slots = {number: slot for number, slot in row.slots.items() if slot.key > key}
    for slot in live_slots(said.message, key, said.received_at):
        known = row.slots.get(slot.slot_no)
        if known is None or known.key <= slot.key:
            row.slots[slot.slot_no] = slot


def say_connection(row: LiveRow, said: ConnectionSaid) -> None:
    """Merge a connection message: a late will of an older session changes nothing."""
    message = said.message
    session = (message.epoch, message.boot, message.session)
    if session < row.session:
        return
    # A session that has ended does not come back: the station counts up at each connect. So of one session "offline" wins.
    known = session == row.session and row.connection_at is not None
    if known and (message.online == row.connected or not row.connected):
        return
    row.session = session
    row.connected = message.online
    row.connection_at = said.received_at
    row.clock_source = message.clock.source
    row.clock_offset_ms = message.clock.offset_ms
