"""One station for one day of virtual time, every byte on its wire counted. What `test_data_budget` measures with.

Agent, link, journal, cabinet, watermarks and planner are the real ones. Virtual time: the event loop jumps to its next timer, so
a day passes as fast as it computes. Only the broker between link and service is played, for a real one lives in real time.
"""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from devices.agent.agent import StationAgent
from devices.agent.settings import AgentSettings
from devices.link.address import LinkAddress
from devices.link.outbox import Outbox
from devices.link.session import LinkSettings, MqttLink
from devices.wire import topics
from devices.wire.codec import encode
from devices.wire.events import Committed, HostState
from devices.wire.telemetry import Telemetry
from service.cycle import POLICY, _decide
from service.dispatch.translate import wire_command
from service.domain.command import Command, SetSchedule, StartSwap
from service.domain.fleet import FleetNow, HourCount, SentSchedule, SlotNow, StationNow
from service.domain.pack import PackModel, PackNow
from service.domain.plan import StepGrid
from service.forecast.demand import forecast_demand
from service.forecast.supply import forecast_supply
from service.grid.synthetic import synthetic_signals
from service.ingest.admit import Admitted, admit
from service.ingest.translate import live_slots
from service.ingest.watermarks import EVERY_S, Watermarks
from service.planning.build import Outlook
from service.store.messages import BootId, LiveSlot
from simulator.cabinet import SimulatedCabinet
from simulator.faults import Faults
from simulator.physics.pack import MOBILE_POWER_PACK
from simulator.plant import Plant
from simulator.scenario import Scenario, load_scenario
from simulator.store.world_store import WorldStore
from simulator.world import make_world
from tests.simulation.mqtt_bytes import (
    CONNACK,
    PING,
    PUBACK,
    connect_bytes,
    publish_bytes,
    suback_bytes,
    subscribe_bytes,
)
from tests.simulation.virtual_time import LoopClock

DAY_S = 86_400.0
PACKS, SWAPS = 24, 32
MIDNIGHT = datetime(2026, 4, 5, 15, 0, tzinfo=UTC)
"""Of the local day, in UTC."""
CYCLE_S = 60.0
"""Source: `service.settings`, a planning cycle a minute."""
STEP_S = 5.0
"""The plant's step and the agent's tick, coarser than the agent's own 1 s so that a day takes seconds."""


# --- the broker and the service behind it ------------------------------------------------------------------------


