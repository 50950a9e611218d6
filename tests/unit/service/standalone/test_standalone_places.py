"""The data directory and the ports: what is ours, what is taken, and what is said about it."""

import os
import shutil
import socket
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest

from service.standalone.children import SystemAccount
from service.standalone.errors import UpError
from service.standalone.layout import DataDir, read_json, write_json
from service.standalone.machine import Machine
from service.standalone.places import can_walk_to, make_private
from service.standalone.ports import answers, free_port, holder_of, is_free, require_free


def test_the_data_directory_keeps_its_secrets_to_itself(tmp_path: Path) -> None:
    layout = DataDir.prepare(tmp_path / "data")
    assert stat.S_IMODE(layout.root.stat().st_mode) == 0o711
    for directory in (layout.keys, layout.sim, layout.broker, layout.logs):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    write_json(layout.run_file, {"pid": 1})
    assert stat.S_IMODE(layout.run_file.stat().st_mode) == 0o600


def test_a_directory_that_was_there_keeps_its_modes(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir(mode=0o750)
    mine.chmod(0o750)
    DataDir.prepare(mine)
    assert stat.S_IMODE(mine.stat().st_mode) == 0o750


def test_two_do_not_use_one_data_directory(tmp_path: Path) -> None:
    layout = DataDir.prepare(tmp_path / "data")
    with layout.lock(), pytest.raises(UpError, match=rf"another denchi up \(pid {os.getpid()}\) uses.*--data-dir"):
        layout.lock()
    layout.lock().close()


def test_a_file_where_the_data_directory_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UpError, match="cannot make the directory"):
        DataDir.prepare(tmp_path / "file")


def test_a_directory_that_nobody_may_make_is_named() -> None:
    with pytest.raises(UpError, match=r"cannot make the directory /proc/denchi.*--data-dir"):
        make_private(Path("/proc/denchi"))


def test_a_damaged_json_file_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"half":')
    assert read_json(tmp_path / "x.json") == {}


def test_an_account_walks_only_where_the_modes_let_it(tmp_path: Path) -> None:
    stranger = SystemAccount("stranger", 54321, 54321)
    inner = tmp_path / "a" / "b" / "file"
    inner.parent.mkdir(parents=True)
    (tmp_path / "a").chmod(0o700)
    assert not can_walk_to(stranger, inner)
    assert can_walk_to(stranger, Path("/usr/bin/env"))


def test_a_taken_port_is_refused_with_its_holder_and_the_option() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert not is_free(port)
        assert answers(port)
        assert f"(pid {os.getpid()})" in (holder_of(port) or "")
        with pytest.raises(UpError, match=rf"port {port} for the API is taken by .*pid {os.getpid()}.*--port"):
            require_free(port, "API", "--port")
        assert free_port(port) != port
    require_free(port, "API", "--port")
    assert free_port(port) == port


def test_a_nearly_full_disk_is_refused_before_anything_is_started(walkable_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(DataDir.prepare(walkable_dir / "data"), 8000, lambda line: None)
    machine.require_room()
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=12_000_000))
    with pytest.raises(UpError, match="only 12 MB are free"):
        machine.require_room()


def test_free_ports_lie_below_those_of_outgoing_connections_and_side_by_side() -> None:
    first_outgoing = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for _ in range(20):
        port = free_port(in_a_row=2)
        assert 20_000 <= port < first_outgoing - 1
        assert is_free(port + 1)
