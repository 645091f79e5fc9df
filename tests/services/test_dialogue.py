"""The dialogue: follow-ups, apply and undo, typed commands, offers, what is kept and what is not."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.cohort.spec import CohortSpec
from engine.conversation.contract import Action, Turn, Warning
from engine.core.errors import InternalError, UserError
from engine.core.settings import Settings
from engine.core.workspace import Workspace, write_json
from engine.schema.catalogue import catalogue
from engine.schema.table import TableSchema
from engine.services.assistant import Assistant, by_rules
from engine.services.chat import Chat
from engine.services.commands_in_text import is_start_over, is_undo
from engine.services.context import Context
from engine.services.conversations import Conversations
from engine.services.exchanges import Conversation
from engine.storage.conversations import ConversationStore, Outcome
from engine.storage.tables import write_table
from tests.helpers.prepared_workspace import SCHEMA, patients, prepare

EMPTY = CohortSpec()


@pytest.fixture
def context(tmp_path: Path) -> Iterator[Context]:
    prepare(Workspace(tmp_path / "workspace"))
    opened = Context.open(Settings(workspace=tmp_path / "workspace"))
    yield opened
    opened.database.close()


class Desk:
    """One person at one form, as the page drives the service."""

    def __init__(self, context: Context, chat: Chat | None = None) -> None:
        self.context = context
        self.service = Conversations(context, chat or Chat(context, Assistant(context.workspace)))
        self.dataset = context.database.datasets()[0].id
        self.id: str | None = None
        self.form = EMPTY

    def say(self, text: str) -> Conversation:
        self.id = self.service.say(text, dataset_id=self.dataset, conversation_id=self.id, form=self.form)
        wait_for(lambda: self.service.reply(self.now().id) is None)
        return self.see()

    def now(self) -> Conversation:
        assert self.id is not None
        return self.service.open(self.id)

    def see(self) -> Conversation:
        self.form = self.now().form
        return self.now()

    def apply(self, position: int) -> None:
        self.service.apply(self.now().id, position, form=self.form)
        self.see()

    def undo(self, position: int) -> None:
        self.service.undo(self.now().id, position)
        self.see()


class ScriptedChat(Chat):
    """Answers as ``answer`` says, where what a language model does cannot be had from the rules."""

    def __init__(self, context: Context, answer: Callable[..., Turn]) -> None:
        super().__init__(context, Assistant(context.workspace))
        self._answer = answer

    def reply(self, text, *, dataset_id, previous, stop=None, tell=None) -> Turn:
        return self._answer(text, previous=previous, stop=stop, tell=tell)


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def outcomes(conversation: Conversation) -> list[Outcome | None]:
    return [one.outcome for one in conversation.exchanges]


def stored(context: Context) -> str:
    """Everything that the workspace's database holds, as bytes of its file."""
    context.database.close()
    return context.workspace.database.read_bytes().decode("latin-1")


def test_a_proposal_changes_the_form_only_when_applied(context: Context) -> None:
    desk = Desk(context)
    (said,) = desk.say("250 women over 65").exchanges
    assert (said.text, said.outcome, desk.form) == ("250 women over 65", Outcome.PROPOSED, EMPTY)
    desk.apply(1)
    assert desk.form.patients == 250
    desk.undo(1)
    assert (desk.form, outcomes(desk.now())) == (EMPTY, [Outcome.UNDONE])


def test_undo_restores_what_was_clicked_together(context: Context) -> None:
    desk = Desk(context)
    desk.form = CohortSpec(patients=33, seed=5)
    desk.say("make it 250")
    desk.apply(1)
    assert (desk.form.patients, desk.form.seed) == (250, 5)
    desk.undo(1)
    assert desk.form == CohortSpec(patients=33, seed=5)