class Service:
    """Broker, ingest and dispatch of one station: counts bytes, keeps what was said, says what is committed."""

    def __init__(self, station_id: str, clock: LoopClock) -> None:
        self.bytes: Counter[str] = Counter()
        self.packets: Counter[str] = Counter()
        self.live: dict[int, LiveSlot] = {}
        self.readings = 0
        self._station_id, self._clock = station_id, clock
        self._deliver: Callable[[str, bytes], None] | None = None
        self._watermarks = Watermarks(clock.monotonic)

    def count(self, what: str, size: int) -> None:
        self.bytes[what] += size
        self.packets[what] += 1

    def connected(self, deliver: Callable[[str, bytes], None]) -> None:
        self._deliver = deliver

    def host_is_online(self) -> None:
        state = HostState(ts=self._clock.now(), session=1, online=True, parts=["00-3f"])
        self.down("down/host", topics.host_state("ingest-1"), encode(state))

    def down(self, what: str, topic: str, body: bytes) -> None:
        """Stations subscribe at QoS 0: no packet id and no PUBACK."""
        assert self._deliver is not None
        self.count(what, publish_bytes(topic, body, qos=0))
        self._deliver(topic, body)

    def command(self, command: Command) -> None:
        said = wire_command(command)
        self.down(f"down/command {said.name}", topics.down(self._station_id, topics.DOWN_COMMAND), encode(said))

    def up(self, topic: str, body: bytes) -> None:
        now = self._clock.now()
        said = admit(topic, body, now, known={self._station_id}, parts=range(64))
        self.count(f"up/{topic.rpartition('/')[2]}", publish_bytes(topic, body, qos=1))
        self.count("PUBACK", PUBACK)
        if isinstance(said, Admitted):
            self._watermarks.note({BootId(self._station_id, said.key.epoch, said.key.boot): said.key.seq})
            if isinstance(said.message, Telemetry):
                self.readings += len(said.message.battery_data)
            for slot in live_slots(said.message, said.key, now):
                self.live[slot.slot_no] = slot

    async def say_committed(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            for boot_id, seq in self._watermarks.due():
                body = encode(Committed(epoch=boot_id.epoch, boot=boot_id.boot, seq=seq))
                self.down("down/committed", topics.down(self._station_id, topics.DOWN_COMMITTED), body)


class CountingConnection:
    """In place of `devices.link.connection.Connection`: the same to the link; paho's keepalive rule; no socket."""

    def __init__(
        self, service: Service, address: LinkAddress, client_id: str, *, will: tuple[str, bytes], keepalive_s: int, window: int,
        on_message: Callable[[str, bytes], None], on_acknowledged: Callable[[int], None], on_lost: Callable[[], None],
    ) -> None:  # fmt: skip
        self._service = service
        self._login = (client_id, will, address.user or "", address.password or "")
        self._keepalive_s, self._on_message, self._on_acknowledged = keepalive_s, on_message, on_acknowledged
        self._loop = asyncio.get_running_loop()
        self._mids = itertools.count(1)
        self._out_at = self._in_at = self._loop.time()
        self.lost = False

    async def open(self, _timeout_s: float) -> None:
        self._service.connected(self._receive)
        self._service.count("CONNECT", connect_bytes(*self._login))
        self._service.count("CONNACK", CONNACK)

    def subscribe(self, filters: Sequence[str]) -> None:
        self._service.count("SUBSCRIBE", subscribe_bytes(filters))
        self._service.count("SUBACK", suback_bytes(filters))
        self._out_at = self._loop.time()
        self._loop.call_soon(self._service.host_is_online)

    def publish(self, topic: str, body: bytes, *, retain: bool = False) -> int:
        mid = next(self._mids)
        self._out_at = self._in_at = self._loop.time()
        self._service.up(topic, body)
        self._loop.call_soon(self._on_acknowledged, mid)
        return mid

    def tick(self) -> None:
        now = self._loop.time()
        if now - self._out_at >= self._keepalive_s or now - self._in_at >= self._keepalive_s:
            self._service.count("PINGREQ", PING)
            self._service.count("PINGRESP", PING)
            self._out_at = self._in_at = now

    def close(self) -> None:
        self.lost = True
        self._service.count("DISCONNECT", PING)

    def _receive(self, topic: str, body: bytes) -> None:
        self._in_at = self._loop.time()
        self._on_message(topic, body)


# --- the day -----------------------------------------------------------------------------------------------------


def scenario_of_24_packs() -> Scenario:
    """The default world with a station of 26 slots and 24 packs, and the riders who bring 32 packs a day."""
    default = load_scenario("default")
    station = default.station.model_copy(
        update={"slots": PACKS + 2, "packs_full": 19, "packs_charging": PACKS - 19, "max_import_ac_w": 9_000.0}
    )
    riders = default.riders.model_copy(update={"per_station": SWAPS, "two_pack_share": 0.0})
    return default.model_copy(update={"station": station, "riders": riders})


def swap_times(day_shape: Sequence[float]) -> list[float]:
    """The seconds of the day at which riders come: as much as is ridden in each hour."""
    ridden = np.cumsum([0.0, *day_shape])
    wanted = (np.arange(SWAPS) + 0.5) / SWAPS * ridden[-1]
    return [float(hour) * 3600.0 for hour in np.interp(wanted, ridden, np.arange(len(ridden)))]


class Day:
    """One station for one day."""

    def __init__(self, directory: Path, loop: asyncio.AbstractEventLoop, *, tick_s: float = STEP_S, plans: bool = True) -> None:
        self.clock = LoopClock(loop, MIDNIGHT)
        self.scenario = scenario_of_24_packs()
        self.world = make_world(self.scenario, 1, seed=1)
        self.station_id = self.world.stations[0].station_id
        self.store = WorldStore(directory / "world.sqlite")
        self.plant = Plant(self.world, self.store)
        self.plant.riding[:] = False
        self.service = Service(self.station_id, self.clock)
        self.outbox = Outbox(directory / "outbox.sqlite", durable=False)
        self.swaps = 0
        self.pending = -1
        self._plans, self._tick_s = plans, tick_s
        self._sent: SentSchedule | None = None
        self._handed_out: list[HourCount] = []
        self._numbers = itertools.count(1)
        self._chance = random.Random(1)
        cabinet = SimulatedCabinet(self.plant, 0, self.station_id, self.scenario, Faults({}, 1), self.clock.monotonic)
        # A login as `denchi station add` makes it: 43 characters.
        address = LinkAddress("broker", 8883, self.station_id, "p" * 43)
        link_settings = LinkSettings(connect_jitter_s=0.0, firmware=cabinet.descriptor.firmware)
        link = MqttLink(address, self.station_id, 1, self.outbox, self.clock, link_settings, random.Random(2))
        settings = AgentSettings(tick_wall_s=tick_s)
        self.agent = StationAgent(self.station_id, 1, cabinet, link, self.clock, settings, random.Random(3))

    async def run(self) -> None:
        stop = asyncio.Event()
        agent = asyncio.create_task(self.agent.run(stop))
        jobs = [self._nature(), self.service.say_committed(), *([self._cycles()] if self._plans else [])]
        others = [asyncio.create_task(job) for job in jobs]
        await asyncio.sleep(1.0)
        for rider, at_s in enumerate(swap_times(self.scenario.demand.day_shape)):
            await asyncio.sleep(at_s - self.clock.monotonic())
            await self._swap(rider)
        await asyncio.sleep(DAY_S - self.clock.monotonic())
        for job in others:
            assert not job.done(), job.exception()
            job.cancel()
        self.pending = self.outbox.pending_count()
        stop.set()
        await agent
        self.outbox.close()
        self.store.close()

    async def _nature(self) -> None:
        while True:
            await asyncio.sleep(self._tick_s)
            self.plant.step(self._tick_s)

    async def _swap(self, rider: int) -> None:
        """A rider with an almost empty pack, whom the desk offers the fullest one."""
        plant, kind = self.plant, MOBILE_POWER_PACK
        old = plant.with_rider[rider][0]
        soc = self._chance.uniform(*self.scenario.riders.swap_below_soc)
        plant.packs.stored_wh[old] = soc * plant.packs.soh[old] * kind.nominal_wh
        best = max((number for number in plant.in_slot[0] if number >= 0), key=lambda number: plant.packs.soc(kind)[number])
        order = StartSwap(
            request_id=2**30 + rider,
            token=f"rsv_01KB{rider:022d}",
            count=1,
            offer_serials=(plant.label(best),),
            in_slots=(int((plant.in_slot[0] < 0).nonzero()[0][0]) + 1,),
        )
        now = self.clock.now()
        until = now + timedelta(seconds=60)
        self.service.command(
            Command(command_id=self._id("cmd"), station_id=self.station_id, order=order, issued_at=now, valid_until=until)
        )
        for move in ("in", "out"):
            slot_no = await self._open_door(empty=move == "in")
            await asyncio.sleep(3.0)
            if move == "in":
                plant.put(rider, old, 0, slot_no)
            else:
                plant.take(rider, 0, slot_no)
            await asyncio.sleep(1.0)
            plant.door_open[0, slot_no - 1] = False
        self.swaps += 1
        self._handed_out.append(HourCount(now.replace(minute=0, second=0), 1))

    async def _open_door(self, *, empty: bool) -> int:
        deadline_s = self.clock.monotonic() + 60.0
        while True:
            for index in self.plant.door_open[0].nonzero()[0]:
                if (self.plant.in_slot[0, index] < 0) == empty:
                    return int(index) + 1
            assert self.clock.monotonic() < deadline_s, "no door opened"
            await asyncio.sleep(1.0)

    # -- the planner, as `service.cycle` runs it ------------------------------------------------------------------

    async def _cycles(self) -> None:
        signals = synthetic_signals("kyushu", MIDNIGHT, 4, MIDNIGHT)
        while True:
            await asyncio.sleep(CYCLE_S)
            now = self.clock.now()
            fleet, grid = self._fleet(now), StepGrid(now)
            supply = forecast_supply(signals, "kyushu", grid)
            demand = forecast_demand(fleet.stations, grid, POLICY.lead_h * 3600.0)
            outlook = Outlook(
                demand.mean, demand.lead_deviation, supply.price_jpy_per_kwh, supply.renewable_w, supply.price_source
            )
            for command in _decide(fleet, grid, outlook, POLICY, 20.0, self._id).orders:
                assert isinstance(command.order, SetSchedule)
                self._sent = SentSchedule(command.order, now, stands=True)
                self.service.command(command)

    def _fleet(self, now: datetime) -> FleetNow:
        terms, kind = self.scenario.pack_model, self.plant.kind
        model = PackModel(
            terms.pack_model_id, kind.nominal_wh, kind.nominal_v, kind.max_charge_w, terms.hand_out_soc, terms.target_soc
        )
        packs = tuple(
            PackNow(
                slot.serial_number, model, slot.slot_no, "ok", None, slot.soc or 0.0, slot.soh or 1.0, slot.temp_max_degc,
                slot.cell_spread_mv, 0, slot.charging_state == "charging", slot.reading_at,
            )
            for slot in sorted(self.service.live.values(), key=lambda slot: slot.slot_no)
            if slot.serial_number is not None
        )  # fmt: skip
        full = {pack.slot_no for pack in packs}
        slots = tuple(
            SlotNow(number, "occupied" if number in full else "empty", kind.max_charge_w, quarantined=False)
            for number in range(1, PACKS + 3)
        )
        connection = self.plant.connection
        station = StationNow(
            self.station_id, "", True, now, MIDNIGHT, connection.max_import_ac_w, connection.charger_efficiency, slots, packs,
            handed_out=tuple(self._handed_out), sent=self._sent,
        )  # fmt: skip
        return FleetNow(now, (station,), {model.pack_model_id: model})

    def _id(self, prefix: str) -> str:
        return f"{prefix}_01KB{next(self._numbers):022d}"
