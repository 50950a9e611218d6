"""The set of settled numbers behaves like a set of integers."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from service.ingest.ranges import Ranges

SPANS = st.lists(st.tuples(st.integers(1, 60), st.integers(1, 60)), max_size=15)


@given(SPANS)
def test_ranges_hold_exactly_what_was_put_in(spans: list[tuple[int, int]]) -> None:
    ranges, model = Ranges(), set[int]()
    for first, end in spans:
        new = set(range(first, end)) - model
        assert ranges.add(first, end) == len(new)
        model |= new
    assert {seq for seq in range(70) if seq in ranges} == model
    assert ranges.highest() == max(model, default=0)
    holes = {seq for first, end in ranges.missing() for seq in range(first, end)}
    assert holes == set(range(1, max(model, default=0))) - model
    watermark = 0
    while watermark + 1 in model:
        watermark += 1
    assert ranges.contiguous_to() == watermark


@given(SPANS)
def test_ranges_are_disjoint_ascending_and_never_touch(spans: list[tuple[int, int]]) -> None:
    flat = [edge for span in Ranges(spans).spans() for edge in span]
    assert all(a < b for a, b in pairwise(flat))


def test_a_set_built_in_any_order_is_the_same() -> None:
    assert Ranges([(1, 3), (5, 9), (3, 5)]).spans() == [(1, 9)] == Ranges([(5, 9), (1, 3), (3, 5)]).spans()
