"""Which rows satisfy a spec: a hand-solved table, attrition by patient, and row-by-row agreement with the words."""

import math

import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engine.cohort.conditions import compile_conditions
from engine.cohort.predicate import AttritionStep, attrition, satisfied
from engine.cohort.spec import CohortSpec, Criterion
from engine.core.errors import UserError
from engine.schema.table import Column, Kind, Role, TableSchema, conform

SCHEMA = TableSchema(
    columns=(
        Column(name="patient", kind=Kind.CATEGORICAL, role=Role.PATIENT_KEY),
        Column(name="age", kind=Kind.NUMERIC, minimum=0, maximum=120),
        Column(name="count", kind=Kind.INTEGER, minimum=0, maximum=100),
        Column(name="sex", kind=Kind.CATEGORICAL, categories=("F", "M")),
        Column(name="code", kind=Kind.CATEGORICAL, categories=("25000", "4280", "V4581"), code_system="icd9"),
        Column(name="died", kind=Kind.BOOLEAN),
        Column(name="seen", kind=Kind.DATE),
    )
)
TABLE = conform(
    pd.DataFrame(
        [
            ("1", 65.0, 3, "F", "25000", True, "2020-01-01"),
            ("1", 66.0, None, "F", "4280", False, "2020-06-01"),
            ("2", None, 9, "M", "4280", None, None),
            ("3", 17.9, 0, None, None, False, "1969-12-31"),
            ("3", 18.0, 3, "M", "V4581", True, "2021-01-01"),
        ],
        columns=SCHEMA.names,
    ),
    SCHEMA,
)


def rows(*criteria: dict) -> list[int]:
    spec = CohortSpec.model_validate({"criteria": criteria})
    return satisfied(TABLE, compile_conditions(spec, SCHEMA), SCHEMA).nonzero()[0].tolist()


@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        ([], [0, 1, 2, 3, 4]),
        ([{"column": "age", "minimum": 65}], [0, 1]),
        ([{"column": "age", "minimum": 65, "include_minimum": False}], [1]),
        ([{"column": "age", "maximum": 18, "include_maximum": False}], [3]),
        ([{"column": "age", "ranges": [[None, 18], [66, None]]}], [1, 3, 4]),
        ([{"column": "age", "recorded": False}], [2]),
        ([{"column": "count", "any_of": [3]}], [0, 4]),
        ([{"column": "count", "none_of": [3]}], [1, 2, 3]),
        ([{"column": "count", "none_of": [3], "recorded": True}], [2, 3]),
        ([{"column": "sex", "any_of": ["M"]}], [2, 4]),
        ([{"column": "sex", "none_of": ["M"]}], [0, 1, 3]),
        ([{"column": "code", "starts_with": ["250"]}], [0]),
        ([{"column": "code", "not_starts_with": ["250"]}], [1, 2, 3, 4]),
        ([{"column": "code", "between_codes": [["390", "459"]]}], [1, 2]),
        ([{"column": "died", "any_of": [True]}], [0, 4]),
        ([{"column": "died", "none_of": [True]}], [1, 2, 3]),
        ([{"column": "died", "recorded": True}], [0, 1, 3, 4]),
        ([{"column": "seen", "minimum": "2020-01-01", "maximum": "2020-12-31"}], [0, 1]),
        ([{"column": "seen", "maximum": 0}], [3]),
        ([{"column": "sex", "any_of": ["F"]}, {"column": "died", "any_of": [False]}], [1]),
        ([{"column": "age", "minimum": 18}, {"column": "age", "maximum": 65}], [0, 4]),
    ],
)
def test_the_rows_that_satisfy(criteria: list[dict], expected: list[int]) -> None:
    assert rows(*criteria) == expected


def test_attrition_counts_rows_and_patients_in_the_order_of_the_criteria() -> None:
    spec = CohortSpec(
        criteria=(
            Criterion(column="code", starts_with=("428", "250")),
            Criterion(column="age", minimum=60),
            Criterion(column="died", any_of=(True,)),
        )
    )
    assert attrition(TABLE, spec, SCHEMA) == [
        AttritionStep("all", 5, 3),
        AttritionStep("code", 3, 2),
        AttritionStep("age", 2, 1),
        AttritionStep("died", 1, 1),
    ]


def test_without_a_key_every_row_is_a_patient() -> None:
    schema = SCHEMA.select(["age"])
    spec = CohortSpec(criteria=(Criterion(column="age", minimum=18),))
    assert [step.patients for step in attrition(TABLE[["age"]], spec, schema)] == [5, 3]


def test_attrition_of_an_unknown_column_is_refused() -> None:
    with pytest.raises(UserError, match="no column 'height'"):
        attrition(TABLE, CohortSpec(criteria=(Criterion(column="height", minimum=1),)), SCHEMA)


def test_an_empty_table_has_no_satisfying_rows() -> None:
    spec = CohortSpec(criteria=(Criterion(column="age", minimum=1),))
    assert satisfied(TABLE.iloc[:0], compile_conditions(spec, SCHEMA), SCHEMA).shape == (0,)


ages = st.lists(st.none() | st.integers(0, 12).map(lambda tenth: tenth * 10.0), min_size=1, max_size=12)
bounds = st.none() | st.integers(0, 12).map(lambda tenth: tenth * 10.0)


@given(ages, bounds, bounds, st.booleans(), st.booleans(), st.sets(st.integers(0, 12).map(lambda t: t * 10.0)))
def test_agrees_with_the_words_row_by_row(
    values: list[float | None],
    low: float | None,
    high: float | None,
    include_low: bool,
    include_high: bool,
    excluded: set[float],
) -> None:
    assume(low is not None or high is not None)
    assume(low is None or high is None or low < high)

    def meant(value: float | None) -> bool:
        if value is None or value in excluded:
            return False
        above = low is None or (value >= low if include_low else value > low)
        return above and (high is None or (value <= high if include_high else value < high))

    schema = TableSchema(columns=(Column(name="age", kind=Kind.NUMERIC),))
    criterion = Criterion(
        column="age",
        minimum=low,
        maximum=high,
        include_minimum=include_low,
        include_maximum=include_high,
        none_of=tuple(excluded) or None,
    )
    frame = conform(pd.DataFrame({"age": [math.nan if v is None else v for v in values]}), schema)
    conditions = compile_conditions(CohortSpec(criteria=(criterion,)), schema)
    assert satisfied(frame, conditions, schema).tolist() == [meant(value) for value in values]


@given(st.lists(st.sampled_from(["F", "M", None]), min_size=1, max_size=10), st.sampled_from(["F", "M"]))
def test_a_demand_and_its_exclusion_divide_the_rows(values: list[str | None], category: str) -> None:
    schema = TableSchema(columns=(SCHEMA["sex"],))
    frame = conform(pd.DataFrame({"sex": pd.Series(values, dtype=object)}), schema)
    demand, exclusion = (
        satisfied(frame, compile_conditions(CohortSpec(criteria=(part,)), schema), schema)
        for part in (Criterion(column="sex", any_of=(category,)), Criterion(column="sex", none_of=(category,)))
    )
    assert (demand ^ exclusion).all()
    assert demand.sum() == values.count(category)
