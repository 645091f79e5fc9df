"""Table 1: every column of the real, synthetic and held-out patients side by side, with standardised differences.

Computed here, not with the package ``tableone``: that has no weights and no suppression of small cells (a test compares
the standardised differences with its). No p-values. The result (JSON values, an internal view) has these keys:

- ``tables``: per table (``real``, ``synthetic``, ``holdout``) ``{rows, patients, text, weighted}``; None: not shown
- ``columns``: ``{name, label, unit, group, kind, form, reason, tables, categories, smd}``; ``form`` is ``"number"``,
  ``"date"`` or ``"category"``, or ``"none"`` for ``reason``
- a column's ``tables``: per table ``{missing: cell}``, for numbers also ``mean``, ``sd``, ``median``, ``q1``, ``q3``
  and the texts ``mean_sd`` and ``median_iqr``; ``categories``: ``{label, real, synthetic, holdout}`` of cells
- a cell: ``{rows, share, text}``: the rows, their share (of rows with a value; missing: of all rows), ``n (%)``
- ``smd``: per table but the real one ``{value, reason}``: its standardised difference from the real rows
- ``notes``: sentences for a person

Small cells follow :mod:`engine.evaluation.cells`. Exact counts of real rows are shown only where none of the counts
that add up with them to a known total is small: else shares alone are, rounded to a step of at least one row. The
differences of categories are computed from the shares as shown, so they tell nothing more.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.cohort.conditions import as_numbers
from engine.evaluation.categories import Bars, bars
from engine.evaluation.cells import Sample, publishable, rounding
from engine.evaluation.fidelity import Figure
from engine.evaluation.reference import shown_count
from engine.evaluation.standardised import moments, number_difference, share_difference, shown_quartiles
from engine.evaluation.tables import HOLDOUT, REAL, SYNTHETIC, label_of
from engine.schema.table import Column, Kind

MOST_CATEGORIES = 12
"""Categories shown by name; the others are one line."""
_NOT_SHOWN = "not shown"


@dataclass(frozen=True)
class _Part:
    """One table: its rows, how small a cell may be, and whether exact counts may be told."""

    table: str
    sample: Sample
    minimum: int
    exact: bool
    head: dict[str, Any]

    def cell(self, rows: np.ndarray, of: np.ndarray, *, exact: bool) -> dict[str, Any]:
        """The cell of ``rows`` among the rows ``of``, of which there is at least one."""
        if exact:
            count, share = int(rows.sum()), self.sample.share(rows, of)
            return {"rows": count, "share": share, "text": f"{count:,} ({share:.1%})"}
        share, digits = self.sample.rounded(rows, of), 0 if rounding(self.sample.units(of)) >= 0.01 else 1
        return {"rows": None, "share": share, "text": f"{share:.{digits}%}"}


def table_one(
    samples: Mapping[str, Sample],
    columns: Sequence[Column],
    *,
    minimum: int,
    weights: Mapping[str, np.ndarray] | None = None,
    counted: Collection[str] = (REAL, HOLDOUT),
) -> dict[str, Any]:
    """The table (see the module) of ``columns``.

    Args:
        samples: the tables ``real``, ``synthetic`` and ``holdout``, conformed.
        columns: which, in this order.
        minimum: counts of real patients below this are not shown.
        weights: per real table (n_rows,) of mean 1; rows without weight have no part in the table.
        counted: the real tables whose number of rows may be told; not where other counts follow from it.
    """
    parts = {
        table: _part(table, sample, (weights or {}).get(table), minimum, table == SYNTHETIC or table in counted)
        for table, sample in samples.items()
    }
    return {
        "tables": {table: part.head for table, part in parts.items()},
        "columns": [_entry(parts, column, minimum) for column in columns],
        "notes": _notes(parts, minimum),
        "internal": True,
    }


def _part(table: str, sample: Sample, weights: np.ndarray | None, minimum: int, counted: bool) -> _Part:
    minimum = 1 if table == SYNTHETIC else minimum
    kept = np.ones(len(sample.frame), dtype=bool) if weights is None else weights > 0
    head = shown_count(sample, kept, minimum) if counted else {"rows": None, "patients": None, "text": _NOT_SHOWN}
    head |= {"weighted": weights is not None}
    exact = weights is None and head["rows"] is not None
    return _Part(table, sample.weighted(weights), minimum, exact, head)


def _entry(parts: Mapping[str, _Part], column: Column, minimum: int) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": column.name,
        "label": label_of(column),
        "unit": column.unit,
        "group": column.group,
        "kind": column.kind.value,
        "form": "none",
        "reason": "",
        "tables": {table: {"missing": _missing(part, column)} for table, part in parts.items()},
        "categories": [],
        "smd": {},
    }
    present = parts[REAL].sample.frame[column.name].notna().to_numpy()
    if int(parts[REAL].sample.support(present).sum()) < minimum or not present.any():
        few = f"Fewer than {minimum} real patients have" if present.any() else "No real patient has"
        return entry | {"reason": f"{few} a value."}
    return entry | (_numbers if column.kind.is_ordered else _categories)(parts, column, minimum, entry["tables"])


def _missing(part: _Part, column: Column) -> dict[str, Any]:
    missing = part.sample.frame[column.name].isna().to_numpy()
    if not len(missing):
        return {"rows": None, "share": None, "text": "no rows"}
    few = f"fewer than {part.minimum} patients"
    for rows, text in ((missing, few), (~missing, f"all but {few}")):
        if rows.any() and int(part.sample.support(rows).sum()) < part.minimum:
            return {"rows": None, "share": None, "text": text}
    return part.cell(missing, np.ones(len(missing), dtype=bool), exact=part.exact)


def _numbers(parts: Mapping[str, _Part], column: Column, minimum: int, tables: dict[str, Any]) -> dict[str, Any]:
    numbers = {table: as_numbers(part.sample.frame[column.name], column) for table, part in parts.items()}
    moment: dict[str, tuple[float, float] | None] = {}
    quantile: dict[str, list[float | None]] = {}
    for table, part in parts.items():
        present = ~np.isnan(numbers[table])
        values, known = numbers[table][present], part.sample.bare(present)
        told = known.patient_count >= max(2, part.minimum)
        moment[table] = moments(values, known.weights) if told else None
        quantile[table] = shown_quartiles(values, known, part.minimum)
    digits = _digits((moment[REAL] or (0.0, 0.0))[1], column)
    is_date = column.kind is Kind.DATE
    for table, found in tables.items():
        mean, sd = (None, None) if is_date else moment[table] or (None, None)
        for name, value in zip(("mean", "sd", "median", "q1", "q3"), (mean, sd, *quantile[table]), strict=True):
            found[name] = None if value is None else round(value, digits)
        median, q1, q3 = (_text(found[name], digits, column) for name in ("median", "q1", "q3"))
        found["mean_sd"] = "" if is_date else _NOT_SHOWN if mean is None else f"{mean:,.{digits}f} ({sd:,.{digits}f})"
        found["median_iqr"] = f"{median} [{q1}, {q3}]" if found["q1"] is not None else median
    smd = {}
    for table in parts:
        if table != REAL:
            first, second = moment[REAL], moment[table]
            if first is None or second is None:
                smd[table] = Figure.of(None, _too_few(parts[table])).as_dict()
            else:
                smd[table] = Figure.of(number_difference(first, second), "neither table varies").as_dict()
    return {"form": "date" if is_date else "number", "tables": tables, "smd": smd}


def _too_few(part: _Part) -> str:
    return f"fewer than {max(2, part.minimum)} patients have a value"


def _digits(sd: float, column: Column) -> int:
    """Digits after the point: three of the standard deviation's, but at most one more than is recorded."""
    recorded = 0 if column.kind in (Kind.INTEGER, Kind.DATE) else column.decimals
    if column.kind is Kind.DATE:
        return 0
    found = 2 - math.floor(math.log10(sd)) if sd > 0 else 2
    return int(np.clip(found, 0, 6 if recorded is None else recorded + 1))


