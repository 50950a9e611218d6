"""Topic names of contract v1, built and parsed in one place."""

from dataclasses import dataclass

from devices.wire.envelope import WireModel
from devices.wire.events import Ack, Authorize, Birth, Committed, Connection, Event, HostState, Lane, SlotNotice, Swap
from devices.wire.ids import is_station_id, part_of
from devices.wire.telemetry import Meter, Telemetry

ROOT = "denchi/v1"

UP: dict[str, type[WireModel]] = {
    "connection": Connection,
    "birth": Birth,
    "telemetry": Telemetry,
    "history": Telemetry,
    "slot": SlotNotice,
    "lane": Lane,
    "authorize": Authorize,
    "swap": Swap,
    "meter": Meter,
    "event": Event,
    "ack": Ack,
}
"""What a station says: topic leaf -> body."""

DOWN_COMMAND = "command"
DOWN_COMMITTED = "committed"
HOST_STATE: type[WireModel] = HostState
COMMITTED: type[WireModel] = Committed


@dataclass(frozen=True, slots=True)
class UpTopic:
    """A parsed station topic: who says what. `part` is checked against the station id."""

    station_id: str
    leaf: str


def up(station_id: str, leaf: str) -> str:
    """Return the topic on which a station says `leaf`."""
    return f"{ROOT}/{part_of(station_id)}/station/{station_id}/up/{leaf}"


def down(station_id: str, leaf: str) -> str:
    """Return the topic on which the service speaks to a station (``command`` or ``committed``)."""
    return f"{ROOT}/{part_of(station_id)}/station/{station_id}/down/{leaf}"


def host_state(host_id: str) -> str:
    """Return the retained topic of one ingest worker; ``+`` subscribes to all."""
    return f"{ROOT}/host/{host_id}/state"


def part_filter(part: int) -> str:
    """Return the subscription of an ingest worker to everything the stations of one part say."""
    return f"{ROOT}/{part:02x}/station/+/up/+"


def parse_up(topic: str) -> UpTopic | None:
    """Return who says what, or None when the topic is not a lawful station topic of this contract."""
    pieces = topic.split("/")
    if len(pieces) != 7 or pieces[0] != "denchi" or pieces[1] != "v1" or pieces[3] != "station" or pieces[5] != "up":
        return None
    part, station_id, leaf = pieces[2], pieces[4], pieces[6]
    if leaf not in UP or not is_station_id(station_id) or part_of(station_id) != part:
        return None
    return UpTopic(station_id, leaf)
