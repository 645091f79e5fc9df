"""Preparation of simulated MIMIC-III folders with planted facts whose result is known beforehand."""

from pathlib import Path

import pandas as pd
import pytest

from engine.core.errors import Cancelled, DataError
from engine.preparation.concepts import measured_items
from engine.preparation.pipeline import PreparedTable, prepare_mimic3
from engine.schema.catalogue import catalogue
from engine.schema.table import Role
from tests.helpers.planted_mimic import chart_item, forget, measure, planted, prepare, row
from tests.helpers.simulated_mimic import Tables, write_folder

FIRST, SECOND = 100_001, 100_002
LAB = {name: catalogue().concept(name).mimic3.lab for name in ("hemoglobin", "platelets", "glucose")}


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> tuple[Tables, PreparedTable, Path]:
    folder = tmp_path_factory.mktemp("plain")
    tables = write_folder(folder, patients=40, seed=2)
    return tables, prepare(folder), folder


def test_one_row_for_each_admission_with_its_patient(plain):
    tables, prepared, _ = plain
    assert len(prepared.table) == len(tables["ADMISSIONS"]) == prepared.report.rows
    assert prepared.table["patient_id"].nunique() == 40 == prepared.report.patients
    assert prepared.schema.patient_key == "patient_id"
    assert prepared.schema["admission_id"].role is Role.EXCLUDED
    assert len(prepared.schema.features) >= 58
    pairs = set(zip(prepared.table["admission_id"].astype(int), prepared.table["patient_id"].astype(int), strict=True))
    assert pairs == set(zip(tables["ADMISSIONS"]["HADM_ID"], tables["ADMISSIONS"]["SUBJECT_ID"], strict=True))


def test_bounds_and_listed_categories_are_public_and_codes_come_from_the_data(plain):
    _, prepared, _ = plain
    assert prepared.schema["hemoglobin"].bounds_are_public
    assert prepared.schema["sex"].categories_are_public
    assert "NEWBORN" in (prepared.schema["admission_type"].categories or ())
    assert not prepared.schema["primary_icd9_code"].categories_are_public
    assert set(prepared.table["primary_icd9_code"].dropna()) == set(
        prepared.schema["primary_icd9_code"].categories or ()
    )
    assert len(prepared.schema["primary_icd9_chapter"].categories or ()) == 19


def test_packing_and_letter_case_change_nothing(plain, tmp_path):
    _, prepared, _ = plain
    write_folder(tmp_path, patients=40, seed=2, compressed=False, lower_case=True)
    pd.testing.assert_frame_equal(prepare(tmp_path).table, prepared.table)


def test_preparing_twice_gives_the_same_table(plain):
    _, prepared, folder = plain
    pd.testing.assert_frame_equal(prepare(folder).table, prepared.table)


def test_the_report_counts_what_was_read_and_is_json(plain, tmp_path):
    tables, prepared, _ = plain
    report = prepared.report
    for name in ("ADMISSIONS", "PATIENTS", "ICUSTAYS", "DIAGNOSES_ICD", "LABEVENTS", "CHARTEVENTS", "PRESCRIPTIONS"):
        assert report.table(name).rows_read == len(tables[name]), name
    assert report.table("NOTEEVENTS").rows_read is None
    assert len(report.tables) == 26
    for column in report.columns:
        assert column.present + column.missing == report.rows
    prepared.save(tmp_path)
    loaded = PreparedTable.load(tmp_path)
    assert loaded.report == report
    assert loaded.schema == prepared.schema
    pd.testing.assert_frame_equal(loaded.table, prepared.table)


