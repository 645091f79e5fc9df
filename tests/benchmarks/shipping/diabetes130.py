"""Diabetes 130-US hospitals as a patient table of the catalogue: inpatient encounters of people with diabetes.

Codes become the names that the catalogue, the vocabulary and MIMIC-III's table use, so that one request reads both.
The release names three diagnoses per encounter, whose codes other than diabetes (250) are cut to three digits:
comorbidities are told as far as three digits tell them, and are fewer than a complete coding would give.
"""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd

FILE = "diabetes130_full.csv.gz"
_NO_CANCER = (166, 167, 168, 169, 173, 177, 178)
"""Skin other than melanoma (173), and numbers that ICD-9-CM does not use."""
FLAGS: dict[str, tuple[str, ...]] = {
    "hypertension": ("401", "402", "403", "404", "405"),
    "heart_failure": ("428",),
    "coronary_artery_disease": ("410", "411", "412", "413", "414"),
    "myocardial_infarction": ("410", "412"),
    "cardiac_arrhythmia": ("427",),
    "peripheral_vascular_disease": ("440", "441", "443"),
    "stroke": ("430", "431", "432", "434", "436"),
    "renal_failure": ("585", "586"),
    "acute_kidney_injury": ("584",),
    "copd": ("491", "492", "496"),
    "asthma": ("493",),
    "pneumonia": ("480", "481", "482", "483", "484", "485", "486"),
    "sepsis": ("038",),
    "fluid_electrolyte_disorder": ("276",),
    "anemia": ("280", "281", "282", "283", "284", "285"),
    "hyperlipidemia": ("272",),
    "obesity": ("278",),
    "hypothyroidism": ("243", "244"),
    "cancer": tuple(str(code) for code in range(140, 209) if code not in _NO_CANCER),
}
"""Comorbidities of ``assets/comorbidities.yaml`` that three digits tell, by ICD-9-CM category.

The categories hold little else: 427 also cardiac arrest, 434 occlusion without infarction, 272 and 278 rarer disorders.
"""