def test_a_follow_up_continues_what_waits_unless_the_form_was_edited(context: Context) -> None:
    desk = Desk(context)
    desk.say("250 women over 65")
    second = desk.say("only emergencies").exchanges[-1].turn
    assert second is not None and second.spec is not None
    assert (second.spec.patients, len(second.spec.criteria)) == (250, 3)
    desk.form = CohortSpec(patients=9)
    third = desk.service.say("only emergencies", dataset_id=desk.dataset, conversation_id=desk.id, form=desk.form)
    wait_for(lambda: desk.service.reply(third) is None)
    spec = desk.now().exchanges[-1].turn
    assert spec is not None and spec.spec is not None
    assert (spec.spec.patients, [part.column for part in spec.spec.criteria]) == (9, ["admission_type"])


def test_typed_undo_is_the_button(context: Context) -> None:
    desk = Desk(context)
    desk.say("250 women over 65")
    desk.apply(1)
    desk.say("make it 500")
    desk.apply(2)
    said = desk.say("Undo that!").exchanges[-1]
    assert said.turn is not None and said.turn.answer is not None and "“make it 500”" in said.turn.answer.text
    assert (said.outcome, desk.form.patients) == (None, 250)
    desk.say("undo")
    assert desk.form == EMPTY
    nothing = desk.say("go back").exchanges[-1].turn
    assert nothing is not None and nothing.answer is not None and "nothing to undo" in nothing.answer.text
    assert outcomes(desk.now()) == [Outcome.UNDONE, Outcome.UNDONE, None, None, None]


@pytest.mark.parametrize("typed", [False, True])
def test_edits_that_an_undo_takes_with_it_are_said_and_can_be_had_back(context: Context, typed: bool) -> None:
    desk = Desk(context)
    desk.say("250 women over 65")
    desk.apply(1)
    edited = desk.form.model_copy(update={"patients": 77})
    desk.service.keep_form(desk.now().id, edited)
    desk.say("undo") if typed else desk.undo(1)
    told = desk.see().exchanges[-1]
    assert told.turn is not None and told.turn.answer is not None and "edited since" in told.turn.answer.text
    assert (desk.form, told.turn.spec) == (EMPTY, edited)
    desk.apply(told.position)
    assert desk.form == edited


def test_undo_drops_a_proposal_that_waits_and_leaves_what_is_applied(context: Context) -> None:
    desk = Desk(context)
    desk.say("250 women over 65")
    desk.apply(1)
    desk.say("make it 500")
    desk.say("undo")
    assert desk.form.patients == 250
    assert outcomes(desk.now()) == [Outcome.APPLIED, Outcome.DROPPED, None]
    follow_up = desk.say("only emergencies").exchanges[-1].turn
    assert follow_up is not None and follow_up.spec is not None and follow_up.spec.patients == 250


def test_start_over_empties_the_form_and_can_be_undone(context: Context) -> None:
    desk = Desk(context)
    desk.say("250 women over 65")
    desk.apply(1)
    desk.say("make it 500")
    desk.say("start over")
    assert (desk.form, outcomes(desk.now())) == (EMPTY, [Outcome.APPLIED, Outcome.DROPPED, Outcome.APPLIED])
    desk.say("undo")
    assert desk.form.patients == 250


@pytest.mark.parametrize("text", ["undo", "Undo.", "please undo that", "go back", "undo the last change", "revert it!"])
def test_ways_to_say_undo(text: str) -> None:
    assert is_undo(text) and not is_start_over(text)


@pytest.mark.parametrize("text", ["start over", "Start over, please.", "clear everything", "ok, start again"])
def test_ways_to_say_start_over(text: str) -> None:
    assert is_start_over(text) and not is_undo(text)


@pytest.mark.parametrize("text", ["undo surgery", "start over with 500 men", "go back to 300 women", "patients", ""])
def test_requests_that_only_begin_like_a_command(text: str) -> None:
    assert not is_undo(text) and not is_start_over(text)


def offering(text: str, **_) -> Turn:
    spec = CohortSpec(patients=50)
    warning = Warning(code="infeasible", message="No.", actions=(Action(label="Ask for 50", spec=spec),))
    return Turn(intent="generate", warnings=(warning,))


