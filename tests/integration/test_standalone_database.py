"""The embedded PostgreSQL: it comes up, survives its own death, and leaves other people's directories alone."""

import os
import signal
import stat
from pathlib import Path

import asyncpg
import pytest

from service.standalone import places
from service.standalone.children import SystemAccount
from service.standalone.database import Database
from service.standalone.errors import UpError
from service.standalone.ports import answers
from service.store.pool import Pool


async def test_a_test_database_is_fresh_and_migrated(pool: Pool) -> None:
    assert await pool.fetchval("SELECT count(*) FROM station") == 0
    assert await pool.fetchval("SHOW server_encoding") == "UTF8"
    assert await pool.fetchval("SHOW timezone") == "UTC"


async def test_what_was_committed_survives_a_kill_and_a_stop(private_postgres: Database) -> None:
    connection = await asyncpg.connect(private_postgres.dsn())
    await connection.execute("CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)")
    assert private_postgres.process is not None
    os.kill(private_postgres.process.pid, signal.SIGKILL)
    private_postgres.process.wait()
    connection.terminate()
    port = private_postgres.port
    private_postgres.start()
    connection = await asyncpg.connect(private_postgres.dsn())
    assert await connection.fetchval("SELECT n FROM kept") == 1
    await connection.close()
    private_postgres.stop()
    assert not answers(port)


async def test_a_pid_file_that_names_a_living_stranger_does_not_block_the_start(private_postgres: Database) -> None:
    assert private_postgres.process is not None
    pid_file = private_postgres.home / "data" / "postmaster.pid"
    left_behind = pid_file.read_text().split("\n", 1)[1]
    private_postgres.process.kill()
    private_postgres.process.wait()
    pid_file.write_text(f"{os.getpid()}\n{left_behind}")
    private_postgres.start()
    assert answers(private_postgres.port)


def test_the_database_speaks_on_loopback_with_a_password_only(private_postgres: Database) -> None:
    rules = (private_postgres.home / "data" / "pg_hba.conf").read_text()
    methods = {line.split()[-1] for line in rules.splitlines() if line and not line.startswith("#")}
    assert methods == {"scram-sha-256"}
    assert stat.S_IMODE(private_postgres.password_file.stat().st_mode) == 0o600
    assert stat.S_IMODE((private_postgres.home / "data").stat().st_mode) == 0o700
    assert private_postgres.dsn(password=False).count(":") == 2


def test_a_cluster_that_cannot_start_says_why_and_where_to_look(walkable_dir: Path) -> None:
    server = Database(walkable_dir, walkable_dir / "database.log", durable=False)
    server.start()
    server.stop()
    (server.home / "data" / "global" / "pg_control").write_bytes(b"rubbish")
    with pytest.raises(UpError, match=r"(?s)does not start.*database\.log"):
        server.start()
    assert server.process is None


def test_no_directory_is_changed_that_we_did_not_make(walkable_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = walkable_dir / "closed"  # as /root is: nobody else may walk through
    (closed / "data").mkdir(parents=True)
    closed.chmod(0o700)
    monkeypatch.setattr(places, "OWN_ROOT", walkable_dir / "own")
    watched = [*(closed / "data").parents, closed / "data"]
    before = {path: (stat.S_IMODE(path.stat().st_mode), path.stat().st_uid, path.stat().st_gid) for path in watched}
    server = Database(closed / "data", walkable_dir / "database.log", durable=False)
    server.start()
    try:
        assert answers(server.port)
        # Root's database runs under another account, which cannot walk through the closed directory.
        assert server.home.is_relative_to(walkable_dir / "own" if os.geteuid() == 0 else closed)
        assert stat.S_IMODE(server.home.stat().st_mode) == 0o700
        assert server.process is not None
        assert Path(f"/proc/{server.process.pid}").stat().st_uid != 0
    finally:
        server.stop()
    again = Database(closed / "data", walkable_dir / "database.log", durable=False)
    assert again.home == server.home
    assert {path: (stat.S_IMODE(path.stat().st_mode), path.stat().st_uid, path.stat().st_gid) for path in watched} == before


def test_the_programs_are_copied_when_the_databases_account_cannot_reach_them(
    walkable_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "OWN_ROOT", walkable_dir / "own")
    monkeypatch.setattr(places, "_can_run", lambda account, programs: False)
    ourselves = SystemAccount("ourselves", os.getuid(), os.getgid())
    assert places.database_programs(places.database_account() or ourselves).is_relative_to(walkable_dir / "own")
    server = Database(walkable_dir, walkable_dir / "database.log", durable=False)
    server.start()
    try:
        assert server.process is not None
        copied = Path(f"/proc/{server.process.pid}/exe").resolve().is_relative_to(walkable_dir / "own")
        assert copied == (os.geteuid() == 0)
    finally:
        server.stop()


def test_the_account_for_root_has_no_shell_and_is_not_made_by_us() -> None:
    account = places.database_account()
    if os.geteuid() != 0:
        assert account is None
        return
    assert account is not None
    assert account.uid != 0
    entries = {line.split(":")[0]: line.rstrip().split(":")[-1] for line in Path("/etc/passwd").read_text().splitlines()}
    assert entries[account.name].endswith(("nologin", "false"))
