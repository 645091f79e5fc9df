"""The dialogue in a real browser: say it, see it understood, change your mind, and find it again after a restart."""

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from engine.cohort.spec import CohortSpec
from engine.conversation.contract import Action, Answer, RankedColumn, Source, Turn, Understood, Warning
from engine.core.workspace import Workspace
from engine.storage.conversations import ConversationStore, Outcome
from engine.storage.database import Database
from tests.browser.conftest import Dashboard, serve
from tests.browser.test_pages_in_browser import faults
from tests.helpers.prepared_workspace import prepare

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

SAY = "Which patients do you need?"


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    root = tmp_path_factory.mktemp("conversation") / "workspace"
    prepare(Workspace(root))
    yield from serve(root)


def store(dashboard: Dashboard) -> tuple[ConversationStore, str]:
    database = Database.for_workspace(Workspace(dashboard.workspace))
    return ConversationStore(database), database.datasets()[0].id


def planted(dashboard: Dashboard, *exchanges: dict[str, Any]) -> str:
    """A conversation that holds what a small table and the rules alone would not say."""
    kept, dataset = store(dashboard)
    id = kept.add(dataset_id=dataset, form=CohortSpec().as_json()).id
    for one in exchanges:
        kept.append(id, **{"text": "planted", "turn": None, "before": CohortSpec().as_json()} | one)
    return id


def rich() -> Turn:
    """A turn with everything in it."""
    guideline = Source(title="KDIGO Clinical Practice Guideline for Acute Kidney Injury", section="2.1, 2012")
    data = Source(title="Model card", section="associations")
    men = CohortSpec.model_validate({"patients": 20, "criteria": [{"column": "sex", "any_of": ["M"]}]})
    return Turn(
        intent="generate", spec=men, not_understood=("blorptitis <img src=x onerror=alert(1)>",), seconds=0.04,
        understood=(Understood(text="men", meaning="sex is M", note="spelling corrected"),),
        answer=Answer(text="As written:\n\n> AKI is **an increase** of creatinine", sources=(guideline,)),
        ranked=(
            RankedColumn(column="age_years", reason="Older patients are at risk", basis="guideline", source=guideline),
            RankedColumn(column="sex", reason="Goes with the diagnosis", basis="association", source=data),
        ),
        warnings=(
            Warning(
                code="infeasible", message="Pregnant men do not occur in the source.",
                actions=(Action(label="Drop the sex", spec=CohortSpec(patients=20)),),
            ),
        ),
        notice="The rules and the language model differ: age over 65 (rules), over 60 (language model).",
    )  # fmt: skip


def open_cohort(dashboard: Dashboard, page: Page, conversation: str | None = None) -> Page:
    page.goto(f"{dashboard.url}/cohort" + (f"?conversation={conversation}" if conversation else ""))
    expect(page.get_by_role("heading", name="Cohort", level=1)).to_be_visible()
    return settled(page)


def settled(page: Page) -> Page:
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    expect(page.locator("[data-stale=true]")).to_have_count(0)
    return page


def say(page: Page, text: str) -> None:
    page.get_by_placeholder(SAY).fill(text)
    page.keyboard.press("Enter")


def press(page: Page, name: str) -> None:
    # While the page is drawn anew, the button of the answer before is still there.
    button = page.get_by_role("button", name=name)
    expect(button).to_have_count(1)
    button.click()


def patients(page: Page, count: str) -> None:
    field = page.get_by_role("spinbutton", name="Synthetic patients")
    expect(field).to_have_count(1)
    expect(field).to_have_value(count)


def test_say_it_see_it_understood_change_your_mind(filled: Dashboard, page: Page) -> None:
    open_cohort(filled, page)
    say(page, "250 women over 65, 30 % mortality, blorptitis")
    chips = page.get_by_role("list", name="What was understood")
    expect(chips.get_by_role("listitem").filter(has_text="over 65")).to_contain_text("age above 65")
    expect(chips.get_by_role("listitem").filter(has_text="blorptitis")).to_contain_text("not understood")
    patients(page, "1000")
    press(page, "Apply to the form")
    patients(page, "250")
    expect(page.get_by_label("Age (years) from")).to_have_value(re.compile("^65"))

    say(page, "make it 500 and drop the age limit")
    lines = page.locator(".cs-difference").last
    expect(lines.locator(".cs-changed")).to_contain_text("250 patients → 500 patients")
    expect(lines.locator(".cs-removed")).to_contain_text("age above 65")
    expect(lines.locator(".cs-added")).to_have_count(0)
    press(page, "Apply to the form")
    patients(page, "500")
    expect(page.get_by_label("Age (years) from")).to_have_count(0)
    press(page, "Undo")
    patients(page, "250")
    expect(page.get_by_label("Age (years) from")).to_have_value(re.compile("^65"))
    say(page, "undo")
    patients(page, "250")
    expect(page.get_by_text("The proposal is dropped")).to_have_count(0)
    expect(page.get_by_text("Undone: the form is again as it was")).to_be_visible()


