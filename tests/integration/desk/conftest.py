"""A small fleet on a real database, spoken to the way stations speak: through the queue of station events and its worker."""

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import asyncpg
import pytest

from service.domain.observation import CommandAnswered, PackReading, PacksMoved, SlotDescription, StationBorn, StationEvent
from service.store import outbox
from service.store.pool import Pool
from service.swapping import worker
from service.swapping.desk import Desk, DeskRules, OfferQuery, OffersFound, Refused, Reserved, Started

MODEL = "mp"
NOMINAL_WH = 1000.0


def reading(slot_no: int, serial: str, soc: float = 1.0, soh: float = 1.0) -> PackReading:
    return PackReading(slot_no=slot_no, serial_number=serial, soc=soc, soh=soh, pack_model_id=MODEL)


def birth(slots: int, packs: Sequence[PackReading], swap_order: str = "In-Out") -> StationBorn:
    full = {pack.slot_no for pack in packs}
    return StationBorn(
        vendor="v",
        model="m",
        firmware="1",
        swap_order=swap_order,  # type: ignore[arg-type]
        target_soc=1.0,
        max_import_ac_w=9000.0,
        charger_efficiency=0.92,
        schedule_id=None,
        slots=tuple(
            SlotDescription(
                slot_no=number,
                status="occupied" if number in full else "empty",
                accepts=(MODEL,),
                zone=None,
                max_charge_dc_w=500.0,
                max_discharge_dc_w=0.0,
                charger_group=None,
            )
            for number in range(1, slots + 1)
        ),
        packs=tuple(packs),
    )


