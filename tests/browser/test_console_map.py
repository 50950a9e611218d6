"""The map in a real browser with a nation's fleet, alone on a page behind the console's gate. Needs Chromium and its driver."""

import json
import os
import signal
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from service.standalone.children import wait_for
from service.standalone.ports import answers, free_port

HERE = Path(__file__).parent
STATIONS = 12_500
pytestmark = pytest.mark.browser

OPAQUE_PIXELS = """
    const dots = document.querySelector('canvas.denchi-map-dots');
    const pixels = dots.getContext('2d').getImageData(0, 0, dots.width, dots.height).data;
    let opaque = 0;
    for (let i = 3; i < pixels.length; i += 4) opaque += pixels[i] > 200;
    return opaque;"""
A_DOT = """
    const dots = document.querySelector('canvas.denchi-map-dots');
    const [box, view] = [dots.getBoundingClientRect(), document.querySelector('.denchi-map-view').getBoundingClientRect()];
    const scale = dots.width / box.width;
    for (let y = view.top + view.height / 3; y < view.bottom; y += 2)
        for (let x = view.left + view.width / 3; x < view.right; x += 2)
            if (dots.getContext('2d').getImageData((x - box.left) * scale, (y - box.top) * scale, 1, 1).data[3] > 200)
                return [x, y];"""
RECORD_FRAMES = """
    window.frames_seen = [];
    (function frame(at) { window.frames_seen.push(at); window.frame_wait = requestAnimationFrame(frame); })(performance.now());"""
STOP_FRAMES = "cancelAnimationFrame(window.frame_wait); return window.frames_seen;"


@pytest.fixture
def map_page() -> Iterator[str]:
    """The map of `STATIONS` stations as a process of its own: its URL."""
    port = free_port()
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    environment["PYTHONPATH"] = str(HERE.parents[1])
    process = subprocess.Popen([sys.executable, str(HERE / "map_process.py"), str(port), str(STATIONS)], env=environment)
    try:
        assert wait_for(lambda: answers(port) or process.poll() is not None, 30), "the page did not open in 30 s"
        assert process.poll() is None, "the page ended by itself"
        yield f"http://127.0.0.1:{port}"
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


class Mouse:
    """The mouse as the browser gets it from the machine."""

    def __init__(self, browser: webdriver.Chrome) -> None:
        self._browser = browser

    def _send(self, kind: str, x: float, y: float, **more: Any) -> None:
        self._browser.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": kind, "x": x, "y": y, **more})

    def move(self, x: float, y: float) -> None:
        self._send("mouseMoved", x, y)

    def click(self, x: float, y: float, times: int = 1) -> None:
        for count in range(1, times + 1):
            self._send("mousePressed", x, y, button="left", clickCount=count, buttons=1)
            self._send("mouseReleased", x, y, button="left", clickCount=count)

    def drag(self, start: tuple[float, float], step: tuple[float, float], steps: int) -> None:
        x, y = start
        self._send("mousePressed", x, y, button="left", clickCount=1, buttons=1)
        for _ in range(steps):
            x, y = x + step[0], y + step[1]
            self._send("mouseMoved", x, y, button="left", buttons=1)
        self._send("mouseReleased", x, y, button="left", clickCount=1)

    def wheel(self, x: float, y: float, turn: float) -> None:
        self._send("mouseWheel", x, y, deltaX=0, deltaY=turn)


def until(browser: webdriver.Chrome, what: Callable[[], object], why: str) -> Any:
    return WebDriverWait(browser, 20, 0.1, (Exception,)).until(lambda _: what(), why)


def legend(browser: webdriver.Chrome) -> dict[str, int]:
    """Return the legend's words and how many stations it counts."""
    items = browser.execute_script(
        "const items = [...document.querySelectorAll('.denchi-map-legend li')];"
        "return items.map((item) => [item.textContent, item.querySelector('b').textContent]);"
    )
    return {text.removesuffix(count).strip(): int(count.replace(",", "")) for text, count in items}


def differs(browser: webdriver.Chrome, before: dict[str, int]) -> bool:
    return legend(browser) != before


