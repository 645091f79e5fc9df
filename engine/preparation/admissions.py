"""One row per hospital admission: person, stay and intensive care, from ADMISSIONS, PATIENTS and ICUSTAYS.

Ages are completed years with one decimal, counted from the day of birth to the day of admission (never from calendar
years alone). MIMIC-III moves the birth of patients over 89 some 300 years back; they are given as 90.
"""

import pandas as pd

from engine.core.errors import DataError
from engine.preparation.report import Tally
from engine.sources.mimic3 import Mimic3Folder

AGE_CAP = 90
LOOK_BACK_HOURS = 24
"""Measurements count from this long before admission (emergency department), but not into the previous admission."""
READMISSION_DAYS = 30

ETHNICITY_GROUPS = (
    ("WHITE", ("WHITE",)),
    ("BLACK", ("BLACK", "CARIBBEAN")),
    ("HISPANIC", ("HISPANIC", "SOUTH AMERICAN")),
    ("ASIAN", ("ASIAN",)),
)
"""Beginnings of the recorded ethnicity → group, as in the MIMIC Code Repository; whatever else is said is OTHER."""
NOT_SAID = ("UNKNOWN", "UNABLE TO OBTAIN", "PATIENT DECLINED", "UNOBTAINABLE", "NOT SPECIFIED", "** INFO NOT AVAILABLE")

_STAY = f"""
CREATE TEMP TABLE stay AS
WITH dated AS (
    SELECT *, CASE WHEN dischtime >= admittime THEN dischtime END AS discharge,
        lead(admittime) OVER person AS next_admission,
        lag(dischtime) OVER person AS previous_discharge,
        row_number() OVER person - 1 AS earlier
    FROM admissions
    WINDOW person AS (PARTITION BY subject_id ORDER BY admittime, hadm_id)
), born AS (
    SELECT dated.*, patients.subject_id IS NOT NULL AS known, gender, dob,
        date_sub('year', dob, admittime) AS birthdays
    FROM dated LEFT JOIN patients USING (subject_id)
)
SELECT *,
    -- Days since the last birthday over days between birthdays, so that 65.0 begins on the 65th birthday.
    floor(10 * date_diff('day', dob + to_years(birthdays::INTEGER), admittime)
        / date_diff('day', dob + to_years(birthdays::INTEGER), dob + to_years(birthdays::INTEGER + 1))) AS tenths,
    -- greatest and least pass over NULL: without an earlier discharge only the look-back counts.
    greatest(admittime - INTERVAL {LOOK_BACK_HOURS} HOUR,
        CASE WHEN previous_discharge < admittime THEN previous_discharge END) AS opens,
    coalesce(discharge, next_admission, TIMESTAMP '9999-01-01') AS closes
FROM born
"""

_ROWS = f"""
SELECT subject_id::VARCHAR AS patient_id, hadm_id AS admission_id, known,
    upper(trim(gender)) AS sex,
    CASE WHEN admittime < dob OR tenths IS NULL THEN NULL
        WHEN birthdays >= {AGE_CAP} THEN {AGE_CAP}
        ELSE birthdays + least(tenths, 9) / 10 END AS age_years,
    admittime < dob AS unborn, birthdays >= {AGE_CAP} AS over_89,
    upper(trim(ethnicity)) AS ethnicity,
    upper(trim(admission_type)) AS admission_type,
    trim(admission_location) AS admission_source,
    trim(discharge_location) AS discharge_destination,
    trim(insurance) AS insurance,
    trim(marital_status) AS marital_status,
    upper(trim(language)) AS language,
    hospital_expire_flag = 1 AS died_in_hospital,
    epoch(discharge - admittime) / 3600 AS length_of_stay_hours,
    dischtime < admittime AS left_before_coming,
    dischtime IS NULL AS not_discharged,
    earlier AS prior_admission_count,
    CASE WHEN hospital_expire_flag = 1 OR discharge IS NULL THEN NULL
        ELSE coalesce(next_admission <= discharge + INTERVAL {READMISSION_DAYS} DAY, false)
        END AS readmitted_within_30_days
FROM stay ORDER BY subject_id, admittime, hadm_id
"""

_INTENSIVE_CARE = """
SELECT stay.hadm_id AS admission_id, count(i.hadm_id) AS icu_stay_count,
    CASE WHEN bool_or(i.outtime < i.intime OR (i.hadm_id IS NOT NULL AND (i.outtime IS NULL OR i.intime IS NULL)))
        THEN NULL ELSE coalesce(sum(epoch(i.outtime - i.intime)) / 86400, 0) END AS icu_days,
    arg_min(trim(i.first_careunit), i.intime) AS first_care_unit,
    epoch(min(i.intime) - any_value(stay.admittime)) / 3600 AS hours_to_icu
FROM stay LEFT JOIN icustays i USING (hadm_id) GROUP BY stay.hadm_id
"""


