"""The swap's state machine, case by case."""

import pytest

from service.domain.swap import (
    Answered,
    DebtsClosed,
    GivenToPerson,
    Moved,
    NoAnswer,
    NothingMoved,
    NotTaken,
    StepOver,
    SwapNow,
    SwapStatus,
    advance,
)

NEW = SwapNow("requested", 2)


def run(swap: SwapNow, *happenings: object) -> SwapNow:
    for happening in happenings:
        swap = advance(swap, happening).swap  # type: ignore[arg-type]
    return swap


def test_a_swap_of_two_packs_in_then_out_completes_and_settles() -> None:
    swap = run(NEW, Answered("accepted"))
    assert swap.status == "authorised"
    swap = run(swap, Moved("in", ("A",)))
    assert swap.status == "half_in"
    swap = run(swap, Moved("in", ("B",)), Moved("out", ("X",)))
    assert swap.status == "half_in"
    outcome = advance(swap, Moved("out", ("Y",)))
    assert outcome.swap.status == "completed"
    assert outcome.holds == "release"
    assert run(outcome.swap, DebtsClosed()).status == "settled"


def test_out_first_is_half_out() -> None:
    assert run(NEW, Answered("accepted"), Moved("out", ("X", "Y"))).status == "half_out"


def test_the_first_pack_event_authorises_without_an_ack() -> None:
    outcome = advance(NEW, Moved("in", ("A",)))
    assert (outcome.swap.status, outcome.swap.was_authorised, outcome.holds) == ("half_in", True, "to_swap")


def test_a_repeated_pack_event_counts_once() -> None:
    swap = run(NEW, Moved("in", ("A",)))
    outcome = advance(swap, Moved("in", ("A",)))
    assert not outcome.changed
    assert outcome.duplicates == ("A",)
    assert outcome.swap.packs_in == {"A"}


def test_one_serial_twice_in_one_message_is_one_pack() -> None:
    assert run(NEW, Moved("in", ("A", "A"))).packs_in == {"A"}


def test_rejected_leaves_the_holds_with_the_reservation() -> None:
    outcome = advance(NEW, Answered("rejected", "Busy"))
    assert (outcome.swap.status, outcome.swap.reason, outcome.holds) == ("rejected", "Busy", "keep")


@pytest.mark.parametrize("happening", [Answered("failed", "TimeoutIn"), StepOver(station_heard=True)])
def test_a_rider_who_leaves_before_anything_moved_gets_his_holds_back(happening: Answered | StepOver) -> None:
    outcome = advance(run(NEW, Answered("accepted")), happening)
    assert (outcome.swap.status, outcome.holds) == ("expired", "give_back")


@pytest.mark.parametrize("happening", [NotTaken(), Answered("failed", "TimeoutOut"), StepOver(station_heard=True)])
def test_packs_in_and_none_out_is_owed_to_the_rider(happening: NotTaken | Answered | StepOver) -> None:
    swap = run(NEW, Moved("in", ("A", "B")), Moved("out", ("X",)), happening)
    assert (swap.status, swap.owed_to_rider) == ("orphan_in", 1)


def test_packs_out_and_none_in_is_owed_by_the_rider() -> None:
    swap = run(NEW, Moved("out", ("X", "Y")), StepOver(station_heard=True))
    assert (swap.status, swap.owed_by_rider) == ("orphan_out", 2)


def test_a_late_pack_event_completes_an_orphan() -> None:
    swap = run(SwapNow("requested", 1), Moved("in", ("A",)), NotTaken())
    assert swap.status == "orphan_in"
    assert run(swap, Moved("out", ("X",))).status == "completed"


def test_silence_is_no_evidence() -> None:
    assert run(NEW, NoAnswer(sent=True)).status == "unresolved"
    assert run(NEW, Answered("accepted"), StepOver(station_heard=False)).status == "unresolved"


def test_what_was_never_sent_is_cancelled() -> None:
    swap = run(NEW, NoAnswer(sent=False))
    assert (swap.status, swap.reason) == ("cancelled", "not_delivered")


@pytest.mark.parametrize(
    ("late", "becomes"),
    [
        (Answered("accepted"), "authorised"),
        (Answered("rejected", "Busy"), "rejected"),
        (Answered("failed", "TimeoutIn"), "expired"),
        (Moved("in", ("A",)), "half_in"),
        (NothingMoved(), "expired"),
        (GivenToPerson(), "exception"),
    ],
)
def test_a_late_truth_settles_an_unresolved_swap(late: object, becomes: SwapStatus) -> None:
    assert run(NEW, NoAnswer(sent=True), late).status == becomes


def test_an_ack_after_packs_moved_changes_nothing() -> None:
    swap = run(NEW, Moved("in", ("A",)))
    assert not advance(swap, Answered("accepted")).changed
    assert advance(swap, Answered("rejected")).surprise == "rejected_after_movement"


def test_a_pack_that_moves_after_the_end_opens_the_swap_again_and_is_said() -> None:
    outcome = advance(run(NEW, NoAnswer(sent=False)), Moved("in", ("A",)))
    assert (outcome.swap.status, outcome.surprise) == ("half_in", "moved_after_end")


def test_more_packs_than_the_set_is_for_a_person() -> None:
    outcome = advance(run(SwapNow("requested", 1), Moved("out", ("X",))), Moved("out", ("Y",)))
    assert (outcome.swap.status, outcome.surprise, outcome.swap.owed_by_rider) == ("exception", "too_many_packs", 2)


def test_one_in_and_one_out_of_two_is_for_a_person() -> None:
    swap = run(NEW, Moved("in", ("A",)), Moved("out", ("X",)), StepOver(station_heard=True))
    assert (swap.status, swap.owed_to_rider, swap.owed_by_rider) == ("exception", 0, 0)


def test_completed_without_packs_is_said_and_believed_not() -> None:
    outcome = advance(run(NEW, Answered("accepted")), Answered("completed"))
    assert (outcome.changed, outcome.surprise) == (False, "completed_without_packs")
