"""The parts of the page as NiceGUI elements: each draws one view (a plain dict) and is sent only what changed."""

from typing import Any

from nicegui import ui

_SLOT_CELL = {"denchi-slot-cell": "web/slot_cell"}
"""ES module that the list and the panel share."""


class _Drawn(ui.element):
    """An element that draws a view. Vue compares old and new and touches only what differs; nothing is rebuilt."""

    def __init__(self, view: dict[str, Any] | None = None) -> None:
        super().__init__()
        self._props["view"] = view
        self._shown = view

    def show(self, view: dict[str, Any] | None) -> None:
        """Draw `view`; an equal view is not sent."""
        if view != self._shown:
            self._shown = view
            self._props["view"] = view
            self.update()


class Head(_Drawn, component="web/denchi_head.js"):
    """Name, fleet clock, health, and the banner when the database is away."""


class Counters(_Drawn, component="web/denchi_counters.js"):
    """Packs, swaps today, anomalies, debts."""


class Alerts(_Drawn, component="web/denchi_alerts.js"):
    """What a person must know now. Emits `pick` with a station's id."""


class Swaps(_Drawn, component="web/denchi_swaps.js"):
    """The newest swaps of the fleet. Emits `pick` with a station's id."""


class StationList(_Drawn, component="web/denchi_station_list.js", esm=_SLOT_CELL):
    """All stations with a picture of their slots. Emits `pick`, `sort`, `search`, `only`, `page`."""


class StationPanel(_Drawn, component="web/denchi_station_panel.js", esm=_SLOT_CELL):
    """One station. Emits `pick` (null: close)."""