@pytest.mark.parametrize(
    ("missing", "kept"),
    [
        (
            {
                "ICUSTAYS": {"icu_days", "icu_stay_count", "hours_to_icu", "first_care_unit"},
                "DIAGNOSES_ICD": {"primary_icd9_code", "primary_icd9_chapter", "icd9_code_count", "diabetes"},
                "LABEVENTS": {"albumin", "lactate"},
            },
            {"insulin", "hemoglobin", "heart_rate", "bmi"},
        ),
        (
            {
                "PRESCRIPTIONS": {"insulin", "statin", "vasopressor"},
                "CHARTEVENTS": {"heart_rate", "weight_kg", "height_cm", "bmi", "gcs_total"},
                "PROCEDURES_ICD": {"mechanical_ventilation", "hemodialysis"},
            },
            {"diabetes", "hemoglobin", "icu_days", "albumin"},
        ),
    ],
)
def test_missing_tables_leave_their_columns_out_and_the_report_says_so(tmp_path, missing, kept):
    prepared = planted(tmp_path, without=list(missing))
    assert kept <= set(prepared.table.columns)
    for name, absent in missing.items():
        assert not absent & set(prepared.table.columns)
        table = prepared.report.table(name)
        assert not table.present
        assert table.rows_read is None
        assert absent <= set(table.absent_columns)


def test_the_least_folder_is_admissions_and_patients(tmp_path):
    from engine.sources.mimic3_tables import TABLES

    prepared = planted(tmp_path, without=[table.name for table in TABLES if not table.required])
    assert {"sex", "age_years", "died_in_hospital", "length_of_stay_hours"} <= set(prepared.table.columns)
    assert "diabetes" not in prepared.table.columns


def test_ages_count_from_the_birthday_and_are_90_above_89(tmp_path):
    # On the first day 2150 - 2084 would be 66; the patient is 65 years and 10 days old.
    expected = {"2084-12-31": 65.0, "1850-03-01": 90.0, "2060-01-10": 90.0, "2060-01-11": 89.9}
    chosen: list[int] = []

    def edit(tables: Tables) -> None:
        patients, admissions = tables["PATIENTS"], tables["ADMISSIONS"]
        once = admissions.drop_duplicates("SUBJECT_ID", keep=False).head(len(expected))
        chosen.extend(once["HADM_ID"])
        times = pd.to_datetime(["2150-01-10 00:30", "2150-01-12 00:30"])
        for (index, stay), born in zip(once.iterrows(), expected, strict=True):
            admissions.loc[index, ["ADMITTIME", "DISCHTIME"]] = times
            patients.loc[patients["SUBJECT_ID"] == stay["SUBJECT_ID"], "DOB"] = pd.Timestamp(born)

    prepared = planted(tmp_path, edit)
    assert [row(prepared, admission)["age_years"] for admission in chosen] == list(expected.values())
    assert prepared.table["age_years"].max() <= 90
    assert "over 89" in prepared.report.column("age_years").note


def test_a_discharge_before_admission_is_missing_and_counted(tmp_path):
    def edit(tables: Tables) -> None:
        admissions = tables["ADMISSIONS"]
        late = admissions["HADM_ID"] == FIRST
        admissions.loc[late, "DISCHTIME"] = admissions.loc[late, "ADMITTIME"] - pd.Timedelta(hours=3)
        admissions.loc[admissions["HADM_ID"] == SECOND, "DISCHTIME"] = pd.NaT

    prepared = planted(tmp_path, edit)
    assert pd.isna(row(prepared, FIRST)["length_of_stay_hours"])
    assert pd.isna(row(prepared, SECOND)["length_of_stay_hours"])
    assert prepared.report.column("length_of_stay_hours").dropped_impossible == 1
    assert (prepared.table["length_of_stay_hours"].dropna() >= 0).all()


def test_the_first_plausible_value_counts_and_the_impossible_one_is_counted(tmp_path):
    def edit(tables: Tables) -> None:
        forget(tables, FIRST, "hemoglobin")
        measure(tables, "LABEVENTS", FIRST, LAB["hemoglobin"][0], 99.0, hours=0.5)
        measure(tables, "LABEVENTS", FIRST, LAB["hemoglobin"][0], 11.7, hours=2)
        measure(tables, "LABEVENTS", FIRST, LAB["hemoglobin"][0], 8.1, hours=1)

    prepared = planted(tmp_path, edit)
    assert row(prepared, FIRST)["hemoglobin"] == 8.1
    column = prepared.report.column("hemoglobin")
    assert column.dropped_impossible == 1
    assert column.plausible == catalogue().concept("hemoglobin").plausible


