"""Lists of important columns: how the wish is read, what goes on the list, and with which reason."""

from collections.abc import Mapping

import pytest
from patient_table_shape import diabetes_like, mimic_like, spec_of

from engine.cohort.spec import Criterion
from engine.conversation.contract import Turn
from engine.conversation.knowledge import tables
from engine.conversation.knowledge.guidelines import guidelines, passages
from engine.conversation.knowledge.passages import cards
from engine.conversation.knowledge.records import KnowledgeContext
from engine.conversation.rules.parser import parse
from engine.schema.catalogue import catalogue
from engine.schema.table import Column, Kind, TableSchema

MIMIC, UPLOAD = mimic_like(), diabetes_like()
FLAGSHIP = (
    "generate 2000 Type 2 diabetes patients EHR data with 20 important diabetes observations based on the US population"
)


def columns_of(turn: Turn) -> tuple[str, ...]:
    assert turn.spec is not None, turn
    return turn.spec.columns or ()


def associated(strengths: Mapping[str, float]) -> tuple[KnowledgeContext, list[Criterion]]:
    """A context whose source has these associations, and the diagnoses that it is asked for."""
    asked: list[Criterion] = []

    def of(diagnosis: Criterion) -> Mapping[str, float]:
        asked.append(diagnosis)
        return strengths

    return KnowledgeContext(associations=of), asked


def test_the_flagship_request() -> None:
    turn = parse(FLAGSHIP, schema=MIMIC)
    assert turn.spec is not None
    assert turn.spec.patients == 2000
    assert [criterion.column for criterion in turn.spec.criteria] == ["diabetes_type_2"]
    assert turn.spec.reference_population == "us"
    assert turn.not_understood == ()
    assert len(columns_of(turn)) == len(turn.ranked) == 20
    assert {"hba1c", "glucose", "creatinine", "bmi", "age_years", "sex", "diabetes_type_2"} <= set(columns_of(turn))
    assert turn.ranked[0].column == "hba1c"
    assert "6.5 %" in turn.ranked[0].reason
    assert turn.ranked[0].source.title == "Standards of Care in Diabetes—2024 (American Diabetes Association, 2024)"
    assert turn.ranked[0].source.section == "2. Diagnosis and Classification of Diabetes"
    assert turn.answer is not None
    assert "17 from guidelines" in turn.answer.text
    assert "from guidelines only" in turn.answer.text


@pytest.mark.parametrize(
    ("text", "disease", "length"),
    [
        ("500 patients with sepsis and the top 10 sepsis features", "sepsis", 10),
        ("100 heart failure patients with 15 key heart failure variables", "heart_failure", 15),
        ("200 patients with COPD, the 12 most relevant measurements", "copd", 5),
        ("300 stroke patients with the most important parameters for stroke", "stroke", 20),
        ("ten most important variables for pneumonia", "pneumonia", 10),
        ("columns most relevant to acute kidney injury", "acute_kidney_injury", 20),
        ("50 patients with atrial fibrillation; show only the 8 most important columns", "atrial_fibrillation", 8),
        ("1000 patients with anaemia with 6 key anaemia labs", "anemia", 6),
        ("100 patients with hypertension and 10 important risk factors", "hypertension", 10),
        ("100 patients with high cholesterol and the 10 most important features", "hyperlipidemia", 10),
    ],
)
def test_ways_of_wishing(text: str, disease: str, length: int) -> None:
    turn = parse(text, schema=MIMIC)
    assert turn.not_understood == (), turn.warnings
    assert len(columns_of(turn)) == len(turn.ranked) >= length
    assert len(turn.ranked) <= 20
    guideline = next(one for one in guidelines() if disease in one.diagnoses)
    titles = {source.name for source in guideline.sources.values()}
    assert {one.source.title for one in turn.ranked if one.basis == "guideline"} <= titles


@pytest.mark.parametrize("guideline", guidelines(), ids=lambda one: one.disease)
def test_each_guideline_fills_a_list_of_ten(guideline) -> None:
    turn = parse(f"the 10 most important variables for {guideline.disease}", schema=MIMIC)
    assert len(turn.ranked) == 10, turn
    assert turn.ranked[0].basis == "guideline"
    assert all(one.column in MIMIC and one.reason for one in turn.ranked)


def test_every_ranked_source_exists() -> None:
    shelf = {(passage.card, passage.section) for passage in (*passages(), *cards(), tables.all_columns(MIMIC))}
    context, _ = associated({"lymphocytes": 0.4})
    for guideline in guidelines():
        turn = parse(f"the 40 most important variables for {guideline.disease}", schema=MIMIC, context=context)
        assert {(one.source.title, one.source.section) for one in turn.ranked} <= shelf


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("top 5 labs for sepsis", {"Chemistry", "Blood count", "Blood gas"}),
        ("the 3 most important vital signs for sepsis", {"Vital signs"}),
        ("top 3 drugs for atrial fibrillation", {"Drugs"}),
        ("8 key COPD labs and vitals", {"Chemistry", "Blood count", "Blood gas", "Vital signs"}),
    ],
)
def test_a_kind_of_column_is_kept_to(text: str, groups: set[str]) -> None:
    turn = parse(text, schema=MIMIC)
    assert turn.ranked
    assert {MIMIC[one.column].group for one in turn.ranked} <= groups


def test_the_type_of_diabetes_decides() -> None:
    first = {one.column for one in parse("20 important type 1 diabetes observations", schema=MIMIC).ranked}
    second = {one.column for one in parse("20 important type 2 diabetes observations", schema=MIMIC).ranked}
    assert "oral_antidiabetic" in second - first
    assert "obesity" in second - first


