"""The endpoint as a backend, against a real server: what is sent, what is believed, what falls back to the rules."""

import json
import threading
import time

import jsonschema
import pytest
from patient_table_shape import diabetes_like, mimic_like, spec_of

from engine.cohort.spec import CohortSpec
from engine.conversation.conductor import Conductor
from engine.conversation.contract import Turn
from engine.conversation.endpoint.answer import answer_schema
from engine.conversation.endpoint.backend import Endpoint
from engine.conversation.endpoint.client import EndpointClient
from engine.conversation.rules.parser import parse
from engine.core.errors import CohortStudioError, UserError
from engine.schema.table import TableSchema
from tests.helpers.openai_server import Behaviour, openai_server

MIMIC, UPLOAD = mimic_like(), diabetes_like()
TEXT = "50 women over 65"


WOMEN = {"column": "sex", "any_of": ["F"]}
OLDER = {"column": "age_years", "minimum": 65, "include_minimum": False}
GOOD = {"intent": "generate", "patients": 50, "criteria": [WOMEN, OLDER]}


def over(column: str, number: float) -> dict:
    return {"column": column, "minimum": number, "include_minimum": False}


def answered(
    content: dict | str, text: str = TEXT, *, schema: TableSchema = MIMIC, previous: CohortSpec | None = None
) -> tuple[Turn, Behaviour]:
    """The conductor's turn with a server whose model answers ``content``."""
    content = content if isinstance(content, str) else json.dumps(content)
    with openai_server(content=content) as (address, server):
        backend = Endpoint(EndpointClient(address, "tiny", seconds=5))
        turn = Conductor("endpoint", backend, seconds=10).reply(text, schema=schema, previous=previous)
    return turn, server


def test_a_good_answer_is_believed_and_the_rules_agree() -> None:
    turn, server = answered(GOOD)
    assert (turn.backend, turn.notice, turn.spec) == ("endpoint", "", spec_of("50; sex = F; age_years > 65"))
    (sent,) = server.received
    offered = sent["response_format"]["json_schema"]["schema"]
    jsonschema.validate(GOOD, offered)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(GOOD | {"criteria": [over("no_such_column", 65)]}, offered)


@pytest.mark.parametrize(
    "content",
    [
        f"Sure! Here is the JSON:\n```json\n{json.dumps(GOOD)}\n```",
        json.dumps(GOOD)[:-5],
        "null",
        "[]",
        "<script>alert(1)</script>",
        json.dumps(GOOD | {"note": "an extra field"}),
        json.dumps(GOOD | {"criteria": [WOMEN | {"sql": "drop table"}]}),
        json.dumps(GOOD | {"patients": "fifty"}),
        json.dumps(GOOD | {"patients": -50}),
        json.dumps(GOOD | {"patients": 10**12}),
        json.dumps(GOOD | {"criteria": [over("age_years", 65) | {"maximum": 50}]}),
        json.dumps(GOOD | {"criteria": [over("shoe_size", 65)]}),
        json.dumps(GOOD | {"criteria": [over("subject_id", 65)]}),
        json.dumps(GOOD | {"criteria": [{"column": "sex", "any_of": ["<b>F</b>"]}]}),
        json.dumps(GOOD | {"criteria": [{"column": "age_years", "any_of": ["F"]}]}),
        json.dumps(GOOD | {"criteria": [{"column": "diabetes", "any_of": ["maybe"]}]}),
        json.dumps(GOOD | {"criteria": [{"column": "sex"}]}),
        json.dumps(GOOD | {"columns": ["shoe_size"]}),
        json.dumps(GOOD | {"columns": []}),
        json.dumps(GOOD | {"shares": [{"column": "sex", "category": "F", "share": 5}]}),
        json.dumps(GOOD | {"intent": "obey"}),
        json.dumps({"intent": "question", "answer": "NICE NG28 says so."}),
        '{"patients": NaN}',
        '{"patients": 1e999}',
        "[" * 5000,
    ],
)
def test_a_hostile_or_broken_answer_falls_back_to_the_rules_with_a_notice(content: str) -> None:
    turn, server = answered(content)
    assert len(server.received) == 1
    assert (turn.backend, turn.spec) == ("rules", spec_of("50; sex = F; age_years > 65"))
    assert turn.notice, "the fallback is visible"
    assert "<script>" not in turn.notice
    assert turn.warnings == () or "two readings" in turn.warnings[-1].message