def test_at_one_moment_the_laboratory_comes_before_the_bedside_and_the_first_row_before_the_second(tmp_path):
    def edit(tables: Tables) -> None:
        forget(tables, FIRST, "hemoglobin", "platelets")
        measure(tables, "CHARTEVENTS", FIRST, chart_item("hemoglobin"), 7.0, hours=1, ERROR=0)
        measure(tables, "LABEVENTS", FIRST, LAB["hemoglobin"][0], 9.0, hours=1)
        measure(tables, "LABEVENTS", FIRST, LAB["platelets"][0], 210, hours=1)
        measure(tables, "LABEVENTS", FIRST, LAB["platelets"][0], 190, hours=1)

    first = row(planted(tmp_path, edit), FIRST)
    assert (first["hemoglobin"], first["platelets"]) == (9.0, 210)


def test_values_outside_the_window_do_not_count(tmp_path):
    def edit(tables: Tables) -> None:
        forget(tables, FIRST, "glucose", "platelets")
        stay = tables["ADMISSIONS"].set_index("HADM_ID").loc[FIRST]
        after = (stay["DISCHTIME"] - stay["ADMITTIME"]) / pd.Timedelta(hours=1) + 1
        for hours, value in ((-25, 101), (-23, 102), (after, 103)):
            measure(tables, "LABEVENTS", FIRST, LAB["glucose"][0], value, hours=hours, HADM_ID=None)
        measure(tables, "LABEVENTS", FIRST, LAB["platelets"][0], 300, hours=after)

    first = row(planted(tmp_path, edit), FIRST)
    assert first["glucose"] == 102
    assert pd.isna(first["platelets"])


def test_missing_stays_missing(tmp_path):
    prepared = planted(tmp_path, lambda tables: forget(tables, FIRST, "hemoglobin", "height_cm"))
    assert pd.isna(row(prepared, FIRST)["hemoglobin"])
    assert pd.isna(row(prepared, FIRST)["bmi"])


def test_chart_rows_marked_as_error_are_left_out(tmp_path):
    def edit(tables: Tables) -> None:
        forget(tables, FIRST, "heart_rate")
        measure(tables, "CHARTEVENTS", FIRST, chart_item("heart_rate"), 55, hours=1, ERROR=1)
        measure(tables, "CHARTEVENTS", FIRST, chart_item("heart_rate"), 77, hours=2, ERROR=pd.NA)

    assert row(planted(tmp_path, edit), FIRST)["heart_rate"] == 77


def test_units_are_converted_and_counted(tmp_path):
    def edit(tables: Tables) -> None:
        forget(tables, FIRST, "height_cm", "weight_kg", "temperature_c")
        measure(tables, "CHARTEVENTS", FIRST, chart_item("height_cm", converted=True), 70, hours=1, ERROR=0)
        measure(tables, "CHARTEVENTS", FIRST, chart_item("weight_kg", converted=True), 200, hours=1, ERROR=0)
        measure(tables, "CHARTEVENTS", FIRST, chart_item("temperature_c", converted=True), 98.6, hours=1, ERROR=0)

    prepared = planted(tmp_path, edit)
    first = row(prepared, FIRST)
    assert (first["height_cm"], first["weight_kg"], first["temperature_c"]) == (178, 90.7, 37.0)
    # 200 lb = 90.718 kg over (70 inch = 1.778 m) squared.
    assert first["bmi"] == 28.7
    assert any("lb → kg" in conversion for conversion in prepared.report.column("weight_kg").converted)


def test_a_laboratory_row_in_another_unit_is_converted_and_counted(tmp_path):
    item = catalogue().concept("crp").mimic3.lab[0]

    def edit(tables: Tables) -> None:
        for admission in (FIRST, SECOND):
            forget(tables, admission, "crp")
        measure(tables, "LABEVENTS", FIRST, item, 8.92, hours=1, VALUEUOM="mg/dL")
        measure(tables, "LABEVENTS", SECOND, item, 8.92, hours=1, VALUEUOM="mg/L")

    prepared = planted(tmp_path, edit)
    assert row(prepared, FIRST)["crp"] == pytest.approx(89.2)
    assert row(prepared, SECOND)["crp"] == pytest.approx(8.9)
    assert prepared.report.column("crp").converted[f"LABEVENTS {item}, mg/dL → mg/L"] == 1


