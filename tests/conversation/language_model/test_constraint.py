"""The grammar of a request: everything that it states can be written, and nothing else."""

import json
import random
import re

import jsonschema
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.cohort.spec import CohortSpec
from engine.conversation.language_model.constraint import constrained_processor, draft_schema, request_grammar
from engine.conversation.language_model.draft import draft_of, read_draft
from engine.conversation.language_model.masking import bracket_tokens, room_to_close
from engine.conversation.rules.concepts import concept_of, convert
from engine.core.errors import UserError
from engine.schema.table import Column, Kind, TableSchema
from tests.conversation.language_model.tiny_model import texts, tokenizer
from tests.conversation.patient_table_shape import diabetes_like, load, mimic_like, spec_of

WORDS = tokenizer()
MOST = 640


def allows(draft: str, text: str, schema: TableSchema, previous: CohortSpec | None = None) -> bool:
    """Whether both the grammar and the JSON schema let ``draft`` through; they have to agree."""
    from llguidance import LLMatcher
    from llguidance.hf import from_tokenizer

    matcher = LLMatcher(from_tokenizer(WORDS), request_grammar(text, schema=schema, previous=previous), log_level=0)
    tokens = WORDS.encode(draft, add_special_tokens=False)
    by_grammar = matcher.try_consume_tokens(tokens) == len(tokens) and matcher.is_accepting()
    try:
        jsonschema.validate(json.loads(draft), draft_schema(schema, text, previous))
    except jsonschema.ValidationError:
        assert not by_grammar
        return False
    assert by_grammar
    return True


def written(
    text: str, schema: TableSchema, previous: CohortSpec | None, *, seed: int, ending: float, most: int = MOST
) -> str:
    """What a model of random opinions writes; the lower ``ending``, the less it likes to close a bracket."""
    grammar = request_grammar(text, schema=schema, previous=previous)
    processor = constrained_processor(grammar, WORDS, closing_after=max(0, most - room_to_close(grammar)))
    generator = torch.Generator().manual_seed(seed)
    ids = torch.tensor([[1, 300]])
    reluctant = torch.zeros(len(WORDS))
    reluctant[bracket_tokens(WORDS)] = ending
    reluctant[WORDS.eos_token_id] = 2 * ending
    for _ in range(most):
        scores = torch.randn(1, len(WORDS), generator=generator) + reluctant
        token = processor(ids, scores).argmax(-1, keepdim=True)
        ids = torch.cat([ids, token], dim=1)
        if int(token) == WORDS.eos_token_id:
            break
    found = processor.text(ids[0, 2:])
    assert found is not None, "it did not end"
    return found


def test_every_expected_spec_can_be_written() -> None:
    schema = mimic_like()
    lost = []
    for name in ("requests.yaml", "requests_held_out.yaml"):
        for rows in load(name).values():
            for text, shorthand in rows.items():
                spec = spec_of(shorthand)
                known = all(part.column in schema for part in (*spec.criteria, *spec.shares))
                if known and not _fits(json.loads(draft_of(spec)), draft_schema(schema, text)):
                    lost.append(text)
    assert lost == []


def _fits(draft: dict, schema: dict) -> bool:
    return jsonschema.Draft202012Validator(schema).is_valid(draft)


def test_one_hundred_of_one_hundred_random_drafts_validate() -> None:
    previous = spec_of("300; sex = F; age_years > 65; primary_icd9_code ^ 250; share died_in_hospital=true 0.3")
    rng = random.Random(5)
    asking = 0
    for number in range(100):
        text = rng.choice(texts())
        schema = mimic_like() if number % 3 else diabetes_like()
        before = previous if number % 3 == 1 else None
        draft = written(text, schema, before, seed=number, ending=-1.5 * (number % 5))
        jsonschema.validate(json.loads(draft), draft_schema(schema, text, before))
        asking += '"criteria"' in draft
        try:
            read_draft(draft, schema)
        except UserError as error:
            assert re.search(r"above|add up to|two shares|demands nothing|is empty", str(error)), error
    assert asking > 10, "the drafts are too plain to prove anything"