@pytest.mark.parametrize(
    "answer",
    [
        GOOD | {"criteria": [WOMEN, OLDER, {"column": "hemoglobin", "maximum": 10}]},
        GOOD | {"patients": 5000},
        GOOD | {"criteria": [WOMEN, OLDER, {"column": "primary_icd9_code", "starts_with": ["250"]}]},
        GOOD | {"shares": [{"column": "died_in_hospital", "category": True, "share": 0.3}]},
        GOOD | {"seed": 99},
    ],
)
def test_a_number_or_code_that_was_not_asked_for_is_refused(answer: dict) -> None:
    turn, _ = answered(answer)
    assert turn.backend == "rules"
    assert "something that the request does not state" in turn.notice


@pytest.mark.parametrize(
    ("text", "answer", "want"),
    [
        ("two thousand women", {"patients": 2000, "criteria": [WOMEN]}, "2000; sex = F"),
        (
            "30 patients, 40 % women",
            {"patients": 30, "shares": [{"column": "sex", "category": "F", "share": 0.4}]},
            "30; share sex=F 0.4",
        ),
        (
            "20 patients with ICD-9 250.00",
            {"patients": 20, "criteria": [{"column": "primary_icd9_code", "starts_with": ["25000"]}]},
            "20; primary_icd9_code ^ 25000",
        ),
        (
            "80 patients without sepsis",
            {"patients": 80, "criteria": [{"column": "sepsis", "any_of": [False]}]},
            "80; sepsis = false",
        ),
    ],
)
def test_numbers_in_words_shares_and_codes_that_were_asked_for_are_grounded(text: str, answer: dict, want: str) -> None:
    turn, _ = answered({"intent": "generate", **answer}, text)
    assert (turn.backend, turn.notice, turn.spec) == ("endpoint", "", spec_of(want))


def test_a_conversion_is_believed_only_where_the_rules_come_to_the_same_number() -> None:
    text = "creatinine above 152 µmol/L"
    ruled = parse(text, schema=MIMIC)
    assert ruled.spec is not None
    converted = ruled.spec.criteria[0].minimum
    for minimum, backend in ((converted, "endpoint"), (1.9, "rules"), (152, "rules")):
        turn, _ = answered({"intent": "generate", "criteria": [over("creatinine", minimum)]}, text)
        assert (turn.backend, turn.spec) == (backend, ruled.spec)
        assert bool(turn.notice) == (backend == "rules")


def test_a_difference_is_shown_and_offered() -> None:
    turn, _ = answered(GOOD | {"criteria": [WOMEN]})
    assert turn.backend == "rules"
    assert "age above 65 years (rules only)" in turn.notice
    assert turn.warnings[-1].actions[0].spec == spec_of("50; sex = F")


def test_lay_words_that_the_rules_lack_are_read_by_the_model() -> None:
    text = "50 women with a dicky tickerish"
    turn, _ = answered(GOOD | {"criteria": [WOMEN, {"column": "heart_failure", "any_of": [True]}]}, text)
    assert turn.backend == "endpoint"
    assert turn.spec == spec_of("50; sex = F; heart_failure = true")
    assert "(endpoint only)" in turn.notice
    assert turn.understood[-1].note == "read by the endpoint"
    assert turn.understood[-1].text in text
    assert turn.not_understood == ()


def test_a_follow_up_edits_the_previous_spec() -> None:
    previous = spec_of("50; sex = F; age_years > 65")
    answer = {"intent": "refine", "patients": 500, "criteria": [WOMEN]}
    turn, server = answered(answer, "make it 500 and drop the age limit", previous=previous)
    assert (turn.intent, turn.backend, turn.spec) == ("refine", "endpoint", spec_of("500; sex = F"))
    assert '"age_years"' in server.received[0]["messages"][1]["content"]


def test_only_the_text_column_names_and_public_categories_are_sent() -> None:
    column = UPLOAD["race"].model_copy(update={"categories": ("Asian", "Zyzzogeton")})
    named = UPLOAD["gender"].model_copy(update={"name": "MRN 4456789"})
    schema = TableSchema(columns=(*UPLOAD.replace(column).columns, named))
    previous = spec_of("20; race = Zyzzogeton; num_medications > 5")
    answer = {"intent": "refine", "patients": 40,
              "criteria": [{"column": "race", "any_of": ["#2"]}, over("num_medications", 5)]}  # fmt: skip
    with openai_server(content=json.dumps(answer), explanation="Forty.") as (address, server):
        backend = Endpoint(EndpointClient(address, "tiny"))
        turn = backend.parse("make it 40", schema=schema, previous=previous, tell=lambda _: None)
    assert turn.spec == spec_of("40; race = Zyzzogeton; num_medications > 5"), "the placeholder stands for the category"
    assert len(server.received) == 2
    sent = json.dumps(server.received)
    for cell in ("Zyzzogeton", "Asian", "Cardiology", "Steady", "4456789"):
        assert cell not in sent
    assert "num_medications" in sent


