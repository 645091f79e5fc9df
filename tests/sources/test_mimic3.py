"""Opening a MIMIC-III folder: names, packings, what is missing, and refusals that never show a cell."""

import gzip
from pathlib import Path

import pytest

from engine.core.errors import Cancelled, DataError
from engine.sources.mimic3 import open_folder
from engine.sources.mimic3_tables import TABLES

ADMISSIONS = (
    '"ROW_ID","SUBJECT_ID","HADM_ID","ADMITTIME","DISCHTIME","DEATHTIME","ADMISSION_TYPE","ADMISSION_LOCATION",'
    '"DISCHARGE_LOCATION","INSURANCE","LANGUAGE","RELIGION","MARITAL_STATUS","ETHNICITY","EDREGTIME","EDOUTTIME",'
    '"DIAGNOSIS","HOSPITAL_EXPIRE_FLAG","HAS_CHARTEVENTS_DATA"\n'
    '1,10,100,2150-01-01 10:00:00,2150-01-03 10:00:00,,"EMERGENCY","EMERGENCY ROOM ADMIT","HOME","Private","ENGL",,'
    '"SINGLE","WHITE",,,"PAIN, ""SEVERE""",0,1\n'
)
PATIENTS = '"ROW_ID","SUBJECT_ID","GENDER","DOB","DOD"\n1,10,"F",2100-01-01 00:00:00,\n'


def write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    write(tmp_path, "ADMISSIONS.csv.gz", ADMISSIONS)
    write(tmp_path, "PATIENTS.csv.gz", PATIENTS)
    return tmp_path


def test_there_are_26_tables_each_with_a_purpose():
    assert len(TABLES) == 26 == len({table.name for table in TABLES})
    assert all(table.gives for table in TABLES)


@pytest.mark.parametrize(
    ("admissions", "patients"),
    [
        ("ADMISSIONS.csv.gz", "PATIENTS.csv.gz"),
        ("admissions.csv", "patients.csv"),
        ("Admissions.CSV", "patients.csv.GZ"),
    ],
)
def test_any_packing_and_letter_case_is_read(tmp_path: Path, admissions: str, patients: str):
    def put(name: str, text: str) -> None:
        data = text.encode()
        (tmp_path / name).write_bytes(gzip.compress(data) if name.lower().endswith(".gz") else data)

    put(admissions, ADMISSIONS)
    put(patients, PATIENTS.replace('"SUBJECT_ID"', "subject_id").replace('"DOB"', "Dob"))
    with open_folder(tmp_path) as folder:
        assert folder.present == ["ADMISSIONS", "PATIENTS"]
        row = folder.frame("SELECT * FROM admissions").iloc[0]
        assert (row["subject_id"], row["insurance"]) == (10, "Private")
        assert folder.frame("SELECT dob FROM patients").iat[0, 0].isoformat() == "2100-01-01T00:00:00"


def test_the_order_of_columns_and_a_byte_order_mark_do_not_matter(small: Path):
    (small / "PATIENTS.csv.gz").unlink()
    write(small, "PATIENTS.csv", "\ufeffDOB,GENDER,SUBJECT_ID\n2100-01-01 00:00:00,F,10\n")
    with open_folder(small) as folder:
        assert folder.frame("SELECT subject_id, gender FROM patients").iloc[0].tolist() == [10, "F"]


def test_missing_tables_are_named_with_what_will_be_absent(small: Path):
    with open_folder(small) as folder:
        assert len(folder.missing) == 24
        assert folder.missing["LABEVENTS"] == "laboratory values"
        assert not folder.has("CHARTEVENTS")


def test_an_unpacked_table_is_taken_before_its_archive(small: Path):
    write(small, "patients.csv", PATIENTS.replace('"F"', '"M"'))
    with open_folder(small) as folder:
        assert folder.frame("SELECT gender FROM patients").iat[0, 0] == "M"


def test_a_table_that_nobody_reads_may_be_broken(small: Path):
    write(small, "NOTEEVENTS.csv", '"row_id, "subject_id"\n')
    with open_folder(small) as folder:
        assert folder.has("NOTEEVENTS")


def test_a_quote_in_the_path_is_only_a_letter(tmp_path: Path):
    folder = tmp_path / "patient's data"
    folder.mkdir()
    write(folder, "ADMISSIONS.csv", ADMISSIONS)
    write(folder, "PATIENTS.csv", PATIENTS)
    with open_folder(folder) as opened:
        assert opened.count("SELECT count(*) FROM admissions") == 1


