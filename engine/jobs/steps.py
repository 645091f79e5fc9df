"""What the worker does for each kind of job. Only the worker runs these; every heavy import is inside its function.

Each step may have been killed at any point of an earlier attempt. It looks first whether its result is there already,
publishes files whole, and changes the record last, so that a second attempt finds the work done or does it again.
No step reports progress after that: a report could cancel what is already there for everybody to see.
"""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.core.errors import UserError
from engine.core.progress import Part, Progress
from engine.core.settings import settings
from engine.core.workspace import Workspace, read_json, write_json
from engine.jobs.bake_off import bake_off
from engine.jobs.comparing import compare, outcome
from engine.jobs.documents import write_report
from engine.jobs.drawing import draw_to_file
from engine.jobs.fine_tuning import fine_tune
from engine.jobs.fitting import fit
from engine.jobs.memory import peak_megabytes, reset_peak
from engine.jobs.records import JobRecord
from engine.jobs.tables import patient_table, ready_dataset, split
from engine.storage.database import Database
from engine.storage.folders import folder_bytes, published_files, published_folder, sha256
from engine.storage.records import SHIPPED, DatasetRecord, State

if TYPE_CHECKING:
    from engine.generators.base import Generator
    from engine.preparation.pipeline import PreparedTable

HOLDOUT_SHARE = 0.3
"""Share of the patients that no generator sees."""
FIT_REPORT = "fit.json"


def prepare(job: JobRecord, /, *, workspace: Workspace, database: Database, progress: Progress) -> None:
    """Read a source into the data set ``job.subject``: table, schema, report and the split by patient.

    Payload: ``{"source": "mimic3", "path": folder}``, with ``"fetch": address`` to fetch the open demo into it first;
    or ``{"source": "csv", "path": file, "interpretation": …|None, "schema": …|None}``; optionally the ``seed`` of the
    split.
    """
    from engine.jobs.budget import enter
    from engine.preparation.splitting import split_by_patient
    from engine.privacy.ledger import Ledger

    record = database.dataset(job.subject)
    if record.state is State.READY:
        return
    folder = workspace.dataset(record.id)
    if not _prepared_by(job, folder):
        prepared = _prepared(job.payload, record, Part(progress, 0.0, 0.95))
        seed = int(job.payload.get("seed", settings().default_seed))
        train, holdout = split_by_patient(prepared.table, prepared.schema, holdout=HOLDOUT_SHARE, seed=seed)
        progress.update(0.96, "Saving the patient table")
        with published_files(folder) as temporary:
            prepared.save(temporary)
            splits = {"train": train.tolist(), "holdout": holdout.tolist(), "seed": seed, "job": job.id}
            write_json(temporary / "splits.json", splits)
    enter(Ledger(database, workspace), workspace, record)
    rows, patients, columns = _size(folder)
    database.update_dataset(
        record.id, state=State.READY, rows=rows, patients=patients, columns=columns, message=None,
        fingerprint=sha256(folder / "table.parquet"),
    )  # fmt: skip


def train(job: JobRecord, /, *, workspace: Workspace, database: Database, progress: Progress) -> None:
    """Fit the generator of model ``job.subject`` on the training part of its data set.

    Payload: ``{"dataset_id", "generator", "options", "seed"}``. Interrupted fits continue from the job's folder. A
    private fit reserves its budget before anything is measured and is settled in every ending.
    """
    from engine.generators.registry import create
    from engine.jobs.budget import run_of

    record = database.model(job.subject)
    if record.state is State.READY:
        return
    folder = workspace.model(record.id)
    if not (folder / FIT_REPORT).exists():
        reset_peak()
        progress.update(0.0, "Reading the patient table")
        dataset = ready_dataset(database, job.payload["dataset_id"])
        table, schema = patient_table(workspace, dataset)
        rows = table.iloc[split(workspace, dataset.id)["train"]].reset_index(drop=True)
        generator = create(job.payload["generator"])
        report = fit(
            generator, rows, schema, run_id=run_of(job.id), dataset=dataset, seed=job.payload["seed"],
            options=job.payload["options"], workspace=workspace, database=database,
            progress=Part(progress, 0.01, 0.96),
        )  # fmt: skip
        progress.update(0.97, "Saving the model")
        # Deleted in the meantime: nothing of it may come back.
        database.model(record.id)
        with published_folder(folder) as temporary:
            generator.save(temporary)
            measured = {"model_bytes": folder_bytes(temporary), "peak_memory_mb": peak_megabytes()}
            write_json(temporary / FIT_REPORT, report.as_dict() | measured)
    # Proves that what was saved can be read, and spares the first cohort the loading.
    _generator(workspace, record.id)
    database.update_model(record.id, state=State.READY, report=read_json(folder / FIT_REPORT))


