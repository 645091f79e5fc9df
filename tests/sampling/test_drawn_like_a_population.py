"""Cohorts that follow a reference population: exact rows, obedience, what the model lacks, and how far it is off."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.cohort.conditions import Condition, compile_conditions
from engine.cohort.population import target
from engine.cohort.predicate import satisfied
from engine.cohort.reference_tables import reference_table
from engine.cohort.spec import CohortSpec
from engine.core.errors import UserError
from engine.core.progress import Progress, Silent
from engine.generators.base import Capability, FitReport, Generator
from engine.sampling.conditional import draw
from engine.sampling.parts import draw_in_parts, together, without_rows
from engine.sampling.population import plan
from engine.sampling.shares import share_columns
from engine.schema.table import Column, Kind, TableSchema, conform

SCHEMA = TableSchema(
    columns=(
        Column(name="age_years", kind=Kind.INTEGER, unit="years", minimum=0, maximum=100, bounds_are_public=True),
        Column(name="sex", kind=Kind.CATEGORICAL, categories=("F", "M")),
        Column(name="ethnicity", kind=Kind.CATEGORICAL, categories=("ASIAN", "BLACK", "HISPANIC", "OTHER", "WHITE")),
        Column(name="diabetes_type_2", kind=Kind.BOOLEAN),
        Column(name="died", kind=Kind.BOOLEAN),
    )
)


class Clinic(Generator):
    """Mostly old white men, of whom the oldest die; some children; some of unknown ethnicity."""

    name = "clinic"
    label = "Clinic"
    privacy = "none"
    schema = SCHEMA
    white = 0.6

    def fit(
        self, table: pd.DataFrame, schema: TableSchema, *, seed: int, options: Mapping[str, Any], progress: Progress,
        checkpoint: Path | None = None,
    ) -> FitReport:  # fmt: skip
        raise AssertionError("drawing never fits")

    def sample(self, rows: int, *, seed: int, conditions: Mapping[str, Condition] | None = None) -> pd.DataFrame:
        assert conditions is None
        random = np.random.default_rng(seed)
        age = np.where(random.random(rows) < 0.5, random.integers(0, 100, rows), random.integers(60, 90, rows))
        other = (1 - self.white) / 4
        ethnicity = random.choice(
            ["WHITE", "BLACK", "HISPANIC", "ASIAN", "OTHER"], rows, p=[self.white, other, other, other, other]
        )
        frame = pd.DataFrame(
            {
                "age_years": age,
                "sex": np.where(random.random(rows) < 0.3, "F", "M"),
                "ethnicity": pd.Series(ethnicity).mask(random.random(rows) < 0.1),
                "diabetes_type_2": random.random(rows) < 0.25,
                "died": random.random(rows) < age / 150,
            }
        )
        return conform(frame[self.kept(frame)].reset_index(drop=True), SCHEMA)

    def kept(self, frame: pd.DataFrame) -> pd.Series:
        """Which rows this clinic has."""
        return pd.Series(True, index=frame.index)

    def save(self, folder: Path) -> None:
        raise AssertionError

    @classmethod
    def load(cls, folder: Path) -> Self:
        raise AssertionError


class Without(Clinic):
    """A clinic without some patients."""

    def __init__(self, query: str) -> None:
        self.query = query

    def kept(self, frame: pd.DataFrame) -> pd.Series:
        return ~frame.eval(self.query).fillna(False).astype(bool)


class Kept(Clinic):
    """A model that keeps its rows."""

    rows = 60_000
    capabilities = frozenset({Capability.CONDITIONS})

    def __init__(self) -> None:
        self.held = super().sample(self.rows, seed=3)
        self.given: list[pd.Index] = []

    def available(self, conditions: Mapping[str, Condition] | None = None) -> int:
        return len(self.matching(conditions or {}))

    def matching(self, conditions: Mapping[str, Condition]) -> pd.DataFrame:
        return self.held[satisfied(self.held, conditions, SCHEMA)]

    def sample(self, rows: int, *, seed: int, conditions: Mapping[str, Condition] | None = None) -> pd.DataFrame:
        found = self.matching(conditions or {}).sample(rows, random_state=seed)
        self.given.append(found.index)
        return found.reset_index(drop=True)


def spec(**fields: Any) -> CohortSpec:
    return CohortSpec.model_validate({"patients": 1000, "reference_population": "us", **fields})


def drawn(asked: CohortSpec, generator: Generator | None = None):
    return draw(generator or Clinic(), asked, table=None, progress=Silent())


def test_every_margin_is_reached_to_the_row_and_the_joint_nearly():
    asked = spec()
    found = drawn(asked)
    wanted = target(asked, SCHEMA)
    assert wanted is not None and found.population is not None
    codes = np.column_stack([one.codes(found.frame) for one in wanted.dimensions])
    assert codes.min() >= 0
    joint = np.zeros(wanted.shares.shape)
    np.add.at(joint, tuple(codes.T), 1)
    assert np.abs(joint - wanted.shares * 1000).max() < 2
    for axis, reported in enumerate(found.population["margins"]):
        reached = joint.sum(axis=tuple(other for other in range(3) if other != axis))
        assert np.abs(reached - wanted.margin(axis) * 1000).max() < 1
        assert [one["rows"] for one in reported["categories"]] == reached.astype(int).tolist()
        assert [one["reached"] for one in reported["categories"]] == (reached / 1000).tolist()


def test_within_a_cell_the_models_own_associations_stay():
    frame = drawn(spec(patients=6000)).frame
    for low, high in ((20, 40), (60, 80)):
        died = frame.loc[frame["age_years"].between(low, high - 1), "died"].mean()
        assert died == pytest.approx((low + high) / 2 / 150, abs=0.04)


def test_women_over_60_with_type_2_diabetes():
    asked = spec(
        criteria=[
            {"column": "diabetes_type_2", "any_of": [True]}, {"column": "sex", "any_of": ["F"]},
            {"column": "age_years", "minimum": 60, "include_minimum": False},
        ]
    )  # fmt: skip
    found = drawn(asked)
    assert satisfied(found.frame, compile_conditions(asked, SCHEMA), SCHEMA).all()
    assert found.population is not None and found.population["group"] == "diabetes_type_2"
    table = reference_table("us")
    group = next(one for one in table.groups if one.name == "diabetes_type_2")
    women = table.shares(group)[3:, 0]
    bands = found.frame["age_years"].pipe(
        lambda age: [age.between(*one).sum() for one in ((61, 69), (70, 79), (80, 200))]
    )
    expected = women.sum(axis=1) * [0.9, 1, 1]
    assert np.abs(np.array(bands) - expected / expected.sum() * 1000).max() < 1


def test_shares_and_population_together():
    asked = spec(
        shares=[
            {"column": "died", "category": True, "share": 0.5}, {"column": "sex", "category": "F", "share": 0.8},
        ]
    )  # fmt: skip
    found = drawn(asked)
    assert found.frame["died"].sum() == 500
    assert (found.frame["sex"] == "F").sum() == 800
    wanted = target(asked, SCHEMA)
    assert wanted is not None and found.population is not None
    for axis, dimension in enumerate(wanted.dimensions):
        reached = np.bincount(dimension.codes(found.frame), minlength=len(dimension.slots))
        assert np.abs(reached - wanted.margin(axis) * 1000).max() < 1
    assert [one["by_request"] for one in found.population["margins"]] == [False, True, False]
    # The model's association is kept: the old die more often.
    old = found.frame["age_years"] >= 60
    assert found.frame.loc[old, "died"].mean() > found.frame.loc[~old, "died"].mean() + 0.2


CRITERIA = [
    (),
    ({"column": "sex", "any_of": ["M"]},),
    ({"column": "age_years", "minimum": 33, "maximum": 77},),
    ({"column": "died", "any_of": [True]}, {"column": "ethnicity", "none_of": ["WHITE"]}),
]


@settings(max_examples=8)
@given(
    st.integers(1, 900), st.integers(0, 1000), st.sampled_from(["us", "us-1999-2002"]), st.sampled_from(CRITERIA),
    st.sampled_from([None, 0.0, 0.35, 1.0]),
)  # fmt: skip
def test_every_row_obeys_and_margins_are_within_a_row(patients, seed, name, criteria, share):
    shares = () if share is None else ({"column": "diabetes_type_2", "category": True, "share": share},)
    asked = spec(patients=patients, seed=seed, reference_population=name, criteria=criteria, shares=shares)
    found = drawn(asked)
    assert len(found.frame) == patients
    assert satisfied(found.frame, compile_conditions(asked, SCHEMA), SCHEMA).all()
    wanted = target(asked, SCHEMA)
    assert wanted is not None
    for axis, dimension in enumerate(wanted.dimensions):
        codes = dimension.codes(found.frame)
        assert codes.min() >= 0
        reached = np.bincount(codes, minlength=len(dimension.slots))
        assert np.abs(reached - wanted.margin(axis) * patients).max() <= 1
    if share is not None:
        assert abs(found.frame["diabetes_type_2"].sum() - share * patients) <= 1


def test_the_same_seed_draws_the_same_rows():
    assert drawn(spec(patients=300)).frame.equals(drawn(spec(patients=300)).frame)


def test_a_category_that_the_model_lacks_is_refused_when_it_matters():
    with pytest.raises(UserError, match=r"no patients with age_years 20–29, 30–39 .*36% of all adults.*Narrow"):
        drawn(spec(), Without("age_years < 40"))


def test_a_small_category_that_the_model_lacks_is_said_and_the_rest_followed():
    found = drawn(spec(), Without("age_years >= 80"))
    assert any("no patients with age_years 80 and older, who are 4%" in note for note in found.notes)
    margin = target(spec(), SCHEMA).margin(1)  # pyright: ignore[reportOptionalMemberAccess]
    assert abs((found.frame["sex"] == "F").sum() - margin[0] * 1000) <= 1
    assert found.population is not None
    last = found.population["margins"][0]["categories"][-1]
    assert last["rows"] == 0 and last["target"] == pytest.approx(0.04, abs=0.001)


def test_combinations_that_the_model_lacks_are_stood_for_by_others_and_that_is_said():
    found = drawn(spec(), Without("age_years < 40 and sex == 'F' and ethnicity == 'HISPANIC'"))
    assert any("no patients of combinations that are 4% of the population" in note for note in found.notes)
    wanted = target(spec(), SCHEMA)
    assert wanted is not None
    for axis, dimension in enumerate(wanted.dimensions):
        reached = np.bincount(dimension.codes(found.frame), minlength=len(dimension.slots))
        assert np.abs(reached - wanted.margin(axis) * 1000).max() < 1


def test_a_share_of_a_category_that_the_model_lacks_is_refused_however_small():
    asked = spec(shares=[{"column": "ethnicity", "category": "ASIAN", "share": 0.01}])
    with pytest.raises(UserError, match="no patients with ethnicity ASIAN"):
        drawn(asked, Without("ethnicity == 'ASIAN'"))


def test_a_model_that_differs_strongly_says_so():
    clinic = Clinic()
    assert not any("differ strongly" in note for note in drawn(spec(), clinic).notes)
    clinic.white = 0.96
    found = drawn(spec(), clinic)
    assert found.population is not None
    assert found.population["design_effect"] > 5
    assert found.population["effective_rows"] < found.population["pool_rows"] / 5
    assert any("differ strongly" in note for note in found.notes)


def test_the_effective_size_by_hand():
    schema = TableSchema(columns=(SCHEMA["sex"],))
    wanted = target(spec(), schema)
    assert wanted is not None
    women = wanted.shares[0]
    pool = conform(pd.DataFrame({"sex": ["F"] * 100 + ["M"] * 300}), schema)
    found = plan(wanted, [], {}, pool=pool, rows=10)
    # Kish: one over the sum of the squared shares of the cells by their rows.
    assert found.effective_rows == pytest.approx(1 / (women**2 / 100 + (1 - women) ** 2 / 300))
    assert sorted(one.rows for one in found.strata) == [5, 5]
    assert found.pool_rows == 400


def test_a_share_with_no_row_in_the_pool_stays_possible():
    asked = spec(patients=200, shares=[{"column": "died", "category": True, "share": 0.25}])
    wanted = target(asked, SCHEMA)
    assert wanted is not None
    pool = Clinic().sample(5000, seed=1).assign(died=False)
    pool = conform(pool, SCHEMA)
    found = plan(wanted, share_columns(asked, SCHEMA), {}, pool=pool, rows=200)
    died = sum(one.rows for one in found.strata if one.conditions["died"].categories == {"true"})
    assert died == 50


def test_each_part_follows_the_population_and_the_whole_is_added_up():
    asked = spec(patients=1500)
    parts = list(draw_in_parts(Clinic(), asked, progress=Silent(), rows_at_once=600))
    wanted = target(asked, SCHEMA)
    assert wanted is not None
    for part in parts:
        reached = np.bincount(wanted.dimensions[0].codes(part.frame), minlength=7)
        assert np.abs(reached - wanted.margin(0) * len(part.frame)).max() < 1
    whole = together([without_rows(part) for part in parts])
    assert whole.population is not None
    assert sum(one["rows"] for one in whole.population["margins"][1]["categories"]) == 1500
    assert sum("follow all adults" in note for note in whole.notes) == 1


def test_a_model_that_keeps_its_rows_gives_none_of_them_twice():
    model = Kept()
    assert len(drawn(spec(patients=400), model).frame) == 400
    _pool, *strata = model.given
    assert sum(map(len, strata)) == 400
    assert len(set().union(*strata)) == 400


def test_a_population_that_does_not_fit_is_refused():
    clinic = Clinic()
    clinic.schema = TableSchema(columns=(SCHEMA["ethnicity"], SCHEMA["died"]))
    with pytest.raises(UserError, match="neither an age in years nor a sex"):
        drawn(spec(), clinic)
