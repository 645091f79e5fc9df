"""Real rows weighted to margins: hand-solved, against iterative proportional fitting, and what cannot be weighted."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.cohort.conditions import Interval
from engine.cohort.population import target as population_target
from engine.cohort.spec import CohortSpec, Criterion, Share
from engine.core.errors import UserError
from engine.evaluation.cells import Sample
from engine.evaluation.weights import Margin, asked_margins, share_margins, weigh
from engine.schema.table import Column, Kind, TableSchema, conform

SCHEMA = TableSchema(
    columns=(
        Column(name="sex", kind=Kind.CATEGORICAL, label="Sex", categories=("F", "M", "X")),
        Column(name="died", kind=Kind.BOOLEAN, label="Died"),
        Column(name="age", kind=Kind.INTEGER, label="Age", unit="years"),
    )
)


def sample(sex, died=None, age=None, patients=None) -> Sample:
    size = len(sex)
    died = [False] * size if died is None else died
    frame = pd.DataFrame({"sex": sex, "died": died, "age": [50] * size if age is None else age})
    return Sample(conform(frame, SCHEMA), patients)


def by_shares(of: Sample, *shares: Share, minimum: int = 11):
    return weigh(of, share_margins(CohortSpec(shares=shares), SCHEMA), SCHEMA, minimum=minimum)


def share(rows, weights) -> float:
    return float(np.average(rows, weights=weights))


def test_one_share_by_hand():
    of = sample(["F"] * 100 + ["M"] * 300)
    found = by_shares(of, Share(column="sex", category="F", share=0.5))
    # Half of 400 rows in 100 rows: two each; the other half in 300: two thirds each.
    assert found.values == pytest.approx([2.0] * 100 + [2 / 3] * 300)
    # Kish: 400² / (100 · 2² + 300 · (2/3)²) = 300.
    assert found.effective_patients == pytest.approx(300)
    assert found.as_dict()["sentence"].endswith("they count as about 300 patients.")
    assert found.notes == ()


def test_nothing_asked_nothing_weighted():
    found = by_shares(sample(["F"] * 30))
    assert found.values is None
    assert not found.reason


def fitted(first: np.ndarray, second: np.ndarray, targets: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Iterative proportional fitting, as Deming and Stephan wrote it."""
    weights = np.ones(len(first))
    for _ in range(2000):
        for codes, target in ((first, targets[0]), (second, targets[1])):
            weights *= (target / (np.bincount(codes, weights) / weights.sum()))[codes]
    return weights / weights.mean()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.1, 0.9), st.floats(0.1, 0.9))
def test_two_columns_end_where_iterative_proportional_fitting_does(seed, women, dying):
    rng = np.random.default_rng(seed)
    sex, died = rng.random(600) < 0.4, rng.random(600) < 0.3
    of = sample(np.where(sex, "F", "M"), died)
    found = by_shares(
        of, Share(column="sex", category="F", share=women), Share(column="died", category=True, share=dying), minimum=1
    )
    expected = fitted(sex.astype(int), died.astype(int), (np.array([1 - women, women]), np.array([1 - dying, dying])))
    assert found.values is not None
    assert found.values == pytest.approx(expected, rel=1e-3)
    assert found.values.mean() == pytest.approx(1)
    assert share(sex, found.values) == pytest.approx(women, abs=1e-5)
    again = by_shares(
        of, Share(column="sex", category="F", share=women), Share(column="died", category=True, share=dying), minimum=1
    )
    assert (again.values == found.values).all()


def test_joint_margins_over_age_bands():
    rng = np.random.default_rng(1)
    sex, age = rng.choice(["F", "M"], 1000), rng.integers(20, 80, 1000)
    young, old = Interval(-np.inf, 50, True, False), Interval(50, np.inf)
    targets = {("F", young): 0.4, ("F", old): 0.1, ("M", young): 0.2, ("M", old): 0.3}
    found = weigh(sample(sex, age=age), [Margin(("sex", "age"), targets)], SCHEMA, minimum=11)
    assert share((sex == "F") & (age < 50), found.values) == pytest.approx(0.4, abs=1e-6)
    assert share((sex == "M") & (age >= 50), found.values) == pytest.approx(0.3, abs=1e-6)


def test_rows_of_one_patient_weigh_the_same():
    rng = np.random.default_rng(2)
    patients = rng.integers(0, 200, 900)
    died = rng.random(900) < 0.2
    found = by_shares(sample(["F"] * 900, died, patients=patients), Share(column="died", category=True, share=0.3))
    assert share(died, found.values) == pytest.approx(0.3, abs=1e-6)
    per_patient = pd.Series(found.values).groupby(patients)
    assert per_patient.max().to_numpy() == pytest.approx(per_patient.min().to_numpy())
    assert found.effective_patients < 200


def test_rows_are_weighted_where_patients_cannot_be():
    # Every patient dies in one of their two rows, so no weights of patients change the share of rows.
    died = np.tile([True, False], 100)
    found = by_shares(
        sample(["F"] * 200, died, patients=np.repeat(np.arange(100), 2)), Share(column="died", category=True, share=0.3)
    )
    assert share(died, found.values) == pytest.approx(0.3, abs=1e-6)


