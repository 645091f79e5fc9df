"""A workspace with a prepared data set, a trained model and a cohort, written without the worker."""

import numpy as np
import pandas as pd

from engine.cohort.spec import CohortSpec
from engine.core.progress import Silent
from engine.core.workspace import Workspace, write_json
from engine.export.manifest import manifest
from engine.schema.table import Column, Kind, Role, TableSchema, conform
from engine.storage.database import Database
from engine.storage.records import State
from engine.storage.tables import write_table

SCHEMA = TableSchema(
    columns=(
        Column(name="patient_id", kind=Kind.CATEGORICAL, role=Role.PATIENT_KEY),
        Column(
            name="age_years", kind=Kind.NUMERIC, label="Age", unit="years", minimum=0, maximum=120, decimals=0,
            bounds_are_public=True, group="Demographics",
        ),
        Column(name="sex", kind=Kind.CATEGORICAL, label="Sex", categories=("F", "M"), group="Demographics"),
        Column(
            name="admission_type", kind=Kind.CATEGORICAL, label="Admission type", group="Admission",
            categories=("ELECTIVE", "EMERGENCY", "URGENT"),
        ),
        Column(name="died_in_hospital", kind=Kind.BOOLEAN, label="Died in hospital", group="Outcome"),
    )
)  # fmt: skip


def patients(rows: int, seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "patient_id": [f"P{number}" for number in range(rows)],
            "age_years": random.integers(18, 91, rows).astype(float),
            "sex": random.choice(["F", "M"], rows),
            "admission_type": random.choice(["ELECTIVE", "EMERGENCY", "URGENT"], rows, p=[0.2, 0.7, 0.1]),
            "died_in_hospital": random.random(rows) < 0.1,
        }
    )
    frame.loc[::9, "age_years"] = np.nan
    return conform(frame, SCHEMA)


def prepare(workspace: Workspace) -> str:
    """Write one data set of 300 patients, a model and a cohort of 120; returns the cohort's id."""
    database = Database.for_workspace(workspace, None)
    dataset = database.add_dataset(name="ward.csv", source="csv", location="ward.csv")
    table = patients(300, seed=1)
    folder = workspace.dataset(dataset.id)
    write_table(folder / "table.parquet", table, SCHEMA)
    write_json(folder / "report.json", {"tables": [], "steps": [{"name": "types", "rows_in": 300, "rows_out": 300}]})
    write_json(folder / "splits.json", {"train": list(range(210)), "holdout": list(range(210, 300))})
    database.update_dataset(dataset.id, state=State.READY, rows=300, patients=300, columns=4, fingerprint="0" * 64)
    model = database.add_model(dataset_id=dataset.id, generator="dp_cgan", options={}, seed=7)
    report = {"rows": 210, "columns": 4, "fit_wall_seconds": 1.5, "peak_memory_mb": 300, "epsilon": None}
    database.update_model(model.id, state=State.READY, report=report)
    spec = CohortSpec(patients=120)
    cohort = database.add_cohort(model_id=model.id, dataset_id=dataset.id, name="120 patients", spec=spec.as_json())
    features = SCHEMA.select([column.name for column in SCHEMA.features])
    write_table(workspace.cohort(cohort.id) / "cohort.parquet", patients(120, seed=2)[features.names], features)
    write_json(
        workspace.cohort(cohort.id) / "manifest.json",
        manifest(spec, source={"name": "ward.csv"}, generator={"name": "dp_cgan"}, seed=7),
    )
    database.update_cohort(
        cohort.id, state=State.READY, rows=120, seconds=0.1, compliance=1.0,
        report={"support_rows": 300, "extrapolated": False, "strategy": "unconditional", "notes": []},
    )  # fmt: skip
    database.close()
    return cohort.id


def compare(workspace: Workspace, cohort_id: str) -> None:
    """Write the comparison of the prepared cohort, which takes a few seconds."""
    from engine.evaluation.report import compare as compare_tables

    real = patients(300, seed=1)
    result = compare_tables(
        real.iloc[:210], real.iloc[210:], patients(120, seed=2), SCHEMA, spec=CohortSpec(patients=120),
        small_cell_minimum=11, progress=Silent(),
    )  # fmt: skip
    write_json(workspace.cohort(cohort_id) / "comparison.json", result)
