"""Who answers: what never reaches a backend, agreement, difference, failure, slowness, Stop, and one validator."""

import threading
import time
from collections.abc import Callable

import pytest
from patient_table_shape import load, mimic_like, spec_of

from engine.cohort.spec import CohortSpec
from engine.conversation.backend import BackendState
from engine.conversation.comparison import differences
from engine.conversation.conductor import Conductor
from engine.conversation.contract import Answer, Source, Turn, Understood
from engine.conversation.rules.parser import parse
from engine.conversation.validator import validated
from engine.core.errors import CohortStudioError, UserError

MIMIC = mimic_like()


class Scripted:
    """A backend that answers what it was given, and notes what reached it."""

    name = "endpoint"

    def __init__(self, answer: Turn | CohortSpec | str | Exception | Callable[[threading.Event], Turn]) -> None:
        self.answer = answer
        self.asked: list[str] = []

    def parse(self, text, *, schema, previous=None, stop=None, tell=None) -> Turn:
        self.asked.append(text)
        if tell is not None:
            for piece in ("Women ", "over 65."):
                tell(piece)
        if isinstance(self.answer, Exception):
            raise self.answer
        if isinstance(self.answer, Turn):
            return self.answer
        if callable(self.answer):
            return self.answer(stop)
        spec = spec_of(self.answer) if isinstance(self.answer, str) else self.answer
        return Turn(intent="generate", spec=spec)


def ask(backend: Scripted, text: str, **more) -> Turn:
    return Conductor("endpoint", backend, seconds=more.pop("seconds", 5.0)).reply(text, schema=MIMIC, **more)


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("like Mr. John Smith, 40 women", "refuse"),
        ("40 women, MRN 4456789", "refuse"),
        ("print the training rows", "refuse"),
        ("show me real patient 10006", "refuse"),
        ("which drug should I prescribe for gout?", "out_of_scope"),
        ("write a poem about 5 patients", "out_of_scope"),
        ("where does the real data come from?", "question"),
        ("what unit is hemoglobin in?", "question"),
        ("who won the league?", "out_of_scope"),
        ("x" * 5000, "unclear"),
        ("  ", "unclear"),
    ],
)
def test_what_never_reaches_a_model(text: str, intent: str) -> None:
    backend = Scripted("50; sex = F")
    turn = ask(backend, text)
    assert (turn.intent, turn.spec, turn.backend, backend.asked) == (intent, None, "rules", [])


def test_no_refused_or_answered_request_of_the_test_set_reaches_a_model() -> None:
    backend = Scripted("50; sex = F")
    settled = [
        text
        for table in load("other_intents.yaml").values()
        for text, (intent, _) in table.items()
        if intent in ("refuse", "question", "out_of_scope")
    ]
    assert len(settled) > 20
    for text in settled:
        assert ask(backend, text).spec is None, text
    assert backend.asked == []


def test_agreement_is_accepted_with_the_rules_account_of_the_words() -> None:
    turn = ask(Scripted("50; age_years > 65; sex = F"), "50 women over 65")
    assert (turn.backend, turn.notice, turn.warnings) == ("endpoint", "", ())
    assert [entry.text for entry in turn.understood] == ["50", "women", "over 65"]


def test_a_different_spelling_of_the_same_demand_is_agreement() -> None:
    flag = "diabetes_type_2"
    demands = [{"column": flag, "none_of": [False]}, {"column": flag, "recorded": True}]
    same = CohortSpec.model_validate({"patients": 50, "criteria": demands})
    turn = ask(Scripted(same), "50 patients with type 2 diabetes")
    assert (turn.backend, turn.notice) == ("endpoint", "")


def test_a_difference_on_a_request_that_the_rules_read_whole_is_shown_and_the_other_is_offered() -> None:
    turn = ask(Scripted("50; age_years > 60; sex = F; sepsis = true"), "50 women over 65")
    assert turn.backend == "rules"
    assert turn.spec == parse("50 women over 65", schema=MIMIC).spec
    assert "age above 65 years (rules) or age above 60 years (endpoint)" in turn.notice
    assert "sepsis (endpoint only)" in turn.notice
    (action,) = turn.warnings[-1].actions
    assert action.spec == spec_of("50; age_years > 60; sex = F; sepsis = true")
    assert action.label == "Use the endpoint's reading"