def test_an_admission_source_that_was_not_said_is_missing(tmp_path):
    def edit(tables: Tables) -> None:
        tables["ADMISSIONS"].loc[tables["ADMISSIONS"]["HADM_ID"] == FIRST, "ADMISSION_LOCATION"] = (
            "** INFO NOT AVAILABLE **"
        )

    prepared = planted(tmp_path, edit)
    assert pd.isna(row(prepared, FIRST)["admission_source"])
    assert prepared.schema["admission_source"].categories_are_public


def test_an_impossible_body_mass_index_is_dropped(tmp_path):
    def edit(tables: Tables) -> None:
        forget(tables, FIRST, "height_cm", "weight_kg")
        measure(tables, "CHARTEVENTS", FIRST, chart_item("height_cm"), 66, hours=1, ERROR=0)  # inches, typed as cm
        measure(tables, "CHARTEVENTS", FIRST, chart_item("weight_kg"), 108, hours=1, ERROR=0)

    prepared = planted(tmp_path, edit)
    assert pytest.approx(248, abs=0.1) == 108 / 0.66**2  # the figure of the original study
    assert pd.isna(row(prepared, FIRST)["bmi"])
    assert prepared.report.column("bmi").dropped_impossible == 1


def test_weights_that_disagree_are_settled_by_the_preferred_item(tmp_path):
    items = [item.item for item in measured_items() if item.column == "weight_kg" and not item.conversion]

    def edit(tables: Tables) -> None:
        forget(tables, FIRST, "weight_kg")
        measure(tables, "CHARTEVENTS", FIRST, items[-1], 234, hours=1, ERROR=0)
        measure(tables, "CHARTEVENTS", FIRST, items[0], 96.6, hours=20, ERROR=0)

    prepared = planted(tmp_path, edit)
    assert row(prepared, FIRST)["weight_kg"] == 96.6
    assert "disagree" in prepared.report.column("weight_kg").note


def test_unknown_codes_are_listed_and_kept(tmp_path):
    def edit(tables: Tables) -> None:
        codes = tables["DIAGNOSES_ICD"]
        codes.loc[(codes["HADM_ID"] == FIRST) & (codes["SEQ_NUM"] == 1), "ICD9_CODE"] = "ZZ99"

    prepared = planted(tmp_path, edit)
    assert [(code.code, code.count) for code in prepared.report.unknown_codes] == [("ZZ99", 1)]
    first = row(prepared, FIRST)
    assert first["primary_icd9_code"] == "ZZ99"
    assert pd.isna(first["primary_icd9_chapter"])


def test_codes_give_chapter_group_number_and_comorbidities(tmp_path):
    def edit(tables: Tables) -> None:
        codes = tables["DIAGNOSES_ICD"]
        subject = codes.loc[codes["HADM_ID"] == FIRST, "SUBJECT_ID"].iat[0]
        kept = codes.loc[~codes["HADM_ID"].isin([FIRST, SECOND])]
        new = pd.DataFrame(
            {"SUBJECT_ID": subject, "HADM_ID": FIRST, "SEQ_NUM": [2, 1, 3], "ICD9_CODE": ["250.02", " 0389", "E8788"]}
        )
        tables["DIAGNOSES_ICD"] = pd.concat([kept, new.assign(ROW_ID=[9001, 9002, 9003])], ignore_index=True)

    prepared = planted(tmp_path, edit)
    first, second = row(prepared, FIRST), row(prepared, SECOND)
    assert first["primary_icd9_code"] == "0389"
    assert first["primary_icd9_chapter"].startswith("1 ")
    assert first["primary_icd9_group"].startswith("030-041")
    assert first["icd9_code_count"] == 3
    assert first["diabetes"] and first["sepsis"] and not first["heart_failure"]
    assert second[["primary_icd9_code", "icd9_code_count", "diabetes"]].isna().all()


