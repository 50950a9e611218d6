"""What the console says a person must know, from rows made by hand."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from service.console.alerts_view import MOST_OF_A_KIND, Alert, alerts_view, find_alerts, stations_that_wait
from service.console.swaps_view import BAD, LIVE, STATUS_WORDS, swaps_view
from service.store.fleet import (
    AnomalyLine,
    FleetRows,
    OverdueDebt,
    PlanRow,
    Refusals,
    Shortfall,
    StationRow,
    SwapLine,
    TroubleRows,
)

NOW = datetime(2026, 4, 6, 4, 40, tzinfo=UTC)
SILENCE_S = 600.0
LONG_AGO = NOW - timedelta(days=80)
STATION = StationRow("st-1", "Tenjin", "in_service", LONG_AGO, 0.92, 9000, True, LONG_AGO, NOW, 0, 33.59, 130.4)
PLAN = PlanRow(
    "pln_1", NOW - timedelta(seconds=20), NOW, 900, "glop", (), 0.0, 0.0, False, 0.2, "jepx", "kyuden", (1.0,), (1.0,), (1.0,)
)
CALM = FleetRows(NOW, (STATION,), (), PLAN, {}, {}, ())
SWAP = SwapLine("swp_1", "st-1", "unresolved", None, 2, 2, 0, NOW - timedelta(hours=1), None)
ANOMALY = AnomalyLine(1, "st-1", "foreign_pack", "ZZ1", None, "{}", NOW - timedelta(hours=2), None)
DEBT = OverdueDebt("dbt_1", "st-1", "operator", "rider-7", None, NOW - timedelta(days=1))


def found(fleet: FleetRows) -> list[tuple[str, str]]:
    return [(alert.severity, alert.what) for alert in find_alerts(fleet, SILENCE_S)]


def station(no: int, **changes: object) -> StationRow:
    return replace(STATION, station_id=f"st-{no}", name=f"Station {no}", **changes)


def trouble(**rows: object) -> FleetRows:
    return replace(CALM, trouble=TroubleRows(**rows))


def test_a_calm_fleet_needs_nobody() -> None:
    assert find_alerts(CALM, SILENCE_S) == ()
    assert alerts_view((), NOW) == {"act": 0, "look": 0, "lines": []}


def test_a_station_that_is_away_is_first_looked_at_then_acted_on() -> None:
    others = tuple(station(no) for no in range(2, 9))
    gone = replace(STATION, connected=False, connection_at=NOW - timedelta(minutes=2))
    assert found(replace(CALM, stations=(gone, *others))) == [("look", "Tenjin is not connected")]
    gone = replace(gone, connection_at=NOW - timedelta(minutes=11))
    assert found(replace(CALM, stations=(gone, *others))) == [("act", "Tenjin is not connected")]
    silent = replace(STATION, heard_at=NOW - timedelta(minutes=11))
    assert found(replace(CALM, stations=(silent, *others))) == [("act", "Tenjin is silent although connected")]


@pytest.mark.parametrize("change", [{"first_birth_at": None, "heard_at": None}, {"lifecycle": "maintenance"}])
def test_a_station_that_nobody_expects_is_no_alert(change: dict[str, object]) -> None:
    away = replace(STATION, connected=False, connection_at=NOW - timedelta(hours=1), **change)
    assert found(replace(CALM, stations=(away, station(2)))) == []


def test_most_stations_away_at_once_are_one_finding_about_what_they_talk_to() -> None:
    away = {"connected": False, "connection_at": NOW - timedelta(hours=1)}
    fleet = replace(CALM, stations=(*(station(no, **away) for no in range(4)), station(8), station(9)))
    (alert,) = find_alerts(fleet, SILENCE_S)
    assert (alert.severity, alert.what, alert.station_id) == ("act", "4 of 6 stations are away", None)
    assert "broker" in alert.todo


def test_a_late_a_greedy_and_a_cut_off_plan_are_told_apart() -> None:
    assert found(replace(CALM, plan=None)) == [("act", "There is no plan yet")]
    assert found(replace(CALM, plan=replace(PLAN, made_at=NOW - timedelta(minutes=6)))) == [("act", "No new plan for 6 min")]
    greedy = replace(PLAN, engine="greedy", gap=None)
    assert found(replace(CALM, plan=greedy)) == [("look", "The solver's plan was refused, the greedy one stands in")]
    assert found(replace(CALM, plan=replace(greedy, truncated=True))) == [
        ("look", "The solver found no plan, the greedy one stands in")
    ]
    (cut_off,) = find_alerts(replace(CALM, plan=replace(PLAN, truncated=True, gap=0.021)), SILENCE_S)
    assert (cut_off.severity, "2.1 %" in cut_off.todo) == ("look", True)
    assert found(replace(CALM, plan=None, stations=())) == []


def test_shortfalls_are_named_the_worst_first() -> None:
    rows = (Shortfall("st-1", 1200.0), Shortfall("st-2", 5200.0), Shortfall("st-3", 300.0))
    fleet = replace(trouble(shortfalls=rows), stations=tuple(station(no) for no in (1, 2, 3)))
    assert found(fleet) == [
        ("act", "Station 2 will be 5.2 kWh short"),
        ("look", "Station 1 will be 1.2 kWh short"),
        ("look", "Station 3 will be 0.3 kWh short"),
    ]


@pytest.mark.parametrize("status", BAD)
def test_every_swap_that_needs_a_person_says_what_to_do(status: str) -> None:
    (alert,) = find_alerts(trouble(swaps=(replace(SWAP, status=status),)), SILENCE_S)
    assert (alert.severity, alert.station_id) == ("act", "st-1")
    assert alert.what.startswith("Tenjin: ")
    assert len(alert.todo) > 20


def test_an_overdue_pack_is_worse_when_we_owe_it() -> None:
    ours = found(trouble(debts=(DEBT,)))
    theirs = found(trouble(debts=(replace(DEBT, owed_by="rider", serial_number="KA1"),)))
    assert ours == [("act", "We still owe rider-7 a pack (Tenjin)")]
    assert theirs == [("look", "rider-7 has not brought back pack KA1 (Tenjin)")]


def test_an_anomaly_of_a_swap_that_is_told_already_is_not_told_twice() -> None:
    of_swap = replace(ANOMALY, kind="swap_unresolved", swap_id="swp_1")
    assert len(find_alerts(trouble(swaps=(SWAP,), anomalies=(of_swap, ANOMALY)), SILENCE_S)) == 2
    assert found(trouble(anomalies=(ANOMALY,))) == [("look", "Tenjin: foreign pack, pack ZZ1")]
    assert found(trouble(anomalies=(replace(ANOMALY, kind="safety"),)))[0][0] == "act"
    assert found(trouble(anomalies=(replace(ANOMALY, station_id=None, serial_number=None, kind="never_seen"),))) == [
        ("look", "fleet: never seen")
    ]


def test_refused_messages_are_counted_by_reason() -> None:
    (alert,) = find_alerts(trouble(refusals=(Refusals("bad_schema", 3, "denchi/v1/up/st-1/telemetry", NOW),)), SILENCE_S)
    assert (alert.severity, alert.what) == ("look", "3 messages refused within the hour: bad schema")
    assert "st-1" in alert.todo


def test_what_waits_for_a_person_comes_first_then_the_newest() -> None:
    fleet = trouble(
        swaps=(SWAP, replace(SWAP, swap_id="swp_2", created_at=NOW - timedelta(minutes=3))),
        anomalies=(replace(ANOMALY, seen_at=NOW),),
    )
    lines = alerts_view(find_alerts(fleet, SILENCE_S), NOW)["lines"]
    assert [(line["tone"], line["age"]) for line in lines] == [("act", "3 min"), ("act", "60 min"), ("look", "now")]


def test_many_of_a_kind_are_counted_and_every_line_has_its_own_key() -> None:
    alerts = [Alert("anomaly", "look", f"Station {no}: door", "", NOW, f"st-{no}") for no in range(MOST_OF_A_KIND + 7)]
    view = alerts_view(alerts, NOW)
    assert view["look"] == MOST_OF_A_KIND + 7
    assert [line["what"] for line in view["lines"]][-1] == "… and 7 more: open anomalies"
    assert len({line["key"] for line in view["lines"]}) == MOST_OF_A_KIND + 1


def test_the_map_calls_for_a_person_where_one_must_act_but_not_for_silence() -> None:
    alerts = [
        Alert("swap", "act", "", "", NOW, "st-1"),
        Alert("silent", "act", "", "", NOW, "st-2"),
        Alert("anomaly", "look", "", "", NOW, "st-3"),
        Alert("plan", "act", "", "", NOW),
    ]
    assert stations_that_wait(alerts) == {"st-1"}


def test_the_newest_swaps_say_in_words_where_they_stand_and_why_one_was_refused() -> None:
    swaps = (SWAP, replace(SWAP, swap_id="swp_2", station_id="gone", status="rejected", status_reason="DoorBlocked"))
    first, second = swaps_view(swaps, (STATION,), NOW)
    assert (first["name"], first["status"], first["packs"], first["tone"]) == ("Tenjin", "not known", "2 in, 0 out", "bad")
    assert (second["name"], second["status"], second["reason"]) == ("gone", "refused", "Door blocked")


def test_every_status_of_a_swap_has_its_words() -> None:
    assert {*LIVE, *BAD} <= set(STATUS_WORDS)
