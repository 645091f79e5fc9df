"""The 26 tables of MIMIC-III: the columns that preparation reads, their types, and what each table is good for."""

from dataclasses import dataclass

_TYPES = {
    "ROW_ID": "BIGINT",
    "SUBJECT_ID": "BIGINT",
    "HADM_ID": "BIGINT",
    "ICUSTAY_ID": "BIGINT",
    "ITEMID": "INTEGER",
    "SEQ_NUM": "INTEGER",
    "ERROR": "INTEGER",
    "HOSPITAL_EXPIRE_FLAG": "INTEGER",
    "VALUENUM": "DOUBLE",
    "AMOUNT": "DOUBLE",
    "RATE": "DOUBLE",
    "ADMITTIME": "TIMESTAMP",
    "DISCHTIME": "TIMESTAMP",
    "DOB": "TIMESTAMP",
    "INTIME": "TIMESTAMP",
    "OUTTIME": "TIMESTAMP",
    "CHARTTIME": "TIMESTAMP",
    "STARTTIME": "TIMESTAMP",
}


@dataclass(frozen=True)
class Mimic3Table:
    """One table of the database. ``reads`` is empty where preparation has no use for the table."""

    name: str
    gives: str
    reads: tuple[str, ...] = ()
    required: bool = False

    @property
    def view(self) -> str:
        """Name of the DuckDB view over the file."""
        return self.name.lower()


def column_type(column: str) -> str:
    """DuckDB type of a column; names outside the list are read as text."""
    return _TYPES.get(column, "VARCHAR")


_NOTHING = "nothing of the patient table (not read)"

TABLES: tuple[Mimic3Table, ...] = (
    Mimic3Table(
        "ADMISSIONS",
        "one row per hospital admission: times, admission type, insurance, ethnicity, death, discharge destination",
        (
            "SUBJECT_ID",
            "HADM_ID",
            "ADMITTIME",
            "DISCHTIME",
            "ADMISSION_TYPE",
            "ADMISSION_LOCATION",
            "DISCHARGE_LOCATION",
            "INSURANCE",
            "LANGUAGE",
            "MARITAL_STATUS",
            "ETHNICITY",
            "HOSPITAL_EXPIRE_FLAG",
        ),
        required=True,
    ),
    Mimic3Table("CALLOUT", _NOTHING),
    Mimic3Table("CAREGIVERS", _NOTHING),
    Mimic3Table(
        "CHARTEVENTS",
        "vital signs, height and weight, bedside laboratory values",
        ("ROW_ID", "SUBJECT_ID", "HADM_ID", "ITEMID", "CHARTTIME", "VALUENUM", "VALUEUOM", "ERROR"),
    ),
    Mimic3Table("CPTEVENTS", _NOTHING),
    Mimic3Table("DATETIMEEVENTS", _NOTHING),
    Mimic3Table(
        "DIAGNOSES_ICD", "diagnosis codes, their chapter and group, comorbidities", ("HADM_ID", "SEQ_NUM", "ICD9_CODE")
    ),
    Mimic3Table("DRGCODES", _NOTHING),
    Mimic3Table("D_CPT", _NOTHING),
    Mimic3Table("D_ICD_DIAGNOSES", _NOTHING),
    Mimic3Table("D_ICD_PROCEDURES", _NOTHING),
    Mimic3Table("D_ITEMS", _NOTHING),
    Mimic3Table("D_LABITEMS", _NOTHING),
    Mimic3Table(
        "ICUSTAYS",
        "intensive care: days, number of stays, first unit",
        ("HADM_ID", "FIRST_CAREUNIT", "INTIME", "OUTTIME"),
    ),
    Mimic3Table(
        "INPUTEVENTS_CV", "drugs given in intensive care before 2008 (CareVue)", ("HADM_ID", "ITEMID", "AMOUNT", "RATE")
    ),
    Mimic3Table(
        "INPUTEVENTS_MV",
        "drugs given in intensive care since 2008 (MetaVision)",
        ("HADM_ID", "ITEMID", "AMOUNT", "RATE", "STATUSDESCRIPTION"),
    ),
    Mimic3Table(
        "LABEVENTS",
        "laboratory values",
        ("ROW_ID", "SUBJECT_ID", "HADM_ID", "ITEMID", "CHARTTIME", "VALUENUM", "VALUEUOM"),
    ),
    Mimic3Table("MICROBIOLOGYEVENTS", _NOTHING),
    Mimic3Table("NOTEEVENTS", _NOTHING),
    Mimic3Table("OUTPUTEVENTS", _NOTHING),
    Mimic3Table("PATIENTS", "sex and date of birth", ("SUBJECT_ID", "GENDER", "DOB"), required=True),
    Mimic3Table("PRESCRIPTIONS", "drug classes that were ordered", ("HADM_ID", "DRUG")),
    Mimic3Table(
        "PROCEDUREEVENTS_MV",
        "ventilation and hemodialysis recorded since 2008 (MetaVision)",
        ("HADM_ID", "ITEMID", "STATUSDESCRIPTION"),
    ),
    Mimic3Table("PROCEDURES_ICD", "ventilation and hemodialysis from billed procedure codes", ("HADM_ID", "ICD9_CODE")),
    Mimic3Table("SERVICES", _NOTHING),
    Mimic3Table("TRANSFERS", _NOTHING),
)
"""In the order of the official distribution."""
