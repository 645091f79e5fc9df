"""Every page in a real browser: accessible in both themes, empty and filled, and never wider than the screen."""

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from engine.core.workspace import Workspace
from tests.browser.conftest import Dashboard, serve
from tests.helpers.prepared_workspace import compare, prepare

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

PAGES = ("", "data", "train", "cohort", "compare", "bake_off", "export", "about")
GRAVE = ("serious", "critical")
WIDTHS = (1280, 390)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """A dashboard over a data set, a model, a cohort and its comparison."""
    root = tmp_path_factory.mktemp("filled") / "workspace"
    workspace = Workspace(root)
    compare(workspace, prepare(workspace))
    yield from serve(root)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_empty_page_has_a_grave_accessibility_fault(dashboard: Dashboard, page: Page, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    assert {name: found for name in PAGES if (found := faults(open_page(dashboard, page, name)))} == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_filled_page_has_a_grave_accessibility_fault(filled: Dashboard, page: Page, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    found = {}
    for name in PAGES:
        open_page(filled, page, name)
        if name == "cohort":
            ask(page, "250 women over 65, 30 % mortality, blorptitis")
        elif name == "compare":
            expect(page.locator(".js-plotly-plot").first).to_be_visible()
        found[name] = faults(page)
    assert {name: one for name, one in found.items() if one} == {}


@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_is_wider_than_the_screen(filled: Dashboard, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    wider = {}
    for name in PAGES:
        open_page(filled, page, name)
        if name == "cohort":
            ask(page, "250 women over 65, 30 % mortality")
        main = page.get_by_test_id("stMain")
        wider[name] = main.evaluate("main => main.scrollWidth - main.clientWidth")
    assert {name: pixels for name, pixels in wider.items() if pixels > 0} == {}


def test_a_link_to_a_cohort_survives_a_reload_and_the_back_button(filled: Dashboard, page: Page) -> None:
    open_page(filled, page, "compare")
    scores = page.get_by_text("Held-out real patients").first
    expect(scores).to_be_visible()
    page.reload()
    expect(scores).to_be_visible()
    page.get_by_role("link", name="Export", exact=True).first.click()
    expect(page.get_by_role("heading", name="Export", level=1)).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Compare", level=1)).to_be_visible()
    expect(scores).to_be_visible()


def ask(page: Page, request: str) -> None:
    page.get_by_placeholder("Which patients do you need?").fill(request)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Apply to the form").click()
    expect(page.get_by_role("spinbutton", name="Age (years) from")).to_have_value("65")


def open_page(dashboard: Dashboard, page: Page, name: str) -> Page:
    page.goto(f"{dashboard.url}/{name}")
    expect(page.get_by_role("heading", level=1)).to_be_visible(timeout=20_000)
    return settled(page)


def settled(page: Page) -> Page:
    """The page once nothing on it is being drawn anew: what is has faded colours."""
    expect(page.locator("[data-stale=true]")).to_have_count(0, timeout=20_000)
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning", timeout=20_000)
    return page


def faults(page: Page) -> list[str]:
    """The grave faults of a page of the dashboard, once it is drawn."""
    return faults_of_document(settled(page))


def faults_of_document(page: Page) -> list[str]:
    """The serious and critical violations that axe finds, with the first element of each."""
    violations = Axe().run(page).response["violations"]
    return [
        f"{fault['id']}: {fault['nodes'][0]['html'][:200]}: {fault['nodes'][0]['failureSummary']}"
        for fault in violations
        if fault["impact"] in GRAVE
    ]
