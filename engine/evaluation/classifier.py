"""One classifier two-sample test: boosted trees, and the best classifier over one and two columns, fold by fold.

The area is the mean over folds, its interval over patients (see :mod:`engine.evaluation.detection`).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.core.progress import Progress
from engine.evaluation.associations import strongest
from engine.evaluation.estimates import Estimate, standard_error
from engine.evaluation.models import Inputs
from engine.evaluation.prediction_scores import auroc
from engine.evaluation.telling import Coded, alone, cells, log_ratios, pairs
from engine.evaluation.two_tables import FOLDS, Rows

MOST_PAIRS = 5
MOST_PAIR_COLUMNS = 60
"""Columns whose pairs are tried: 1,770 pairs."""

_SHUFFLED = 600


@dataclass(frozen=True)
class Finding:
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


def tested(inputs: Inputs, rows: Rows, rng: np.random.Generator, progress: Progress, message: str) -> Finding:
    """The test of ``rows``; ``progress`` is told ``message`` and may cancel."""
    progress.update(0.0, message)
    coded = Coded.of(rows.matrix, inputs.categorical, rows.truth, rows.folds)
    single, double = alone(coded), pairs(coded, _associated(coded))
    influence, areas, drops = np.zeros(len(rows.folds)), [], []
    for fold in range(FOLDS):
        progress.update((fold + 1) / (FOLDS + 1), message)
        chosen = largest(_gain(double.without[fold], single.without[fold]), np.array(rows.noise))
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
    return Finding(area, drop, drop_error, single.whole, double.whole, gain, rows.noise)


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


def largest(gain: np.ndarray, least: np.ndarray) -> list[tuple[int, int]]:
    """The pairs that gain most, each more than ``least`` (broadcast to ``gain``)."""
    order = np.argsort(-gain, axis=None, kind="stable")[:MOST_PAIRS]
    places = [(int(at) // len(gain), int(at) % len(gain)) for at in order]
    return [place for place in places if gain[place] > np.broadcast_to(least, gain.shape)[place]]
