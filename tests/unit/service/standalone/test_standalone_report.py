"""The report of a timed run says `ok` only when all of it worked."""

from dataclasses import replace
from typing import Any

import pytest

from service.standalone.report import RunTotals, make_report
from service.store.totals import CommandTotals, JournalTotals, MessageTotals, PlanTotals

GOOD = RunTotals(
    seconds=60.0,
    fleet_wanted=True,
    fleet={"outbox_left": 0, "swaps": {"attempted": 4}, "refusals": {}, "energy_charged_wh": 1234.5},
    journal=JournalTotals(sent=100, settled=100, dropped=0, lost=0),
    messages=MessageTotals(stored=120, duplicates=7, refused=0, dropped=0, lost=0),
    refused_by_reason={},
    swaps_by_status={"completed": 3, "settled": 1, "rejected": 2, "cancelled": 1},
    plans=PlanTotals(made=1, worst_gap=0.0, last_made_at=None, truncated=0),
    commands=CommandTotals(sent=9, acknowledged=8, expired=1, open=0),
    unhandled_events=0,
    invariants_checked=12,
    violations=[],
    restarts=0,
    duplicates_before=5,
)


def test_a_run_in_which_all_worked_is_ok_and_counts_add_up() -> None:
    report = make_report(GOOD)
    assert report["ok"] is True
    assert report["problems"] == []
    assert report["messages"]["sent"] == report["messages"]["settled"] == 100
    assert report["messages"]["duplicates"] == 2
    assert report["swaps"]["completed"] == 4
    assert report["swaps"]["refused"] == 3
    assert report["energy_charged_wh"] == 1234.5


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"journal": JournalTotals(sent=100, settled=99, dropped=0, lost=0)}, "1 journalled messages are not settled"),
        ({"journal": JournalTotals(sent=100, settled=100, dropped=0, lost=2)}, "2 were lost"),
        ({"journal": JournalTotals(sent=0, settled=0, dropped=0, lost=0)}, "sent nothing"),
        ({"fleet": None}, "without a report"),
        ({"fleet": {"outbox_left": 3}}, "3 messages are left"),
        ({"refused_by_reason": {"NotJson": 2}}, "2 NotJson"),
        ({"plans": PlanTotals(made=0, worst_gap=None, last_made_at=None, truncated=0)}, "no plan"),
        ({"swaps_by_status": {"rejected": 3}}, "no swap was completed"),
        ({"swaps_by_status": {"completed": 3, "unresolved": 1}}, "1 swaps are unresolved"),
        ({"unhandled_events": 5}, "5 station events"),
        ({"violations": ["pack P1 is in two places"]}, "1 invariants are violated"),
        ({"invariants_checked": 0}, "no invariant was checked"),
        ({"restarts": 1}, "1 children fell"),
    ],
)
def test_each_single_failure_makes_it_not_ok_and_is_named(change: dict[str, Any], problem: str) -> None:
    report = make_report(replace(GOOD, **change))
    assert report["ok"] is False
    assert len(report["problems"]) == 1
    assert problem in report["problems"][0]


def test_without_a_fleet_nothing_is_asked_of_one() -> None:
    empty = JournalTotals(sent=0, settled=0, dropped=0, lost=0)
    no_plan = PlanTotals(made=0, worst_gap=None, last_made_at=None, truncated=0)
    assert (
        make_report(replace(GOOD, fleet_wanted=False, fleet=None, journal=empty, plans=no_plan, swaps_by_status={}))["ok"] is True
    )
