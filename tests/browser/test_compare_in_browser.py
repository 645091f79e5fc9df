"""The Compare page in a real browser: every section accessible in both themes and no wider than a phone's screen."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from engine.core.workspace import Workspace, write_json
from tests.browser.conftest import Dashboard, serve
from tests.browser.test_pages_in_browser import WIDTHS, faults, open_page
from tests.helpers.compared_admissions import admit, report

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

TABS = ("Table 1", "Distributions", "Associations", "Tell apart", "Conclusions", "Privacy", "Plausibility")


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """A dashboard over a cohort whose comparison has every section."""
    root = tmp_path_factory.mktemp("compared") / "workspace"
    workspace = Workspace(root)
    write_json(workspace.comparison(admit(workspace)), report())
    yield from serve(root)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_section_is_accessible_and_fits_the_screen(compared: Dashboard, page: Page, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    found = {}
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        open_page(compared, page, "compare")
        for name in TABS:
            page.get_by_role("tab", name=name, exact=True).click()
            panel = page.get_by_role("tabpanel", name=name, exact=True)
            expect(panel).to_be_visible()
            if name not in ("Tell apart", "Privacy", "Plausibility"):
                expect(panel.locator(".js-plotly-plot").first).to_be_visible()
            main = page.get_by_test_id("stMain")
            assert main.evaluate("main => main.scrollWidth - main.clientWidth") <= 0, (width, name)
            found[width, name] = faults(page)
    assert {at: one for at, one in found.items() if one} == {}


def test_an_outcome_that_the_user_picks_is_analysed_while_they_watch(compared: Dashboard, page: Page) -> None:
    open_page(compared, page, "compare")
    page.get_by_role("tab", name="Conclusions").click()
    page.get_by_role("combobox", name="Outcome").click()
    page.get_by_role("option", name="Heart failure", exact=True).click()
    page.get_by_role("button", name="Analyse this outcome").click()
    expect(page.get_by_text("On Heart failure, the synthetic rows lead to")).to_be_visible(timeout=120_000)
    # The section stays open although the page was drawn anew.
    expect(page.get_by_role("tab", name="Conclusions")).to_have_attribute("aria-selected", "true")
