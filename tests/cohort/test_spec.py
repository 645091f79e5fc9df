"""A spec refuses what contradicts itself and survives its JSON."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from engine.cohort.spec import MAX_PATIENTS, CohortSpec, Criterion, Share


@pytest.mark.parametrize(
    ("criterion", "message"),
    [
        ({"column": "age"}, "demands nothing"),
        ({"column": "age", "include_minimum": False}, "demands nothing"),
        ({"column": "age", "minimum": 65, "maximum": 40}, r"minimum \(65\) of 'age' is above maximum \(40\)"),
        ({"column": "bmi", "ranges": [[None, 20], [35, 30]]}, "35 is above 30"),
        ({"column": "sex", "any_of": []}, "any_of of 'sex' is empty"),
        ({"column": "age", "minimum": math.nan}, "finite"),
        ({"column": "age", "maximum": math.inf}, "finite"),
        ({"column": "age", "ranges": [[math.nan, None]]}, "finite"),
        ({"column": "age", "any_of": [math.nan]}, "finite"),
        ({"column": "age", "minimum": 3, "unit": "years"}, "Extra inputs"),
    ],
)
def test_a_criterion_that_cannot_be_meant_is_refused(criterion: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Criterion.model_validate(criterion)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"patients": 0}, "0 patients is not possible: .* from 1 to 10,000,000"),
        ({"patients": -3}, "-3 patients is not possible"),
        ({"patients": 2.5}, "2.5 patients is not possible"),
        ({"patients": float("inf")}, "inf patients is not possible"),
        ({"patients": float("nan")}, "nan patients is not possible"),
        ({"patients": MAX_PATIENTS + 1}, "10,000,001 patients is not possible: .* from 1 to 10,000,000"),
        ({"seed": -1}, "greater than or equal to 0"),
        ({"columns": []}, "distinct names"),
        ({"columns": ["age", "age"]}, "distinct names"),
        ({"reference_population": "mars"}, "'us'"),
        ({"shares": [{"column": "sex", "category": "F", "share": 1.1}]}, "less than or equal to 1"),
        (
            {"shares": [{"column": "sex", "category": c, "share": s} for c, s in (("F", 0.8), ("M", 0.3))]},
            "add up to 110%",
        ),
        (
            {"shares": [{"column": "sex", "category": "F", "share": 0.2}] * 2},
            "two shares for 'F' of 'sex'",
        ),
        ({"diagnosis": "COPD"}, "Extra inputs"),
    ],
)
def test_a_spec_that_cannot_be_meant_is_refused(spec: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        CohortSpec.model_validate(spec)


def test_thirds_add_up_to_a_whole() -> None:
    thirds = tuple(Share(column="ethnicity", category=name, share=1 / 3) for name in ("A", "B", "C"))
    assert sum(share.share for share in CohortSpec(shares=thirds).shares) == pytest.approx(1)


def test_shares_of_different_columns_do_not_add_up() -> None:
    CohortSpec(shares=(Share(column="sex", category="F", share=0.9), Share(column="died", category=True, share=0.9)))


def test_the_json_names_only_what_was_asked_for() -> None:
    spec = CohortSpec(criteria=(Criterion(column="age", minimum=65, include_minimum=False),))
    assert spec.as_json()["criteria"] == [{"column": "age", "minimum": 65.0, "include_minimum": False}]


def test_an_open_end_of_a_range_stays_open_in_json() -> None:
    spec = CohortSpec(criteria=(Criterion(column="bmi", ranges=((None, 20), (35, None))),))
    assert spec.as_json()["criteria"] == [{"column": "bmi", "ranges": [[None, 20.0], [35.0, None]]}]


def test_truth_values_stay_truth_values_in_json() -> None:
    text = json.dumps(CohortSpec(criteria=(Criterion(column="died", any_of=(True,)),)).as_json())
    value = CohortSpec.model_validate_json(text).criteria[0].any_of
    assert value == (True,) and isinstance(value[0], bool)


numbers = st.integers(-1000, 1000) | st.floats(-1000, 1000)
ranges = st.tuples(st.none() | numbers, st.none() | numbers).map(
    lambda pair: pair if None in pair else (min(pair), max(pair))
)
criteria = st.one_of(
    st.builds(Criterion, column=st.text(min_size=1), minimum=numbers, include_minimum=st.booleans()),
    st.builds(Criterion, column=st.text(min_size=1), maximum=numbers, include_maximum=st.booleans()),
    st.builds(Criterion, column=st.text(min_size=1), ranges=st.lists(ranges, min_size=1, max_size=3).map(tuple)),
    st.builds(
        Criterion,
        column=st.text(min_size=1),
        any_of=st.lists(st.booleans() | st.text() | numbers, min_size=1, max_size=3).map(tuple),
    ),
    st.builds(Criterion, column=st.text(min_size=1), recorded=st.booleans()),
    st.builds(Criterion, column=st.text(min_size=1), between_codes=st.tuples(st.tuples(st.text(), st.text()))),
)
specs = st.builds(
    CohortSpec,
    patients=st.integers(1, MAX_PATIENTS),
    criteria=st.lists(criteria, max_size=4).map(tuple),
    columns=st.none() | st.lists(st.text(), min_size=1, max_size=4, unique=True).map(tuple),
    seed=st.integers(0, 2**32 - 1),
)


@given(specs)
def test_a_spec_survives_its_json(spec: CohortSpec) -> None:
    assert CohortSpec.model_validate_json(json.dumps(spec.as_json())) == spec
