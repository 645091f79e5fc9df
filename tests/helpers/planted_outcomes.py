"""Admissions whose death and length of stay follow known formulas, for the figures that are computed from them."""

import numpy as np
import pandas as pd

from engine.evaluation.cells import Sample
from engine.schema.catalogue import catalogue
from engine.schema.table import TableSchema, conform

NAMES = (
    "patient_id", "sex", "age_years", "admission_type", "heart_failure", "lactate", "creatinine", "hemoglobin",
    "discharge_destination", "length_of_stay_hours", "died_in_hospital",
)  # fmt: skip
SCHEMA = TableSchema(columns=tuple(catalogue().column(name) for name in NAMES))

LOG_ODDS = {"age_years": 0.03, "lactate": 0.4, "heart_failure": 0.7}
"""Per year, per mmol/L, with or without."""


def admissions(
    rows: int, *, seed: int = 0, per_patient: int = 1, flip: tuple[str, ...] = (), is_random: bool = False
) -> pd.DataFrame:
    """``rows`` admissions, deaths after the log-odds above (about 18 %).

    Args:
        rows: how many.
        seed: of the draw.
        per_patient: how many identical rows each patient has.
        flip: covariates whose effect has the opposite sign.
        is_random: death depends on nothing.
    """
    rng = np.random.default_rng(seed)
    patients = rows // per_patient
    frame = pd.DataFrame(
        {
            "patient_id": [f"P{seed}-{number}" for number in range(patients)],
            "sex": rng.choice(["F", "M"], patients),
            "age_years": rng.normal(65, 12, patients).clip(18, 95).round(1),
            "admission_type": rng.choice(["ELECTIVE", "EMERGENCY", "URGENT"], patients, p=[0.3, 0.6, 0.1]),
            "heart_failure": rng.random(patients) < 0.3,
            "lactate": rng.gamma(4, 0.5, patients).round(1),
            "creatinine": rng.gamma(4, 0.3, patients).round(2),
            "hemoglobin": rng.normal(11, 1.8, patients).round(1),
        }
    )
    signs = {name: -1 if name in flip else 1 for name in LOG_ODDS}
    centre = {"age_years": 65, "lactate": 2, "heart_failure": 0.3}
    effect = sum(signs[name] * LOG_ODDS[name] * (frame[name].astype(float) - centre[name]) for name in LOG_ODDS)
    effect = np.zeros(patients) if is_random else np.asarray(effect)
    died = rng.random(patients) < 1 / (1 + np.exp(-(effect - 1.8)))
    frame["died_in_hospital"] = died
    frame["discharge_destination"] = np.where(died, "DEAD/EXPIRED", "HOME")
    frame["length_of_stay_hours"] = np.exp(rng.normal(4.5 + 0.3 * effect, 0.5)).round(1)
    return conform(frame.loc[np.repeat(np.arange(patients), per_patient)].reset_index(drop=True), SCHEMA)


def sample(frame: pd.DataFrame) -> Sample:
    """The rows with their patients."""
    return Sample.of(frame, SCHEMA)


def cohort(frame: pd.DataFrame) -> Sample:
    """The rows as a synthetic cohort: each a patient of its own."""
    return Sample(frame.drop(columns="patient_id"))
