"""The command line's use cases: the same steps as the dashboard's, in the foreground, on files.

Each function returns what ``--json`` prints. Only ``engine.__main__`` imports this module: it may load torch.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import ValidationError

from engine.cohort.spec import CohortSpec
from engine.conversation.contract import BackendName
from engine.core.errors import DataError, UserError
from engine.core.progress import Part, Progress
from engine.core.workspace import read_json, write_json
from engine.jobs.steps import FIT_REPORT
from engine.preparation.pipeline import PreparedTable, prepare_frame, prepare_mimic3
from engine.schema.inference import infer_schema, schema_from_json
from engine.schema.table import Column, Role, TableSchema, conform
from engine.services import report_command
from engine.services.budgets import foreground_run, privacy_options, settle_abandoned
from engine.services.shipped import model_folder, names
from engine.sources.csv_upload import read_csv
from engine.storage.tables import read_schema, read_table, write_table

_LOAD_SECONDS = 600.0
"""How long ``parse`` waits for a language model that is on this machine."""


def prepare(*, source: str, path: Path, out: Path, report: Path | None, progress: Progress) -> dict[str, Any]:
    """Prepare a MIMIC-III folder or a CSV into one patient table that carries its schema."""
    if out.suffix != ".parquet":
        raise UserError(
            f"--out ({out.name}) must end in .parquet", remedy="The table keeps its types and schema there."
        )
    started = time.perf_counter()
    if source == "mimic3":
        prepared = prepare_mimic3(path, progress=progress)
    else:
        prepared = _prepare_file(path, schema_path=None, patient_key=None, progress=progress)
    write_table(out, prepared.table, prepared.schema)
    if report is not None:
        write_json(report, prepared.report.model_dump(mode="json"))
    return {
        "rows": len(prepared.table),
        "patients": prepared.report.patients,
        "columns": len(prepared.schema.features),
        "seconds": round(time.perf_counter() - started, 2),
        "peak_memory_mb": _peak_memory_mb(),
        "out": str(out),
    }


def train(
    *,
    table: Path,
    out: Path,
    generator: str,
    patient_key: str | None,
    schema: Path | None,
    epsilon: float | None,
    delta: float | None,
    no_privacy: bool,
    seed: int,
    resume: bool,
    options: dict[str, Any],
    progress: Progress,
) -> dict[str, Any]:
    """Fit a generator on a table and save it into ``out``; ``out``.checkpoint holds the state to resume from.

    A private training reserves its budget in the workspace's ledger first and is settled in every ending.
    """
    from engine.generators.registry import create

    options = privacy_options(generator, options, epsilon=epsilon, delta=delta, no_privacy=no_privacy)
    if not table.exists() and model_folder(str(table)) is not None:
        raise UserError(f"{str(table)!r} ships as a trained model, without rows", remedy=f"Use --model {table}.")
    prepared = _load(table, schema_path=schema, patient_key=patient_key, progress=progress)
    model = create(generator)
    checkpoint = out.with_name(out.name + ".checkpoint")
    if checkpoint.exists() and not resume:
        settle_abandoned(checkpoint)
        _clear(checkpoint)
    checkpoint.mkdir(parents=True, exist_ok=True)
    with foreground_run(model, prepared, table=table, options=options, seed=seed, checkpoint=checkpoint) as run:
        report = model.fit(
            prepared.table, prepared.schema, seed=seed, options=options, progress=progress, checkpoint=checkpoint
        )
        if run is not None:
            run.finished(report)
    out.mkdir(parents=True, exist_ok=True)
    model.save(out)
    write_json(out / FIT_REPORT, report.as_dict())
    _clear(checkpoint)
    return {
        **{key: value for key, value in report.as_dict().items() if key != "history"},
        # The model of a private training knows its patients' number with noise only; who trains it sees the table.
        "rows": len(prepared.table),
        "patients": prepared.report.patients,
        "peak_memory_mb": _peak_memory_mb(),
        "model_bytes": sum(file.stat().st_size for file in out.rglob("*") if file.is_file()),
        "out": str(out),
    }


def generate(
    *, model: Path, patients: int | None, spec: Path | None, out: Path, seed: int | None, progress: Progress
) -> dict[str, Any]:
    """Draw a cohort from a saved model and write it by ``out``'s extension (.csv, .parquet, .xlsx)."""
    from engine.export.formats import export_rows
    from engine.export.rows import Rows
    from engine.generators.registry import load
    from engine.sampling.parts import draw_in_parts, together, without_rows

    formats = {".csv": "csv", ".parquet": "parquet", ".xlsx": "excel"}
    if out.suffix not in formats:
        raise UserError(f"--out ({out.name}) must end in .csv, .parquet or .xlsx")
    request = read_spec(spec) if spec is not None else CohortSpec()
    if patients is not None:
        request = _validated({**request.as_json(), "patients": patients})
    if seed is not None:
        request = _validated({**request.as_json(), "seed": seed})
    model, named = _model_folder(model)
    fitted = load(model)
    started = time.perf_counter()
    parts = draw_in_parts(fitted, request, progress=progress)
    first = next(parts)
    drawn = [without_rows(first)]

    def frames() -> Iterator[pd.DataFrame]:
        yield first.frame
        for part in parts:
            drawn.append(without_rows(part))
            yield part.frame

    schema = fitted.schema.select([str(name) for name in first.frame.columns]).released()
    told = _manifest(request, model=model, named=named, generator=fitted.name, notes=first.notes)
    export_rows(Rows(schema, request.patients, frames), told, format=formats[out.suffix], path=out)
    result = together(drawn)
    # Writing takes place between the parts, so it is in the time of those that are written while others are drawn.
    seconds = result.seconds if len(drawn) == 1 else time.perf_counter() - started
    return {
        "rows": request.patients,
        "seconds": round(seconds, 3),
        "rows_per_second": round(request.patients / max(seconds, 1e-9)),
        "compliance": result.compliance,
        "extrapolated": result.extrapolated,
        "support": result.support_rows,
        "strategy": result.strategy,
        "redrawn": result.redrawn,
        "repaired": result.repaired,
        "population": result.population,
        "notes": result.notes,
        "peak_memory_mb": _peak_memory_mb(),
        "out": str(out),
    }


