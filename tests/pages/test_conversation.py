"""The dialogue on the Cohort page: differences, undo, offers, earlier conversations, reloads and two tabs."""

import time
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from engine.cohort.spec import CohortSpec
from engine.conversation.contract import Action, RankedColumn, Source, Turn, Warning
from engine.core.errors import InternalError
from engine.core.workspace import Workspace
from engine.storage.conversations import ConversationStore, Outcome
from engine.storage.database import Database
from engine.storage.tables import write_table
from pages.components.state import studio
from tests.helpers.prepared_workspace import SCHEMA, patients
from tests.pages.test_form_and_chat import add_dataset

APP = Path(__file__).resolve().parents[2] / "streamlit_app.py"
EMPTY = CohortSpec().as_json()


def tab(conversation: str | None = None) -> AppTest:
    """The Cohort page in a browser tab of its own."""
    app = AppTest.from_file(APP, default_timeout=30).run().switch_page("pages/cohort.py")
    if conversation is not None:
        app.query_params["conversation"] = conversation
    app.run()
    assert not app.exception
    return app


def say(app: AppTest, text: str) -> AppTest:
    app.chat_input(key="say").set_value(text).run()
    end = time.monotonic() + 60
    while studio().conversations.reply(current(app)) is not None:
        assert time.monotonic() < end
        time.sleep(0.01)
    return app.run()


def click(app: AppTest, key: str) -> AppTest:
    app.button(key=key).click().run()
    assert not app.exception
    return app


def current(app: AppTest) -> str:
    return app.session_state["_conversation"].id


def request(app: AppTest) -> CohortSpec:
    return app.session_state["_spec"]


def shown(app: AppTest) -> str:
    """All HTML of the page."""
    return "\n".join(element.proto.body for element in app.get("html"))


def keys(app: AppTest) -> set[str]:
    return {button.key for button in app.button}


def only_dataset() -> str:
    return studio().datasets.all()[0].id


def planted(workspace: Workspace, *exchanges: dict) -> str:
    """A conversation that holds what the rules alone would not say."""
    store = ConversationStore(Database.for_workspace(workspace))
    id = store.add(dataset_id=only_dataset(), form=EMPTY).id
    for one in exchanges:
        store.append(id, **{"text": "planted", "turn": None, "before": EMPTY} | one)
    return id


def test_a_proposal_is_shown_as_a_difference_to_the_form_as_it_is_now(prepared: Workspace) -> None:
    app = say(tab(), "250 women over 65, blorptitis")
    assert "<del>1,000 patients</del> → <ins>250 patients</ins>" in shown(app)
    assert "<q>over 65</q>" in shown(app) and "<q>blorptitis</q>" in shown(app)
    app.number_input(key="v0-patients").set_value(77).run()
    assert "<del>77 patients</del> → <ins>250 patients</ins>" in shown(app)
    click(app, "apply-1")
    assert app.number_input(key="v1-patients").value == 250
    assert "Changed in the form:" in shown(app) and "<del>77 patients</del>" in shown(app)
    click(app, "undo-1")
    assert app.number_input(key="v2-patients").value == 77


def test_typed_commands_move_the_form(prepared: Workspace) -> None:
    app = click(say(tab(), "250 women over 65"), "apply-1")
    say(app, "undo")
    assert request(app) == CohortSpec()
    assert "Undone" in shown(app)
    click(app, "apply-1")
    say(app, "start over")
    assert request(app) == CohortSpec()
    assert app.number_input(key=f"v{app.session_state['_spec_version']}-patients").value == 1000
    click(app, "undo-3")
    assert request(app).patients == 250


def test_only_the_newest_proposal_can_be_applied_and_earlier_ones_come_forward(prepared: Workspace) -> None:
    app = say(say(tab(), "250 women over 65"), "300 men")
    assert {"apply-2", "again-1"} <= keys(app) and "apply-1" not in keys(app)
    click(click(app, "again-1"), "apply-3")
    assert request(app).patients == 250