def test_a_folder_that_is_not_mimic_is_refused_with_the_remedy(tmp_path: Path):
    with pytest.raises(DataError, match="is not a folder"):
        open_folder(tmp_path / "nowhere")
    with pytest.raises(DataError, match="ADMISSIONS and PATIENTS") as refusal:
        open_folder(tmp_path)
    assert "26 tables" in refusal.value.remedy


def test_the_folder_above_is_pointed_further_in(tmp_path: Path):
    inner = tmp_path / "mimic-iii-clinical-database-1.4"
    inner.mkdir()
    write(inner, "ADMISSIONS.csv", ADMISSIONS)
    with pytest.raises(DataError) as refusal:
        open_folder(tmp_path)
    assert str(inner) in refusal.value.remedy


def test_a_column_that_is_not_there_is_named(small: Path):
    write(small, "LABEVENTS.csv", "ROW_ID,SUBJECT_ID,HADM_ID,CHARTTIME,VALUENUM\n")
    with pytest.raises(DataError, match=r"LABEVENTS\.csv lacks the columns ITEMID, VALUEUOM"):
        open_folder(small)


@pytest.mark.parametrize(
    ("content", "what"),
    [(b"", "no header"), (b"\x1f\x8bbroken", "cannot be read"), (b"\xff\xfe\x00", "cannot be read")],
)
def test_damaged_files_are_refused_when_the_folder_is_opened(small: Path, content: bytes, what: str):
    name = "LABEVENTS.csv.gz" if content.startswith(b"\x1f\x8b") else "LABEVENTS.csv"
    (small / name).write_bytes(content)
    with pytest.raises(DataError, match=what):
        open_folder(small)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("10,100,2150", "secret,100,2150", "SUBJECT_ID that is not bigint"),
        ("2150-01-03 10:00:00", "secret", "DISCHTIME that is not timestamp"),
    ],
)
def test_a_cell_of_the_wrong_type_is_refused_by_line_and_not_shown(small: Path, old: str, new: str, what: str):
    write(small, "ADMISSIONS.csv.gz", ADMISSIONS.replace(old, new, 1))
    with open_folder(small) as folder, pytest.raises(DataError, match=what) as refusal:
        folder.frame("SELECT * FROM admissions")
    assert "line 2" in refusal.value.where
    assert "secret" not in str(refusal.value)
    assert refusal.value.__cause__ is None


def test_an_archive_that_is_cut_off_is_refused(small: Path):
    whole = gzip.compress((ADMISSIONS + ADMISSIONS.splitlines()[1] * 20_000).encode(), compresslevel=1)
    (small / "ADMISSIONS.csv.gz").write_bytes(whole[: len(whole) // 2])
    with open_folder(small) as folder, pytest.raises(DataError, match="ADMISSIONS"):
        folder.frame("SELECT * FROM admissions")


def test_text_that_is_not_utf8_is_refused(small: Path):
    (small / "PATIENTS.csv.gz").write_bytes(gzip.compress(PATIENTS.replace('"F"', '"\xe9"').encode("latin-1")))
    with open_folder(small) as folder, pytest.raises(DataError, match="UTF-8"):
        folder.frame("SELECT * FROM patients")


def test_a_statement_is_interrupted_by_a_cancellation(small: Path):
    class Impatient:
        def update(self, fraction: float, message: str, **figures: float) -> None:
            raise Cancelled

    with open_folder(small) as folder:
        with pytest.raises(Cancelled):
            folder.execute(
                "CREATE TEMP TABLE t AS SELECT max(sin(a.range) + b.range) FROM range(10000000) a, range(100000) b",
                progress=Impatient(),
            )
        assert folder.count("SELECT count(*) FROM admissions") == 1


def test_leaving_the_folder_removes_its_temporary_files(small: Path):
    with open_folder(small) as folder:
        spill = Path(folder._spill.name)
        assert spill.is_dir()
    assert not spill.exists()


@pytest.mark.shared
def test_the_open_demo_is_complete(shared: Path):
    with open_folder(shared / "data" / "mimic3-demo") as folder:
        assert folder.missing == {}
        assert folder.count("SELECT count(*) FROM admissions") == 129
        assert folder.count("SELECT count(*) FROM patients") == 100
        assert folder.count("SELECT count(*) FROM labevents") == 76_074
