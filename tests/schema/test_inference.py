"""A schema inferred from tables whose columns were planted, and changed as a person would change it."""

import json
import random

import numpy as np
import pandas as pd
import pytest

from engine.core.errors import DataError, UserError
from engine.schema.inference import edit_schema, infer_schema, schema_from_json
from engine.schema.table import Column, Kind, Role, TableSchema, conform
from engine.sources.csv_upload import read_csv

ROWS = 200
DRAW = random.Random(5)


def _text_frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "subject_id": [str(10_000 + row // 2) for row in range(ROWS)],
            "hadm_id": [str(20_000 + row) for row in range(ROWS)],
            "sex": DRAW.choices(["F", "M"], k=ROWS),
            "age_group": DRAW.choices(["[5-10)", "[10-20)", "[100-110)"], k=ROWS),
            "age": [str(20 + row % 60) for row in range(ROWS)],
            "hemoglobin": [f"{9 + row % 60 / 10:.1f}" for row in range(ROWS)],
            "visits": [f"{row % 7}.0" for row in range(ROWS)],
            "dead": DRAW.choices(["0", "1"], k=ROWS),
            "alive": DRAW.choices(["true", "false"], k=ROWS),
            "smoker_answer": DRAW.choices(["yes", "no"], k=ROWS),
            "admission_type_id": DRAW.choices(["1", "2", "6"], k=ROWS),
            "ndc": DRAW.choices(["00904", "00123"], k=ROWS),
            "admitted": [f"2164-10-{1 + row % 28:02d}" for row in range(ROWS)],
            "remark": [f"patient said {row} things" for row in range(ROWS)],
            "last_name": DRAW.choices(["Abel", "Bell", "Cole"], k=ROWS),
            "nothing": [np.nan] * ROWS,
            "constant": ["x"] * ROWS,
        }
    )


KINDS = {
    "subject_id": (Kind.CATEGORICAL, Role.PATIENT_KEY), "hadm_id": (Kind.INTEGER, Role.EXCLUDED),
    "sex": (Kind.CATEGORICAL, Role.FEATURE), "age_group": (Kind.CATEGORICAL, Role.FEATURE),
    "age": (Kind.INTEGER, Role.FEATURE), "hemoglobin": (Kind.NUMERIC, Role.FEATURE),
    "visits": (Kind.INTEGER, Role.FEATURE), "dead": (Kind.BOOLEAN, Role.FEATURE),
    "alive": (Kind.BOOLEAN, Role.FEATURE), "smoker_answer": (Kind.CATEGORICAL, Role.FEATURE),
    "admission_type_id": (Kind.CATEGORICAL, Role.FEATURE), "ndc": (Kind.CATEGORICAL, Role.FEATURE),
    "admitted": (Kind.DATE, Role.FEATURE), "remark": (Kind.CATEGORICAL, Role.EXCLUDED),
    "last_name": (Kind.CATEGORICAL, Role.EXCLUDED), "nothing": (Kind.CATEGORICAL, Role.EXCLUDED),
    "constant": (Kind.CATEGORICAL, Role.FEATURE),
}  # fmt: skip


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    typed = frame.copy()
    for name in ("subject_id", "hadm_id", "age", "admission_type_id"):
        typed[name] = typed[name].astype("int64")
    typed["hemoglobin"] = typed["hemoglobin"].astype(float)
    typed["visits"] = typed["visits"].astype(float)
    typed["dead"] = typed["dead"].astype(int)
    typed["alive"] = typed["alive"].eq("true")
    typed["admitted"] = pd.to_datetime(typed["admitted"])
    return typed


@pytest.mark.parametrize("shape", ["object", "str", "category", "typed"])
def test_planted_columns_are_recognised(shape):
    frame = _text_frame()
    if shape == "str":
        frame = frame.astype(pd.StringDtype("pyarrow", na_value=np.nan))
    elif shape == "category":
        frame = frame.astype("category")
    elif shape == "typed":
        frame = _typed(frame)
    schema = infer_schema(frame)
    assert {column.name: (column.kind, column.role) for column in schema.columns} == KINDS
    assert all(column.description for column in schema.columns if column.role is Role.EXCLUDED)
    assert schema["age_group"].categories == ("[5-10)", "[10-20)", "[100-110)")
    assert schema["ndc"].categories == ("00123", "00904")
    assert (schema["visits"].minimum, schema["visits"].maximum) == (0, 6)
    assert schema["hemoglobin"].decimals == 1
    first = (pd.Timestamp("2164-10-01") - pd.Timestamp(0)).days
    assert (schema["admitted"].minimum, schema["admitted"].maximum) == (first, first + 27)
    assert not schema["visits"].bounds_are_public
    assert not schema["sex"].categories_are_public
    table = conform(frame, schema)
    assert table["dead"].sum() == int((_text_frame_dead(frame)).sum())


