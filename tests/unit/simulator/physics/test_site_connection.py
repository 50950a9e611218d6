"""A site's meter counts what the chargers take, their losses and the cabinet's own need."""

import numpy as np
import pytest

from simulator.physics.connection import EXCHANGER_CONNECTION as KIND
from simulator.physics.connection import SiteMeters, step


def test_the_meter_counts_charging_with_its_losses_and_the_base_load() -> None:
    meters = SiteMeters.new(2)
    for _ in range(360):
        step(meters, 10.0, np.array([0.0, 2.0]), KIND)
    assert meters.import_wh == pytest.approx([KIND.base_load_ac_w, KIND.base_load_ac_w + 720.0 / KIND.charger_efficiency])
    assert meters.power_ac_w[0] == pytest.approx(KIND.base_load_ac_w)


def test_time_over_the_limit_is_counted() -> None:
    meters = SiteMeters.new(2)
    over_wh = (KIND.max_import_ac_w + 100.0 - KIND.base_load_ac_w) * KIND.charger_efficiency * 60 / 3600
    step(meters, 60.0, np.array([over_wh, over_wh / 2]), KIND)
    assert meters.over_limit_s.tolist() == [60.0, 0.0]