def wait_until_still(browser: webdriver.Chrome) -> None:
    """Wait until nothing moves for half a second: a turn of the wheel begins to move the map only a little later."""
    looks = 0

    def is_still() -> bool:
        nonlocal looks
        moving = browser.find_elements(By.CSS_SELECTOR, ".leaflet-zoom-anim, .leaflet-pan-anim")
        looks = 0 if moving else looks + 1
        return looks >= 5

    until(browser, is_still, "the picture rests")


def frame_times_ms(frames: list[float]) -> tuple[float, float]:
    """Return median and 95th percentile of the time between frames [ms]."""
    gaps = sorted(after - before for before, after in pairwise(frames))
    return round(statistics.median(gaps), 1), round(gaps[int(len(gaps) * 0.95)], 1)


def test_a_nation_of_stations_is_seen_moved_hovered_and_picked(
    map_page: str,
    browser: webdriver.Chrome,
    outside_requests: Callable[[str], set[str]],
    tmp_path: Path,
) -> None:
    browser.get(map_page)
    until(browser, lambda: legend(browser).get("without coordinates") == 2, "the fleet, and who has no place")
    assert sum(legend(browser)[words] for words in list(legend(browser))[:5]) == STATIONS
    until(browser, lambda: browser.execute_script(OPAQUE_PIXELS) > 20_000, "the dots")
    whole = browser.execute_script(OPAQUE_PIXELS)
    browser.save_screenshot(str(tmp_path / "nation.png"))

    mouse = Mouse(browser)
    frames_ms: dict[str, tuple[float, float]] = {}
    for motion in ("drag", "wheel"):
        browser.execute_script(RECORD_FRAMES)
        for turn in range(4):
            way = 1 if turn % 2 else -1
            if motion == "drag":
                mouse.drag((650 - way * 150, 450), (5 * way, way), 60)
            else:
                mouse.wheel(700, 560, 240 * way)
            wait_until_still(browser)
        frames_ms[motion] = frame_times_ms(browser.execute_script(STOP_FRAMES))
    # A record, not a claim: a busy machine is no fault of the map.
    (tmp_path / "frames.json").write_text(json.dumps({"median and 95th percentile, ms": frames_ms}))
    mouse.wheel(620, 600, -600)
    wait_until_still(browser)
    until(browser, lambda: browser.execute_script(OPAQUE_PIXELS) != whole, "fewer, larger dots")
    browser.save_screenshot(str(tmp_path / "region.png"))

    def hovered_spot() -> tuple[float, float] | None:
        spot: tuple[float, float] = browser.execute_script(A_DOT)
        mouse.move(*spot)
        return spot if browser.find_elements(By.CSS_SELECTOR, ".denchi-map-tip") else None

    x, y = until(browser, hovered_spot, "a name")
    tip = browser.find_element(By.CSS_SELECTOR, ".denchi-map-tip")
    until(browser, lambda: "ready of 27 packs" in tip.text, "what the server says of the station")
    assert tip.text.startswith("Station ")
    number = tip.text.split()[1]
    mouse.click(x, y)
    until(browser, lambda: httpx.get(f"{map_page}/picked").json() == [f"st-{number}"], "the pick")
    mouse.move(20, 1000)
    until(browser, lambda: not browser.find_elements(By.CSS_SELECTOR, ".denchi-map-tip"), "the name goes")

    browser.find_element(By.CSS_SELECTOR, ".denchi-map-fit").click()
    until(browser, lambda: abs(browser.execute_script(OPAQUE_PIXELS) - whole) < 0.05 * whole, "the whole fleet again")
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
    assert outside_requests(map_page) == set()


def test_places_are_sent_once_and_then_only_what_changed(map_page: str, browser: webdriver.Chrome) -> None:
    def received_bytes() -> list[int]:
        messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
        return [
            len(message["params"]["response"]["payloadData"].encode())
            for message in messages
            if message["method"] == "Network.webSocketFrameReceived"
        ]

    browser.get(map_page)
    until(browser, lambda: legend(browser).get("without coordinates") == 2, "the fleet")
    first = received_bytes()
    assert 300_000 < sum(first) < 1_500_000
    for changed, most_bytes in ((20, 2_000), (STATIONS, 50_000)):
        before = legend(browser)
        httpx.get(f"{map_page}/change", params={"ready": 0, "first": changed}).raise_for_status()
        until(browser, partial(differs, browser, before), "the new states")
        assert sum(received_bytes()) < most_bytes
    assert legend(browser)["no ready pack"] == STATIONS
