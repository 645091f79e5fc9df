"""NHANES 1999–2018 as a patient table of the catalogue: examined adults, with a weight for the US population.

What an empty cell means is decided here, once, for every question that was not put to everybody (the questionnaires'
skip patterns), and written on the model's card. Quantities come in the catalogue's units.
"""

from pathlib import Path

import numpy as np
import pandas as pd

FILE = "nhanes_1999_2018_all.csv.gz"
YOUNGEST = 20
"""Adults, as NCHS tabulates them."""
OLDEST = 80
"""NHANES writes 80 for everybody older since 2007 and 85 before; all cycles are brought to 80 here."""
DIABETIC_HBA1C = 6.5
"""Per cent, the diagnostic threshold of the American Diabetes Association."""
TYPE_1_BELOW = 40
"""Age at the survey below which insulin without an oral drug is taken for type 1; age at diagnosis is not recorded."""
LAST_ASKED_PREGNANT = 44
"""Pregnancy is published for women of 20–44 in every cycle, and to 59 until 2006."""

_GLUCOSE = 18.016
_CHOLESTEROL = 38.67
_TRIGLYCERIDES = 88.57
"""mg/dL in one mmol/L, as in the catalogue."""
_LONGEST_FAST = 48
"""Hours; the few longer ones are slips of the interview."""
_EXAMINATIONS = ("height_cm", "bmi", "waist_cm", "sbp_mmhg", "hba1c_pct", "serum_glucose_mmol_l", "fasting_hours")
_ETHNICITY = {
    "Non-Hispanic White": "WHITE", "Non-Hispanic Black": "BLACK", "Mexican American": "HISPANIC",
    "Other Hispanic": "HISPANIC", "Other/Multi-racial": "OTHER",
}  # fmt: skip
_EDUCATION = {
    "<9th grade": "BELOW 9TH GRADE", "9-11th grade": "9TH-11TH GRADE", "High school/GED": "HIGH SCHOOL",
    "Some college/AA": "SOME COLLEGE", "College graduate": "COLLEGE GRADUATE",
}  # fmt: skip
_AGE_BANDS = (YOUNGEST, 40, 60, 70, np.inf)
"""Of the weights' cells: within one of them, survey weights differ little but for the examination's non-response."""


def adults(folder: Path) -> pd.DataFrame:
    """Examined adults of NHANES 1999–2018, one row each, in the catalogue's names and units.

    Beside the catalogue's columns there are ``cycle`` (``"1999-2000"`` …) and ``weight``: how many adults of the US
    population of one cycle the person stands for (:func:`cell_weights`).

    Args:
        folder: the one that holds the merged file of all cycles.
    """
    raw = pd.read_csv(folder / FILE, low_memory=False)
    examined = raw[list(_EXAMINATIONS)].notna().any(axis=1)
    raw = raw.loc[(raw["age_years"] >= YOUNGEST) & examined].reset_index(drop=True)
    table = pd.concat([_person(raw), _body(raw), _blood(raw), _history(raw), _diabetes(raw)], axis=1)
    return table.assign(cycle=raw["cycle"], weight=cell_weights(raw, table["pregnancy"]))


def cell_weights(raw: pd.DataFrame, pregnant: pd.Series) -> pd.Series:
    """Adults of the population per examined person, float64, from the weights of the fasting subsample.

    Only the fasting subsample's weights are in the merged file. Their sum over a cell (cycle × age band × sex ×
    ethnic group; pregnant women, who were oversampled until 2006, by cycle alone) estimates the cell's share of the
    population; divided by its examined adults it is a weight that everybody in the cell has.
    """
    bands = pd.cut(raw["age_years"], list(_AGE_BANDS), right=False, labels=False)
    cell = raw["cycle"] + "|" + raw["sex"] + "|" + raw["ethnicity"] + "|" + bands.astype(str)
    cell = cell.where(~pregnant.fillna(False).astype(bool), raw["cycle"] + "|pregnant")
    total = raw["fasting_subsample_weight"].groupby(cell).sum()
    return cell.map(total / cell.value_counts()).astype("float64")


def _person(raw: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "patient_id": raw["seqn"].astype(str),
            "age_years": raw["age_years"].clip(upper=OLDEST).astype("float64"),
            "sex": raw["sex"].map({"female": "F", "male": "M"}),
            "ethnicity": raw["ethnicity"].map(_ETHNICITY),
            "education": raw["education"].map(_EDUCATION),
            "born_in_us": _told(raw["born_usa"]),
            "survey_year": raw["cycle"].str[:4].astype("Int64"),
            "pregnancy": _pregnancy(raw),
        }
    )


