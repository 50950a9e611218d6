"""The list of stations, the head and the counters, from rows made by hand."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from service.console.fleet_view import counters_view, head_view
from service.console.station_list_view import PAGE_ROWS, ListQuery, StationLine, list_view
from service.console.station_view import station_view
from service.console.wording import age_text, clock_text, day_start, plain_words, power_text
from service.store.fleet import FleetRows, OpenDebts, PlanRow, StationRow

NOW = datetime(2026, 4, 6, 15, 30, tzinfo=UTC)
STATION = StationRow("st-1", "Tenjin", "in_service", NOW, 0.92, 9000, True, NOW, NOW, 0, 33.59, 130.4)
PLAN = PlanRow(
    plan_id="pln_1",
    made_at=NOW - timedelta(seconds=20),
    start_at=NOW,
    step_s=900,
    engine="glop",
    coupled_by=(),
    gap=0.0012,
    shortfall_wh=0,
    truncated=False,
    solve_s=0.2,
    price_source="synthetic",
    supply_source="synthetic",
    fleet_ac_w=(1000.0, 2000.0),
    price_jpy_per_kwh=(10.0, 12.5),
    renewable_w=(0.0, 500.0),
)
FLEET = FleetRows(NOW, (STATION,), (), PLAN, {}, {}, ())
LINE = StationLine("st-1", "Tenjin", True, True, 3, 2, 0, 900.0, 0, 5.0, ())


def line(station_id: str, name: str, ready: int = 3, connected: bool = True) -> StationLine:
    return replace(LINE, station_id=station_id, name=name, ready=ready, connected=connected)


def test_local_time_is_japans_and_the_day_begins_at_its_midnight() -> None:
    assert clock_text(NOW) == "Tue 07 Apr 2026  00:30:00 JST"
    assert day_start(NOW) == datetime(2026, 4, 6, 15, 0, tzinfo=UTC)


def test_ages_and_powers_are_coarse_enough_to_be_calm() -> None:
    assert [age_text(seconds) for seconds in (None, 3, 61, 7200, 200_000)] == ["never", "now", "1 min", "2 h", "2 d"]
    assert [power_text(power_w) for power_w in (0, 999, 1500, 2_340_000)] == ["0 W", "999 W", "1.5 kW", "2.34 MW"]


def test_codes_of_stations_and_of_tables_become_words() -> None:
    assert [plain_words(code) for code in ("orphan_in", "DoorBlocked", "busy")] == ["orphan in", "Door blocked", "busy"]


def test_the_list_is_searched_by_name_and_by_id() -> None:
    lines = [line("st-1", "Tenjin"), line("st-2", "Hakata"), line("kokura-9", "Eki")]
    assert [row["id"] for row in list_view(lines, ListQuery(text=" TEN "), None)["rows"]] == ["st-1"]
    assert [row["id"] for row in list_view(lines, ListQuery(text="kokura"), None)["rows"]] == ["kokura-9"]
    assert list_view(lines, ListQuery(text="nowhere"), None)["shown"] == 0


def test_a_column_clicked_twice_turns_the_order_round_and_ties_stay_by_name() -> None:
    lines = [line("a", "Yakuin", 1), line("b", "Gion", 5), line("c", "Nakasu", 5)]
    query = ListQuery().sorted_by("ready")
    assert [row["id"] for row in list_view(lines, query, None)["rows"]] == ["b", "c", "a"]
    assert [row["id"] for row in list_view(lines, query.sorted_by("ready"), None)["rows"]] == ["a", "b", "c"]


def test_an_unknown_column_or_filter_changes_nothing() -> None:
    assert ListQuery().sorted_by("'; DROP TABLE") == ListQuery()
    assert list_view([LINE], ListQuery(only="nonsense"), None)["shown"] == 1


def test_the_filter_for_stations_that_are_away_keeps_only_those() -> None:
    lines = [line("a", "A"), line("b", "B", connected=False)]
    assert [row["id"] for row in list_view(lines, ListQuery(only="away"), None)["rows"]] == ["b"]


def test_a_page_beyond_the_last_shows_the_last() -> None:
    lines = [line(f"st-{no:03}", f"S {no:03}") for no in range(PAGE_ROWS + 5)]
    view = list_view(lines, ListQuery(page=99), None)
    assert (view["page"], view["pages"], len(view["rows"])) == (1, 2, 5)


def test_synthetic_signals_are_labelled_even_when_only_the_supply_is() -> None:
    assert head_view(FLEET, NOW, 1.0, 600)["synthetic"]
    assert not head_view(replace(FLEET, plan=replace(PLAN, price_source="jepx", supply_source="kyuden")), NOW, 1.0, 600)[
        "synthetic"
    ]
    assert head_view(replace(FLEET, plan=replace(PLAN, price_source="jepx")), NOW, 1.0, 600)["synthetic"]


def test_an_old_plan_a_lost_station_and_a_fast_clock_are_seen_in_the_head() -> None:
    lost = replace(STATION, connected=False, heard_at=NOW - timedelta(hours=1))
    view = head_view(replace(FLEET, stations=(STATION, lost)), NOW + timedelta(seconds=301), 10.0, 600)
    stations, plan = view["facts"]
    assert view["speed"] == "× 10"
    assert (stations["value"], stations["note"], stations["tone"]) == ("1 of 2 connected", "1 heard within 10 min", "warn")
    assert (plan["value"], plan["tone"]) == ("5 min ago", "bad")
    assert "gap 0.12 %" in plan["note"]


def test_before_the_first_reading_the_head_shows_only_the_clock() -> None:
    assert head_view(None, NOW, 1.0, 600)["facts"] == []
    assert head_view(replace(FLEET, plan=None), NOW, 1.0, 600)["facts"][1]["value"] == "none yet"


def test_every_swap_is_counted_in_one_group() -> None:
    swaps = {"completed": 5, "settled": 1, "half_in": 2, "unresolved": 1, "orphan_out": 1, "cancelled": 3, "rejected": 4}
    debts = (OpenDebts("operator", 2, 1), OpenDebts("rider", 1, 0))
    counters = {view["title"]: view for view in counters_view(replace(FLEET, swaps_by_status=swaps, debts=debts), ())}
    assert counters["swaps today"]["total"] == 17
    assert [entry["count"] for entry in counters["swaps today"]["lines"]] == [6, 2, 4, 3, 2]
    assert counters["open debts"]["total"] == 3
    assert counters["open debts"]["lines"][-1] == {"words": "overdue", "count": 1, "tone": "bad"}


def test_an_unknown_station_gives_a_panel_that_says_so() -> None:
    assert station_view(FLEET, "nowhere", None) == {"id": "nowhere", "known": False}
