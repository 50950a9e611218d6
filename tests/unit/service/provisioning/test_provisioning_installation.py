"""The secrets of an installation, and who is given them."""

import os
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from service.cli.app import app
from service.provisioning.files import give, write_private
from service.provisioning.fleet import parse_world
from service.provisioning.installation import FILES, make_secrets


def test_secrets_are_made_once_and_stay(tmp_path: Path) -> None:
    directory = tmp_path / "secrets"
    assert make_secrets(directory) == ()
    first = {name: (directory / name).read_bytes() for name in FILES}
    assert len(set(first.values())) == len(FILES)
    assert all(stat.S_IMODE((directory / name).stat().st_mode) == 0o600 for name in FILES)
    (directory / "metrics.token").unlink()
    (directory / "console.password").write_text("chosen by a person")
    make_secrets(directory)
    again = {name: (directory / name).read_bytes() for name in FILES}
    assert {name for name in FILES if again[name] != first[name]} == {"metrics.token", "console.password"}
    assert again["console.password"] == b"chosen by a person"


def test_a_reading_group_may_read_and_nobody_else(tmp_path: Path) -> None:
    assert make_secrets(tmp_path, owner=os.getuid(), readers={"metrics.token": os.getgid()}) == ()
    assert stat.S_IMODE((tmp_path / "metrics.token").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "token.pem").stat().st_mode) == 0o600
    with pytest.raises(ValueError, match="no secret 'metrics'"):
        make_secrets(tmp_path, readers={"metrics": 0})


def test_what_cannot_be_given_away_stays_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "chown", refuse)  # as for everybody but root
    path = tmp_path / "secret"
    write_private(path, "x")
    assert not give(path, owner=path.stat().st_uid + 1, group=path.stat().st_gid + 1)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    made = CliRunner().invoke(app, ["setup", "secrets", str(tmp_path / "all"), f"--owner={os.getuid() + 1}"])
    assert made.exit_code == 0
    assert "only root can" in made.output


def test_a_wrong_reader_is_refused_with_a_remedy(tmp_path: Path) -> None:
    for reader, why in (("metrics.token=nobody", "must be a number"), ("metrics=1", "no secret 'metrics'")):
        refused = CliRunner().invoke(app, ["setup", "secrets", str(tmp_path), "--reader", reader])
        assert refused.exit_code == 1
        assert why in refused.output


@pytest.mark.parametrize("text", ["", "no json", "[1]", "{}", '{"stations": 3, "riders": []}'])
def test_what_is_no_world_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no world"):
        parse_world(text)
