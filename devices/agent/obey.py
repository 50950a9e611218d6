"""What each command does. Judging commands (expiry, repetition) lives in the ledger, motion in the swap."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal

import structlog

from devices.agent.ledger import Ledger, Order, Settled, Unreadable
from devices.agent.safety import why_not_unlock
from devices.agent.station import Station
from devices.agent.swap import SwapRun, SwapState, why_not_start
from devices.hardware.ports import SafetySignal
from devices.link.outbox import Answer, JournalError
from devices.wire import commands
from devices.wire.events import SERVICE_REQUEST_ID_FIRST

log = structlog.get_logger(__name__)

ACCEPTED = Answer("Accepted", None)
_RUNNING = "motion"
"""Name of the note that says which motion was under way; what is found there at a start was cut off."""

Authorized = Literal["authorised", "refused"]


class Obedience:
    """Carries out commands for one station.

    Parameters
    ----------
    pause : waits a moment between two looks at the cabinet during a swap.
    """

    def __init__(self, station: Station, ledger: Ledger, pause: Callable[[], Awaitable[None]]) -> None:
        self._station, self._ledger, self._pause = station, ledger, pause
        self._run: SwapRun | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.waiting: dict[int, asyncio.Future[Authorized]] = {}
        """Swaps asked for at the station, by request id, until the service answers."""

    @property
    def swap(self) -> SwapState | None:
        """Return where the running swap stands, None when there is none."""
        return None if self._run is None else self._run.state

    def came(self, body: bytes) -> None:
        """Take the bytes of a command: judge, answer, act. Never raises, whatever the bytes."""
        try:
            verdict = self._ledger.judge(body)
            if isinstance(verdict, Unreadable):
                log.warning("command", action="ignored", station=self._station.journal.station_id, why=verdict.detail)
            elif isinstance(verdict, Settled):
                self._answer(verdict.command_id, verdict.answer)
            else:
                self._obey(verdict)
        except JournalError:
            # The journal has logged it. Nothing was answered, so the service sends the command again.
            return

    def _answer(self, command_id: str, answer: Answer) -> None:
        # The answer is on disk before it is said and before anything moves: a restart must not run a command twice.
        self._station.journal.remember_answer(command_id, answer)
        self._station.acknowledge(command_id, answer)

    def _obey(self, order: Order) -> None:
        args = order.args
        if isinstance(args, commands.RequestBatterySwap):
            self._start_swap(order, args)
        elif isinstance(args, commands.UnlockSlot):
            self._unlock(order, args.evse_id)
        else:
            reason = self._do(args)
            self._answer(order.command_id, ACCEPTED if reason is None else Answer("Rejected", reason))
            # What a command sets off is said after its ack, so that the service reads cause before effect.
            if isinstance(args, commands.Resync):
                self._station.say_birth()
            elif isinstance(args, commands.Replay):
                self._station.journal.replay(args.ranges)

    def _do(self, args: object) -> str | None:
        """Do what needs no motion; return why not, None when done."""
        station, slots = self._station, self._station.slots
        match args:
            case commands.Resync() | commands.Replay():
                return None
            case commands.SetChargingProfile():
                station.set_profile(args)
            case commands.SetVariables():
                station.sampler.rules = station.sampler.rules.changed_by(args)
            case commands.RefuseSwap():
                self._resolve(args.request_id, "refused")
            case commands.CancelSwap():
                if self._run is None or self._run.state.request_id != args.request_id:
                    return "UnknownSwap"
                return None if self._run.cancel() else "TooLate"
            case commands.ReserveNow():
                if args.evse_id not in slots.descriptors:
                    return "UnknownSlot"
                slots.reserved[args.evse_id] = (args.reservation_id, args.expires_at)
            case commands.CancelReservation():
                held = [slot_no for slot_no, (hold, _) in slots.reserved.items() if hold == args.reservation_id]
                for slot_no in held:
                    del slots.reserved[slot_no]
                return None if held else "UnknownReservation"
            case commands.ChangeAvailability():
                if args.evse_id not in slots.descriptors:
                    return "UnknownSlot"
                (slots.disabled.discard if args.operational else slots.disabled.add)(args.evse_id)
                station.keep_decisions()
            case commands.ClearFault():
                if slots.faults.pop(args.evse_id, None) is None:
                    return "NoLatchedFault"
                station.keep_decisions()
                station.say_event("fault", "FaultCleared", "cleared", "info", [args.evse_id])
            case commands.SafeState():
                stopped = slots.stop(SafetySignal(args.reason, args.zone))
                station.keep_decisions()
                station.say_event("safety", args.reason, "raised", "critical", sorted(stopped), zone=args.zone)
            case _:
                return "NotSupported"
        return None

    # -- motion ---------------------------------------------------------------------------------------------------

    def _start_swap(self, order: Order, wanted: commands.RequestBatterySwap) -> None:
        asked_here = wanted.request_id < SERVICE_REQUEST_ID_FIRST
        reason = "Busy" if self._run is not None else why_not_start(self._station, wanted)
        if reason is None and asked_here and wanted.request_id not in self.waiting:
            reason = "TooLate"
        if asked_here:
            self._resolve(wanted.request_id, "authorised" if reason is None else "refused")
        if reason is not None:
            self._answer(order.command_id, Answer("Rejected", reason))
            return
        self._answer(order.command_id, ACCEPTED)
        self._run = SwapRun(self._station, wanted, self._pause)
        self._spawn(self._carry_out(order, self._run))

    async def _carry_out(self, order: Order, run: SwapRun) -> None:
        try:
            await self._move(order, run.run)
        finally:
            self._run = None

    def _unlock(self, order: Order, slot_no: int) -> None:
        slots = self._station.slots
        if slot_no not in slots.descriptors:
            reason: str | None = "UnknownSlot"
        elif self._run is not None:
            reason = "Busy"
        else:
            reason = why_not_unlock(slots.read_one(slot_no), self._station.settings.safety)
        if reason is not None:
            self._answer(order.command_id, Answer("Rejected", reason))
            return
        self._answer(order.command_id, ACCEPTED)
        self._spawn(self._move(order, lambda: self._open(slot_no)))

    async def _open(self, slot_no: int) -> Answer:
        opened = await self._station.cabinet.open_slot(slot_no)
        return Answer("Completed", None) if opened else Answer("Failed", "DoorJammed")

    async def _move(self, order: Order, motion: Callable[[], Awaitable[Answer]]) -> None:
        """Run a motion and say how it ended; the note tells the next boot when this one did not live to say it."""
        journal = self._station.journal
        try:
            journal.keep_note(_RUNNING, order.command_id.encode())
            answer = Answer("Failed", "Expired") if self._ledger.expired(order) else await motion()
            self._station.acknowledge(order.command_id, answer)
            journal.keep_note(_RUNNING, b"")
        except JournalError as error:
            log.error("motion", action="stopped, not journalled", station=journal.station_id, error=str(error))

    def settle_interrupted(self) -> None:
        """Say that a motion was cut off by a restart; the birth that follows tells where the packs are."""
        command_id = self._station.journal.note(_RUNNING)
        if command_id:
            self._station.acknowledge(command_id.decode(), Answer("Failed", "Restarted"))
            self._station.journal.keep_note(_RUNNING, b"")

    def _resolve(self, request_id: int, outcome: Authorized) -> None:
        asked = self.waiting.get(request_id)
        if asked is not None and not asked.done():
            asked.set_result(outcome)

    def _spawn(self, motion: Awaitable[None]) -> None:
        async def run() -> None:
            await motion

        task = asyncio.create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def end(self) -> None:
        """Stop what moves; the next boot says that it was cut off."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