def test_offers_ranked_columns_and_notices_are_shown(prepared: Workspace) -> None:
    spec = CohortSpec(patients=50)
    source = Source(title="A guideline", section="2.1, 2012")
    offer = Action(label="Drop [it]", spec=spec)
    turn = Turn(
        intent="generate", notice="The rules answered: the model was slow.",
        warnings=(Warning(code="infeasible", message="No *such* men.", actions=(offer,)),),
        ranked=(RankedColumn(column="sex", reason="It matters", basis="guideline", source=source),),
    )  # fmt: skip
    app = tab(planted(prepared, {"turn": turn.as_json()}))
    assert "the model was slow" in shown(app)
    assert "It matters" in shown(app) and "A guideline, 2.1, 2012" in shown(app)
    assert app.warning[0].value == "No \\*such\\* men\\."
    assert app.button(key="take-1-0-0").label == "Drop &#91;it&#93;"
    click(app, "take-1-0-0")
    assert request(app) == CohortSpec() and "<ins>50 patients</ins>" in shown(app)
    assert "take-1-0-0" not in keys(app), "an offer counts for the latest answer only"
    click(app, "apply-2")
    assert request(app).patients == 50
    click(app, "undo-2")
    assert request(app) == CohortSpec()


def test_a_reload_brings_the_conversation_and_the_clicked_form_back(prepared: Workspace) -> None:
    app = click(say(tab(), "250 women over 65"), "apply-1")
    app.number_input(key="v1-seed").set_value(42).run()
    assert app.query_params["conversation"] == current(app)
    again = tab(current(app))
    assert len(again.chat_message) == 2
    assert request(again) == request(app) and request(again).seed == 42
    assert "undo-1" in keys(again)


def test_earlier_conversations_are_reopened_after_a_restart_and_deleted(prepared: Workspace) -> None:
    app = click(say(tab(), "250 women over 65"), "apply-1")
    first = current(app)
    click(app, "new-conversation")
    assert request(app) == CohortSpec() and not app.chat_message and "conversation" not in app.query_params
    second = current(say(app, "300 men"))
    studio.clear()
    app = tab()
    assert {f"reopen-{first}", f"reopen-{second}"} <= keys(app)
    click(app, f"reopen-{first}")
    assert request(app).patients == 250 and f"reopen-{first}" not in keys(app)
    assert app.query_params["conversation"] == first
    click(app, f"delete-{second}")
    click(click(app, f"keep-{second}"), f"delete-{second}")
    click(app, f"really-{second}")
    assert [one.id for one in studio().conversations.all(only_dataset())] == [first]


def test_two_tabs_see_one_conversation(prepared: Workspace) -> None:
    one = say(tab(), "250 women over 65")
    other = tab(current(one))
    click(one, "apply-1")
    other.run()
    assert request(other).patients == 250
    assert other.number_input(key=f"v{other.session_state['_spec_version']}-patients").value == 250
    say(other, "make it 500")
    one.run()
    assert "apply-2" in keys(one)
    click(one, "new-conversation")
    click(click(one, f"delete-{current(other)}"), f"really-{current(other)}")
    other.chat_input(key="say").set_value("make it 600").run()
    assert "no longer kept" in other.error[0].value
    assert not other.exception and not other.chat_message
    assert request(other).patients == 250, "the form stays"
    assert len(say(other, "make it 700").chat_message) == 2


def test_apply_does_not_overwrite_what_another_tab_just_edited(prepared: Workspace) -> None:
    one = say(tab(), "250 women over 65")
    other = tab(current(one))
    other.number_input(key=f"v{other.session_state['_spec_version']}-patients").set_value(77).run()
    click(one, "apply-1")
    assert any("edited in another tab" in error.value for error in one.error)
    assert request(one).patients == 77
    click(one, "apply-1")
    assert not one.error
    assert request(one).patients == 250


