"""What an agent or a gateway needs of its link, and what the link needs of them."""

import asyncio
from typing import Protocol

from devices.link.journal import StationJournal


class Listener(Protocol):
    """Who speaks over a link. None of these may raise: the link's callbacks call them."""

    def link_came_up(self) -> None:
        """The session stands and somebody listens: say a birth."""
        ...

    def link_went_down(self) -> None:
        """Nobody listens any more; go on alone."""
        ...

    def command_came(self, body: bytes) -> None:
        """A command came, whatever the bytes."""
        ...


class Link(Protocol):
    """Store and forward: what the journal is told is sent when somebody listens."""

    @property
    def journal(self) -> StationJournal:
        """Return where things are said."""
        ...

    @property
    def is_up(self) -> bool:
        """Tell whether the session stands and an online host owns our part."""
        ...

    async def run(self, listener: Listener, stop: asyncio.Event) -> None:
        """Keep the session up until `stop`."""
        ...
