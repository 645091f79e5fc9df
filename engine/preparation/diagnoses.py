"""Diagnosis codes of an admission: the first with group and chapter, their number, comorbidities from all of them."""

from collections.abc import Callable

import pandas as pd

from engine.preparation.report import Tally
from engine.schema import icd9
from engine.sources.mimic3 import Mimic3Folder

_CODES = """
SELECT hadm_id AS admission_id, seq_num, upper(replace(trim(icd9_code), '.', '')) AS code
FROM diagnoses_icd WHERE icd9_code IS NOT NULL AND trim(icd9_code) != ''
"""


def add_diagnoses(rows: pd.DataFrame, folder: Mimic3Folder, *, flags: list[str], tally: Tally) -> pd.DataFrame:
    """``rows`` with the primary code, its group and chapter, the number of codes and one column per flag of ``flags``.

    An admission without any code has missing values throughout, not "no" for every comorbidity: nothing is known of
    its diagnoses. Codes that belong to no chapter are counted in the report and keep their place as primary code.
    Without the table DIAGNOSES_ICD no column is added.
    """
    if not folder.has("DIAGNOSES_ICD"):
        return rows
    recorded = folder.count("SELECT count(*) FROM diagnoses_icd")
    codes = folder.frame(_CODES)
    codes = codes.loc[codes["admission_id"].isin(rows["admission_id"])]
    known = {code: icd9.chapter(code) for code in codes["code"].unique()}
    unknown = codes["code"].map(known).isna()
    tally.rows_read["DIAGNOSES_ICD"] = recorded
    tally.unknown_codes.update(codes.loc[unknown, "code"].tolist())
    tally.step(
        "diagnoses",
        rows_in=recorded,
        rows_out=len(codes),
        note=(
            f"{recorded - len(codes)} rows without a code or without their admission; {len(known)} different codes, "
            f"{codes.loc[unknown, 'code'].nunique()} of them in no chapter of ICD-9-CM ({int(unknown.sum())} rows)"
        ),
    )
    joined = rows.merge(_primary(codes), on="admission_id", how="left", validate="one_to_one")
    joined["primary_icd9_group"] = _mapped(joined["primary_icd9_code"], icd9.group)
    joined["primary_icd9_chapter"] = _mapped(joined["primary_icd9_code"], icd9.chapter)
    described = joined["icd9_code_count"].notna()
    added = {}
    for flag in flags:
        prefixes = tuple(icd9.comorbidity_prefixes(flag))
        matching = [code for code in known if code.startswith(prefixes)]
        having = codes.loc[codes["code"].isin(matching), "admission_id"].unique()
        added[flag] = joined["admission_id"].isin(having).astype("boolean").mask(~described)
    return joined.assign(**added)


def _primary(codes: pd.DataFrame) -> pd.DataFrame:
    # Rows without a sequence number come last; within one admission a code counts once.
    ordered = codes.sort_values(["admission_id", "seq_num", "code"], na_position="last", kind="stable")
    grouped = ordered.groupby("admission_id", sort=False)["code"]
    return pd.DataFrame({"primary_icd9_code": grouped.first(), "icd9_code_count": grouped.nunique()}).reset_index()


def _mapped(codes: pd.Series, meaning: Callable[[str], str | None]) -> pd.Series:
    return codes.map({code: meaning(code) for code in codes.dropna().unique()})
