"""`denchi-station bench` as a process of its own against a real broker: it speaks, ends politely, and goes on after kill -9."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from devices.link.outbox import Outbox
from tests.integration.test_agent_over_a_real_broker import STATION, Host, until


@pytest.fixture
async def host(nats_broker: Any) -> AsyncIterator[Host]:
    # Before anybody connects: a broker that reloads its rules may stall a session that is just being made.
    nats_broker.provision(STATION)
    host = Host(nats_broker)
    yield host
    host.close()


async def start(broker: Any, tmp_path: Path) -> asyncio.subprocess.Process:
    password = tmp_path / "password"
    password.write_text(broker.provision(STATION).password + "\n")
    environment = {
        **os.environ,
        "DENCHI_STATION_STATION_ID": STATION,
        "DENCHI_STATION_DATA_DIR": str(tmp_path / "data"),
        "DENCHI_STATION_BROKER_PASSWORD_FILE": str(password),
    }
    command = [sys.executable, "-m", "devices", "bench", "--broker", f"127.0.0.1:{broker.port}", "--slots", "3", "--packs", "2"]
    return await asyncio.create_subprocess_exec(*command, env=environment, stderr=asyncio.subprocess.PIPE)


async def test_the_bench_speaks_survives_kill_minus_nine_and_ends_on_sigterm(
    nats_broker: Any, host: Host, tmp_path: Path
) -> None:
    first = await start(nats_broker, tmp_path)
    try:
        await until(lambda: host.said("birth"))
        assert len(host.said("birth")[0]["slotState"]) == 3
    finally:
        first.send_signal(signal.SIGKILL)
        await first.communicate()
    await until(lambda: host.connections[-1]["online"] is False)

    second = await start(nats_broker, tmp_path)
    try:
        await until(lambda: host.said("birth")[-1]["boot"] == 2)
    finally:
        second.terminate()
        _, errors = await asyncio.wait_for(second.communicate(), 10)
    assert second.returncode == 0, errors.decode()
    await until(lambda: host.connections[-1] == host.connections[-1] | {"online": False, "boot": 2})
    outbox = Outbox(tmp_path / "data" / "journal.sqlite")
    totals = outbox.journal_totals()[STATION]
    outbox.close()
    assert set(totals) == {(1, 1), (1, 2)}
    assert all((1, boot, seq) in host.kept for _, boot in totals for seq in range(1, totals[1, boot] + 1))
