"""`make` on a machine that lacks something: it says what and what to do. The machine is made of stand-ins in an own PATH."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parents[2]
_TOOLS = ("sh", "sed", "echo", "rm", "awk", "touch")


def _machine(directory: Path, python: str | None) -> Path:
    tools = directory / "tools"
    tools.mkdir()
    for name in _TOOLS:
        found = shutil.which(name)
        if found:
            (tools / name).symlink_to(found)
    if python is not None:
        (tools / "python3").write_text(f"#!/bin/sh\n{python}\n")
        (tools / "python3").chmod(0o755)
    for name in ("Makefile", "requirements.lock", "requirements-dev.lock", "pyproject.toml"):
        shutil.copy(HERE / name, directory)
    return tools


def _make(directory: Path, tools: Path, target: str) -> subprocess.CompletedProcess[str]:
    make = shutil.which("make")
    assert make is not None
    return subprocess.run(
        [make, target], cwd=directory, env={"PATH": str(tools)}, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    ("python", "said", "remedy"),
    [
        (None, "Python 3.11 or later is needed", "apt install python3.11"),
        (
            'case "$1" in --version) echo Python 3.9.2;; *) exit 1;; esac',
            "python3 here is: Python 3.9.2",
            "apt install python3.11",
        ),
        ('case "$2" in *ensurepip*) exit 1;; *version*) exit 0;; esac', "has no venv module", "apt install python3-venv"),
        ('case "$2" in venv) exit 1;; esac', "making .venv", "is the disk full"),
    ],
)
def test_what_python_lacks_is_said_with_its_remedy(tmp_path: Path, python: str | None, said: str, remedy: str) -> None:
    result = _make(tmp_path, _machine(tmp_path, python), "up")
    assert result.returncode != 0
    assert said in result.stdout + result.stderr
    assert remedy in result.stderr
    assert not (tmp_path / ".venv").exists()


def test_without_a_target_make_explains(tmp_path: Path) -> None:
    result = _make(tmp_path, _machine(tmp_path, None), "help")
    assert result.returncode == 0
    for target in ("up", "test", "chaos", "browser", "check", "clean"):
        assert f"make {target}\t" in result.stdout


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_pins_everything_the_build_tool_included_with_hashes_and_names_no_registry(name: str) -> None:
    text = (HERE / name).read_text()
    assert "://" not in text
    pins = [block for block in re.split(r"\n(?=\S)", text.strip()) if not block.startswith("#")]
    assert all(re.match(r"[a-z0-9._\[\]-]+==", pin) and "--hash=sha256:" in pin for pin in pins)
    assert any(pin.startswith("setuptools==") for pin in pins)