def _pregnancy(raw: pd.DataFrame) -> pd.Series:
    # Nobody else was asked, or the answer is not published: of the women of 45–59 who were, fewer than 1 in 100 were
    # pregnant.
    beyond = (raw["sex"] == "male") | (raw["age_years"] > LAST_ASKED_PREGNANT)
    told = _told(raw["pregnancy"])
    return told.mask(told.isna() & beyond, False)


def _body(raw: pd.DataFrame) -> pd.DataFrame:
    weight = raw["weight_kg_derived"]
    return pd.DataFrame(
        {
            "height_cm": raw["height_cm"],
            "weight_kg": weight,
            "bmi": (weight / (raw["height_cm"] / 100) ** 2).round(1),
            "waist_cm": raw["waist_cm"],
            "systolic_bp": raw["sbp_mmhg"].round(),
            "diastolic_bp": raw["dbp_mmhg"].round(),
        }
    )


def _blood(raw: pd.DataFrame) -> pd.DataFrame:
    fasted = raw["fasting_hours"]
    return pd.DataFrame(
        {
            "hba1c": raw["hba1c_pct"],
            "glucose": (raw["serum_glucose_mmol_l"] * _GLUCOSE).round(),
            "fasting_hours": fasted.mask(fasted > _LONGEST_FAST),
            "cholesterol_total": (raw["total_chol_mmol_l"] * _CHOLESTEROL).round(),
            "hdl": (raw["hdl_mmol_l"] * _CHOLESTEROL).round(),
            "ldl": (raw["ldl_mmol_l"] * _CHOLESTEROL).round(),
            "triglycerides": (raw["triglycerides_mmol_l"] * _TRIGLYCERIDES).round(),
        }
    )


def _history(raw: pd.DataFrame) -> pd.DataFrame:
    hypertension = _told(raw["hypertension_dx"])
    parts = [_told(raw[name]) for name in ("chd_dx", "angina_dx", "heart_attack_dx")]
    coronary = parts[0] | parts[1] | parts[2]  # of missing answers, a "yes" beside them decides
    return pd.DataFrame(
        {
            "hypertension": hypertension,
            # Asked of those who were told of hypertension and then told to take drugs.
            "antihypertensive": _told(raw["takes_bp_med"]).fillna(False).mask(hypertension.isna()),
            # Asked of those told of high cholesterol, since 2011 of all whose cholesterol was checked.
            "lipid_drug_advised": _told(raw["told_lipid_med"]).fillna(False).mask(hypertension.isna()),
            "heart_failure": _told(raw["heart_failure_dx"]),
            "coronary_artery_disease": coronary,
            "angina": parts[1],
            "myocardial_infarction": parts[2],
            "stroke": _told(raw["stroke_dx"]),
            # Asked of those who have smoked 100 cigarettes in their life; nobody else smokes now.
            "smoking": raw["smoking_now"].isin(["every day", "some days"]).astype("boolean"),
            "family_history_diabetes": _told(raw["family_history_diabetes"]),
        }
    )


def _diabetes(raw: pd.DataFrame) -> pd.DataFrame:
    told = raw["diabetes_dx"].map({"yes": True, "no": False, "borderline": False}).astype("boolean")
    insulin, oral = _told(raw["takes_insulin"]), _told(raw["takes_oral_diabetes_med"])
    insulin = insulin.mask(insulin.isna() & ~told, False)
    oral = oral.mask(oral.isna() & ~told, False)  # the question is put after a diagnosis
    in_range = (raw["hba1c_pct"] >= DIABETIC_HBA1C).astype("boolean").mask(raw["hba1c_pct"].isna())
    # Pregnancy raises glucose by itself; a diagnosis was asked for "other than during pregnancy".
    in_range = in_range.mask(_pregnancy(raw).fillna(False).astype(bool), False)
    diabetes = told | in_range
    young_on_insulin = insulin & ~oral & (raw["age_years"] < TYPE_1_BELOW).astype("boolean")
    type_1 = told & young_on_insulin
    return pd.DataFrame(
        {
            "diabetes": diabetes,
            "diabetes_diagnosed": told,
            "diabetes_type_1": type_1,
            "diabetes_type_2": diabetes & ~type_1,
            "insulin": insulin,
            "oral_antidiabetic": oral,
        }
    )


def _told(answers: pd.Series) -> pd.Series:
    """``yes`` and ``no`` as booleans; what is empty stays missing."""
    return answers.map({"yes": True, "no": False}).astype("boolean")