def test_the_cohort_s_diagnosis_is_narrower_than_the_word() -> None:
    turn = parse("100 type 1 diabetes patients with 20 important diabetes observations", schema=MIMIC)
    assert "oral_antidiabetic" not in columns_of(turn)
    assert turn.answer is not None
    assert turn.answer.text.startswith("20 columns for type 1 diabetes:")


def test_priority_orders_what_a_guideline_names() -> None:
    names = [one.column for one in parse(FLAGSHIP, schema=MIMIC).ranked]
    # The file names the statin first; coronary disease has the higher priority.
    assert names.index("coronary_artery_disease") < names.index("statin")


def test_short_lists_are_of_the_disease_alone() -> None:
    assert {one.basis for one in parse("9 most important sepsis variables", schema=MIMIC).ranked} == {"guideline"}
    assert {one.column for one in parse("10 most important sepsis variables", schema=MIMIC).ranked} >= {
        "age_years",
        "sex",
    }


def test_associations_follow_the_guideline_and_are_asked_only_where_it_is_too_short() -> None:
    strengths = {"lymphocytes": 0.31, "alt": 0.62, "temperature_c": 0.04, "lactate": 0.9, "no_such_column": 0.8}
    context, asked = associated(strengths)
    assert all(one.basis != "association" for one in parse(FLAGSHIP, schema=MIMIC, context=context).ranked)
    assert asked == []
    turn = parse("100 sepsis patients with 40 important observations", schema=MIMIC, context=context)
    assert asked == [Criterion(column="sepsis", any_of=(True,))]
    # By strength; what the guideline names already, is too weak or is no column is left out.
    assert [one.column for one in turn.ranked if one.basis == "association"] == ["alt", "lymphocytes"]
    assert [one.basis for one in turn.ranked] == sorted(
        (one.basis for one in turn.ranked), key=["guideline", "association", "cohort"].index
    )
    assert turn.answer is not None
    assert "2 from associations" in turn.answer.text
    assert "fewer than the 40" in turn.answer.text


def test_what_records_the_diagnosis_itself_is_no_association() -> None:
    context, _ = associated({"diabetes": 0.99, "primary_icd9_group": 0.9, "chloride": 0.3})
    turn = parse("type 2 diabetes patients with 40 important observations", schema=MIMIC, context=context)
    assert [one.column for one in turn.ranked if one.basis == "association"] == ["chloride"]


def test_fewer_columns_than_asked_for_are_said() -> None:
    turn = parse("200 patients with 20 important diabetes observations", schema=UPLOAD)
    assert columns_of(turn) == ("age", "gender", "A1Cresult", "insulin", "metformin")
    wish = next(entry for entry in turn.understood if "important" in entry.text)
    assert "5 that can be justified, not 20" in wish.note
    assert turn.answer is not None
    assert "fewer than the 20" in turn.answer.text


def test_only_columns_of_the_source_are_listed() -> None:
    schema = TableSchema(
        columns=(
            catalogue().column("hba1c"),
            catalogue().column("sex"),
            Column(name="diabetes", kind=Kind.BOOLEAN),
            Column(name="ward", kind=Kind.CATEGORICAL, categories=("A", "B")),
        )
    )
    turn = parse("20 important diabetes observations", schema=schema)
    assert set(columns_of(turn)) == {"hba1c", "sex", "diabetes"}


def test_the_disease_of_the_last_request_counts() -> None:
    turn = parse("show only the 10 most important variables", schema=MIMIC, previous=spec_of("500; copd = true"))
    assert turn.intent == "refine"
    assert turn.spec is not None
    assert turn.spec.patients == 500
    assert "smoking" in columns_of(turn)
    assert "copd" in columns_of(turn)


def test_a_narrow_diagnosis_has_the_guideline_of_its_codes() -> None:
    turn = parse("1000 patients with cirrhosis with the 12 most important observations", schema=MIMIC)
    assert [one.column for one in turn.ranked[:4]] == ["alt", "ast", "alkaline_phosphatase", "bilirubin_total"]


def test_important_for_nothing_is_asked_back() -> None:
    turn = parse("100 patients with 20 important observations", schema=MIMIC)
    assert turn.spec == spec_of("100")
    assert turn.not_understood == ("20 important observations",)
    assert "Important for what?" in turn.warnings[0].message


def test_a_disease_without_guideline_and_associations_is_said() -> None:
    turn = parse("100 asthma patients with 20 important observations", schema=MIMIC)
    assert turn.spec == spec_of("100; asthma = true")
    assert "No guideline is recorded for asthma" in turn.warnings[0].message
    context, _ = associated({"bronchodilator": 0.5})
    turn = parse("100 asthma patients with 20 important observations", schema=MIMIC, context=context)
    assert [one.column for one in turn.ranked] == ["bronchodilator", "age_years", "sex", "asthma"]


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("generate 500 observations", "500"),
        ("patients with major depression", "1000; depression = true"),
        ("300 men, columns age and BMI", "300; sex = M; columns age_years,bmi"),
        ("only age, sex and BMI", "columns age_years,sex,bmi"),
    ],
)
def test_what_is_no_such_wish(text: str, want: str) -> None:
    turn = parse(text, schema=MIMIC)
    assert turn.ranked == ()
    assert turn.spec is not None
    wanted = spec_of(want)
    assert (turn.spec.criteria, turn.spec.columns) == (wanted.criteria, wanted.columns)
    assert turn.spec.patients == wanted.patients


def test_a_list_joins_the_columns_that_were_chosen() -> None:
    before = spec_of("100; sepsis = true; columns age_years,sex")
    turn = parse("also include the 3 most important sepsis labs", schema=MIMIC, previous=before)
    assert columns_of(turn)[:2] == ("age_years", "sex")
    assert len(columns_of(turn)) == 5
