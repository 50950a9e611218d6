"""`denchi-station`: help, clear messages, the contract files, the bench cabinet."""

from pathlib import Path

import pytest

from devices.__main__ import MachineClock, NoDriverError, check_contract, load_cabinet, main, parser, write_contract
from devices.hardware.bench import BenchCabinet, bench_pack
from devices.settings import StationSettings
from tests.unit.devices.conftest import HandClock


def test_help_names_every_command_and_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        parser().parse_args(["--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    for word in ("run", "bench", "contract", "DENCHI_STATION_", *(name.upper() for name in StationSettings.model_fields)):
        assert word in text


def test_run_without_a_driver_says_what_to_set(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DENCHI_STATION_DRIVER", raising=False)
    assert main(["run"]) == 2
    assert "set DENCHI_STATION_DRIVER" in capsys.readouterr().err


def test_a_wrong_setting_is_refused_with_its_name(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DENCHI_STATION_STATION_ID", "no spaces allowed")
    assert main(["bench"]) == 2
    assert "station_id" in capsys.readouterr().err
    monkeypatch.delenv("DENCHI_STATION_STATION_ID")
    assert main(["bench", "--broker", "host:not-a-port"]) == 2
    assert "broker_port" in capsys.readouterr().err


def test_a_driver_is_loaded_by_name_and_a_missing_one_is_said() -> None:
    clock = MachineClock("ntp")
    assert load_cabinet("devices.hardware.bench:BenchCabinet", clock).descriptor.model == "bench"
    with pytest.raises(NoDriverError, match="cannot be loaded"):
        load_cabinet("nowhere.at_all:Cabinet", clock)


def test_the_contract_is_written_checked_and_differences_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["contract", "--write", str(tmp_path)]) == 0
    assert main(["contract", "--check", str(tmp_path)]) == 0
    (tmp_path / "birth.json").write_text("{}")
    (tmp_path / "ack.json").unlink()
    (tmp_path / "old.json").write_text("{}")
    assert main(["contract", "--check", str(tmp_path)]) == 1
    errors = capsys.readouterr().err
    assert "birth.json: differs" in errors
    assert "ack.json: missing" in errors
    assert "old.json: not part" in errors
    assert write_contract(tmp_path) > 20
    assert check_contract(tmp_path) == []


def test_settings_come_from_the_environment_and_the_password_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "password").write_text("secret\n")
    monkeypatch.setenv("DENCHI_STATION_BROKER_PASSWORD_FILE", str(tmp_path / "password"))
    monkeypatch.setenv("DENCHI_STATION_EPOCH", "4")
    settings = StationSettings()
    assert (settings.epoch, settings.broker_password()) == (4, "secret")
    assert StationSettings(broker_password_file=None).broker_password() is None


def test_the_bench_charges_linearly_and_its_registers_only_grow() -> None:
    clock = HandClock()
    bench = BenchCabinet(clock, slot_count=2, pack_count=1)
    before = bench.read_pack(1)
    assert before is not None
    bench.set_charge_limit(1, 131.4)
    for _ in range(3600):
        clock.advance(1.0)
        bench.read_pack(1)
    after = bench.read_pack(1)
    assert after is not None
    assert after.soc == pytest.approx(before.soc + 0.1)
    assert after.energy_in_wh - before.energy_in_wh in (131, 132)
    assert bench.read_registers()[0].import_wh == pytest.approx(131.4 / 0.92, abs=1)
    clock.advance(1e6)
    full = bench.read_pack(1)
    assert full is not None
    assert full.soc == pytest.approx(1.0)
    assert full.power_dc_w == 0.0


async def test_the_hand_on_the_bench_needs_an_open_door() -> None:
    bench = BenchCabinet(HandClock(), slot_count=2, pack_count=1)
    with pytest.raises(ValueError, match="closed"):
        bench.take(1)
    assert await bench.open_slot(1)
    with pytest.raises(ValueError, match="occupied"):
        bench.put(1, bench_pack("X", 0.5))
    bench.take(1)
    assert bench.read_pack(1) is None
    assert not bench.door_open(1)
    with pytest.raises(ValueError, match="1 to 999"):
        BenchCabinet(HandClock(), slot_count=0)