@pytest.mark.parametrize("seed", range(4))
def test_a_model_that_would_never_end_is_brought_to_an_end(seed: int) -> None:
    text = "women with COPD, sepsis, gout, asthma, stroke, obesity, dementia, anemia or HIV over 65, BMI over 30"
    draft = written(text, mimic_like(), None, seed=seed, ending=-100, most=320)
    jsonschema.validate(json.loads(draft), draft_schema(mimic_like(), text))


@pytest.mark.parametrize(
    ("text", "draft", "allowed"),
    [
        ("women over 65", '{"intent":"generate","criteria":[{"column":"age_years","minimum":65}]}', True),
        ("women over 65", '{"intent":"generate","criteria":[{"column":"age_years","minimum":66}]}', False),
        ("women over 65", '{"intent":"generate","criteria":[{"column":"age_years","minimum":6}]}', False),
        ("women over 65", '{"intent":"generate","patients":650}', False),
        ("2k women", '{"intent":"generate","patients":2000}', True),
        ("a dozen women", '{"intent":"generate","patients":12}', True),
        ("two thousand five hundred women", '{"intent":"generate","patients":2500}', True),
        ("women", '{"intent":"refine","patients":1000}', False),
        ("glucose above 11 mmol/L", '{"intent":"generate","criteria":[{"column":"glucose","minimum":198.176}]}', True),
        ("glucose above 11 mmol/L", '{"intent":"generate","criteria":[{"column":"glucose","minimum":11}]}', False),
        ("in their forties", '{"intent":"generate","criteria":[{"column":"age_years","minimum":40,"maximum":50,'
         '"include_maximum":false}]}', True),
        ("30 % mortality", '{"intent":"generate","shares":[{"column":"died_in_hospital","category":true,'
         '"share":0.3}]}', True),
        ("30 % mortality", '{"intent":"generate","shares":[{"column":"died_in_hospital","category":true,'
         '"share":0.7}]}', False),
        ("30 women", '{"intent":"generate","shares":[{"column":"sex","category":"F","share":0.3}]}', False),
        ("elderly men", '{"intent":"generate","criteria":[{"column":"age_years","minimum":65}]}', True),
        ("men", '{"intent":"generate","criteria":[{"column":"age_years","minimum":65}]}', False),
        ("OAP blorps", '{"intent":"generate","criteria":[{"column":"age_years","minimum":65}]}', True),
        ("gout", '{"intent":"generate","criteria":[{"column":"primary_icd9_code","starts_with":["274"]}]}', True),
        ("gout", '{"intent":"generate","criteria":[{"column":"primary_icd9_code","starts_with":["250"]}]}', False),
        ("ICD-9 428", '{"intent":"generate","criteria":[{"column":"primary_icd9_code","starts_with":["428"]}]}', True),
        ("codes 410-414", '{"intent":"generate","criteria":[{"column":"primary_icd9_code","between_codes":'
         '[["410","414"]]}]}', True),
        ("codes 410-414", '{"intent":"generate","criteria":[{"column":"primary_icd9_code","between_codes":'
         '[["410","428"]]}]}', False),
        ("ICD-9 428 or 410", '{"intent":"generate","criteria":[{"column":"primary_icd9_code","between_codes":'
         '[["428","410"]]}]}', False),
        ("women", '{"intent":"generate","criteria":[{"column":"sex","any_of":["F"]}]}', True),
        ("women", '{"intent":"generate","criteria":[{"column":"sex","any_of":["woman"]}]}', False),
        ("women", '{"intent":"generate","criteria":[{"column":"shoe_size","recorded":true}]}', False),
        ("women", '{"intent":"generate","columns":["sex"]}', False),
        ("only age and sex", '{"intent":"generate","columns":["age_years","sex"]}', True),
        ("women", '{"intent":"generate","reference_population":"us"}', False),
        ("women like the US population", '{"intent":"generate","reference_population":"us"}', True),
        ("women", '{"intent":"generate","seed":8}', False),
        ("women", '{"intent": "generate"}', False),
    ],
)  # fmt: skip
def test_only_what_is_stated_can_be_written(text: str, draft: str, allowed: bool) -> None:
    if draft == '{"intent": "generate"}':  # blanks are no matter of a JSON schema
        from llguidance import LLMatcher
        from llguidance.hf import from_tokenizer

        matcher = LLMatcher(from_tokenizer(WORDS), request_grammar(text, schema=mimic_like()), log_level=0)
        tokens = WORDS.encode(draft, add_special_tokens=False)
        assert (matcher.try_consume_tokens(tokens) == len(tokens)) is allowed
    else:
        assert allows(draft, text, mimic_like()) is allowed


