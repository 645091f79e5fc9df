"""Schemas that look like the real sources, and a shorthand for the specs that requests should become."""

import re
from pathlib import Path

import yaml

from engine.cohort.spec import CohortSpec, Criterion, Share, Value
from engine.schema.table import Column, Kind, Role, TableSchema

HERE = Path(__file__).parent

_NUMERIC = {
    "age_years": ("Age", "years", 0, 90), "length_of_stay_hours": ("Length of stay", "h", 0, 8784),
    "bmi": ("Body mass index", "kg/m2", 10, 80), "hemoglobin": ("Hemoglobin", "g/dL", 2, 25),
    "hematocrit": ("Hematocrit", "%", 5, 75), "white_cell_count": ("White cell count", "10^9/L", 0, 500),
    "weight_kg": ("Weight", "kg", 0.3, 400), "height_cm": ("Height", "cm", 20, 250),
    "platelets": ("Platelets", "10^9/L", 1, 2500), "sodium": ("Sodium", "mmol/L", 90, 190),
    "potassium": ("Potassium", "mmol/L", 1, 12), "urea_nitrogen": ("Urea nitrogen", "mg/dL", 1, 300),
    "creatinine": ("Creatinine", "mg/dL", 0.1, 30), "glucose": ("Glucose", "mg/dL", 10, 2000),
    "hba1c": ("Hemoglobin A1c", "%", 3, 20), "albumin": ("Albumin", "g/dL", 0.5, 8),
    "lactate": ("Lactate", "mmol/L", 0.1, 40), "inr": ("INR", None, 0.5, 25), "ph": ("Arterial pH", None, 6.5, 8),
    "heart_rate": ("Heart rate", "bpm", 0, 300), "systolic_bp": ("Systolic blood pressure", "mmHg", 20, 300),
    "diastolic_bp": ("Diastolic blood pressure", "mmHg", 10, 200), "temperature_c": ("Temperature", "°C", 25, 45),
    "spo2": ("Oxygen saturation", "%", 10, 100), "icu_days": ("Days in intensive care", "days", 0, 366),
}  # fmt: skip
_FLAGS = (
    "died_in_hospital diabetes diabetes_type_1 diabetes_type_2 hypertension heart_failure atrial_fibrillation "
    "myocardial_infarction coronary_artery_disease chronic_pulmonary_disease copd renal_failure acute_kidney_injury "
    "liver_disease cancer metastatic_cancer stroke sepsis pneumonia obesity anemia coagulopathy depression "
    "alcohol_abuse drug_abuse hypothyroidism dementia pregnancy insulin metformin vasopressor beta_blocker statin "
    "anticoagulant antibiotic corticosteroid mechanical_ventilation readmitted_within_30_days"
).split()
_CATEGORIES = {
    "sex": ("F", "M"),
    "ethnicity": ("ASIAN", "BLACK", "HISPANIC", "OTHER", "WHITE"),
    "admission_type": ("ELECTIVE", "EMERGENCY", "NEWBORN", "URGENT"),
    "insurance": ("Government", "Medicaid", "Medicare", "Private", "Self Pay"),
    "marital_status": ("DIVORCED", "MARRIED", "SINGLE", "WIDOWED"),
}


def mimic_like() -> TableSchema:
    """The shape of the prepared MIMIC-III patient table (catalogue names, no values)."""
    columns = [
        Column(name="patient_id", kind=Kind.CATEGORICAL, role=Role.PATIENT_KEY),
        Column(name="admission_id", kind=Kind.CATEGORICAL, role=Role.EXCLUDED),
        Column(name="icd9_code_count", kind=Kind.INTEGER, label="Number of ICD-9 codes", minimum=0, maximum=39),
        Column(name="primary_icd9_code", kind=Kind.CATEGORICAL, label="Primary ICD-9 code", code_system="icd9"),
        *(Column(name=name, kind=Kind.CATEGORICAL, categories=known) for name, known in _CATEGORIES.items()),
        *(Column(name=name, kind=Kind.BOOLEAN) for name in _FLAGS),
        *(
            Column(name=name, kind=Kind.NUMERIC, label=label, unit=unit, minimum=low, maximum=high)
            for name, (label, unit, low, high) in _NUMERIC.items()
        ),
    ]
    return TableSchema(columns=tuple(columns))


