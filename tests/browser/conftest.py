"""Headless Chromium for the tests of pages."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from service.standalone.ports import free_port

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --window-size=1300,1043 --lang=en --disable-dev-shm-usage"
)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("no Chromium with its driver on this machine")
    options = webdriver.ChromeOptions()
    for flag in (*FLAGS.split(), f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(flag)
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    # Its own port for the driver: Selenium's choice may meet another's.
    driver = webdriver.Chrome(options=options, service=Service(DRIVER, port=free_port()))
    yield driver
    driver.quit()


@pytest.fixture
def outside_requests(browser: webdriver.Chrome) -> Callable[[str], set[str]]:
    """Ask which addresses outside `url` the page has asked for so far."""

    def asked(url: str) -> set[str]:
        seen = set()
        for entry in browser.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                seen.add(message["params"]["request"]["url"])
            elif message["method"] == "Network.webSocketCreated":
                seen.add(message["params"]["url"].replace("ws://", "http://"))
        assert any(address.startswith(f"{url}/") for address in seen), "nothing was recorded"
        # The browser's own tabs do not count.
        return {address for address in seen if not address.startswith((f"{url}/", "data:", "blob:", "chrome:", "about:"))}

    return asked
