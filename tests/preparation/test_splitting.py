"""Splits never share a patient, follow the seed, and move nobody when a patient comes or goes."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.errors import DataError, UserError
from engine.preparation.splitting import split_by_patient
from engine.schema.table import Column, Kind, Role, TableSchema

SCHEMA = TableSchema(
    columns=(
        Column(name="patient_id", kind=Kind.CATEGORICAL, role=Role.PATIENT_KEY),
        Column(name="age", kind=Kind.NUMERIC),
    )
)
UNKEYED = TableSchema(columns=(Column(name="age", kind=Kind.NUMERIC),))


def table(patients: list) -> pd.DataFrame:
    return pd.DataFrame({"patient_id": patients, "age": np.arange(len(patients), dtype=float)})


@given(
    patients=st.lists(st.integers(0, 12), min_size=2, max_size=60).filter(lambda ids: len(set(ids)) > 1),
    holdout=st.floats(0.05, 0.95),
    seed=st.integers(0, 2**31),
)
@settings(max_examples=60, deadline=None)
def test_no_patient_is_on_both_sides_and_no_row_is_lost(patients, holdout, seed):
    frame = table([str(patient) for patient in patients])
    train, held = split_by_patient(frame, SCHEMA, holdout=holdout, seed=seed)
    keys = frame["patient_id"].to_numpy()
    assert len(train) and len(held)
    assert not set(keys[train]) & set(keys[held])
    assert sorted([*train, *held]) == list(range(len(frame)))
    assert (np.diff(train) > 0).all() and (np.diff(held) > 0).all()


def test_the_share_is_of_patients():
    frame = table([f"p{number}" for number in range(1_000) for _ in range(1 + number % 3)])
    _, held = split_by_patient(frame, SCHEMA, holdout=0.3, seed=1)
    assert abs(frame.loc[held, "patient_id"].nunique() - 300) < 50


def test_the_split_follows_the_seed_and_not_the_order_of_rows():
    frame = table([f"p{number % 40}" for number in range(100)])
    shuffled = frame.iloc[::-1].reset_index(drop=True)
    _, held = split_by_patient(frame, SCHEMA, seed=5)
    _, again = split_by_patient(shuffled, SCHEMA, seed=5)
    _, other = split_by_patient(frame, SCHEMA, seed=6)
    assert set(frame.loc[held, "patient_id"]) == set(shuffled.loc[again, "patient_id"])
    assert set(frame.loc[held, "patient_id"]) != set(frame.loc[other, "patient_id"])


def test_without_a_key_every_row_is_a_patient():
    frame = table(["a"] * 300)[["age"]]
    frame["age"] %= 7
    train, held = split_by_patient(frame, UNKEYED, holdout=0.3, seed=0)
    assert len(train) + len(held) == 300
    assert abs(len(held) - 90) < 30  # equal rows do not go together


@pytest.mark.parametrize("holdout", [0, 1, -0.1, 1.5, float("nan")])
def test_a_share_outside_0_to_1_is_refused(holdout):
    with pytest.raises(UserError, match="holdout"):
        split_by_patient(table(["a", "b"]), SCHEMA, holdout=holdout, seed=0)


@pytest.mark.parametrize("patients", [[], ["a"], ["a", "a", "a"]])
def test_one_patient_cannot_be_split(patients):
    with pytest.raises(UserError, match="cannot be split"):
        split_by_patient(table(patients), SCHEMA, seed=0)


def test_rows_without_a_patient_are_refused():
    with pytest.raises(DataError, match="1 rows have no patient_id"):
        split_by_patient(table(["a", None, "b"]), SCHEMA, seed=0)
