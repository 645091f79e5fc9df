"""A workspace whose cohort of admissions is compared: every section of the report has figures."""

import pandas as pd

from engine.cohort.spec import CohortSpec
from engine.core.progress import Silent
from engine.core.workspace import Workspace, write_json
from engine.evaluation.report import compare
from engine.export.manifest import manifest
from engine.storage.database import Database
from engine.storage.records import State
from engine.storage.tables import write_table
from tests.helpers.planted_outcomes import SCHEMA, admissions

TRAIN, HOLDOUT, SYNTHETIC = 1200, 600, 800


def admit(workspace: Workspace) -> str:
    """A data set of 1,800 admissions and a cohort in which lactate has the opposite effect; returns its id."""
    database = Database.for_workspace(workspace, None)
    dataset = database.add_dataset(name="ward.csv", source="csv", location="ward.csv")
    real = admissions(TRAIN + HOLDOUT, seed=1)
    folder = workspace.dataset(dataset.id)
    write_table(folder / "table.parquet", real, SCHEMA)
    write_json(folder / "report.json", {"tables": [], "steps": []})
    rows = list(range(TRAIN + HOLDOUT))
    write_json(folder / "splits.json", {"train": rows[:TRAIN], "holdout": rows[TRAIN:]})
    database.update_dataset(
        dataset.id, state=State.READY, rows=len(real), patients=len(real), columns=10, fingerprint="0" * 64
    )
    model = database.add_model(dataset_id=dataset.id, generator="dp_cgan", options={}, seed=7)
    database.update_model(model.id, state=State.READY, report={"rows": TRAIN, "columns": 10, "epsilon": None})
    spec = CohortSpec(patients=SYNTHETIC)
    cohort = database.add_cohort(model_id=model.id, dataset_id=dataset.id, name="800 admissions", spec=spec.as_json())
    features = SCHEMA.select([column.name for column in SCHEMA.features])
    write_table(workspace.cohort(cohort.id) / "cohort.parquet", made()[features.names], features)
    write_json(
        workspace.cohort(cohort.id) / "manifest.json",
        manifest(spec, source={"name": "ward.csv"}, generator={"name": "dp_cgan"}, seed=7),
    )
    database.update_cohort(
        cohort.id, state=State.READY, rows=SYNTHETIC, seconds=0.1, compliance=1.0,
        report={"support_rows": TRAIN, "extrapolated": False, "strategy": "unconditional", "notes": []},
    )  # fmt: skip
    database.close()
    return cohort.id


def made() -> pd.DataFrame:
    """The cohort."""
    return admissions(SYNTHETIC, seed=3, flip=("lactate",))


def report() -> dict:
    """Its comparison, which takes some seconds."""
    real = admissions(TRAIN + HOLDOUT, seed=1)
    return compare(
        real.iloc[:TRAIN], real.iloc[TRAIN:], made().drop(columns="patient_id"), SCHEMA,
        spec=CohortSpec(patients=SYNTHETIC), small_cell_minimum=11, progress=Silent(),
    )  # fmt: skip
