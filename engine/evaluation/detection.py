"""Can a classifier tell synthetic from real rows, and which columns give them away?

Classifier two-sample test (Lopez-Paz and Oquab 2017): gradient boosting learns which table a row is of; the area under
the ROC curve on rows it has not seen is 0.5 where it can only guess, 1 where it always knows. Beside it, the same test
of held-out against real rows. Folds keep a patient's rows together; the area is the mean over folds. Its interval is
over patients (LeDell, Petersen and van der Laan 2015), widened as folds learn from the same rows (Nadeau and Bengio
2003: variance times 1 + k / (k - 1)); without that it misses 0.5 in a tenth to a third of tables that do not differ.
The entry (JSON values, an internal view) has these keys:

- ``reason``: why nothing is assessable, else empty, and then these follow
- ``auc``: per table (``synthetic``, ``holdout``) ``{value, low, high, reason}``
- ``columns``: what gives the synthetic rows away, the most telling first: ``{name, label, drop, alone}``; ``drop``: how
  much the area loses when the column's values are shuffled among held-out rows (permutation importance, Breiman 2001);
  ``alone``: the area that the column reaches by itself; both per table
- ``pairs``: pairs that tell more than either of their columns: ``{names, labels, alone, auc}``; ``auc`` per table
- ``sentence``: the finding in words; ``notes``
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.core.progress import Part, Progress, Silent
from engine.core.randomness import generator
from engine.evaluation.cells import Sample
from engine.evaluation.classifier import Finding, largest, tested
from engine.evaluation.estimates import Estimate
from engine.evaluation.models import Inputs
from engine.evaluation.tables import HOLDOUT, SYNTHETIC, label_of
from engine.evaluation.two_tables import FOLDS, MOST_ROWS, drawn, stacked, weighted
from engine.schema.table import Column

LEAST_PATIENTS = 50
MOST_NAMED = 10
_LEAST_DROP = 0.01


def detection(
    real: Sample,
    holdout: Sample,
    synthetic: Sample,
    columns: Sequence[Column],
    *,
    minimum: int,
    seed: int,
    weights: np.ndarray | None = None,
    holdout_weights: np.ndarray | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """The entry (see the module) for ``columns``.

    Args:
        real: real rows, conformed.
        holdout: real rows of other patients; may be empty.
        synthetic: the cohort, conformed to the features it has.
        columns: what the classifier sees.
        minimum: categories of fewer real rows are not told apart.
        seed: of the rows that are drawn, the folds and the models.
        weights: (n_real_rows,) of mean 1; rows without weight have no part.
        holdout_weights: (n_holdout_rows,) of mean 1.
        progress: told of each test; may cancel.
    """
    progress = progress or Silent()
    entry: dict[str, Any] = {"internal": True, "reason": ""}
    sides = {
        "real": weighted(real, weights),
        SYNTHETIC: weighted(synthetic, None),
        HOLDOUT: weighted(holdout, holdout_weights),
    }
    least = max(LEAST_PATIENTS, minimum)
    for name in ("real", SYNTHETIC):
        if sides[name][0].patient_count < least:
            return entry | {"reason": f"Not assessable: there are fewer than {least} {name} patients."}
    if not columns:
        return entry | {"reason": "Not assessable: there is no column to compare."}
    inputs = Inputs.of(real.frame, list(columns), minimum=minimum)
    found: dict[str, Finding] = {}
    for place, (table, words) in enumerate(((SYNTHETIC, "synthetic"), (HOLDOUT, "held-out"))):
        part = Part(progress, place / 2, (place + 1) / 2)
        if sides[table][0].patient_count < least:
            continue
        rng = generator(seed, "detection", table)
        rows = stacked(inputs, drawn(*sides["real"], rng), drawn(*sides[table], rng), rng)
        found[table] = tested(inputs, rows, rng, part, f"A classifier looks for {words} rows")
    progress.update(1.0, "Classifier done")
    missing = Estimate.missing(f"there are fewer than {least} held-out patients")
    auc = {table: found[table].area if table in found else missing for table in (SYNTHETIC, HOLDOUT)}
    told = {
        "auc": {table: area.as_dict() for table, area in auc.items()},
        "columns": _columns(found, inputs),
        "pairs": _pairs(found, inputs),
    }
    return entry | told | {"sentence": _sentence(told), "notes": _notes(sides)}


def _columns(found: dict[str, Finding], inputs: Inputs) -> list[dict[str, Any]]:
    """Columns that tell more than chance does, and more than they tell of the held-out rows."""
    drop, error = found[SYNTHETIC].drop, found[SYNTHETIC].drop_error
    least = np.maximum(_LEAST_DROP, 2 * error)
    least = np.maximum(least, found[HOLDOUT].drop) if HOLDOUT in found else least
    return [
        {
            "name": inputs.columns[at].name,
            "label": label_of(inputs.columns[at]),
            "drop": _per_table(found, lambda one, at=at: one.drop[at]),
            "alone": _per_table(found, lambda one, at=at: one.alone[at]),
        }
        for at in np.argsort(-drop, kind="stable")[:MOST_NAMED]
        if drop[at] > least[at]
    ]


def _pairs(found: dict[str, Finding], inputs: Inputs) -> list[dict[str, Any]]:
    gain = found[SYNTHETIC].gain
    least = np.full_like(gain, found[SYNTHETIC].noise)
    least = np.maximum(least, found[HOLDOUT].gain) if HOLDOUT in found else least
    return [
        {
            "names": [inputs.columns[at].name for at in place],
            "labels": [label_of(inputs.columns[at]) for at in place],
            "alone": [round(float(found[SYNTHETIC].alone[at]), 3) for at in place],
            "auc": _per_table(found, lambda one, place=place: one.pairs[place]),
        }
        for place in largest(gain, least)
    ]


def _per_table(found: dict[str, Finding], figure: Any) -> dict[str, float | None]:
    return {t: round(float(figure(found[t])), 3) if t in found else None for t in (SYNTHETIC, HOLDOUT)}


def _sentence(told: dict[str, Any]) -> str:
    made, held = told["auc"][SYNTHETIC], told["auc"][HOLDOUT]
    text = f"A classifier tells synthetic from real rows with AUC {_text(made)}; 0.5 is guessing, 1 is certainty."
    if held["value"] is not None:
        text += f" Held-out real rows it tells from the others with {_text(held)}."
    if made["high"] is not None and made["high"] < 0.5:
        return f"{text} Below 0.5: synthetic rows stand beside real ones that are (nearly) the same."
    names = [one["label"] for one in told["columns"][:3]]
    if names:
        text += f" What gives the synthetic rows away most: {', '.join(names)}."
    if told["pairs"]:
        text += f" Together more than alone: {' and '.join(told['pairs'][0]['labels'])}."
    return text


def _text(figure: dict[str, Any]) -> str:
    value = f"{figure['value']:.2f}"
    return value if figure["low"] is None else f"{value} (95 % interval {figure['low']:.2f} to {figure['high']:.2f})"


def _notes(sides: dict[str, tuple[Sample, np.ndarray]]) -> list[str]:
    notes = [f"Gradient boosting, {FOLDS} folds; a patient's rows are in one fold."]
    if max(len(weights) for _, weights in sides.values()) > MOST_ROWS:
        notes.append(f"The test uses about {MOST_ROWS:,} rows of each larger table, drawn at random.")
    return notes
