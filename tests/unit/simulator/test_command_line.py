"""``denchi-sim`` says what it does, and what is wrong, in words and in JSON."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from service.domain.clock import FleetTime
from simulator.__main__ import main
from simulator.faults import FAULTS
from simulator.fleet_clock import ClockFileError, SimulatedClock, read_clock_file
from simulator.offline.catalogue import POLICIES
from simulator.offline.command import CompareError, read_start
from simulator.online import CredentialsError, read_credentials
from simulator.register import BULK, RegistrationError, register
from simulator.scenario import load_scenario
from simulator.world import make_world

WALL = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
CLOCK = {"origin": "2026-04-06T09:00:00+09:00", "anchor": "2026-11-23T12:00:00+00:00", "speed": 10.0}


def online(tmp_path: Path, *more: str) -> list[str]:
    clock, credentials = tmp_path / "clock.json", tmp_path / "credentials.json"
    if not clock.exists():
        clock.write_text(json.dumps(CLOCK))
    if not credentials.exists():
        credentials.write_text("{}")
    return [
        *("online", "--json", "--api-url", "http://127.0.0.1:1", "--broker-host", "127.0.0.1", "--broker-port", "1"),
        *("--credentials", str(credentials), "--clock-file", str(clock), "--data-dir", str(tmp_path / "sim"), "--stations", "1"),
        *more,
    ]


def test_a_world_is_printed_as_one_json_line_always_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    said = []
    for _ in range(2):
        assert main(["world", "--stations", "3", "--seed", "5", "--json"]) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]
    world = json.loads(said[0])
    assert [sorted(station) for station in world["stations"]] == [["latitude", "longitude", "name", "station_id"]] * 3
    assert len(world["riders"]) == 18


def test_people_get_lines_and_a_list_of_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["world", "--stations", "2"]) == 0
    assert "2 stations" in capsys.readouterr().out
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    assert "default" in out
    assert all(fault in out for fault in FAULTS)
    assert all(policy in out for policy in POLICIES)


@pytest.mark.parametrize("words", [["--help"], ["online", "--help"], ["world", "--help"], ["compare", "--help"]])
def test_help_is_given(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 0
    assert "denchi-sim" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (["--stations", "0"], "stations must be 1 to"),
        (["--scenario", "nowhere"], "nowhere"),
        (["--faults", "comet=1"], "comet"),
        ([], "credentials file"),
    ],
)
def test_what_cannot_begin_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], named: str) -> None:
    assert main(online(tmp_path, *more)) == 1
    said = capsys.readouterr()
    assert named in said.err
    last = json.loads(said.out.splitlines()[-1])
    assert last["event"] == "failed"
    assert named in last["detail"]


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (["--policies", "on_arrival,magic"], "no policy 'magic'; there are: on_arrival, denchi"),
        (["--policies", "denchi,denchi"], "each policy once"),
        (["--policies", ","], "each policy once"),
        (["--days", "0"], "days must be 1 to 366"),
        (["--scenario", "nowhere"], "nowhere"),
        (["--supply", "/no/such/file.csv"], "/no/such/file.csv"),
        ([], "empty.csv"),
    ],
)
def test_what_cannot_be_compared_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], named: str
) -> None:
    (tmp_path / "empty.csv").write_text("")
    files = [] if "--supply" in more else ["--supply", str(tmp_path / "empty.csv")]
    assert main(["compare", "--json", *files, "--price", str(tmp_path / "empty.csv"), *more]) == 1
    said = capsys.readouterr()
    assert named in said.err
    assert named in json.loads(said.out)["detail"]


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2022-04-10", "2022-04-10T00:00:00+09:00"),
        ("2022-04-10T00:30:00+00:00", "2022-04-10T09:30:00+09:00"),
        ("2022-04-10T12:00", "2022-04-10T12:00:00+09:00"),
    ],
)
def test_a_day_begins_at_its_local_midnight(text: str, at: str) -> None:
    assert read_start(text, 9.0) == datetime.fromisoformat(at)


@pytest.mark.parametrize(("text", "named"), [("soon", "is no date"), ("2022-04-10T00:10", "full or half hour")])
def test_a_start_that_is_none_is_refused(text: str, named: str) -> None:
    with pytest.raises(CompareError, match=named):
        read_start(text, 9.0)


@pytest.mark.parametrize(
    "text", ["", "{", "{}", "[]", '{"origin": 1, "anchor": 2, "speed": 3}', json.dumps({**CLOCK, "speed": 0})]
)
def test_a_wrong_clock_file_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "clock.json"
    path.write_text(text)
    with pytest.raises(ClockFileError, match=r"clock\.json"):
        read_clock_file(path)


def test_fleet_time_runs_at_its_speed_whatever_the_wall_clock_does_later(tmp_path: Path) -> None:
    path = tmp_path / "clock.json"
    path.write_text(json.dumps(CLOCK))
    now_s = 50.0
    line = read_clock_file(path)
    clock = SimulatedClock(line, WALL + timedelta(seconds=60), lambda: now_s)
    begin = clock.now()
    assert begin == line.at(WALL + timedelta(seconds=60)) == datetime(2026, 4, 6, 0, 10, tzinfo=UTC)
    now_s += 6.0
    assert clock.now() - begin == timedelta(seconds=60)
    assert clock.monotonic() == pytest.approx(560.0)
    assert clock.wall_seconds(60.0) == pytest.approx(6.0)


def test_before_its_anchor_the_fleet_stands_still() -> None:
    now_s = 0.0
    origin = datetime(2026, 4, 6, tzinfo=UTC)
    clock = SimulatedClock(FleetTime(origin, WALL + timedelta(seconds=5), 10.0), WALL, lambda: now_s)
    assert clock.now() == origin
    now_s = 5.0
    assert clock.now() == origin
    now_s = 6.0
    assert clock.now() == origin + timedelta(seconds=10)


def test_a_credentials_file_without_a_station_names_it(tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    path.write_text(json.dumps({"operator_token": "o", "stations": {"a": {"user": "a", "password": "p"}}, "rider_tokens": {}}))
    assert read_credentials(path, ["a"], []).operator_token == "o"
    with pytest.raises(CredentialsError, match="lacks 1 stations, the first is b"):
        read_credentials(path, ["a", "b"], [])
    with pytest.raises(CredentialsError, match="lacks 1 riders"):
        read_credentials(path, ["a"], ["r"])
    assert "password" not in repr(read_credentials(path, ["a"], []))


async def test_a_world_is_registered_in_bulk_in_an_order_that_works() -> None:
    paths: list[str] = []

    def take(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        (items,) = body.values()
        paths.append(request.url.path)
        assert len(items) <= BULK
        assert len(request.content) < 1 << 20
        if len(paths) == 2:
            return httpx.Response(503)
        return httpx.Response(201, json={"created": len(items), "unchanged": 0})

    async def no_sleep(seconds: float) -> None:
        return None

    world = make_world(load_scenario("default"), 120, 1)
    async with httpx.AsyncClient(base_url="http://test", transport=httpx.MockTransport(take)) as http:
        counts = await register(http, "token", world, sleep=no_sleep)
    assert counts["created"] == 1 + 2 * len(world.riders) + len(world.packs())
    assert list(dict.fromkeys(paths)) == ["/v1/pack-models", "/v1/riders", "/v1/packs", "/v1/vehicles"]


async def test_a_world_that_is_refused_quotes_the_answer_and_is_not_told_again() -> None:
    asked = []

    def refuse(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(409, text="registered otherwise")

    async with httpx.AsyncClient(base_url="http://test", transport=httpx.MockTransport(refuse)) as http:
        with pytest.raises(RegistrationError, match="409 registered otherwise"):
            await register(http, "token", make_world(load_scenario("default"), 1, 1))
    assert len(asked) == 1
