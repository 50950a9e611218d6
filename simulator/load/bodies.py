"""Sendings into topics and bodies, as the wire wants them."""

import json
from collections.abc import Sequence
from datetime import UTC, timedelta
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from devices.wire.topics import up
from simulator.load.chance import Ints
from simulator.load.pack_text import BIRTH_FIELDS, TELEMETRY_12, TELEMETRY_24, PackText
from simulator.load.plan import LoadPlan
from simulator.load.readings import aux_import_wh, readings, site_import_wh
from simulator.load.script import Kind, Script, Sending

_LEAVES = {
    Kind.BIRTH: "birth",
    Kind.TELEMETRY: "telemetry",
    Kind.METER: "meter",
    Kind.REFUSED: "telemetry",
    Kind.HISTORY: "history",
    Kind.NOT_JSON: "telemetry",
    Kind.COPY: "telemetry",
    Kind.ONLINE: "connection",
    Kind.OFFLINE: "connection",
}

_READINGS = (Kind.TELEMETRY, Kind.HISTORY, Kind.COPY)

# Each breaks the schema of telemetry in another way; the key can be read in all of them.
_BROKEN = (
    b'"batteryData":[{"evseId":1,"serialNumber":"MPP-0","soC":140.0,"soH":99.0}]}',
    b'"batteryData":[{"evseId":1,"serialNumber":"MPP-0","soC":50.0,"soH":99.0,"surprise":1}]}',
    b'"batteryData":[{"evseId":0,"serialNumber":"MPP-0","soC":50.0,"soH":99.0}]}',
    b'"batteryData":{}}',
)


class Packet(NamedTuple):
    """One message ready for a connection. `topic` carries its length before it, as MQTT wants it."""

    step: int
    station: int
    retain: bool
    topic: bytes
    body: bytes


