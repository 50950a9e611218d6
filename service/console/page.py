"""The one page of the console: puts the parts together and keeps them up to date from the shared picture."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from nicegui import Client, events, ui

from service.console.elements import Counters, Head, StationList, StationPanel
from service.console.fleet_view import counters_view, head_view
from service.console.power_chart import power_chart
from service.console.slot_view import legend
from service.console.station_list_view import FILTERS, ListQuery, list_view
from service.console.station_view import station_view
from service.console.watch import Watch
from service.domain.clock import Clock

_STYLE = (Path(__file__).parent / "web" / "console.css").read_text()

SHOW_EVERY_S = 0.5
"""Wall seconds between two looks at the shared picture; the fleet clock on the page ticks with it."""
CHART_EVERY_S = 5.0
"""Wall seconds between two drawings of the chart while the plan stays the same."""


class FleetPage:
    """One open page: what its operator picked, sorted and filtered, and the elements that draw it."""

    def __init__(
        self, watch: Watch, clock: Clock, station_silence_s: float, wall_s: Callable[[], float], picked: str | None
    ) -> None:
        self._watch = watch
        self._clock = clock
        self._silence_s = station_silence_s
        self._wall_s = wall_s
        self._picked = picked
        self._query = ListQuery()
        self._version = -1
        self._chart_key: tuple[Any, ...] = ()
        self._chart_due_s = 0.0
        self._build()
        watch.page_opened()
        watch.pick(None, picked)
        self.refresh()

    def _build(self) -> None:
        ui.add_css(_STYLE)
        ui.query(".nicegui-content").classes("denchi")
        self._head = Head()
        with ui.element("div").classes("denchi-body") as self._body:
            with ui.element("main"):
                with ui.element("div").classes("denchi-top"):
                    with ui.element("section").classes("denchi-card denchi-chart").props('aria-label="Fleet power and price"'):
                        ui.html("<h2>Fleet power and price</h2>", sanitize=False)
                        self._chart = ui.echart({}).classes("denchi-echart")
                    self._counters = Counters({"counters": []})
                self._list = StationList()
            self._panel = StationPanel()
        self._list.on("pick", lambda event: self._pick(event.args))
        self._panel.on("pick", lambda event: self._pick(event.args))
        self._list.on("sort", lambda event: self._ask(self._query.sorted_by(str(event.args))))
        self._list.on("search", lambda event: self._ask(replace(self._query, text=str(event.args)[:80], page=0)))
        self._list.on("only", lambda event: self._ask(replace(self._query, only=str(event.args), page=0)))
        self._list.on("page", self._turn)
        ui.timer(SHOW_EVERY_S, self.refresh)

    def refresh(self) -> None:
        """Draw the head; draw the rest when there is a newer picture."""
        head = head_view(self._watch.fleet, self._clock.now(), 1 / self._clock.wall_seconds(1.0), self._silence_s)
        self._head.show({**head, "failure": self._watch.failure or ""})
        if self._version != self._watch.version:
            self._version = self._watch.version
            self._draw()

    def closed(self) -> None:
        """Tell the reader that this page is gone."""
        self._watch.page_closed(self._picked)

    def _draw(self) -> None:
        fleet = self._watch.fleet
        if fleet is None:
            return
        self._counters.show({"counters": counters_view(fleet)})
        rows = list_view(self._watch.lines, self._query, self._picked)
        self._list.show({**rows, "text": self._query.text, "only": self._query.only, "filters": FILTERS, "legend": legend()})
        self._body.classes(add="with-panel") if self._picked else self._body.classes(remove="with-panel")
        self._panel.show(station_view(fleet, self._picked, self._watch.more.get(self._picked)) if self._picked else None)
        self._draw_chart()

    def _draw_chart(self) -> None:
        fleet = self._watch.fleet
        if fleet is None:
            return
        key = (fleet.plan.plan_id if fleet.plan else None, len(self._watch.measured))
        if key == self._chart_key and self._wall_s() < self._chart_due_s:
            return
        self._chart_key, self._chart_due_s = key, self._wall_s() + CHART_EVERY_S
        self._chart.options.clear()
        self._chart.options.update(power_chart(fleet.at, fleet.plan, self._watch.measured, tuple(self._watch.trace)))
        self._chart.update()

    def _pick(self, station_id: Any) -> None:
        picked = str(station_id)[:48] if station_id else None
        self._watch.pick(self._picked, picked)
        self._picked = picked
        self._draw()

    def _ask(self, query: ListQuery) -> None:
        self._query = query
        self._draw()

    def _turn(self, event: events.GenericEventArguments) -> None:
        if isinstance(event.args, int) and event.args >= 0:
            self._ask(replace(self._query, page=event.args))


def add_pages(watch: Watch, clock: Clock, station_silence_s: float, wall_s: Callable[[], float]) -> None:
    """Register ``/`` and ``/stations/{station_id}`` with NiceGUI. `wall_s` is a monotonic wall clock [s]."""

    def open_page(client: Client, picked: str | None) -> None:
        page = FleetPage(watch, clock, station_silence_s, wall_s, picked)
        client.on_delete(page.closed)

    @ui.page("/", title="denchi")
    def fleet_page(client: Client) -> None:
        open_page(client, None)

    @ui.page("/stations/{station_id}", title="denchi")
    def station_page(client: Client, station_id: str) -> None:
        open_page(client, station_id[:48])