def test_a_category_without_real_rows_is_said_and_left_out():
    of = sample(["F"] * 100 + ["M"] * 300)
    found = by_shares(
        of,
        Share(column="sex", category="F", share=0.4),
        Share(column="sex", category="M", share=0.4),
        Share(column="sex", category="X", share=0.2),
    )
    assert share(np.arange(400) < 100, found.values) == pytest.approx(0.5, abs=1e-6)
    assert "No real row has Sex: X, which 20% are to have" in found.notes[0]


def test_a_few_patients_do_not_stand_for_half_of_the_cohort():
    of = sample(["F"] * 5 + ["M"] * 395)
    found = by_shares(of, Share(column="sex", category="F", share=0.5))
    assert found.values is None
    assert "too few real patients" in found.reason
    assert "Fewer than 11 real patients have Sex: F" in found.notes[0]


def test_small_categories_weigh_as_those_beside_them():
    of = sample(["X"] * 5 + ["F"] * 100 + ["M"] * 300)
    found = by_shares(of, Share(column="sex", category="X", share=0.1), Share(column="sex", category="F", share=0.4))
    # X and F have half together, whatever X was to have.
    assert np.ptp(found.values[:105]) == pytest.approx(0)
    assert share(np.arange(405) < 105, found.values) == pytest.approx(0.5, abs=1e-6)


def test_patients_and_not_rows_support_a_category():
    of = sample(["F"] * 100 + ["M"] * 300, patients=np.r_[np.repeat(np.arange(5), 20), np.arange(100, 400)])
    assert by_shares(of, Share(column="sex", category="F", share=0.5)).values is None


def test_a_category_that_is_not_wanted_has_no_weight():
    of = sample(["F"] * 100 + ["M"] * 300)
    assert by_shares(of, Share(column="sex", category="F", share=0.0)).values == pytest.approx(
        [0.0] * 100 + [4 / 3] * 300
    )


def test_proportions_that_exclude_each_other():
    of = sample(["F"] * 200 + ["M"] * 200, [True] * 200 + [False] * 200)
    found = by_shares(of, Share(column="sex", category="F", share=0.7), Share(column="died", category=True, share=0.4))
    assert found.values is None
    assert "together" in found.reason


def test_weights_that_leave_few_patients_are_refused():
    found = by_shares(sample(["F"] * 12 + ["M"] * 3000), Share(column="sex", category="F", share=0.95))
    assert found.values is None
    assert "fewer than 20 patients" in found.reason


@pytest.mark.parametrize(
    "targets",
    [{}, {("F",): 0.7, ("M",): 0.4}, {("F",): -0.1}, {("F", "M"): 0.5}],
    ids=["none", "over", "under", "wide"],
)
def test_margins_that_are_none(targets):
    with pytest.raises(UserError, match="sex"):
        Margin(("sex",), targets)


def test_an_unknown_column():
    with pytest.raises(UserError, match="height"):
        weigh(sample(["F"] * 30), [Margin(("height",), {("1",): 0.5})], SCHEMA, minimum=11)


def test_rows_are_weighted_to_a_population_and_the_shares_beside_it():
    random = np.random.default_rng(0)
    size = 3000
    of = sample(
        random.choice(["F", "M", "X"], size, p=[0.2, 0.7, 0.1]), random.random(size) < 0.1, random.integers(0, 95, size)
    )
    spec = CohortSpec(reference_population="us", shares=(Share(column="died", category=True, share=0.4),))
    found = weigh(of, asked_margins(spec, SCHEMA), SCHEMA, minimum=11)
    wanted = population_target(spec, SCHEMA)
    assert found.values is not None and wanted is not None
    for axis, dimension in enumerate(wanted.dimensions):
        codes = dimension.codes(of.frame)
        assert found.values[codes < 0].sum() == 0
        reached = np.bincount(codes[codes >= 0], weights=found.values[codes >= 0]) / size
        assert reached == pytest.approx(wanted.margin(axis), abs=1e-4)
    assert share(of.frame["died"], found.values) == pytest.approx(0.4, abs=1e-4)


def test_categories_of_a_population_that_are_several_of_the_source():
    ethnicity = Column(
        name="ethnicity", kind=Kind.CATEGORICAL, categories=("Asian", "Black", "Hispanic", "Other", "White")
    )
    schema = TableSchema(columns=(*SCHEMA.columns, ethnicity))
    margins = {one.columns[0]: one.targets for one in asked_margins(CohortSpec(reference_population="us"), schema)}
    assert (frozenset({"Asian", "Other"}),) in margins["ethnicity"]
    assert sum(margins["ethnicity"].values()) == pytest.approx(1)


def test_a_population_within_the_criteria():
    spec = CohortSpec(reference_population="us", criteria=(Criterion(column="age", minimum=65, maximum=74),))
    (age, *_) = asked_margins(spec, SCHEMA)
    assert list(age.targets) == [(Interval(65, 70, True, False),), (Interval(70, 74),)]
