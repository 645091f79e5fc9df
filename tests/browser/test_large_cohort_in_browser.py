"""Numbers of patients typed in a real browser: impossible ones are answered, large ones are confirmed."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from engine.core.workspace import Workspace
from tests.browser.conftest import Dashboard, serve
from tests.browser.test_pages_in_browser import faults
from tests.helpers.prepared_workspace import prepare

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """A dashboard over a data set with a model."""
    root = tmp_path_factory.mktemp("ward") / "workspace"
    prepare(Workspace(root))
    yield from serve(root)


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_a_typed_number_is_answered_with_the_limits_or_confirmed(
    ward: Dashboard, page: Page, width: int, scheme: str
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(f"{ward.url}/cohort")
    generate = page.get_by_role("button", name="Generate")
    expect(generate).to_be_enabled(timeout=30_000)
    number = page.get_by_role("spinbutton", name="Synthetic patients")
    for typed, told in (("1.5", "1.5 patients"), ("0", "0 patients"), ("20000000", "20,000,000 patients")):
        number.fill(typed)
        number.press("Enter")
        expect(
            page.get_by_text(f"{told} is not possible: ask for a whole number from 1 to 10,000,000.")
        ).to_be_visible()
        expect(page.get_by_role("button", name="Generate")).to_have_count(0)
    number.fill("10000000")
    number.press("Enter")
    expect(generate).to_be_disabled()
    expect(number).to_have_value("10000000")
    page.get_by_text("Make all 10,000,000 patients").scroll_into_view_if_needed()
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"large-{width}-{scheme}.png")
    assert faults(page) == []
    page.get_by_text("Make all 10,000,000 patients").click()
    expect(generate).to_be_enabled()