def test_a_click_on_an_offer_proposes_it(filled: Dashboard, page: Page) -> None:
    open_cohort(filled, page, planted(filled, {"turn": rich().as_json(), "outcome": Outcome.PROPOSED}))
    press(page, "Drop the sex")
    lines = page.locator(".cs-difference").last
    expect(lines).to_contain_text("20 patients")
    expect(lines).not_to_contain_text("sex is M")
    patients(page, "1000")
    press(page, "Apply to the form")
    patients(page, "20")
    expect(page.get_by_role("button", name="Drop the sex")).to_have_count(0)


def test_a_conversation_is_found_again_after_a_restart_and_a_reload(filled: Dashboard, page: Page) -> None:
    open_cohort(filled, page)
    say(page, "77 men over 50")
    press(page, "Apply to the form")
    patients(page, "77")
    page.reload()
    settled(page)
    patients(page, "77")
    expect(page.get_by_text("77 men over 50")).to_be_visible()
    filled.stop()
    filled.start()
    open_cohort(filled, page)
    expect(page.get_by_text("77 men over 50")).to_have_count(0)
    press(page, "Earlier")
    press(page, "77 men over 50")
    patients(page, "77")
    expect(page.get_by_role("button", name="Undo")).to_be_visible()


def test_a_generated_cohort_leads_back_to_its_conversation(filled: Dashboard, page: Page) -> None:
    open_cohort(filled, page)
    say(page, "66 women please")
    press(page, "Apply to the form")
    patients(page, "66")
    press(page, "Generate")
    origin = page.get_by_role("button", name="Asked for in “66 women please”")
    expect(origin).to_be_visible()
    page.get_by_role("link", name="Export", exact=True).first.click()
    expect(page.get_by_role("heading", name="Export", level=1)).to_be_visible()
    origin.click()
    expect(page.get_by_role("heading", name="Cohort", level=1)).to_be_visible()
    expect(page.get_by_test_id("stChatMessage").first).to_contain_text("66 women please")
    patients(page, "66")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_a_full_conversation_is_accessible_and_fits(filled: Dashboard, page: Page, scheme: Any, width: int) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    long = ("Inclusion: women over 65 admitted as an emergency.\n" * 80)[:3998]
    unbroken = {"text": "x" * 4000, "error": "Too long to read.", "turn": None}
    exchanges = ({"text": long, "turn": rich().as_json()}, unbroken, {"turn": rich().as_json(), "outcome": "proposed"})
    open_cohort(filled, page, planted(filled, *exchanges))
    expect(page.get_by_role("button", name="Apply to the form")).to_be_visible()
    assert faults(page) == []
    main = page.get_by_test_id("stMain")
    assert main.evaluate("main => main.scrollWidth - main.clientWidth") <= 0
    talk = page.locator(".st-key-conversation")
    assert talk.evaluate("talk => talk.scrollWidth - talk.clientWidth") <= 0
    press(page, "Earlier")
    expect(page.get_by_text("Earlier conversations", exact=True).last).to_be_visible()
    assert faults(page) == []
    assert dialogs == [], "what was typed must not act"


def test_the_first_answer_stays_in_sight_on_a_phone(filled: Dashboard, page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 900})
    open_cohort(filled, page)
    say(page, "250 women over 65")
    expect(page.get_by_role("button", name="Apply to the form")).to_be_visible()
    settled(page)
    expect(page.get_by_role("button", name="Apply to the form")).to_be_in_viewport()


def test_a_hundred_exchanges_stay_quick(filled: Dashboard, page: Page) -> None:
    spec = CohortSpec(patients=50).as_json()
    turn = rich().as_json() | {"spec": spec}
    exchanges = [{"text": f"request {number}", "turn": turn, "outcome": "proposed"} for number in range(100)]
    open_cohort(filled, page, planted(filled, *exchanges))
    expect(page.get_by_text("request 99", exact=True)).to_be_visible()
    started = time.perf_counter()
    press(page, "Apply to the form")
    patients(page, "50")
    taken = time.perf_counter() - started
    print(f"applying in a conversation of 100 requests: {taken:.2f} s")
    assert taken < 10
