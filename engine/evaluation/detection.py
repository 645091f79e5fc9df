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
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.core.progress import Part, Progress, Silent
from engine.core.randomness import generator
from engine.evaluation.associations import strongest
from engine.evaluation.cells import Sample
from engine.evaluation.columns import HOLDOUT, SYNTHETIC
from engine.evaluation.estimates import Estimate, standard_error
from engine.evaluation.models import Inputs
from engine.evaluation.prediction_scores import auroc
from engine.evaluation.telling import Coded, alone, cells, log_ratios, pairs
from engine.evaluation.two_tables import FOLDS, MOST_ROWS, Rows, drawn, stacked, weighted
from engine.schema.table import Column

LEAST_PATIENTS = 50
MOST_NAMED = 10
MOST_PAIRS = 5
MOST_PAIR_COLUMNS = 60
"""Columns whose pairs are tried: 1,770 pairs."""

_SHUFFLED = 600
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
    found: dict[str, _Finding] = {}
    for place, (table, words) in enumerate(((SYNTHETIC, "synthetic"), (HOLDOUT, "held-out"))):
        part = Part(progress, place / 2, (place + 1) / 2)
        if sides[table][0].patient_count < least:
            continue
        rng = generator(seed, "detection", table)
        rows = stacked(inputs, drawn(*sides["real"], rng), drawn(*sides[table], rng), rng)
        found[table] = _tested(inputs, rows, rng, part, f"A classifier looks for {words} rows")
    progress.update(1.0, "Classifier done")
    missing = Estimate.missing(f"there are fewer than {least} held-out patients")
    auc = {table: found[table].area if table in found else missing for table in (SYNTHETIC, HOLDOUT)}
    told = {
        "auc": {table: area.as_dict() for table, area in auc.items()},
        "columns": _columns(found, inputs),
        "pairs": _pairs(found, inputs),
    }
    return entry | told | {"sentence": _sentence(told), "notes": _notes(sides)}


@dataclass(frozen=True)
class _Finding:
    """One test: its area; per column the drop and the area alone; per pair its area and what it tells more than either.

    ``drop``, its standard error and ``alone`` are (n_columns,), ``pairs`` and ``gain`` (n_columns, n_columns); a gain
    below ``noise`` is what chance makes.
    """

    area: Estimate
    drop: np.ndarray
    drop_error: np.ndarray
    alone: np.ndarray
    pairs: np.ndarray
    gain: np.ndarray
    noise: float


def _tested(inputs: Inputs, rows: Rows, rng: np.random.Generator, progress: Progress, message: str) -> _Finding:
    progress.update(0.0, message)
    coded = Coded.of(rows.matrix, inputs.categorical, rows.truth, rows.folds)
    single, double = alone(coded), pairs(coded, _associated(coded))
    influence, areas, drops = np.zeros(len(rows.folds)), [], []
    for fold in range(FOLDS):
        progress.update((fold + 1) / (FOLDS + 1), message)
        chosen = _largest(_gain(double.without[fold], single.without[fold]), np.array(rows.noise))
        test = np.flatnonzero(rows.folds == fold)
        some = np.sort(rng.permutation(len(test))[:_SHUFFLED])
        scores, shuffled = _scores(inputs, rows, coded, fold, chosen, some, rng)
        area, influence[test] = auroc(rows.part(test), scores)
        areas.append(area.value or 0.0)
        truth = rows.part(test[some])
        kept = auroc(truth, scores[some])[0].value or 0.0
        drops.append([kept - (auroc(truth, one)[0].value or 0.0) for one in shuffled])
    error = standard_error(influence / FOLDS, rows.truth.patients) * np.sqrt(1 + FOLDS / (FOLDS - 1))
    area = Estimate.share(float(np.mean(areas)), error)
    drop, drop_error = np.mean(drops, axis=0), np.std(drops, axis=0, ddof=1) / np.sqrt(FOLDS)
    gain = _gain(double.whole, single.whole)
    return _Finding(area, drop, drop_error, single.whole, double.whole, gain, rows.noise)


