"""Who may say what on the broker: the one source from which every broker's rules are rendered."""

from dataclasses import dataclass

from devices.wire import topics


@dataclass(frozen=True, slots=True)
class AccessRule:
    """One login at the broker and the MQTT topic filters it may publish to and receive from."""

    login: str
    bcrypt: str
    pbkdf2_sha512: str
    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    durable: bool = False
    """Whether it receives at QoS 1 (ingest does, stations do not)."""


def station_rule(station_id: str, bcrypt: str, pbkdf2_sha512: str) -> AccessRule:
    """Return the rule of a station: it writes its own ``up/#``, reads its own ``down`` topics and every host's state."""
    return AccessRule(
        login=station_id,
        bcrypt=bcrypt,
        pbkdf2_sha512=pbkdf2_sha512,
        publish=(topics.up(station_id, "#"),),
        subscribe=(
            topics.down(station_id, topics.DOWN_COMMAND),
            topics.down(station_id, topics.DOWN_COMMITTED),
            topics.host_state("+"),
        ),
    )


def service_rule(login: str, bcrypt: str, pbkdf2_sha512: str) -> AccessRule:
    """Return the rule of the service itself: everything of this contract."""
    everything = (f"{topics.ROOT}/#",)
    return AccessRule(login, bcrypt, pbkdf2_sha512, publish=everything, subscribe=everything, durable=True)