def _text_frame_dead(frame: pd.DataFrame) -> pd.Series:
    return frame["dead"].astype(object).astype(str).astype(int)


def test_the_catalogue_gives_unit_and_public_bounds_only_where_the_values_agree():
    grams = infer_schema(pd.DataFrame({"hemoglobin": [f"{9 + row % 60 / 10:.1f}" for row in range(ROWS)]}))
    assert grams["hemoglobin"].unit == "g/dL"
    assert grams["hemoglobin"].bounds_are_public
    assert grams["hemoglobin"].maximum > 14.9
    litres = infer_schema(pd.DataFrame({"hemoglobin": [f"{90 + row % 60}.5" for row in range(ROWS)]}))
    assert litres["hemoglobin"].unit is None
    assert not litres["hemoglobin"].bounds_are_public
    assert "state the unit" in litres["hemoglobin"].description
    named = infer_schema(pd.DataFrame({"glucose_mmol_l": [f"{4 + row % 60 / 10:.1f}" for row in range(ROWS)]}))
    assert named["glucose_mmol_l"].unit == "mmol/L"
    assert not named["glucose_mmol_l"].bounds_are_public
    stay = infer_schema(pd.DataFrame({"LOS": [f"{1 + row % 60 / 10:.1f}" for row in range(ROWS)]}))
    assert stay["LOS"].unit is None


def test_yes_and_no_become_a_flag_where_the_catalogue_knows_one():
    frame = pd.DataFrame({"hypertension": ["yes", "no"] * 20, "insulin": ["No", "Up", "Down", "Steady"] * 10})
    schema = infer_schema(frame)
    assert schema["hypertension"].kind is Kind.BOOLEAN
    assert schema["insulin"].kind is Kind.CATEGORICAL
    assert schema_from_json({"columns": {"hypertension": "categorical"}}, frame)["hypertension"].categories == (
        "no",
        "yes",
    )


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["patient_nbr", "encounter_id"], "patient_nbr"),
        (["mrn", "SUBJECT_ID"], "SUBJECT_ID"),
        (["patientunitstayid", "uniquepid"], "uniquepid"),
        (["x", "y"], None),
        (["id", "x"], None),
    ],
)
def test_patient_key_by_name(names, expected):
    frame = pd.DataFrame({name: [f"a{row}" for row in range(40)] for name in names} | {"n": ["1", "2"] * 20})
    assert infer_schema(frame).patient_key == expected


def test_an_id_that_repeats_is_the_patient():
    frame = pd.DataFrame({"id": [str(row // 2) for row in range(40)], "n": ["1", "2"] * 20})
    assert infer_schema(frame).patient_key == "id"
    rows = pd.DataFrame({"column_1": [str(row) for row in range(40)], "n": ["1", "2"] * 20})
    assert infer_schema(rows)["column_1"].role is Role.EXCLUDED


def test_names_must_differ():
    with pytest.raises(DataError, match="column 2"):
        infer_schema(pd.DataFrame([[1, 2]], columns=["a", "a"]))
    with pytest.raises(DataError, match="no columns"):
        infer_schema(pd.DataFrame())


def test_short_json_form():
    frame = _text_frame()
    schema = schema_from_json(
        {"name": "x", "target": {}, "columns": {"age": "numeric", "sex": "categorical", "dead": "boolean"}}, frame
    )
    assert [column.name for column in schema.features] == ["age", "sex", "dead"]
    assert schema.patient_key == "subject_id"
    assert schema["sex"].categories == ("F", "M")
    assert schema["age"].kind is Kind.NUMERIC
    assert schema["remark"].role is Role.EXCLUDED
    assert len(schema.columns) == len(frame.columns)
    conform(frame, schema)


def test_full_json_form_round_trip():
    frame = _text_frame()
    schema = infer_schema(frame)
    assert schema_from_json(json.loads(schema.model_dump_json()), frame) == schema


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({}, "no columns"),
        ({"columns": {}}, "lists no columns"),
        ({"columns": {"height": "numeric"}}, "no column 'height'"),
        ({"columns": {"age": "number"}}, "of kind 'number'"),
        ({"columns": {"age": ["numeric"]}}, "of kind"),
        ({"columns": [{"name": "age"}]}, "columns.0.kind"),
        ({"columns": {"sex": "numeric"}}, "200 values of column 'sex' are not numeric"),
        ({"columns": {"hemoglobin": "integer"}}, "have decimals"),
    ],
)
def test_json_that_does_not_suit(value, words):
    with pytest.raises(UserError, match=words):
        schema_from_json(value, _text_frame())


def test_edits():
    frame = _text_frame()
    schema = infer_schema(frame)
    assert edit_schema(schema, frame, column="admission_type_id", kind="integer")["admission_type_id"].maximum == 6
    assert edit_schema(schema, frame, column="age", kind=Kind.CATEGORICAL)["age"].categories is not None
    assert edit_schema(schema, frame, column="visits", unit="visits")["visits"].unit == "visits"
    assert edit_schema(schema, frame, column="hemoglobin", unit="")["hemoglobin"].unit is None
    bounded = edit_schema(schema, frame, column="visits", minimum=0, maximum=30)["visits"]
    assert (bounded.minimum, bounded.maximum, bounded.bounds_are_public) == (0, 30, True)
    assert not edit_schema(schema, frame, column="visits", maximum=30)["visits"].bounds_are_public
    assert edit_schema(schema, frame, column="sex", role="excluded")["sex"].role is Role.EXCLUDED
    assert edit_schema(schema, frame, column="last_name", role="feature")["last_name"].categories == (
        "Abel", "Bell", "Cole",
    )  # fmt: skip
    moved = edit_schema(schema, frame, column="hadm_id", role="patient_key")
    assert moved.patient_key == "hadm_id"
    assert moved["subject_id"].role is Role.EXCLUDED
    back = edit_schema(moved, frame, column="hadm_id", role="feature")
    assert len(back["hadm_id"].categories or ()) == ROWS
    assert schema == infer_schema(frame)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"column": "heigth"}, "no column 'heigth'"),
        ({"column": "sex", "kind": "numeric"}, "200 values .* not numeric.*first in row 1"),
        ({"column": "age", "kind": "fuzzy"}, "Kinds are"),
        ({"column": "age", "role": "target"}, "Roles are"),
        ({"column": "sex", "unit": "cm"}, "takes no unit"),
        ({"column": "age", "unit": "x" * 50}, "40 printable"),
        ({"column": "sex", "minimum": 3}, "has no range"),
        ({"column": "visits", "minimum": 9, "maximum": 3}, "above its maximum"),
        ({"column": "visits", "minimum": 1, "maximum": 30}, "29 rows .* outside 1 to 30"),
    ],
)
def test_edits_that_do_not_suit(change, words):
    frame = _text_frame()
    with pytest.raises(UserError, match=words):
        edit_schema(infer_schema(frame), frame, **change)


