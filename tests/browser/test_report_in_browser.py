"""A report in a real browser: accessible, no wider than a phone's screen, without a request; and its download."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, Request, expect

from engine.cohort.spec import CohortSpec
from engine.core.workspace import Workspace, write_json
from engine.export.manifest import manifest
from engine.reports.facts import Facts
from engine.reports.views import internal
from engine.reports.writing import write
from tests.browser.conftest import Dashboard, serve
from tests.browser.test_pages_in_browser import WIDTHS, faults, faults_of_document, open_page
from tests.helpers.compared_admissions import admit, report

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def compared() -> dict:
    return report()


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory, compared: dict):
    root = tmp_path_factory.mktemp("report") / "workspace"
    workspace = Workspace(root)
    write_json(workspace.comparison(admit(workspace)), compared)
    yield from serve(root)


def test_the_file_is_accessible_fits_the_screen_and_asks_for_nothing(
    page: Page, tmp_path: Path, compared: dict
) -> None:
    told = manifest(CohortSpec(), source={"name": "ward.csv"}, generator={"name": "dp_cgan"}, seed=7)
    path = write(internal(compared, Facts("800 patients as in the source", told)), tmp_path / "report.html")
    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request))
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0, width
        assert page.evaluate("[...document.images].every(one => one.naturalWidth > 0)"), "every figure is drawn"
        assert faults_of_document(page) == []
    assert {request.url.split(":")[0] for request in asked} <= {"file", "data"}


def test_a_report_is_made_on_a_click_and_downloaded(dashboard: Dashboard, page: Page) -> None:
    page.goto(dashboard.url)
    # A dashboard that was just started loads its modules first.
    expect(page.get_by_role("heading", level=1)).to_be_visible(timeout=60_000)
    open_page(dashboard, page, "export")
    page.get_by_role("button", name="Make release report as PDF").click()
    ready = page.get_by_role("button", name="Download release report as PDF")
    expect(ready).to_be_visible(timeout=120_000)
    with page.expect_download() as waiting:
        ready.click()
    assert re.fullmatch(r"cohort-\w+-report\.pdf", waiting.value.suggested_filename)
    assert Path(waiting.value.path()).read_bytes().startswith(b"%PDF-")
    expect(page.get_by_role("button", name="Make internal report as PDF")).to_have_count(0)
    assert faults(page) == []
