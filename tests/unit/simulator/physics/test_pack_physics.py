"""Packs against theory: energy is kept, charging takes as long as the sums say, heat and wear go the right way."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.physics.pack import MOBILE_POWER_PACK as KIND
from simulator.physics.pack import PackArrays, charge_power_w, read, step

AMBIENT_DEGC = 22.0


def packs_at(*soc: float, soh: float = 1.0) -> PackArrays:
    levels = np.array(soc, dtype=np.float64)
    return PackArrays.new(levels, np.full_like(levels, soh), np.full_like(levels, 10.0), AMBIENT_DEGC, KIND)


def charge(packs: PackArrays, hours: float, dt_s: float = 10.0, limit_w: float = 1e6) -> float:
    limits, none = np.full_like(packs.soh, limit_w), np.zeros_like(packs.soh)
    return sum(float(step(packs, dt_s, limits, none, AMBIENT_DEGC, KIND).sum()) for _ in range(round(hours * 3600 / dt_s)))


def test_an_empty_new_pack_is_full_in_about_five_hours_as_the_data_sheet_says() -> None:
    packs = packs_at(0.0)
    charge(packs, 4.5)
    assert packs.soc(KIND)[0] < 0.999
    charge(packs, 0.6)
    assert packs.soc(KIND)[0] == pytest.approx(1.0, abs=2e-3)


def test_the_time_to_85_percent_is_energy_over_power() -> None:
    packs = packs_at(0.0)
    hours = KIND.taper_from_soc * KIND.nominal_wh / KIND.charge_efficiency / KIND.max_charge_w
    charge(packs, hours, dt_s=1.0)
    assert packs.soc(KIND)[0] == pytest.approx(KIND.taper_from_soc, abs=1e-3)


def test_the_taper_follows_its_exponential() -> None:
    packs = packs_at(KIND.taper_from_soc)
    charge(packs, 1.0, dt_s=1.0)
    # dx/dt = (1 - (1 - f) x) k: the closed form of a power that falls in a straight line with the level.
    width = 1.0 - KIND.taper_from_soc
    k = KIND.max_charge_w * KIND.charge_efficiency / (KIND.nominal_wh * width)
    slope = 1.0 - KIND.taper_floor
    x = (1.0 - math.exp(-slope * k)) / slope
    assert packs.soc(KIND)[0] == pytest.approx(KIND.taper_from_soc + width * x, abs=2e-4)


def test_charging_power_never_rises_with_the_level_and_is_nothing_when_full() -> None:
    levels = np.linspace(0.0, 1.0, 1001)
    power_w = charge_power_w(levels, KIND)
    assert (np.diff(power_w) <= 0).all()
    assert power_w[0] == KIND.max_charge_w
    assert power_w[-1] == 0.0


steps = st.lists(
    st.tuples(st.floats(0.01, 3600), st.floats(0, 500), st.floats(0, 3000), st.floats(-10, 40)), min_size=1, max_size=40
)


@given(soc=st.floats(0, 1), soh=st.floats(0.6, 1), history=steps)
def test_energy_is_neither_made_nor_lost(soc: float, soh: float, history: list[tuple[float, float, float, float]]) -> None:
    packs = packs_at(soc, soh=soh)
    stored, came, went, lost = (float(x[0]) for x in (packs.stored_wh, packs.energy_in_wh, packs.energy_out_wh, packs.loss_wh))
    for dt_s, limit_w, draw_w, ambient_degc in history:
        registers = packs.energy_in_wh[0], packs.energy_out_wh[0], packs.hot_s[0], packs.loss_wh[0]
        step(packs, dt_s, np.array([limit_w]), np.array([draw_w]), ambient_degc, KIND)
        assert (packs.energy_in_wh[0], packs.energy_out_wh[0], packs.hot_s[0], packs.loss_wh[0]) >= registers
        assert 0.0 <= packs.stored_wh[0] <= packs.soh[0] * KIND.nominal_wh + 1e-6
    came, went = packs.energy_in_wh[0] - came, packs.energy_out_wh[0] - went
    assert packs.stored_wh[0] - stored == pytest.approx(came - went - (packs.loss_wh[0] - lost), abs=1e-3)


def test_a_limit_is_a_ceiling_that_a_pack_never_passes() -> None:
    packs = packs_at(0.3, 0.3, 0.3)
    step(packs, 60.0, np.array([0.0, 120.0, 9999.0]), np.zeros(3), AMBIENT_DEGC, KIND)
    assert packs.power_w == pytest.approx([0.0, 120.0, KIND.max_charge_w])


def test_an_empty_pack_gives_nothing() -> None:
    packs = packs_at(0.0)
    step(packs, 60.0, np.zeros(1), np.array([1000.0]), AMBIENT_DEGC, KIND)
    assert packs.power_w[0] == 0.0
    assert packs.stored_wh[0] == 0.0


def test_one_long_step_heats_as_much_as_many_short_ones() -> None:
    short, long = packs_at(0.1), packs_at(0.1)
    charge(short, 1.0, dt_s=1.0)
    charge(long, 1.0, dt_s=60.0)
    assert short.temperature_degc[0] == pytest.approx(long.temperature_degc[0], abs=0.02)
    goal_degc = AMBIENT_DEGC + KIND.max_charge_w * (1 - KIND.charge_efficiency) * KIND.thermal_resistance_k_per_w
    assert AMBIENT_DEGC + 2 < short.temperature_degc[0] < goal_degc


def test_a_thousand_full_cycles_cost_a_fifth_of_the_health() -> None:
    packs = packs_at(0.0)
    for _ in range(20):
        charge(packs, 6.0, dt_s=600.0)
        step(packs, 36_000.0, np.zeros(1), np.array([2500.0]), AMBIENT_DEGC, KIND)
    cycles = packs.energy_in_wh[0] / KIND.nominal_wh
    assert 19 < cycles < 21
    assert 1.0 - packs.soh[0] == pytest.approx(0.2 * cycles / 1000, rel=1e-6)


def test_readings_hang_together() -> None:
    packs = packs_at(0.5)
    step(packs, 10.0, np.array([300.0]), np.zeros(1), AMBIENT_DEGC, KIND)
    told = read(packs, 0, KIND)
    assert told.power_dc_w == pytest.approx(300.0)
    assert told.current_a * told.voltage_v == pytest.approx(300.0, rel=0.01)
    assert told.cell_min_mv < told.cell_max_mv <= 4250
    assert told.temp_min_degc < told.temp_max_degc
    assert told.charge_limit_w == KIND.max_charge_w
    assert isinstance(told.energy_in_wh, int)
