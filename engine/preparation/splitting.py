"""Train and hold-out rows that never share a patient."""

import hashlib

import numpy as np
import pandas as pd

from engine.core.errors import DataError, UserError
from engine.schema.table import TableSchema


def split_by_patient(
    table: pd.DataFrame, schema: TableSchema, *, holdout: float = 0.3, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Row positions of the training part and of the hold-out, both ascending, together every row once.

    Each patient's side follows from the seed and her own key (without a key column: her row), so that one patient more
    or less moves nobody else: a guarantee for the training part is one for the whole table. About ``holdout`` of the
    *patients* are held out, and at least one patient lies on each side.

    Raises:
        UserError: ``holdout`` is not between 0 and 1, or there are fewer than two patients.
        DataError: rows without a patient key.
    """
    if not 0 < holdout < 1:
        raise UserError(f"holdout ({holdout}) must lie between 0 and 1", remedy="A share of 0.3 is usual.")
    patient, names = _patients(table, schema)
    count = len(names)
    if count < 2:
        raise UserError(
            f"a table of {count} patient{'' if count == 1 else 's'} cannot be split",
            remedy="Training needs at least two patients, one of them for the hold-out.",
        )
    place = np.array([_place(name, seed) for name in names])
    held = place < holdout
    if held.all() or not held.any():  # a handful of patients
        held = place <= place.min()
    in_holdout = held[patient]
    return np.flatnonzero(~in_holdout), np.flatnonzero(in_holdout)


def _place(name: str, seed: int) -> float:
    """A number in [0, 1) that depends on nothing but the name and the seed."""
    digest = hashlib.sha256(f"{seed} {name}".encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56


def _patients(table: pd.DataFrame, schema: TableSchema) -> tuple[np.ndarray, list[str]]:
    """Patient number of each row, and what names each patient."""
    if schema.patient_key is None:
        content = pd.util.hash_pandas_object(table.astype("string"), index=False)
        # Equal rows are told apart by counting them, so that they do not all land on one side.
        names = content.astype(str) + " " + content.groupby(content).cumcount().astype(str)
        return np.arange(len(table)), names.tolist()
    keys = table[schema.patient_key]
    unnamed = int(keys.isna().sum())
    if unnamed:
        raise DataError(
            f"{unnamed} rows have no {schema.patient_key}",
            remedy="Every row needs its patient's key, or make the column an ordinary one.",
        )
    numbers, names = pd.factorize(keys.astype(str), sort=True)
    return numbers, [str(name) for name in names]