_CODES = ("diag_1", "diag_2", "diag_3")
_SULFONYLUREAS = (
    "chlorpropamide", "glimepiride", "acetohexamide", "glipizide", "glyburide", "tolbutamide", "tolazamide",
    "glyburide-metformin", "glipizide-metformin", "glimepiride-pioglitazone",
)  # fmt: skip
_GLITAZONES = (
    "pioglitazone", "rosiglitazone", "troglitazone", "glimepiride-pioglitazone", "metformin-rosiglitazone",
    "metformin-pioglitazone",
)  # fmt: skip
_METFORMIN = (
    "metformin", "glyburide-metformin", "glipizide-metformin", "metformin-rosiglitazone", "metformin-pioglitazone",
)  # fmt: skip
_OTHER_ORAL = ("repaglinide", "nateglinide", "acarbose", "miglitol")
_ETHNICITY = {
    "Caucasian": "WHITE", "AfricanAmerican": "BLACK", "Hispanic": "HISPANIC", "Asian": "ASIAN", "Other": "OTHER",
}  # fmt: skip
_ADMISSION_TYPE = {"1": "EMERGENCY", "2": "URGENT", "3": "ELECTIVE", "4": "NEWBORN", "7": "EMERGENCY"}
"""A trauma center (7) admits emergencies."""
_ADMISSION_SOURCE = {
    "1": "PHYS REFERRAL/NORMAL DELI", "2": "CLINIC REFERRAL/PREMATURE", "3": "HMO REFERRAL/SICK",
    "4": "TRANSFER FROM HOSP/EXTRAM", "5": "TRANSFER FROM SKILLED NUR", "6": "TRANSFER FROM OTHER HEALT",
    "7": "EMERGENCY ROOM ADMIT", "10": "TRANSFER FROM HOSP/EXTRAM", "11": "PHYS REFERRAL/NORMAL DELI",
    "12": "CLINIC REFERRAL/PREMATURE", "13": "HMO REFERRAL/SICK", "14": "TRANSFER FROM HOSP/EXTRAM",
    "18": "TRANSFER FROM OTHER HEALT", "19": "TRANSFER FROM OTHER HEALT", "22": "TRSF WITHIN THIS FACILITY",
    "25": "TRANSFER FROM OTHER HEALT", "26": "TRANSFER FROM OTHER HEALT",
}  # fmt: skip
_DISCHARGE = {
    "1": "HOME", "2": "SHORT TERM HOSPITAL", "3": "SNF", "4": "ICF", "5": "OTHER FACILITY", "6": "HOME HEALTH CARE",
    "7": "LEFT AGAINST MEDICAL ADVI", "8": "HOME WITH HOME IV PROVIDR", "10": "SHORT TERM HOSPITAL",
    "11": "DEAD/EXPIRED", "13": "HOSPICE-HOME", "14": "HOSPICE-MEDICAL FACILITY", "15": "OTHER FACILITY",
    "16": "OTHER FACILITY", "17": "OTHER FACILITY", "19": "DEAD/EXPIRED", "20": "DEAD/EXPIRED", "21": "DEAD/EXPIRED",
    "22": "REHAB/DISTINCT PART HOSP", "23": "LONG TERM CARE HOSPITAL", "24": "SNF-MEDICAID ONLY CERTIF",
    "27": "DISC-TRAN TO FEDERAL HC", "28": "DISCH-TRAN TO PSYCH HOSP", "29": "SHORT TERM HOSPITAL",
    "30": "OTHER FACILITY",
}  # fmt: skip
DEAD = "DEAD/EXPIRED"
_SPECIALTY = {
    "InternalMedicine": "INTERNAL MEDICINE", "Hospitalist": "INTERNAL MEDICINE", "Emergency": "EMERGENCY",
    "Family": "FAMILY PRACTICE", "Cardiology": "CARDIOLOGY", "Surg": "SURGERY", "Nephrology": "NEPHROLOGY",
    "Orthopedics": "ORTHOPEDICS", "Radiolog": "RADIOLOGY", "Pulmonology": "PULMONOLOGY", "Psych": "PSYCHIATRY",
    "Urology": "UROLOGY", "Obst": "OBSTETRICS/GYNECOLOGY", "Obsterics": "OBSTETRICS/GYNECOLOGY",
    "Gynecology": "OBSTETRICS/GYNECOLOGY", "Gastroenterology": "GASTROENTEROLOGY", "Physical": "REHABILITATION",
    "Oncology": "ONCOLOGY/HEMATOLOGY", "Hematology": "ONCOLOGY/HEMATOLOGY", "Pediatrics": "PEDIATRICS",
    "Neurology": "NEUROLOGY", "Endocrinology": "ENDOCRINOLOGY",
}  # fmt: skip
"""Beginnings of the release's 72 names; the others are ``OTHER``."""
OTHER_SPECIALTY = "OTHER"
SPECIALTIES = (*sorted(set(_SPECIALTY.values())), OTHER_SPECIALTY)
_HBA1C = {"Norm": "NORMAL", ">7": "ABOVE 7", ">8": "ABOVE 8"}
_GLUCOSE = {"Norm": "NORMAL", ">200": "ABOVE 200", ">300": "ABOVE 300"}
_HOURS_PER_DAY = 24


def encounters(folder: Path) -> pd.DataFrame:
    """All encounters, one row each, in the catalogue's names and units; ``patient_id`` names the patient.

    Args:
        folder: the one that holds the release.
    """
    raw = pd.read_csv(folder / FILE, dtype=str, keep_default_na=False)
    codes = raw[list(_CODES)].map(_code)
    return pd.concat([_person(raw), _admission(raw), _diagnoses(raw, codes), _treatment(raw), _outcome(raw)], axis=1)


def _person(raw: pd.DataFrame) -> pd.DataFrame:
    decade = pd.to_numeric(raw["age"].str.extract(r"\[(\d+)-")[0])
    return pd.DataFrame(
        {
            "patient_id": raw["patient_nbr"],
            "sex": raw["gender"].map({"Female": "F", "Male": "M"}),
            # Decades are all that is recorded; the year within is drawn, so that "over 65" takes half of the sixties.
            "age_years": (decade + _within(raw["encounter_id"], 10)).astype("float64"),
            "ethnicity": raw["race"].map(_ETHNICITY),
        }
    )


