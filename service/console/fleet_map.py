"""The map as a NiceGUI element: places go to the browser once, states as letters when they change."""

from pathlib import Path

import nicegui.elements.leaflet as leaflet_bundle  # registers the import name nicegui-leaflet, and Leaflet comes from there
from nicegui import events, ui

from service.console.map_view import MapView, changed_states, hover_words, legend

_HERE = Path(__file__).parent
_STYLE = (_HERE / "web" / "denchi_map.css").read_text()
_OUTLINES = _HERE / "outlines"


class FleetMap(
    ui.element,
    component="web/denchi_map.js",
    esm={"denchi-map-dots": "web/map_dots", "nicegui-leaflet": str(Path(leaflet_bundle.__file__).parent / "dist")},
):
    """All stations on a map. Emits `pick` with a station's id. Give it a height.

    Parameters
    ----------
    tile_url : template of a map picture such as ``/tiles/{z}/{x}/{y}.png``; None: the bundled outline alone. The content policy
        lets pictures in from the console's own address only, so tiles of others come through the proxy in front of it.
    tile_credit : who made the tiles, as text.
    """

    def __init__(self, tile_url: str | None = None, tile_credit: str = "") -> None:
        super().__init__()
        ui.add_css(_STYLE)
        self.add_resource(_OUTLINES)
        self._props["legend"] = legend()
        self._props["tile-url"] = tile_url
        self._props["tile-credit"] = tile_credit
        self._view: MapView | None = None
        self._sent: MapView | None = None
        self._is_open = False
        self.on("ready", self._open)
        self.on("look", self._tell)

    def show(self, view: MapView | None) -> None:
        """Draw `view`; only what changed is sent. None: nothing has been read yet."""
        self._view = view
        if self._is_open:
            self._send()

    def _open(self) -> None:
        """The map stands in the browser and knows nothing yet."""
        self._is_open, self._sent = True, None
        self._send()

    def _send(self) -> None:
        view, sent = self._view, self._sent
        if view is None:
            return
        if sent is None or view.places != sent.places:
            self.run_method("load", view.places.view(), view.states, view.picked)
        else:
            if view.states != sent.states:
                changes = changed_states(sent.states, view.states)
                if changes is None:
                    self.run_method("recolour", view.states)
                else:
                    self.run_method("change", *changes)
            if view.picked != sent.picked:
                self.run_method("mark", view.picked)
        self._sent = view

    def _tell(self, event: events.GenericEventArguments) -> None:
        """Answer what the pointer rests on. The browser says which place it means by its number."""
        if self._view is None or not isinstance(event.args, int) or not 0 <= event.args < len(self._view.lines):
            return
        self.run_method("tell", event.args, hover_words(self._view.lines[event.args]))
