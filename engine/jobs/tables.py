"""What several kinds of jobs read of a prepared data set."""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from engine.core.errors import UserError
from engine.core.workspace import Workspace, read_json
from engine.storage.database import Database
from engine.storage.records import SHIPPED, DatasetRecord, State
from engine.storage.sources import TABLE

if TYPE_CHECKING:
    import pandas as pd

    from engine.schema.table import TableSchema


def ready_dataset(database: Database, dataset_id: str) -> DatasetRecord:
    """The data set.

    Raises:
        UserError: it is not prepared.
    """
    dataset = database.dataset(dataset_id)
    if dataset.state is not State.READY or dataset.fingerprint is None:
        raise UserError(f"data set {dataset.name!r} is not prepared", remedy="Prepare it first.")
    return dataset


def split(workspace: Workspace, dataset_id: str) -> dict[str, list[int]]:
    """Row numbers of its ``train`` and ``holdout`` part."""
    return read_json(workspace.dataset(dataset_id) / "splits.json")


def patient_table(workspace: Workspace, dataset: DatasetRecord) -> "tuple[pd.DataFrame, TableSchema]":
    """Its rows and their schema; the last one that was read is kept.

    Raises:
        UserError: it ships with its model, without rows.
    """
    refuse_without_rows(dataset)
    return _read(workspace.dataset(dataset.id) / TABLE, str(dataset.fingerprint))


def refuse_without_rows(dataset: DatasetRecord) -> None:
    """Refuse what reads patients of a data set that has none.

    Raises:
        UserError: it ships with its model.
    """
    if dataset.source == SHIPPED:
        raise UserError(
            f"{dataset.name!r} ships as a trained model, without rows", remedy="Draw cohorts from its model."
        )


@lru_cache(maxsize=1)
def _read(path: Path, _fingerprint: str) -> "tuple[pd.DataFrame, TableSchema]":
    from engine.storage.tables import read_table

    return read_table(path)
