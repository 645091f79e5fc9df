"""The form's source line with the models that ship: seen, changed, and what does not fit is said."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from engine.core.workspace import ASSETS
from tests.browser.conftest import Dashboard, serve
from tests.browser.test_pages_in_browser import faults

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
LONG = 60_000


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COHORT_STUDIO_SHIPPED_MODELS", str(ASSETS / "models"))
        yield from serve(tmp_path_factory.mktemp("fresh") / "workspace")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_a_request_goes_along_to_another_source(fresh: Dashboard, page: Page, width: int, scheme: str) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(fresh.url)
    page.get_by_placeholder("Which patients do you need?").fill("300 women over 60 with a BMI above 30")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Apply to the form").click(timeout=LONG)
    expect(page.get_by_text("Source: US adults (NHANES 1999–2018)")).to_be_visible()
    expect(page.get_by_label("Body mass index (kg/m²) from")).to_have_count(1, timeout=LONG)
    page.get_by_role("button", name="Change", exact=True).click()
    expect(page.get_by_text(re.compile("Cannot be asked for: .*body mass index", re.IGNORECASE))).to_be_visible()
    assert faults(page) == []
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"source-line-{width}-{scheme}.png")
    page.get_by_role("button", name="Use it").click()
    expect(page.get_by_text("Source: US hospital patients with diabetes (1999–2008)")).to_be_visible(timeout=LONG)
    expect(page.get_by_text(re.compile("Taken over from .*body mass index", re.IGNORECASE))).to_be_visible()
    expect(page.get_by_label("Body mass index (kg/m²) from")).to_have_count(0)
    expect(page.get_by_role("button", name="Use it")).to_have_count(0)
    expect(page.get_by_role("spinbutton", name="Synthetic patients")).to_have_value("300")
    age = page.get_by_label("Age (years) from")
    expect(age).to_have_count(1)
    expect(age).to_have_value("60")
    page.wait_for_timeout(500)
    assert faults(page) == []
