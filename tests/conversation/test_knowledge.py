"""Answers about provenance: quoted verbatim from what ships, or said to be not recorded."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from patient_table_shape import load, mimic_like
from pydantic import ValidationError

from engine.cohort.spec import CohortSpec
from engine.conversation.contract import Answer
from engine.conversation.knowledge import answers, tables
from engine.conversation.knowledge.guidelines import FOLDER, Guideline, guidelines
from engine.conversation.knowledge.guidelines import passages as guideline_passages
from engine.conversation.knowledge.passages import Passage, cards, read_card
from engine.conversation.knowledge.records import KnowledgeContext, passages
from engine.conversation.knowledge.retrieval import Index, terms
from engine.conversation.rules.items import read_items
from engine.conversation.rules.lexicon import lexicon_for
from engine.conversation.rules.parser import parse
from engine.core.workspace import ASSETS
from engine.export.manifest import manifest
from engine.schema.table import TableSchema

SCHEMA = mimic_like()
QUESTIONS = load("provenance_questions.yaml")
PARTS = ("tuned", "kept_aside")
REQUESTS = Path(__file__).resolve().parents[3] / "shared" / "bench" / "requests"
CONTEXT = KnowledgeContext(
    manifest=manifest(
        CohortSpec(patients=120),
        source={"name": "ward.csv", "kind": "csv"},
        generator={"name": "dp_cgan", "seed": 5},
        seed=7,
        privacy={"guarantee": "(epsilon, delta)-differential privacy", "epsilon": 3.0, "delta": 1e-5},
    ),
    model_report={"generator": "dp_cgan", "patients": 210, "epsilon": None, "notes": []},
    preparation_report={
        "rows": 129, "patients": 100, "notes": [],
        "tables": [
            {"name": "ADMISSIONS", "present": True, "rows_read": 129, "absent_columns": []},
            {"name": "LABEVENTS", "present": False, "rows_read": None, "absent_columns": ["hba1c", "glucose"]},
        ],
        "columns": [{"name": "creatinine", "dropped_impossible": 12}, {"name": "ph", "dropped_impossible": 0}],
    },
    dataset="ward.csv",
)  # fmt: skip


def answer_to(text: str, *, schema: TableSchema = SCHEMA, context: KnowledgeContext | None = None) -> Answer | None:
    """What the parser's knowledge step answers; what nothing records is said to be so."""
    lexicon = lexicon_for(schema)
    found = answers.find(read_items(text, lexicon), lexicon, context)
    return found or (answers.nothing_recorded() if answers.is_question(text) else None)


def library(schema: TableSchema, context: KnowledgeContext | None = None) -> list[Passage]:
    """Everything that an answer about ``schema`` may quote."""
    return [
        *cards(), *guideline_passages(), *tables.plausibility_rules(), *passages(context),
        *tables.comorbidities().values(), *tables.clinical_words().values(), tables.all_columns(schema),
        *(tables.columns_of_kind(schema, kind) for kind in tables.GROUPS),
        *(tables.ColumnEntry(column).passage for column in schema.features),
    ]  # fmt: skip


def source_of(answer: Answer | None) -> str:
    """ "card / section" of an answer; what it is otherwise."""
    if answer is None:
        return "no question"
    if not answer.sources:
        return "not recorded"
    return f"{answer.sources[0].title} / {answer.sources[0].section}"


def rightly_answered(part: str) -> list[bool]:
    questions = QUESTIONS[part]["answerable"]
    return [source_of(answer_to(text, schema=SCHEMA)) in wanted for text, wanted in questions.items()]


@pytest.mark.parametrize(("part", "least"), [("tuned", 0.95), ("kept_aside", 0.85)])
def test_questions_are_answered_from_the_right_section(part: str, least: float) -> None:
    found = rightly_answered(part)
    assert sum(found) / len(found) >= least


@pytest.mark.parametrize("part", PARTS)
def test_what_is_not_recorded_gets_no_source(part: str) -> None:
    for text in QUESTIONS[part]["not_recorded"]:
        assert not source_of(answer_to(text, schema=SCHEMA)).count(" / "), text