def test_an_answer_that_cannot_be_kept_is_said_on_the_page(
    prepared: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = say(tab(), "250 women over 65")

    def locked(*_, **__) -> None:
        raise InternalError("the database stayed locked")

    monkeypatch.setattr(ConversationStore, "answer", locked)
    app.chat_input(key="say").set_value("make it 500").run()
    said = [error.value for error in app.error]
    assert any("could not be kept" in text and "stayed locked" in text for text in said)
    assert any("Ask again" in text for text in said)
    assert not app.chat_input(key="say").disabled


def test_a_conversation_that_another_tab_deleted_is_said_to_be_gone(prepared: Workspace) -> None:
    app = say(tab(), "250 women over 65")
    studio().conversations.delete(current(app))
    app.run()
    assert "no longer kept" in app.error[0].value
    assert not app.chat_message


def test_an_answer_that_arrives_takes_nothing_from_a_form_edited_meanwhile(prepared: Workspace) -> None:
    app = say(tab(), "250 women over 65")
    store = ConversationStore(Database.for_workspace(prepared))
    store.append(current(app), text="from elsewhere", turn=None, error="It failed.", before=EMPTY)
    app.selectbox(key="v0-add").set_value("age_years").run()
    assert [part.column for part in request(app).criteria] == ["age_years"]
    assert len(app.chat_message) == 4
    assert studio().conversations.open(current(app)).form == request(app)


def test_a_link_to_the_conversation_of_another_data_set_is_not_followed(prepared: Workspace) -> None:
    first = only_dataset()
    linked = planted(prepared, {"text": "about the first"})
    second = add_dataset(prepared)
    app = AppTest.from_file(APP, default_timeout=30).run().switch_page("pages/cohort.py")
    app.session_state["dataset"] = second
    app.query_params["conversation"] = linked
    app.run()
    assert not app.exception and not app.chat_message
    app.session_state["dataset"] = first
    app.query_params["conversation"] = linked
    app.run()
    assert len(app.chat_message) == 2


def test_a_cohort_names_its_conversation(prepared: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.jobs.supervisor.Supervisor.ensure", lambda self, warm=False: False)
    app = click(say(tab(), "250 women over 65"), "apply-1")
    click(app, "generate")
    cohort = next(one for one in studio().cohorts.all() if one.spec["patients"] == 250)
    assert cohort.conversation_id == current(app)
    app.session_state["cohort"] = cohort.id  # as the bar does, which a page alone lacks
    app.run()
    assert app.button(key="origin").label == "Asked for in “250 women over 65”"
    (line,) = studio().conversations.all(only_dataset())
    assert [one.id for one in line.cohorts] == [cohort.id]
    click(app, "new-conversation")
    click(app, "origin")
    assert current(app) == cohort.conversation_id and request(app).patients == 250


def test_the_request_of_a_named_person_is_not_shown_again(prepared: Workspace) -> None:
    app = say(tab(), "like my patient Mr. John Miller, phone +44 20 7946 0958")
    assert "(not kept: it named a person)" in shown(app)
    assert "Miller" not in shown(app) and app.warning
    click(app, "new-conversation")
    assert any("not kept" in button.label for button in app.button if (button.key or "").startswith("reopen-"))


def test_a_conversation_about_other_columns_is_readable_and_goes_on(prepared: Workspace) -> None:
    app = click(say(tab(), "250 women over 65, 30 % mortality, only age and sex"), "apply-1")
    dataset = only_dataset()
    schema = SCHEMA.select(["patient_id", "age_years"])
    table = prepared.dataset(dataset) / "table.parquet"
    table.unlink()
    write_table(table, patients(300, seed=1)[schema.names], schema)
    studio.clear()
    again = tab(current(app))
    assert "sex (not in this data set)" in shown(again)
    assert [part.column for part in request(again).criteria] == ["age_years"]
    say(again, "make it 500")
    click(again, "apply-2")
    assert not again.error and request(again).patients == 500


def test_a_long_list_of_conversations_comes_in_parts(prepared: Workspace) -> None:
    for number in range(17):
        planted(prepared, {"text": f"request {number}"})
    app = tab()
    assert sum(str(key).startswith("reopen-") for key in keys(app)) == 15
    click(app, "more-conversations")
    assert sum(str(key).startswith("reopen-") for key in keys(app)) == 17
    assert "more-conversations" not in keys(app)


@pytest.mark.parametrize("link", ["nothing", "../../etc", ""])
def test_a_link_to_no_conversation_opens_an_empty_one(prepared: Workspace, link: str) -> None:
    app = tab(link)
    assert not app.error and not app.chat_message and "say" in {box.key for box in app.chat_input}


def test_a_very_long_request_is_kept_whole(prepared: Workspace) -> None:
    text = ("women over 65 admitted as an emergency, " * 100)[:3998]
    app = say(tab(), text)
    assert text.strip() in shown(app)
    click(app, "new-conversation")
    (title,) = [button.label for button in app.button if (button.key or "").startswith("reopen-")]
    assert len(title) <= 90 and title.endswith("…")


def test_a_long_conversation_draws_its_end_and_the_rest_at_a_click(prepared: Workspace) -> None:
    spec = CohortSpec(patients=50)
    turns = [
        {"text": f"request {number}", "turn": Turn(intent="generate", spec=spec).as_json(), "outcome": Outcome.PROPOSED}
        for number in range(1, 101)
    ]
    app = tab(planted(prepared, *turns))
    assert len(app.chat_message) == 20
    assert ">request 100<" in shown(app) and ">request 90<" not in shown(app)
    assert app.button(key="show-earlier").label == "Show earlier requests (90)"
    click(app, "show-earlier")
    assert len(app.chat_message) == 40 and ">request 81<" in shown(app)
