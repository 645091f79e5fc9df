"""Drug classes of an admission, from PRESCRIPTIONS (by name) and the two INPUTEVENTS tables (by item), and procedures.

A class is true where one of its drugs was ordered or given, false where orders of the admission are known and none is
of the class, and missing where nothing is known: no order in PRESCRIPTIONS and nothing of the class among infusions.
"""

import re
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from engine.preparation.report import Tally
from engine.sources.mimic3 import Mimic3Folder

_LOCAL = re.compile(r"flush|opht|nasal|\botic\b|topical|ointment|cream\b|lidocaine|bupivacaine")
INFUSION_TABLES = ("INPUTEVENTS_CV", "INPUTEVENTS_MV")


@dataclass(frozen=True)
class DrugClass:
    """A column with the beginnings of the words that name its drugs, and the items of its infusions."""

    column: str
    names: tuple[str, ...] = ()
    infusions: tuple[int, ...] = ()

    @property
    def tables(self) -> tuple[str, ...]:
        """Tables that the class needs; where several are named the first decides whether the column exists."""
        return (("PRESCRIPTIONS",) if self.names else ()) + (INFUSION_TABLES if self.infusions else ())

    def exists(self, folder: Mimic3Folder) -> bool:
        """Whether "no" would be worth anything: orders are there, or infusions for a class that has no names."""
        if self.names:
            return folder.has("PRESCRIPTIONS")
        return any(folder.has(table) for table in INFUSION_TABLES) and bool(self.infusions)

    def matches(self, drug: str) -> bool:
        """Whether a drug's name (any case) contains a word that begins with one of the class's names.

        Flushes keep a line open and treat nobody: heparin flushes would make almost every patient anticoagulated.
        Drops, ointments and local anaesthetics act where they are put: epinephrine in lidocaine is no vasopressor.
        """
        return _LOCAL.search(drug.lower()) is None and self._words.search(drug.lower()) is not None

    @cached_property
    def _words(self) -> re.Pattern[str]:
        # Without names the alternatives would be empty and match everything.
        names = "|".join(re.escape(name.lower()) for name in self.names) or r"(?!)"
        return re.compile(rf"\b(?:{names})")


@dataclass(frozen=True)
class ProcedureFlag:
    """A column with the beginnings of its ICD-9-CM procedure codes and its items of PROCEDUREEVENTS_MV."""

    column: str
    codes: tuple[str, ...] = ()
    items: tuple[int, ...] = ()

    @property
    def tables(self) -> tuple[str, ...]:
        """Tables that the flag is made from."""
        return (("PROCEDURES_ICD",) if self.codes else ()) + (("PROCEDUREEVENTS_MV",) if self.items else ())

    def exists(self, folder: Mimic3Folder) -> bool:
        """Whether "no" would be worth anything: billed codes cover every admission, records only those since 2008."""
        return folder.has("PROCEDURES_ICD") if self.codes else folder.has("PROCEDUREEVENTS_MV")


def add_drug_classes(
    rows: pd.DataFrame, folder: Mimic3Folder, *, classes: list[DrugClass], tally: Tally
) -> pd.DataFrame:
    """``rows`` with one boolean column for each class whose tables are there."""
    classes = [drug_class for drug_class in classes if drug_class.exists(folder)]
    ordered, described = _ordered(rows, folder, classes=classes, tally=tally)
    infused, charted = _infused(rows, folder, classes=classes, tally=tally)
    added = {}
    for drug_class in classes:
        name = drug_class.column
        by_order = rows["admission_id"].isin(ordered.get(name, set()))
        by_infusion = rows["admission_id"].isin(infused.get(name, set()))
        given = by_order | by_infusion
        known = rows["admission_id"].isin(described if drug_class.names else charted)
        added[name] = given.astype("boolean").mask(~(given | known))
        column = tally.column(name)
        column.sources["PRESCRIPTIONS"] += int(by_order.sum())
        column.sources["INPUTEVENTS"] += int((by_infusion & ~by_order).sum())
        lacking = [table for table in drug_class.tables if not folder.has(table)]
        if lacking:
            column.note = f"Without {' and '.join(lacking)}: drugs that only stand there are not seen."
    return rows.assign(**added)


def _ordered(
    rows: pd.DataFrame, folder: Mimic3Folder, *, classes: list[DrugClass], tally: Tally
) -> tuple[dict[str, set[int]], set[int]]:
    """Class → admissions with an order of it, and all admissions with any order."""
    if not folder.has("PRESCRIPTIONS"):
        return {}, set()
    # Reduced to different names first: four million orders are some four thousand names.
    folder.execute(
        "CREATE OR REPLACE TEMP TABLE orders AS SELECT hadm_id, lower(trim(drug)) AS drug, count(*) AS times "
        "FROM prescriptions GROUP BY ALL"
    )
    read = folder.count("SELECT coalesce(sum(times), 0) FROM orders")
    names = folder.frame("SELECT DISTINCT drug FROM orders WHERE drug IS NOT NULL")["drug"]
    pairs = [(name, drug_class.column) for name in names for drug_class in classes if drug_class.matches(name)]
    folder.register("class_of_drug", pd.DataFrame(pairs, columns=["drug", "class"], dtype="object"))
    found = folder.frame(
        "SELECT DISTINCT orders.hadm_id, class_of_drug.class AS class FROM orders JOIN class_of_drug USING (drug)"
    )
    described = set(folder.frame("SELECT DISTINCT hadm_id FROM orders")["hadm_id"].dropna().astype(int))
    tally.rows_read["PRESCRIPTIONS"] = read
    tally.step(
        "drug orders",
        rows_in=read,
        rows_out=len(found),
        note=(
            f"{len(names)} different drug names, {len({name for name, _ in pairs})} of them in a class; "
            f"{len(described & set(rows['admission_id']))} admissions have orders"
        ),
    )
    return _sets(found), described