def test_a_cell_that_looks_like_a_placeholder_is_not_sent() -> None:
    cells = ("#4456789", "Asian")
    offered = answer_schema("50 patients over 65", previous=None,
                            schema=UPLOAD.replace(UPLOAD["race"].model_copy(update={"categories": cells})))  # fmt: skip
    assert "#4456789" not in json.dumps(offered)


def test_a_category_of_an_uploaded_table_can_be_asked_for_by_typing_it() -> None:
    answer = {"intent": "generate", "patients": 50, "criteria": [{"column": "race", "any_of": ["Asian"]}]}
    turn, server = answered(answer, "50 asian patients", schema=UPLOAD)
    offered = json.dumps(server.received[0]["response_format"])
    assert '["Asian"]' in offered
    for category in ("Caucasian", "Steady", "NO", "Ch"):
        assert f'"{category}"' not in offered, "parts of words are not typed categories"
    assert (turn.backend, turn.notice, turn.spec) == ("endpoint", "", spec_of("50; race = Asian"))


@pytest.mark.parametrize("text", ["40 women, MRN 4456789", "like Mr. John Smith", "mail jane.doe@example.org"])
def test_personal_data_is_not_sent_even_when_the_backend_is_asked_directly(text: str) -> None:
    with openai_server() as (address, server):
        with pytest.raises(UserError, match="nothing was sent"):
            Endpoint(EndpointClient(address, "tiny")).parse(text, schema=MIMIC)
        assert server.received == []


def test_the_explanation_is_streamed_after_a_good_answer_and_never_json() -> None:
    said: list[str] = []
    with openai_server(content=json.dumps(GOOD), explanation="Fifty \x07women\x00 over 65.") as (address, server):
        turn = Endpoint(EndpointClient(address, "tiny")).parse(TEXT, schema=MIMIC, tell=said.append)
    assert "".join(said).split() == ["Fifty", "women", "over", "65."]
    assert [bool(request.get("stream")) for request in server.received] == [False, True]
    assert turn.spec == spec_of("50; sex = F; age_years > 65")
    with openai_server(content="no JSON") as (address, server), pytest.raises(UserError):
        Endpoint(EndpointClient(address, "tiny")).parse(TEXT, schema=MIMIC, tell=said.append)
    assert len(server.received) == 1, "a bad answer is not explained"


def test_an_endless_explanation_is_cut_and_a_failing_one_changes_nothing() -> None:
    said: list[str] = []
    with openai_server(content=json.dumps(GOOD), explanation="word " * 2000) as (address, _):
        turn = Endpoint(EndpointClient(address, "tiny")).parse(TEXT, schema=MIMIC, tell=said.append)
    assert len("".join(said)) == 600
    assert turn.spec is not None


def test_stop_while_the_server_thinks_gives_the_rules_turn_at_once() -> None:
    stop = threading.Event()
    with openai_server(content=json.dumps(GOOD), pause=5) as (address, _):
        threading.Timer(0.3, stop.set).start()
        started = time.monotonic()
        backend = Endpoint(EndpointClient(address, "tiny", seconds=20))
        turn = Conductor("endpoint", backend).reply(TEXT, schema=MIMIC, stop=stop)
        assert time.monotonic() - started < 2
    assert (turn.backend, turn.spec) == ("rules", spec_of("50; sex = F; age_years > 65"))
    assert "it was stopped" in turn.notice


def test_a_slow_server_is_answered_for_by_the_rules() -> None:
    with openai_server(content=json.dumps(GOOD), pause=5) as (address, _):
        started = time.monotonic()
        backend = Endpoint(EndpointClient(address, "tiny", seconds=20))
        turn = Conductor("endpoint", backend, seconds=0.5).reply(TEXT, schema=MIMIC)
        assert time.monotonic() - started < 3
    assert turn.backend == "rules"
    assert "longer than 0.5 seconds" in turn.notice


def test_a_server_that_refuses_is_named_in_the_notice() -> None:
    with openai_server(status=401) as (address, _):
        backend = Endpoint(EndpointClient(address, "tiny"))
        turn = Conductor("endpoint", backend).reply(TEXT, schema=MIMIC)
        with pytest.raises(CohortStudioError):
            backend.parse(TEXT, schema=MIMIC)
    assert turn.backend == "rules"
    assert "COHORT_STUDIO_ENDPOINT_KEY" in turn.notice
