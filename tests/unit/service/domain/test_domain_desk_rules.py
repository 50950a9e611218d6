"""Gates, choice of a set, reservation states, ranking, tariff and carbon."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from service.domain import carbon, reservation, tariff
from service.domain.desk import Gates, choose_set, complete_sets, unfit_reason
from service.domain.offer import OfferTerms, rank
from service.domain.pack import PackModel, PackNow
from service.domain.recipe import Recipe, fits_together, usable_wh

NOW = datetime(2026, 4, 6, 8, tzinfo=UTC)
MODEL = PackModel("mp", 1000.0, 50.0, 500.0)
ONE = Recipe("mp", 1, "independent")
PAIR = Recipe("mp", 2, "series")
GATES = Gates(NOW)


def pack(name: str, soc: float = 1.0, soh: float = 1.0, **more: object) -> PackNow:
    fit = PackNow(name, MODEL, 1, "ok", None, soc, soh, 25.0, 10, 0, False, NOW - timedelta(seconds=60))
    return replace(fit, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("flaw", "reason"),
    [
        ({"condition": "quarantined"}, "quarantined"),
        ({"fault_count": 1}, "fault"),
        ({"held_by": "rsv_1"}, "held"),
        ({"reading_at": None}, "never_heard"),
        ({"reading_at": NOW - timedelta(seconds=1990)}, "stale"),
        ({"charging": True, "reading_at": NOW - timedelta(seconds=340)}, "stale"),
        ({"temp_max_degc": 45.1}, "hot"),
        ({"cell_spread_mv": 151}, "cell_spread"),
        ({"soc": 0.79}, "low"),
        ({"soh": 0.5}, "little_energy"),
    ],
)
def test_each_gate_stops_a_pack_for_its_reason(flaw: dict[str, object], reason: str) -> None:
    gates = replace(GATES, least_usable_wh=600.0)
    assert unfit_reason(pack("A"), gates) is None
    assert unfit_reason(replace(pack("A"), **flaw), gates) == reason  # type: ignore[arg-type]


def test_silence_of_a_resting_pack_inside_its_interval_means_unchanged() -> None:
    assert unfit_reason(pack("A", reading_at=NOW - timedelta(seconds=1900)), GATES) is None


def test_a_holder_may_take_what_it_holds() -> None:
    assert unfit_reason(pack("A", held_by="rsv_1"), replace(GATES, for_holder="rsv_1")) is None


def test_a_series_set_is_worth_n_times_its_weakest() -> None:
    packs = [pack("A", 1.0), pack("B", 0.9)]
    assert usable_wh(packs, "series") == pytest.approx(1800.0)
    assert usable_wh(packs, "parallel") == pytest.approx(1900.0)
    assert usable_wh([], "series") == 0.0


def test_packs_too_far_apart_do_not_ride_in_series_but_do_alone() -> None:
    packs = [pack("A", 1.0), pack("B", 0.82)]
    assert not fits_together(packs, PAIR)
    assert fits_together(packs, Recipe("mp", 2, "independent"))


def test_a_new_rider_gets_the_weakest_that_is_enough() -> None:
    packs = [pack("A", soh=1.0), pack("B", soh=0.9), pack("C", soh=0.7)]
    chosen = choose_set(packs, ONE, GATES, at_least_wh=800.0)
    assert chosen is not None
    assert chosen.serial_numbers == ("B",)
    assert chosen.why.endswith(".")


def test_who_had_the_weaker_half_gets_the_healthiest() -> None:
    packs = [pack("A", soh=1.0), pack("B", soh=0.9), pack("C", soh=0.8)]
    chosen = choose_set(packs, ONE, GATES, last_soh=0.8)
    assert chosen is not None
    assert chosen.serial_numbers == ("A",)


def test_a_pair_is_found_even_when_neighbours_in_health_do_not_fit() -> None:
    packs = [pack("A", 1.0, 0.95), pack("B", 0.81, 0.94), pack("C", 1.0, 0.93)]
    chosen = choose_set(packs, PAIR, GATES)
    assert chosen is not None
    assert set(chosen.serial_numbers) == {"A", "C"}


def test_no_set_when_the_promise_cannot_be_kept() -> None:
    assert choose_set([pack("A", 0.85)], ONE, GATES, at_least_wh=900.0) is None
    assert choose_set([pack("A")], PAIR, GATES) is None
    assert choose_set([pack("A", held_by="x")], ONE, GATES) is None


def test_complete_sets_are_disjoint() -> None:
    sets = complete_sets([pack(name) for name in "ABCDE"], PAIR, GATES)
    serials = [serial for chosen in sets for serial in chosen.serial_numbers]
    assert len(sets) == 2
    assert len(set(serials)) == 4


@pytest.mark.parametrize(
    ("status", "becomes"), [("reserved", "no_show"), ("pending", "expired"), ("cancelled", None), ("fulfilled", None)]
)
def test_time_ends_live_reservations_at_their_instant(status: reservation.ReservationStatus, becomes: str | None) -> None:
    assert reservation.when_over(status, NOW, NOW) == becomes
    assert reservation.when_over(status, NOW, NOW - timedelta(microseconds=1)) is None


def test_what_has_ended_stays_ended() -> None:
    assert reservation.may_become("reserved", "fulfilled")
    assert not reservation.may_become("no_show", "fulfilled")
    assert not reservation.may_become("fulfilled", "cancelled")


def test_the_price_is_whole_yen_and_grows_with_the_energy() -> None:
    assert tariff.price_micro(tariff.STANDARD, 0) == 100_000_000
    assert tariff.price_micro(tariff.STANDARD, 1000) == 145_000_000
    assert tariff.price_micro(tariff.STANDARD, 1011.1) % tariff.MICRO == 0


def test_emissions_count_the_way_into_the_pack_and_never_fall_below_zero() -> None:
    assert carbon.emissions_g(900.0, carbon.CarbonFactor(500.0, "test")) == pytest.approx(500.0)
    assert carbon.emissions_g(-5.0, carbon.DEFAULT) == 0.0


def test_near_and_full_comes_before_far() -> None:
    near = OfferTerms(
        rider_id="r", asset_id="v", station_id="a", station_name="A", latitude=0, longitude=0, distance_m=100, pack_model_id="mp",
        pack_count=1, usable_wh=800, probability=1, wait_s=0, price_micro=1, currency="JPY", co2e_g=0, carbon_source="t", why="w",
        arrive_from=NOW, valid_until=NOW, hold_until=NOW,
    )  # fmt: skip
    far = near.model_copy(update={"station_id": "b", "distance_m": 9000.0})
    assert [terms.station_id for terms in rank([far, near])] == ["a", "b"]