def test_an_offer_becomes_a_proposal(context: Context) -> None:
    desk = Desk(context, ScriptedChat(context, offering))
    assert outcomes(desk.say("too much")) == [None]
    desk.service.take(desk.now().id, 1, 0, 0, form=desk.form)
    second = desk.now().exchanges[-1]
    assert (second.text, second.outcome) == ("Ask for 50", Outcome.PROPOSED)
    desk.apply(2)
    assert desk.form.patients == 50
    with pytest.raises(UserError, match="no longer there"):
        desk.service.take(desk.now().id, 1, 0, 1, form=desk.form)
    with pytest.raises(UserError, match="nothing was proposed"):
        desk.service.apply(desk.now().id, 1, form=desk.form)


def test_an_earlier_proposal_comes_forward_against_the_form_of_now(context: Context) -> None:
    desk = Desk(context)
    desk.say("250 women over 65")
    desk.say("300 men")
    desk.apply(2)
    desk.service.propose_again(desk.now().id, 1, form=desk.form)
    again = desk.now().exchanges[-1]
    assert again.turn is not None and again.turn.spec is not None
    assert (again.turn.spec.patients, again.before.patients) == (250, 300)
    desk.apply(3)
    desk.undo(3)
    assert desk.form.patients == 300


def test_no_proposal_follows_a_population_that_the_source_has_no_columns_for() -> None:
    schema = TableSchema(
        columns=tuple(one for one in catalogue().mimic3_schema().columns if one.name not in ("age_years", "sex"))
    )
    turn = by_rules("50 diabetics like the US population", schema=schema)
    assert "neither an age in years nor a sex" in turn.warnings[-1].message
    assert [part.text for part in turn.understood if part.note.startswith("not possible")] == ["like the US population"]
    assert turn.spec is not None and turn.spec.patients == 50 and turn.spec.reference_population is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("50 women like the US population", "Age, sex and ethnicity follow all adults in the United States, 2015–2018"),
        ("representative of US adults: 90 patients with type 2 diabetes", "adults with type 2 diabetes in the United"),
        ("90 patients with a stroke on US population", "adults after a stroke in the United States, 2015–2018 (NHANES"),
    ],
)
def test_a_proposal_says_whom_its_population_stands_for(text: str, told: str) -> None:
    turn = by_rules(text, schema=catalogue().mimic3_schema())
    assert turn.spec is not None and turn.spec.reference_population == "us"
    assert [part for part in turn.understood if told in part.note]
    assert not turn.warnings and not turn.not_understood


def test_a_population_of_nobody_is_not_proposed() -> None:
    turn = by_rules("50 boys under 10 based on the US population", schema=catalogue().mimic3_schema())
    assert "fewer than 30 participants" in turn.warnings[-1].message.lower()
    assert turn.spec is not None and turn.spec.reference_population is None


def test_no_answer_tells_the_largest_value_that_a_patient_has(context: Context) -> None:
    desk = Desk(context)
    own = SCHEMA["age_years"].model_copy(update={"maximum": 88.75, "bounds_are_public": False})
    path = context.workspace.dataset(desk.dataset) / "table.parquet"
    write_table(path, patients(300, seed=1), SCHEMA.replace(own))
    desk.say("50 patients over 95")
    assert "88.75" not in stored(context)


PERSONAL = "like my patient Mr. John Miller, phone +44 20 7946 0958, MRN 4711234"


def test_a_text_that_names_a_person_is_not_kept(context: Context) -> None:
    desk = Desk(context)
    first, second = (desk.say(text) for text in (PERSONAL, "200 men"))
    assert first.exchanges[0].text is None and first.title == ""
    assert second.title == "200 men"
    kept = stored(context)
    assert "200 men" in kept
    assert not any(word in kept for word in ("Miller", "7946", "4711234"))


def test_nor_when_the_answer_failed_or_a_backend_repeats_it(context: Context) -> None:
    def fail(text: str, **_) -> Turn:
        raise InternalError("the backend broke")

    def repeat(text: str, **_) -> Turn:
        warning = Warning(code="personal_data", message="No names.")
        return Turn(intent="refuse", not_understood=("Miller",), warnings=(warning,))

    failed = Desk(context, ScriptedChat(context, fail)).say(PERSONAL).exchanges[0]
    assert (failed.text, failed.turn, failed.error) == (None, None, "the backend broke.")
    Desk(context, ScriptedChat(context, repeat)).say("Miller again")
    assert "Miller" not in stored(context)