def test_a_follow_up_may_repeat_the_spec_before_it() -> None:
    before = spec_of("300; sex = F; age_years 65..80; primary_icd9_code ^ 274; share died_in_hospital=true 0.25")
    assert allows(draft_of(before, "refine"), "also only emergency admissions", mimic_like(), before)
    assert not allows(draft_of(before), "also only emergency admissions", mimic_like())
    assert allows('{"intent":"refine","patients":600}', "twice as many", mimic_like(), before)


def test_dates_are_those_of_the_text() -> None:
    schema = TableSchema(columns=(Column(name="admitted", kind=Kind.DATE), Column(name="bmi", kind=Kind.NUMERIC)))
    draft = '{"intent":"generate","criteria":[{"column":"admitted","minimum":"%s"}]}'
    assert allows(draft % "2150-01-31", "admitted after 2150-01-31", schema)
    assert not allows(draft % "2150-02-01", "admitted after 2150-01-31", schema)


def test_of_many_categories_only_those_of_the_text_are_offered() -> None:
    values = tuple(f"ward {number}" for number in range(1000))
    schema = TableSchema(columns=(Column(name="ward", kind=Kind.CATEGORICAL, categories=values),))
    draft = '{"intent":"generate","criteria":[{"column":"ward","any_of":["%s"]}]}'
    assert allows(draft % "ward 77", "all of ward 77", schema)
    assert not allows(draft % "ward 78", "all of ward 77", schema)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.integers(19, 99), min_size=1, max_size=3, unique=True),
    st.sampled_from(["{0} women", "age over {0}", "creatinine under {0} mg/dL and {0} patients", "men with BMI {0}+"]),
    st.integers(0, 10_000),
)
def test_numbers_that_the_text_does_not_hold_cannot_appear(numbers: list[int], form: str, seed: int) -> None:
    text = "; ".join(form.format(number) for number in numbers)
    draft = written(text, mimic_like(), None, seed=seed, ending=-3)
    steps = {1} if "age" in text or "BMI" in text else set()
    stated = {float(number) for number in numbers} | {float(number + step) for number in numbers for step in steps}
    if "mg/dL" in text:
        stated |= {value for number in numbers for value in _in_every_unit(number, "mg/dL")}
    for found in _numbers(json.loads(draft)):
        assert found in stated, draft


def _in_every_unit(number: float, unit: str) -> set[float]:
    """The number in the unit of each column that ``unit`` can be converted to, by the catalogue."""
    columns = mimic_like().features
    converted = (convert(number, unit=unit, column=column, concept=concept_of(column)) for column in columns)
    return {value for value in converted if value is not None}


def _numbers(part: object) -> list[float]:
    if isinstance(part, dict):
        return [found for name, inner in part.items() if name != "column" for found in _numbers(inner)]
    if isinstance(part, list):
        return [found for inner in part for found in _numbers(inner)]
    return [float(part)] if isinstance(part, (int, float)) and not isinstance(part, bool) else []
