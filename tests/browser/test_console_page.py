"""The console in a real browser on a seeded database. Needs Chromium and its driver."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import httpx
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from service.domain.clock import Clock
from service.standalone.database import Database
from service.standalone.ports import free_port
from service.store.migrate import migrate
from tests.conftest import ManualClock

HERE = Path(__file__).parent
pytestmark = pytest.mark.browser


async def seed(dsn: str, clock: Clock) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute("SELECT set_config('seed.now', $1, false)", clock.now().isoformat())
    await connection.execute((HERE.parent / "console_fleet.sql").read_text())
    await connection.close()


@asynccontextmanager
async def console(dsn: str, clock: Clock, password: str | None = None) -> AsyncIterator[str]:
    """Run the console as a process of its own; its URL. It must end by itself, cleanly, on SIGTERM."""
    port = free_port()
    arguments = [dsn, str(port), clock.now().isoformat(), *([password] if password else [])]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    environment["PYTHONPATH"] = str(HERE.parents[1])
    process = subprocess.Popen([sys.executable, str(HERE / "console_process.py"), *arguments], env=environment)
    url = f"http://127.0.0.1:{port}"
    try:
        async with httpx.AsyncClient() as client:
            for _ in range(300):
                assert process.poll() is None, "the console ended by itself"
                try:
                    if (await client.get(f"{url}/livez")).status_code == 200:
                        break
                except httpx.TransportError:
                    await asyncio.sleep(0.1)
            else:
                pytest.fail("the console did not open in 30 s")
        yield url
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 15) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


async def seen(browser: webdriver.Chrome, what: Callable[[], object], why: str, seconds: float = 20) -> None:
    """Wait until the page shows something; elements may be redrawn meanwhile."""
    await asyncio.to_thread(WebDriverWait(browser, seconds, 0.2, (Exception,)).until, lambda _: what(), why)


def text(browser: webdriver.Chrome, selector: str) -> str:
    return browser.find_element(By.CSS_SELECTOR, selector).text


async def test_an_operator_sees_the_fleet_opens_a_station_and_sees_it_change(
    database: str, clock: Clock, browser: webdriver.Chrome, outside_requests: Callable[[str], set[str]], tmp_path: Path
) -> None:
    await seed(database, clock)
    async with console(database, clock) as url:
        await asyncio.to_thread(browser.get, url)
        await seen(browser, lambda: len(browser.find_elements(By.CSS_SELECTOR, "tr[data-station]")) == 24, "24 stations")
        await seen(browser, lambda: "22 of 24 connected" in text(browser, ".denchi-head"), "health in the head")
        assert "synthetic supply and prices" in text(browser, ".denchi-head")
        assert "JST" in text(browser, ".denchi-clock")
        await seen(
            browser, lambda: browser.find_element(By.CSS_SELECTOR, ".denchi-echart canvas").size["width"] > 300, "the chart"
        )

        row = browser.find_element(By.CSS_SELECTOR, "tr[data-station=st-002]")
        cells = row.find_elements(By.CSS_SELECTOR, ".slot-cell")
        assert [cells[no].get_attribute("class") for no in (0, 3)] == ["slot-cell is-held", "slot-cell is-unfit"]
        browser.save_screenshot(str(tmp_path / "fleet.png"))
        row.click()
        await seen(browser, lambda: len(browser.find_elements(By.CSS_SELECTOR, ".denchi-panel [data-slot]")) == 14, "14 slots")
        assert browser.current_url == f"{url}/stations/st-002"
        await seen(browser, lambda: "Charging waits for cheap supply" in text(browser, ".denchi-panel"), "the plan's reason")
        slot = browser.find_element(By.CSS_SELECTOR, ".denchi-panel [data-slot='2']")
        assert "KA00202" in slot.text

        connection = await asyncpg.connect(database)
        await connection.execute("UPDATE station_live SET soc[2] = 0.77, temp_max_degc[2] = 41 WHERE station_id = 'st-002'")
        await seen(browser, lambda: "77 %" in slot.text and "41 °C" in slot.text, "the new reading, in the same element")
        assert row.find_elements(By.CSS_SELECTOR, ".slot-cell")[1].get_attribute("title").endswith("77 %"), (
            "the row was not rebuilt"
        )
        await connection.execute("UPDATE slot SET status = 'disabled' WHERE station_id = 'st-002' AND slot_no = 2")
        await seen(browser, lambda: "slot disabled" in slot.text, "the new status")
        await connection.close()
        browser.save_screenshot(str(tmp_path / "station.png"))

        browser.back()
        await seen(browser, lambda: not browser.find_elements(By.CSS_SELECTOR, ".denchi-panel"), "the panel closes on Back")
        search = browser.find_element(By.CSS_SELECTOR, "input[type=search]")
        search.send_keys("karatsu")
        await seen(browser, lambda: len(browser.find_elements(By.CSS_SELECTOR, "tr[data-station]")) == 1, "one station found")

        assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
        assert outside_requests(url) == set()


async def test_what_needs_a_person_and_the_map_lead_to_the_station_and_a_picture_is_taken(
    database: str, clock: ManualClock, browser: webdriver.Chrome, outside_requests: Callable[[str], set[str]], tmp_path: Path
) -> None:
    clock.advance(4.65 * 3600)  # 13:39 in Japan: a morning behind, some of the sun cut off
    await seed(database, clock)
    # What headless Chromium keeps for itself of the window.
    chrome_px = 1043 - browser.execute_script("return window.innerHeight")
    browser.set_window_size(1400, 1000 + chrome_px)
    async with console(database, clock) as url:
        await asyncio.to_thread(browser.get, url)
        await seen(browser, lambda: "4 to act on" in text(browser, ".denchi-alerts"), "the alerts, counted")
        alerts = browser.find_elements(By.CSS_SELECTOR, ".denchi-alerts li")
        assert alerts[0].text.startswith("! act now\nGion will be 2.6 kWh short")
        assert "look" in alerts[-1].text
        assert len(browser.find_elements(By.CSS_SELECTOR, ".denchi-swaps li")) == 20
        await seen(browser, lambda: sum(map_counts(browser).values()) == 24, "24 stations on the map")
        assert map_counts(browser)["needs a person"] == 3
        await seen(
            browser, lambda: browser.find_element(By.CSS_SELECTOR, ".denchi-echart canvas").size["width"] > 300, "the chart"
        )
        picture = Path(os.environ.get("DENCHI_SCREENSHOT_DIR", tmp_path)) / "console.png"
        browser.save_screenshot(str(picture))
        assert picture.stat().st_size < 400_000

        alerts[0].click()
        await seen(browser, lambda: "Gion" in text(browser, ".denchi-panel .title"), "the alert's station")
        assert browser.current_url == f"{url}/stations/st-012"
        browser.find_element(By.CSS_SELECTOR, ".denchi-swaps li a").click()
        await seen(browser, lambda: "Tenjin Kita" in text(browser, ".denchi-panel .title"), "the swap's station")
        browser.back()
        await seen(browser, lambda: "Gion" in text(browser, ".denchi-panel .title"), "the station before")

        connection = await asyncpg.connect(database)
        await connection.execute("UPDATE plan SET shortfall_wh = 0")
        await connection.close()
        await seen(browser, lambda: "3 to act on" in text(browser, ".denchi-alerts"), "the shortfall is gone")
        for width in (700, 1100):
            browser.set_window_size(width, 1000)
            await seen(
                browser, lambda: not browser.execute_script("return document.body.scrollWidth > innerWidth"), "nothing sticks out"
            )
        assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
        assert outside_requests(url) == set()


def map_counts(browser: webdriver.Chrome) -> dict[str, int]:
    """Return how many stations the legend of the map counts in each state."""
    items = [item.text.split("\n") for item in browser.find_elements(By.CSS_SELECTOR, ".denchi-map-legend li")]
    return {words: int(count) for words, count in items if not words.startswith("ring")}


async def test_a_deep_link_opens_its_station_and_an_unknown_one_says_so(
    database: str, clock: Clock, browser: webdriver.Chrome
) -> None:
    await seed(database, clock)
    async with console(database, clock) as url:
        await asyncio.to_thread(browser.get, f"{url}/stations/st-003")
        await seen(browser, lambda: "Ohori Koen" in text(browser, ".denchi-panel"), "the station of the link")
        await asyncio.to_thread(browser.get, f"{url}/stations/%3Cimg%20src=x%20onerror=alert(1)%3E")
        await seen(browser, lambda: "no station with this id" in text(browser, ".denchi-panel"), "a plain answer")
        assert "<img src=x" in text(browser, ".denchi-panel"), "what came with the address is text, not markup"


async def test_a_database_that_goes_away_is_a_banner_and_comes_back(
    private_postgres: Database, clock: Clock, browser: webdriver.Chrome
) -> None:
    dsn = private_postgres.dsn("postgres")
    connection = await asyncpg.connect(dsn)
    await migrate(connection)
    await connection.close()
    await seed(dsn, clock)
    async with console(dsn, clock) as url, httpx.AsyncClient() as client:
        await asyncio.to_thread(browser.get, url)
        await seen(browser, lambda: len(browser.find_elements(By.CSS_SELECTOR, "tr[data-station]")) == 24, "24 stations")
        assert (await client.get(f"{url}/readyz")).status_code == 200
        await asyncio.to_thread(private_postgres.stop)
        await seen(browser, lambda: "database" in text(browser, ".denchi-banner").lower(), "the banner")
        assert (await client.get(f"{url}/readyz")).status_code == 503
        assert len(browser.find_elements(By.CSS_SELECTOR, "tr[data-station]")) == 24, "the last good values stay"
        await asyncio.to_thread(private_postgres.start)
        await seen(browser, lambda: not browser.find_elements(By.CSS_SELECTOR, ".denchi-banner"), "the banner goes", 30)
        assert (await client.get(f"{url}/readyz")).status_code == 200


async def test_with_a_password_nothing_is_seen_before_the_login(database: str, clock: Clock, browser: webdriver.Chrome) -> None:
    await seed(database, clock)
    async with console(database, clock, "correct horse") as url:
        await asyncio.to_thread(browser.get, f"{url}/stations/st-002")
        assert "Hakata" not in browser.page_source
        for password, then in (("wrong", "not right"), ("correct horse", "Hakata Eki")):
            browser.find_element(By.NAME, "password").send_keys(password)
            await asyncio.to_thread(browser.find_element(By.CSS_SELECTOR, "form button").click)
            await seen(browser, lambda then=then: then in text(browser, "body"), then)