def generate(job: JobRecord, /, *, workspace: Workspace, database: Database, progress: Progress) -> None:
    """Draw the cohort ``job.subject``. Payload: ``{"model_id", "spec"}``."""
    from engine.cohort.spec import CohortSpec
    from engine.export.manifest import manifest, stated

    record = database.cohort(job.subject)
    if record.state is State.READY:
        return
    model = database.model(job.payload["model_id"])
    if model.state is not State.READY:
        raise UserError(f"model {model.id} is not trained", remedy="Train it first.")
    dataset = ready_dataset(database, model.dataset_id)
    spec = CohortSpec.model_validate(job.payload["spec"])
    progress.update(0.0, "Loading the model")
    generator = _generator(workspace, model.id)
    table = None if dataset.source == SHIPPED else patient_table(workspace, dataset)[0]
    source = {"name": dataset.name, "kind": dataset.source, "id": dataset.id}
    if not generator.statement():
        # A digest of real rows tells whoever knows all patients but one whether that one is among them.
        source["fingerprint"] = str(dataset.fingerprint)
    privacy = stated(model.report or {})
    described = {"name": model.generator, "model": model.id, "options": model.options, "seed": model.seed}
    with published_files(workspace.cohort(record.id)) as temporary:
        drawn = draw_to_file(
            temporary / "cohort.parquet", generator, spec, table=table, folder=workspace.job(job.id),
            progress=Part(progress, 0.05, 0.98),
        )  # fmt: skip
        # Deleted in the meantime: nothing of it may come back.
        database.cohort(record.id)
        told = manifest(
            spec, source=source, generator=described, seed=spec.seed, notes=tuple(drawn.notes), privacy=privacy
        )
        write_json(temporary / "manifest.json", told)
    report = {
        "support_rows": drawn.support_rows, "extrapolated": drawn.extrapolated, "strategy": drawn.strategy,
        "notes": drawn.notes, "redrawn": drawn.redrawn, "repaired": drawn.repaired,
        "population": drawn.population,
    }  # fmt: skip
    database.update_cohort(
        record.id, state=State.READY, rows=spec.patients, seconds=drawn.seconds, compliance=drawn.compliance,
        report=report,
    )  # fmt: skip


STEPS: dict[str, Callable[..., None]] = {
    "prepare": prepare, "train": train, "generate": generate, "compare": compare, "outcome": outcome,
    "report": write_report,
    "fine_tune": fine_tune, "bake_off": bake_off,
}  # fmt: skip
"""The kinds of jobs."""


def _prepared(payload: dict[str, Any], record: DatasetRecord, progress: Progress) -> "PreparedTable":
    from engine.preparation.pipeline import prepare_frame, prepare_mimic3

    path = Path(payload["path"])
    if address := payload.get("fetch"):
        from engine.sources.open_datasets import fetch_mimic3_demo

        fetch_mimic3_demo(path, address=address, progress=Part(progress, 0.0, 0.7))
        progress = Part(progress, 0.7, 1.0)
    if payload["source"] == "mimic3":
        return prepare_mimic3(path, progress=progress)
    from engine.schema.inference import infer_schema
    from engine.schema.table import TableSchema
    from engine.sources.csv_upload import Interpretation, read_csv

    progress.update(0.0, "Reading the file")
    given = payload.get("interpretation")
    overrides = None if given is None else Interpretation.model_validate(given)
    frame = read_csv(path, name=record.name, overrides=overrides).frame
    shown = payload.get("schema")
    schema = infer_schema(frame) if shown is None else TableSchema.model_validate(shown)
    return prepare_frame(frame, schema, source=record.name, progress=Part(progress, 0.3, 1.0))


def _prepared_by(job: JobRecord, folder: Path) -> bool:
    # Killed after everything was moved into place, but before the record said so.
    path = folder / "splits.json"
    return path.exists() and not (folder / ".new").exists() and read_json(path).get("job") == job.id


def _size(folder: Path) -> tuple[int, int, int]:
    from engine.storage.tables import read_schema, read_table

    schema = read_schema(folder / "table.parquet")
    key = schema.patient_key
    table, _ = read_table(folder / "table.parquet", columns=[key or schema.names[0]])
    return len(table), int(table[key].nunique()) if key else len(table), len(schema.features)


def _generator(workspace: Workspace, model_id: str) -> "Generator":
    folder = workspace.model(model_id)
    return _load(folder, (folder / FIT_REPORT).stat().st_mtime_ns)


@lru_cache(maxsize=1)
def _load(folder: Path, _written_at: int) -> "Generator":
    # Requests come in series on one model; the second one should not wait for weights that were just read.
    from engine.generators.registry import load

    return load(folder)