def evaluate(
    *,
    train: Path,
    holdout: Path,
    synthetic: Path,
    spec: Path | None,
    schema: Path | None,
    outcome: str | None,
    out: Path | None,
    view: str,
    small_cell_minimum: int,
    progress: Progress,
) -> dict[str, Any]:
    """Compare a synthetic table with the real training and hold-out tables.

    ``outcome``: the key of one to analyse besides the usual ones, as ``chosen_outcome`` of the result. ``out``: a file
    that ends in .json, .html or .pdf; ``view``: which report a document is (:mod:`engine.reports.views`).
    """
    from engine.evaluation.report import analyse, compare
    from engine.evaluation.sections.modelled import outcome_named

    report_command.refuse_unwritable(out, view)
    real = _load(train, schema_path=schema, patient_key=None, progress=progress)
    held = _aligned(holdout, real.schema)
    made = _aligned(synthetic, real.schema.select([column.name for column in real.schema.features]))
    request = read_spec(spec) if spec is not None else CohortSpec(patients=max(1, len(made)))
    if outcome is not None:
        outcome_named(outcome, real.schema)  # refused before minutes are spent on the rest
    tables = (real.table, held, made, real.schema)
    end = 1.0 if outcome is None else 0.9
    result = compare(*tables, spec=request, small_cell_minimum=small_cell_minimum, progress=Part(progress, 0.0, end))
    if outcome is not None:
        result["chosen_outcome"] = analyse(
            *tables, outcome, spec=request, small_cell_minimum=small_cell_minimum, progress=Part(progress, end, 1.0)
        )
    if out is not None:
        report_command.write(result, out, view, synthetic=synthetic, made=made, schema=real.schema, spec=request)
    return result


def parse(*, text: str, previous: Path | None, source: str | None, backend: BackendName) -> dict[str, Any]:
    """The turn that the chat would answer ``text`` with, read by ``backend`` as the page Assistant has set it up."""
    from engine.core.settings import settings
    from engine.core.workspace import Workspace
    from engine.services.assistant import Assistant, by_rules

    schema = _source_schema(source)
    spec = read_spec(previous) if previous else None
    if backend == "rules":
        return by_rules(text, schema=schema, previous=spec).as_json()
    assistant = Assistant(Workspace(settings().workspace))
    try:
        if backend == "llama":
            assistant.load_model_from_disk(seconds=_LOAD_SECONDS)
        return assistant.reply(text, schema=schema, previous=spec, backend=backend).as_json()
    finally:
        assistant.unload_model()


