"""The clear-sky model: the sun rises and sets where the station stands, and without pvlib it says what to install."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from service.domain.signal import Place, Signal
from service.grid.clear_sky import SOURCE, PvlibMissingError, clear_sky_signals

HAKATA = (33.59, 130.40)
MADE_AT = datetime(2022, 4, 9, 23, 7, tzinfo=UTC)
MIDNIGHT = datetime(2022, 4, 9, 15, 0, tzinfo=UTC)
"""00:00 in Japan."""


def panels(latitude: float = HAKATA[0], longitude: float = HAKATA[1], **changes: float) -> list[Signal]:
    start_at, days = MIDNIGHT, int(changes.pop("days", 1))
    period_s = int(changes.pop("period_s", 1800))
    options = {"peak_w": 5000.0, **changes}
    return clear_sky_signals("st-1", latitude, longitude, start_at, days, known_at=MADE_AT, period_s=period_s, **options)


def energy_wh(signals: list[Signal]) -> float:
    return sum(signal.value * signal.period_s / 3600 for signal in signals)


def test_it_speaks_of_the_station_labelled_and_known_when_it_was_made() -> None:
    signals = panels(days=2)
    assert len(signals) == 96
    assert {(s.series, s.place, s.known_at, s.source) for s in signals} == {
        ("own_pv_w", Place("station", "st-1"), MADE_AT, SOURCE)
    }
    assert [s.start_at for s in signals[:2]] == [MIDNIGHT, MIDNIGHT + timedelta(minutes=30)]


def test_the_night_is_dark_noon_is_bright_and_the_peak_is_never_passed() -> None:
    values = [signal.value for signal in panels()]
    assert values[:10] == [0.0] * 10  # until 05:00
    assert values[40:] == [0.0] * 8  # from 20:00
    assert values.index(max(values)) in (24, 25)  # the sun of Fukuoka is highest at 12:20 of Japan's clock
    assert 0.7 * 5000 < max(values) < 5000


def test_an_april_day_in_fukuoka_is_what_others_find() -> None:
    # Clear April days in Fukuoka bring about 7 kWh/m2 on a plane tilted 20 degrees to the south.
    assert 5.0 < energy_wh(panels()) / 5000 / (1 - 0.14) < 8.5


def test_quarter_hours_hold_the_same_energy() -> None:
    assert energy_wh(panels(period_s=900)) == pytest.approx(energy_wh(panels()), rel=1e-3)


def test_panels_to_the_east_are_early_and_losses_are_a_share() -> None:
    east, west = panels(azimuth_deg=90), panels(azimuth_deg=270)
    assert energy_wh(east[:24]) > energy_wh(west[:24])
    assert energy_wh(panels(losses=0.0)) == pytest.approx(energy_wh(panels()) / 0.86, rel=1e-3)


@pytest.mark.parametrize(("latitude", "longitude"), [(-90.0, 0.0), (90.0, 180.0), (0.0, -180.0), (69.6, 18.9)])
def test_anywhere_on_earth_power_is_a_number_and_not_negative(latitude: float, longitude: float) -> None:
    assert all(0 <= signal.value <= 5000 for signal in panels(latitude, longitude, days=3))


def test_an_interval_begins_where_its_period_begins() -> None:
    signals = clear_sky_signals("st-1", *HAKATA, MIDNIGHT + timedelta(minutes=17, seconds=5), 1, known_at=MADE_AT, peak_w=1.0)
    assert signals[0].start_at == MIDNIGHT


@pytest.mark.parametrize("wrong", [{"period_s": 600}, {"peak_w": 0.0}, {"losses": 1.0}, {"tilt_deg": 91.0}, {"days": 0}])
def test_panels_that_cannot_be_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        panels(**wrong)


def test_without_pvlib_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pvlib", None)
    with pytest.raises(PvlibMissingError, match="needs pvlib"):
        panels()


def test_no_command_imports_pvlib_at_its_start() -> None:
    program = "import sys, service.cli.app, service.grid.clear_sky; print([m for m in ('pvlib', 'pandas') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