def test_drugs_are_known_by_order_or_infusion_and_otherwise_missing(tmp_path):
    infusion = catalogue().concept("insulin").mimic3.inputevents[0]

    def edit(tables: Tables) -> None:
        for name in ("PRESCRIPTIONS", "INPUTEVENTS_CV", "INPUTEVENTS_MV"):
            tables[name] = tables[name].loc[~tables[name]["HADM_ID"].isin([FIRST, SECOND])].reset_index(drop=True)
        orders = pd.DataFrame({"ROW_ID": [9001, 9002], "HADM_ID": FIRST, "DRUG": ["SIMVASTATIN", "Heparin Flush CVL"]})
        tables["PRESCRIPTIONS"] = pd.concat([tables["PRESCRIPTIONS"], orders], ignore_index=True)
        given = pd.DataFrame({"ROW_ID": [9001], "HADM_ID": SECOND, "ITEMID": infusion, "AMOUNT": 5.0, "RATE": 0.0})
        tables["INPUTEVENTS_CV"] = pd.concat([tables["INPUTEVENTS_CV"], given], ignore_index=True)

    prepared = planted(tmp_path, edit)
    first, second = row(prepared, FIRST), row(prepared, SECOND)
    assert (first["statin"], first["insulin"], first["anticoagulant"]) == (True, False, False)
    assert second["insulin"] is True or second["insulin"] == True  # noqa: E712 - a nullable boolean
    assert pd.isna(second["statin"])


@pytest.mark.parametrize(
    ("recorded", "group"),
    [
        ("WHITE - RUSSIAN", "WHITE"),
        ("BLACK/CAPE VERDEAN", "BLACK"),
        ("HISPANIC/LATINO - CUBAN", "HISPANIC"),
        ("ASIAN - KOREAN", "ASIAN"),
        ("MIDDLE EASTERN", "OTHER"),
        ("UNABLE TO OBTAIN", None),
        ("PATIENT DECLINED TO ANSWER", None),
        ("", None),
    ],
)
def test_ethnicity_is_grouped_and_what_was_not_said_is_missing(tmp_path, recorded, group):
    from engine.preparation.admissions import group_ethnicity

    result = group_ethnicity(pd.Series([recorded], dtype="object")).iat[0]
    assert result == group or (group is None and pd.isna(result))


def test_earlier_admissions_and_readmission_follow_the_order_of_time(tmp_path):
    def edit(tables: Tables) -> None:
        admissions = tables["ADMISSIONS"]
        three = admissions.index[:3]
        admissions.loc[three, "SUBJECT_ID"] = admissions.loc[three[0], "SUBJECT_ID"]
        admissions.loc[three, "HOSPITAL_EXPIRE_FLAG"] = [0, 1, 0]
        times = pd.to_datetime(["2150-01-01", "2150-03-02", "2150-01-25"])
        admissions.loc[three, "ADMITTIME"] = times
        admissions.loc[three, "DISCHTIME"] = times + pd.Timedelta(days=5)

    prepared = planted(tmp_path, edit)
    rows = [row(prepared, admission) for admission in (100_001, 100_003, 100_002)]
    assert [one["prior_admission_count"] for one in rows] == [0, 1, 2]
    assert [rows[0]["readmitted_within_30_days"], rows[1]["readmitted_within_30_days"]] == [True, False]
    assert pd.isna(rows[2]["readmitted_within_30_days"])


def test_repeated_admissions_are_refused(tmp_path):
    def edit(tables: Tables) -> None:
        tables["ADMISSIONS"] = pd.concat([tables["ADMISSIONS"], tables["ADMISSIONS"].head(1)])

    write_folder(tmp_path, patients=5, edit=edit)
    with pytest.raises(DataError, match="different HADM_ID"):
        prepare(tmp_path)


def test_a_cancelled_preparation_stops(tmp_path):
    class Impatient:
        def update(self, fraction: float, message: str, **figures: float) -> None:
            if fraction > 0.1:
                raise Cancelled

    write_folder(tmp_path, patients=5)
    with pytest.raises(Cancelled):
        prepare_mimic3(tmp_path, progress=Impatient())


def test_progress_never_goes_back(tmp_path):
    seen: list[float] = []

    class Watching:
        def update(self, fraction: float, message: str, **figures: float) -> None:
            seen.append(fraction)

    write_folder(tmp_path, patients=5)
    prepare_mimic3(tmp_path, progress=Watching())
    assert seen == sorted(seen) and seen[-1] == 1.0


def test_filling_up_reaches_the_asked_number_of_chart_rows(tmp_path):
    write_folder(tmp_path, patients=5, chart_rows=20_000)
    assert prepare(tmp_path).report.table("CHARTEVENTS").rows_read == 20_000
