"""The pages of a model that ships, in a real browser: accessible in both themes, readable on a phone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from engine.cohort.spec import CohortSpec
from engine.core.settings import settings
from tests.browser.conftest import Dashboard, serve
from tests.browser.test_pages_in_browser import WIDTHS, faults, open_page
from tests.helpers.small_bundle import bundle_in, compared

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

SIGNS = {
    "data": "differentially private summary",
    "train": "there is nothing to train",
    "cohort": "By its own estimate",
    "compare": "Compared with a differentially private summary",
}
"""What each page says of such a source."""


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """A dashboard whose only source ships with its model, with a cohort that is compared."""
    root = tmp_path_factory.mktemp("shipped")
    bundle_in(root / "models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COHORT_STUDIO_SHIPPED_MODELS", str(root / "models"))
        patch.setenv("COHORT_STUDIO_WORKSPACE", str(root / "workspace"))
        settings.cache_clear()
        compared(CohortSpec(patients=400))
        yield from serve(root / "workspace")
    settings.cache_clear()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_are_accessible_and_fit_the_screen(
    shipped: Dashboard, page: Page, tmp_path: Path, scheme: Any
) -> None:
    page.emulate_media(color_scheme=scheme)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        for name, sign in SIGNS.items():
            open_page(shipped, page, name)
            expect(page.get_by_text(sign).first).to_be_visible()
            page.screenshot(path=tmp_path / f"{name}-{width}-{scheme}.png", full_page=True)
            assert faults(page) == []
            main = page.get_by_test_id("stMain")
            assert main.evaluate("main => main.scrollWidth - main.clientWidth") <= 0