def export(*, cohort: Path, format: str, out: Path) -> dict[str, Any]:
    """Write a cohort folder or a table in another format."""
    from engine.export.formats import export_rows
    from engine.export.rows import Rows

    table = cohort / "cohort.parquet" if cohort.is_dir() else cohort
    rows = Rows.in_file(table) if table.suffix == ".parquet" else Rows.of(*_csv(table))
    manifest_path = cohort / "manifest.json"
    manifest = (
        json.loads(manifest_path.read_text("utf-8")) if manifest_path.is_file() else {"source": {"file": table.name}}
    )
    export_rows(rows, manifest, format=format, path=out)
    return {
        "rows": rows.count,
        "columns": len(rows.schema.columns),
        "bytes": out.stat().st_size,
        "out": str(out),
    }


def read_spec(path: Path) -> CohortSpec:
    """The CohortSpec in a JSON file.

    Raises:
        UserError: the file is not JSON, or not a valid spec; says which field.
    """
    try:
        return _validated(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise UserError(f"there is no file {path}") from error
    except json.JSONDecodeError as error:
        raise UserError("the spec is not JSON", where=f"{path.name}, line {error.lineno}") from error


def _validated(value: dict[str, Any]) -> CohortSpec:
    try:
        return CohortSpec.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "spec"
        raise UserError(first["msg"].removeprefix("Value error, "), where=where) from error


def _load(path: Path, *, schema_path: Path | None, patient_key: str | None, progress: Progress) -> PreparedTable:
    if path.suffix == ".parquet" and schema_path is None and patient_key is None:
        try:
            frame, schema = read_table(path)
        except DataError:
            pass  # a parquet file of another program: prepared like a CSV
        else:
            return PreparedTable.of(frame, schema)
    return _prepare_file(path, schema_path=schema_path, patient_key=patient_key, progress=progress)


def _prepare_file(
    path: Path, *, schema_path: Path | None, patient_key: str | None, progress: Progress
) -> PreparedTable:
    upload = read_csv(path)
    if schema_path is None:
        schema = infer_schema(upload.frame)
    else:
        schema = schema_from_json(json.loads(schema_path.read_text(encoding="utf-8")), upload.frame)
    if patient_key is not None:
        schema = _with_key(schema, patient_key)
    return prepare_frame(upload.frame, schema, source=path.name, progress=progress)


def _with_key(schema: TableSchema, name: str) -> TableSchema:
    def role(column: Column) -> Column:
        if column.name == name:
            return column.model_copy(update={"role": Role.PATIENT_KEY})
        if column.role is Role.PATIENT_KEY:
            return column.model_copy(update={"role": Role.EXCLUDED})
        return column

    schema[name]
    return TableSchema(columns=tuple(role(column) for column in schema.columns))


def _aligned(path: Path, schema: TableSchema) -> pd.DataFrame:
    frame = pd.read_parquet(path) if path.suffix == ".parquet" else read_csv(path).frame
    return conform(frame, schema)


def _csv(path: Path) -> tuple[pd.DataFrame, TableSchema]:
    upload = read_csv(path)
    schema = infer_schema(upload.frame)
    return conform(upload.frame, schema), schema


def _source_schema(source: str | None) -> TableSchema:
    """The columns that requests are understood against: a table, a model, or every column MIMIC-III can give."""
    if source is None:
        from engine.schema.catalogue import catalogue

        return catalogue().mimic3_schema()
    path, _ = _model_folder(Path(source))
    if path.is_dir():
        return TableSchema.model_validate(json.loads((path / "manifest.json").read_text("utf-8"))["schema"])
    if path.suffix == ".parquet":
        return read_schema(path).released()
    if path.is_file():
        return infer_schema(read_csv(path).frame).released()
    raise UserError(
        f"there is no source {source!r}",
        remedy=f"Name a table, a model folder{_shipped_names()}, or leave --source out.",
    )


def _shipped_names() -> str:
    return "".join(f", {name}" for name in names())


def _model_folder(model: Path) -> tuple[Path, str]:
    """The folder of a model and what it is called: a folder that was trained, or the name of one that ships."""
    if not model.is_dir() and (shipped := model_folder(str(model))) is not None:
        return shipped, str(model)
    return model, model.name


def _manifest(spec: CohortSpec, *, model: Path, named: str, generator: str, notes: list[str]) -> dict[str, Any]:
    from engine.export.manifest import manifest, stated

    source = {"model": named}
    report = read_json(model / FIT_REPORT) if (model / FIT_REPORT).is_file() else {}
    return manifest(
        spec, source=source, generator={"name": generator}, seed=spec.seed, notes=tuple(notes), privacy=stated(report)
    )


def _clear(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder)


def _peak_memory_mb() -> float:
    import resource
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024 * 1024 if sys.platform == "darwin" else 1024), 1)
