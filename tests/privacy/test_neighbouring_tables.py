"""Before anything is measured: one patient more changes no other's rows, and no two fits share their noise."""

import numpy as np
import pandas as pd
import pytest

from engine.generators.dp_cgan.material import PrivateFit, identity_of
from engine.generators.private_encoding import public_part
from engine.preparation.splitting import split_by_patient
from engine.privacy.events import Gaussian
from engine.privacy.noise import NoiseStream
from engine.schema.inference import infer_schema
from engine.schema.table import Column, Kind, Role, TableSchema, conform
from tests.helpers.private_tables import budget, simulated

OPTIONS = {"private": True, "epsilon": 1.0, "delta": 1e-6, "epochs": 5, "gradient_share": 0.0}


def stays(patients: int, seed: int = 0) -> tuple[pd.DataFrame, TableSchema]:
    """One to four rows of each patient, in no order."""
    random = np.random.default_rng(seed)
    keys = np.repeat([f"p{number:04d}" for number in range(patients)], random.integers(1, 5, patients))
    frame = pd.DataFrame({"key": random.permutation(keys)}).assign(stay=np.arange(len(keys)))
    schema = TableSchema(
        columns=(
            Column(name="key", kind=Kind.CATEGORICAL, role=Role.PATIENT_KEY), Column(name="stay", kind=Kind.INTEGER),
        )
    )  # fmt: skip
    return conform(frame, schema), schema


def fit_with(key: bytes = b"rows") -> PrivateFit:
    return PrivateFit(budget(1.0), "identity", NoiseStream(key), None)


def test_each_patient_keeps_one_row_whoever_else_is_there() -> None:
    table, schema = stays(300)
    kept = fit_with().one_row_each(table, schema)
    assert sorted(kept["key"]) == sorted(set(table["key"]))
    for gone in ("p0000", "p0123", "p0299"):
        less = table[table["key"] != gone].reset_index(drop=True)
        pd.testing.assert_frame_equal(
            fit_with().one_row_each(less, schema), kept[kept["key"] != gone].reset_index(drop=True)
        )


def test_the_row_that_is_kept_is_any_of_the_patients() -> None:
    table, schema = stays(300)
    rank = table.groupby("key")["stay"].rank().astype(int)
    size = table.groupby("key")["stay"].transform("size")
    four = table.assign(rank=rank)[size == 4]
    seen = []
    for number in range(40):
        kept = fit_with(bytes([number])).one_row_each(table, schema)
        seen += four.loc[four["stay"].isin(kept["stay"]), "rank"].tolist()
    assert np.bincount(seen)[1:] / len(seen) == pytest.approx([0.25] * 4, abs=0.03)


@pytest.mark.parametrize("gone", [0, 500, 999])
def test_one_patient_less_leaves_the_others_on_their_side_of_the_split(gone: int) -> None:
    schema = TableSchema(
        columns=(
            Column(name="key", kind=Kind.CATEGORICAL, role=Role.PATIENT_KEY), Column(name="x", kind=Kind.INTEGER),
        )
    )  # fmt: skip
    table = pd.DataFrame({"key": [f"p{number:04d}" for number in range(1_000)], "x": range(1_000)})
    less = table.drop(index=gone).reset_index(drop=True)
    learned = [set(part["key"].iloc[split_by_patient(part, schema, seed=1)[0]]) for part in (table, less)]
    assert len(learned[0] ^ learned[1]) <= 1


@pytest.mark.parametrize(
    ("name", "usual", "odd"),
    [
        ("age", [34, 71, 55], 400),
        ("hemoglobin", [9.5, 12.1, 14.0], 13.125),
        ("primary_diagnosis", ["25000", "4280", "V3000"], "ZZ-9"),
        ("ward", ["01", "02", "03"], "X4"),
    ],
)
def test_one_patient_less_leaves_what_counts_as_public(name: str, usual: list, odd: object) -> None:
    without = pd.DataFrame({name: usual * 20})
    with_her = pd.DataFrame({name: [*usual * 20, odd]})
    # Unit and bounds are what a person confirmed in the form, whatever proposed them.
    confirmed = {"unit": None, "minimum": None, "maximum": None, "bounds_are_public": False}
    first, second = (public_part(infer_schema(frame)[name]) for frame in (without, with_her))
    assert first.model_copy(update=confirmed) == second.model_copy(update=confirmed)


