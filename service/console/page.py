"""The one page of the console: puts the parts together and keeps them up to date from the shared picture."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from nicegui import Client, events, ui

from service.console.alerts_view import alerts_view
from service.console.chart_options import LEGEND
from service.console.elements import Alerts, Counters, Head, StationList, StationPanel, Swaps
from service.console.fleet_map import FleetMap
from service.console.fleet_view import head_view
from service.console.power_chart import power_chart, sources_text
from service.console.slot_view import legend
from service.console.station_list_view import FILTERS, ListQuery, list_view
from service.console.station_view import station_view
from service.console.swaps_view import swaps_view
from service.console.watch import Watch
from service.domain.clock import Clock

_STYLE = (Path(__file__).parent / "web" / "console.css").read_text()
_CHART_HEAD = "<h2>Fleet power against supply and price</h2><ul>{}</ul>".format(
    "".join(f'<li title="{meaning}"><i class="is-{swatch}"></i>{words}</li>' for swatch, words, meaning in LEGEND)
)

SHOW_EVERY_S = 0.5
"""Wall seconds between two looks at the shared picture; the fleet clock on the page ticks with it."""


class FleetPage:
    """One open page: what its operator picked, sorted and filtered, and the elements that draw it."""

    def __init__(self, watch: Watch, clock: Clock, station_silence_s: float, picked: str | None) -> None:
        self._watch = watch
        self._clock = clock
        self._silence_s = station_silence_s
        self._picked = picked
        self._query = ListQuery()
        self._version = -1
        self._chart_key: tuple[Any, ...] = ()
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
                    with (
                        ui.element("section")
                        .classes("denchi-card denchi-chart")
                        .props('aria-label="Fleet power, supply and price"')
                    ):
                        ui.html(_CHART_HEAD, sanitize=False)
                        self._sources = ui.label().classes("denchi-sources")
                        self._chart = ui.echart({}).classes("denchi-echart")
                    with ui.element("section").classes("denchi-card denchi-map-card").props('aria-label="Map of the stations"'):
                        self._map = FleetMap()
                self._counters = Counters({"counters": []})
                with ui.element("div").classes("denchi-news"):
                    self._alerts = Alerts({"act": 0, "look": 0, "lines": []})
                    self._swaps = Swaps({"swaps": []})
                self._list = StationList()
            self._panel = StationPanel()
        self._list.on("pick", lambda event: self._pick(event.args))
        self._panel.on("pick", lambda event: self._pick(event.args))
        for element in (self._map, self._alerts, self._swaps):
            element.on("pick", lambda event: self._open(event.args))
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
        self._counters.show({"counters": self._watch.counters})
        rows = list_view(self._watch.lines, self._query, self._picked)
        self._list.show({**rows, "text": self._query.text, "only": self._query.only, "filters": FILTERS, "legend": legend()})
        self._alerts.show(alerts_view(self._watch.alerts, fleet.at))
        self._swaps.show({"swaps": swaps_view(fleet.newest_swaps, fleet.stations, fleet.at)})
        if self._watch.map is not None:
            self._map.show(replace(self._watch.map, picked=self._picked))
        self._body.classes(add="with-panel") if self._picked else self._body.classes(remove="with-panel")
        self._panel.show(station_view(fleet, self._picked, self._watch.more.get(self._picked)) if self._picked else None)
        self._draw_chart()

    def _draw_chart(self) -> None:
        fleet = self._watch.fleet
        if fleet is None:
            return
        watch = self._watch
        key = (fleet.plan.plan_id if fleet.plan else None, watch.day_version)
        if key == self._chart_key:
            return
        self._chart_key = key
        self._sources.set_text(sources_text(fleet.plan, watch.area))
        self._chart.options.clear()
        self._chart.options.update(power_chart(fleet.at, fleet.plan, watch.area, watch.measured, tuple(watch.trace)))
        self._chart.update()

    def _open(self, station_id: Any) -> None:
        """Open a station from elsewhere than the list, which writes the address itself."""
        if isinstance(station_id, str):
            ui.run_javascript(f"history.pushState({{}}, '', '/stations/' + encodeURIComponent({json.dumps(station_id[:48])}))")
            self._pick(station_id)

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


def add_pages(watch: Watch, clock: Clock, station_silence_s: float) -> None:
    """Register ``/`` and ``/stations/{station_id}`` with NiceGUI."""

    def open_page(client: Client, picked: str | None) -> None:
        page = FleetPage(watch, clock, station_silence_s, picked)
        client.on_delete(page.closed)

    @ui.page("/", title="denchi")
    def fleet_page(client: Client) -> None:
        open_page(client, None)

    @ui.page("/stations/{station_id}", title="denchi")
    def station_page(client: Client, station_id: str) -> None:
        open_page(client, station_id[:48])