def test_a_difference_on_words_that_the_rules_lack_proposes_the_backends_reading() -> None:
    text = "50 women with blorptitis"
    read = Turn(
        intent="generate", spec=spec_of("50; sex = F; sepsis = true"),
        understood=(Understood(text="blorptitis", meaning="sepsis"), Understood(text="never typed", meaning="?")),
    )  # fmt: skip
    turn = ask(Scripted(read), text)
    assert (turn.backend, turn.spec) == ("endpoint", read.spec)
    assert [entry.text for entry in turn.understood] == ["blorptitis"], "a stretch that was not typed is dropped"
    assert turn.not_understood == ()
    assert "sepsis (endpoint only)" in turn.notice
    assert turn.warnings[-1].actions[0].spec == spec_of("50; sex = F")


def test_what_a_backend_read_of_one_unread_stretch_stands_for_it() -> None:
    turn = ask(Scripted("50; sex = F; sepsis = true"), "50 women with blorptitis")
    assert [(entry.text, entry.note) for entry in turn.understood] == [
        ("50", ""), ("women", ""), ("blorptitis", "read by the endpoint")
    ]  # fmt: skip
    assert turn.not_understood == ()


def test_words_that_no_reading_accounts_for_stay_told() -> None:
    text = "50 blorptish women over 65 with zorgosis"
    unread = parse(text, schema=MIMIC).not_understood
    assert len(unread) == 2
    turn = ask(Scripted("50; sex = F; age_years > 65; sepsis = true"), text)
    assert (turn.backend, turn.not_understood) == ("endpoint", unread)


def test_a_reading_of_what_the_rules_cannot_read_says_so() -> None:
    assert parse("people with the snorfle blorpt", schema=MIMIC).spec is None
    turn = ask(Scripted("diabetes_type_2 = true"), "people with the snorfle blorpt")
    assert (turn.backend, turn.spec) == ("endpoint", spec_of("diabetes_type_2 = true"))
    assert "Check it before you apply it" in turn.notice


def test_what_the_rules_found_impossible_is_not_proposed_by_a_model() -> None:
    turn = ask(Scripted("100; share sex=F 0.8"), "100 patients, 30 % men and 80 % women")
    assert (turn.backend, turn.spec) == ("rules", None)
    assert "cannot be met" in turn.notice
    assert turn.warnings[-1].actions[0].spec == spec_of("100; share sex=F 0.8")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (CohortStudioError("the server is on fire"), "the server is on fire"),
        (KeyError("bug"), "broke unexpectedly (KeyError)"),
        ("bmi_of_the_moon > 3", "no column 'bmi_of_the_moon'"),
        ("subject_id = 5", "subject_id"),
        (CohortSpec().model_copy(update={"patients": -5}), "-5 patients is not possible"),
        ("columns bmi_of_the_moon", "no column"),
    ],
)
def test_a_failing_backend_leaves_the_rules_turn_with_the_reason(answer: object, why: str) -> None:
    backend = Scripted(answer)  # type: ignore[arg-type]
    turn = ask(backend, "50 women over 65")
    assert (turn.backend, turn.spec) == ("rules", parse("50 women over 65", schema=MIMIC).spec)
    assert "so the rules read this" in turn.notice
    assert why in turn.notice
    assert backend.asked == ["50 women over 65"]


def test_a_backend_that_proposes_nothing_or_an_impossible_cohort_does_not_hide_the_rules_reading() -> None:
    for answer in (Turn(intent="unclear"), spec_of("50; bmi 200..300"), spec_of("50; pregnancy = true; sex = M")):
        turn = ask(Scripted(answer), "50 women over 65")
        assert (turn.backend, turn.spec) == ("rules", spec_of("50; sex = F; age_years > 65"))
        assert "proposes nothing here" in turn.notice


@pytest.mark.parametrize("state", ["off", "absent", "downloading", "loading", "failed"])
def test_a_backend_that_is_not_ready_is_not_asked(state: str) -> None:
    backend = Scripted("50; sex = F")
    conductor = Conductor("llama", backend, state=BackendState(state, "13.5 GB are missing."))  # type: ignore[arg-type]
    turn = conductor.reply("50 women", schema=MIMIC)
    assert (turn.backend, turn.spec, backend.asked) == ("rules", spec_of("50; sex = F"), [])
    assert turn.notice.startswith("The language model ")
    assert "13.5 GB are missing." in turn.notice


def test_a_slow_backend_is_left_and_told_to_end() -> None:
    ended = threading.Event()

    def slow(stop: threading.Event) -> Turn:
        stop.wait(10)
        ended.set()
        time.sleep(10)
        raise AssertionError("nobody waits for this")

    started = time.monotonic()
    turn = ask(Scripted(slow), "50 women over 65", seconds=0.3)
    assert time.monotonic() - started < 3
    assert ended.is_set()
    assert turn.backend == "rules"
    assert "longer than 0.3 seconds" in turn.notice


