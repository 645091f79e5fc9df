"""Train and hold-out rows that never share a patient, and a cap on the rows that one patient contributes."""

import numpy as np
import pandas as pd

from engine.core.errors import DataError, UserError
from engine.core.randomness import generator
from engine.schema.table import TableSchema


def split_by_patient(
    table: pd.DataFrame, schema: TableSchema, *, holdout: float = 0.3, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Row positions of the training part and of the hold-out, both ascending, together every row once.

    ``holdout`` is the share of *patients* held out, rounded, and at least one patient lies on each side. Without a
    patient key every row is a patient. The split depends on the seed and on the set of patients, not on the order of
    the rows.

    Raises:
        UserError: ``holdout`` is not between 0 and 1, or there are fewer than two patients.
        DataError: rows without a patient key.
    """
    if not 0 < holdout < 1:
        raise UserError(f"holdout ({holdout}) must lie between 0 and 1", remedy="A share of 0.3 is usual.")
    patient = _patients(table, schema)
    count = int(patient.max()) + 1 if len(patient) else 0
    if count < 2:
        raise UserError(
            f"a table of {count} patient{'' if count == 1 else 's'} cannot be split",
            remedy="Training needs at least two patients, one of them for the hold-out.",
        )
    held = min(max(round(holdout * count), 1), count - 1)
    chosen = np.zeros(count, dtype=bool)
    chosen[generator(seed, "split by patient").permutation(count)[:held]] = True
    in_holdout = chosen[patient]
    return np.flatnonzero(~in_holdout), np.flatnonzero(in_holdout)


def cap_rows_per_patient(table: pd.DataFrame, schema: TableSchema, *, most: int, seed: int) -> np.ndarray:
    """Ascending row positions with at most ``most`` rows of each patient, drawn at random where there are more.

    Capping bounds what one patient can change, which is what a patient-level privacy guarantee is counted in.

    Raises:
        UserError: ``most`` is below 1.
        DataError: rows without a patient key.
    """
    if most < 1:
        raise UserError(f"most ({most}) must be at least 1")
    patient = _patients(table, schema)
    shuffled = generator(seed, "cap rows per patient").permutation(len(patient))
    rank = pd.Series(patient[shuffled]).groupby(patient[shuffled]).cumcount().to_numpy()
    return np.sort(shuffled[rank < most])


def _patients(table: pd.DataFrame, schema: TableSchema) -> np.ndarray:
    """Patient number of each row, numbered in the order of the sorted keys."""
    if schema.patient_key is None:
        return np.arange(len(table))
    keys = table[schema.patient_key]
    unnamed = int(keys.isna().sum())
    if unnamed:
        raise DataError(
            f"{unnamed} rows have no {schema.patient_key}",
            remedy="Every row needs its patient's key, or make the column an ordinary one.",
        )
    return pd.factorize(keys.astype(str), sort=True)[0]
