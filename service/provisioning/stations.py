"""A station comes to be known: its row, its secret (shown once), its hashes."""

from dataclasses import dataclass, field
from datetime import datetime

from devices.wire.ids import is_station_id, part_of
from service.provisioning.hashes import hash_bcrypt, hash_pbkdf2, new_secret
from service.store import provisioning as store
from service.store.pool import Connection


class StationKnownError(ValueError):
    """A station of this id exists already; ask for a new credential instead."""


class StationUnknownError(ValueError):
    """No station of this id exists."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What a station logs in with at the broker. The service does not keep the password."""

    user: str
    password: str = field(repr=False)


async def add_station(
    connection: Connection, station_id: str, name: str, latitude: float, longitude: float, now: datetime
) -> Credential:
    """Register a station and return its credential; the caller then renders the broker's rules anew.

    Parameters
    ----------
    latitude, longitude : WGS 84 [deg].
    now : fleet instant.

    Raises
    ------
    StationKnownError
        When the id is taken.
    ValueError
        When the id may not name a station.
    """
    if not is_station_id(station_id):
        raise ValueError(f"{station_id!r} may not name a station: 1 to 48 of A-Z a-z 0-9 _ -")
    async with connection.transaction():
        fresh = await store.insert_station(
            connection,
            station_id=station_id,
            part=int(part_of(station_id), 16),
            name=name,
            latitude=latitude,
            longitude=longitude,
            now=now,
        )
        if not fresh:
            raise StationKnownError(f"station {station_id} exists already")
        return await renew_credential(connection, station_id, now)


async def renew_credential(connection: Connection, station_id: str, now: datetime) -> Credential:
    """Give a station a new secret; the old one ends when the broker's rules are rendered.

    Raises
    ------
    StationUnknownError
        When there is no such station.
    """
    secret = new_secret()
    kept = store.StoredCredential(station_id, hash_bcrypt(secret), hash_pbkdf2(secret))
    if not await store.set_credential(connection, kept, now):
        raise StationUnknownError(f"there is no station {station_id}")
    return Credential(station_id, secret)
