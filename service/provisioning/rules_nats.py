"""Access rules and configuration for nats-server. Pure text."""

import json
from collections.abc import Iterable
from pathlib import Path

from service.provisioning.access import AccessRule

ACCESS_FILE = "access.conf"

# A session's subscriptions may not ask for more than 65,535 together, and an ingest worker holds up to 64 of them.
# Source: docs.nats.io/reference/config/mqtt/max_ack_pending
MAX_ACK_PENDING = 1000
ACK_WAIT_S = 30
MAX_PAYLOAD = "128KB"


def subject(topic_filter: str) -> tuple[str, ...]:
    """Return the NATS subjects of an MQTT topic filter: levels join by dots, ``+`` is ``*``, ``#`` is its level and all below.

    >>> subject("denchi/v1/host/+/state")
    ('denchi.v1.host.*.state',)
    >>> subject("denchi/v1/#")
    ('denchi.v1', 'denchi.v1.>')
    """
    levels = ["*" if level == "+" else level for level in topic_filter.split("/")]
    if any(set(level) & set(". >") for level in levels):
        raise ValueError(f"{topic_filter!r} cannot be a NATS subject")
    if levels[-1] != "#":
        return (".".join(levels),)
    stem = ".".join(levels[:-1])
    return (stem, f"{stem}.>")


def render_access(rules: Iterable[AccessRule]) -> str:
    """Return the text of ``access.conf``: one account of its own (with bounds) and every login in it."""
    users = ",\n".join(f"      {_user(rule)}" for rule in rules)
    return (
        "# Written by denchi; changes are overwritten.\n"
        "accounts {\n  denchi {\n"
        "    jetstream { max_memory: 256MB, max_file: 4GB, max_streams: 16, max_consumers: 2048 }\n"
        f"    users: [\n{users}\n    ]\n  }}\n}}\n"
    )


def render_server(*, mqtt_host: str, mqtt_port: int, store_dir: Path, pid_file: Path) -> str:
    """Return the text of the server's own file, which includes ``access.conf`` beside it."""
    return (
        "# Written by denchi; changes are overwritten.\n"
        "server_name: denchi\n"
        'listen: "127.0.0.1:-1"\n'  # core NATS is not used: a free port, this machine only
        f"max_payload: {MAX_PAYLOAD}\n"
        f"pid_file: {json.dumps(str(pid_file))}\n"
        f"jetstream {{ store_dir: {json.dumps(str(store_dir))}, max_memory_store: 256MB, max_file_store: 4GB }}\n"
        f"mqtt {{ host: {json.dumps(mqtt_host)}, port: {mqtt_port}, ack_wait: {json.dumps(f'{ACK_WAIT_S}s')}, "
        f"max_ack_pending: {MAX_ACK_PENDING} }}\n"
        f'include "./{ACCESS_FILE}"\n'
    )


def _user(rule: AccessRule) -> str:
    publish = [name for topic in rule.publish for name in subject(topic)]
    subscribe = [name for topic in rule.subscribe for name in subject(topic)]
    if rule.durable:
        subscribe.append("$MQTT.sub.>")  # what nats-server delivers QoS 1 messages on; without it they are withheld silently
    fields = {
        "user": rule.login,
        "password": rule.bcrypt,
        "permissions": {"publish": {"allow": publish}, "subscribe": {"allow": subscribe}},
    }
    return json.dumps(fields)  # the configuration language takes JSON
