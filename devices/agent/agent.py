"""The agent of one station: one calm loop that reads, protects, charges and reports; commands and swaps come between.

Everything it needs is handed in: cabinet, link, clock, settings, randomness. Hundreds run in one process.
"""

import asyncio
import contextlib
import random
from datetime import datetime
from typing import Literal

import structlog

from devices.agent.ledger import Ledger
from devices.agent.obey import Authorized, Obedience
from devices.agent.safety import alarms, charge_ceiling_w
from devices.agent.schedule import Charge, charge_limits
from devices.agent.settings import AgentSettings
from devices.agent.station import Station
from devices.agent.swap import SwapState
from devices.hardware.ports import Cabinet, SafetySignal, StationClock
from devices.link.outbox import JournalError
from devices.link.port import Link
from devices.wire.events import IdToken, SlotStatus

log = structlog.get_logger(__name__)

_CARD = "ISO14443"
"""OCPP's word for a contactless card."""

_LIMIT_STEP_W = 1.0
"""A charger is told a new limit when it differs by this much."""


class StationAgent:
    """Speak for one station.

    Parameters
    ----------
    epoch : issued when the station was commissioned; must be the link's.
    random : this agent's own source, used to spread the ticks of many agents.
    """

    def __init__(
        self,
        station_id: str,
        epoch: int,
        cabinet: Cabinet,
        link: Link,
        clock: StationClock,
        settings: AgentSettings,
        random: random.Random,
    ) -> None:
        if (link.journal.station_id, link.journal.epoch) != (station_id, epoch):
            raise ValueError(f"the link is of {link.journal.station_id} epoch {link.journal.epoch}, not {station_id} {epoch}")
        self.station_id = station_id
        self.quiet = False
        """True: say no telemetry and no meter any more (a process that wants to end drains so)."""
        self.station = Station(cabinet, link.journal, clock, settings)
        self.ledger = Ledger(link.journal, clock)
        self._link, self._clock, self._settings, self._random = link, clock, settings, random
        self._obedience = Obedience(self.station, self.ledger, self._pause)
        self._seen: dict[int, tuple[SlotStatus, str | None, str | None]] = {}
        self._settled_last_boot = False
        self._signals: set[SafetySignal] = set()
        self._limits: dict[int, float] = {}
        self._meter_period: int | None = None
        self._last_heard_s = clock.monotonic()

    @property
    def online(self) -> bool:
        """Tell whether the session stands and an online host owns our part."""
        return self._link.is_up

    @property
    def swap_state(self) -> SwapState | None:
        """Return where the running swap stands, None when there is none."""
        return self._obedience.swap

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop`: the loop and the link. What is not committed then stays in the journal."""
        self._start()
        link = asyncio.create_task(self._link.run(self, stop))
        try:
            # Ticks of agents that start together are spread over one tick.
            await asyncio.sleep(self._random.uniform(0.0, self._settings.tick_wall_s))
            while not stop.is_set() and not link.done():
                try:
                    self.tick()
                except JournalError:
                    # The journal has logged it; the station goes on protecting and charging, and says it later.
                    self._limit_charging()
                except OSError as error:
                    log.error("hardware", action="tried again at the next tick", station=self.station_id, error=str(error))
                await asyncio.sleep(self._settings.tick_wall_s)
        finally:
            await self._obedience.end()
            if not stop.is_set():
                link.cancel()
            # Cancelled by us just now: what ended the agent is in flight already and must not be hidden.
            with contextlib.suppress(asyncio.CancelledError):
                await link

    def _start(self) -> None:
        """Take stock: what is seen at the start is told by the birth, not by notices."""
        self.station.slots.read()
        self._seen = self._look()

    async def _pause(self) -> None:
        await asyncio.sleep(self._settings.swap_tick_wall_s)

    # -- one look at the cabinet ----------------------------------------------------------------------------------

    def tick(self) -> None:
        """Read everything once and do what follows: stop what is unsafe, limit charging, say what changed or is due.

        Raises
        ------
        JournalError : when something could not be journalled; the cabinet is safe by then.
        """
        slots = self.station.slots
        slots.release_holds(self._clock.now())
        slots.read()
        if self.online:
            self._last_heard_s = self._clock.monotonic()
        self._protect()
        self._limit_charging()
        self._say_changes()
        if not self.quiet:
            self._say_due()

    def _protect(self) -> None:
        """Stop the zones of new alarms before saying anything; say what began and what ended."""
        slots = self.station.slots
        signals = {*slots.cabinet.safety_signals(), *alarms(slots.now.values(), self._settings.safety)}
        begun, ended = signals - self._signals, self._signals - signals
        for signal in begun:
            slots.stop(signal)
        if begun:
            slots.read()
            self.station.keep_decisions()
        for signal in sorted(begun, key=repr):
            self.station.say_event("safety", signal.code, "raised", "critical", signal.slot_numbers, zone=signal.zone)
        for signal in sorted(ended, key=repr):
            self.station.say_event("safety", signal.code, "cleared", "critical", signal.slot_numbers, zone=signal.zone)
        # Noted only now: when the journal is full the alarm is tried again at the next tick.
        self._signals = signals

    def clear_safe_state(self) -> None:
        """Release the safe state by hand of a person on site (a key switch calls this), unless a detector still speaks."""
        if self._signals:
            return
        self.station.slots.stopped.clear()
        self.station.slots.read()
        self.station.keep_decisions()
        self.station.say_event("safety", "SafeStateCleared", "cleared", "info")

    def _limit_charging(self) -> None:
        station, slots = self.station, self.station.slots
        descriptor = slots.cabinet.descriptor
        charges = []
        for slot_no, now in slots.now.items():
            if now.pack is not None:
                ceiling_w = charge_ceiling_w(now, self._settings.safety, descriptor.max_soc)
                if ceiling_w > 0:
                    charges.append(Charge(slot_no, now.pack, ceiling_w))
        fallback_ac_w = self._settings.fallback_limit_ac_w
        limits = charge_limits(
            charges,
            descriptor,
            station.profile,
            self._clock.now(),
            0.0 if self.online else self._clock.monotonic() - self._last_heard_s,
            descriptor.max_import_ac_w if fallback_ac_w is None else fallback_ac_w,
        )
        for slot_no in slots.now:
            limit_w = limits.get(slot_no, 0.0)
            before_w = self._limits.get(slot_no)
            if before_w is None or abs(limit_w - before_w) >= _LIMIT_STEP_W or (limit_w == 0.0 and before_w != 0.0):
                slots.cabinet.set_charge_limit(slot_no, limit_w)
                self._limits[slot_no] = limit_w

    def _look(self) -> dict[int, tuple[SlotStatus, str | None, str | None]]:
        slots = self.station.slots
        return {
            slot_no: (slots.status(slot_no), None if now.pack is None else now.pack.serial_number, now.fault)
            for slot_no, now in slots.now.items()
        }

    def _say_changes(self) -> None:
        for slot_no, seen in self._look().items():
            before = self._seen.get(slot_no)
            if seen != before:
                self.station.say_slot(slot_no, seen[2])
                # Noted only now: when the journal is full the notice is tried again at the next tick.
                self._seen[slot_no] = seen

    def _say_due(self) -> None:
        now_s, packs = self._clock.monotonic(), self.station.slots.packs()
        due = self.station.sampler.due(packs, now_s)
        if due:
            self.station.say_packs([(slot_no, packs[slot_no]) for slot_no in due])
            self.station.sampler.said({slot_no: packs[slot_no] for slot_no in due}, now_s)
        period = _period_of(self._clock.now(), self._settings.meter_interval_s)
        if period != self._meter_period:
            if self._meter_period is not None:
                self.station.say_meter()
            self._meter_period = period

    # -- the link speaks to us ------------------------------------------------------------------------------------

    def link_came_up(self) -> None:
        """Say a birth, whatever was said before; the first one of a boot goes before what the last boot left unsaid.

        Where the packs are must be known before the answer that ends a cut-off motion: the desk reads them in this order.
        """
        try:
            self.station.say_birth()
            if not self._settled_last_boot:
                self._obedience.settle_interrupted()
                self._settled_last_boot = True
        except JournalError:
            return

    def link_went_down(self) -> None:
        """Go on alone: from now on the schedule's offline rules count."""
        self._last_heard_s = self._clock.monotonic()

    def command_came(self, body: bytes) -> None:
        """Take the bytes of a command. Never raises, whatever they are."""
        self._obedience.came(body)

    # -- a rider stands before the cabinet ------------------------------------------------------------------------

    async def request_swap(
        self, token: str, token_type: str = _CARD, vehicle_id: str | None = None
    ) -> Authorized | Literal["busy", "no_answer"]:
        """Ask the service for a swap that starts here and wait for its answer (3 s of wall time).

        ``authorised`` means that the swap has begun; ``no_answer`` that nobody answered in time: no swap.
        """
        if self.swap_state is not None:
            return "busy"
        if not self.online:
            return "no_answer"
        request_id = self._link.journal.next_request_id()
        asked: asyncio.Future[Authorized] = asyncio.get_running_loop().create_future()
        self._obedience.waiting[request_id] = asked
        try:
            self.station.say_authorize(request_id, IdToken(id_token=token, type=token_type), vehicle_id)
            return await asyncio.wait_for(asked, self._settings.authorize_wall_s)
        except TimeoutError:
            return "no_answer"
        finally:
            del self._obedience.waiting[request_id]


def _period_of(now: datetime, length_s: float) -> int:
    return int(now.timestamp() // length_s)
