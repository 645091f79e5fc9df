"""From the public files to the tables that ship: hand-made answers, thinning, one row per patient, public lists."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.schema.catalogue import catalogue
from engine.schema.icd9 import comorbidity_prefixes
from tests.benchmarks.shipping import diabetes130, nhanes
from tests.benchmarks.shipping.recipes import DIABETES_130, NHANES, one_each, self_weighting

_ANSWERS = (
    "education", "born_usa", "pregnancy", "height_cm", "bmi", "waist_cm", "weight_kg_derived", "sbp_mmhg", "dbp_mmhg",
    "hba1c_pct", "serum_glucose_mmol_l", "total_chol_mmol_l", "hdl_mmol_l", "ldl_mmol_l", "triglycerides_mmol_l",
    "fasting_hours", "diabetes_dx", "takes_insulin", "takes_oral_diabetes_med", "family_history_diabetes",
    "hypertension_dx", "takes_bp_med", "told_lipid_med", "heart_failure_dx", "chd_dx", "angina_dx", "heart_attack_dx",
    "stroke_dx", "smoking_now", "fasting_subsample_weight",
)  # fmt: skip


def _survey(folder: Path, *people: dict[str, object]) -> pd.DataFrame:
    whole = {
        "cycle": "2001-2002", "age_years": 50, "sex": "male", "ethnicity": "Mexican American", "sbp_mmhg": 120,
        "hba1c_pct": 5.5, "diabetes_dx": "no", "hypertension_dx": "no", "fasting_subsample_weight": 100.0,
    }  # fmt: skip
    rows = [dict.fromkeys(_ANSWERS) | whole | {"seqn": number} | person for number, person in enumerate(people)]
    pd.DataFrame(rows).to_csv(folder / nhanes.FILE, index=False)
    return nhanes.adults(folder)


@pytest.mark.parametrize(
    ("person", "expected"),
    [
        ({}, {"diabetes": False, "diabetes_type_2": False, "insulin": False, "antihypertensive": False}),
        ({"hba1c_pct": 6.5}, {"diabetes": True, "diabetes_diagnosed": False, "diabetes_type_2": True}),
        ({"hba1c_pct": 6.4}, {"diabetes": False}),
        ({"hba1c_pct": None}, {"diabetes": None, "diabetes_type_2": None, "diabetes_type_1": False}),
        ({"diabetes_dx": "borderline"}, {"diabetes": False, "diabetes_diagnosed": False}),
        (
            {"diabetes_dx": "yes", "takes_insulin": "yes", "takes_oral_diabetes_med": "no", "age_years": 39},
            {"diabetes_type_1": True, "diabetes_type_2": False, "insulin": True, "oral_antidiabetic": False},
        ),
        (
            {"diabetes_dx": "yes", "takes_insulin": "yes", "takes_oral_diabetes_med": "no", "age_years": 40},
            {"diabetes_type_1": False, "diabetes_type_2": True},
        ),
        (
            {"diabetes_dx": "yes", "takes_insulin": "yes", "takes_oral_diabetes_med": "yes", "age_years": 30},
            {"diabetes_type_1": False, "diabetes_type_2": True},
        ),
        (
            {"sex": "female", "age_years": 30, "pregnancy": "yes", "hba1c_pct": 7},
            {"diabetes": False, "pregnancy": True},
        ),
        ({"sex": "female", "age_years": 44}, {"pregnancy": None}),
        ({"sex": "female", "age_years": 45}, {"pregnancy": False}),
        ({"hypertension_dx": "yes"}, {"antihypertensive": False}),  # never told to take any
        ({"hypertension_dx": None}, {"hypertension": None, "antihypertensive": None, "lipid_drug_advised": None}),
        ({"hypertension_dx": "yes", "takes_bp_med": "yes"}, {"antihypertensive": True}),
        ({"angina_dx": "yes"}, {"coronary_artery_disease": True, "angina": True, "myocardial_infarction": None}),
        ({"chd_dx": "no", "angina_dx": "no"}, {"coronary_artery_disease": None}),
        ({"smoking_now": "not at all"}, {"smoking": False}),
        ({"smoking_now": "some days"}, {"smoking": True}),
        ({"age_years": 85}, {"age_years": 80}),
        ({"serum_glucose_mmol_l": 5.551, "ldl_mmol_l": 3.0}, {"glucose": 100, "ldl": 116}),
        ({"height_cm": 200, "weight_kg_derived": 100, "bmi": 24.9}, {"bmi": 25.0}),
        ({"fasting_hours": 179}, {"fasting_hours": None}),
        ({"ethnicity": "Other Hispanic"}, {"ethnicity": "HISPANIC"}),
    ],
)
def test_what_an_answer_of_nhanes_means(tmp_path: Path, person: dict[str, object], expected: dict[str, object]) -> None:
    row = _survey(tmp_path, person).iloc[0]
    assert {name: None if pd.isna(row[name]) else row[name] for name in expected} == expected


def test_only_examined_adults_are_used(tmp_path: Path) -> None:
    assert list(_survey(tmp_path, {"age_years": 19}, {"sbp_mmhg": None, "hba1c_pct": None}, {})["patient_id"]) == ["2"]


def test_a_cell_shares_its_fasting_weight_among_its_examined(tmp_path: Path) -> None:
    people = [{}, {"fasting_subsample_weight": None}, {"sex": "female", "fasting_subsample_weight": 40.0}]
    assert list(_survey(tmp_path, *people)["weight"]) == [50.0, 50.0, 40.0]


def _people(count: int) -> tuple[pd.DataFrame, pd.Series]:
    weight = pd.Series(np.where(np.arange(count) % 4 == 0, 900.0, 100.0))
    return pd.DataFrame({"patient_id": [str(key) for key in range(count)], "heavy": weight > 500}), weight


def test_thinning_gives_everybody_the_same_weight() -> None:
    table, weight = _people(20_000)
    kept = self_weighting(table, weight, cap=1000.0)
    assert len(kept) == pytest.approx(weight.sum() / 1000, rel=0.03)
    assert kept["heavy"].mean() == pytest.approx(
        0.75, abs=0.02
    )  # a quarter of the people, three quarters of the weight


def test_thinning_asks_only_the_person(tmp_path: Path) -> None:
    table, weight = _people(500)
    whole = set(self_weighting(table, weight, cap=1000.0)["patient_id"])
    for left_out in (0, 7, 499):
        others = table.drop(index=left_out)
        kept = set(self_weighting(others, weight.drop(index=left_out), cap=1000.0)["patient_id"])
        assert kept == whole - {str(left_out)}


def test_one_row_of_each_patient_by_the_patients_key_alone() -> None:
    table = pd.DataFrame({"patient_id": list("aabbbcdddd"), "row": range(10)})
    whole = one_each(table)
    assert sorted(whole["patient_id"]) == list("abcd")
    without = one_each(table[table["patient_id"] != "b"])
    assert list(without["row"]) == [row for row in whole["row"] if row not in (2, 3, 4)]


@pytest.mark.parametrize(
    ("released", "code"),
    [("250", "25000"), ("250.6", "25060"), ("250.13", "25013"), ("38", "038"), ("8", "008"), ("V57", "V57"),
     ("E878", "E878"), ("428", "428"), ("", None)],
)  # fmt: skip
def test_codes_get_back_the_zeros_that_the_release_lost(released: str, code: str | None) -> None:
    assert diabetes130._code(released) == code


def test_flags_are_of_categories_that_the_comorbidity_names_or_holds() -> None:
    for flag, categories in diabetes130.FLAGS.items():
        prefixes = comorbidity_prefixes(flag)
        for category in categories:
            named = any(category.startswith(prefix) or prefix.startswith(category) for prefix in prefixes)
            assert named, (flag, category)


def test_encounters_in_the_catalogues_words(tmp_path: Path) -> None:
    drugs = {*diabetes130._SULFONYLUREAS, *diabetes130._GLITAZONES, *diabetes130._METFORMIN, *diabetes130._OTHER_ORAL}
    row: dict[str, str] = dict.fromkeys([*drugs, "insulin"], "No") | dict.fromkeys(
        ("number_outpatient", "number_emergency", "number_inpatient", "num_procedures"), "0"
    )
    row |= {
        "encounter_id": "1", "patient_nbr": "1", "num_lab_procedures": "40", "num_medications": "9",
        "number_diagnoses": "3", "race": "AfricanAmerican", "gender": "Female", "age": "[60-70)",
        "admission_type_id": "7",
        "discharge_disposition_id": "3", "admission_source_id": "7", "time_in_hospital": "3",
        "medical_specialty": "Surgery-Neuro", "diag_1": "428", "diag_2": "250.01", "diag_3": "401",
        "A1Cresult": ">8", "max_glu_serum": "NotMeasured", "change": "Ch", "readmitted": "<30",
        "glipizide-metformin": "Up",
    }  # fmt: skip
    dead = row | {"discharge_disposition_id": "11", "diag_2": "276", "readmitted": "NO", "diag_3": ""}
    pd.DataFrame([row, dead]).to_csv(tmp_path / diabetes130.FILE, index=False)
    first, second = (found for _, found in diabetes130.encounters(tmp_path).iterrows())
    expected = {
        "sex": "F", "ethnicity": "BLACK", "admission_type": "EMERGENCY", "discharge_destination": "SNF",
        "admission_source": "EMERGENCY ROOM ADMIT", "medical_specialty": "SURGERY", "length_of_stay_hours": 72,
        "primary_icd9_code": "428", "heart_failure": True, "hypertension": True, "stroke": False,
        "diabetes_type_1": True, "diabetes_type_2": False, "hba1c_class": "ABOVE 8", "metformin": True,
        "sulfonylurea": True, "oral_antidiabetic": True, "thiazolidinedione": False, "insulin": False,
        "diabetes_drugs_changed": True, "readmitted_within_30_days": True, "died_in_hospital": False,
    }  # fmt: skip
    assert {name: first[name] for name in expected} == expected
    assert 60 <= first["age_years"] < 70
    assert pd.isna(first["glucose_class"])
    assert second["died_in_hospital"]
    for unknown in ("diabetes_type_1", "diabetes_type_2", "readmitted_within_30_days"):
        assert pd.isna(second[unknown])


def test_both_tables_use_the_catalogue_and_declare_their_lists(shared: Path) -> None:
    for recipe in (NHANES, DIABETES_130):
        table = recipe.table(shared / "data" / recipe.folder)
        schema = recipe.schema(table)
        assert schema.patient_key == "patient_id"
        assert len(schema.features) > 25
        assert table["patient_id"].is_unique
        for column in schema.features:
            assert column.name in catalogue()
            if column.categories is not None:
                assert column.categories_are_public
                assert set(table[column.name].dropna()) <= set(column.categories)
