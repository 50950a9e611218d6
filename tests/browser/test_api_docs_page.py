"""The API's own page in a real browser."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from service.serving import serve
from service.standalone.ports import free_port
from tests import api_world
from tests.api_world import World

api = api_world.api
pytestmark = pytest.mark.browser


async def test_the_page_of_the_api_lists_its_operations_and_asks_nobody_outside(
    api: World, browser: webdriver.Chrome, outside_requests: Callable[[str], set[str]], tmp_path: Path
) -> None:
    port, stop = free_port(), asyncio.Event()
    serving = asyncio.create_task(serve(api.app, "127.0.0.1", port, stop))
    url = f"http://127.0.0.1:{port}"

    def look() -> str:
        browser.get(f"{url}/docs")
        found: Any = WebDriverWait(browser, 20).until(lambda page: page.find_elements(By.CSS_SELECTOR, ".opblock-summary-path"))
        browser.save_screenshot(str(tmp_path / "docs.png"))
        return " ".join(element.text for element in found)

    try:
        listed = await asyncio.to_thread(look)
    finally:
        stop.set()
        await serving
    assert "/v1/reservations" in listed.replace("\u200b", "")
    assert outside_requests(url) == set()
