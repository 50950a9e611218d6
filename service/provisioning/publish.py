"""Everybody's access rules, from the database to the files of a broker, and the broker told of it."""

import contextlib
import json
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import bcrypt

from service.provisioning import rules_mosquitto, rules_nats
from service.provisioning.access import AccessRule, service_rule, station_rule
from service.provisioning.files import write_private
from service.provisioning.hashes import hash_bcrypt, hash_pbkdf2
from service.store.pool import Connection
from service.store.provisioning import list_credentials

_SERVICE_HASHES = "service.hashes.json"


async def access_rules(connection: Connection, rules_dir: Path, service_login: str, service_secret: str) -> list[AccessRule]:
    """Return the rule of the service and of every station that may log in."""
    rules = [_service(rules_dir, service_login, service_secret)]
    rules += [station_rule(kept.station_id, kept.bcrypt, kept.pbkdf2_sha512) for kept in await list_credentials(connection)]
    return rules


def write_rules(kind: str, rules_dir: Path, rules: Sequence[AccessRule]) -> None:
    """Write the files that a broker of `kind` (``nats`` or ``mosquitto``) reads, each whole or not at all.

    Existing files keep their owner's group and mode: Mosquitto reads them under an account of its own.
    """
    if kind == "nats":
        write_private(rules_dir / rules_nats.ACCESS_FILE, rules_nats.render_access(rules), keep_access=True)
        return
    write_private(rules_dir / rules_mosquitto.PASSWORD_FILE, rules_mosquitto.render_passwords(rules), keep_access=True)
    write_private(rules_dir / rules_mosquitto.ACL_FILE, rules_mosquitto.render_acl(rules), keep_access=True)


def tell_broker(pid_file: Path) -> bool:
    """Ask the broker to read its rules again; return False when it does not run."""
    try:
        os.kill(int(pid_file.read_text()), signal.SIGHUP)
    except (OSError, ValueError):
        return False
    return True


def _service(rules_dir: Path, login: str, secret: str) -> AccessRule:
    # The hash is kept: a new salt would look like a new password, and the broker would throw the running service out.
    path = rules_dir / _SERVICE_HASHES
    with contextlib.suppress(OSError, ValueError, KeyError):
        kept = json.loads(path.read_text())
        if kept["login"] == login and bcrypt.checkpw(secret.encode(), kept["bcrypt"].encode()):
            return service_rule(login, kept["bcrypt"], kept["pbkdf2_sha512"])
    hashed = {"login": login, "bcrypt": hash_bcrypt(secret), "pbkdf2_sha512": hash_pbkdf2(secret)}
    write_private(path, json.dumps(hashed), keep_access=True)
    return service_rule(login, hashed["bcrypt"], hashed["pbkdf2_sha512"])
