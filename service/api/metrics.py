"""``GET /metrics``: fleet, pipeline and this process for Prometheus. No station, pack or rider is a label."""

import asyncio
import hmac
import ipaddress
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.responses import Response

from service.api.errors import ProblemError
from service.domain.clock import Clock
from service.store.fleet import READ_FAILED
from service.store.metrics import PlanNow, Snapshot, read_snapshot
from service.store.pool import Pool

KEPT_S = 1.0
"""Wall seconds for which a reading is given again, at least: what it costs does not depend on how many ask."""
REST = 4.0
"""Guess: a reading that took long is given again for so many times as long. At 12,500 stations it takes a second."""
PATIENCE_S = 8.0
"""Wall seconds for one reading: Prometheus gives up after 10."""
_JOULES_PER_WH = 3600.0
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
"""Headers by which a proxy on this machine says that somebody else asks."""

Key = TypeVar("Key", bound=tuple[str, ...])

router = APIRouter(include_in_schema=False)


class Metrics:
    """Reads a snapshot of the database when somebody asks, and writes it down. `token` None: only this machine is answered."""

    def __init__(
        self,
        pool: Pool,
        clock: Clock,
        *,
        area: str,
        station_silence_s: float,
        token: str | None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if token == "":
            raise ValueError("the metrics token is empty; write one into the file of DENCHI_METRICS_TOKEN_FILE")
        self._pool, self._clock, self._area, self._token, self._monotonic = pool, clock, area, token, monotonic
        self._silence = timedelta(seconds=station_silence_s)
        self._one_reading = asyncio.Lock()
        self._snapshot: Snapshot | None = None
        self._good_until_s = -float("inf")
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Latest(lambda: self._snapshot))
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def check(self, request: Request) -> None:
        """Let in who has the token; without a token of ours, this machine.

        Raises
        ------
        ProblemError
            ``unauthenticated`` or ``forbidden``.
        """
        if self._token is None:
            if not _asks_from_here(request):
                raise ProblemError("forbidden", "set DENCHI_METRICS_TOKEN_FILE so that other machines may ask")
            return
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), self._token.encode()):
            raise ProblemError(
                "unauthenticated", "send the metrics token", headers={"WWW-Authenticate": 'Bearer realm="metrics"'}
            )

    async def page(self, accept: str) -> tuple[bytes, str]:
        """Return the page in a format that the asker understands, and its media type."""
        async with self._one_reading:
            began_s = self._monotonic()
            if began_s >= self._good_until_s:
                self._snapshot = await self._read()
                ended_s = self._monotonic()
                self._good_until_s = ended_s + max(KEPT_S, REST * (ended_s - began_s))
            encode, media_type = choose_encoder(accept)
            return encode(self._registry), media_type

    async def _read(self) -> Snapshot | None:
        try:
            async with asyncio.timeout(PATIENCE_S), self._pool.acquire() as connection:
                return await read_snapshot(connection, self._area, self._clock.now(), self._silence)
        except READ_FAILED:
            return None


async def _metrics(request: Request) -> Metrics:
    metrics: Metrics = request.app.state.metrics
    return metrics


@router.get("/metrics")
async def show_metrics(request: Request, metrics: Annotated[Metrics, Depends(_metrics)]) -> Response:
    """Write down fleet, pipeline and process."""
    metrics.check(request)
    page, media_type = await metrics.page(request.headers.get("accept", ""))
    return Response(page, headers={"Content-Type": media_type, "Cache-Control": "no-store"})


def _asks_from_here(request: Request) -> bool:
    host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    client = request.client.host if request.client else ""
    return _is_loopback(client) and _is_loopback(host) and not any(name in request.headers for name in _FORWARDED)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Latest(Collector):
    """What the last snapshot says, as metrics."""

    def __init__(self, latest: Callable[[], Snapshot | None]) -> None:
        self._latest = latest

    def describe(self) -> Iterator[Metric]:
        """Name nothing: what is there depends on the snapshot."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Yield every metric of the snapshot; without one only that the database is away."""
        snapshot = self._latest()
        yield GaugeMetricFamily("denchi_database_up", "1 when the database answered", value=float(snapshot is not None))
        if snapshot is not None:
            yield from _fleet(snapshot)
            yield from _pipeline(snapshot)
            yield from _desk(snapshot)
            yield from _outside(snapshot)
            if snapshot.plan is not None:
                yield from _plan(snapshot.plan, (snapshot.at - snapshot.plan.made_at).total_seconds())


def _fleet(now: Snapshot) -> Iterator[Metric]:
    yield _gauge("fleet_time_seconds", "The fleet clock as a Unix time", now.at.timestamp())
    yield _gauge("stations", "Stations in service", now.stations.stations)
    yield _gauge("stations_connected", "Of them connected to the broker", now.stations.connected)
    yield _gauge("stations_heard", "Of them heard within the silence that is allowed", now.stations_heard)
    yield _gauges("slots", "Slots by status", ["status"], {(key,): value for key, value in now.slots.items()})
    yield _gauges("packs", "Registered packs by place and condition", ["place", "condition"], now.packs)
    by_state = {(state,): packs for state, (packs, _) in now.charging.items()}
    yield _gauges("station_packs", "Packs in connected stations by charging state", ["state"], by_state)
    power_w = sum(power for _, power in now.charging.values())
    yield _gauge("charging_power_watts", "Power into the packs (DC) by the newest readings of connected stations", power_w)


