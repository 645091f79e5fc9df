"""The page Bake-off in a real browser: accessible in both themes, no wider than the screen, and one that runs."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from engine.core.workspace import Workspace
from engine.storage.database import Database
from tests.browser.conftest import Dashboard, serve
from tests.browser.test_pages_in_browser import WIDTHS, faults, open_page
from tests.helpers import bake_off_results
from tests.helpers.prepared_workspace import prepare

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """A dashboard over a data set whose bake-off is done."""
    root = tmp_path_factory.mktemp("held") / "workspace"
    workspace = Workspace(root)
    prepare(workspace)
    (record,) = Database.for_workspace(workspace, None).datasets()
    bake_off_results.put(workspace, record.id)
    yield from serve(root)


def warm(dashboard: Dashboard, page: Page) -> None:
    """The first page of a server takes its imports' time, which a busy machine multiplies."""
    page.goto(f"{dashboard.url}/bake_off")
    expect(page.get_by_role("heading", name="Bake-off", level=1)).to_be_visible(timeout=60_000)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_form_table_and_chart_are_accessible_and_fit_the_screen(held: Dashboard, page: Page, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    warm(held, page)
    found = {}
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        open_page(held, page, "bake_off")
        expect(page.locator(".js-plotly-plot").first).to_be_visible(timeout=30_000)
        page.get_by_text("New bake-off").click()
        expect(page.get_by_role("button", name="Start", exact=True)).to_be_visible(timeout=30_000)
        page.get_by_text("What each figure means").click()
        expect(page.get_by_text("Train on synthetic, test on real").first).to_be_visible(timeout=30_000)
        main = page.get_by_test_id("stMain")
        assert main.evaluate("main => main.scrollWidth - main.clientWidth") <= 0, width
        found[width] = faults(page)
    assert {at: one for at, one in found.items() if one} == {}


def test_a_bake_off_is_started_followed_and_read(dashboard: Dashboard, page: Page) -> None:
    prepare(Workspace(dashboard.workspace))
    warm(dashboard, page)
    open_page(dashboard, page, "bake_off")
    for name in ("DP-CGAN (Cohort Studio) · No formal privacy", "CTGAN (SDV)", "TVAE (SDV)"):
        page.get_by_role("button", name=f"Remove {name}").or_(page.get_by_label(f"Remove {name}")).first.click()
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_text("Real hold-out (ceiling)").first).to_be_attached(timeout=120_000)
    expect(page.get_by_text("210 rows learned, 210 drawn, seed 7.")).to_be_visible()
    expect(page.get_by_text("Columns shuffled (floor)").first).to_be_attached(timeout=120_000)
