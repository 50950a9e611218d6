"""The rules of the desk under any order of happenings, and the choice of sets under any shelf."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from service.domain.desk import Gates, choose_set, complete_sets, unfit_reason
from service.domain.pack import PackModel, PackNow
from service.domain.recipe import Recipe, fits_together, usable_wh
from service.domain.swap import (
    NOTHING_MOVED,
    Answered,
    DebtsClosed,
    GivenToPerson,
    Happening,
    Moved,
    NoAnswer,
    NothingMoved,
    NotTaken,
    StepOver,
    SwapNow,
    advance,
)

SERIALS = st.lists(st.sampled_from("ABCDEF"), min_size=1, max_size=3).map(tuple)
NOW = datetime(2026, 4, 6, 8, tzinfo=UTC)
MODEL = PackModel("mp", 1000.0, 50.0, 500.0)


class AnySwap(RuleBasedStateMachine):
    """Whatever happens in whatever order: nothing counted is ever forgotten, and the end matches the count."""

    def __init__(self) -> None:
        super().__init__()
        self.swap = SwapNow("requested", 2)
        self.put_in: set[str] = set()
        self.taken_out: set[str] = set()

    def _advance(self, happening: Happening) -> None:
        before = self.swap
        outcome = advance(before, happening)
        self.swap = outcome.swap
        assert outcome.changed or outcome.swap == before
        assert before.packs_in <= self.swap.packs_in
        assert before.packs_out <= self.swap.packs_out
        assert not before.was_authorised or self.swap.was_authorised
        if before.status == "settled" and not isinstance(happening, Moved):
            assert not outcome.changed
        # The same word again changes nothing that counts.
        again = advance(self.swap, happening)
        assert (again.swap.packs_in, again.swap.packs_out) == (self.swap.packs_in, self.swap.packs_out)
        if isinstance(happening, Moved):
            assert not again.moved

    @rule(serials=SERIALS)
    def packs_go_in(self, serials: tuple[str, ...]) -> None:
        self.put_in |= set(serials)
        self._advance(Moved("in", serials))

    @rule(serials=SERIALS)
    def packs_go_out(self, serials: tuple[str, ...]) -> None:
        self.taken_out |= set(serials)
        self._advance(Moved("out", serials))

    @rule(answer=st.sampled_from(["accepted", "rejected", "completed", "failed"]))
    def the_station_answers(self, answer: str) -> None:
        self._advance(Answered(answer))  # type: ignore[arg-type]

    @rule(
        happening=st.sampled_from(
            [
                NotTaken(),
                NoAnswer(True),
                NoAnswer(False),
                StepOver(True),
                StepOver(False),
                NothingMoved(),
                GivenToPerson(),
                DebtsClosed(),
            ]
        )
    )
    def something_else_happens(self, happening: Happening) -> None:
        self._advance(happening)

    @invariant()
    def everything_that_moved_is_counted_once(self) -> None:
        assert self.swap.packs_in == self.put_in
        assert self.swap.packs_out == self.taken_out

    @invariant()
    def completed_means_balanced(self) -> None:
        if self.swap.status in {"completed", "settled"}:
            assert len(self.swap.packs_in) == len(self.swap.packs_out) == self.swap.pack_count

    @invariant()
    def an_end_without_trace_has_moved_nothing(self) -> None:
        if self.swap.status in NOTHING_MOVED:
            assert not self.swap.packs_in
            assert not self.swap.packs_out

    @precondition(lambda self: self.swap.status in {"orphan_in", "orphan_out"})
    @invariant()
    def an_orphan_owes_or_is_owed(self) -> None:
        assert self.swap.owed_by_rider or self.swap.owed_to_rider or self.swap.packs_in


TestAnySwap = AnySwap.TestCase

packs = st.lists(
    st.builds(
        PackNow,
        serial_number=st.text("ABCDEFGHIJ", min_size=3, max_size=6),
        model=st.just(MODEL),
        slot_no=st.integers(1, 12),
        condition=st.sampled_from(["ok", "ok", "ok", "quarantined"]),
        held_by=st.sampled_from([None, None, None, "rsv_1"]),
        soc=st.floats(0, 1),
        soh=st.floats(0.5, 1),
        temp_max_degc=st.one_of(st.none(), st.floats(-20, 60)),
        cell_spread_mv=st.one_of(st.none(), st.integers(0, 300)),
        fault_count=st.sampled_from([0, 0, 0, 1]),
        charging=st.booleans(),
        reading_at=st.one_of(st.none(), st.integers(0, 4000).map(lambda age_s: NOW - timedelta(seconds=age_s))),
    ),
    max_size=12,
    unique_by=lambda pack: pack.serial_number,
)
recipes = st.builds(
    Recipe,
    pack_model_id=st.just("mp"),
    pack_count=st.integers(1, 3),
    wiring=st.sampled_from(["series", "parallel", "independent"]),
)


@given(packs, recipes, st.floats(0, 3000), st.one_of(st.none(), st.floats(0.5, 1)))
def test_a_chosen_set_passes_every_gate_and_keeps_the_promise(
    shelf: list[PackNow], recipe: Recipe, promised_wh: float, last_soh: float | None
) -> None:
    gates = Gates(NOW)
    chosen = choose_set(shelf, recipe, gates, at_least_wh=promised_wh, last_soh=last_soh)
    if chosen is None:
        return
    assert fits_together(chosen.packs, recipe)
    assert all(unfit_reason(pack, gates) is None for pack in chosen.packs)
    assert chosen.usable_wh == usable_wh(chosen.packs, recipe.wiring)
    assert chosen.usable_wh >= promised_wh - 1e-6


@given(packs, recipes, st.floats(0, 3000))
def test_a_set_is_found_whenever_one_exists(shelf: list[PackNow], recipe: Recipe, promised_wh: float) -> None:
    from itertools import combinations

    gates = Gates(NOW)
    fit = [pack for pack in shelf if unfit_reason(pack, gates) is None]
    exists = any(
        fits_together(candidate, recipe) and usable_wh(candidate, recipe.wiring) >= promised_wh
        for candidate in combinations(fit, recipe.pack_count)
    )
    assert (choose_set(shelf, recipe, gates, at_least_wh=promised_wh) is not None) or not exists


@given(packs, recipes)
def test_complete_sets_never_share_a_pack(shelf: list[PackNow], recipe: Recipe) -> None:
    serials = [serial for chosen in complete_sets(shelf, recipe, Gates(NOW)) for serial in chosen.serial_numbers]
    assert len(serials) == len(set(serials))


@given(packs, recipes)
def test_a_stricter_gate_never_lets_more_through(shelf: list[PackNow], recipe: Recipe) -> None:
    strict, lax = Gates(NOW, least_usable_wh=900.0), Gates(NOW)
    for pack in shelf:
        if unfit_reason(pack, strict) is None:
            assert unfit_reason(pack, lax) is None
            assert unfit_reason(replace(pack, held_by="rsv_9"), strict) == "held"