def _text(value: float | None, digits: int, column: Column) -> str:
    if value is None:
        return _NOT_SHOWN
    if column.kind is Kind.DATE:
        return str(np.datetime64(int(value), "D"))
    return f"{value:,.{digits}f}"


def _categories(parts: Mapping[str, _Part], column: Column, minimum: int, tables: dict[str, Any]) -> dict[str, Any]:
    found = bars({table: part.sample for table, part in parts.items()}, column, minimum, most=MOST_CATEGORIES)
    if found is None:
        return {"form": "none", "reason": f"Each category has fewer than {minimum} real patients."}
    cells = {table: _cells(part, found, tables[table]["missing"]) for table, part in parts.items()}
    categories = [{"label": label} | {t: cells[t][at] for t in parts} for at, label in enumerate(found.labels)]
    smd = {table: _share_smd(cells[REAL], cells[table], parts[table]) for table in parts if table != REAL}
    return {"form": "category", "categories": categories, "smd": smd}


def _cells(part: _Part, found: Bars, missing: dict[str, Any]) -> list[dict[str, Any]]:
    """The cells of one table, one per bar."""
    counts, hidden = found.counts[part.table], {"rows": None, "share": None, "text": _NOT_SHOWN}
    if not counts.rows.any():
        return [hidden | {"text": "no rows with a value"}] * len(found.labels)
    if part.table == REAL and found.pooling.hidden:
        return [hidden | {"text": note} for note in found.notes]
    shown = publishable(counts, part.minimum) if part.table == HOLDOUT else np.ones(len(counts.rows), dtype=bool)
    if shown is None or counts.support.sum() < part.minimum:
        return [hidden] * len(found.labels)
    # Exact counts that are left over from a known total give the small count away that completes it.
    exact = part.exact and missing["rows"] is not None and not (part.table == REAL and _is_told_apart(found, part))
    place, cells = found.places[part.table], []
    for at, visible in enumerate(shown):
        cells.append(part.cell(place == at, found.codes[part.table] >= 0, exact=exact) if visible else hidden)
    return cells