def diabetes_like() -> TableSchema:
    """The shape of an uploaded table with bands as categories (as Diabetes-130 has them)."""
    doses = ("Down", "No", "Steady", "Up")
    categories = {
        "race": ("AfricanAmerican", "Asian", "Caucasian", "Hispanic", "Other"),
        "gender": ("Female", "Male"),
        "age": tuple(f"[{low}-{low + 10})" for low in range(0, 100, 10)),
        "admission_type": ("Elective", "Emergency", "NotAvailable", "Trauma", "Urgent"),
        "discharge_disposition": ("Expired", "Home", "HomeHealth", "Rehab", "SNF"),
        "medical_specialty": ("Cardiology", "Emergency/Trauma", "InternalMedicine", "Nephrology"),
        "diag_1_chapter": ("circulatory", "diabetes(250)", "respiratory", "neoplasms"),
        "A1Cresult": (">7", ">8", "Norm", "NotMeasured"),
        "max_glu_serum": (">200", ">300", "Norm", "NotMeasured"),
        "metformin": doses,
        "insulin": doses,
        "change": ("Ch", "No"),
        "diabetesMed": ("No", "Yes"),
        "readmitted": ("<30", ">30", "NO"),
    }
    return TableSchema(
        columns=(
            *(Column(name=name, kind=Kind.CATEGORICAL, categories=known) for name, known in categories.items()),
            Column(name="time_in_hospital", kind=Kind.INTEGER, minimum=1, maximum=14),
            Column(name="num_medications", kind=Kind.INTEGER, minimum=1, maximum=81),
            Column(name="num_lab_procedures", kind=Kind.INTEGER, minimum=1, maximum=132),
        )
    )


def load(name: str) -> dict | list:
    """A table of requests beside this file."""
    return yaml.safe_load((HERE / name).read_text(encoding="utf-8"))


def spec_of(shorthand: str) -> CohortSpec:
    """The spec that a shorthand such as ``"2000; sex = F; age_years > 65; share sex=F 0.5"`` stands for."""
    fields: dict = {"criteria": [], "shares": []}
    for part in filter(None, (piece.strip() for piece in shorthand.split(";"))):
        if part.isdigit():
            fields["patients"] = int(part)
        elif part.startswith("share "):
            column, category, share = re.fullmatch(r"share (\w+)=(\S+) (\S+)", part).groups()
            fields["shares"].append(Share(column=column, category=_value(category), share=float(share)))
        elif part.startswith("columns "):
            fields["columns"] = tuple(part.removeprefix("columns ").split(","))
        elif part.startswith("population "):
            fields["reference_population"] = part.removeprefix("population ")
        else:
            fields["criteria"].append(_criterion(part))
    return CohortSpec(**fields)


def _criterion(part: str) -> Criterion:
    column, operator, *rest = part.split(" ", 2)
    text = rest[0] if rest else ""
    values = tuple(_value(value) for value in text.split("|"))
    match operator:
        case "recorded":
            return Criterion(column=column, recorded=True)
        case "=":
            return Criterion(column=column, any_of=values)
        case "!=":
            return Criterion(column=column, none_of=values)
        case "^":
            return Criterion(column=column, starts_with=tuple(text.split("|")))
        case "!^":
            return Criterion(column=column, not_starts_with=tuple(text.split("|")))
        case "codes":
            low, high = text.split("-")
            return Criterion(column=column, between_codes=((low, high),))
        case "ranges":
            pairs = (pair.split("..") for pair in text.split("|"))
            return Criterion(
                column=column,
                ranges=tuple((float(a) if a else None, float(b) if b else None) for a, b in pairs),
            )
        case ">" | ">=":
            return Criterion(column=column, minimum=float(text), include_minimum=operator == ">=")
        case "<" | "<=":
            return Criterion(column=column, maximum=float(text), include_maximum=operator == "<=")
    low, high = operator.split("..")
    return Criterion(
        column=column,
        minimum=float(low.rstrip(">")),
        maximum=float(high.lstrip("<")),
        include_minimum=not low.endswith(">"),
        include_maximum=not high.startswith("<"),
    )


def _value(text: str) -> Value:
    return {"true": True, "false": False}.get(text, text)