def _scores(
    inputs: Inputs, rows: Rows, coded: Coded, fold: int, chosen: list[tuple[int, int]], some: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """(n_test_rows,) scores of the fold's rows; (n_columns, n_some) of ``some`` of them, each column shuffled in turn.

    The model also sees what the cells of the ``chosen`` pairs say.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    test, width = rows.folds == fold, rows.matrix.shape[1]
    tables = {pair: log_ratios(coded.mass(pair), fold) for pair in chosen}
    said = [table[rows.folds, cells(coded.codes[list(pair)])] for pair, table in tables.items()]
    matrix = np.column_stack([rows.matrix, *said])
    # A column without any value says nothing, and the trees cannot bin it.
    matrix = np.where(np.isnan(matrix[~test]).all(0), 0.0, matrix)
    shuffled = np.repeat(matrix[test][some][None], width, axis=0)
    codes = coded.codes[:, test][:, some]
    for column in range(width):
        order = rng.permutation(len(some))
        shuffled[column, :, column] = shuffled[column, order, column]
        for place, (pair, table) in enumerate(tables.items()):
            if column in pair:
                mixed = [codes[one][order] if one == column else codes[one] for one in pair]
                shuffled[column, :, width + place] = table[fold, cells(np.array(mixed))]
    kind: Any = HistGradientBoostingClassifier
    model = kind(
        categorical_features=inputs.categorical, max_iter=60, learning_rate=0.06, max_leaf_nodes=8,
        min_samples_leaf=min(50, max(5, len(rows.folds) // 50)), early_stopping=False,
        random_state=int(rng.integers(2**31)),
    )  # fmt: skip
    with threadpool_limits(limits=1):
        # Threads that wait for each other take ten times as long where other work has the cores.
        learned = rows.part(~test)
        model.fit(matrix[~test], learned.value, sample_weight=learned.weights)
        mixed = model.decision_function(shuffled.reshape(-1, matrix.shape[1])).reshape(width, -1)
        return model.decision_function(matrix[test]), mixed


def _associated(coded: Coded) -> list[int]:
    """The columns whose pairs are tried: those that go most with others in the real rows."""
    if len(coded.codes) <= MOST_PAIR_COLUMNS:
        return list(range(len(coded.codes)))
    codes = coded.codes[:, coded.truth.value == 0].astype(float)
    codes = codes[:, :] - codes.mean(axis=1, keepdims=True)
    size = np.maximum(np.sqrt((codes**2).sum(axis=1)), 1e-9)
    return strongest(codes @ codes.T / np.outer(size, size), MOST_PAIR_COLUMNS)


def _gain(together: np.ndarray, alone: np.ndarray) -> np.ndarray:
    """(n_columns, n_columns) how much more a pair tells than the better of its columns, or than chance."""
    return together - np.maximum(0.5, np.maximum.outer(alone, alone))


def _largest(gain: np.ndarray, least: np.ndarray) -> list[tuple[int, int]]:
    """The pairs that gain most, each more than ``least`` (broadcast to ``gain``)."""
    order = np.argsort(-gain, axis=None, kind="stable")[:MOST_PAIRS]
    places = [(int(at) // len(gain), int(at) % len(gain)) for at in order]
    return [place for place in places if gain[place] > np.broadcast_to(least, gain.shape)[place]]


def _columns(found: dict[str, _Finding], inputs: Inputs) -> list[dict[str, Any]]:
    """Columns that tell more than chance does, and more than they tell of the held-out rows."""
    drop, error = found[SYNTHETIC].drop, found[SYNTHETIC].drop_error
    least = np.maximum(_LEAST_DROP, 2 * error)
    least = np.maximum(least, found[HOLDOUT].drop) if HOLDOUT in found else least
    return [
        {
            "name": inputs.columns[at].name,
            "label": _label(inputs.columns[at]),
            "drop": _per_table(found, lambda one, at=at: one.drop[at]),
            "alone": _per_table(found, lambda one, at=at: one.alone[at]),
        }
        for at in np.argsort(-drop, kind="stable")[:MOST_NAMED]
        if drop[at] > least[at]
    ]


def _pairs(found: dict[str, _Finding], inputs: Inputs) -> list[dict[str, Any]]:
    gain = found[SYNTHETIC].gain
    least = np.full_like(gain, found[SYNTHETIC].noise)
    least = np.maximum(least, found[HOLDOUT].gain) if HOLDOUT in found else least
    return [
        {
            "names": [inputs.columns[at].name for at in place],
            "labels": [_label(inputs.columns[at]) for at in place],
            "alone": [round(float(found[SYNTHETIC].alone[at]), 3) for at in place],
            "auc": _per_table(found, lambda one, place=place: one.pairs[place]),
        }
        for place in _largest(gain, least)
    ]


def _per_table(found: dict[str, _Finding], figure: Any) -> dict[str, float | None]:
    return {t: round(float(figure(found[t])), 3) if t in found else None for t in (SYNTHETIC, HOLDOUT)}


def _label(column: Column) -> str:
    return column.label or column.name.replace("_", " ")


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
