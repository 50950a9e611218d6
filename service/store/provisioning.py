"""Stations and their credentials in the database. Only hashes are kept."""

from dataclasses import dataclass
from datetime import datetime

from service.store.pool import Connection
from service.store.queries import statements

_sql = statements("provisioning")


@dataclass(frozen=True, slots=True)
class StoredCredential:
    """What the service keeps of one station's password."""

    station_id: str
    bcrypt: str
    pbkdf2_sha512: str


@dataclass(frozen=True, slots=True)
class StationRow:
    """One station as its operator lists it."""

    station_id: str
    name: str
    latitude: float
    longitude: float
    lifecycle: str
    registered_at: datetime
    issued_at: datetime | None
    connected: bool | None
    heard_at: datetime | None


async def insert_station(
    connection: Connection, *, station_id: str, part: int, name: str, latitude: float, longitude: float, now: datetime
) -> bool:
    """Register a station; return False, changing nothing, when the id is taken."""
    done = await _sql.insert_station(
        connection, station_id=station_id, part=part, name=name, latitude=latitude, longitude=longitude, now=now
    )
    return done is not None


async def set_credential(connection: Connection, credential: StoredCredential, now: datetime) -> bool:
    """Keep a station's new hashes, replacing older ones; return False when there is no such station."""
    done = await _sql.set_credential(
        connection,
        station_id=credential.station_id,
        bcrypt=credential.bcrypt,
        pbkdf2_sha512=credential.pbkdf2_sha512,
        now=now,
    )
    return done is not None


async def list_credentials(connection: Connection) -> list[StoredCredential]:
    """Return the hashes of every station that may log in, by station id."""
    return [StoredCredential(**dict(row)) async for row in _sql.list_credentials(connection)]


async def list_stations(connection: Connection) -> list[StationRow]:
    """Return every station, by id."""
    return [StationRow(**dict(row)) async for row in _sql.list_stations(connection)]
