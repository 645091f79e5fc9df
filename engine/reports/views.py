"""The two views of a cohort, kept apart: everything for who may see the real data, and what may leave with the rows.

The release view never reads a comparison: its figures are computed here from the synthetic table alone, which plays the
part of the only table, so that not even the intervals and the order of categories come from real rows.
"""

from typing import Any

import pandas as pd

from engine.core.errors import DataError
from engine.evaluation.cells import Sample
from engine.evaluation.columns import REAL, SYNTHETIC, describe
from engine.evaluation.plausibility import plausibility
from engine.evaluation.table_one import table_one
from engine.reports import compared, concluded
from engine.reports.content import Report, Section, Table, Text
from engine.reports.facts import Facts, limits, privacy_statement, provenance
from engine.schema.table import Column, TableSchema

VERSION = 2
"""Of the comparison that is understood."""
_EMPTY = "No row has a value."


def internal(comparison: dict[str, Any], facts: Facts) -> Report:
    """Everything that a comparison (:mod:`engine.evaluation.report`) holds, and where the cohort comes from.

    Raises:
        DataError: the comparison is of another version.
    """
    if comparison.get("version") != VERSION:
        raise DataError(
            f"the comparison is of version {comparison.get('version')}, not {VERSION}",
            remedy="Compare the cohort again.",
        )
    sections = (
        compared.glance(comparison),
        compared.reference(comparison),
        *compared.table_one(comparison),
        compared.distributions(comparison),
        *compared.associations(comparison),
        compared.detection(comparison),
        concluded.conclusions(comparison, facts.analyses),
        concluded.attacks(comparison),
        privacy_statement(facts),
        concluded.plausibility(comparison),
        provenance(facts, "internal"),
        limits(facts),
    )
    of_summary = comparison["reference"]["kind"] == "summary"
    beside = "the private summary of its model" if of_summary else "real rows"
    about = (
        f"Comparison of a synthetic cohort with {beside}: how alike it is, what it is good for, and what it gives away."
    )
    return Report(facts.sentence, about, "internal", sections, of_summary=of_summary)


def release(frame: pd.DataFrame, schema: TableSchema, facts: Facts, *, rows_in_all: int | None = None) -> Report:
    """What may leave with the rows of ``frame`` (conformed to ``schema``): figures of the synthetic table only.

    ``rows_in_all``: how many the cohort has, where ``frame`` is a random part of it.
    """
    known = TableSchema(columns=tuple(one for one in schema.released().features if one.name in frame.columns))
    columns = [_bare(column) for column in known.columns]
    # The names of the tables are the keys of the evaluation; the one table here is the synthetic one.
    alone = {REAL: Sample(frame)}
    entries = [_as_synthetic(describe(alone, column, minimum=1)) for column in columns]
    found = table_one(alone, columns, minimum=1)
    for line in found["columns"]:
        line["reason"] = line["reason"] and _EMPTY
    heads = {"characteristic": "Characteristic", "statistic": "Statistic", "real": "Synthetic"}
    drawn = ()
    if rows_in_all is not None and rows_in_all > len(frame):
        drawn = (Text(f"Figures are of {len(frame):,} of the cohort's {rows_in_all:,} rows, drawn at random.", "note"),)
    sections = (
        Section("What this is", (Text(
            "A description of synthetic rows. No figure in it was computed on a real patient's row: how the cohort "
            "compares with real patients is for those who may see them, in another document."
        ),)),
        privacy_statement(facts),
        Section("Table 1", (compared.table_of_lines(found, "Table 1: the synthetic rows", heads), *drawn)),
        Section("Distributions", tuple(compared.distribution_blocks(entries))),
        _rules(alone, known),
        provenance(facts, "release"),
        limits(facts),
    )  # fmt: skip
    return Report(facts.sentence, "Description of a synthetic cohort.", "release", sections)


def _bare(column: Column) -> Column:
    # Which categories there are is read off the synthetic rows; a list may hold what only a real row has.
    return column.model_copy(update={"categories": None})


def _as_synthetic(entry: dict[str, Any]) -> dict[str, Any]:
    """A column entry of one table under the name of the synthetic one."""
    if not entry["shown"]:
        return entry | {"reason": _EMPTY}
    bins = [{SYNTHETIC if key == REAL else key: value for key, value in one.items()} for one in entry["bins"]]
    stats = {SYNTHETIC: entry["stats"][REAL]} if entry["stats"] else {}
    return entry | {"bins": bins, "stats": stats, "missing": {SYNTHETIC: entry["missing"][REAL]}}


def _rules(alone: dict[str, Sample], schema: TableSchema) -> Section:
    found = plausibility(alone, schema, minimum=1)
    if not found["rules"]:
        blocks = (Text("Not assessable: no rule can be asked of these columns.", "absent"),)
        return Section("Plausibility", blocks)
    rows = tuple((one["title"], one["severity"], one[REAL]["text"], one["citation"]) for one in found["rules"])
    heads = ("Rule", "Severity", "Synthetic rows that break it", "Where the rule is from")
    return Section(
        "Plausibility",
        (Table("Rules of plausibility, asked of the synthetic rows", heads, rows, wide=(0, 3), words=(1,)),),
    )
