"""The plant in memory: energy is kept, nobody exceeds his limit or his connection, packs only change places."""

import numpy as np
import pytest

from simulator.offline.plant import OfflinePlant
from simulator.scenario import load_scenario
from simulator.world import make_world


def plant(scenario: str = "exchanger-30", stations: int = 3) -> OfflinePlant:
    return OfflinePlant(make_world(load_scenario(scenario), stations, 1))


def test_what_goes_in_and_out_is_what_the_packs_hold_and_lose() -> None:
    ours = plant()
    ours.slot_limit_w[:] = 340.0
    before, packs = ours.packs.stored_wh.sum(), ours.packs
    first = packs.energy_in_wh.sum() - packs.energy_out_wh.sum() - packs.loss_wh.sum()
    charged, wanted = 0.0, 0.0
    for _ in range(120):
        ac_wh, wish_wh = ours.step(60.0, 1.5)
        charged, wanted = charged + ac_wh, wanted + wish_wh
    last = packs.energy_in_wh.sum() - packs.energy_out_wh.sum() - packs.loss_wh.sum()
    assert packs.stored_wh.sum() - before == pytest.approx(last - first, abs=1e-6)
    base_wh = 3 * ours.connection.base_load_ac_w * 2.0
    assert ours.meters.import_wh.sum() - base_wh == pytest.approx(charged)
    assert wanted > 0 < charged
    assert sum(ours.stored_wh()) == pytest.approx(packs.stored_wh.sum())


def test_a_charger_gives_no_more_than_its_limit_and_an_empty_slot_nothing() -> None:
    ours = plant()
    ours.slot_limit_w[0, :] = 50.0
    ac_wh, _ = ours.step(60.0, 0.0)
    here = ours.in_slot[0][ours.in_slot[0] >= 0]
    assert ours.packs.power_w[here].max() <= 50.0 + 1e-9
    assert ours.packs.power_w.sum() / 60.0 / ours.connection.charger_efficiency == pytest.approx(ac_wh)
    elsewhere = np.setdiff1d(np.arange(len(ours.serials)), here)
    assert not ours.packs.power_w[elsewhere].any()


def test_a_small_connection_is_shared_alike_and_never_exceeded() -> None:
    ours = plant("default")
    ours.packs.stored_wh[:] = 0.3 * ours.packs.soh * ours.kind.nominal_wh
    # Twelve packs at full power want more than this connection gives.
    row = ours.in_slot[0]
    row[row < 0] = ours.in_vehicle[:, 0][: np.count_nonzero(row < 0)]
    ours.slot_limit_w[:] = 340.0
    ours.step(60.0, 0.0)
    assert ours.meters.power_ac_w[0] == pytest.approx(ours.connection.max_import_ac_w)
    assert ours.meters.over_limit_s[0] == 0.0
    assert np.ptp(ours.packs.power_w[row]) < 1e-9


def test_a_swap_moves_packs_and_changes_no_energy() -> None:
    ours = plant()
    rider = int(np.flatnonzero((ours.in_vehicle >= 0).sum(axis=1) == 2)[0])
    wanted = [int(number) for number in ours.in_slot[1][ours.in_slot[1] >= 0][:2]]
    brought = ours.in_vehicle[rider].tolist()
    stored = ours.packs.stored_wh.copy()
    ours.swap(rider, 1, wanted, 123.0)
    assert ours.in_vehicle[rider].tolist() == wanted
    assert all(number in ours.in_slot[1] for number in brought)
    assert (ours.slot_limit_w[1][np.isin(ours.in_slot[1], brought)] == 123.0).all()
    np.testing.assert_array_equal(stored, ours.packs.stored_wh)
    everywhere = np.concatenate([ours.in_slot[ours.in_slot >= 0], ours.in_vehicle[ours.in_vehicle >= 0]])
    assert sorted(everywhere.tolist()) == list(range(len(ours.serials)))


def test_a_pack_that_is_not_there_is_not_handed_out() -> None:
    ours = plant()
    with pytest.raises(ValueError, match="cannot swap"):
        ours.swap(0, 0, [int(ours.in_slot[1].max())], 0.0)
