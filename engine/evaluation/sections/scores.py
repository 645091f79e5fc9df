"""The section of SDMetrics' scores: ``figures``, ``most_rows`` (per table), ``pair_columns`` (how many), ``notes``.

``figures`` by name: ``{label, meaning, synthetic, holdout, halves}``, whose tables are ``{value, reason}``.

SDMetrics knows no weights. Weighted rows are therefore drawn anew (:func:`engine.evaluation.drawing.evened`), as many
as they count as; halves are parted before, so that no row stands in both.
"""

from typing import Any

import numpy as np
import pandas as pd

from engine.cohort.conditions import as_numbers
from engine.core.progress import Progress
from engine.evaluation import fidelity
from engine.evaluation.associations import Coding
from engine.evaluation.cells import Sample
from engine.evaluation.drawing import evened, halves
from engine.evaluation.fidelity import Figure
from engine.evaluation.sections.associated import LEAST_ROWS
from engine.evaluation.similarity import pair_similarity
from engine.evaluation.study import Study
from engine.evaluation.tables import HOLDOUT, REAL, SYNTHETIC
from engine.schema.table import Column

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


def scores(study: Study, progress: Progress, associations: dict[str, Any]) -> dict[str, Any]:
    """The section (see the module); ``associations``: the one of :mod:`.associated`, whose pairs are scored."""
    if study.too_few:
        nothing = dict.fromkeys(_MEANING, Figure.of(None, study.too_few))
        figures = _figures({SYNTHETIC: nothing, HOLDOUT: nothing, "halves": nothing})
        return {"figures": figures, "most_rows": fidelity.MOST_ROWS, "pair_columns": 0, "notes": []}
    rng, columns = study.rng("scores"), study.shown
    pair_columns = [column for column in columns if column.name in associations["pair_columns"]]
    tables = {table: evened(study.weighted[table], rng, fidelity.MOST_ROWS) for table in (REAL, SYNTHETIC, HOLDOUT)}
    parted = halves(tables[REAL] if study.weights.values is None else study.weighted[REAL], rng)
    parts = [evened(half, rng, fidelity.MOST_ROWS).frame for half in parted]
    against = {table: (tables[REAL].frame, tables[table].frame) for table in (SYNTHETIC, HOLDOUT)}
    against["halves"] = parts[0], parts[1]
    found: dict[str, dict[str, Figure]] = {}
    for done, (table, (first, second)) in enumerate(against.items()):
        progress.update(done / 3, f"Quality of the {'real halves' if table == 'halves' else table} rows (SDMetrics)")
        if len(first) < LEAST_ROWS or len(second) < LEAST_ROWS:
            found[table] = dict.fromkeys(
                _MEANING, Figure.of(None, f"there are fewer than {LEAST_ROWS} rows to compare")
            )
            continue
        values = fidelity.quality(first, second, columns, pair_columns)
        told = {"quality": values["overall"], "shapes": values["shapes"], "pairs": values["pairs"]}
        told["all_pairs"] = Figure.of(_all_pairs(first, second, columns), "there are fewer than two columns")
        difference = associations["mean_difference"][table]
        told["associations"] = Figure.of(difference, "no pair of columns has enough values in both tables")
        # Whether a value is possible is a question to all real rows, not to the few that meet the criteria.
        known = study.train.frame if table != "halves" else first
        found[table] = told | fidelity.diagnostic(known, second, columns)
    return {
        "figures": _figures(found),
        "most_rows": fidelity.MOST_ROWS,
        "pair_columns": len(pair_columns),
        "notes": _notes(study, tables, columns, pair_columns),
    }


def _figures(found: dict[str, dict[str, Figure]]) -> dict[str, Any]:
    return {
        name: {"label": label, "meaning": meaning} | {table: found[table][name].as_dict() for table in found}
        for name, (label, meaning) in _MEANING.items()
    }


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


def _notes(study: Study, tables: dict[str, Sample], columns: list[Column], pair_columns: list[Column]) -> list[str]:
    notes = ["Validity asks all real training rows; the other figures ask the reference rows."]
    most = fidelity.MOST_ROWS
    notes += _weighted(study, tables)
    if max(len(s.frame) for s in study.samples.values()) > most:
        notes.append(f"The figures use {most:,} rows of each larger table, drawn at random.")
    if len(pair_columns) < len(columns):
        notes.append(
            f"Pair trends use the {len(pair_columns)} columns with the strongest real associations, of {len(columns)}."
        )
    notes.append("Halves: one random half of the reference against the other, the level that chance alone reaches.")
    return notes


def _weighted(study: Study, tables: dict[str, Sample]) -> list[str]:
    """How weighted rows are scored, in sizes of two digits that tell no count of rows."""
    words = {REAL: "real", HOLDOUT: "held-out"}
    sizes = [
        f"about {float(f'{len(tables[table].frame):.2g}'):,.0f} {word} ones"
        for table, word in words.items()
        if study.weighted[table].weights is not None
    ]
    if not sizes:
        return []
    return [
        "SDMetrics knows no weights, so real rows are drawn anew by weight (systematic sampling, a fixed seed): "
        f"{' and '.join(sizes)}, no more than they count as (Kish's effective size). A row of much weight may come "
        "more than once, but never in both halves. Fewer rows make every figure less alike by chance, those of the "
        "hold-out most: a cohort above it is as alike as can be told, not more. The association difference is computed "
        "with the weights themselves."
    ]
