"""The roles of the service as child processes of one machine: their environment, how they are started, when they are ready."""

import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from service.provisioning.hashes import new_secret
from service.provisioning.keys import make_offer_key, make_token_key
from service.standalone.broker import NatsBroker
from service.standalone.children import spawn
from service.standalone.database import Database
from service.standalone.layout import DataDir
from service.standalone.places import write_secret
from service.standalone.ports import answers

ROLES = ("api", "console", "ingest", "plan", "desk")


def make_keys(layout: DataDir) -> None:
    """Make the keys of this installation where they are missing."""
    make_token_key(layout.keys / "token.pem", layout.keys / "jwks.json")
    make_offer_key(layout.keys / "offer.key")
    secret = layout.keys / "broker.password"
    if not secret.exists():
        write_secret(secret, new_secret())


def role_environment(layout: DataDir, database: Database, broker: NatsBroker, api_port: int) -> dict[str, str]:
    """Return the ``DENCHI_`` variables that every role gets. They hold paths of secrets, no secret."""
    return {
        "DENCHI_DATA_DIR": str(layout.root),
        "DENCHI_CLOCK_FILE": str(layout.clock_file),
        "DENCHI_DATABASE_URL": database.dsn(password=False),
        "DENCHI_DATABASE_PASSWORD_FILE": str(database.password_file),
        "DENCHI_BROKER_HOST": "127.0.0.1",
        "DENCHI_BROKER_PORT": str(broker.port),
        "DENCHI_BROKER_USER": "service",
        "DENCHI_BROKER_PASSWORD_FILE": str(layout.keys / "broker.password"),
        "DENCHI_BROKER_KIND": "nats",
        "DENCHI_BROKER_RULES_DIR": str(broker.rules_dir),
        "DENCHI_BROKER_PID_FILE": str(broker.pid_file),
        "DENCHI_API_PORT": str(api_port),
        "DENCHI_API_URL": f"http://127.0.0.1:{api_port}",
        "DENCHI_CONSOLE_PORT": str(api_port + 1),
        "DENCHI_JWKS_FILE": str(layout.keys / "jwks.json"),
        "DENCHI_TOKEN_KEY_FILE": str(layout.keys / "token.pem"),
        "DENCHI_OFFER_KEY_FILE": str(layout.keys / "offer.key"),
    }


def child_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Return our environment with `variables` in it: what they name, the person's own ``DENCHI_`` settings do not override."""
    # Each role computes little at a time; thread pools of the numeric libraries would only take the two cores from each other.
    single = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return {**single, **os.environ, **variables, "PYTHONUNBUFFERED": "1"}


def start_role(role: str, log_file: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start ``python -m service run ROLE``."""
    return spawn([sys.executable, "-m", "service", "run", role], log_file, env=environment)


def role_is_ready(role: str, api_port: int) -> bool:
    """Tell whether a role that serves answers; the others count as ready when they live."""
    if role == "console":
        return answers(api_port + 1)
    if role != "api":
        return True
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{api_port}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
