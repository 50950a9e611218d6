"""Every setting of the service, in one place. Environment variables with the prefix ``DENCHI_``; secrets come from files.

`denchi up` fills these for its child processes; in production they stand in the unit file or the compose file.
"""

from pathlib import Path
from typing import Self
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

AREA_PATTERN = "^[A-Za-z0-9_-]{1,64}$"
"""What an area of the grid may be called."""


class Settings(BaseSettings):
    """How one process of the service is set up. Unknown ``DENCHI_`` variables are ignored, wrong values are refused."""

    model_config = SettingsConfigDict(env_prefix="DENCHI_", frozen=True, extra="ignore")

    data_dir: Path = Field(default=Path(".denchi"), description="Where `denchi up` keeps database, journals, keys and logs.")
    clock_file: Path | None = Field(
        default=None, description="Fleet clock (JSON: origin, anchor, speed). Absent: the fleet runs on wall time."
    )

    database_url: str = Field(
        default="postgresql://denchi@127.0.0.1:5432/denchi", description="PostgreSQL >= 15, without the password."
    )
    database_password_file: Path | None = Field(default=None, description="File that holds the database password.")
    database_pool_size: int = Field(default=6, ge=2, le=100, description="Most connections one process opens.")

    broker_host: str = Field(default="127.0.0.1", description="MQTT 3.1.1 broker.")
    broker_port: int = Field(default=1883, ge=1, le=65535)
    broker_user: str = Field(default="service", description="User name of the service at the broker.")
    broker_password_file: Path | None = Field(default=None, description="File that holds the broker password.")
    broker_ca_file: Path | None = Field(default=None, description="CA certificate; set it to speak TLS.")
    broker_kind: str = Field(
        default="nats", pattern="^(nats|mosquitto)$", description="Whose access rules `denchi station add` writes."
    )
    broker_rules_dir: Path | None = Field(
        default=None, description="Directory into which access rules are written; absent: rules are not written."
    )
    broker_pid_file: Path | None = Field(default=None, description="Process to tell (SIGHUP) after the access rules changed.")

    host_id: str = Field(default="ingest-1", pattern="^[A-Za-z0-9_-]{1,48}$", description="Name of this ingest worker.")
    parts: str = Field(
        default="00-3f", pattern="^[0-3][0-9a-f](-[0-3][0-9a-f])?$", description="Parts of the topic tree it owns."
    )
    ingest_queue: int = Field(default=4096, ge=16, le=65535, description="Messages in flight from the broker, not yet committed.")

    api_host: str = Field(default="127.0.0.1")
    api_port: int = Field(default=8000, ge=0, le=65535)
    api_url: str = Field(default="http://127.0.0.1:8000", description="Where console and simulator reach the API.")
    console_host: str = Field(default="127.0.0.1")
    console_port: int = Field(default=8001, ge=0, le=65535)
    console_password_file: Path | None = Field(
        default=None, description="Password of the console's one operator login; absent: the console answers this machine only."
    )

    metrics_token_file: Path | None = Field(
        default=None, description="Token that GET /metrics asks for; absent: only this machine is answered."
    )

    token_issuer: str = Field(default="https://denchi.invalid/issuer")
    token_audience: str = Field(default="denchi")
    jwks_file: Path | None = Field(default=None, description="Public keys that sign access tokens (JWKS).")
    jwks_url: str | None = Field(default=None, description="The same from an identity provider, cached.")
    token_key_file: Path | None = Field(
        default=None, description="Private key (PEM) with which `denchi token` signs, for development."
    )
    offer_key_file: Path | None = Field(default=None, description="Key (32 bytes or more) that signs offers.")

    area: str = Field(default="kyushu", pattern=AREA_PATTERN, description="Price and supply area of the fleet.")
    cycle_s: float = Field(default=60.0, gt=0, description="Fleet seconds between two planning cycles.")
    solve_limit_s: float = Field(default=20.0, gt=0, description="Wall seconds after which a solve is cut off.")
    station_silence_s: float = Field(
        default=600.0, gt=0, description="Fleet seconds after which a silent station is not promised."
    )
    reservation_s: float = Field(default=3600.0, gt=0, description="How long a reservation holds, fleet seconds.")
    offer_s: float = Field(default=120.0, gt=0, description="How long an offer is good, fleet seconds.")

    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$")
    log_json: bool = Field(default=True, description="One JSON object a line; false: for people.")

    @classmethod
    def load(cls) -> Self:
        """Read the environment. Raises pydantic's ValidationError, naming the variable, on a wrong value."""
        return cls()

    def database_dsn(self) -> str:
        """Return the database URL with its password."""
        if self.database_password_file is None:
            return self.database_url
        password = quote(self.database_password_file.read_text().strip(), safe="")
        url = urlsplit(self.database_url)
        host = url.netloc.rpartition("@")[2]
        return urlunsplit(url._replace(netloc=f"{url.username or 'denchi'}:{password}@{host}"))

    def broker_password(self) -> str | None:
        """Return the broker password, or None when none is set."""
        return self.broker_password_file.read_text().strip() if self.broker_password_file else None