class World:
    def __init__(self, pool: Pool, clock: Any, new_id: Callable[[str], str]) -> None:
        self.pool = pool
        self.clock = clock
        self.rules = DeskRules()
        self.desk = Desk(clock, self.rules, new_id)
        self._seq = itertools.count(1)

    async def setup(self) -> None:
        await self.execute(
            "INSERT INTO pack_model (pack_model_id, nominal_wh, nominal_v, max_charge_w) VALUES ($1, $2, 50, 500)",
            MODEL,
            NOMINAL_WH,
        )

    async def execute(self, sql: str, *args: object) -> None:
        await self.pool.execute(sql, *args)

    async def value(self, sql: str, *args: object) -> Any:
        return await self.pool.fetchval(sql, *args)

    async def row(self, sql: str, *args: object) -> asyncpg.Record:
        found = await self.pool.fetchrow(sql, *args)
        assert found is not None
        return found

    async def column(self, sql: str, *args: object) -> list[Any]:
        return [row[0] for row in await self.pool.fetch(sql, *args)]

    async def register_packs(self, *serials: str) -> None:
        for serial in serials:
            await self.execute(
                "INSERT INTO pack (serial_number, pack_model_id, registered_at, placed_at) VALUES ($1, $2, $3, $3)",
                serial, MODEL, self.clock.now(),
            )  # fmt: skip

    async def station(
        self, station_id: str, slots: int, packs: Sequence[PackReading], *, latitude: float = 33.0, order: str = "In-Out"
    ) -> None:
        """Register a station and its packs, let it be born and be heard."""
        await self.execute(
            "INSERT INTO station (station_id, part, name, latitude, longitude, registered_at) VALUES ($1, 0, $1, $2, 130.0, $3)",
            station_id, latitude, self.clock.now(),
        )  # fmt: skip
        await self.register_packs(*(pack.serial_number for pack in packs))
        await self.hear(station_id, packs)
        await self.say(station_id, birth(slots, packs, order))

    async def hear(self, station_id: str, packs: Sequence[PackReading], *, connected: bool = True) -> None:
        """Write the newest state as ingest would."""
        now = self.clock.now()
        await self.execute(
            """INSERT INTO station_live (station_id, connected, heard_at, slot_no, serial_number, soc, soh, charging_state,
                   power_dc_w, temp_max_degc, cell_spread_mv, fault_count, energy_in_wh, reading_at, epoch, boot, seq)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $15, $16)
               ON CONFLICT (station_id) DO UPDATE SET connected = $2, heard_at = $3, slot_no = $4, serial_number = $5, soc = $6,
                   soh = $7, charging_state = $8, power_dc_w = $9, temp_max_degc = $10, cell_spread_mv = $11, fault_count = $12,
                   energy_in_wh = $13, reading_at = $14""",
            station_id, connected, now, [p.slot_no for p in packs], [p.serial_number for p in packs], [p.soc for p in packs],
            [p.soh for p in packs], ["idle"] * len(packs), [0.0] * len(packs), [25.0] * len(packs), [5] * len(packs),
            [0] * len(packs), [0] * len(packs), [now] * len(packs), [1] * len(packs), [1] * len(packs),
        )  # fmt: skip

    async def rider(
        self, rider_id: str, serials: Sequence[str], *, wiring: str = "independent", count: int | None = None
    ) -> None:
        """Register a rider with the vehicle `v-<rider>` and the packs that are in it."""
        now = self.clock.now()
        await self.execute("INSERT INTO rider (rider_id, name, registered_at) VALUES ($1, $1, $2)", rider_id, now)
        await self.execute(
            "INSERT INTO asset (asset_id, rider_id, pack_model_id, pack_count, wiring, registered_at) "
            "VALUES ($1, $2, $3, $4, $5, $6)",
            f"v-{rider_id}", rider_id, MODEL, count or len(serials), wiring, now,
        )  # fmt: skip
        await self.register_packs(*serials)
        await self.execute(
            "UPDATE pack SET place = 'asset', asset_id = $1 WHERE serial_number = ANY($2)", f"v-{rider_id}", list(serials)
        )

    async def queue(self, station_id: str, event: StationEvent, *, boot: int = 1, seq: int | None = None) -> None:
        """Store an event as ingest would; nobody handles it yet."""
        await self.execute(
            "INSERT INTO station_event (station_id, epoch, boot, seq, kind, ts, received_at, body) "
            "VALUES ($1, 1, $2, $3, $4, $5, $5, $6)",
            station_id, boot, seq or next(self._seq), event.kind, self.clock.now(), event.model_dump_json(),
        )  # fmt: skip

    async def say(self, station_id: str, event: StationEvent, *, boot: int = 1) -> None:
        """A station says something, and the worker handles it."""
        await self.queue(station_id, event, boot=boot)
        await self.work()

    async def work(self) -> int:
        count = 0
        while done := await worker.handle_batch(self.pool, self.clock, self.desk):
            count += done
        return count

    async def offers(self, rider_id: str, **more: Any) -> OffersFound:
        query = OfferQuery(rider_id, f"v-{rider_id}", 33.0, 130.0, **more)
        async with self.pool.acquire() as connection, connection.transaction():
            return await self.desk.offers(connection, query)

    async def reserve(self, rider_id: str, **more: Any) -> Reserved | Refused:
        found = await self.offers(rider_id, **more)
        assert found.offers, found.reason
        return await self.reserve_terms(rider_id, found.offers[0])

    async def reserve_terms(self, rider_id: str, terms: Any) -> Reserved | Refused:
        async with self.pool.acquire() as connection, connection.transaction():
            return await self.desk.reserve(connection, rider_id, terms)

    async def reserved(self, rider_id: str, **more: Any) -> str:
        made = await self.reserve(rider_id, **more)
        assert isinstance(made, Reserved), made
        return made.reservation.reservation_id

    async def start(self, rider_id: str, reservation_id: str) -> Started | Refused:
        async with self.pool.acquire() as connection, connection.transaction():
            return await self.desk.start_swap(connection, reservation_id, rider_id)

    async def started(self, rider_id: str, *, sent: bool = True, **more: Any) -> Started:
        """Reserve, start, and let the gate send the command."""
        made = await self.start(rider_id, await self.reserved(rider_id, **more))
        assert isinstance(made, Started), made
        if sent:
            async with self.pool.acquire() as connection, connection.transaction():
                await outbox.mark_sent(connection, [made.command_id], self.clock.now())
        return made

    async def ack(self, station_id: str, command_id: str, answer: str, reason: str | None = None) -> None:
        await self.say(station_id, CommandAnswered(command_id=command_id, answer=answer, reason_code=reason))  # type: ignore[arg-type]

    async def moved(self, station_id: str, swap_id: str, what: str, packs: Iterable[PackReading] = ()) -> None:
        row = await self.row("SELECT request_id, token FROM swap WHERE swap_id = $1", swap_id)
        await self.say(station_id, PacksMoved(what=what, request_id=row["request_id"], token=row["token"], packs=tuple(packs)))  # type: ignore[arg-type]

    async def timers(self) -> int:
        async with self.pool.acquire() as connection, connection.transaction():
            return await self.desk.run_timers(connection)

    async def status(self, swap_id: str) -> tuple[str, str | None]:
        row = await self.row("SELECT status, status_reason FROM swap WHERE swap_id = $1", swap_id)
        return row["status"], row["status_reason"]

    async def place(self, serial: str) -> tuple[Any, ...]:
        row = await self.row("SELECT place, station_id, slot_no, asset_id FROM pack WHERE serial_number = $1", serial)
        return tuple(value for value in row.values() if value is not None)

    async def live_holds(self) -> int:
        return int(
            await self.value(
                "SELECT (SELECT count(*) FROM pack_hold WHERE released_at IS NULL) "
                "+ (SELECT count(*) FROM slot_hold WHERE released_at IS NULL)"
            )
        )

    async def anomalies(self) -> list[str]:
        return await self.column("SELECT kind FROM anomaly ORDER BY anomaly_id")


@pytest.fixture
async def world(pool: Pool, clock: Any, new_id: Callable[[str], str]) -> World:
    """An empty fleet with one pack model."""
    made = World(pool, clock, new_id)
    await made.setup()
    return made


@pytest.fixture
def read() -> Callable[..., PackReading]:
    """`read(slot_no, serial, soc, soh)`: a reading of a full healthy pack unless said otherwise."""
    return reading


@pytest.fixture
def born() -> Callable[..., StationBorn]:
    """`born(slots, packs)`: a birth."""
    return birth