def _infused(
    rows: pd.DataFrame, folder: Mimic3Folder, *, classes: list[DrugClass], tally: Tally
) -> tuple[dict[str, set[int]], set[int]]:
    """Class → admissions with an infusion of it, and all admissions with any infusion."""
    pairs = [(item, drug_class.column) for drug_class in classes for item in drug_class.infusions]
    folder.register("class_of_item", pd.DataFrame(pairs, columns=["itemid", "class"]).astype({"class": "object"}))
    infused: dict[str, set[int]] = {}
    charted: set[int] = set()
    for table in INFUSION_TABLES:
        if not folder.has(table):
            continue
        rewritten = " AND coalesce(statusdescription, '') != 'Rewritten'" if table == "INPUTEVENTS_MV" else ""
        # An entry that was rewritten is replaced by another row; amounts of 0 were never given.
        folder.execute(
            "CREATE OR REPLACE TEMP TABLE infusions AS SELECT hadm_id, itemid, count(*) AS times, "
            f"bool_or((coalesce(amount, 0) > 0 OR coalesce(rate, 0) > 0){rewritten}) AS given "
            f"FROM {table.lower()} GROUP BY hadm_id, itemid"
        )
        found = folder.frame(
            "SELECT DISTINCT infusions.hadm_id, class_of_item.class AS class "
            "FROM infusions JOIN class_of_item USING (itemid) WHERE given"
        )
        for name, admissions in _sets(found).items():
            infused.setdefault(name, set()).update(admissions)
        seen = folder.frame("SELECT DISTINCT hadm_id FROM infusions")["hadm_id"].dropna().astype(int)
        charted.update(seen)
        tally.rows_read[table] = folder.count("SELECT coalesce(sum(times), 0) FROM infusions")
        tally.step(
            f"infusions ({table})",
            rows_in=tally.rows_read[table],
            rows_out=len(found),
            note=f"{len(set(seen) & set(rows['admission_id']))} admissions have entries",
        )
    return infused, charted


def _sets(found: pd.DataFrame) -> dict[str, set[int]]:
    found = found.dropna()
    return {str(name): set(part["hadm_id"].astype(int)) for name, part in found.groupby("class")}


def add_procedures(
    rows: pd.DataFrame, folder: Mimic3Folder, *, flags: list[ProcedureFlag], tally: Tally
) -> pd.DataFrame:
    """``rows`` with one boolean column for each procedure whose tables are there; without a record it is "no"."""
    codes, items = _empty("icd9_code"), _empty("itemid")
    if folder.has("PROCEDURES_ICD"):
        codes = folder.frame(
            "SELECT hadm_id, replace(trim(icd9_code), '.', '') AS icd9_code FROM procedures_icd "
            "WHERE icd9_code IS NOT NULL AND hadm_id IS NOT NULL"
        )
        tally.rows_read["PROCEDURES_ICD"] = folder.count("SELECT count(*) FROM procedures_icd")
    if folder.has("PROCEDUREEVENTS_MV"):
        items = folder.frame(
            "SELECT DISTINCT hadm_id, itemid FROM procedureevents_mv WHERE hadm_id IS NOT NULL "
            "AND coalesce(statusdescription, '') != 'Rewritten'"
        )
        tally.rows_read["PROCEDUREEVENTS_MV"] = folder.count("SELECT count(*) FROM procedureevents_mv")
    added = {}
    for flag in (flag for flag in flags if flag.exists(folder)):
        billed = rows["admission_id"].isin(codes.loc[codes["icd9_code"].str.startswith(flag.codes), "hadm_id"])
        recorded = rows["admission_id"].isin(items.loc[items["itemid"].isin(flag.items), "hadm_id"])
        added[flag.column] = (billed | recorded).astype("boolean")
        column = tally.column(flag.column)
        column.sources["PROCEDURES_ICD"] += int(billed.sum())
        column.sources["PROCEDUREEVENTS_MV"] += int((recorded & ~billed).sum())
        if flag.codes and flag.items and not folder.has("PROCEDUREEVENTS_MV"):
            column.note = "Without PROCEDUREEVENTS_MV: only what was billed is seen."
    return rows.assign(**added)


def _empty(column: str) -> pd.DataFrame:
    return pd.DataFrame({"hadm_id": pd.array([], dtype="int64"), column: pd.array([], dtype="object")})
