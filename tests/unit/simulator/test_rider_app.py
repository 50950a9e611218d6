"""The riders' app over a real HTTP client: what is repeated, under which key, and what each answer becomes."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from simulator.places import Point
from simulator.rider_client import UNREACHABLE, Begun, Held, Offer, Refused, RiderClient, Unresolved

Answer = httpx.Response | Exception


class Line:
    """A service that gives the prepared answers in turn, and remembers what it was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.asked: list[httpx.Request] = []
        self._answers = list(answers)
        self.now_s = 0.0

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def app(self) -> RiderClient:
        http = httpx.AsyncClient(base_url="http://test", transport=httpx.MockTransport(self.handle))
        return RiderClient(http, {"r1": "token-1"}, sleep=self.sleep, monotonic=lambda: self.now_s)


def problem(status: int, kind: str, **more: Any) -> httpx.Response:
    return httpx.Response(status, json={"type": f"/problems/{kind}", "title": "x", "status": status, **more})


async def test_a_start_is_repeated_under_the_same_key_until_it_is_answered() -> None:
    line = Line(
        httpx.ConnectError("away"),
        problem(503, "database_away"),
        problem(409, "still_running"),
        httpx.Response(502, text="<html>"),
        httpx.Response(201, json={"swap_id": "swp_1", "status": "authorised"}),
    )
    assert await line.app().start_swap("r1", "rsv_1", "key-1") == Begun("swp_1")
    assert [request.headers["idempotency-key"] for request in line.asked] == ["key-1"] * 5
    assert {request.headers["authorization"] for request in line.asked} == {"Bearer token-1"}
    assert json.loads(line.asked[0].content) == {"reservation_id": "rsv_1"}


@pytest.mark.parametrize(
    ("answer", "means"),
    [
        (problem(503, "not_delivered"), Refused("not_delivered")),
        (problem(504, "unresolved", swap_id="swp_9"), Unresolved("swp_9")),
        (problem(409, "swap_rejected", status_reason="NoEmptySlot"), Refused("NoEmptySlot")),
        (problem(409, "refused", reason="station_offline"), Refused("station_offline")),
        (problem(422, "invalid"), Refused("invalid")),
        (httpx.Response(418, text="tea"), Refused("http_418")),
    ],
)
async def test_a_final_answer_is_asked_for_once(answer: httpx.Response, means: object) -> None:
    line = Line(answer)
    assert await line.app().start_swap("r1", "rsv_1", "key-1") == means
    assert len(line.asked) == 1


async def test_a_start_that_nobody_answers_is_unresolved_not_refused() -> None:
    line = Line(httpx.ReadTimeout("slow"))
    assert await line.app().start_swap("r1", "rsv_1", "key-1") == Unresolved(None)
    assert 5 < len(line.asked) < 20
    assert line.now_s <= 30


@pytest.mark.parametrize("ask", [lambda app: app.offers("r1", "v1", Point(33.5, 130.4)), lambda app: app.reserve("r1", "o", "k")])
async def test_a_service_that_is_away_refuses_with_a_reason_of_our_own(ask: Callable[[RiderClient], Any]) -> None:
    assert await ask(Line(httpx.ConnectError("away")).app()) == Refused(UNREACHABLE)


async def test_offers_and_reservations_are_read() -> None:
    offer = {"offer_id": "o1", "station_id": "st-1", "distance_m": None, "wait_s": 12}
    line = Line(httpx.Response(200, json={"offers": [offer], "reason": None}))
    assert await line.app().offers("r1", "v1", Point(33.5, 130.4)) == [Offer("o1", "st-1", 0.0, 12.0)]
    none = Line(httpx.Response(200, json={"offers": [], "reason": "no_ready_pack"}))
    assert await none.app().offers("r1", "v1", Point(33.5, 130.4)) == Refused("no_ready_pack")
    held = Line(httpx.Response(201, json={"reservation_id": "rsv_1", "station_id": "st-1"}))
    assert await held.app().reserve("r1", "o1", "k1") == Held("rsv_1", "st-1")


async def test_only_live_reservations_are_given_back() -> None:
    reservations = [{"reservation_id": "a", "status": "reserved"}, {"reservation_id": "b", "status": "fulfilled"}]
    line = Line(httpx.Response(200, json={"reservations": reservations}), httpx.Response(200, json={}))
    await line.app().release("r1")
    assert [(request.method, request.url.path) for request in line.asked] == [
        ("GET", "/v1/reservations"),
        ("DELETE", "/v1/reservations/a"),
    ]
