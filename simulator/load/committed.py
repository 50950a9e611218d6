"""Hearing what is committed, and saying again what stays open, as a station would."""

import json
import threading
from typing import Any

import numpy as np
from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from devices.link.address import LinkAddress
from devices.wire.topics import ROOT
from simulator.load.chance import Ints
from simulator.load.plan import LoadPlan
from simulator.load.script import Kind, Script, Sending

AT_MOST_OPEN = 20
"""Source: the contract of the wire: of what is sent again, at most so many of a station are open at once."""

STATIONS_AT_ONCE = 1000
"""Guess: so many stations speak again in one turn; then it is for the next ones."""


class CommittedWatch:
    """Listens to every station's `down/committed`, in a thread of paho's. `upto`: the watermark of each station."""

    def __init__(self, address: LinkAddress, client_id: str, plan: LoadPlan) -> None:
        self._plan = plan
        self._numbers = {plan.name(station): station for station in range(plan.stations)}
        self._heard: Ints = np.full(plan.stations, -1, dtype=np.int64)
        self._guard = threading.Lock()
        self._address = address
        client = Client(CallbackAPIVersion.VERSION2, client_id, clean_session=True, protocol=MQTTProtocolVersion.MQTTv311)
        if address.user is not None:
            client.username_pw_set(address.user, address.password)
        if address.ca_file is not None:
            client.tls_set(str(address.ca_file))
        client.reconnect_delay_set(1, 2)
        client.on_connect = self._connected
        client.on_message = self._message
        self._client = client

    def start(self) -> None:
        """Begin to listen; a broker that is away is tried again."""
        self._client.connect_async(self._address.host, self._address.port, 60)
        self._client.loop_start()

    def stop(self) -> None:
        """End."""
        self._client.disconnect()
        self._client.loop_stop()

    def upto(self) -> Ints:
        """Return per station the highest seq up to which everything is committed, -1 where we have heard nothing."""
        with self._guard:
            return self._heard.copy()

    def _connected(
        self, client: Client, _data: Any, _flags: ConnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if not reason.is_failure:
            client.subscribe(f"{ROOT}/+/station/+/down/committed", 0)

    def _message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        try:
            told = json.loads(message.payload)
            station = self._numbers[message.topic.split("/")[4]]
            epoch, boot, seq = int(told["epoch"]), int(told["boot"]), int(told["seq"])
        except (ValueError, KeyError, IndexError, TypeError):
            return  # another fleet's, or nothing
        if (epoch, boot) == (self._plan.epoch, self._plan.boot):
            with self._guard:
                self._heard[station] = max(self._heard[station], seq)


def said_again(script: Script, committed: Ints, highest: Ints, step: int, turn: int) -> list[Sending]:
    """Return what stations say again: the next open messages of each, and of one never heard of only the last.

    A message that comes twice is a question for the watermark: the service answers it with what it has committed.
    """
    stations = np.flatnonzero(committed < highest).astype(np.int64)
    # Not always the same: one that is never answered must not hold up the others.
    stations = np.roll(stations, -turn * STATIONS_AT_ONCE)[:STATIONS_AT_ONCE]
    first = np.where(committed[stations] >= 0, committed[stations] + 1, highest[stations])
    again: list[Sending] = []
    for back in range(AT_MOST_OPEN):
        still = first + back <= highest[stations]
        who, seqs = stations[still], first[still] + back
        kinds = [Kind(kind) for kind in script.kinds(who, seqs).tolist()]
        again += [
            Sending(step, station, seq, Kind.HISTORY if kind is Kind.TELEMETRY else kind)
            for station, seq, kind in zip(who.tolist(), seqs.tolist(), kinds, strict=True)
        ]
    return again
