"""The open demo: a few admissions worked out again from the raw files with nothing but csv and arithmetic."""

import csv
import gzip
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from engine.core.progress import Silent
from engine.preparation.pipeline import PreparedTable, prepare_mimic3

pytestmark = pytest.mark.shared

# Item numbers as in the demo's own description, on purpose not taken from the catalogue.
HEMOGLOBIN = {"LABEVENTS": {"51222", "50811"}, "CHARTEVENTS": {"220228", "814"}}
CREATININE = {"LABEVENTS": {"50912"}, "CHARTEVENTS": {"220615", "791", "1525"}}
HEART_RATE = {"CHARTEVENTS": {"220045", "211"}}
CHOSEN = ("142345", "105331", "199207", "126179", "170883")


def when(text: str) -> datetime:
    return datetime.fromisoformat(text)


class Demo:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.admissions = {row["HADM_ID"]: row for row in self.rows("ADMISSIONS")}
        self.patients = {row["SUBJECT_ID"]: row for row in self.rows("PATIENTS")}
        wanted = {self.admissions[one]["SUBJECT_ID"] for one in CHOSEN}
        self.events = {
            name: list(self.rows(name, of={subject.encode() for subject in wanted}))
            for name in ("LABEVENTS", "CHARTEVENTS")
        }

    def rows(self, name: str, of: set[bytes] | None = None):
        """The rows as dictionaries; with ``of`` only those of the subjects (SUBJECT_ID is the second column)."""
        with gzip.open(self.folder / f"{name}.csv.gz", "rb") as stream:
            lines = (
                line for number, line in enumerate(stream) if not number or of is None or line.split(b",")[1] in of
            )
            yield from csv.DictReader(line.decode() for line in lines)

    def first(self, admission: str, items: dict[str, set[str]], low: float, high: float) -> float | None:
        stay = self.admissions[admission]
        opens, closes = when(stay["ADMITTIME"]) - timedelta(hours=24), when(stay["DISCHTIME"])
        for other in self.admissions.values():
            earlier = other["SUBJECT_ID"] == stay["SUBJECT_ID"] and other["ADMITTIME"] < stay["ADMITTIME"]
            if earlier:
                opens = max(opens, min(when(other["DISCHTIME"]), when(stay["ADMITTIME"])))
        found = []
        for rank, (table, numbers) in enumerate(items.items()):
            for row in self.events[table]:
                if row["SUBJECT_ID"] != stay["SUBJECT_ID"] or row["ITEMID"] not in numbers or not row["VALUENUM"]:
                    continue
                if row["HADM_ID"] not in ("", admission) or row.get("ERROR") == "1":
                    continue
                if opens <= when(row["CHARTTIME"]) <= closes and low <= float(row["VALUENUM"]) <= high:
                    found.append((row["CHARTTIME"], rank, int(row["ROW_ID"]), float(row["VALUENUM"])))
        return min(found)[-1] if found else None


@pytest.fixture(scope="module")
def demo(shared: Path) -> Demo:
    return Demo(shared / "data" / "mimic3-demo")


@pytest.fixture(scope="module")
def prepared(shared: Path) -> PreparedTable:
    return prepare_mimic3(shared / "data" / "mimic3-demo", progress=Silent())


def same(value: object, expected: float | None) -> bool:
    return bool(pd.isna(value)) if expected is None else value == pytest.approx(expected, abs=0.051)


def test_129_admissions_of_100_patients(prepared):
    assert (prepared.report.rows, prepared.report.patients) == (129, 100)
    assert prepared.report.absent_columns == ()
    assert len(prepared.schema.features) >= 58
    assert prepared.report.unknown_codes == ()


@pytest.mark.parametrize("admission", CHOSEN)
def test_an_admission_worked_out_by_hand(demo, prepared, admission):
    row = prepared.table.set_index("admission_id").loc[admission]
    stay = demo.admissions[admission]
    patient = demo.patients[stay["SUBJECT_ID"]]
    assert row["patient_id"] == stay["SUBJECT_ID"]
    assert row["sex"] == patient["GENDER"]
    hours = (when(stay["DISCHTIME"]) - when(stay["ADMITTIME"])) / timedelta(hours=1)
    assert row["length_of_stay_hours"] == pytest.approx(hours, abs=0.051)
    assert row["died_in_hospital"] == (stay["HOSPITAL_EXPIRE_FLAG"] == "1")
    born, came = when(patient["DOB"]), when(stay["ADMITTIME"])
    completed = came.year - born.year - ((came.month, came.day) < (born.month, born.day))
    assert (90 if completed >= 90 else completed) == int(row["age_years"])
    assert same(row["hemoglobin"], demo.first(admission, HEMOGLOBIN, 1, 30))
    assert same(row["creatinine"], demo.first(admission, CREATININE, 0.1, 30))
    assert same(row["heart_rate"], demo.first(admission, HEART_RATE, 10, 300))


def test_diagnoses_of_every_admission(demo, prepared):
    codes: dict[str, list[tuple[int, str]]] = {}
    for row in demo.rows("DIAGNOSES_ICD"):
        codes.setdefault(row["HADM_ID"], []).append((int(row["SEQ_NUM"]), row["ICD9_CODE"]))
    table = prepared.table.set_index("admission_id")
    for admission, listed in codes.items():
        assert table.at[admission, "primary_icd9_code"] == min(listed)[1]
        assert table.at[admission, "icd9_code_count"] == len({code for _, code in listed})
        diabetic = any(code.startswith("250") for _, code in listed)
        assert table.at[admission, "diabetes"] == diabetic


def test_the_stay_in_intensive_care_of_every_admission(demo, prepared):
    days: Counter[str] = Counter()
    times: Counter[str] = Counter()
    for row in demo.rows("ICUSTAYS"):
        days[row["HADM_ID"]] += float(row["LOS"])
        times[row["HADM_ID"]] += 1
    table = prepared.table.set_index("admission_id")
    for admission in table.index:
        assert table.at[admission, "icu_stay_count"] == times[admission]
        assert table.at[admission, "icu_days"] == pytest.approx(days[admission], abs=0.006)


def test_statins_of_every_admission_with_orders(demo, prepared):
    named = ("statin", "lipitor", "zocor", "crestor")
    orders: dict[str, bool] = {}
    for row in demo.rows("PRESCRIPTIONS"):
        drug = row["DRUG"].lower()
        is_statin = any(name in drug for name in named) and "nystatin" not in drug and "cilastatin" not in drug
        orders[row["HADM_ID"]] = orders.get(row["HADM_ID"], False) or is_statin
    table = prepared.table.set_index("admission_id")
    for admission in table.index:
        if admission in orders:
            assert table.at[admission, "statin"] == orders[admission]
        else:
            assert pd.isna(table.at[admission, "statin"])


def test_nothing_impossible_is_left(prepared):
    table = prepared.table
    assert table["bmi"].dropna().between(10, 60).all()
    assert (table["length_of_stay_hours"] >= 0).all()
    assert table["age_years"].between(0, 90).all()
    assert table["temperature_c"].dropna().between(30, 43).all()
    assert table["hba1c"].isna().sum() > 100  # missing stays missing: it was measured in a handful of admissions