def _is_told_apart(found: Bars, part: _Part) -> bool:
    """Whether the categories shown together are so many patients that each must be as large as a small cell can be."""
    together = found.pooling.all_small and found.pooled > 0
    return together and int(found.counts[REAL].support[-1]) >= found.pooled * (part.minimum - 1)


def _share_smd(real: list[dict[str, Any]], other: list[dict[str, Any]], part: _Part) -> dict[str, Any]:
    if any(cell["share"] is None for cell in real):
        return Figure.of(None, "a category has too few real patients").as_dict()
    told = [at for at, cell in enumerate(other) if cell["share"] is not None]
    if not told:
        return Figure.of(None, _too_few(part)).as_dict()
    shares = [np.array([cells[at]["share"] for at in told]) for cells in (real, other)]
    # What is not shown of the other table is what the shares that are shown leave: one category more.
    rest = [max(0.0, 1 - float(one.sum())) for one in shares] if len(told) < len(other) else [0.0, 0.0]
    first, second = (np.append(one, left) for one, left in zip(shares, rest, strict=True))
    return Figure.of(share_difference(first, second), "the two tables share no category").as_dict()


def _notes(parts: Mapping[str, _Part], minimum: int) -> list[str]:
    notes = [
        "SMD: standardised mean difference from the real patients (Yang and Dalton 2012); below 0.1 is small. Beside "
        "it the SMD of held-out real patients, which is what chance alone makes."
    ]
    if minimum > 1:
        notes.append(
            f"Counts of fewer than {minimum} real patients, and counts that would give them away, are not shown."
        )
    if any(part.sample.weights is not None for part in parts.values()):
        notes.append("Real patients are weighted, so their shares and means are shown without counts.")
    return notes