def read_stays(folder: Mimic3Folder, tally: Tally) -> pd.DataFrame:
    """The admissions, one row each in the order of patient and time, with text still as recorded.

    Leaves the table ``stay`` in the folder's connection: ``subject_id``, ``hadm_id``, ``admittime`` and the window
    ``opens`` to ``closes`` in which measurements count.

    Raises:
        DataError: ADMISSIONS is empty, repeats a HADM_ID or has none in a row.
    """
    checked = folder.frame("SELECT count(*), count(DISTINCT hadm_id), count(admittime) FROM admissions")
    total, distinct, dated = (int(number) for number in checked.iloc[0])
    if total == 0 or total != distinct or total != dated:
        raise DataError(
            f"ADMISSIONS has {total} rows with {distinct} different HADM_ID and {dated} ADMITTIME",
            remedy="Every admission needs one row with its own HADM_ID and an ADMITTIME; use the table as published.",
        )
    folder.execute(_STAY)
    rows = folder.frame(_ROWS)
    tally.rows_read["ADMISSIONS"] = total
    tally.rows_read["PATIENTS"] = folder.count("SELECT count(*) FROM patients")
    unknown = int((~rows.pop("known")).sum())
    tally.step(
        "admissions", rows_in=total, rows_out=len(rows), note=f"joined with PATIENTS; {unknown} without a patient there"
    )
    _note_times(rows, tally)
    return rows


def _note_times(rows: pd.DataFrame, tally: Tally) -> None:
    unborn, over = (int(rows.pop(name).fillna(False).sum()) for name in ("unborn", "over_89"))
    reversed_stays, open_ended = (
        int(rows.pop(name).fillna(False).sum()) for name in ("left_before_coming", "not_discharged")
    )
    age = tally.column("age_years")
    age.dropped_impossible += unborn
    age.note = (
        "Completed years with one decimal, from date of birth to date of admission; "
        f"{over} ages over 89 (shifted in MIMIC-III) are recorded as {AGE_CAP}."
    )
    stay = tally.column("length_of_stay_hours")
    stay.dropped_impossible += reversed_stays
    stay.note = f"{open_ended} admissions without DISCHTIME are missing; DISCHTIME before ADMITTIME is dropped."
    tally.column("readmitted_within_30_days").note = (
        f"Counted from discharge to the patient's next admission in the source, within {READMISSION_DAYS} days; "
        "missing after a death in hospital and without a discharge time."
    )
    if over:
        tally.notes.append(f"{over} admissions are of patients over 89; their age is {AGE_CAP}.")


def add_intensive_care(rows: pd.DataFrame, folder: Mimic3Folder, tally: Tally) -> pd.DataFrame:
    """``rows`` with ICU days, number of ICU stays, first care unit and hours from admission to it.

    Without the table ICUSTAYS the columns are not added.
    """
    if not folder.has("ICUSTAYS"):
        return rows
    stays = folder.frame(_INTENSIVE_CARE)
    tally.rows_read["ICUSTAYS"] = folder.count("SELECT count(*) FROM icustays")
    early = (stays["hours_to_icu"] < 0) & (stays["hours_to_icu"] >= -LOOK_BACK_HOURS)
    impossible = stays["hours_to_icu"] < -LOOK_BACK_HOURS
    stays["hours_to_icu"] = stays["hours_to_icu"].mask(early, 0.0).mask(impossible)
    hours = tally.column("hours_to_icu")
    hours.dropped_impossible += int(impossible.sum())
    hours.note = f"0 for {int(early.sum())} admissions whose patient was in intensive care before ADMITTIME."
    joined = rows.merge(stays, on="admission_id", how="left", validate="one_to_one")
    matched = int((joined["icu_stay_count"] > 0).sum())
    tally.step("intensive care", rows_in=len(rows), rows_out=len(joined), note=f"{matched} admissions have an ICU stay")
    return joined


def without_unsaid(recorded: pd.Series) -> pd.Series:
    """``recorded`` with answers that say nothing (unknown, declined, not specified) missing."""
    said = ~recorded.fillna("").str.upper().str.startswith(NOT_SAID)
    return recorded.where(said & (recorded.fillna("") != ""))


def group_ethnicity(recorded: pd.Series) -> pd.Series:
    """WHITE, BLACK, HISPANIC, ASIAN or OTHER for each ethnicity (upper case); missing where it was not said."""
    said = without_unsaid(recorded)
    return said.map({value: _ethnicity(value) for value in said.dropna().unique()})


def _ethnicity(value: str) -> str:
    return next((group for group, starts in ETHNICITY_GROUPS if value.startswith(starts)), "OTHER")
