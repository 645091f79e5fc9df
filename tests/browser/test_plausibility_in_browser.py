"""The Plausibility tab in a real browser: accessible in both themes, readable on a phone."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from engine.core.workspace import Workspace
from tests.browser.conftest import Dashboard, serve
from tests.browser.test_pages_in_browser import WIDTHS, faults, open_page
from tests.helpers.plausible_comparison import with_broken_rules
from tests.helpers.prepared_workspace import compare, prepare

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """A dashboard whose comparison has broken rules of two severities, and dirty real rows."""
    root = tmp_path_factory.mktemp("broken") / "workspace"
    workspace = Workspace(root)
    cohort = prepare(workspace)
    compare(workspace, cohort)
    with_broken_rules(workspace, cohort, dirty_real_rows=40)
    yield from serve(root)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_tab_is_accessible_and_fits_the_screen(broken: Dashboard, page: Page, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        open_page(broken, page, "compare")
        page.get_by_role("tab", name="Plausibility").click()
        expect(page.get_by_text("Synthetic impossible rows")).to_be_visible()
        reasons = page.get_by_text("Why, and where from").first
        reasons.click()
        expect(page.get_by_text("Sex conflict").first).to_be_visible()
        assert faults(page) == []
        main = page.get_by_test_id("stMain")
        assert main.evaluate("main => main.scrollWidth - main.clientWidth") <= 0
