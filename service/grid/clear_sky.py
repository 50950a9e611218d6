"""What a station's own panels would yield under a clear sky: for places where nobody measures. An upper bound, no forecast.

Needs pvlib (the extra `pv`), which is imported only when it is asked for: it takes seconds.
"""

import warnings
from datetime import datetime, timedelta
from math import isfinite

from service.domain.signal import Place, Signal

SOURCE = "clear sky (pvlib)"
TILT_DEG = 20.0
"""Guess: a flat roof in Japan, low against wind."""
AZIMUTH_DEG = 180.0
"""South; 90 is east."""
LOSSES = 0.14
"""Share lost between panel and meter. Source: the default of PVWatts (NREL/TP-6A20-62641)."""
STANDARD_W_PER_M2 = 1000.0
"""Irradiance at which a panel yields its peak power. Source: standard test conditions, IEC 61215."""
_SAMPLE_S = 300
"""The sun is looked at in the middle of every five minutes."""


class PvlibMissingError(RuntimeError):
    """pvlib is not installed."""


def clear_sky_signals(
    station_id: str,
    latitude: float,
    longitude: float,
    start_at: datetime,
    days: int,
    *,
    known_at: datetime,
    peak_w: float,
    tilt_deg: float = TILT_DEG,
    azimuth_deg: float = AZIMUTH_DEG,
    losses: float = LOSSES,
    period_s: int = 1800,
) -> list[Signal]:
    """Return `own_pv_w` of `days` times 24 h, from the interval that holds `start_at`.

    Power is proportional to the irradiance in the plane of the panels (Ineichen's clear sky, mean turbidity of the month).
    Neither clouds nor heat nor shade take anything away: real panels yield less.

    Parameters
    ----------
    peak_w : peak power of the panels under standard test conditions.
    tilt_deg, azimuth_deg : 0 lies flat, 90 stands; 90 looks east, 180 south.
    losses : share lost between panel and meter.
    period_s : 900 or 1800.

    Raises
    ------
    PvlibMissingError
        Without pvlib.
    ValueError
        For a period that is neither 900 nor 1800 s, or panels that cannot be.
    """
    if period_s not in (900, 1800):
        raise ValueError(f"a period of {period_s} s: choose 900 or 1800")
    if peak_w <= 0 or not 0 <= losses < 1 or not 0 <= tilt_deg <= 90 or days < 1:
        raise ValueError("peak power and days must be positive, losses in [0, 1), the tilt from 0 to 90 degrees")
    first_at = start_at - timedelta(seconds=start_at.timestamp() % period_s)
    irradiance = _irradiance_w_per_m2(latitude, longitude, first_at, days * 86_400 // _SAMPLE_S, tilt_deg, azimuth_deg)
    per_interval = period_s // _SAMPLE_S
    power_w = [peak_w * (1.0 - losses) * each / STANDARD_W_PER_M2 for each in irradiance]
    mean_w = [sum(power_w[at : at + per_interval]) / per_interval for at in range(0, len(power_w), per_interval)]
    place = Place("station", station_id)
    return [
        Signal("own_pv_w", place, first_at + timedelta(seconds=number * period_s), period_s, round(value, 1), known_at, SOURCE)
        for number, value in enumerate(mean_w)
    ]


def _irradiance_w_per_m2(
    latitude: float, longitude: float, first_at: datetime, samples: int, tilt_deg: float, azimuth_deg: float
) -> list[float]:
    """Return the global irradiance in the plane of the panels in the middle of each sample."""
    try:
        import pandas as pd
        from pvlib import irradiance
        from pvlib.location import Location
    except ImportError as error:
        raise PvlibMissingError("the clear-sky model needs pvlib, which is not installed") from error
    middle = first_at + timedelta(seconds=_SAMPLE_S / 2)
    instants = pd.date_range(middle, periods=samples, freq=f"{_SAMPLE_S}s")
    location = Location(latitude, longitude, tz="UTC")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of pandas, for what pvlib asks of it
        sun = location.get_solarposition(instants)
        sky = location.get_clearsky(instants, model="ineichen", solar_position=sun)
        plane = irradiance.get_total_irradiance(
            tilt_deg, azimuth_deg, sun["apparent_zenith"], sun["azimuth"], sky["dni"], sky["ghi"], sky["dhi"]
        )
    return [max(0.0, value) if isfinite(value) else 0.0 for value in plane["poa_global"].tolist()]