class Writer:
    """Makes the packets of one run. Bodies depend on the plan and the sending alone."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._plan = plan = script.plan
        self._topics: dict[Kind, list[bytes]] = {}
        self._telemetry = PackText(TELEMETRY_12 if plan.fields == len(TELEMETRY_12) else TELEMETRY_24, plan.packs)
        self._full = PackText(BIRTH_FIELDS, plan.packs)
        self._start = plan.start_at.astimezone(UTC)
        self._after_ts = f'","epoch":{plan.epoch},"boot":{plan.boot},"seq":'.encode()
        self._about_birth = _birth(plan)
        self._at_second = lru_cache(maxsize=64)(self._second_text)

    def packets(self, sendings: Sequence[Sending]) -> list[Packet]:
        """Return the packets of these sendings, in their order."""
        if not sendings:
            return []
        stations = np.array([one.station for one in sendings], dtype=np.int64)
        seqs = np.array([one.seq for one in sendings], dtype=np.int64)
        made = self._script.rounds(stations, seqs) * self._plan.stations + stations
        # Whole milliseconds after the second in which the run begins.
        made_ms = (made * (1000.0 / self._plan.rate_per_s)).astype(np.int64) + self._start.microsecond // 1000
        kinds = [one.kind for one in sendings]
        texts = self._pack_texts(kinds, stations, seqs)
        meters = self._meter_texts(kinds, stations, seqs)
        packets: list[Packet] = []
        for at, (one, ms) in enumerate(zip(sendings, made_ms.tolist(), strict=True)):
            kind = one.kind
            ts = self._ts(ms)
            start = b'{"v":1,"ts":"%s%s%d,' % (ts, self._after_ts, one.seq)
            if kind in _READINGS:
                body = b"".join((start, b'"batteryData":[', texts[at], b"]}"))
            elif kind is Kind.METER:
                body = start + meters[at]
            elif kind is Kind.BIRTH:
                body = b"".join((start, self._about_birth, texts[at], b"]}"))
            elif kind is Kind.REFUSED:
                body = start + _BROKEN[one.seq % len(_BROKEN)]
            elif kind is Kind.NOT_JSON:
                body = start + b'"batteryData":[{"evseId":1,"serialNumber":"MPP-'
            else:
                body = self._connection(ts, online=kind is Kind.ONLINE)
            retain = kind is Kind.ONLINE or kind is Kind.OFFLINE
            packets.append(Packet(one.step, one.station, retain, self._topic(kind, one.station), body))
        return packets

    def _pack_texts(self, kinds: Sequence[Kind], stations: Ints, seqs: Ints) -> dict[int, memoryview]:
        """Return the packs of those sendings that tell of packs, by their place in the batch."""
        texts: dict[int, memoryview] = {}
        for writer, told in ((self._telemetry, _READINGS), (self._full, (Kind.BIRTH,))):
            places = [at for at, kind in enumerate(kinds) if kind in told]
            if places:
                said = readings(self._plan.seed, self._plan.packs, stations[places], seqs[places])
                texts.update(zip(places, writer.write(said), strict=True))
        return texts

    def _meter_texts(self, kinds: Sequence[Kind], stations: Ints, seqs: Ints) -> dict[int, bytes]:
        places = [at for at, kind in enumerate(kinds) if kind is Kind.METER]
        site = site_import_wh(self._plan.packs, stations[places], seqs[places]).tolist()
        aux = aux_import_wh(stations[places], seqs[places]).tolist()
        return {
            at: b'"clock":{"source":"ntp","offsetMs":0.0},"registers":['
            b'{"meterId":"site","point":"site","importWh":%d,"exportWh":0,"quality":"measured"},'
            b'{"meterId":"aux","point":"aux","importWh":%d,"quality":"estimated"}]}' % (site_wh, aux_wh)
            for at, site_wh, aux_wh in zip(places, site, aux, strict=True)
        }

    def _connection(self, ts: bytes, *, online: bool) -> bytes:
        plan = self._plan
        return (
            b'{"v":1,"ts":"%s","epoch":%d,"boot":%d,"session":%d,"online":%s,"firmware":"load","clock":{"source":"ntp","offsetMs":0.0}}'
            % (ts, plan.epoch, plan.boot, plan.boot, b"true" if online else b"false")
        )

    def _ts(self, ms: int) -> bytes:
        second, rest = divmod(ms, 1000)
        return self._at_second(second) + b".%03dZ" % rest

    def _second_text(self, second: int) -> bytes:
        whole = self._start.replace(microsecond=0) + timedelta(seconds=second)
        return whole.strftime("%Y-%m-%dT%H:%M:%S").encode()

    def _topic(self, kind: Kind, station: int) -> bytes:
        topics = self._topics.get(kind)
        if topics is None:
            names = (up(self._plan.name(number), _LEAVES[kind]).encode() for number in range(self._plan.stations))
            topics = self._topics[kind] = [len(name).to_bytes(2, "big") + name for name in names]
        return topics[station]


def _birth(plan: LoadPlan) -> bytes:
    """Return what a birth says between its envelope and its packs."""
    slots = [
        {"evseId": number, "status": "Occupied", "accepts": ["MPP-E"], "maxChargeDcW": 500.0, "chargerGroup": 1}
        for number in range(1, plan.packs + 1)
    ]
    descriptor = {
        "vendor": "load", "model": f"{plan.packs} slots", "firmware": "load", "swapOrder": "In-Out", "targetSoC": 95.0,
        "timeoutInS": 60.0, "timeoutOutS": 60.0, "clock": {"source": "ntp", "offsetMs": 0.0}, "journal": [],
        "site": {"phases": 3, "maxImportAcW": 600.0 * plan.packs}, "lanes": [],
        "chargerGroups": [{"id": 1, "maxAcW": 550.0 * plan.packs, "efficiency": 0.93}], "slotState": slots,
    }  # fmt: skip
    return json.dumps(descriptor, separators=(",", ":"))[1:-1].encode() + b',"batteryData":['
