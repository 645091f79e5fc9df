"""Exact copies: synthetic rows that equal a training row in every column, and how often that is chance.

Where a table has few columns, patients resemble each other and synthetic rows equal some patient's without having been
copied. So held-out rows that equal a training row are the control. Numbers are compared at the precision that the
column is stored with.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from engine.cohort.conditions import as_text
from engine.evaluation.attacks.records import stored
from engine.evaluation.attacks.risk import Tally, risk_entry
from engine.evaluation.cells import Sample
from engine.schema.table import Column


def row_keys(frame: pd.DataFrame, columns: Sequence[Column]) -> np.ndarray:
    """(n_rows,) 64-bit hashes; rows that are equal in ``columns``, missing values included, share one."""
    parts = {}
    for column in columns:
        if column.kind.is_ordered:
            # One missing value is like another, whatever its bits.
            numbers = stored(frame[column.name], column)
            parts[column.name] = np.where(np.isnan(numbers), np.inf, numbers)
        else:
            parts[column.name] = as_text(frame[column.name], column).astype("object").to_numpy()
    return pd.util.hash_pandas_object(pd.DataFrame(parts), index=False).to_numpy()


def exact_copies(
    train: Sample, holdout: Sample, synthetic: Sample, columns: Sequence[Column], *, minimum: int
) -> dict[str, Any]:
    """JSON values of the copies; ``train`` and ``synthetic`` with all rows, ``holdout`` with one row per patient.

    Keys: ``reason``; those of :func:`risk.risk_entry`, where the attack is synthetic rows that equal a training row and
    the control is held-out rows that do; ``synthetic_in_holdout``: synthetic rows that equal a held-out one;
    ``patients``: the entry of patients whose row occurs in the cohort, trained on and held out; ``sentence``.
    """
    if not len(holdout.frame):
        return {"reason": "Not assessable: there are no held-out rows to compare with."}
    learned, held, made = (row_keys(one.frame, columns) for one in (train, holdout, synthetic))
    attack, control = Tally.of(np.isin(made, learned)), Tally.of(np.isin(held, learned))
    entry = risk_entry(attack, control, minimum=minimum)
    mine = np.arange(len(learned)) if train.patients is None else np.unique(train.patients, return_inverse=True)[1]
    copied = np.bincount(mine, weights=np.isin(learned, made)) > 0
    patients = risk_entry(Tally.of(copied), Tally.of(np.isin(held, made)), minimum=minimum)
    beside = Tally.of(np.isin(made, held)).shown(minimum)
    text = (
        f"Synthetic rows that equal a training row: {entry['attack']['text']}; a held-out row: {beside['text']}. "
        f"Held-out rows that equal a training row, which is chance: {entry['control']['text']}."
    )
    return {"reason": ""} | entry | {"synthetic_in_holdout": beside, "patients": patients, "sentence": text}
