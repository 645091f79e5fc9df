"""The page Assistant in a real browser: an endpoint is set up, tested and used; accessible and narrow enough."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Dashboard
from tests.browser.test_pages_in_browser import WIDTHS, faults, open_page
from tests.helpers.openai_server import openai_server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

LABELS = ("Rules", "Language model on this machine", "Endpoint")


def choose(page: Page, label: str) -> None:
    page.get_by_role("radiogroup", name="Who reads requests").get_by_text(label, exact=True).click()
    expect(page.get_by_role("heading", name=label, level=2)).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_choice_is_accessible_and_fits_the_screen(dashboard: Dashboard, page: Page, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        open_page(dashboard, page, "assistant")
        for label in LABELS:
            choose(page, label)
            if label == "Endpoint":
                page.get_by_role("textbox", name="Address").fill("http://gpu.example.org:8000")
                page.keyboard.press("Enter")
                expect(page.get_by_text("is not this machine")).to_be_visible()
            assert faults(page) == [], (label, width)
            main = page.get_by_test_id("stMain")
            assert main.evaluate("main => main.scrollWidth - main.clientWidth") <= 0, (label, width)


def test_an_endpoint_is_set_up_by_keyboard_and_kept(dashboard: Dashboard, page: Page) -> None:
    with openai_server(models=("tiny",)) as (address, server):
        open_page(dashboard, page, "assistant")
        choose(page, "Endpoint")
        page.get_by_role("textbox", name="Address").fill(address)
        page.keyboard.press("Enter")
        page.get_by_role("textbox", name="Model").fill("another")
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Test", exact=True).click()
        expect(page.get_by_text("the endpoint has no model 'another'")).to_be_visible()
        page.get_by_role("textbox", name="Model").fill("tiny")
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Use this endpoint").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_text("Now reading requests: Endpoint")).to_be_visible()
        assert all(request["_path"] == "/v1/models" for request in server.received), "choosing it sends no request"
    page.reload()
    expect(page.get_by_text("Now reading requests: Endpoint")).to_be_visible()
