"""The same key and body: one effect, one answer, byte for byte; in any order, in any company."""

import asyncio
import itertools
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests import api_world
from tests.api_world import World

loop_and_world = api_world.loop_and_world
_rounds = itertools.count(1)

posts = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from(["op", "op-2"]), st.integers(0, 2)), min_size=1, max_size=8
)


@settings(max_examples=40, deadline=None)
@given(posts=posts, together=st.booleans())
def test_a_key_has_one_effect_and_one_answer_for_its_caller(
    loop_and_world: tuple[asyncio.AbstractEventLoop, World], posts: list[tuple[str, str, int]], together: bool
) -> None:
    loop, world = loop_and_world
    prefix = f"i{next(_rounds)}"

    async def post(key: str, who: str, variant: int) -> Any:
        body = {"riders": [{"rider_id": f"{prefix}-{who}-{key}-{variant}", "name": "Somebody"}]}
        return await world.call("POST", "/v1/riders", body, who=who, scope="operator", key=f"{prefix}-{key}")

    async def play() -> list[Any]:
        if together:
            return list(await asyncio.gather(*(post(*each) for each in posts)))
        return [await post(*each) for each in posts]

    answers = loop.run_until_complete(play())
    first: dict[tuple[str, str], tuple[int, bytes]] = {}
    for (key, who, variant), answer in zip(posts, answers, strict=True):
        name = answer.json().get("type", "").rpartition("/")[2]
        if answer.status_code == 201:
            kept = first.setdefault((key, who), (variant, answer.content))
            assert kept == (variant, answer.content)
        elif together:
            assert name in ("key_reused", "still_running")
        else:
            assert name == "key_reused"
            assert first[key, who][0] != variant
    written = loop.run_until_complete(world.pool.fetch("SELECT rider_id FROM rider WHERE rider_id LIKE $1", f"{prefix}-%"))
    assert {row["rider_id"] for row in written} == {
        f"{prefix}-{who}-{key}-{variant}" for (key, who), (variant, _) in first.items()
    }
    assert {(key, who) for key, who, _ in posts} == set(first)