def _within(names: pd.Series, size: int) -> np.ndarray:
    """A number below ``size`` for each name, the same whenever and beside whomever it is asked."""
    return np.array([hashlib.sha256(f"year {name}".encode()).digest()[0] * size // 256 for name in names])


def _admission(raw: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "admission_type": raw["admission_type_id"].map(_ADMISSION_TYPE),
            "admission_source": raw["admission_source_id"].map(_ADMISSION_SOURCE),
            "medical_specialty": raw["medical_specialty"].map(_specialty),
            "prior_admission_count": _count(raw["number_inpatient"]),
            "emergency_visit_count": _count(raw["number_emergency"]),
            "outpatient_visit_count": _count(raw["number_outpatient"]),
        }
    )


def _specialty(name: str) -> str | None:
    if name in ("", "PhysicianNotFound"):
        return None
    return next((group for start, group in _SPECIALTY.items() if name.startswith(start)), OTHER_SPECIALTY)


def _diagnoses(raw: pd.DataFrame, codes: pd.DataFrame) -> pd.DataFrame:
    described = codes.notna().any(axis=1)
    of_diabetes = _any_starts(codes, ("250",))
    # The fifth digit tells the type (1, 3: type 1; 0, 2: type 2 or unspecified); nothing does where no 250 is named.
    type_1 = codes.apply(lambda code: code.str.fullmatch(r"250\d[13]", na=False)).any(axis=1)
    flags = {
        name: _any_starts(codes, beginnings).astype("boolean").mask(~described) for name, beginnings in FLAGS.items()
    }
    return pd.DataFrame(
        {
            "primary_icd9_code": codes["diag_1"],
            "icd9_code_count": _count(raw["number_diagnoses"]),
            "diabetes": pd.Series(True, index=raw.index, dtype="boolean"),
            "diabetes_type_1": type_1.astype("boolean").mask(~of_diabetes),
            "diabetes_type_2": (of_diabetes & ~type_1).astype("boolean").mask(~of_diabetes),
            **flags,
        }
    )


def _code(text: str) -> str | None:
    """An ICD-9-CM code without the dot: the category, and all five digits of diabetes.

    The release writes codes as decimal numbers, so that leading zeros (038) and closing ones (250.60) are lost.
    """
    if not text:
        return None
    category, _, digits = text.partition(".")
    category = category if category[0] in "EV" else category.zfill(3)
    return category + digits.ljust(2, "0")[:2] if category == "250" else category


def _any_starts(codes: pd.DataFrame, beginnings: tuple[str, ...]) -> pd.Series:
    return codes.apply(lambda code: code.str.startswith(beginnings, na=False)).any(axis=1)


def _treatment(raw: pd.DataFrame) -> pd.DataFrame:
    def given(*names: str) -> pd.Series:
        return (raw[list(names)] != "No").any(axis=1).astype("boolean")

    return pd.DataFrame(
        {
            "hba1c_class": raw["A1Cresult"].map(_HBA1C),
            "glucose_class": raw["max_glu_serum"].map(_GLUCOSE),
            "insulin": given("insulin"),
            "oral_antidiabetic": given(*{*_METFORMIN, *_SULFONYLUREAS, *_GLITAZONES, *_OTHER_ORAL}),
            "metformin": given(*_METFORMIN),
            "sulfonylurea": given(*_SULFONYLUREAS),
            "thiazolidinedione": given(*_GLITAZONES),
            "diabetes_drugs_changed": (raw["change"] == "Ch").astype("boolean"),
            "length_of_stay_hours": pd.to_numeric(raw["time_in_hospital"]).astype("float64") * _HOURS_PER_DAY,
            "laboratory_test_count": _count(raw["num_lab_procedures"]),
            "procedure_count": _count(raw["num_procedures"]),
            "drug_count": _count(raw["num_medications"]),
        }
    )


def _outcome(raw: pd.DataFrame) -> pd.DataFrame:
    destination = raw["discharge_disposition_id"].map(_DISCHARGE)
    died = (destination == DEAD).astype("boolean").mask(destination.isna())
    readmitted = (raw["readmitted"] == "<30").astype("boolean")
    return pd.DataFrame(
        {
            "discharge_destination": destination,
            "died_in_hospital": died,
            # Of the dead nobody can be; the release writes "NO" for them.
            "readmitted_within_30_days": readmitted.mask(died.fillna(False).astype(bool)),
        }
    )


def _count(values: pd.Series) -> pd.Series:
    return pd.to_numeric(values).astype("Int64")
