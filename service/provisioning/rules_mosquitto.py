"""Access rules and configuration for Mosquitto (2.0 or later). Pure text."""

from collections.abc import Iterable
from pathlib import Path

from service.provisioning.access import AccessRule

ACL_FILE = "mosquitto.acl"
PASSWORD_FILE = "mosquitto.passwords"


def render_passwords(rules: Iterable[AccessRule]) -> str:
    """Return the text of the ``password_file``: one ``login:$7$...`` a line."""
    return "".join(f"{rule.login}:{rule.pbkdf2_sha512}\n" for rule in rules)


def render_acl(rules: Iterable[AccessRule]) -> str:
    """Return the text of the ``acl_file``. It decides on delivery: Mosquitto grants any SUBSCRIBE and then withholds."""
    lines = ["# Written by denchi; changes are overwritten."]
    for rule in rules:
        lines += ["", f"user {rule.login}"]
        lines += [f"topic write {topic}" for topic in rule.publish]
        lines += [f"topic read {topic}" for topic in rule.subscribe]
    return "\n".join(lines) + "\n"


def render_server(*, mqtt_host: str, mqtt_port: int, rules_dir: Path) -> str:
    """Return a ``mosquitto.conf`` that uses the rules: for tests and as an example."""
    return (
        f"listener {mqtt_port} {mqtt_host}\n"
        "allow_anonymous false\n"
        "persistence false\n"
        "max_queued_messages 0\n"  # the default of 1000 drops after PUBACK
        "max_inflight_messages 1000\n"
        "message_size_limit 131072\n"
        "use_username_as_clientid false\n"  # ingest and dispatch share one login
        f"password_file {rules_dir / PASSWORD_FILE}\n"
        f"acl_file {rules_dir / ACL_FILE}\n"
    )
