"""The parser on tables that are not MIMIC: a made-up upload, NHANES and Diabetes-130 as their columns are inferred."""

import pytest

from engine.conversation.rules.parser import parse
from engine.schema.table import Column, Kind, TableSchema

UPLOAD = TableSchema(
    columns=(
        Column(name="Age at visit", kind=Kind.INTEGER, unit="years", minimum=0, maximum=110),
        Column(name="Biological sex", kind=Kind.CATEGORICAL, categories=("female", "male")),
        Column(name="Smoker?", kind=Kind.CATEGORICAL, categories=("current", "former", "never")),
        Column(name="FEV1", kind=Kind.NUMERIC, unit="L", minimum=0.2, maximum=8),
        Column(name="peak_flow", kind=Kind.NUMERIC, unit="L/min", minimum=50, maximum=900),
        Column(name="on_oxygen", kind=Kind.BOOLEAN),
        Column(name="clinic", kind=Kind.CATEGORICAL, categories=("North", "South", "St. Mary's")),
    )
)


@pytest.mark.parametrize(
    ("text", "column", "field", "value"),
    [
        ("FEV1 below 2 L", "FEV1", "maximum", 2.0),
        ("peak flow over 300", "peak_flow", "minimum", 300.0),
        ("200 female patients", "Biological sex", "any_of", ("female",)),
        ("patients on oxygen", "on_oxygen", "any_of", (True,)),
        ("clinic is North", "clinic", "any_of", ("North",)),
        ("age at visit 40 to 60", "Age at visit", "maximum", 60.0),
        ("never smokers", "Smoker?", "any_of", ("never",)),
    ],
)
def test_a_made_up_table(text: str, column: str, field: str, value: object) -> None:
    turn = parse(text, schema=UPLOAD)
    assert turn.spec is not None, turn
    (criterion,) = turn.spec.criteria
    assert (criterion.column, getattr(criterion, field)) == (column, value)


def test_a_disease_without_a_column_is_reported() -> None:
    turn = parse("100 women with COPD", schema=UPLOAD)
    assert turn.spec is not None
    assert turn.not_understood == ("COPD",)
    assert turn.warnings[0].code == "invalid"


@pytest.mark.parametrize("text", ["700 inpatients", "700 in-patients on oxygen", "700 inpatients with FEV1 below 2 L"])
def test_inpatients_are_counted_as_patients(text: str) -> None:
    turn = parse(text, schema=UPLOAD)
    assert turn.spec is not None and turn.spec.patients == 700
    assert turn.not_understood == ()
