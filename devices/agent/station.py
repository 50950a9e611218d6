"""The parts of one station in one place, and how it says what happened to them. Decides nothing about commands or swaps."""

from collections.abc import Sequence
from typing import Literal

import structlog
from pydantic import ValidationError

from devices.agent import speech
from devices.agent.sampling import Sampler
from devices.agent.settings import AgentSettings
from devices.agent.slots import Slots
from devices.hardware.ports import Cabinet, PackSample, StationClock
from devices.link.journal import Stamp, StationJournal
from devices.link.outbox import Answer
from devices.wire.commands import SetChargingProfile
from devices.wire.events import Ack, Authorize, Birth, Event, IdToken, SlotNotice, Swap
from devices.wire.telemetry import Meter, Telemetry

log = structlog.get_logger(__name__)

Kind = Literal["safety", "fault", "door", "tamper", "security", "firmware", "journal"]
Phase = Literal["raised", "cleared", "once"]
Severity = Literal["info", "warning", "critical"]
SwapEvent = Literal["BatteryIn", "BatteryOut", "BatteryOutTimeout"]


class Station:
    """Cabinet, journal, clock and what was agreed with the service."""

    def __init__(self, cabinet: Cabinet, journal: StationJournal, clock: StationClock, settings: AgentSettings) -> None:
        self.cabinet, self.journal, self.clock, self.settings = cabinet, journal, clock, settings
        self.slots = Slots(cabinet, settings.safety)
        self.sampler = Sampler(settings.sampling)
        self.profile: SetChargingProfile | None = None
        self._recall()

    def _recall(self) -> None:
        """Take up what an earlier boot kept. A note that cannot be read is dropped: the service says it again."""
        decisions, profile = self.journal.note("slots"), self.journal.note("profile")
        try:
            if decisions is not None:
                self.slots.from_note(decisions)
                self.slots.read()
            if profile is not None:
                self.profile = SetChargingProfile.model_validate_json(profile)
        except (ValueError, KeyError, TypeError, ValidationError) as error:
            log.warning("note", action="dropped an unreadable note", station=self.journal.station_id, error=str(error))

    def keep_decisions(self) -> None:
        """Keep stops, faults and disabled slots over a restart."""
        self.journal.keep_note("slots", self.slots.to_note())

    def set_profile(self, profile: SetChargingProfile) -> None:
        """Take a new schedule in place of the whole old one."""
        self.journal.keep_note("profile", profile.model_dump_json(by_alias=True, exclude_none=True).encode())
        self.profile = profile

    # -- saying ---------------------------------------------------------------------------------------------------

    def say_birth(self) -> None:
        """Say everything about the station; the packs' details go apart when they do not fit."""
        self.slots.read()
        statuses, clock, descriptor = self.slots.statuses(), self.clock.status(), self.cabinet.descriptor
        schedule_id = None if self.profile is None else self.profile.schedule_id

        def build(s: Stamp, *, slim: bool = False) -> Birth:
            spans = self.journal.spans(s.seq)
            return speech.birth(s, descriptor, self.slots.now, statuses, clock, spans, schedule_id, slim=slim)

        if self.journal.say("birth", build):
            self.sampler.said(self.slots.packs(), self.clock.monotonic(), in_telemetry=False)
        else:
            self.journal.say("birth", lambda s: build(s, slim=True))

    def say_packs(self, packs: Sequence[tuple[int, PackSample]]) -> None:
        """Say readings, in as many messages as their size asks for."""

        def build(s: Stamp) -> Telemetry:
            data = [speech.pack_data(slot_no, pack) for slot_no, pack in packs]
            return Telemetry(ts=s.ts, epoch=s.epoch, boot=s.boot, seq=s.seq, battery_data=data)

        if not self.journal.say("telemetry", build) and len(packs) > 1:
            self.say_packs(packs[: len(packs) // 2])
            self.say_packs(packs[len(packs) // 2 :])

    def say_slot(self, slot_no: int, reason: str | None = None) -> None:
        """Say that a slot changed."""
        status, pack = self.slots.status(slot_no), self.slots.now[slot_no].pack

        def build(s: Stamp) -> SlotNotice:
            return SlotNotice(
                ts=s.ts, epoch=s.epoch, boot=s.boot, seq=s.seq, evse_id=slot_no, status=status,
                serial_number=None if pack is None else pack.serial_number, reason=None if reason is None else reason[:50],
            )  # fmt: skip

        self.journal.say("slot", build)

    def say_event(
        self,
        kind: Kind,
        code: str,
        phase: Phase,
        severity: Severity,
        slot_numbers: Sequence[int] = (),
        *,
        zone: str | None = None,
        serial_numbers: Sequence[str] = (),
        detail: str | None = None,
    ) -> None:
        """Say that something happened."""

        def build(s: Stamp) -> Event:
            return Event(
                ts=s.ts, epoch=s.epoch, boot=s.boot, seq=s.seq, kind=kind, code=code[:50], phase=phase, severity=severity,
                evse_ids=list(slot_numbers), zone=zone, serial_numbers=list(serial_numbers), detail=detail,
            )  # fmt: skip

        self.journal.say("event", build)

    def say_swap(self, what: SwapEvent, request_id: int, token: IdToken, packs: Sequence[tuple[int, PackSample]]) -> None:
        """Say that packs of a swap moved, or were not taken."""

        def build(s: Stamp) -> Swap:
            return Swap(
                ts=s.ts, epoch=s.epoch, boot=s.boot, seq=s.seq, event_type=what, request_id=request_id, id_token=token,
                battery_data=[speech.pack_data(slot_no, pack) for slot_no, pack in packs],
            )  # fmt: skip

        self.journal.say("swap", build)

    def say_authorize(self, request_id: int, token: IdToken, vehicle_id: str | None) -> None:
        """Ask whether a swap may start here."""

        def build(s: Stamp) -> Authorize:
            return Authorize(
                ts=s.ts, epoch=s.epoch, boot=s.boot, seq=s.seq, request_id=request_id, id_token=token, vehicle_id=vehicle_id
            )

        self.journal.say("authorize", build)

    def say_meter(self) -> None:
        """Say every register."""
        status = self.clock.status()
        registers = [speech.register(sample, status) for sample in self.cabinet.read_registers()]

        def build(s: Stamp) -> Meter:
            return Meter(ts=s.ts, epoch=s.epoch, boot=s.boot, seq=s.seq, clock=speech.wire_clock(status), registers=registers)

        self.journal.say("meter", build)

    def acknowledge(self, command_id: str, answer: Answer) -> None:
        """Answer a command."""

        def build(s: Stamp) -> Ack:
            return Ack.model_validate(
                {
                    "ts": s.ts, "epoch": s.epoch, "boot": s.boot, "seq": s.seq,
                    "command_id": command_id, "status": answer.status, "reason_code": answer.reason_code,
                }
            )  # fmt: skip

        self.journal.say("ack", build)