@pytest.mark.parametrize("part", PARTS)
def test_requests_are_not_taken_for_questions(part: str) -> None:
    for text in QUESTIONS[part]["not_questions"]:
        assert answer_to(text, schema=SCHEMA) is None, text


def test_the_test_set_is_as_large_as_it_claims() -> None:
    kept = sum(len(group) for group in QUESTIONS["kept_aside"].values())
    total = kept + sum(len(group) for group in QUESTIONS["tuned"].values())
    assert total >= 90
    assert kept / total >= 1 / 3


@pytest.mark.parametrize("text", QUESTIONS["of_context"])
def test_records_that_the_caller_gives_are_quoted(text: str) -> None:
    answer = answer_to(text, schema=SCHEMA, context=CONTEXT)
    assert source_of(answer) in QUESTIONS["of_context"][text]


def test_records_say_what_was_recorded() -> None:
    told = {(one.card, one.section): one.text for one in passages(CONTEXT)}
    assert told["Preparation report", "absent columns"].endswith("hba1c, glucose.")
    assert told["Preparation report", "dropped values"] == "Impossible values left out: 12 (creatinine 12)."
    assert told["Preparation report", "tables"] == "Tables read: ADMISSIONS (129 rows)."
    assert told["Manifest of the cohort", "seed"] == "Seed: 7."
    assert "epsilon 3" in told["Manifest of the cohort", "privacy"]
    assert "no formal privacy" in told["Model report", "epsilon"]


def test_without_records_nothing_is_said_of_a_cohort() -> None:
    for text in ("which tables were read?", "how many patients was the model trained on?"):
        answer = answer_to(text, schema=SCHEMA)
        assert answer is None or not any("report" in source.title for source in answer.sources)


def every_question() -> list[str]:
    return [text for part in PARTS for text in QUESTIONS[part]["answerable"]] + list(QUESTIONS["of_context"])


@pytest.mark.parametrize(
    "text",
    [
        "how many patients are in this data set?",
        "how many rows does the table have?",
        "what is the number of patients in my data set?",
    ],
)
def test_the_size_of_the_data_at_hand_is_told_by_its_own_report_or_not_at_all(text: str) -> None:
    turn = parse(text, schema=SCHEMA)
    assert (turn.intent, turn.spec) == ("question", None)
    assert turn.answer is not None and source_of(turn.answer) == "not recorded"
    assert source_of(parse(text, schema=SCHEMA, context=CONTEXT).answer).startswith("Preparation report / ")


def test_the_size_of_a_data_set_that_a_card_names_stays_answered() -> None:
    assert source_of(answer_to("how many patients does the demo have?")) == "MIMIC-III / The open demo"


@pytest.mark.parametrize(
    ("text", "publisher", "words"),
    [
        ("which guideline supports hba1c?", "American Diabetes Association", "HbA1c of 6.5 %"),
        ("which guideline supports lactate?", "Third International Consensus", "lactate"),
        ("what does the CKD guideline say about bicarbonate?", "KDIGO, 2024", "18 mmol/L"),
        ("which guideline recommends blood pressure checks in diabetes?", "American Diabetes", "every routine visit"),
        ("blood pressure goal in CKD", "KDIGO, 2024", "below 120 mmHg"),
        ("what is the blood pressure goal in CKD?", "KDIGO, 2024", "below 120 mmHg"),
        ("LDL target after a stroke", "Stroke", "70 mg/dL"),
        ("what is the HbA1c goal in CKD?", "KDIGO, 2022", "6.5 % to below 8 %"),
    ],
)
def test_a_guideline_is_found_by_the_column_that_it_speaks_of(text: str, publisher: str, words: str) -> None:
    turn = parse(text, schema=SCHEMA)
    assert turn.intent == "question"
    assert turn.answer is not None
    assert publisher in turn.answer.sources[0].title
    assert words in turn.answer.text


def test_a_cohort_at_a_goal_is_no_question() -> None:
    assert answer_to("50 CKD patients with blood pressure at goal") is None
    assert answer_to("CKD patients with blood pressure at goal") is None


