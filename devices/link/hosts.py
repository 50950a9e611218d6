"""Which ingest workers are online, and whether one of them owns our part of the topic tree."""

from devices.wire.events import HostState
from devices.wire.ids import part_of


class Hosts:
    """The hosts of one connection, as their retained states tell. Forgotten when the connection is lost."""

    def __init__(self, station_id: str) -> None:
        self._part = int(part_of(station_id), 16)
        self._states: dict[str, HostState] = {}

    def heard(self, host_id: str, state: HostState) -> None:
        """Take a host's state; one of an older session (a late will) is ignored."""
        known = self._states.get(host_id)
        if known is None or state.session >= known.session:
            self._states[host_id] = state

    def forgotten(self, host_id: str) -> None:
        """Take the removal of a host's retained state."""
        self._states.pop(host_id, None)

    def clear(self) -> None:
        """Know nothing again."""
        self._states.clear()

    @property
    def listening(self) -> bool:
        """Tell whether an online host owns our part."""
        return any(state.online and self._owns(state) for state in self._states.values())

    def _owns(self, state: HostState) -> bool:
        for parts in state.parts:
            first, _, last = parts.partition("-")
            if int(first, 16) <= self._part <= int(last or first, 16):
                return True
        return False