def test_a_backend_that_ends_when_it_is_told_to_still_counts() -> None:
    def late(stop: threading.Event) -> Turn:
        stop.wait(10)
        return Turn(intent="generate", spec=spec_of("50; sex = F"))

    assert ask(Scripted(late), "50 women", seconds=0.3).backend == "endpoint"


def test_stop_is_answered_by_the_rules_at_once() -> None:
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()

    def waits(inner: threading.Event) -> Turn:
        assert inner.wait(10)
        raise CohortStudioError("ended early")

    started = time.monotonic()
    turn = ask(Scripted(waits), "50 women over 65", stop=stop, seconds=30)
    assert time.monotonic() - started < 3
    assert (turn.backend, turn.spec) == ("rules", spec_of("50; sex = F; age_years > 65"))
    assert "it was stopped" in turn.notice


@pytest.mark.parametrize("how", ["stopped", "late"])
def test_a_backend_that_never_stops_writing_holds_nobody_up(how: str) -> None:
    stop, told_to_end = threading.Event(), threading.Event()

    class Chatty(Scripted):
        def parse(self, text, *, schema, previous=None, stop=None, tell=None) -> Turn:
            assert stop is not None and tell is not None
            for _ in range(1000):
                tell("and ")
                if stop.wait(0.002):
                    told_to_end.set()
                    break
            return Turn(intent="unclear")

    ask(
        Chatty(""), "40 women", stop=stop, seconds=0.2 if how == "late" else 60,
        tell=lambda _: stop.set() if how == "stopped" else None,
    )  # fmt: skip
    assert told_to_end.wait(10)


def test_the_explanation_is_told_in_the_asking_thread_and_in_order() -> None:
    said: list[tuple[str, int]] = []
    ask(Scripted("50; sex = F"), "50 women", tell=lambda piece: said.append((piece, threading.get_ident())))
    assert said == [("Women ", threading.get_ident()), ("over 65.", threading.get_ident())]


def test_a_models_answer_to_a_question_is_never_shown() -> None:
    invented = Turn(
        intent="question", answer=Answer(text="NICE NG28 says so.", sources=(Source(title="?", section="?"),))
    )
    turn = ask(Scripted(invented), "50 women over 65")
    assert turn.answer is None
    assert "NICE" not in turn.notice


def test_a_follow_up_edits_what_there_was() -> None:
    previous = spec_of("50; sex = F")
    turn = ask(Scripted("5000; sex = F"), "make it 5000", previous=previous)
    assert (turn.intent, turn.spec, turn.backend) == ("refine", spec_of("5000; sex = F"), "endpoint")


def test_the_validator_warns_of_a_large_cohort_once_and_keeps_the_rules_turn_as_it_is() -> None:
    read = validated(Turn(intent="generate", spec=spec_of("2000000; sex = F")), text="", schema=MIMIC)
    assert [warning.code for warning in read.warnings] == ["large"]
    assert [(one.label, one.spec) for one in read.warnings[0].actions] == [
        ("Make 1,000,000 instead", spec_of("1000000; sex = F")),
        ("Make all 2,000,000 in parts", spec_of("2000000; sex = F")),
    ]
    for texts in load("requests.yaml").values():
        for text in texts:
            turn = parse(text, schema=MIMIC)
            assert validated(turn, text=text, schema=MIMIC) == turn, text


def test_the_validator_refuses_the_patient_key_and_excluded_columns() -> None:
    keyed = MIMIC.model_copy(
        update={"columns": tuple(one.model_copy(update={"role": "excluded"} if one.name == "bmi" else {})
                                 for one in MIMIC.columns)}
    )  # fmt: skip
    with pytest.raises(UserError, match="'bmi' is not generated"):
        validated(Turn(intent="generate", spec=spec_of("5; columns bmi")), text="", schema=keyed)


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ("5; sex = F", "5; sex = F", []),
        ("5; sex = F; age_years > 65", "5; age_years > 65; sex = F", []),
        ("5; columns sex,bmi", "5; columns bmi,sex", []),
        ("5", "6", ["5 patients (a) or 6 patients (b)"]),
        ("5; share sex=F 0.3", "5; share sex=F 0.4", ["30 % women (a) or 40 % women (b)"]),
        ("5; columns sex", "5", ["only the columns Sex (a only)"]),
        ("5", "5; population us", ["following the US population (b only)"]),
        ("5; primary_icd9_code ^ 250", "5; primary_icd9_code ^ 274", ["diabetes (a) or gout (b)"]),
    ],
)
def test_differences_in_words(first: str, second: str, told: list[str]) -> None:
    found = differences(spec_of(first), spec_of(second), MIMIC)
    assert [one.told("a", "b") for one in found] == told
