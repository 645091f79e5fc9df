"""A language model's answer in a real browser: read while it comes, stopped, and nobody else waits for it."""

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from engine.core.workspace import Workspace
from engine.services.assistant import Assistant, Choice
from tests.browser.conftest import Dashboard, serve
from tests.browser.test_conversation_in_browser import SAY, open_cohort, patients, press, say
from tests.browser.test_pages_in_browser import faults
from tests.helpers.openai_server import openai_server
from tests.helpers.prepared_workspace import prepare

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
READ = '{"intent": "generate", "patients": 250}'


@pytest.fixture(scope="module")
def talkative(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """A dashboard whose model explains itself slowly and at length."""
    workspace = Workspace(tmp_path_factory.mktemp("talkative") / "workspace")
    prepare(workspace)
    with openai_server(content=READ, explanation="Reading this " + "and more " * 400, pause=0.2) as (address, _):
        chosen = Choice(backend="endpoint", address=address, endpoint_model="tiny", seconds=120)
        Assistant(workspace).choose(chosen)
        yield from serve(workspace.root)


def test_pieces_come_as_they_are_written_and_can_be_stopped(talkative: Dashboard, page: Page) -> None:
    open_cohort(talkative, page)
    say(page, "250 patients")
    talk = page.get_by_test_id("stChatMessage").last
    expect(talk).to_contain_text("Reading this and more and more")
    before = len(talk.inner_text())
    expect(talk).to_contain_text("and more " * 10)
    assert len(talk.inner_text()) > before
    expect(page.get_by_placeholder(SAY)).to_be_disabled()
    assert faults(page) == []

    other = page.context.new_page()
    started = time.perf_counter()
    other.goto(f"{talkative.url}/about")
    expect(other.get_by_role("heading", name="About & privacy")).to_be_visible()
    assert time.perf_counter() - started < 10, "nobody else waits"
    other.close()

    page.reload()
    expect(page.get_by_test_id("stChatMessage").last).to_contain_text("Reading this")
    press(page, "Stop")
    press(page, "Apply to the form")
    patients(page, "250")
    expect(page.get_by_placeholder(SAY)).to_be_enabled()