def test_too_many_categories_for_a_feature():
    frame = pd.DataFrame({"code": [f"c{row % 10_500}" for row in range(31_500)], "n": ["1", "2", "3"] * 10_500})
    schema = infer_schema(frame)
    assert schema["code"].role is Role.EXCLUDED
    with pytest.raises(UserError, match="10500 different values"):
        edit_schema(schema, frame, column="code", role="feature")


def test_a_key_with_gaps_says_so():
    schema = infer_schema(pd.DataFrame({"patient_id": ["1", np.nan, "3", "4"], "n": ["1", "2", "2", "1"]}))
    assert schema.patient_key == "patient_id"
    assert "1 rows have no value" in schema["patient_id"].description


@pytest.mark.shared
def test_kinds_of_the_benchmark(shared):
    frame = read_csv(shared / "bench/diabetes130/train.csv").frame
    value = json.loads((shared / "bench/diabetes130/schema.json").read_text())
    inferred = infer_schema(frame)
    assert {column.name: column.kind.value for column in inferred.columns} == value["columns"]
    assert "NotMeasured" in (inferred["A1Cresult"].categories or ())
    listed = schema_from_json(value, frame)
    assert [column.name for column in listed.features] == list(value["columns"])


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "key", "excluded"),
    [
        ("data/diabetes130/diabetes130_full.csv.gz", "patient_nbr", {"encounter_id"}),
        ("data/eicu-demo/eicu_demo_icu_stays.csv.gz", "uniquepid", {"patientunitstayid"}),
        ("data/nhanes/nhanes_2015_2018_adults_examined.csv.gz", "seqn", set()),
        ("data/mimic3-demo/ADMISSIONS.csv.gz", "SUBJECT_ID", {"ROW_ID", "HADM_ID", "DIAGNOSIS"}),
        ("data/mimic3-demo/PATIENTS.csv.gz", "SUBJECT_ID", {"ROW_ID"}),
        ("data/mimic3-demo/ICUSTAYS.csv.gz", "SUBJECT_ID", {"ROW_ID", "HADM_ID", "ICUSTAY_ID"}),
    ],
)
def test_real_tables(shared, name, key, excluded):
    frame = read_csv(shared / name).frame
    schema = infer_schema(frame)
    assert schema.patient_key == key
    assert {column.name for column in schema.columns if column.role is Role.EXCLUDED} == excluded
    table = conform(frame, schema)
    assert len(table) == len(frame)
    assert table.notna().sum().tolist() == frame.notna().sum().tolist()


def test_an_inferred_schema_is_a_table_schema():
    schema = infer_schema(_text_frame())
    assert isinstance(schema, TableSchema)
    assert all(isinstance(column, Column) for column in schema.columns)