def test_a_deleted_conversation_leaves_no_trace_in_the_file(context: Context) -> None:
    desk = Desk(context)
    for number in range(5):
        desk.say(f"200 men with zanzibaritis {number}")
    assert "zanzibaritis" in stored(context)
    desk.service.delete(desk.now().id)
    assert "zanzibaritis" not in stored(context)


def test_a_model_is_heard_while_it_works_and_can_be_stopped(context: Context) -> None:
    going = threading.Event()

    def slow(text: str, *, previous, stop, tell) -> Turn:
        tell("I read ")
        tell("<b>women</b>")
        going.set()
        assert stop.wait(60)
        return Turn(intent="unclear", notice="It was stopped.")

    desk = Desk(context, ScriptedChat(context, slow))
    id = desk.service.say("women", dataset_id=desk.dataset, conversation_id=None, form=EMPTY)
    assert going.wait(60)
    reply = desk.service.reply(id)
    assert reply is not None and (reply.text, reply.said) == ("women", "I read <b>women</b>")
    reply.wait(60)
    with pytest.raises(UserError, match="still on its way"):
        desk.service.say("too early", dataset_id=desk.dataset, conversation_id=id, form=EMPTY)
    assert desk.service.open(id).exchanges == ()
    reply.stop()
    wait_for(lambda: desk.service.reply(id) is None)
    (only,) = desk.service.open(id).exchanges
    assert only.turn is not None and (only.text, only.turn.notice) == ("women", "It was stopped.")


