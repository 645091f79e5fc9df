"""What cannot be met comes with ways out, and each of them can be met."""

import random

import pytest
from patient_table_shape import diabetes_like, mimic_like, spec_of

from engine.conversation.contract import Turn
from engine.conversation.rules.feasibility import infeasibilities
from engine.conversation.rules.lexicon import lexicon_for
from engine.conversation.rules.parser import parse

MIMIC, UPLOAD = mimic_like(), diabetes_like()


def ways(turn: Turn) -> dict[str, object]:
    """Label → spec of every action of a turn."""
    return {action.label: action.spec for warning in turn.warnings for action in warning.actions}


@pytest.mark.parametrize(
    ("text", "label", "want"),
    [
        ("BMI between 200 and 300", "Relax to body mass index at most 90 kg/m²", "bmi <= 90"),
        ("100 patients with hemoglobin above 90 g/dL", "Drop “hemoglobin above 90 g/dL”", "100"),
        ("pregnant men", "Drop “pregnancy”", "sex = M"),
        ("men with ovarian cancer", "Drop “ovarian cancer”", "sex = M"),
        ("newborn admissions over 60", "Drop “age above 60 years”", "admission_type = NEWBORN"),
        ("110 % mortality", "Use 100 % died in hospital", "share died_in_hospital=true 1.0"),
        ("30 % men and 80 % women", "Use 30 % men and 70 % women", "share sex=M 0.3; share sex=F 0.7"),
        ("40 % White, 40 % Black and 40 % Asian", "Use 34 % White and 33 % Black and 33 % Asian",
         "share ethnicity=WHITE 0.34; share ethnicity=BLACK 0.33; share ethnicity=ASIAN 0.33"),
        ("-5 patients", "Use 5 patients", "5"),
        ("0 women", "Use 1,000 patients", "1000; sex = F"),
        ("2.5 women", "Use 2 patients", "2; sex = F"),
        ("10 million women", "Make 1,000,000 instead", "1000000; sex = F"),
        ("10 million women", "Make all 10,000,000 in parts", "10000000; sex = F"),
        ("99999999999 women", "Use 10,000,000 patients", "10000000; sex = F"),
        ("diabetes but no diabetes", "Only diabetes", "diabetes = true"),
        ("100 women with diabetes or COPD", "Only COPD", "100; sex = F; copd = true"),
        ("100 patients, excluding women with diabetes", "Exclude women", "100; sex != F"),
        ("Haemoglobin (Hb) ≥10mg/dL", "Read as hemoglobin at least 10 g/dL", "hemoglobin >= 10"),
    ],
)  # fmt: skip
def test_a_way_out(text: str, label: str, want: str) -> None:
    found = ways(parse(text, schema=MIMIC))
    assert found.get(label) == spec_of(want), found


def test_what_blocks_proposes_nothing() -> None:
    for text in ("pregnant men", "BMI between 200 and 300", "-5 patients", "Hb ≥ 10 mg/dL", "110 % mortality"):
        assert parse(text, schema=MIMIC).spec is None


def test_what_is_large_is_proposed_with_the_limits_and_a_choice() -> None:
    turn = parse("10 million women", schema=MIMIC)
    assert turn.spec == spec_of("10000000; sex = F")
    (warning,) = turn.warnings
    assert warning.code == "large" and "At most 10,000,000" in warning.message and "Parquet" in warning.message
    assert parse("1000000 women", schema=MIMIC).warnings == ()
    for text in ("0 women", "2.5 women", "-3 women", "10000001 women"):
        (warning,) = parse(text, schema=MIMIC).warnings
        assert warning.code == "invalid" and "a whole number from 1 to 10,000,000" in warning.message


def test_a_disease_near_a_title_is_offered_and_never_guessed() -> None:
    turn = parse("50 patients with femoral artery thrombosis", schema=MIMIC)
    assert turn.spec == spec_of("50")
    assert turn.not_understood == ("femoral artery thrombosis",)
    assert 1 <= len(turn.warnings[0].actions) <= 5
    assert all(action.spec.criteria[0].starts_with for action in turn.warnings[0].actions)


def test_two_troubles_are_solved_in_one_click() -> None:
    found = ways(parse("110 % mortality, pregnant men", schema=MIMIC))
    assert spec_of("pregnancy = true; share died_in_hospital=true 1.0") in found.values()


def test_every_way_out_is_free_of_trouble() -> None:
    draw = random.Random(11)
    words = [
        *("pregnant", "men", "women", "newborn admissions", "over 60", "under 5", "BMI over 200", "-3 patients", "and"),
        *("120 % mortality", "60 % men", "70 % women", "diabetes", "no diabetes", "or", "COPD", "prostate cancer"),
        *("ovarian cancer", "hemoglobin above 90", "Hb > 10 mg/dL", "excluding", "with", ",", "died", "survived"),
        *("blorptitis", "age between 60 and 40", "0 patients", "half women", "only", "femoral artery thrombosis"),
    ]
    tried = 0
    for schema in (MIMIC, UPLOAD):
        for _ in range(300):
            turn = parse(" ".join(draw.choices(words, k=draw.randint(1, 7))), schema=schema)
            for warning in turn.warnings:
                for action in warning.actions:
                    tried += 1
                    assert infeasibilities(action.spec, lexicon_for(schema)) == [], (warning, action)
    assert tried > 300
