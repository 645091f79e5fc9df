"""Drafts: their one spelling, what they become, and what is refused."""

import json

import pytest

from engine.cohort.spec import CohortSpec, Criterion
from engine.conversation.contract import Turn
from engine.conversation.language_model.draft import draft_of, read_draft
from engine.core.errors import UserError
from tests.conversation.patient_table_shape import diabetes_like, load, mimic_like, spec_of


def test_the_canonical_spelling_leaves_out_defaults_and_needless_digits() -> None:
    spec = spec_of("500; sex = F; age_years > 65; copd = false; share died_in_hospital=true 0.3; columns sex,bmi")
    assert draft_of(spec) == (
        '{"intent":"generate","patients":500,"criteria":[{"column":"sex","any_of":["F"]},'
        '{"column":"age_years","minimum":65,"include_minimum":false},{"column":"copd","any_of":[false]}],'
        '"shares":[{"column":"died_in_hospital","category":true,"share":0.3}],"columns":["sex","bmi"]}'
    )


def test_the_usual_size_is_written_in_follow_ups_only() -> None:
    assert draft_of(CohortSpec()) == '{"intent":"generate"}'
    assert draft_of(CohortSpec(), "refine") == '{"intent":"refine","patients":1000}'


def test_intents_without_a_cohort_have_no_fields() -> None:
    assert draft_of(None, "question") == '{"intent":"question"}'
    assert draft_of(Turn(intent="refuse", spec=spec_of("500"))) == '{"intent":"refuse"}'
    assert read_draft('{"intent":"question"}', mimic_like()).spec is None


@pytest.mark.parametrize("intent", ["generate", "refine"])
def test_every_expected_spec_survives_writing_and_reading(intent: str) -> None:
    schema = mimic_like()
    read = 0
    for rows in load("requests.yaml").values():
        for shorthand in rows.values():
            spec = spec_of(shorthand)
            if all(part.column in schema for part in (*spec.criteria, *spec.shares)):
                assert read_draft(draft_of(spec, intent), schema).spec == spec
                read += 1
    assert read > 100


@pytest.mark.parametrize(
    ("draft", "reason"),
    [
        ("not JSON", "not a valid request"),
        ('{"intent":"gen', "not a valid request"),
        ('{"intent":"guess"}', "not a valid request"),
        ('{"intent":"generate","patients":0}', "not a valid request"),
        ('{"intent":"generate","rows":[]}', "not a valid request"),
        ('{"intent":"generate","criteria":[{"column":"age_years","minimum":60,"maximum":40}]}', "above maximum"),
        ('{"intent":"generate","criteria":[{"column":"age_years"}]}', "demands nothing"),
        ('{"intent":"generate","criteria":[{"column":"shoe_size","minimum":40}]}', "no column 'shoe_size'"),
        ('{"intent":"generate","criteria":[{"column":"patient_id","recorded":true}]}', "not generated"),
        ('{"intent":"generate","criteria":[{"column":"sex","any_of":["X"]}]}', "does not have: 'X'"),
        ('{"intent":"generate","criteria":[{"column":"sex","any_of":["#3"]}]}', "does not have: '#3'"),
        ('{"intent":"generate","criteria":[{"column":"copd","any_of":["yes"]}]}', "yes/no column"),
        ('{"intent":"generate","columns":["sex","shoe_size"]}', "no column 'shoe_size'"),
        ('{"intent":"generate","shares":[{"column":"sex","category":"F","share":0.6},'
         '{"column":"sex","category":"M","share":0.6}]}', "more than 100 %"),
    ],
)  # fmt: skip
def test_a_draft_that_makes_no_sense_is_refused(draft: str, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        read_draft(draft, mimic_like())


def test_placeholders_become_categories_and_doubles_vanish() -> None:
    text = {"intent": "generate", "criteria": [{"column": "race", "any_of": ["#2", "Asian", "Other"]}]}
    spec = read_draft(json.dumps(text), diabetes_like()).spec
    assert spec is not None and spec.criteria == (Criterion(column="race", any_of=("Asian", "Other")),)
