"""What no column of a source records is answered with the nearest that it has, and never guessed."""

import pytest
from patient_table_shape import diabetes_like, mimic_like, spec_of

from engine.conversation.contract import Turn
from engine.conversation.rules.parser import parse
from engine.schema.table import Column, Kind, TableSchema

SURVEY = TableSchema(
    columns=(
        Column(name="age_years", kind=Kind.INTEGER, unit="years", minimum=0, maximum=90),
        Column(name="sex", kind=Kind.CATEGORICAL, categories=("F", "M")),
        Column(name="bmi", kind=Kind.NUMERIC, unit="kg/m2"),
        Column(name="hba1c", kind=Kind.NUMERIC, unit="%"),
        Column(name="hdl_cholesterol", kind=Kind.NUMERIC, unit="mg/dL"),
        Column(name="diabetes_type_2", kind=Kind.BOOLEAN),
        Column(name="hypertension", kind=Kind.BOOLEAN),
        Column(name="stroke", kind=Kind.BOOLEAN),
    )
)
WARDS = TableSchema(columns=(Column(name="ward", kind=Kind.CATEGORICAL, categories=("North", "South")),))


def told(turn: Turn) -> str:
    return " ".join(warning.message for warning in turn.warnings)


def offered(turn: Turn) -> dict[str, object]:
    return {action.label: action.spec for warning in turn.warnings for action in warning.actions}


@pytest.mark.parametrize(
    ("text", "schema", "lost", "words"),
    [
        ("with troponin and BNP", SURVEY, ("troponin", "BNP"), "no column for “troponin” or “BNP”. Of the same kind"),
        ("creatinine above 1.5", SURVEY, ("creatinine above 1.5",), "“creatinine”. Of the same kind it has: hba1c"),
        ("patients with CAC score", SURVEY, ("CAC score",), "It measures: age years, bmi, hba1c"),
        ("patients with CAC score", WARDS, ("CAC score",), "It has: ward."),
        ("multiple sclerosis patients", SURVEY, ("multiple sclerosis",),
         "Diseases that it has: diabetes type 2, hypertension, stroke."),
        ("patients with potassium over 5", diabetes_like(), ("potassium over 5",), "max glu serum"),
    ],
)  # fmt: skip
def test_an_absent_observation_or_disease_is_told_with_what_there_is(
    text: str, schema: TableSchema, lost: tuple[str, ...], words: str
) -> None:
    turn = parse(text, schema=schema)
    assert turn.spec is None, "nothing is guessed"
    assert turn.not_understood == lost
    assert words in told(turn)
    assert not offered(turn)


def test_the_rest_of_the_request_stays_and_the_absent_is_left_out() -> None:
    turn = parse("100 women with multiple sclerosis and hypertension", schema=SURVEY)
    assert turn.spec == spec_of("100; sex = F; hypertension = true")
    assert turn.not_understood == ("multiple sclerosis",)


def test_diseases_of_the_same_chapter_are_choices() -> None:
    turn = parse("100 women with heart failure", schema=SURVEY)
    assert turn.spec == spec_of("100; sex = F")
    assert offered(turn) == {
        "Patients with hypertension": spec_of("100; sex = F; hypertension = true"),
        "Patients with stroke": spec_of("100; sex = F; stroke = true"),
    }
    both = parse("100 women with heart failure and stroke", schema=SURVEY)
    assert list(offered(both)) == ["Patients with hypertension"], "what is demanded already is not offered"


def test_a_column_of_nearly_the_same_name_is_a_choice() -> None:
    turn = parse("200 men with LDL cholesterol over 130", schema=SURVEY)
    assert turn.spec == spec_of("200; sex = M")
    assert turn.not_understood == ("LDL cholesterol over 130",)
    assert offered(turn) == {
        "Read “LDL cholesterol” as hdl cholesterol": spec_of("200; sex = M; hdl_cholesterol > 130")
    }


def test_a_column_that_is_only_named_can_be_demanded_as_recorded() -> None:
    turn = parse("100 women with troponin", schema=mimic_like())
    assert turn.not_understood == ("troponin",)
    assert offered(turn) == {"Only patients with Troponin T recorded": spec_of("100; sex = F; troponin_t recorded")}


def test_what_is_understood_offers_nothing() -> None:
    for text in ("100 women with hypertension", "HbA1c over 7", "50 patients please"):
        turn = parse(text, schema=SURVEY)
        assert (turn.not_understood, turn.warnings) == ((), ()), text
