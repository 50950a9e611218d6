"""Every setting of a station controller, in one place. Environment variables with the prefix ``DENCHI_STATION_``."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class StationSettings(BaseSettings):
    """How one controller is set up. Unknown variables are ignored, wrong values are refused; secrets come from files."""

    model_config = SettingsConfigDict(env_prefix="DENCHI_STATION_", frozen=True, extra="ignore")

    station_id: str = Field(
        default="st-bench", pattern=r"^[A-Za-z0-9_-]{1,48}$", description="Name the station was provisioned with."
    )
    epoch: int = Field(default=1, ge=0, description="Issued at commissioning; +1 when the controller is replaced.")
    driver: str = Field(
        default="",
        description="Hardware driver of `run`: `package.module:factory`; it takes the clock and returns a cabinet.",
    )
    data_dir: Path = Field(default=Path(".denchi-station"), description="Where the journal lives; must survive a power cut.")

    broker_host: str = Field(default="127.0.0.1", description="MQTT 3.1.1 broker.")
    broker_port: int = Field(default=1883, ge=1, le=65535, description="Its port; 8883 with TLS as a rule.")
    broker_user: str | None = Field(default=None, description="User name at the broker; absent: the station id.")
    broker_password_file: Path | None = Field(default=None, description="File that holds the password; absent: none is sent.")
    broker_ca_file: Path | None = Field(default=None, description="CA certificate; set it to speak TLS.")

    clock_source: str = Field(default="ntp", pattern="^(ntp|gnss|rtc|none)$", description="Who keeps this machine's clock.")
    connect_jitter_s: float = Field(default=60.0, ge=0, le=3600, description="Connects are spread over 0 .. this [s].")
    not_heard_s: float = Field(default=60.0, gt=0, le=86400, description="Silence after which NotHeard is raised [s].")
    journal_max_rows: int = Field(default=50_000, ge=100, description="Most messages the journal holds.")
    journal_max_bytes: int = Field(default=64_000_000, ge=1_000_000, description="Most bytes the journal holds.")
    fallback_limit_ac_w: float | None = Field(
        default=None, ge=0, description="Site limit while no schedule ever came [W AC]; absent: the connection's own limit."
    )

    def broker_password(self) -> str | None:
        """Return the password, None when no file is named.

        Raises
        ------
        OSError : when the file cannot be read.
        """
        return None if self.broker_password_file is None else self.broker_password_file.read_text().strip()
