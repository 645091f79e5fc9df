"""Drawing to order: conditions, exact shares, and refusals that name the criterion."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.cohort.conditions import Condition
from engine.cohort.spec import CohortSpec
from engine.core.errors import InternalError, UserError
from engine.core.progress import Progress, Silent
from engine.generators.base import Capability, FitReport, Generator
from engine.sampling.conditional import draw
from engine.sampling.shares import share_columns, strata
from engine.schema.table import Column, Kind, TableSchema, conform

SCHEMA = TableSchema(
    columns=(
        Column(name="age", kind=Kind.INTEGER, minimum=0, maximum=100, bounds_are_public=True),
        Column(name="sex", kind=Kind.CATEGORICAL, categories=("F", "M")),
        Column(name="unit", kind=Kind.CATEGORICAL, categories=("MICU", "SICU", "CCU")),
        Column(name="died", kind=Kind.BOOLEAN),
    )
)


class Population(Generator):
    """A known population: men die twice as often; 2 % are over 90."""

    name = "population"
    label = "Population"
    privacy = "none"
    schema = SCHEMA

    def fit(
        self, table: pd.DataFrame, schema: TableSchema, *, seed: int, options: Mapping[str, Any], progress: Progress,
        checkpoint: Path | None = None,
    ) -> FitReport:  # fmt: skip
        raise AssertionError("drawing never fits")

    def sample(self, rows: int, *, seed: int, conditions: Mapping[str, Condition] | None = None) -> pd.DataFrame:
        assert conditions is None
        random = np.random.default_rng(seed)
        men = random.random(rows) < 0.5
        very_old = random.random(rows) < 0.02
        return conform(
            pd.DataFrame(
                {
                    "age": np.where(very_old, random.integers(91, 101, rows), random.integers(0, 91, rows)),
                    "sex": np.where(men, "M", "F"),
                    "unit": random.choice(["MICU", "SICU", "CCU"], rows, p=[0.6, 0.3, 0.1]),
                    "died": random.random(rows) < np.where(men, 0.4, 0.2),
                }
            ),
            SCHEMA,
        )

    def save(self, folder: Path) -> None:
        raise AssertionError

    @classmethod
    def load(cls, folder: Path) -> Self:
        raise AssertionError


class Disobedient(Population):
    """Claims to obey conditions and does not."""

    capabilities = frozenset({Capability.CONDITIONS})

    def sample(self, rows: int, *, seed: int, conditions: Mapping[str, Condition] | None = None) -> pd.DataFrame:
        return super().sample(rows, seed=seed)


def ask(**fields: Any) -> pd.DataFrame:
    return draw(Population(), CohortSpec.model_validate(fields), table=None, progress=Silent()).frame


def test_every_row_obeys_every_criterion() -> None:
    rows = ask(
        patients=700,
        criteria=[
            {"column": "age", "minimum": 60, "include_minimum": False},
            {"column": "sex", "any_of": ["F"]},
            {"column": "unit", "none_of": ["CCU"]},
        ],
    )
    assert len(rows) == 700
    assert rows["age"].min() > 60
    assert set(rows["sex"]) == {"F"}
    assert "CCU" not in set(rows["unit"])


def test_shares_are_exact_and_keep_the_association_between_their_columns() -> None:
    rows = ask(
        patients=2000,
        shares=[
            {"column": "died", "category": True, "share": 0.30},
            {"column": "sex", "category": "M", "share": 0.50},
        ],
    )
    assert int(rows["died"].sum()) == 600
    assert int((rows["sex"] == "M").sum()) == 1000
    men, women = rows.loc[rows["sex"] == "M", "died"].mean(), rows.loc[rows["sex"] == "F", "died"].mean()
    assert 1.6 < men / women < 2.5  # the population's ratio is 2; independence would give 1


@settings(max_examples=25, deadline=None)
@given(
    patients=st.integers(1, 300),
    first=st.floats(0, 0.5),
    second=st.floats(0, 0.5),
    died=st.floats(0, 1),
)
def test_every_margin_is_met_to_the_nearest_row(patients: int, first: float, second: float, died: float) -> None:
    rows = ask(
        patients=patients,
        shares=[
            {"column": "unit", "category": "MICU", "share": first},
            {"column": "unit", "category": "CCU", "share": second},
            {"column": "died", "category": True, "share": died},
        ],
    )
    assert len(rows) == patients
    for column, category, share in (("unit", "MICU", first), ("unit", "CCU", second), ("died", True, died)):
        assert abs(int((rows[column] == category).sum()) - share * patients) < 1


def test_the_same_seed_draws_the_same_patients_and_another_seed_others() -> None:
    one, same, other = (ask(patients=50, seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(one, same)
    assert not one.equals(other)


def test_only_the_columns_asked_for_come_back_in_their_order() -> None:
    assert list(ask(patients=5, columns=["sex", "age"]).columns) == ["sex", "age"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"criteria": [{"column": "age", "minimum": 101}]}, "no value of 'age'.*0 to 100"),
        ({"criteria": [{"column": "sex", "any_of": ["X"]}]}, "'sex' has no category 'X'.*F, M"),
        ({"criteria": [{"column": "height", "minimum": 1}]}, "no column 'height'"),
        ({"criteria": [{"column": "sex", "none_of": ["F", "M"]}]}, "no category of 'sex'"),
        (
            {
                "criteria": [{"column": "sex", "any_of": ["F"]}],
                "shares": [{"column": "sex", "category": "M", "share": 0.5}],
            },
            "a share asks for 'M' in 'sex', which a criterion excludes",
        ),
        (
            {
                "criteria": [{"column": "sex", "any_of": ["F"]}],
                "shares": [{"column": "sex", "category": "F", "share": 0.5}],
            },
            "shares of 'sex' leave",
        ),
        ({"columns": ["bmi"]}, "no column 'bmi'"),
    ],
)  # fmt: skip
def test_what_cannot_be_met_is_refused_by_name(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        ask(patients=10, **fields)


def test_rejection_that_finds_too_few_names_the_rarest_criterion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.sampling.conditional.REJECTION_ROUNDS", 1)
    with pytest.raises(UserError, match=r"rarest by itself is the criterion on 'age'"):
        ask(
            patients=5000,
            criteria=[{"column": "age", "minimum": 95}, {"column": "sex", "any_of": ["F"]}],
        )


def test_rows_that_break_the_promise_are_never_returned() -> None:
    spec = CohortSpec.model_validate({"patients": 50, "criteria": [{"column": "age", "minimum": 95}]})
    with pytest.raises(InternalError, match="none is returned"):
        draw(Disobedient(), spec, table=None, progress=Silent())


def test_a_cohort_without_real_support_is_flagged() -> None:
    real = Population().sample(200, seed=0)
    spec = CohortSpec.model_validate({"patients": 20, "criteria": [{"column": "age", "minimum": 99}]})
    result = draw(Population(), spec, table=real[real["age"] < 99], progress=Silent())
    assert (result.support_rows, result.extrapolated) == (0, True)
    supported = draw(Population(), CohortSpec(patients=20), table=real, progress=Silent())
    assert (supported.support_rows, supported.extrapolated) == (200, False)


def test_a_share_of_a_column_that_must_be_missing_asks_for_missing_values_only() -> None:
    columns = (Column(name="died", kind=Kind.BOOLEAN),)
    spec = CohortSpec.model_validate({"shares": [{"column": "died", "category": True, "share": 0}], "patients": 10})
    missing = {"died": Condition("died", allow_present=False)}
    (only,) = strata(
        share_columns(spec, TableSchema(columns=columns)), missing,
        pool=conform(pd.DataFrame({"died": [None]}), TableSchema(columns=columns)), rows=10,
        random=np.random.default_rng(1),
    )  # fmt: skip
    assert only.conditions == missing


def test_a_share_of_a_date_is_met() -> None:
    schema = TableSchema(columns=(Column(name="admitted", kind=Kind.DATE),))
    spec = CohortSpec.model_validate(
        {"shares": [{"column": "admitted", "category": "2020-03-01", "share": 0.3}], "patients": 10}
    )
    plan = strata(
        share_columns(spec, schema), {},
        pool=conform(pd.DataFrame({"admitted": ["2020-03-01", "2020-03-02"]}), schema), rows=10,
        random=np.random.default_rng(1),
    )  # fmt: skip
    days = conform(pd.DataFrame({"admitted": ["2020-03-01", "2020-03-02"]}), schema)["admitted"]
    met = {part.rows: part.conditions["admitted"].satisfied(days, schema["admitted"]).tolist() for part in plan}
    assert met == {3: [True, False], 7: [False, True]}


class Guaranteed(Population):
    """Has a privacy guarantee and an estimate of its own of who is behind a request."""

    def statement(self):
        return {"epsilon": 1.0}

    def support(self, conditions):
        return 4.4


def test_a_private_model_tells_its_own_support_and_never_counts_real_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Population().sample(200, seed=0)
    spec = CohortSpec.model_validate({"patients": 20, "criteria": [{"column": "age", "minimum": 50}]})
    result = draw(Guaranteed(), spec, table=real, progress=Silent())
    assert (result.support_rows, result.extrapolated) == (4, True)
    assert draw(Population(), spec, table=real, progress=Silent()).support_rows > 11
