"""The Compare page in a real browser: every section accessible in both themes, and whole on a phone's screen."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from engine.core.workspace import Workspace, write_json
from tests.browser.conftest import Dashboard, serve
from tests.browser.test_pages_in_browser import WIDTHS, faults, open_page
from tests.helpers.compared_admissions import admit, report

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

TABS = ("Table 1", "Distributions", "Associations", "Tell apart", "Conclusions", "Privacy", "Plausibility")
WITHOUT_CHARTS = ("Tell apart", "Plausibility")
LONG = 90_000
"""A machine may be busy with the rest of the suite: what is waited for comes late, not never."""

SPOILT = """plot => {
    const box = plot.getBoundingClientRect(), found = [];
    const rectangles = selector => [...plot.querySelectorAll(selector)]
        .map(one => [one.textContent, one.getBoundingClientRect()]).filter(([, at]) => at.width > 0);
    for (const [text, at] of rectangles('svg.main-svg text'))
        if (at.left < box.left - 1 || at.right > box.right + 1) found.push('cut: ' + text);
    for (const [, legend] of rectangles('.legend .legendtext'))
        for (const [text, at] of rectangles('.gtitle, .gtitle-subtitle, .xtick text'))
            if (legend.left < at.right && at.left < legend.right
                && legend.top < at.bottom - 2 && at.top < legend.bottom - 2)
                found.push('under the legend: ' + text);
    return found;
}"""
"""Texts of a chart that its edge cuts, or that its legend covers."""


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """A dashboard over a cohort whose comparison has every section."""
    root = tmp_path_factory.mktemp("compared") / "workspace"
    workspace = Workspace(root)
    write_json(workspace.comparison(admit(workspace)), report())
    yield from serve(root)


@pytest.fixture(autouse=True)
def patience(page: Page) -> Iterator[None]:
    """Waits of this module are long; nothing of it sleeps."""
    page.set_default_timeout(LONG)
    expect.set_options(timeout=LONG)
    yield
    expect.set_options(timeout=5_000)


def open_tab(page: Page, name: str) -> Locator:
    """The section ``name``, drawn to the end."""
    page.get_by_role("tab", name=name, exact=True).click()
    panel = page.get_by_role("tabpanel", name=name, exact=True)
    expect(panel).to_be_visible()
    settle(page)
    if name not in WITHOUT_CHARTS:
        # The first text of a chart is drawn with its last: until then there is no chart to look at.
        expect(panel.locator(".js-plotly-plot .gtitle").first).to_be_visible()
    return panel


def settle(page: Page) -> None:
    """Until the page is drawn anew after what was done last."""
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    expect(page.locator("[data-stale=true]")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_section_is_accessible_and_whole_on_every_screen(compared: Dashboard, page: Page, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    found: dict[tuple[int, str], list[str]] = {}
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        open_page(compared, page, "compare")
        for name in TABS:
            panel = open_tab(page, name)
            main = page.get_by_test_id("stMain")
            assert main.evaluate("main => main.scrollWidth - main.clientWidth") <= 0, (width, name)
            found[width, name] = faults(page)
            charts = panel.locator(".js-plotly-plot")
            for number in range(charts.count()):
                found[width, name] += charts.nth(number).evaluate(SPOILT)
    assert {at: one for at, one in found.items() if one} == {}


def test_every_chart_is_told_in_words_and_as_a_table(compared: Dashboard, page: Page) -> None:
    open_page(compared, page, "compare")
    for name in TABS:
        panel = open_tab(page, name)
        charts = panel.get_by_test_id("stPlotlyChart")
        for number in range(charts.count()):
            told = charts.nth(number).evaluate(
                "chart => [chart, ...chart.querySelectorAll('[aria-label]')]"
                ".map(one => one.getAttribute('aria-label') || '').join(' ')"
            )
            assert len(told.split()) > 6, (name, number)
        if name in WITHOUT_CHARTS:
            continue
        if name != "Table 1":
            panel.get_by_text("The same as a table").first.click()
        expect(panel.get_by_test_id("stDataFrame").first).to_be_visible()


def test_overlaid_distributions_are_accessible_and_remembered(compared: Dashboard, page: Page) -> None:
    open_page(compared, page, "compare")
    panel = open_tab(page, "Distributions")
    overlaid = panel.get_by_role("radio", name="Overlaid")
    expect(panel.get_by_role("radio", name="Side by side")).to_be_checked()
    # A click on the page's own element may come while it is drawn anew; the choice is then repeated by nobody.
    overlaid.click()
    expect(overlaid).to_be_checked()
    settle(page)
    assert faults(page) == []
    page.get_by_role("link", name="Export", exact=True).first.click()
    expect(page.get_by_role("heading", name="Export", level=1)).to_be_visible()
    settle(page)
    assert faults(page) == []
    expect(page.get_by_text("it holds no real row and nothing of the comparison")).to_be_visible()
    page.get_by_role("link", name="Compare", exact=True).first.click()
    expect(page.get_by_role("heading", name="Compare", level=1)).to_be_visible()
    expect(open_tab(page, "Distributions").get_by_role("radio", name="Overlaid")).to_be_checked()


def test_an_outcome_that_the_user_picks_is_analysed_while_they_watch(compared: Dashboard, page: Page) -> None:
    open_page(compared, page, "compare")
    open_tab(page, "Conclusions")
    page.get_by_role("combobox", name="Outcome").click()
    page.get_by_role("option", name="Heart failure", exact=True).click()
    page.get_by_role("button", name="Analyse this outcome").click()
    expect(page.get_by_text("On Heart failure, the synthetic rows lead to")).to_be_visible(timeout=4 * LONG)
    # The section stays open although the page was drawn anew.
    expect(page.get_by_role("tab", name="Conclusions")).to_have_attribute("aria-selected", "true")
