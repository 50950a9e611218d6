"""Offers: what is promised to a rider, for how long, and in which order offers are shown. Nothing is held by an offer."""

from collections.abc import Iterable
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field


class OfferTerms(BaseModel):
    """One proposal. No pack is pinned: the energy of a complete set is promised. Signed by the door, opaque to the rider."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rider_id: str
    asset_id: str
    station_id: str
    station_name: str
    latitude: float
    longitude: float
    distance_m: float | None = None
    """Along a great circle from where the rider asked; None when he named a station and no position."""
    pack_model_id: str
    pack_count: int = Field(ge=1, le=3)
    usable_wh: float = Field(ge=0)
    """Energy promised for the whole set [Wh]."""
    probability: float = Field(ge=0, le=1)
    wait_s: float = Field(ge=0)
    price_micro: int = Field(ge=0)
    currency: str = Field(pattern="^[A-Z]{3}$")
    co2e_g: float = Field(ge=0)
    carbon_source: str
    why: str
    arrive_from: datetime
    valid_until: datetime
    """The offer itself is good until this fleet instant (exclusive)."""
    hold_until: datetime
    """A reservation made from it holds until this fleet instant."""


# Guess: what a minute of waiting and a kilometre of detour are worth to a rider, in Wh that he would give up for it.
_WH_PER_METRE = 0.02
_WH_PER_SECOND = 0.2


def worth_wh(terms: OfferTerms) -> float:
    """Return how good an offer is [Wh]: energy expected, less distance and wait."""
    return terms.usable_wh * terms.probability - (terms.distance_m or 0.0) * _WH_PER_METRE - terms.wait_s * _WH_PER_SECOND


def rank(offers: Iterable[OfferTerms]) -> tuple[OfferTerms, ...]:
    """Return the offers, best first; equal ones in the order of their station's id."""
    return tuple(sorted(offers, key=lambda terms: (-worth_wh(terms), terms.station_id)))
