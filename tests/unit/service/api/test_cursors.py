"""Cursors: what was sealed opens, everything else is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.cursors import Cursors
from service.api.errors import ProblemError

CURSORS = Cursors(b"secret")
keys = st.lists(
    st.one_of(st.text(max_size=40), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False)),
    min_size=1,
    max_size=3,
)


@given(key=keys)
def test_a_sealed_key_comes_back_exactly(key: list[str | int | float]) -> None:
    assert CURSORS.open(("packs", None), CURSORS.seal(("packs", None), tuple(key))) == tuple(key)


def test_no_cursor_is_the_first_page() -> None:
    assert CURSORS.open(("packs",), None) is None


@given(text=st.text(max_size=200))
def test_a_made_up_cursor_is_refused(text: str) -> None:
    with pytest.raises(ProblemError) as caught:
        CURSORS.open(("packs",), text)
    assert caught.value.name == "cursor_invalid"


@given(place=st.integers(0, 60), bit=st.integers(0, 5))
def test_a_changed_cursor_is_refused_or_the_same(place: int, bit: int) -> None:
    good = CURSORS.seal(("packs",), ("PK-000123", 5))
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    at = place % len(good)
    changed = good[:at] + alphabet[alphabet.index(good[at]) ^ (1 << bit)] + good[at + 1 :]
    if at == len(good) - 1:  # its lowest bits may count for nothing
        return
    with pytest.raises(ProblemError):
        CURSORS.open(("packs",), changed)


@pytest.mark.parametrize(("secret", "scope"), [(b"other", ("packs",)), (b"secret", ("riders",)), (b"secret", ("packs", "depot"))])
def test_a_cursor_is_good_for_one_installation_one_list_and_one_filter(secret: bytes, scope: tuple[str, ...]) -> None:
    with pytest.raises(ProblemError):
        Cursors(secret).open(scope, CURSORS.seal(("packs",), ("a",)))