def test_what_a_later_edition_replaced_is_said() -> None:
    shown = answer_to("which guidelines do you follow for CKD?")
    assert shown is not None
    assert "superseded in part by KDIGO 2024" in shown.text
    old = [one.text for one in guideline_passages() if "KDIGO, 2013" in one.card]
    assert old and not any("mmHg" in text or "HbA1c" in text for text in old)


def test_every_source_exists_and_every_quote_is_verbatim() -> None:
    shelf: dict[tuple[str, str], list[str]] = {}
    for passage in library(SCHEMA, CONTEXT):
        shelf.setdefault((passage.card, passage.section), []).append(passage.text)
    for text in every_question():
        answer = answer_to(text, schema=SCHEMA, context=CONTEXT)
        if answer is None or not answer.sources:
            continue
        (source,) = answer.sources
        assert any(answer.text in quoted for quoted in shelf[source.title, source.section]), text


def test_cards_are_quoted_as_the_files_print_them() -> None:
    files = [path.read_text(encoding="utf-8") for path in (*(ASSETS / "cards").glob("*.md"), ASSETS / "about.md")]
    for passage in cards():
        assert any(passage.text in text for text in files), passage.section
        assert "asked:" not in passage.text


def test_no_two_sections_share_a_name() -> None:
    doubled = [name for name, count in Counter((one.card, one.section) for one in cards()).items() if count > 1]
    assert doubled == []


def test_words_that_ask_for_the_about_page_belong_to_its_headings() -> None:
    asked = yaml.safe_load((ASSETS / "cards" / "asked_of_about.yaml").read_text(encoding="utf-8"))
    assert asked.keys() == {one.section for one in cards() if one.card == "About & privacy"}


@pytest.mark.parametrize(
    "text", ["", "# Title\n\n## Section\n<!-- asked: something -->\n", "no title\n\n## Section\ntext\n"]
)
def test_a_card_without_title_or_text_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "card.md"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"card\.md"):
        read_card(path)


def entry(**changes: Any) -> dict[str, Any]:
    return {"id": "a", "statement": "s", "source": "x", "section": "1", "concepts": ["hba1c"], "priority": 1} | changes


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"concepts": ["no_such_column"]}, "the catalogue has no no_such_column"),
        ({"source": "y"}, "there is no source 'y'"),
        ({"only": ["sepsis"]}, "not all diagnoses"),
        ({"priority": 0}, "greater than or equal to 1"),
        ({"concepts": []}, "at least 1"),
        ({"page": 3}, "Extra inputs"),
    ],
)
def test_a_guideline_that_points_nowhere_is_refused(changed: dict[str, Any], match: str) -> None:
    publication = {"title": "t", "publisher": "p", "edition": "1", "year": 2024, "citation": "c"}
    file = {"disease": "d", "diagnoses": ["diabetes"], "sources": {"x": publication}}
    Guideline.model_validate(file | {"entries": [entry()]})
    with pytest.raises(ValidationError, match=match):
        Guideline.model_validate(file | {"entries": [entry(**changed)]})


def test_every_guideline_file_is_read_and_every_publication_is_used() -> None:
    assert len(guidelines()) == len(list(FOLDER.glob("*.yaml"))) >= 15
    for one in guidelines():
        assert {part.source for part in one.entries} == one.sources.keys(), one.disease


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("what unit is hemoglobin in?", "Hemoglobin is in g/dL."),
        ("what is the reference range of potassium?",
         "Potassium: reference range 3.5 to 5 mmol/L; plausible range 1 to 12 mmol/L."),
        ("what is the LOINC code of creatinine?", "Creatinine has the LOINC code 2160-0."),
        ("what is meant by underweight?",
         "“underweight” is read as Body mass index below 18.5 kg/m². Source: WHO classification of BMI."),
    ],
)  # fmt: skip
def test_tables_of_the_product_answer_in_a_sentence(text: str, answer: str) -> None:
    found = answer_to(text, schema=SCHEMA)
    assert found is not None
    assert found.text == answer


