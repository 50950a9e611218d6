"""docker-compose.yml and the Dockerfile, as far as they can be judged without an engine."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
import yaml

import simulator.__main__
from service.cli.app import app
from service.cli.healthcheck import PARTS
from service.provisioning.installation import FILES
from service.provisioning.rules_mosquitto import render_server
from service.settings import Settings
from service.wiring import ROLES
from tests.compose import FILE, OUR_ACCOUNT, TOP, Compose, Service

COMPOSE = Compose()
SERVICES = list(COMPOSE.services.values())
OURS = [service for service in SERVICES if service.is_ours]
LASTING = [service for service in SERVICES if not service.runs_once]
DOCKERFILE = (TOP / "Dockerfile").read_text()
SECRETS = "/run/denchi/secrets/"

POSTGRES_GROUP = "999"
"""Its image begins as root and goes on as postgres. Source: its Dockerfile, groupadd -r postgres --gid=999."""

NOT_SET = {
    "clock_file": "the fleet runs on wall time",
    "broker_ca_file": "no TLS inside the network of one machine",
    "broker_pid_file": "the broker lives in another container: docker compose kill -s HUP broker",
    "jwks_url": "the keys lie in a file",
}
"""Settings without a value that a container must not miss, and why."""


def each(services: list[Service]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("service", services, ids=[service.name for service in services])


def test_the_file_is_valid_by_the_schema_of_compose() -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", FILE],
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_there_is_everything() -> None:
    assert COMPOSE.services.keys() >= {"postgres", "broker", "migrate", *ROLES, "fleet", "prometheus", "grafana"}
    assert COMPOSE.in_order()[0].name == "secrets"


def test_every_variable_of_ours_is_a_setting() -> None:
    known = {f"DENCHI_{name.upper()}" for name in Settings.model_fields}
    set_here = {name for service in OURS for name in service.environment}
    set_here |= set(re.findall(r"\b(DENCHI_[A-Z_]+)=", DOCKERFILE))
    assert set_here <= known


def test_every_setting_that_speaks_of_one_machine_is_set_for_the_roles() -> None:
    """A default of None, a loopback address and a relative path mean nothing in a container; other defaults are good anywhere."""
    wanted = {
        name
        for name, field in Settings.model_fields.items()
        if field.default is None
        or "127.0.0.1" in str(field.default)
        or (isinstance(field.default, Path) and not field.default.is_absolute())
    }
    for role in ROLES:
        missing = {name for name in wanted if f"DENCHI_{name.upper()}" not in COMPOSE.services[role].environment}
        assert missing == NOT_SET.keys(), role


@each([service for service in OURS if service.environment])
def test_the_settings_take_the_values_of_each_service(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in service.environment.items():
        assert isinstance(value, str), f"{name}: write it as text"
        monkeypatch.setenv(name, value)
    Settings.load()


@each(SERVICES)
def test_no_secret_stands_in_the_file(service: Service) -> None:
    for name, value in service.environment.items():
        if re.search(r"PASSWORD|TOKEN|KEY|JWKS|SECRET", name):
            assert value.startswith(SECRETS), name
            assert value.removeprefix(SECRETS) in FILES, name
    if any(str(value).startswith(SECRETS) for value in service.environment.values()):
        source, writable = service.mounts["/run/denchi/secrets"]
        assert source == "secrets"
        assert writable == (service.name == "secrets")
        assert service.name == "secrets" or "secrets" in _before(service)


def test_each_secret_can_be_read_by_those_who_use_it_and_by_nobody_else() -> None:
    maker = COMPOSE.services["secrets"].command
    assert f"--owner={OUR_ACCOUNT}" in maker
    given = dict(text.removeprefix("--reader=").split("=") for text in maker if text.startswith("--reader="))
    used = {
        (value.removeprefix(SECRETS), service.name)
        for service in SERVICES
        if not service.is_ours
        for value in service.environment.values()
        if value.startswith(SECRETS)
    }
    for name in re.findall(rf"{SECRETS}(\S+)", (TOP / "deploy/prometheus/prometheus.yml").read_text()):
        used.add((name, "prometheus"))
    groups = {name: str(COMPOSE.services[name].spec.get("user", f":{POSTGRES_GROUP}")).partition(":")[2] for _, name in used}
    assert groups.keys() == {"postgres", "prometheus", "grafana"}
    assert {(name, groups[service]) for name, service in used} == set(given.items())


@each(SERVICES)
def test_each_command_is_one_that_exists(service: Service) -> None:
    if not service.is_ours:
        return
    _parse(service.command)
    if not service.runs_once:
        _parse(service.healthcheck)
        assert service.healthcheck[:3] == ["denchi", "healthcheck", service.name]
        assert service.name in PARTS
        assert service.command == ["denchi", "run", service.name] or service.name == "fleet"


def test_the_fleet_that_runs_is_the_one_that_was_set_up() -> None:
    def who(service: str) -> list[str]:
        return [word for word in COMPOSE.services[service].command if word.startswith(("--stations", "--seed"))]

    assert len(who("fleet")) == 2
    assert who("fleet") == who("setup-fleet")


@each(LASTING)
def test_what_lasts_is_watched_and_started_again(service: Service) -> None:
    assert service.spec["restart"] == "unless-stopped"
    assert {"test", "interval", "timeout", "retries", "start_period"} <= service.spec["healthcheck"].keys()


@each(SERVICES)
def test_each_waits_until_what_it_needs_is_done_or_well(service: Service) -> None:
    for name, condition in service.needs.items():
        once = COMPOSE.services[name].runs_once
        assert condition == ("service_completed_successfully" if once else "service_healthy"), name


@each(SERVICES)
def test_ports_are_open_on_this_machine_only_and_images_are_pinned(service: Service) -> None:
    assert all(port.startswith("127.0.0.1:") for port in service.spec.get("ports", []))
    name, _, tag = service.spec["image"].partition(":")
    assert re.match(r"v?\d+\.\d+", tag), "a version, not a moving name"
    assert name.count("/") <= 1, "no registry's address"


@each(SERVICES)
def test_each_mount_is_a_declared_volume_or_a_file_of_the_repository(service: Service) -> None:
    for source, writable in service.mounts.values():
        if source.startswith("./"):
            assert (TOP / source).exists()
            assert not writable
        else:
            assert source in COMPOSE.document["volumes"]


def test_only_those_who_give_files_away_are_root() -> None:
    assert {service.name for service in OURS if service.spec.get("user") == "0:0"} == {"secrets", "setup-fleet", "setup-broker"}
    for service in OURS:
        assert service.spec["cap_drop"] == ["ALL"]
        assert service.spec.get("cap_add", []) in ([], ["CHOWN", "DAC_OVERRIDE", "FOWNER"])


def test_the_broker_is_bounded_as_the_one_of_the_tests() -> None:
    def settings(text: str) -> dict[str, str]:
        lines = [line.split("#")[0].split(maxsplit=1) for line in text.splitlines()]
        return {line[0]: line[1].strip() for line in lines if line}

    ours = settings((TOP / "deploy/mosquitto.conf").read_text())
    tests = settings(render_server(mqtt_host="", mqtt_port=1883, rules_dir=Path("/run/denchi/broker")))
    assert {name: ours.get(name) for name in tests} == {**tests, "persistence": "true"}
    mounts = COMPOSE.services["broker"].mounts
    assert Path(ours["password_file"]).parent.as_posix() in mounts
    assert ours["persistence_location"].rstrip("/") in mounts
    owner = COMPOSE.services["setup-broker"].command[-1].removeprefix("--owner=")
    assert COMPOSE.services["broker"].spec["user"] == f"{owner}:{owner}"


# --- the image ------------------------------------------------------------------------------------------------------------------


def test_the_image_installs_what_is_pinned_with_hashes_and_nothing_else() -> None:
    installs = re.findall(r"pip install (.*)", DOCKERFILE)
    assert installs == ["--no-deps --require-hashes -r requirements.lock", "--no-deps --no-build-isolation ."]
    assert re.search(r"^setuptools==", (TOP / "requirements.lock").read_text(), re.MULTILINE), "the build tool is pinned too"


def test_the_image_is_not_root_and_has_pinned_parents() -> None:
    users = re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE)
    assert users == [f"{OUR_ACCOUNT}:{OUR_ACCOUNT}"]
    assert f"--uid {OUR_ACCOUNT} " in DOCKERFILE
    parents = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert parents
    assert all(re.fullmatch(r"python:3\.1[1-9]\.\d+-slim-\w+", parent) for parent in parents)
    assert len(set(parents)) == 1


def test_what_the_image_copies_is_there_and_not_ignored() -> None:
    copied = [word for words in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE) for word in words.split()]
    assert copied
    assert [word for word in copied if not (TOP / word).exists()] == []
    let_in = {line[1:] for line in (TOP / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(copied) == let_in
    project = (TOP / "pyproject.toml").read_text()
    needed = re.findall(r'^(?:readme|license-files) = \[?"([^"]+)"', project, re.MULTILINE)
    assert set(needed) <= let_in


def test_directories_of_volumes_are_made_in_the_image_for_its_account() -> None:
    made = re.search(r"install -d -o 10001 -g 10001 \S+ \S+ (.*)", DOCKERFILE)
    assert made
    targets = {target for service in OURS for target in service.mounts}
    assert targets <= set(made[1].split())


# --- Prometheus and Grafana -----------------------------------------------------------------------------------------------------


def test_prometheus_asks_the_api_at_its_address_with_the_token() -> None:
    config = yaml.safe_load((TOP / "deploy/prometheus/prometheus.yml").read_text())
    job = {job["job_name"]: job for job in config["scrape_configs"]}["denchi"]
    environment = COMPOSE.services["api"].environment
    assert job["static_configs"][0]["targets"] == [f"api:{environment['DENCHI_API_PORT']}"]
    assert job["authorization"]["credentials_file"] == environment["DENCHI_METRICS_TOKEN_FILE"]
    for name in config["rule_files"]:
        assert yaml.safe_load((TOP / "deploy/prometheus" / name).read_text())["groups"]


def test_grafana_finds_its_source_and_its_dashboard() -> None:
    folder = TOP / "deploy/grafana"
    source = yaml.safe_load((folder / "provisioning/datasources/prometheus.yml").read_text())["datasources"][0]
    port = COMPOSE.services["prometheus"].spec["ports"][0].rpartition(":")[2]
    assert source["url"] == f"http://prometheus:{port}"
    provider = yaml.safe_load((folder / "provisioning/dashboards/denchi.yml").read_text())["providers"][0]
    grafana = COMPOSE.services["grafana"]
    assert provider["options"]["path"] in grafana.mounts
    assert grafana.environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] == f"{provider['options']['path']}/denchi.json"
    board = json.loads((folder / "dashboards/denchi.json").read_text())
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids)) > 10
    used = [part["datasource"]["uid"] for panel in board["panels"] for part in (panel, *panel["targets"])]
    assert set(used) == {source["uid"]}
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]


def _before(service: Service) -> set[str]:
    found = set(service.needs)
    for name in service.needs:
        found |= _before(COMPOSE.services[name])
    return found


def _parse(words: list[str]) -> None:
    """Parse a command line as its program would. Fails when it would not be taken."""
    program, *arguments = words
    if program == "denchi-sim":
        simulator.__main__.parser().parse_args(arguments)
        return
    assert program == "denchi"
    command, context = typer.main.get_command(app), None
    while hasattr(command, "commands"):
        assert arguments, "a command is missing"
        context = command.context_class(command, parent=context, info_name=program)
        program, arguments = arguments[0], arguments[1:]
        command = command.commands[program]
    command.make_context(program, list(arguments), parent=context)
    if program == "run":
        assert arguments[0] in ROLES
