"""Criteria become conditions: hand-solved intervals, codes, missing values, contradictions."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.cohort.conditions import (
    Condition,
    Interval,
    as_numbers,
    as_text,
    bare_code,
    compile_conditions,
    in_code_range,
    restrict,
)
from engine.cohort.spec import CohortSpec
from engine.core.errors import UserError
from engine.schema.table import Column, Kind, Role, TableSchema

CODES = ("0389", "25000", "25093", "2510", "4280", "4281", "V4581", "E8798")
SCHEMA = TableSchema(
    columns=(
        Column(name="patient", kind=Kind.CATEGORICAL, role=Role.PATIENT_KEY),
        Column(name="age", kind=Kind.NUMERIC, unit="years", minimum=0, maximum=120, bounds_are_public=True),
        Column(name="count", kind=Kind.INTEGER, minimum=0, maximum=3),
        Column(name="open", kind=Kind.NUMERIC),
        Column(name="sex", kind=Kind.CATEGORICAL, categories=("F", "M")),
        Column(name="code", kind=Kind.CATEGORICAL, categories=CODES, code_system="icd9"),
        Column(name="died", kind=Kind.BOOLEAN),
        Column(name="seen", kind=Kind.DATE),
    )
)


def condition(*criteria: dict) -> Condition:
    spec = CohortSpec.model_validate({"criteria": criteria})
    return compile_conditions(spec, SCHEMA)[criteria[0]["column"]]


def refused(match: str, *criteria: dict) -> None:
    with pytest.raises(UserError, match=match):
        condition(*criteria)


ends = st.sampled_from([-math.inf, -1.0, 0.0, 1.0, 2.0, math.inf])
intervals = st.builds(Interval, ends, ends, st.booleans(), st.booleans())
POINTS = np.array([-1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5, math.nan])


@given(intervals, intervals)
def test_the_intersection_holds_what_both_hold(one: Interval, other: Interval) -> None:
    met = one.meet(other)
    held = np.zeros(len(POINTS), dtype=bool) if met is None else met.contains(POINTS)
    assert (held == (one.contains(POINTS) & other.contains(POINTS))).all()


def test_a_missing_number_is_in_no_interval() -> None:
    assert not Interval().contains(np.array([math.nan]))[0]


@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        ([{"minimum": 65}], (Interval(65, math.inf),)),
        ([{"minimum": 65, "include_minimum": False}], (Interval(65, math.inf, False),)),
        ([{"minimum": 40}, {"maximum": 60, "include_maximum": False}], (Interval(40, 60, True, False),)),
        (
            [{"ranges": [[35, None], [None, 20]]}, {"minimum": 10}],
            (Interval(10, 20), Interval(35, math.inf)),
        ),
        ([{"any_of": [3, 1]}], (Interval(1, 1), Interval(3, 3))),
        ([{"minimum": 40}, {"minimum": 40, "include_minimum": False}], (Interval(40, math.inf, False),)),
    ],
)
def test_criteria_of_one_column_are_cut_together(criteria: list[dict], expected: tuple[Interval, ...]) -> None:
    found = condition(*({"column": "age"} | part for part in criteria))
    assert found.intervals == expected
    assert not found.allow_missing


@pytest.mark.parametrize(
    "criteria",
    [
        [{"column": "age", "minimum": 200, "maximum": 300}],
        [{"column": "age", "minimum": 40}, {"column": "age", "maximum": 30}],
        [{"column": "age", "minimum": 40, "maximum": 40, "include_maximum": False}],
        [{"column": "age", "maximum": 0, "include_maximum": False}],
        [{"column": "count", "minimum": 1, "maximum": 2, "include_minimum": False, "include_maximum": False}],
        [{"column": "count", "minimum": 1.2, "maximum": 1.8}],
        [{"column": "count", "any_of": [2.5]}],
        [{"column": "count", "minimum": 3, "include_minimum": False}],
        [{"column": "count", "none_of": [0, 1, 2, 3]}],
        [{"column": "age", "any_of": [40]}, {"column": "age", "none_of": [40]}],
        [{"column": "age", "ranges": []}],
        [{"column": "sex", "any_of": ["F"]}, {"column": "sex", "any_of": ["M"]}],
        [{"column": "sex", "none_of": ["F", "M"]}],
        [{"column": "code", "starts_with": ["999"]}],
        [{"column": "code", "starts_with": ["428"]}, {"column": "code", "not_starts_with": ["42"]}],
    ],
)
def test_criteria_that_leave_nothing_are_refused_by_column(criteria: list[dict]) -> None:
    refused(f"of '{criteria[0]['column']}' satisfies every criterion", *criteria)


def test_the_refusal_names_the_columns_range() -> None:
    refused("ranges from 0 to 120 years", {"column": "age", "minimum": 130})


@pytest.mark.parametrize(
    ("criterion", "message"),
    [
        ({"column": "height", "minimum": 1}, "no column 'height'"),
        ({"column": "patient", "any_of": ["10006"]}, "'patient' is not generated"),
        ({"column": "age", "starts_with": ["250"]}, "holds numbers, not codes"),
        ({"column": "age", "minimum": "65"}, "'65' is not a number"),
        ({"column": "count", "any_of": [True]}, "True is not a number"),
        ({"column": "sex", "minimum": 1}, "holds categories, not numbers"),
        ({"column": "sex", "any_of": ["X"]}, "no category 'X'.*F, M"),
        ({"column": "died", "any_of": ["perhaps"]}, "no category 'perhaps'.*true, false"),
        ({"column": "seen", "minimum": "soon"}, "'soon' is not a date"),
        ({"column": "seen", "minimum": "today"}, "'today' is not a date"),
    ],
)
def test_a_criterion_that_does_not_suit_its_column_is_refused(criterion: dict, message: str) -> None:
    refused(message, criterion)


@pytest.mark.parametrize(
    ("criterion", "missing", "present"),
    [
        ({"column": "age", "minimum": 1}, False, True),
        ({"column": "age", "none_of": [5]}, True, True),
        ({"column": "age", "recorded": True}, False, True),
        ({"column": "age", "recorded": False}, True, False),
        ({"column": "sex", "any_of": ["F"]}, False, True),
        ({"column": "sex", "none_of": ["F"]}, True, True),
        ({"column": "sex", "recorded": True}, False, True),
        ({"column": "sex", "recorded": False}, True, False),
        ({"column": "code", "starts_with": ["428"]}, False, True),
        ({"column": "code", "not_starts_with": ["428"]}, True, True),
        ({"column": "died", "any_of": [True]}, False, True),
    ],
)
def test_a_missing_value_satisfies_only_exclusions(criterion: dict, missing: bool, present: bool) -> None:
    found = condition(criterion)
    assert (found.allow_missing, found.allow_present) == (missing, present)


@pytest.mark.parametrize("column", ["age", "sex"])
def test_recorded_and_not_recorded_contradict_each_other(column: str) -> None:
    refused("contradict each other", {"column": column, "recorded": True}, {"column": column, "recorded": False})


def test_a_value_that_must_be_missing_cannot_be_in_a_range() -> None:
    refused("contradict each other", {"column": "age", "recorded": False}, {"column": "age", "minimum": 5})


@pytest.mark.parametrize(
    ("criterion", "expected"),
    [
        ({"starts_with": ["250"]}, {"25000", "25093"}),
        ({"starts_with": ["250.9", "v45"]}, {"25093", "V4581"}),
        ({"not_starts_with": ["250", "428"]}, {"0389", "2510", "V4581", "E8798"}),
        ({"between_codes": [["250", "250.93"]]}, {"25000", "25093"}),
        ({"between_codes": [["250.00", "251"]]}, {"25000", "25093", "2510"}),
        ({"between_codes": [["390", "459"], ["V01", "V91"]]}, {"4280", "4281", "V4581"}),
        ({"between_codes": [["800", "999"]], "none_of": []}, None),
        ({"between_codes": [["001", "139"]]}, {"0389"}),
        ({"starts_with": ["428"], "none_of": ["4281"]}, {"4280"}),
    ],
)
def test_codes_by_prefix_and_range(criterion: dict, expected: set[str] | None) -> None:
    if expected is None:
        refused("no category", {"column": "code"} | criterion)
    else:
        assert condition({"column": "code"} | criterion).categories == expected


def test_all_categories_together_are_no_restriction() -> None:
    assert condition({"column": "sex", "any_of": ["F", "M"]}).categories is None


@pytest.mark.parametrize(
    ("code", "first", "last", "inside"),
    [
        ("428.0", "420", "429", True),
        ("42999", "420", "429", True),
        ("4300", "420", "429", False),
        ("E8798", "800", "999", False),
        ("v4582", "V40", "V49", True),
    ],
)
def test_a_code_range_includes_the_sub_codes_of_its_end(code: str, first: str, last: str, inside: bool) -> None:
    assert in_code_range(code, first, last) is inside


def test_codes_are_compared_without_dot_blank_and_case() -> None:
    assert bare_code(" v45.82 ") == "V4582"


def test_dates_are_days_since_1970_with_missing_as_nan() -> None:
    days = as_numbers(pd.Series(pd.to_datetime(["1970-01-02", None])).astype("datetime64[s]"), SCHEMA["seen"])
    assert days[0] == 1 and math.isnan(days[1])
    assert condition({"column": "seen", "minimum": "1970-01-11"}).intervals == (Interval(10, math.inf),)


def test_truth_values_are_written_in_lower_case() -> None:
    series = pd.Series([True, False, None], dtype="boolean")
    assert as_text(series, SCHEMA["died"]).tolist()[:2] == ["true", "false"]
    assert as_text(series, SCHEMA["died"]).isna().tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("criterion", "category", "allowed"),
    [
        ({"column": "sex", "any_of": ["F"]}, "F", True),
        ({"column": "sex", "any_of": ["F"]}, "M", False),
        ({"column": "died", "recorded": False}, "true", False),
        ({"column": "count", "minimum": 2}, "2", True),
        ({"column": "count", "minimum": 2}, "1", False),
        ({"column": "count", "none_of": [1]}, "1", False),
        ({"column": "seen", "minimum": "2020-01-02"}, "2020-01-01", False),
        ({"column": "seen", "minimum": "2020-01-02"}, "2020-01-03", True),
    ],
)
def test_a_share_must_agree_with_the_criteria(criterion: dict, category: str, allowed: bool) -> None:
    column = SCHEMA[criterion["column"]]
    if not allowed:
        with pytest.raises(UserError, match="which a criterion excludes"):
            restrict(condition(criterion), column, category)
        return
    fixed = restrict(condition(criterion), column, category)
    assert not fixed.allow_missing
    assert fixed.intervals or fixed.categories == {category}


def test_shares_of_unknown_columns_and_categories_are_refused() -> None:
    for share, message in (
        ({"column": "sex", "category": "X", "share": 0.5}, "no category 'X'"),
        ({"column": "sexe", "category": "F", "share": 0.5}, "no column 'sexe'"),
        ({"column": "age", "category": "F", "share": 0.5}, "'F' is not a number"),
    ):
        with pytest.raises(UserError, match=message):
            compile_conditions(CohortSpec.model_validate({"shares": [share]}), SCHEMA)


@pytest.mark.parametrize("public", [True, False])
def test_a_refusal_names_bounds_only_when_they_are_public(public: bool) -> None:
    column = Column(name="weight", kind=Kind.NUMERIC, minimum=41.7, maximum=133.9, bounds_are_public=public)
    spec = CohortSpec.model_validate({"criteria": [{"column": "weight", "minimum": 200}]})
    with pytest.raises(UserError) as refusal:
        compile_conditions(spec, TableSchema(columns=(column,)))
    assert ("133.9" in str(refusal.value)) is public


def test_a_share_that_a_criterion_excludes_is_refused_before_any_row_is_drawn() -> None:
    spec = {
        "criteria": [{"column": "sex", "any_of": ["F"]}],
        "shares": [{"column": "sex", "category": "M", "share": 0.5}],
    }
    with pytest.raises(UserError, match="a share asks for 'M' in 'sex'"):
        compile_conditions(CohortSpec.model_validate(spec), SCHEMA)
    spec["shares"] = [{"column": "sex", "category": "M", "share": 0.0}]
    compile_conditions(CohortSpec.model_validate(spec), SCHEMA)


@pytest.mark.parametrize("value", [10**400, -(10**400)])
def test_a_number_that_no_float_holds_is_refused_by_column(value: int) -> None:
    for asked in (
        {"criteria": [{"column": "age", "any_of": [value]}]},
        {"shares": [{"column": "age", "category": value, "share": 0.5}]},
    ):
        with pytest.raises(UserError, match="asked of 'age' is too large"):
            compile_conditions(CohortSpec.model_validate(asked), SCHEMA)


BOOLEAN = TableSchema(columns=(Column(name="died", kind=Kind.BOOLEAN),))


def test_truth_values_are_understood_in_any_case_and_never_ignored() -> None:
    spec = CohortSpec.model_validate({"criteria": [{"column": "died", "none_of": ["True"]}]})
    assert compile_conditions(spec, BOOLEAN)["died"].categories == frozenset({"false"})
    spec = CohortSpec.model_validate({"criteria": [{"column": "died", "none_of": ["dead"]}]})
    with pytest.raises(UserError, match="'died' has no category 'dead'"):
        compile_conditions(spec, BOOLEAN)


def test_two_shares_for_one_truth_value_are_refused() -> None:
    shares = [{"column": "died", "category": True, "share": 0.5}, {"column": "died", "category": "true", "share": 0.5}]
    with pytest.raises(UserError, match="two shares for 'true' of 'died'"):
        compile_conditions(CohortSpec.model_validate({"shares": shares}), BOOLEAN)


@pytest.mark.parametrize("order", [1, -1])
def test_a_missing_value_may_be_asked_for_together_with_exclusions(order: int) -> None:
    criteria = [{"column": "died", "recorded": False}, {"column": "died", "none_of": [True, False]}][::order]
    condition = compile_conditions(CohortSpec.model_validate({"criteria": criteria}), BOOLEAN)["died"]
    assert (condition.allow_missing, condition.allow_present) == (True, False)
