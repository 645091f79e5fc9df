"""The difference that a proposal makes, in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.cohort.spec import CohortSpec
from engine.conversation.changes import changes, taken_over, within
from engine.schema.table import Column, Kind, TableSchema
from tests.helpers.prepared_workspace import SCHEMA

EMPTY = CohortSpec()


def said(before: dict, after: dict) -> list[tuple[str, str, str]]:
    found = changes(CohortSpec.model_validate(before), CohortSpec.model_validate(after), SCHEMA)
    return [(one.kind, one.before, one.after) for one in found]


AGE = {"column": "age_years", "minimum": 65, "include_minimum": False}
WOMEN = {"column": "sex", "any_of": ["F"]}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({}, {}, []),
        ({}, {"patients": 250}, [("changed", "1,000 patients", "250 patients")]),
        ({"patients": 2}, {"patients": 1}, [("changed", "2 patients", "1 patient")]),
        ({}, {"criteria": [AGE]}, [("added", "", "age above 65 years")]),
        ({"criteria": [AGE, WOMEN]}, {"criteria": [WOMEN]}, [("removed", "age above 65 years", "")]),
        ({"criteria": [AGE, WOMEN]}, {"criteria": [WOMEN, AGE]}, []),
        (
            {"criteria": [AGE]}, {"criteria": [AGE | {"minimum": 70}]},
            [("changed", "age above 65 years", "age above 70 years")],
        ),
        # The sentence about a cohort passes over the exception; the difference must show it.
        (
            {"criteria": [AGE]}, {"criteria": [AGE | {"none_of": [80]}]},
            [("changed", "age above 65 years", "age above 65 years and age is not 80")],
        ),
        (
            {"criteria": [WOMEN]}, {"criteria": [WOMEN, {"column": "sex", "recorded": True}]},
            [("changed", "sex is F", "sex is F and sex is recorded")],
        ),
        (
            {"shares": [{"column": "died_in_hospital", "category": True, "share": 0.3}]},
            {"shares": [{"column": "died_in_hospital", "category": True, "share": 0.4}]},
            [("changed", "30 % died in hospital", "40 % died in hospital")],
        ),
        ({}, {"columns": ["age_years"]}, [("changed", "all columns", "only column Age")]),
        (
            {"columns": ["age_years", "sex"]}, {"columns": ["sex", "admission_type", "died_in_hospital"]},
            [("removed", "column Age", ""), ("added", "", "2 columns: Admission type, Died in hospital")],
        ),
        ({}, {"seed": 3}, [("changed", "seed 7", "seed 3")]),
        ({"reference_population": "us"}, {}, [("removed", "following the US population", "")]),
        (
            {"criteria": [{"column": "ward", "any_of": ["A"]}]}, {},
            [("removed", "ward (not in this data set)", "")],
        ),
    ],
)  # fmt: skip
def test_each_change_is_one_line(before: dict, after: dict, expected: list) -> None:
    assert said(before, after) == expected


def test_the_rest_of_a_request_stands_when_columns_are_gone() -> None:
    spec = CohortSpec.model_validate(
        {
            "patients": 5,
            "criteria": [WOMEN, {"column": "ward", "any_of": ["A"]}],
            "shares": [{"column": "ward", "category": "A", "share": 0.5}],
            "columns": ["ward"],
        }
    )
    assert within(spec, SCHEMA) == CohortSpec.model_validate({"patients": 5, "criteria": [WOMEN]})
    assert within(within(spec, SCHEMA), SCHEMA) == within(spec, SCHEMA)


PARTS = st.fixed_dictionaries(
    {},
    optional={
        "patients": st.integers(1, 9),
        "seed": st.integers(0, 3),
        "criteria": st.lists(st.sampled_from([AGE, WOMEN, AGE | {"maximum": 80}]), max_size=3),
        "shares": st.just([{"column": "admission_type", "category": "URGENT", "share": 0.5}]),
        "columns": st.sampled_from([["sex"], ["sex", "age_years"]]),
    },
)


@given(PARTS, PARTS)
def test_the_way_back_is_the_mirror_image(one: dict, other: dict) -> None:
    mirrored = {"added": "removed", "removed": "added", "changed": "changed"}
    there, back = said(one, other), said(other, one)
    assert sorted((mirrored[kind], after, before) for kind, before, after in there) == sorted(back)
    assert said(one, one) == []


def test_a_request_goes_to_another_table_as_far_as_it_means_the_same_there() -> None:
    def table(*columns: Column) -> TableSchema:
        return TableSchema(columns=columns)

    def sexes(*names: str) -> Column:
        return Column(name="sex", kind=Kind.CATEGORICAL, categories=names)

    age = Column(name="age", kind=Kind.INTEGER, unit="years")
    here = table(age, sexes("F", "M"), Column(name="creatinine", kind=Kind.NUMERIC, unit="mg/dL"))
    there = table(age, sexes("M"), Column(name="creatinine", kind=Kind.NUMERIC, unit="µmol/L"))
    request = CohortSpec.model_validate(
        {
            "patients": 70,
            "criteria": [
                {"column": "age", "minimum": 60}, {"column": "creatinine", "minimum": 1.5},
                {"column": "sex", "any_of": ["F", "M"]},
            ],
            "shares": [{"column": "sex", "category": "F", "share": 0.3}],
            "columns": ["age", "creatinine"],
            "seed": 5,
        }
    )  # fmt: skip
    kept = taken_over(request, here, there)
    assert [part.column for part in kept.criteria] == ["age"], "1.5 mg/dL is not 1.5 µmol/L, and nobody there is F"
    assert kept.shares == () and kept.columns == ("age", "creatinine")
    assert (kept.patients, kept.seed) == (70, 5)
    assert taken_over(request, here, here) == request
