"""Hand-made rows for every rule that ships: some that break it, some (at the limit, too) that do not."""

from typing import Any

import pandas as pd

from engine.cohort.plausibility.rules import rule_book
from engine.schema.catalogue import catalogue
from engine.schema.table import Column, Kind, TableSchema, conform

Row = dict[str, Any]


def flag(part: str, whole: str) -> tuple[list[Row], list[Row]]:
    """A part without its whole breaks the rule; everything else is fine."""
    return [{part: True, whole: False}], [
        {part: True, whole: True},
        {part: False, whole: True},
        {part: False, whole: False},
    ]


def between(column: str, low: float, high: float, step: float, **rest: Any) -> tuple[list[Row], list[Row]]:
    """Just outside breaks the rule, the limits do not."""
    return (
        [{column: low - step, **rest}, {column: high + step, **rest}],
        [{column: low, **rest}, {column: low + step, **rest}, {column: high, **rest}],
    )


def chapter(code: str) -> str:
    from engine.schema import icd9

    return str(icd9.chapter(code))


def group(code: str) -> str:
    from engine.schema import icd9

    return str(icd9.group(code))


CASES: dict[str, tuple[list[Row], list[Row]]] = {
    "icd9_group_of_code": (
        [{"primary_icd9_code": "25000", "primary_icd9_group": group("41401")}],
        [
            {"primary_icd9_code": "25000", "primary_icd9_group": group("25000")},
            {"primary_icd9_code": "nonsense", "primary_icd9_group": group("41401")},
        ],
    ),
    "icd9_chapter_of_code": (
        [{"primary_icd9_code": "25000", "primary_icd9_chapter": chapter("41401")}],
        [
            {"primary_icd9_code": "25000", "primary_icd9_chapter": chapter("25000")},
            {"primary_icd9_code": "V3000", "primary_icd9_chapter": chapter("V3000")},
        ],
    ),
    "comorbidity_of_primary_code": (
        [{"primary_icd9_code": "25000", "diabetes": False, "stroke": True}],
        [
            {"primary_icd9_code": "25000", "diabetes": True, "stroke": False},
            {"primary_icd9_code": "78650", "diabetes": False, "stroke": False},
        ],
    ),
    "diabetes_type_1_is_diabetes": flag("diabetes_type_1", "diabetes"),
    "diabetes_type_2_is_diabetes": flag("diabetes_type_2", "diabetes"),
    "atrial_fibrillation_is_arrhythmia": flag("atrial_fibrillation", "cardiac_arrhythmia"),
    "infarction_is_coronary_disease": flag("myocardial_infarction", "coronary_artery_disease"),
    "copd_is_pulmonary_disease": flag("copd", "chronic_pulmonary_disease"),
    "asthma_is_pulmonary_disease": flag("asthma", "chronic_pulmonary_disease"),
    "end_stage_is_kidney_disease": flag("end_stage_renal_disease", "renal_failure"),
    "metastasis_is_cancer": flag("metastatic_cancer", "cancer"),
    "lymphoma_is_cancer": flag("lymphoma", "cancer"),
    "primary_code_is_counted": (
        [{"primary_icd9_code": "25000", "icd9_code_count": 0}],
        [{"primary_icd9_code": "25000", "icd9_code_count": 1}],
    ),
    "diabetes_types_together": (
        [{"diabetes_type_1": True, "diabetes_type_2": True}],
        [{"diabetes_type_1": True, "diabetes_type_2": False}, {"diabetes_type_1": False, "diabetes_type_2": True}],
    ),
    "pregnancy_in_men": (
        [{"sex": "M", "pregnancy": True}],
        [{"sex": "M", "pregnancy": False}, {"sex": "F", "pregnancy": True}],
    ),
    "female_diagnosis_in_men": (
        [
            {"sex": "M", "icd9_code": code}
            for code in ("650", "64421", "V221", "V270", "1820", "2331", "6140", "67904", "256.4")
        ],
        [
            {"sex": "F", "icd9_code": "650"},
            *(
                {"sex": "M", "icd9_code": code}
                for code in ("185", "6119", "2330", "680", "V250", "66", "64", "V3000", "2579", "2572")
            ),
        ],
    ),
    "male_diagnosis_in_women": (
        [{"sex": "F", "icd9_code": code} for code in ("185", "60000", "6089", "2334", "2222", "257.2", "1879")],
        [
            {"sex": "M", "icd9_code": "185"},
            *({"sex": "F", "icd9_code": code} for code in ("1830", "2331", "2569", "609", "60", "1880", "V1046")),
        ],
    ),
    "female_group_in_men": (
        [{"sex": "M", "primary_icd9_group": group(code)} for code in ("650", "6140", "6202", "63491", "67820")],
        [{"sex": "F", "primary_icd9_group": group("650")}, {"sex": "M", "primary_icd9_group": group("185")}],
    ),
    "male_group_in_women": (
        [{"sex": "F", "primary_icd9_group": group("60000")}],
        [{"sex": "M", "primary_icd9_group": group("60000")}, {"sex": "F", "primary_icd9_group": group("185")}],
    ),
    "pregnancy_chapter_in_men": (
        [{"sex": "M", "primary_icd9_chapter": chapter("650")}],
        [{"sex": "F", "primary_icd9_chapter": chapter("650")}, {"sex": "M", "primary_icd9_chapter": chapter("4019")}],
    ),
    "age_limits": between("age_years", 0, 124, 0.1),
    "pregnancy_before_puberty_or_late": (
        [{"pregnancy": True, "age_years": 11.9}, {"pregnancy": True, "age_years": 56.1}],
        [
            {"pregnancy": True, "age_years": 12},
            {"pregnancy": True, "age_years": 55.9},
            {"pregnancy": False, "age_years": 80},
        ],
    ),
    "pregnancy_in_infants": (
        [{"pregnancy": True, "age_years": 0.9}],
        [{"pregnancy": True, "age_years": 1}, {"pregnancy": False, "age_years": 0}],
    ),
    "newborn_admission_age": (
        [{"admission_type": "NEWBORN", "age_years": 1.1}],
        [{"admission_type": "NEWBORN", "age_years": 0}, {"admission_type": "EMERGENCY", "age_years": 70}],
    ),
    "newborn_admission_is_first": (
        [{"admission_type": "NEWBORN", "prior_admission_count": 1}],
        [
            {"admission_type": "NEWBORN", "prior_admission_count": 0},
            {"admission_type": "URGENT", "prior_admission_count": 3},
        ],
    ),
    "married_child": (
        [{"age_years": 14.9, "marital_status": status} for status in ("MARRIED", "WIDOWED")],
        [{"age_years": 15, "marital_status": "MARRIED"}, {"age_years": 3, "marital_status": "SINGLE"}],
    ),
    "neonatal_unit_age": (
        [{"first_care_unit": "NICU", "age_years": 2}],
        [{"first_care_unit": "NICU", "age_years": 1}, {"first_care_unit": "MICU", "age_years": 60}],
    ),
    "perinatal_condition_age": (
        [{"primary_icd9_chapter": chapter("769"), "age_years": 2}],
        [
            {"primary_icd9_chapter": chapter("769"), "age_years": 0},
            {"primary_icd9_chapter": chapter("650"), "age_years": 30},
        ],
    ),
    "stay_not_negative": ([{"length_of_stay_hours": -0.1}], [{"length_of_stay_hours": 0}]),
    "icu_stay_not_negative": ([{"icu_days": -0.01}], [{"icu_days": 0}]),
    "icu_within_stay": (
        [{"icu_days": 3, "length_of_stay_hours": 47.9}],
        [{"icu_days": 3, "length_of_stay_hours": 48}, {"icu_days": 0, "length_of_stay_hours": 9000}],
    ),
    "icu_begins_within_stay": (
        [{"hours_to_icu": 51.1, "length_of_stay_hours": 50}],
        [{"hours_to_icu": 51, "length_of_stay_hours": 50}, {"hours_to_icu": 0, "length_of_stay_hours": 50}],
    ),
    "icu_ends_within_stay": (
        [{"hours_to_icu": 30, "icu_days": 2, "length_of_stay_hours": 53.9}],
        [{"hours_to_icu": 30, "icu_days": 2, "length_of_stay_hours": 54}],
    ),
    "no_icu_stay_no_icu_days": (
        [{"icu_stay_count": 0, "icu_days": 0.5}],
        [{"icu_stay_count": 0, "icu_days": 0}, {"icu_stay_count": 1, "icu_days": 0.5}],
    ),
    "no_icu_stay_no_unit": (
        [{"icu_stay_count": 0, "first_care_unit": "MICU"}],
        [{"icu_stay_count": 1, "first_care_unit": "MICU"}, {"icu_stay_count": 0, "first_care_unit": None}],
    ),
    "no_icu_stay_no_way_there": (
        [{"icu_stay_count": 0, "hours_to_icu": 3}],
        [{"icu_stay_count": 1, "hours_to_icu": 3}, {"icu_stay_count": 0, "hours_to_icu": None}],
    ),
    "death_is_the_destination": (
        [{"died_in_hospital": True, "discharge_destination": "HOME"}],
        [
            {"died_in_hospital": True, "discharge_destination": "DEAD/EXPIRED"},
            {"died_in_hospital": False, "discharge_destination": "HOME"},
        ],
    ),
    "dead_destination_is_death": (
        [{"died_in_hospital": False, "discharge_destination": "DEAD/EXPIRED"}],
        [{"died_in_hospital": True, "discharge_destination": "DEAD/EXPIRED"}],
    ),
    "death_in_unit_is_in_hospital": flag("died_in_unit", "died_in_hospital"),
    "dead_not_readmitted": (
        [{"died_in_hospital": True, "readmitted_within_30_days": True}],
        [
            {"died_in_hospital": True, "readmitted_within_30_days": False},
            {"died_in_hospital": False, "readmitted_within_30_days": True},
        ],
    ),
    "expired_disposition_not_readmitted": (
        [{"discharge_disposition_code": code, "readmission_class": "<30"} for code in ("11", "19", "20", "21")],
        [
            {"discharge_disposition_code": "11", "readmission_class": "NO"},
            {"discharge_disposition_code": "1", "readmission_class": "<30"},
        ],
    ),
    "admission_before_discharge": (
        [{"admission_date": "2020-02-02", "discharge_date": "2020-02-01"}],
        [{"admission_date": "2020-02-02", "discharge_date": "2020-02-02"}],
    ),
    "birth_before_admission": (
        [{"birth_date": "2020-02-04", "admission_date": "2020-02-02"}],
        [
            {"birth_date": "2020-02-03", "admission_date": "2020-02-02"},
            {"birth_date": "1950-01-01", "admission_date": "2020-02-02"},
        ],
    ),
    "admission_before_death": (
        [{"admission_date": "2020-02-04", "death_date": "2020-02-02"}],
        [
            {"admission_date": "2020-02-03", "death_date": "2020-02-02"},
            {"admission_date": "2020-02-03", "death_date": "2021-02-02"},
        ],
    ),
    "stay_between_dates": (
        [
            {"admission_date": "2020-02-01", "discharge_date": "2020-02-05", "length_of_stay_hours": hours}
            for hours in (47, 145)
        ],
        [
            {"admission_date": "2020-02-01", "discharge_date": "2020-02-05", "length_of_stay_hours": hours}
            for hours in (48, 96, 144)
        ],
    ),
    "bmi_from_height_and_weight": (
        [{"height_cm": 170, "weight_kg": 80, "bmi": bmi} for bmi in (25.0, 29.0)],
        [{"height_cm": 170, "weight_kg": 80, "bmi": bmi} for bmi in (27.7, 27.0, 28.4)],
    ),
    "hematocrit_to_hemoglobin": (
        [{"hemoglobin": 10, "hematocrit": value} for value in (22.9, 40.1)],
        [{"hemoglobin": 10, "hematocrit": value} for value in (23, 30, 40)],
    ),
    "hematocrit_hemoglobin_impossible": (
        [{"hemoglobin": 9, "hematocrit": value} for value in (13, 73)],
        [{"hemoglobin": 9, "hematocrit": value} for value in (13.5, 27, 72)],
    ),
    "mcv_from_hematocrit": (
        [{"hematocrit": 40, "red_cell_count": 4, "mcv": value} for value in (79, 121)],
        [{"hematocrit": 40, "red_cell_count": 4, "mcv": value} for value in (80, 100, 120)],
    ),
    "mch_from_hemoglobin": (
        [{"hemoglobin": 12, "red_cell_count": 4, "mch": value} for value in (25, 35)],
        [{"hemoglobin": 12, "red_cell_count": 4, "mch": value} for value in (25.5, 30, 34.5)],
    ),
    "mchc_from_hemoglobin": (
        [{"hemoglobin": 12, "hematocrit": 40, "mchc": value} for value in (25, 35)],
        [{"hemoglobin": 12, "hematocrit": 40, "mchc": value} for value in (25.5, 30, 34.5)],
    ),
    "mchc_from_mch": (
        [{"mch": 30, "mcv": 100, "mchc": value} for value in (25, 35)],
        [{"mch": 30, "mcv": 100, "mchc": value} for value in (25.5, 30, 34.5)],
    ),
    "neutrophil_share": between("neutrophils", 0, 100, 0.1),
    "lymphocyte_share": between("lymphocytes", 0, 100, 0.1),
    "differential_sum": (
        [{"neutrophils": 71.1, "lymphocytes": 30}],
        [{"neutrophils": 71, "lymphocytes": 30}, {"neutrophils": 0, "lymphocytes": 0}],
    ),
    "anion_gap_from_electrolytes": (
        [{"sodium": 140, "chloride": 104, "bicarbonate": 24, "anion_gap": value} for value in (5, 25)],
        [{"sodium": 140, "chloride": 104, "bicarbonate": 24, "anion_gap": value} for value in (6, 12, 16, 24)],
    ),
    "hdl_within_total": (
        [{"hdl": 101, "cholesterol_total": 100}],
        [{"hdl": 100, "cholesterol_total": 100}, {"hdl": 50, "cholesterol_total": 200}],
    ),
    "ldl_within_total": (
        [{"ldl": 111, "cholesterol_total": 100}],
        [{"ldl": 110, "cholesterol_total": 100}, {"ldl": 5, "cholesterol_total": 200}],
    ),
    "fractions_within_total": (
        [{"ldl": 150, "hdl": 75, "cholesterol_total": 200}],
        [{"ldl": 150, "hdl": 70, "cholesterol_total": 198}, {"ldl": 100, "hdl": 50, "cholesterol_total": 180}],
    ),
    "friedewald_ldl": (
        [{"cholesterol_total": 200, "hdl": 50, "triglycerides": 150, "ldl": value} for value in (89, 151)],
        [{"cholesterol_total": 200, "hdl": 50, "triglycerides": 150, "ldl": value} for value in (90, 120, 150)]
        + [{"cholesterol_total": 200, "hdl": 50, "triglycerides": 500, "ldl": 10}],
    ),
    "direct_bilirubin_within_total": (
        [{"bilirubin_direct": 1.2, "bilirubin_total": 1}],
        [{"bilirubin_direct": 1.1, "bilirubin_total": 1}, {"bilirubin_direct": 0.2, "bilirubin_total": 1}],
    ),
    "glucose_and_hba1c": (
        [{"hba1c": 6, "glucose": 31}, {"hba1c": 6, "glucose": 503}],
        [
            {"hba1c": 6, "glucose": 32},
            {"hba1c": 6, "glucose": 125},
            {"hba1c": 6, "glucose": 502},
            {"hba1c": 3.5, "glucose": 300},
        ],
    ),
    "hba1c_without_diabetes": (
        [{"hba1c": 6.5, "diabetes": False}],
        [{"hba1c": 6.4, "diabetes": False}, {"hba1c": 9, "diabetes": True}],
    ),
    "egfr_and_creatinine": (
        [{"age_years": 18, "creatinine": 2, "egfr": 61}],
        [
            {"age_years": 18, "creatinine": 2, "egfr": 60},
            {"age_years": 18, "creatinine": 1.9, "egfr": 90},
            {"age_years": 17, "creatinine": 2, "egfr": 90},
        ],
    ),
    "end_stage_creatinine": (
        [{"end_stage_renal_disease": True, "age_years": 40, "creatinine": 0.9}],
        [
            {"end_stage_renal_disease": True, "age_years": 40, "creatinine": 1.0},
            {"end_stage_renal_disease": False, "age_years": 40, "creatinine": 0.9},
            {"end_stage_renal_disease": True, "age_years": 2, "creatinine": 0.9},
        ],
    ),
    "blood_ph_limits": between("ph", 6.8, 8.0, 0.01),
    "ph_scale": between("ph", 6.3, 8.2, 0.01),
    "systolic_above_diastolic": (
        [{"systolic_bp": 80, "diastolic_bp": 80}, {"systolic_bp": 70, "diastolic_bp": 80}],
        [{"systolic_bp": 81, "diastolic_bp": 80}],
    ),
    "mean_pressure_between": (
        [{"diastolic_bp": 70, "mean_arterial_pressure": value, "systolic_bp": 120} for value in (59, 131)],
        [{"diastolic_bp": 70, "mean_arterial_pressure": value, "systolic_bp": 120} for value in (60, 87, 130)],
    ),
    "oxygen_saturation_share": between("spo2", 0, 100, 1),
    "coma_scale_range": between("gcs_total", 3, 15, 1),
    "coma_scale_eye": between("gcs_eye", 1, 4, 1),
    "coma_scale_verbal": between("gcs_verbal", 1, 5, 1),
    "coma_scale_motor": between("gcs_motor", 1, 6, 1),
    "coma_scale_is_sum": (
        [{"gcs_eye": 4, "gcs_verbal": 5, "gcs_motor": 6, "gcs_total": 14}],
        [{"gcs_eye": 4, "gcs_verbal": 5, "gcs_motor": 6, "gcs_total": 15}],
    ),
    "statistics_in_order": (
        [
            {"lactate_min": 2, "lactate_mean": 1, "lactate_max": 5},
            {"lactate_min": 2, "lactate_mean": 6, "lactate_max": 5},
            {"lactate_min": 6, "lactate_mean": None, "lactate_max": 5},
        ],
        [
            {"lactate_min": 2, "lactate_mean": 2, "lactate_max": 2},
            {"lactate_min": 2, "lactate_mean": 3, "lactate_max": 5},
        ],
    ),
    "no_diabetes_medication_no_drug": (
        [{"diabetes_medication": False, "diabetes_drug": dose} for dose in ("Steady", "Up", "Down")],
        [{"diabetes_medication": False, "diabetes_drug": "No"}, {"diabetes_medication": True, "diabetes_drug": "Up"}],
    ),
    "medication_change_needs_medication": (
        [{"diabetes_medication_change": "Ch", "diabetes_medication": False}],
        [
            {"diabetes_medication_change": "Ch", "diabetes_medication": True},
            {"diabetes_medication_change": "No", "diabetes_medication": False},
        ],
    ),
    "dose_change_is_change": (
        [{"diabetes_drug": "Up", "diabetes_medication_change": "No"}],
        [
            {"diabetes_drug": "Up", "diabetes_medication_change": "Ch"},
            {"diabetes_drug": "Steady", "diabetes_medication_change": "No"},
        ],
    ),
}
"""Rule id → rows that break it, rows that do not."""


def column(name: str) -> Column:
    """The column of a term as preparation would make it, without bounds that could interfere."""
    if name in catalogue():
        return catalogue().column(name).model_copy(update={"minimum": None, "maximum": None, "decimals": 2})
    term = rule_book().term(name)
    return Column(name=name, kind=Kind(term.kind or "numeric"), unit=term.unit, label=term.label)


def table(rows: list[Row]) -> tuple[pd.DataFrame, TableSchema]:
    """The rows as a conformed table."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    schema = TableSchema(columns=tuple(column(name) for name in names))
    return conform(pd.DataFrame(rows, columns=names), schema), schema