def test_a_fault_is_said_and_the_conversation_goes_on(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[type] = []
    monkeypatch.setattr(threading, "excepthook", lambda given: seen.append(given.exc_type))

    def break_(text: str, **_) -> Turn:
        raise ZeroDivisionError

    desk = Desk(context, ScriptedChat(context, break_))
    assert "fault in the program" in desk.say("200 men").exchanges[0].error
    wait_for(lambda: seen == [ZeroDivisionError])


def test_a_first_request_makes_a_cohort_and_a_follow_up_refines_it(context: Context) -> None:
    desk = Desk(context)
    intents = [desk.say(text).exchanges[-1].turn for text in ("250 women over 65", "only emergencies")]
    assert [turn.intent for turn in intents if turn is not None] == ["generate", "refine"]
    desk.say("start over")
    anew = desk.say("women over 65").exchanges[-1].turn
    assert anew is not None and anew.intent == "generate"
    desk = Desk(context)
    desk.form = CohortSpec(patients=33)
    edited = desk.say("women over 65").exchanges[-1].turn
    assert edited is not None and edited.spec is not None
    assert (edited.intent, edited.spec.patients) == ("refine", 33)


def test_edits_of_another_tab_are_not_overwritten_unseen(context: Context) -> None:
    desk = Desk(context)
    desk.say("250 women over 65")
    edited = CohortSpec(patients=77)
    desk.service.keep_form(desk.now().id, edited)
    with pytest.raises(UserError, match="edited in another tab"):
        desk.apply(1)
    assert (desk.see().form, outcomes(desk.now())) == (edited, [Outcome.PROPOSED])
    desk.apply(1)
    assert desk.form.patients == 250
    desk.undo(1)
    assert desk.form == edited


@pytest.mark.parametrize(
    ("failure", "told"), [(InternalError("the database is locked"), "database is locked"), (OSError(), "Ask again")]
)
def test_an_answer_that_cannot_be_kept_is_said(
    context: Context, monkeypatch: pytest.MonkeyPatch, failure: Exception, told: str
) -> None:
    def fail(*_, **__) -> None:
        raise failure

    desk = Desk(context)
    monkeypatch.setattr(ConversationStore, "answer", fail)
    (only,) = desk.say("200 men").exchanges
    lost = desk.service.lost(desk.now().id)
    assert lost is not None and told in lost
    assert desk.service.lost(desk.now().id) is None
    assert only.turn is None and "Ask again" in only.error


def test_a_request_that_a_restart_cut_off_is_there_unanswered(context: Context) -> None:
    going, over = threading.Event(), threading.Event()

    def hang(text: str, **_) -> Turn:
        going.set()
        over.wait(60)
        return Turn(intent="unclear")

    before = Conversations(context, ScriptedChat(context, hang))
    dataset = context.database.datasets()[0].id
    id = before.say("200 men", dataset_id=dataset, conversation_id=None, form=EMPTY)
    other = before.say(PERSONAL, dataset_id=dataset, conversation_id=None, form=EMPTY)
    assert going.wait(60)
    again = Conversations(context, Chat(context, Assistant(context.workspace)))
    (only,) = again.open(id).exchanges
    assert (only.text, only.turn, only.outcome) == ("200 men", None, None)
    assert "not answered" in only.error and "Ask again" in only.error
    assert again.open(other).exchanges[0].text is None
    over.set()
    wait_for(lambda: before.reply(id) is None and before.reply(other) is None)


def test_everything_comes_back_after_a_restart(context: Context) -> None:
    desk = Desk(context)
    desk.say("250 women over 65, 30 % mortality, blorptitis")
    desk.apply(1)
    desk.say("make it 500")
    desk.service.keep_form(desk.now().id, desk.form.model_copy(update={"seed": 9}))
    before = desk.now()
    again = Conversations(context, Chat(context, Assistant(context.workspace)))
    assert again.open(before.id) == before
    assert before.form.seed == 9
    (line,) = again.all(desk.dataset)
    assert (line.title, line.requests, line.cohorts) == (before.title, 2, ())


def test_the_list_names_the_cohorts_and_passes_over_silence(context: Context) -> None:
    desk = Desk(context)
    desk.say("250 women")
    cohort = context.database.cohorts()[0]
    context.database.update_cohort(cohort.id, conversation_id=desk.now().id)
    ConversationStore(context.database).add(dataset_id=desk.dataset, form={})
    (line,) = desk.service.all(desk.dataset)
    assert [one.id for one in line.cohorts] == [cohort.id]
    desk.service.delete(line.id)
    assert desk.service.all(desk.dataset) == []


def test_a_conversation_about_columns_that_are_gone_goes_on(context: Context) -> None:
    desk = Desk(context)
    desk.say("250 women over 65, 30 % mortality")
    path = context.workspace.dataset(desk.dataset) / "table.parquet"
    schema = SCHEMA.select(["patient_id", "age_years"])
    write_table(path, patients(300, seed=1)[schema.names], schema)
    write_json(context.workspace.dataset(desk.dataset) / "report.json", {})
    follow_up = desk.say("make it 500").exchanges[-1].turn
    assert follow_up is not None and follow_up.spec is not None
    assert [part.column for part in follow_up.spec.criteria] == ["age_years"]
    desk.service.propose_again(desk.now().id, 1, form=desk.form)
    again = desk.now().exchanges[-1].turn
    assert again is not None and again.spec is not None and again.spec.shares == ()


def test_what_another_version_wrote_is_said_to_be_unreadable(context: Context) -> None:
    desk = Desk(context)
    desk.say("250 women")
    ConversationStore(context.database).append(
        desk.now().id, text="new", turn={"intent": "dream"}, before=EMPTY.as_json(), outcome=Outcome.PROPOSED
    )
    last = desk.now().exchanges[-1]
    assert (last.text, last.turn, last.outcome) == ("new", None, None)
    assert "another version" in last.error


def test_a_turn_survives_its_storage(context: Context) -> None:
    desk = Desk(context)
    text = "250 women over 65 or under 20, not emergencies, 30 % mortality, only age and sex"
    turn = desk.say(text).exchanges[0].turn
    direct = Chat(context, Assistant(context.workspace)).reply(text, dataset_id=desk.dataset, previous=None)
    assert turn is not None and turn.spec is not None
    assert turn.model_copy(update={"seconds": 0}) == direct.model_copy(update={"seconds": 0})
    assert json.loads(json.dumps(turn.as_json())) == turn.as_json()