def test_bounds_that_patients_set_are_not_told() -> None:
    column = SCHEMA["creatinine"].model_copy(update={"minimum": 0.37, "maximum": 18.9, "bounds_are_public": False})
    assert "18.9" not in tables.ColumnEntry(column).passage.text


def test_a_guideline_that_is_not_recorded_is_not_made_up() -> None:
    answer = answer_to("which guidelines do you follow for asthma?", schema=SCHEMA)
    assert answer is not None
    assert answer.sources == ()
    assert answer.text.startswith("That is not recorded in this release.")


def test_coverage_is_the_share_of_the_information_asked_for() -> None:
    index = Index([Passage("A", "Apples", "red", "apples"), Passage("B", "Pears", "green", "pears")])
    assert index.search("apples?")[0].coverage == 1
    assert index.search("apples?")[0].passage.card == "A"
    # Of two words that count alike, one is known; one that stands only in the text counts half.
    half = index.search("apples red")[0].coverage
    assert half == pytest.approx((1 + 0.5) / 2)
    assert 0 < index.search("apples zebras")[0].coverage < 0.5
    assert index.search("zebras") == []


def test_words_are_compared_without_endings() -> None:
    assert terms("How is it calculated?") == terms("calculation") == terms("calculates")
    assert terms("the licence") == terms("license")


@pytest.mark.parametrize(
    ("text", "section"),
    [
        ("citation of MIMIC-III", "Citation"),
        ("licence of the demo", "The open demo"),
        ("privacy budget", "The privacy budget"),
        ("what is the maximum number of patients?", "Limits on size"),
    ],
)
def test_a_subject_in_other_words_than_a_question(text: str, section: str) -> None:
    turn = parse(text, schema=SCHEMA)
    assert turn.intent == "question"
    assert turn.answer is not None
    assert [source.section for source in turn.answer.sources] == [section]


@pytest.mark.parametrize(
    "text", ["same again", "more", "hello", "women", "start over", "only the important ones", "age"]
)
def test_words_of_requests_are_no_subject(text: str) -> None:
    assert answer_to(text, schema=SCHEMA) is None


def test_a_kind_of_column_is_listed() -> None:
    answer = answer_to("which vital signs do you have?", schema=SCHEMA)
    assert source_of(answer) == "Data dictionary / vitals"
    assert answer is not None
    assert "Heart rate" in answer.text
    assert "Creatinine" not in answer.text


def test_a_clinical_question_is_not_answered_from_a_plausibility_rule() -> None:
    assert source_of(answer_to("what documents are required for hospital discharge?", schema=SCHEMA)) == "not recorded"
    rule = answer_to("is there a rule that systolic pressure is above diastolic?", schema=SCHEMA)
    assert source_of(rule) == "Plausibility rules / Systolic pressure is above diastolic"


def test_questions_become_questions_of_the_parser_with_their_source() -> None:
    turn = parse("how do I cite MIMIC-III?", schema=SCHEMA)
    assert turn.intent == "question"
    assert turn.answer is not None
    assert "Sci" in turn.answer.text
    assert parse("is it FDA approved?", schema=SCHEMA).spec is None
    json.dumps(turn.as_json())


@pytest.mark.shared
def test_unanswerable_questions_get_no_card(shared: Path) -> None:
    lines = (REQUESTS / "ehrsql_unanswerable.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["q"] for line in lines]
    answered = [text for text in texts if (found := answer_to(text, schema=SCHEMA)) is not None and found.sources]
    assert len(answered) <= 0.02 * len(texts), answered


def test_requests_for_cohorts_get_no_card() -> None:
    for name in ("requests.yaml", "requests_held_out.yaml"):
        for table in load(name).values():
            for text in table:
                found = answer_to(text, schema=SCHEMA)
                assert found is None or not found.sources, text


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys; from engine.conversation.rules.parser import parse; "
        "from engine.schema.catalogue import catalogue; "
        "assert parse('what is SDMetrics?', schema=catalogue().mimic3_schema()).intent == 'question'; "
        "print([name for name in ('scipy', 'bm25s', 'numba', 'jax', 'torch') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ASSETS.parent, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