def test_the_identity_names_every_input() -> None:
    table, schema = simulated(40)
    about = {"seed": 1, "options": OPTIONS}
    identity = identity_of(table, schema, **about)
    assert identity_of(table.copy(), schema, **about) == identity
    others = [identity_of(table.iloc[:-1], schema, **about), identity_of(table.iloc[::-1], schema, **about)]
    for name, value in {
        "years": 17, "value": 13.000000001, "day": pd.Timestamp("2016-02-03"),
        "moment": pd.Timestamp("2016-02-03 1:02"), "flag": not table["flag"].iloc[3],
        "group": "east" if table["group"].iloc[3] != "east" else "north",
    }.items():  # fmt: skip
        changed = table.copy()
        changed.loc[3, name] = value
        others.append(identity_of(changed, schema, **about))
        changed.loc[3, name] = None
        others.append(identity_of(changed, schema, **about))
    more = schema.replace(schema["years"].model_copy(update={"maximum": 130.0, "bounds_are_public": True}))
    others += [
        identity_of(table, more, **about),
        identity_of(table, schema, seed=2, options=OPTIONS),
        *(identity_of(table, schema, seed=1, options=OPTIONS | {name: value}) for name, value in
          {"epsilon": 1.0000001, "delta": 1e-7, "epochs": 6, "gradient_share": 0.1}.items()),
    ]  # fmt: skip
    assert len({identity, *others}) == 1 + len(others)


def test_text_none_and_a_missing_value_are_told_apart() -> None:
    schema = TableSchema(columns=(Column(name="a", kind=Kind.CATEGORICAL),))
    words = [conform(pd.DataFrame({"a": values}), schema) for values in (["None", "x"], [None, "x"], ["nan", "x"])]
    assert len({identity_of(table, schema, seed=1, options=OPTIONS) for table in words}) == 3


def test_fits_of_other_inputs_have_unrelated_noise() -> None:
    table, schema = simulated(40)
    fits = [
        PrivateFit.begin(part, schema, seed=1, options=options, folder=None)
        for part, options in ((table, OPTIONS), (table.iloc[1:], OPTIONS), (table, OPTIONS | {"epsilon": 2.0}))
    ]
    draws = [fit.stream.rounded_gaussian(10_000, "margin", "years", sigma=9.0) for fit in fits]
    assert np.abs(np.corrcoef(draws) - np.eye(3)).max() < 0.05
    again = PrivateFit.begin(table, schema, seed=1, options=OPTIONS, folder=None)
    assert again.stream.rounded_gaussian(10_000, "margin", "years", sigma=9.0).tolist() == draws[0].tolist()


def test_one_key_and_purpose_at_another_sigma_or_size_have_unrelated_noise() -> None:
    # Else two versions of a rule that chooses sigma or cells release the same noise twice, and the counts with it.
    first, wider, longer = (
        NoiseStream(b"key").rounded_gaussian(count, "margin", "age", sigma=sigma)
        for count, sigma in ((5_000, 20.0), (5_000, 40.0), (5_001, 20.0))
    )
    assert abs(np.corrcoef(first, wider)[0, 1]) < 0.1
    assert abs(np.corrcoef(first, longer[:5_000])[0, 1]) < 0.1


def test_what_was_measured_under_another_key_stays_on_record(tmp_path) -> None:
    table, schema = simulated(40)
    first = PrivateFit.begin(table, schema, seed=1, options=OPTIONS, folder=tmp_path)
    first.announce([Gaussian(3.0)])
    same = PrivateFit.begin(table, schema, seed=1, options=OPTIONS, folder=tmp_path)
    assert same.earlier == [] and same.identity == first.identity
    other = PrivateFit.begin(table.iloc[1:], schema, seed=1, options=OPTIONS, folder=tmp_path)
    other.announce([Gaussian(4.0)])
    third = PrivateFit.begin(table, replace_names(schema), seed=1, options=OPTIONS, folder=tmp_path)
    assert [*other.earlier, *other.events] == [Gaussian(3.0), Gaussian(4.0)]
    assert third.earlier == [Gaussian(3.0), Gaussian(4.0)]


def replace_names(schema: TableSchema) -> TableSchema:
    return schema.replace(schema["years"].model_copy(update={"label": "Years"}))
