"""The real station agents of all simulated stations, in one asyncio process, with one journal on disk."""

import asyncio
import contextlib
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from devices.agent.agent import StationAgent
from devices.agent.settings import AgentSettings
from devices.hardware.ports import StationClock
from devices.link.address import LinkAddress
from devices.link.outbox import Outbox
from devices.link.session import LinkSettings, MqttLink
from simulator.cabinet import FIRMWARE, SimulatedCabinet
from simulator.faults import Faults
from simulator.plant import Plant
from simulator.store.world_store import WorldStore
from simulator.tally import Tell
from simulator.world import World

OUTBOX_FILE = "outbox.sqlite"
CONNECTS_PER_S = 100.0
"""Guess: how many stations connect per wall second when all start at once; an embedded broker takes it calmly."""


@dataclass(frozen=True, slots=True)
class Login:
    """A station's name and secret at the broker."""

    user: str
    password: str


class Fleet:
    """Agents and links of a world. Start them with `start`, end them with `stop`."""

    def __init__(
        self,
        world: World,
        plant: Plant,
        store: WorldStore,
        data_dir: Path,
        clock: StationClock,
        broker: tuple[str, int],
        logins: Mapping[str, Login],
        faults: Faults,
    ) -> None:
        path = data_dir / OUTBOX_FILE
        epoch = _epoch(store, fresh_journal=not path.exists())
        self.outbox = Outbox(path, durable=False)
        self._stop = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._online: set[str] = set()
        self.agents: list[StationAgent] = []
        link_settings = LinkSettings(connect_jitter_s=len(world.stations) / CONNECTS_PER_S, firmware=FIRMWARE)
        for number, station in enumerate(world.stations):
            chance = random.Random(f"{world.seed}/agent/{number}")
            login = logins[station.station_id]
            cabinet = SimulatedCabinet(plant, number, station.station_id, world.scenario, faults, clock.monotonic)
            address = LinkAddress(*broker, user=login.user, password=login.password)
            link = MqttLink(address, station.station_id, epoch, self.outbox, clock, link_settings, chance)
            self.agents.append(StationAgent(station.station_id, epoch, cabinet, link, clock, AgentSettings(), chance))

    def start(self) -> None:
        """Begin to run every agent."""
        self._tasks = [asyncio.create_task(agent.run(self._stop), name=f"agent {agent.station_id}") for agent in self.agents]

    def look(self, tell: Tell) -> int:
        """Tell of stations that came online for the first time; return how many are online now.

        Raises
        ------
        BaseException
            What ended an agent: an agent never ends by itself.
        """
        for task in self._tasks:
            if task.done() and not self._stop.is_set():
                task.result()
                raise RuntimeError(f"{task.get_name()} has ended by itself")
        up = [agent.station_id for agent in self.agents if agent.online]
        for station_id in up:
            if station_id not in self._online:
                self._online.add(station_id)
                tell({"event": "station_online", "station_id": station_id})
        return len(up)

    async def drain(self, wall_s: float, hurry: asyncio.Event) -> None:
        """Let the stations fall quiet and wait until the service has stored everything, `wall_s` at most, or until `hurry`."""
        for agent in self.agents:
            agent.quiet = True
        loop = asyncio.get_running_loop()
        until_s = loop.time() + wall_s
        # Each agent looks at its slots twice more: what the last rider did must be said before the journal is counted.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(hurry.wait(), 2.2 * AgentSettings().tick_wall_s)
        while self.outbox.pending_count() and loop.time() < until_s and not hurry.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(hurry.wait(), 0.1)

    async def stop(self, wall_s: float) -> None:
        """End the agents politely, then firmly. The journal keeps what is not stored yet."""
        self._stop.set()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=wall_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def journal(self) -> dict[str, object]:
        """Return what the stations have said: the sum, and the last seq of each boot."""
        totals = self.outbox.journal_totals()
        by_boot = [
            [station_id, epoch, boot, last_seq]
            for station_id, boots in sorted(totals.items())
            for (epoch, boot), last_seq in sorted(boots.items())
        ]
        return {"messages_sent": sum(last_seq for boots in totals.values() for last_seq in boots.values()), "by_boot": by_boot}


def _epoch(store: WorldStore, *, fresh_journal: bool) -> int:
    """Return the stations' epoch: one more each time their journal was lost, as when a controller is replaced."""
    epoch = int(store.fact("epoch") or 0)
    if fresh_journal or epoch == 0:
        epoch += 1
        store.remember("epoch", str(epoch))
    return epoch