def _pipeline(now: Snapshot) -> Iterator[Metric]:
    said = now.messages
    yield CounterMetricFamily("denchi_messages_stored", "Messages of stations stored", value=said.stored)
    yield CounterMetricFamily("denchi_messages_duplicate", "Messages that came again", value=said.duplicates)
    yield CounterMetricFamily("denchi_messages_dropped", "Messages that stations said they no longer hold", value=said.dropped)
    yield CounterMetricFamily("denchi_messages_lost", "Messages given up after asking three times", value=said.lost)
    refused = CounterMetricFamily("denchi_messages_refused", "Messages refused", labels=["reason"])
    for reason, count in now.refusals.items():
        refused.add_metric([reason], count)
    yield refused
    yield _gauge("message_gaps_open", "Boots of stations of which messages are missing", now.gaps_open)
    yield _gauge("dead_letters", "Refused messages that are kept", now.dead_letters)
    yield _gauge("station_events_waiting", "Station events that wait for the desk", now.events_waiting)
    waits_s = (now.at - now.oldest_event_at).total_seconds() if now.oldest_event_at else 0.0
    yield _gauge("station_event_oldest_seconds", "How long the oldest of them waits, fleet time", max(waits_s, 0.0))
    silences = {(role,): seconds for role, seconds in now.role_silences_s.items()}
    yield _gauges("role_silence_seconds", "Wall time since a role last did anything at the database", ["role"], silences)


def _desk(now: Snapshot) -> Iterator[Metric]:
    swaps = {(status,): count for status, count in now.swaps_of_a_day.items()}
    yield _gauges("swaps_day", "Swaps begun within the last 24 h of fleet time, by status", ["status"], swaps)
    yield _gauge("reservations_live", "Reservations that hold packs", now.reservations_live)
    debts = {(owed_by,): count for owed_by, count in now.debts.items()}
    yield _gauges("debts_open", "Open debts by who owes", ["owed_by"], debts)
    anomalies = {(kind,): count for kind, count in now.anomalies.items()}
    yield _gauges("anomalies_open", "Open anomalies by kind", ["kind"], anomalies)
    yield _gauge("commands_open", "Commands neither answered nor expired", now.commands_open)
    hour = now.commands_of_an_hour
    outcomes = {("acknowledged",): hour.acknowledged, ("expired",): hour.expired, ("open",): hour.open}
    yield _gauges("commands_hour", "Commands issued within the last hour of fleet time", ["outcome"], outcomes)


def _outside(now: Snapshot) -> Iterator[Metric]:
    price = GaugeMetricFamily("denchi_price_jpy_per_kwh", "Price of energy now, as known now", labels=["area", "source"])
    power = GaugeMetricFamily(
        "denchi_area_power_watts", "Mean power of the area now, as known now", labels=["series", "area", "source"]
    )
    for signal in now.signals:
        if signal.series == "price_jpy_per_kwh":
            price.add_metric([signal.place.name, signal.source], signal.value)
        else:
            power.add_metric([signal.series.removesuffix("_w"), signal.place.name, signal.source], signal.value)
    yield price
    yield power


def _plan(plan: PlanNow, age_s: float) -> Iterator[Metric]:
    yield _gauge("plan_age_seconds", "Fleet time since the newest plan was made", age_s)
    yield _gauge("plan_solve_seconds", "Wall time from problem to lawful plan", plan.solve_s)
    yield _gauge("plan_truncated", "1 when the solve was cut off", float(plan.truncated))
    yield _gauge("plan_shortfall_joules", "Energy that the plan cannot deliver in time", plan.shortfall_wh * _JOULES_PER_WH)
    if plan.gap is not None:
        yield _gauge("plan_gap_ratio", "How far from the optimum the plan can be at most", plan.gap)
    if plan.fleet_ac_w is not None:
        yield _gauge("plan_power_watts", "Power of the fleet (AC) planned for now", plan.fleet_ac_w)
    if plan.renewable_w is not None:
        yield _gauge("plan_renewable_watts", "Sun and wind that the plan counts on now", plan.renewable_w)
    about = {"engine": plan.engine, "price_source": plan.price_source, "supply_source": plan.supply_source}
    yield InfoMetricFamily("denchi_plan", "Who made the newest plan, and whose figures it trusts", value=about)


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(f"denchi_{name}", meaning, value=value)


def _gauges(name: str, meaning: str, labels: list[str], values: Mapping[Key, float]) -> Metric:
    family = GaugeMetricFamily(f"denchi_{name}", meaning, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family
