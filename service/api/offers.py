"""Offers as riders carry them: terms sealed into an opaque `offer_id`, so that a promise needs no row and cannot be changed."""

from datetime import datetime

import jwt
from pydantic import ValidationError

from service.api.errors import FieldError, ProblemError
from service.domain.offer import OfferTerms

_ALGORITHM = "HS256"
_TYPE = "denchi-offer+jwt"


class OfferSeal:
    """Seals and opens offers. Expiry is on the fleet clock, so it is ours to check, not the token library's."""

    def __init__(self, key: bytes) -> None:
        if len(key) < 32:
            raise ValueError("the offer key needs 32 bytes or more; make one with `openssl rand 32`")
        self._key = key

    def seal(self, terms: OfferTerms) -> str:
        """Return the `offer_id`."""
        return jwt.encode({"offer": terms.model_dump_json()}, self._key, _ALGORITHM, headers={"typ": _TYPE})

    def open(self, offer_id: str, rider_id: str, now: datetime) -> OfferTerms:
        """Return the terms in an `offer_id`.

        Raises
        ------
        ProblemError
            ``offer_invalid`` when it was changed, never ours or another rider's; ``offer_expired`` at `valid_until` and later.
        """
        try:
            header = jwt.get_unverified_header(offer_id)
            claims = jwt.decode(offer_id, self._key, algorithms=[_ALGORITHM])
            if header.get("typ") != _TYPE:
                raise jwt.InvalidTokenError("not an offer")
            terms = OfferTerms.model_validate_json(claims["offer"])
        except (jwt.PyJWTError, ValidationError, ValueError, KeyError, TypeError, RecursionError):
            raise _not_ours("not sealed by us, or changed") from None
        if terms.rider_id != rider_id:
            raise _not_ours("this offer was given to another rider")
        if now >= terms.valid_until:
            raise ProblemError(
                "offer_expired",
                f"the offer was good until {terms.valid_until.isoformat()}; ask for a new one with POST /v1/offers",
                members={"reason": "offer_expired", "alternatives": []},
            )
        return terms


def _not_ours(detail: str) -> ProblemError:
    return ProblemError("offer_invalid", detail, errors=[FieldError(pointer="#/offer_id", code="offer_invalid", detail=detail)])
