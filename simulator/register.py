"""Tells the service who exists: pack models, riders, packs, vehicles, by the operator API. To tell it again changes nothing."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import httpx

from simulator.physics.pack import MOBILE_POWER_PACK
from simulator.world import World

BULK = 1000
"""Most items of one body, as the API allows."""


class RegistrationError(RuntimeError):
    """The service does not take the world; the message quotes its answer."""


def bodies(world: World) -> Iterator[tuple[str, str, list[dict[str, object]]]]:
    """Yield (path, name of the list, items) in the order in which they must be told."""
    terms, kind = world.scenario.pack_model, MOBILE_POWER_PACK
    model: dict[str, object] = {
        "pack_model_id": terms.pack_model_id,
        "nominal_wh": kind.nominal_wh,
        "nominal_v": kind.nominal_v,
        "max_charge_w": kind.max_charge_w,
        "hand_out_soc": terms.hand_out_soc,
        "target_soc": terms.target_soc,
    }
    yield "/v1/pack-models", "pack_models", [model]
    yield "/v1/riders", "riders", [{"rider_id": rider.rider_id, "name": rider.name} for rider in world.riders]
    serials = [pack.serial_number for pack in world.packs()]
    yield "/v1/packs", "packs", [{"serial_number": serial, "pack_model_id": terms.pack_model_id} for serial in serials]
    yield (
        "/v1/vehicles",
        "vehicles",
        [
            {
                "vehicle_id": rider.vehicle_id,
                "rider_id": rider.rider_id,
                "pack_model_id": terms.pack_model_id,
                "pack_count": len(rider.packs),
                "wiring": "series",
                "serial_numbers": [pack.serial_number for pack in rider.packs],
            }
            for rider in world.riders
        ],
    )


async def register(
    http: httpx.AsyncClient,
    token: str,
    world: World,
    *,
    tries: int = 30,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> dict[str, int]:
    """Register the whole world; return how many items were `created` and how many `unchanged`.

    Raises
    ------
    RegistrationError
        The service refuses, or does not answer within `tries` tries of a second.
    """
    counts = {"created": 0, "unchanged": 0}
    for path, name, items in bodies(world):
        for start in range(0, len(items), BULK):
            told = await _post(http, token, path, {name: items[start : start + BULK]}, tries, sleep)
            for count in counts:
                counts[count] += int(told.get(count, 0))
    return counts


async def _post(
    http: httpx.AsyncClient,
    token: str,
    path: str,
    body: dict[str, Sequence[object]],
    tries: int,
    sleep: Callable[[float], Awaitable[None]],
) -> dict[str, Any]:
    why = ""
    for attempt in range(tries):
        if attempt:
            await sleep(1.0)
        try:
            answer = await http.post(path, json=body, headers={"Authorization": f"Bearer {token}"})
        except httpx.TransportError as error:
            why = f"{type(error).__name__}: {error}"
            continue
        if answer.status_code < 300:
            told: dict[str, Any] = answer.json()
            return told
        why = f"{answer.status_code} {answer.text[:500]}"
        if answer.status_code < 500 and answer.status_code != 429:
            break
    raise RegistrationError(f"POST {path} was not taken: {why}")
