"""A generator that plants impossible rows: none is returned, and criteria, shares and seeds hold as before."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.cohort.conditions import Condition, compile_conditions
from engine.cohort.plausibility.demands import demanded
from engine.cohort.plausibility.repair import repaired
from engine.cohort.plausibility.violations import any_broken, rules_for, violations
from engine.cohort.predicate import satisfied
from engine.cohort.spec import CohortSpec
from engine.core.errors import UserError
from engine.core.progress import Progress, Silent
from engine.generators.base import Capability, FitReport, Generator
from engine.sampling import plausible
from engine.sampling.conditional import draw
from engine.schema.catalogue import catalogue
from engine.schema.table import Column, Kind, TableSchema, conform

NAMES = (
    "sex", "age_years", "pregnancy", "height_cm", "weight_kg", "bmi", "systolic_bp", "diastolic_bp", "diabetes",
    "diabetes_type_2", "died_in_hospital", "discharge_destination",
)  # fmt: skip
SCHEMA = TableSchema(columns=tuple(catalogue().column(name) for name in NAMES))
IMPOSSIBLE = rules_for(SCHEMA, "impossible")


class Careless(Generator):
    """Draws every column by itself, and obeys conditions by throwing away."""

    name = "careless"
    label = "Careless"
    privacy = "none"
    capabilities = frozenset({Capability.CONDITIONS})
    schema = SCHEMA

    def __init__(self) -> None:
        self.drawn = 0

    def fit(
        self, table: pd.DataFrame, schema: TableSchema, *, seed: int, options: Mapping[str, Any], progress: Progress,
        checkpoint: Path | None = None,
    ) -> FitReport:  # fmt: skip
        raise AssertionError("drawing never fits")

    def sample(self, rows: int, *, seed: int, conditions: Mapping[str, Condition] | None = None) -> pd.DataFrame:
        self.drawn += rows
        random = np.random.default_rng(seed)
        parts, found = [], 0
        while found < rows:
            batch = self.batch(4 * rows + 200, random)
            good = batch[satisfied(batch, conditions or {}, SCHEMA)]
            parts.append(good)
            found += len(good)
        return conform(pd.concat(parts, ignore_index=True).iloc[:rows], SCHEMA)

    def batch(self, rows: int, random: np.random.Generator) -> pd.DataFrame:
        frame = pd.DataFrame(
            {
                "sex": random.choice(["F", "M"], rows),
                "age_years": random.uniform(18, 90, rows).round(1),
                "pregnancy": random.random(rows) < 0.3,
                "height_cm": random.normal(170, 9, rows).round(0),
                "weight_kg": random.normal(80, 12, rows).round(1),
                "bmi": random.normal(27, 5, rows).clip(10, 60).round(1),
                "systolic_bp": random.normal(120, 25, rows).clip(20, 300).round(0),
                "diastolic_bp": random.normal(80, 20, rows).clip(5, 250).round(0),
                "diabetes": random.random(rows) < 0.3,
                "diabetes_type_2": random.random(rows) < 0.2,
                "died_in_hospital": random.random(rows) < 0.1,
                "discharge_destination": random.choice(["HOME", "SNF", "DEAD/EXPIRED"], rows, p=[0.6, 0.3, 0.1]),
            }
        )
        frame.loc[random.random(rows) < 0.1, "bmi"] = np.nan
        return conform(frame, SCHEMA)

    def save(self, folder: Path) -> None:
        raise AssertionError

    @classmethod
    def load(cls, folder: Path) -> Self:
        raise AssertionError


class Free(Careless):
    """The same without conditions of its own: the sampler rejects."""

    capabilities = frozenset()


class Reservoir(Careless):
    """A fixed stock of rows, each given once."""

    STOCK = 3000

    def available(self, conditions: Mapping[str, Condition] | None = None) -> int:
        return len(self._matching(conditions))

    def sample(self, rows: int, *, seed: int, conditions: Mapping[str, Condition] | None = None) -> pd.DataFrame:
        stock = self._matching(conditions)
        assert rows <= len(stock)
        return stock.iloc[np.random.default_rng(seed).permutation(len(stock))[:rows]].reset_index(drop=True)

    def _matching(self, conditions: Mapping[str, Condition] | None) -> pd.DataFrame:
        stock = self.batch(self.STOCK, np.random.default_rng(1))
        # The age tells a row of the stock from every other one.
        stock["age_years"] = 18 + np.arange(self.STOCK) / 50
        return stock[satisfied(stock, conditions or {}, SCHEMA)]


def ask(generator: Generator, **fields: Any):
    return draw(generator, CohortSpec.model_validate(fields), table=None, progress=Silent())


@pytest.mark.parametrize("kind", [Careless, Free, Reservoir])
def test_planted_impossible_rows_are_never_returned(kind: type[Careless]) -> None:
    planted = any_broken(kind().sample(1000, seed=3), IMPOSSIBLE)
    assert planted.mean() > 0.5
    result = ask(kind(), patients=600, seed=3)
    assert len(result.frame) == 600
    assert not any_broken(result.frame, IMPOSSIBLE).any()
    assert result.redrawn > 100
    assert 100 < result.repaired <= 600


@pytest.mark.parametrize("kind", [Careless, Free, Reservoir])
def test_every_criterion_and_every_share_hold_with_enforcement(kind: type[Careless]) -> None:
    fields = {
        "patients": 200,
        "criteria": [{"column": "age_years", "minimum": 40}, {"column": "systolic_bp", "maximum": 140}],
        "shares": [
            {"column": "sex", "category": "M", "share": 0.5},
            {"column": "pregnancy", "category": True, "share": 0.3},
            {"column": "died_in_hospital", "category": True, "share": 0.2},
        ],
    }
    rows = ask(kind(), **fields).frame
    assert len(rows) == 200
    assert (rows["age_years"] >= 40).all() and (rows["systolic_bp"] <= 140).all()
    assert int((rows["sex"] == "M").sum()) == 100
    assert int(rows["pregnancy"].sum()) == 60
    assert int(rows["died_in_hospital"].sum()) == 40
    assert int((rows["pregnancy"] & (rows["sex"] == "M")).sum()) == 0
    assert not any_broken(rows, IMPOSSIBLE).any()


@settings(max_examples=15, deadline=None)
@given(patients=st.integers(1, 120), men=st.floats(0, 1), pregnant=st.floats(0, 1))
def test_margins_are_met_or_the_contradiction_is_named(patients: int, men: float, pregnant: float) -> None:
    fields = {
        "patients": patients,
        "shares": [
            {"column": "sex", "category": "M", "share": men},
            {"column": "pregnancy", "category": True, "share": pregnant},
        ],
    }
    try:
        rows = ask(Careless(), **fields).frame
    except UserError as error:
        assert "No pregnancy in patients recorded as male" in str(error)
        assert men * patients + pregnant * patients > patients - 2
        return
    assert abs(int((rows["sex"] == "M").sum()) - men * patients) < 1
    assert abs(int(rows["pregnancy"].sum()) - pregnant * patients) < 1
    assert not any_broken(rows, IMPOSSIBLE).any()


@pytest.mark.parametrize("kind", [Careless, Free, Reservoir])
def test_the_same_seed_gives_the_same_rows(kind: type[Careless]) -> None:
    one, same, other = (ask(kind(), patients=80, seed=seed).frame for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(one, same)
    assert not one.equals(other)


def test_a_reservoirs_rows_are_given_once() -> None:
    rows = ask(Reservoir(), patients=600).frame
    assert rows["age_years"].is_unique


def test_a_reservoir_that_holds_too_few_possible_rows_says_so() -> None:
    with pytest.raises(
        UserError, match=r"drawn rows are possible, 2,900 were asked for.*most often broken is the rule"
    ):
        ask(Reservoir(), patients=2900)


@pytest.mark.parametrize(
    ("criteria", "rule"),
    [
        (
            [{"column": "sex", "any_of": ["M"]}, {"column": "pregnancy", "any_of": [True]}],
            "No pregnancy in patients recorded as male",
        ),
        (
            [{"column": "systolic_bp", "maximum": 80}, {"column": "diastolic_bp", "minimum": 80}],
            "Systolic pressure is above diastolic",
        ),
        (
            [
                {"column": "died_in_hospital", "any_of": [True]},
                {"column": "discharge_destination", "any_of": ["HOME", "SNF"]},
            ],
            "Patients who died are discharged as dead",
        ),
        (
            [
                {"column": "diabetes_type_2", "any_of": [True]},
                {"column": "diabetes", "none_of": [True], "recorded": True},
            ],
            "Type 2 diabetes is diabetes",
        ),
    ],
)
def test_a_request_for_impossible_patients_is_refused_before_drawing(criteria: list[dict], rule: str) -> None:
    generator = Careless()
    with pytest.raises(UserError, match=f"patients that are impossible: {rule}"):
        ask(generator, patients=10, criteria=criteria)
    assert generator.drawn == 0


def test_what_is_only_nearly_contradictory_is_drawn() -> None:
    criteria = [{"column": "sex", "any_of": ["M"]}, {"column": "pregnancy", "none_of": [True]}]
    assert set(ask(Careless(), patients=20, criteria=criteria).frame["sex"]) == {"M"}
    pressures = [{"column": "systolic_bp", "maximum": 81}, {"column": "diastolic_bp", "minimum": 80}]
    assert not any_broken(ask(Careless(), patients=3, criteria=pressures).frame, IMPOSSIBLE).any()


def test_the_effort_is_bounded_and_the_rule_in_the_way_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plausible, "EFFORT", 2)
    monkeypatch.setattr(plausible, "LEAST_EFFORT", 300)
    generator = Careless()
    body = [
        {"column": "bmi", "minimum": 40},
        {"column": "weight_kg", "maximum": 65},
        {"column": "height_cm", "minimum": 170},
    ]
    monkeypatch.setattr(Careless, "batch", _thin)
    with pytest.raises(UserError, match=r"only 0 of \d+ drawn rows are possible.*'BMI is weight over height squared'"):
        ask(generator, patients=100, criteria=body)
    assert generator.drawn <= 100 * 4 + 300 + 64


def _thin(self: Careless, rows: int, random: np.random.Generator) -> pd.DataFrame:
    frame = pd.DataFrame({name: [None] * rows for name in NAMES}).assign(bmi=50.0, weight_kg=60.0, height_cm=180.0)
    return conform(frame, SCHEMA)


def test_body_mass_index_is_recomputed_unless_it_is_asked_for() -> None:
    free = ask(Careless(), patients=100).frame.dropna(subset=["bmi"])
    expected = free["weight_kg"] / (free["height_cm"] / 100) ** 2
    assert ((free["bmi"] - expected).abs() <= 0.1 + 0.03 * expected + 1e-6).all()
    asked = ask(Careless(), patients=100, criteria=[{"column": "bmi", "minimum": 35, "maximum": 38}]).frame
    assert asked["bmi"].between(35, 38).all()
    expected = asked["weight_kg"] / (asked["height_cm"] / 100) ** 2
    assert ((asked["bmi"] - expected).abs() <= 0.1 + 0.03 * expected + 1e-6).all()


def test_discordant_rows_are_left_as_the_generator_draws_them() -> None:
    names = ("hemoglobin", "hematocrit")
    schema = TableSchema(columns=tuple(catalogue().column(name) for name in names))

    class Discordant(Careless):
        def sample(self, rows: int, *, seed: int, conditions: Mapping[str, Condition] | None = None) -> pd.DataFrame:
            return conform(pd.DataFrame({"hemoglobin": [10.0] * rows, "hematocrit": [45.0] * rows}), schema)

    generator = Discordant()
    generator.schema = schema
    result = ask(generator, patients=30)
    assert violations(result.frame, schema)["hematocrit_to_hemoglobin"].all()
    assert (result.redrawn, result.repaired) == (0, 0)


# ------------------------------------------------------------------------------------------------ repair


def row(**cells: Any) -> tuple[pd.DataFrame, TableSchema]:
    schema = TableSchema(columns=tuple(catalogue().column(name) for name in cells))
    return conform(pd.DataFrame({name: [value] for name, value in cells.items()}), schema), schema


@pytest.mark.parametrize(
    ("cells", "locked", "expected"),
    [
        ({"height_cm": 170, "weight_kg": 80, "bmi": 40}, set(), {"bmi": 27.7}),
        ({"height_cm": 170, "weight_kg": 80, "bmi": 40}, {"bmi"}, {"weight_kg": 115.6}),
        ({"height_cm": 170, "weight_kg": 80, "bmi": 40}, {"bmi", "weight_kg"}, {}),
        ({"height_cm": 170, "weight_kg": 80, "bmi": 27.5}, set(), {}),
        ({"height_cm": 60, "weight_kg": 80, "bmi": 40}, set(), {}),  # 222 kg/m² is out of range: left to be redrawn
        ({"height_cm": 170, "weight_kg": 80, "bmi": None}, set(), {}),
        ({"diabetes_type_2": True, "diabetes": False}, set(), {"diabetes": True}),
        ({"diabetes_type_2": True, "diabetes": False}, {"diabetes"}, {}),
        ({"died_in_hospital": True, "discharge_destination": "HOME"}, set(), {"discharge_destination": "DEAD/EXPIRED"}),
        ({"icu_stay_count": 0, "first_care_unit": "MICU"}, set(), {"first_care_unit": None}),
        ({"icu_stay_count": 0, "hours_to_icu": 5}, set(), {"hours_to_icu": None}),
        (
            {"primary_icd9_code": "49390", "asthma": False, "chronic_pulmonary_disease": False},
            set(),
            {"asthma": True, "chronic_pulmonary_disease": True},
        ),
        (
            {"primary_icd9_code": "41401", "primary_icd9_chapter": "2 Neoplasms"},
            set(),
            {"primary_icd9_chapter": "7 Diseases of the circulatory system"},
        ),
    ],
)
def test_a_definition_is_recomputed_from_what_it_is_made_of(
    cells: dict[str, Any], locked: set[str], expected: dict[str, Any]
) -> None:
    frame, schema = row(**cells)
    before = frame.copy()
    fixed, changed = repaired(frame, rules_for(schema, "impossible"), locked=locked)
    pd.testing.assert_frame_equal(frame, before)
    assert changed.tolist() == [bool(expected)]
    for name, value in {**cells, **expected}.items():
        got = fixed[name].iloc[0]
        assert pd.isna(got) if value is None else got == value, name
    pd.testing.assert_frame_equal(conform(fixed, schema), fixed)


# ------------------------------------------------------------------------------------------------ what is demanded


@pytest.mark.parametrize(
    ("criteria", "is_demanded"),
    [
        ([{"column": "age_years", "maximum": -5}], True),
        ([{"column": "age_years", "maximum": 0}], False),
        ([{"column": "age_years", "minimum": 124, "include_minimum": False}], True),
        ([{"column": "age_years", "ranges": [[-9, -1], [130, 140]]}], True),
        ([{"column": "age_years", "ranges": [[-9, -1], [100, 140]]}], False),
        ([{"column": "age_years", "recorded": True}], False),
    ],
)
def test_a_range_is_demanded_to_be_broken_only_where_it_must_be(criteria: list[dict], is_demanded: bool) -> None:
    schema = TableSchema(columns=(Column(name="age_years", kind=Kind.NUMERIC, unit="years"),))
    conditions = compile_conditions(CohortSpec.model_validate({"criteria": criteria}), schema)
    assert (demanded(conditions, rules_for(schema)) is not None) == is_demanded


def test_codes_of_pregnancy_are_refused_for_men_and_other_codes_are_not() -> None:
    codes = Column(
        name="primary_icd9_code", kind=Kind.CATEGORICAL, code_system="icd9", categories=("650", "65421", "4019")
    )
    schema = TableSchema(columns=(catalogue().column("sex"), codes))

    def asked(prefix: str) -> object:
        spec = {"criteria": [{"column": "sex", "any_of": ["M"]}, {"column": codes.name, "starts_with": [prefix]}]}
        return demanded(compile_conditions(CohortSpec.model_validate(spec), schema), rules_for(schema))

    assert asked("65") is not None
    assert asked("401") is None


def test_large_draws_are_judged_block_by_block_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ask(Careless(), patients=500)
    monkeypatch.setattr("engine.cohort.plausibility.violations.BLOCK", 60)
    parts = ask(Careless(), patients=500)
    pd.testing.assert_frame_equal(whole.frame, parts.frame)
    assert (whole.redrawn, whole.repaired) == (parts.redrawn, parts.repaired)
