"""A rider's app: the few HTTP calls that a swap takes. Knows the answers' shapes, not what a rider does with them.

Every refusal comes back as a value with its reason. A request that may be repeated is repeated, under the same
Idempotency-Key, until it is answered or the patience is over.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from simulator.places import Point

UNREACHABLE = "service_unreachable"
"""Reason of a request that was not answered in time."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One offer, as far as a rider looks at it."""

    offer_id: str
    station_id: str
    distance_m: float
    wait_s: float


@dataclass(frozen=True, slots=True)
class Refused:
    """The service said no, or nothing at all; `reason` is its word."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unresolved:
    """The service does not know whether the station opened. It must not be asked to start again."""

    swap_id: str | None


@dataclass(frozen=True, slots=True)
class Held:
    """A reservation."""

    reservation_id: str
    station_id: str


@dataclass(frozen=True, slots=True)
class Begun:
    """A swap that the station has accepted, or is about to."""

    swap_id: str


@dataclass(frozen=True, slots=True)
class SwapNow:
    """How far a swap is."""

    swap_id: str
    status: str
    reason: str | None


class RiderClient:
    """The HTTP calls of all riders.

    Parameters
    ----------
    tokens : access token of each rider.
    patience_s : how long a request is repeated, wall seconds.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        tokens: Mapping[str, str],
        *,
        patience_s: float = 30.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float],
    ) -> None:
        self._http = http
        self._tokens = tokens
        self._patience_s = patience_s
        self._sleep = sleep
        self._monotonic = monotonic

    async def offers(self, rider_id: str, vehicle_id: str, near: Point) -> list[Offer] | Refused:
        """Ask where to swap. No offer at all is refused with the reason the service gave."""
        place = {"latitude": near.latitude, "longitude": near.longitude}
        answer = await self._ask("POST", "/v1/offers", rider_id, body={"vehicle_id": vehicle_id, "near": place})
        if answer is None or answer.status_code != 200:
            return Refused(_reason(answer))
        told = answer.json()
        found = [
            Offer(each["offer_id"], each["station_id"], float(each.get("distance_m") or 0.0), float(each.get("wait_s") or 0.0))
            for each in told["offers"]
        ]
        return found or Refused(str(told.get("reason") or "no_offers"))

    async def reserve(self, rider_id: str, offer_id: str, key: str) -> Held | Refused:
        """Take an offer."""
        answer = await self._ask("POST", "/v1/reservations", rider_id, body={"offer_id": offer_id}, key=key)
        if answer is None or answer.status_code not in (200, 201):
            return Refused(_reason(answer))
        told = answer.json()
        return Held(told["reservation_id"], told["station_id"])

    async def cancel(self, rider_id: str, reservation_id: str) -> None:
        """Give a reservation back. Whether that worked does not matter to the rider: it expires anyway."""
        await self._ask("DELETE", f"/v1/reservations/{reservation_id}", rider_id)

    async def release(self, rider_id: str) -> None:
        """Give every live reservation of a rider back: one may be left from a swap that the station rejected."""
        answer = await self._ask("GET", "/v1/reservations", rider_id)
        if answer is None or answer.status_code != 200:
            return
        for each in answer.json()["reservations"]:
            if each["status"] in ("pending", "reserved"):
                await self.cancel(rider_id, each["reservation_id"])

    async def start_swap(self, rider_id: str, reservation_id: str, key: str) -> Begun | Refused | Unresolved:
        """Say at the station that the swap may begin."""
        answer = await self._ask("POST", "/v1/swaps", rider_id, body={"reservation_id": reservation_id}, key=key)
        if answer is not None and answer.status_code in (200, 201):
            return Begun(answer.json()["swap_id"])
        if answer is None:
            return Unresolved(None)
        if answer.status_code == 504:
            swap_id = _document(answer).get("swap_id")
            return Unresolved(None if swap_id is None else str(swap_id))
        return Refused(_reason(answer))

    async def swap(self, rider_id: str, swap_id: str) -> SwapNow | None:
        """Return how far a swap is, None when nobody answers."""
        answer = await self._ask("GET", f"/v1/swaps/{swap_id}", rider_id)
        if answer is None or answer.status_code != 200:
            return None
        told = answer.json()
        return SwapNow(swap_id, str(told["status"]), told.get("status_reason"))

    async def _ask(
        self, method: str, path: str, rider_id: str, *, body: dict[str, Any] | None = None, key: str | None = None
    ) -> httpx.Response | None:
        headers = {"Authorization": f"Bearer {self._tokens[rider_id]}"}
        if key is not None:
            headers["Idempotency-Key"] = key
        give_up_s = self._monotonic() + self._patience_s
        pause_s = 0.5
        while True:
            answer: httpx.Response | None
            try:
                answer = await self._http.request(method, path, json=body, headers=headers)
            except httpx.TransportError:
                answer = None
            if answer is not None and not _again(answer):
                return answer
            if self._monotonic() + pause_s > give_up_s:
                return answer
            await self._sleep(pause_s)
            pause_s = min(pause_s * 2, 5.0)


def _again(answer: httpx.Response) -> bool:
    """Tell whether the same request may bring another answer. `not_delivered` and 504 are answers for good."""
    if answer.status_code == 409:
        return _problem(answer) == "still_running"
    return answer.status_code == 429 or (answer.status_code >= 500 and _problem(answer) not in ("not_delivered", "unresolved"))


def _document(answer: httpx.Response) -> dict[str, Any]:
    try:
        told = answer.json()
    except json.JSONDecodeError:
        return {}
    return told if isinstance(told, dict) else {}


def _problem(answer: httpx.Response) -> str:
    return str(_document(answer).get("type", "")).rpartition("/")[2]


def _reason(answer: httpx.Response | None) -> str:
    if answer is None:
        return UNREACHABLE
    told = _document(answer)
    return str(told.get("reason") or told.get("status_reason") or _problem(answer) or f"http_{answer.status_code}")
