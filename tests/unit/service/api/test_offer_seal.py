"""Sealed offers: bound to a rider, good until their fleet instant, not to be changed."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.errors import ProblemError
from service.api.offers import OfferSeal
from service.domain.offer import OfferTerms

NOW = datetime(2026, 4, 6, tzinfo=UTC)
TERMS = OfferTerms(
    rider_id="rider-1",
    asset_id="vehicle-1",
    station_id="st-1",
    station_name="博多 1",
    latitude=33.59,
    longitude=130.4,
    pack_model_id="pm-1",
    pack_count=2,
    usable_wh=2400,
    probability=0.95,
    wait_s=0,
    price_micro=350_000_000,
    currency="JPY",
    co2e_g=800.5,
    carbon_source="synthetic",
    why="Ready now.",
    arrive_from=NOW,
    valid_until=NOW + timedelta(seconds=120),
    hold_until=NOW + timedelta(hours=1),
)
SEAL = OfferSeal(b"k" * 32)


def refused(offer_id: str, rider_id: str = "rider-1", now: datetime = NOW) -> str:
    with pytest.raises(ProblemError) as caught:
        SEAL.open(offer_id, rider_id, now)
    return caught.value.name


def test_sealed_terms_come_back_exactly() -> None:
    assert SEAL.open(SEAL.seal(TERMS), "rider-1", NOW) == TERMS


def test_an_offer_is_good_until_its_last_instant_and_not_at_it() -> None:
    offer_id = SEAL.seal(TERMS)
    assert SEAL.open(offer_id, "rider-1", TERMS.valid_until - timedelta(microseconds=1)) == TERMS
    assert refused(offer_id, now=TERMS.valid_until) == "offer_expired"


def test_an_offer_belongs_to_its_rider() -> None:
    assert refused(SEAL.seal(TERMS), "rider-2") == "offer_invalid"


def test_an_offer_of_another_installation_is_none_of_ours() -> None:
    assert refused(OfferSeal(b"j" * 32).seal(TERMS)) == "offer_invalid"


@given(text=st.text(max_size=300))
def test_made_up_offers_are_refused(text: str) -> None:
    assert refused(text) == "offer_invalid"


@given(place=st.integers(0, 10_000), letter=st.sampled_from("Ab9_.-"))
def test_a_changed_letter_is_noticed(place: int, letter: str) -> None:
    offer_id = SEAL.seal(TERMS)
    at = place % (len(offer_id) - 1)  # the last letter carries bits that count for nothing
    if offer_id[at] != letter:
        assert refused(offer_id[:at] + letter + offer_id[at + 1 :]) == "offer_invalid"


def test_a_short_key_is_not_taken() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        OfferSeal(b"short")
