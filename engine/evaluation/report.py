"""The comparison of a synthetic cohort with real rows: aggregates only, in one JSON value.

Keys of the result:

- ``version``, ``small_cell_minimum``, ``notes`` (sentences for a person), ``seconds``
- ``reference``: which real rows it was compared with (:mod:`engine.evaluation.reference`); ``synthetic_rows``
- ``columns``: one entry per feature column of the synthetic table (:mod:`engine.evaluation.columns`)
- ``associations``: ``names``, ``titles``, ``kinds``, matrices ``real``, ``synthetic``, ``difference`` (the same under
  ``pearson``, with Pearson's in place of Spearman's coefficient), ``mean_difference`` per table
- ``scores``: ``figures`` by name, each ``{label, meaning, synthetic, holdout, halves}`` whose tables are
  ``{value, reason}``; ``most_rows`` (per table), ``pair_columns``, ``notes``
- ``plausibility``: rules that rows break, by severity (:mod:`engine.evaluation.plausibility`), and ``impossible_rows``,
  its total in words for ``real``, ``holdout`` and ``synthetic`` rows

Whatever was computed on real rows is for the people who may see the real data; it is not part of a release.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from engine.cohort.conditions import as_numbers
from engine.cohort.spec import CohortSpec
from engine.core.errors import DataError
from engine.core.progress import Part, Progress
from engine.core.randomness import generator
from engine.evaluation import fidelity
from engine.evaluation.associations import Coding, as_lists, association_matrix, mean_difference, strongest
from engine.evaluation.cells import Sample
from engine.evaluation.columns import HOLDOUT, REAL, SYNTHETIC, describe
from engine.evaluation.fidelity import Figure, thinned
from engine.evaluation.plausibility import plausibility
from engine.evaluation.reference import Reference, choose
from engine.evaluation.similarity import pair_similarity
from engine.schema.table import Column, TableSchema

VERSION = 1
MOST_SHOWN = 40
"""Columns of the association heat maps."""
_ASSOCIATION_ROWS = 5000
_LEAST_PAIR_ROWS = 20
_PAIR_BINS = 8

_MEANING = {
    "quality": ("Overall quality", "SDMetrics quality: mean of column shapes and pair trends; 1 is alike."),
    "shapes": ("Column shapes", "How alike each column is distributed (KS and TV complement, mean over columns)."),
    "pairs": (
        "Pair trends",
        "How alike the associated pairs of columns are (SDMetrics, only pairs above its threshold).",
    ),
    "all_pairs": ("All pairs", "How alike the joint distribution of each pair of columns is, over every pair."),
    "associations": ("Association difference", "Mean absolute difference of the association measures; 0 is alike."),
    "validity": ("Data validity", "Share of values inside the range and the categories of the real training rows."),
    "structure": ("Data structure", "Same columns, same types."),
}


@dataclass(frozen=True)
class _Tables:
    """The rows of a comparison, all with the same feature columns."""

    real: Sample
    holdout: Sample
    synthetic: Sample
    columns: tuple[Column, ...]


def compare(
    train: pd.DataFrame,
    holdout: pd.DataFrame,
    synthetic: pd.DataFrame,
    schema: TableSchema,
    *,
    spec: CohortSpec,
    small_cell_minimum: int,
    progress: Progress,
) -> dict[str, Any]:
    """Compare ``synthetic`` with the rows of ``train`` that meet the spec, the hold-out beside (see the module).

    Args:
        train: real rows the generator learned, conformed to ``schema``.
        holdout: real rows it did not see, conformed; may be empty.
        synthetic: the cohort, conformed to the features it has.
        schema: the real table's.
        spec: what the cohort was asked for.
        small_cell_minimum: counts of real patients below this are not shown.
        progress: told of each step; may cancel.

    Raises:
        DataError: the tables share no feature column, or the synthetic or the training table has no rows.
        UserError: a criterion of ``spec`` does not fit ``schema``.
    """
    started = time.monotonic()
    columns = tuple(c for c in schema.features if c.name in synthetic.columns and c.name in train.columns)
    if not columns:
        raise DataError("the synthetic table has no column of the real one", remedy="Compare tables of one schema.")
    for name, frame in (("training", train), ("synthetic", synthetic)):
        if not len(frame):
            raise DataError(f"the {name} table has no rows", remedy="Choose tables that hold rows.")
    progress.update(0.0, "Choosing the real reference")
    # Rows are found again by their index, which callers need not keep distinct.
    everyone = (
        Sample.of(train.reset_index(drop=True), schema),
        Sample.of(holdout.reset_index(drop=True), schema),
    )
    reference = choose(*everyone, spec, schema)
    tables = _Tables(everyone[0].take(reference.train), everyone[1].take(reference.holdout), Sample(synthetic), columns)
    rng = generator(spec.seed, "comparison")
    entries = _columns(tables, small_cell_minimum, Part(progress, 0.02, 0.3))
    shown = [column for column, entry in zip(columns, entries, strict=True) if entry["shown"]]
    real_patients = tables.real.patient_count
    # An association with a category of a few patients is a figure about those few.
    told = [c for c, entry in zip(columns, entries, strict=True) if _is_told(entry)]
    found, differences, paired = _associations(tables, told, small_cell_minimum, rng, Part(progress, 0.3, 0.5))
    scores = _scores(tables, everyone[0], shown, paired, differences, rng, Part(progress, 0.5, 1.0))
    if real_patients < small_cell_minimum:
        found, scores = _nothing(small_cell_minimum)
    samples = {REAL: tables.real, HOLDOUT: tables.holdout, SYNTHETIC: tables.synthetic}
    broken = plausibility(samples, TableSchema(columns=columns), minimum=small_cell_minimum)
    progress.update(1.0, "Compared")
    return {
        "version": VERSION,
        "small_cell_minimum": small_cell_minimum,
        "reference": reference.as_dict(*everyone, schema, minimum=small_cell_minimum),
        "synthetic_rows": len(synthetic),
        "notes": _notes(reference, spec, schema, tables, entries),
        "columns": entries,
        "associations": found,
        "scores": scores,
        "impossible_rows": {table: broken["totals"]["impossible"][table]["text"] for table in samples},
        "plausibility": broken,
        "seconds": round(time.monotonic() - started, 2),
    }


def _columns(tables: _Tables, minimum: int, progress: Progress) -> list[dict[str, Any]]:
    samples = {REAL: tables.real, HOLDOUT: tables.holdout, SYNTHETIC: tables.synthetic}
    entries = []
    for done, column in enumerate(tables.columns):
        progress.update(done / len(tables.columns), f"Distribution of {column.label or column.name}")
        entries.append(describe(samples, column, minimum=minimum))
    return entries


def _is_told(entry: dict[str, Any]) -> bool:
    return entry["shown"] and all(cell[REAL] is not None for cell in entry["bins"])


def _halves(sample: Sample, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two random halves by patient: what two samples of the same size as each other differ by."""
    keys = np.arange(len(sample.frame)) if sample.patients is None else sample.patients
    unique = rng.permutation(np.unique(keys))
    first = np.isin(keys, unique[: len(unique) // 2])
    return sample.frame.loc[first], sample.frame.loc[~first]


def _associations(
    tables: _Tables, columns: list[Column], minimum: int, rng: np.random.Generator, progress: Progress
) -> tuple[dict[str, Any], dict[str, float | None], set[str]]:
    """The heat maps' values, the mean difference per table over every pair, and the columns for pair trends."""
    progress.update(0.0, "Associations between columns")
    real = thinned(tables.real.frame, rng, _ASSOCIATION_ROWS)
    coding = Coding.of(real, columns, least=minimum)
    least = max(minimum, _LEAST_PAIR_ROWS)

    def matrix(frame: pd.DataFrame, chosen: list[Column], numeric: str = "spearman") -> np.ndarray:
        rows = thinned(frame, rng, _ASSOCIATION_ROWS)
        return association_matrix(rows, chosen, coding=coding, least_rows=least, numeric=numeric)

    whole = association_matrix(real, columns, coding=coding, least_rows=least)
    progress.update(0.3, "Associations between columns")
    synthetic = matrix(tables.synthetic.frame, columns)
    progress.update(0.5, "Associations between columns")
    halves = [matrix(half, columns) for half in _halves(tables.real, rng)]
    differences = {
        SYNTHETIC: mean_difference(whole, synthetic),
        HOLDOUT: mean_difference(whole, matrix(tables.holdout.frame, columns)),
        "halves": mean_difference(*halves),
    }
    progress.update(0.8, "Associations between columns")
    keep = strongest(whole, MOST_SHOWN)
    chosen = [columns[i] for i in keep]
    index = np.ix_(keep, keep)
    found: dict[str, Any] = {
        "names": [column.name for column in chosen],
        "titles": [column.label or column.name.replace("_", " ") for column in chosen],
        "kinds": ["number" if column.kind.is_ordered else "category" for column in chosen],
        "measure": "Spearman's correlation (two numbers), Cramér's V (two categories), correlation ratio (one of each)",
        "columns_in_all": len(columns),
        "mean_difference": {t: None if d is None else round(d, 3) for t, d in differences.items()},
    }
    found |= _matrices(whole[index], synthetic[index])
    found["pearson"] = _matrices(matrix(real, chosen, "pearson"), matrix(tables.synthetic.frame, chosen, "pearson"))
    return found, differences, {columns[i].name for i in strongest(whole, fidelity.MOST_PAIR_COLUMNS)}


def _matrices(real: np.ndarray, synthetic: np.ndarray) -> dict[str, Any]:
    return {REAL: as_lists(real), SYNTHETIC: as_lists(synthetic), "difference": as_lists(synthetic - real)}


def _scores(
    tables: _Tables,
    train: Sample,
    columns: list[Column],
    paired: set[str],
    differences: Mapping[str, float | None],
    rng: np.random.Generator,
    progress: Progress,
) -> dict[str, Any]:
    pair_columns = [column for column in columns if column.name in paired]
    real = thinned(tables.real.frame, rng)
    halves = _halves(Sample(real, None if tables.real.patients is None else _codes(tables.real, real)), rng)
    against = {
        SYNTHETIC: (real, thinned(tables.synthetic.frame, rng)),
        HOLDOUT: (real, thinned(tables.holdout.frame, rng)),
        "halves": halves,
    }
    found: dict[str, dict[str, Figure]] = {}
    for done, (table, (first, second)) in enumerate(against.items()):
        progress.update(done / 3, f"Quality of the {'real halves' if table == 'halves' else table} rows (SDMetrics)")
        if len(first) < _LEAST_PAIR_ROWS or len(second) < _LEAST_PAIR_ROWS:
            few = Figure.of(None, f"there are fewer than {_LEAST_PAIR_ROWS} rows to compare")
            found[table] = dict.fromkeys(_MEANING, few)
            continue
        values = fidelity.quality(first, second, columns, pair_columns)
        scores = {"quality": values["overall"], "shapes": values["shapes"], "pairs": values["pairs"]}
        scores["all_pairs"] = Figure.of(_all_pairs(first, second, columns), "there are fewer than two columns")
        scores["associations"] = Figure.of(differences[table], "no pair of columns has enough values in both tables")
        # Whether a value is possible is a question to all real rows, not to the few that meet the criteria.
        known = train.frame if table != "halves" else first
        scores |= fidelity.diagnostic(known, second, columns)
        found[table] = scores
    return {
        "figures": {
            name: {"label": label, "meaning": meaning} | {t: found[t][name].as_dict() for t in found}
            for name, (label, meaning) in _MEANING.items()
        },
        "most_rows": fidelity.MOST_ROWS,
        "pair_columns": len(pair_columns),
        "notes": _score_notes(tables, columns, pair_columns),
    }


def _codes(whole: Sample, rows: pd.DataFrame) -> np.ndarray:
    assert whole.patients is not None
    return pd.Series(whole.patients, index=whole.frame.index).loc[rows.index].to_numpy()


def _all_pairs(real: pd.DataFrame, other: pd.DataFrame, columns: list[Column]) -> float | None:
    """Mean similarity of the joint tables of all pairs, numbers cut where the real ones have their quantiles."""
    coding = Coding.of(real, columns)
    coded: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    cells = []
    for column in columns:
        if column.kind.is_ordered:
            numbers = [as_numbers(frame[column.name], column) for frame in (real, other)]
            present = numbers[0][~np.isnan(numbers[0])]
            edges = np.unique(np.quantile(present, np.linspace(0, 1, _PAIR_BINS + 1)[1:-1])) if len(present) else []
            size = len(edges) + 1
            codes = [np.where(np.isnan(n), size, np.searchsorted(edges, n, side="right")) for n in numbers]
        else:
            size = len(coding.categories[column.name]) + 1
            codes = [coding.codes(frame, column) for frame in (real, other)]
            codes = [np.where(values < 0, size, values) for values in codes]
        cells.append(size + 1)
        for side in (0, 1):
            coded[side].append(codes[side])
    return pair_similarity(coded[0], coded[1], cells)


def _score_notes(tables: _Tables, columns: list[Column], pair_columns: list[Column]) -> list[str]:
    notes = ["Validity asks all real training rows; the other figures ask the reference rows."]
    most = fidelity.MOST_ROWS
    if max(len(s.frame) for s in (tables.real, tables.holdout, tables.synthetic)) > most:
        notes.append(f"The figures use {most:,} rows of each larger table, drawn at random.")
    if len(pair_columns) < len(columns):
        notes.append(
            f"Pair trends use the {len(pair_columns)} columns with the strongest real associations, of {len(columns)}."
        )
    notes.append("Halves: one random half of the reference against the other, the level that chance alone reaches.")
    return notes


def _notes(
    reference: Reference, spec: CohortSpec, schema: TableSchema, tables: _Tables, entries: list[dict[str, Any]]
) -> list[str]:
    notes = []
    if spec.shares:
        asked = ", ".join(dict.fromkeys(schema[share.column].label or share.column for share in spec.shares))
        notes.append(f"The cohort was asked for with set proportions of {asked}: the real rows are as they are.")
    if spec.reference_population:
        notes.append("The cohort is weighted to a reference population: the real rows are as they are.")
    if reference.dropped:
        notes.append("The reference is larger than the cohort asked for: see the reference.")
    left_out = sum(not entry["shown"] for entry in entries)
    if left_out:
        notes.append(f"{left_out} of {len(entries)} columns have too few real values to be shown.")
    if not len(tables.holdout.frame):
        notes.append("No hold-out row belongs to the reference, so the hold-out figures are not assessable.")
    return notes


def _nothing(minimum: int) -> tuple[dict[str, Any], dict[str, Any]]:
    few = Figure.of(None, f"there are fewer than {minimum} real patients").as_dict()
    figures = {
        name: {"label": label, "meaning": meaning, SYNTHETIC: few, HOLDOUT: few, "halves": few}
        for name, (label, meaning) in _MEANING.items()
    }
    empty: dict[str, Any] = {REAL: [], SYNTHETIC: [], "difference": []}
    found = {"names": [], "titles": [], "kinds": [], "measure": "", "columns_in_all": 0} | empty
    none = {SYNTHETIC: None, HOLDOUT: None, "halves": None}
    return found | {"mean_difference": none, "pearson": empty}, {
        "figures": figures,
        "most_rows": fidelity.MOST_ROWS,
        "pair_columns": 0,
        "notes": [],
    }
