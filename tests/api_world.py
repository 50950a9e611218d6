"""The real application over a real database, for tests of the door: tokens, a small fleet, and a hand that plays the station.

A test module takes the fixture with ``api = api_world.api``.
"""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from service.api.app import make_app
from service.api.auth import TokenVerifier
from service.domain.observation import CommandAnswered, MessageKey, ReceivedEvent
from service.provisioning.keys import make_token_key
from service.provisioning.tokens import mint_token
from service.standalone.database import Database
from service.store.migrate import migrate
from service.swapping.desk import Desk, DeskRules
from tests.conftest import ManualClock

_numbers = itertools.count(1)

ISSUER, AUDIENCE = "https://issuer.test", "denchi"
OFFER_KEY = b"0123456789abcdef0123456789abcdef"
MODEL = {"pack_model_id": "pm-1", "nominal_wh": 1300, "nominal_v": 48, "max_charge_w": 500}


@dataclass
class World:
    """What a test holds in its hands."""

    pool: Any
    clock: Any
    desk: Desk
    app: Any
    client: httpx.AsyncClient
    token: Callable[..., str]
    seq: dict[str, int] = field(default_factory=dict)

    async def call(
        self, method: str, path: str, body: Any = None, *, who: str = "rider-1", scope: str | None = None, key: str | None = None
    ) -> httpx.Response:
        """Send one request as `who`; the scope is operator for `op`, else rider."""
        headers = {"Authorization": f"Bearer {self.token(who, scope or ('operator' if who == 'op' else 'rider'))}"}
        if key is not None:
            headers["Idempotency-Key"] = key
        return await self.client.request(method, path, json=body, headers=headers)

    async def op(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> httpx.Response:
        """Send one request as an operator."""
        return await self.call(method, path, body, who="op", key=key)

    async def register(self, *, riders: int = 1, packs: int = 12) -> None:
        """Register a model, packs PK-001..., and riders with a vehicle of two packs each."""
        for path, body in (
            ("/v1/pack-models", {"pack_models": [MODEL]}),
            ("/v1/packs", {"packs": [{"serial_number": f"PK-{i:03}", "pack_model_id": "pm-1"} for i in range(1, packs + 1)]}),
            ("/v1/riders", {"riders": [{"rider_id": f"rider-{i}", "name": f"Rider {i}"} for i in range(1, riders + 1)]}),
            ("/v1/vehicles", {"vehicles": [vehicle(i) for i in range(1, riders + 1)]}),
        ):
            answer = await self.op("POST", path, body)
            assert answer.status_code == 201, answer.text

    async def station(
        self,
        station_id: str,
        serials: list[str],
        *,
        slots: int = 6,
        latitude: float = 33.59,
        soc: float = 0.95,
        connected: bool = True,
    ) -> None:
        """Put a station on the map that was born and heard just now, with these packs in its first slots."""
        now = self.clock.now()
        await self.pool.execute(
            "INSERT INTO station (station_id, part, name, latitude, longitude, registered_at, first_birth_at,"
            " birth_epoch, birth_boot, birth_seq)"
            " VALUES ($1, 1, $1, $2, 130.40, $3, $3, 1, 1, 1)",
            station_id,
            latitude,
            now,
        )
        await self.pool.executemany(
            "INSERT INTO slot (station_id, slot_no, status, max_charge_dc_w, epoch, boot, seq) VALUES ($1, $2, $3, 500, 1, 1, 1)",
            [(station_id, n, "occupied" if n <= len(serials) else "empty") for n in range(1, slots + 1)],
        )
        await self.pool.executemany(
            "UPDATE pack SET place = 'slot', station_id = $1, slot_no = $2 WHERE serial_number = $3",
            [(station_id, n, serial) for n, serial in enumerate(serials, 1)],
        )
        count = len(serials)
        await self.pool.execute(
            "INSERT INTO station_live (station_id, connected, heard_at, slot_no, serial_number, soc, soh, charging_state,"
            " power_dc_w,"
            " temp_max_degc, cell_spread_mv, fault_count, energy_in_wh, reading_at, epoch, boot, seq)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $15, $16)",
            station_id,
            connected,
            now,
            list(range(1, count + 1)),
            serials,
            [soc] * count,
            [0.98] * count,
            ["idle"] * count,
            [0.0] * count,
            [30.0] * count,
            [20] * count,
            [0] * count,
            [0] * count,
            [now] * count,
            [1] * count,
            [1] * count,
        )

    async def ask(self, who: str = "rider-1", **more: Any) -> dict[str, Any]:
        """Ask for offers and return the best one."""
        answer = await self.call("POST", "/v1/offers", {"vehicle_id": who.replace("rider", "vehicle"), **more}, who=who)
        assert answer.status_code == 200, answer.text
        assert answer.json()["offers"], answer.text
        return answer.json()["offers"][0]

    async def reserve(self, who: str = "rider-1") -> dict[str, Any]:
        """Reserve the best offer."""
        offer = await self.ask(who)
        answer = await self.call("POST", "/v1/reservations", {"offer_id": offer["offer_id"]}, who=who, key=f"reserve-{who}")
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def sent_command(self) -> asyncpg.Record | None:
        """Play the gate: mark a queued start command as sent and return it."""
        return await self.pool.fetchrow(
            "UPDATE command SET status = 'sent', sends = 1, sent_at = $1"
            " WHERE name = 'start_swap' AND status = 'queued' RETURNING *",
            self.clock.now(),
        )

    async def answer_command(self, command: asyncpg.Record, answer: str, reason: str | None = None) -> None:
        """Play station and worker: the answer reaches the desk, and the signal goes out."""
        station_id = command["station_id"]
        self.seq[station_id] = self.seq.get(station_id, 1) + 1
        event = CommandAnswered(command_id=command["command_id"], answer=answer, reason_code=reason)
        now = self.clock.now()
        async with self.pool.acquire() as connection, connection.transaction():
            key = MessageKey(1, 1, self.seq[station_id])
            await self.desk.handle(connection, ReceivedEvent(station_id, key, now, now, event))
            await connection.execute("NOTIFY command_answered")


def vehicle(number: int) -> dict[str, Any]:
    """Return a vehicle of rider `number` with the packs 2n-1 and 2n in it."""
    return {
        "vehicle_id": f"vehicle-{number}",
        "rider_id": f"rider-{number}",
        "pack_model_id": "pm-1",
        "pack_count": 2,
        "wiring": "series",
        "serial_numbers": [f"PK-{2 * number - 1:03}", f"PK-{2 * number:03}"],
    }


def wall_now() -> datetime:
    """Return the wall instant."""
    return datetime.now(UTC)


@asynccontextmanager
async def open_world(
    pool: Any, clock: Any, new_id: Callable[[str], str], directory: Path, *, patience_s: float = 1.0
) -> AsyncIterator[World]:
    """Build the application and a client to it, and run its lifespan."""
    key_file, jwks_file = directory / "token.pem", directory / "jwks.json"
    make_token_key(key_file, jwks_file)
    desk = Desk(clock, DeskRules(), new_id)
    verifier = TokenVerifier(issuer=ISSUER, audience=AUDIENCE, jwks_file=jwks_file)
    app = make_app(pool, clock, desk, verifier, OFFER_KEY, answer_patience_s=patience_s, wall_now=wall_now, station_silence_s=600)

    def token(sub: str, scope: str = "rider", *, lifetime_s: float = 600, issuer: str = ISSUER, audience: str = AUDIENCE) -> str:
        return mint_token(key_file, issuer, audience, sub, scope.split(), lifetime_s, wall_now())

    transport = httpx.ASGITransport(app=app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://api.test") as client:
        yield World(pool, clock, desk, app, client, token)


@pytest.fixture
async def api(pool: Any, clock: Any, new_id: Callable[[str], str], tmp_path: Path) -> AsyncIterator[World]:
    """The application on a fresh database, waiting 1 s for stations."""
    async with open_world(pool, clock, new_id, tmp_path) as world:
        yield world


@pytest.fixture(scope="module")
def loop_and_world(
    postgres_server: Database, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[asyncio.AbstractEventLoop, World]]:
    """One application for all examples: hypothesis may not use a fresh fixture for each, and need not."""
    loop = asyncio.new_event_loop()
    directory: Path = tmp_path_factory.mktemp("api")
    name = f"api_{next(_numbers)}"

    async def begin() -> tuple[Any, Any, World]:
        admin = await asyncpg.connect(postgres_server.dsn("postgres"))
        await admin.execute(f"CREATE DATABASE {name}")
        await admin.close()
        pool = await asyncpg.create_pool(postgres_server.dsn(name), min_size=1, max_size=4)
        async with pool.acquire() as connection:
            await migrate(connection)
        opened = open_world(pool, ManualClock(), lambda prefix: f"{prefix}_{next(_numbers)}", directory, patience_s=0.3)
        world = await opened.__aenter__()
        await world.register()
        return pool, opened, world

    pool, opened, world = loop.run_until_complete(begin())
    yield loop, world
    loop.run_until_complete(opened.__aexit__(None, None, None))
    loop.run_until_complete(pool.close())
    loop.close()


def operations(world: World) -> list[tuple[str, str, dict[str, Any]]]:
    """Return every documented operation as (method, path, its OpenAPI object)."""
    paths = json.loads(json.dumps(world.app.openapi()))["paths"]
    return [(method.upper(), path, spec) for path, item in paths.items() for method, spec in item.items()]


def filled(path: str) -> str:
    """Return a path template with its parameters filled in."""
    for name in ("station_id", "reservation_id", "swap_id", "plan_id", "name"):
        path = path.replace("{" + name + "}", "x-1")
    assert "{" not in path, path
    return path
