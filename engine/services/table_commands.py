"""Commands on tables: ``prepare``, ``evaluate`` and ``export``, and ``parse`` for requests, on files.

Each function returns what ``--json`` prints. Only ``engine.__main__`` imports this module: it may load torch.
"""

import time
from pathlib import Path
from typing import Any

from engine.cohort.spec import CohortSpec
from engine.conversation.contract import BackendName
from engine.core.errors import UserError
from engine.core.progress import Part, Progress
from engine.core.randomness import generator
from engine.core.workspace import write_json
from engine.export.manifest import read_manifest
from engine.jobs.comparing import MOST_SYNTHETIC_ROWS, noted, sampling_notes
from engine.jobs.memory import peak_megabytes
from engine.preparation.pipeline import prepare_mimic3
from engine.services import report_command
from engine.services.command_files import (
    aligned,
    aligned_sample,
    prepared_file,
    prepared_table,
    read_spec,
    source_schema,
    table_of,
)
from engine.storage.tables import write_table

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
        prepared = prepared_file(path, schema_path=None, patient_key=None, progress=progress)
    write_table(out, prepared.table, prepared.schema)
    if report is not None:
        write_json(report, prepared.report.model_dump(mode="json"))
    return {
        "rows": len(prepared.table),
        "patients": prepared.report.patients,
        "columns": len(prepared.schema.features),
        "seconds": round(time.perf_counter() - started, 2),
        "peak_memory_mb": peak_megabytes(),
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
    real = prepared_table(train, schema_path=schema, patient_key=None, progress=progress)
    held = aligned(holdout, real.schema)
    request = read_spec(spec) if spec is not None else CohortSpec()
    features = real.schema.select([column.name for column in real.schema.features])
    random = generator(request.seed, "compared rows")
    made, rows_in_all = aligned_sample(synthetic, features, MOST_SYNTHETIC_ROWS, random=random)
    sampled = sampling_notes(len(made), rows_in_all)
    if spec is None:
        request = request.model_copy(update={"patients": max(1, rows_in_all)})
    if outcome is not None:
        outcome_named(outcome, real.schema)  # refused before minutes are spent on the rest
    tables = (real.table, held, made, real.schema)
    end = 1.0 if outcome is None else 0.9
    result = compare(*tables, spec=request, small_cell_minimum=small_cell_minimum, progress=Part(progress, 0.0, end))
    result["notes"] = [*sampled, *result["notes"]]
    if outcome is not None:
        chosen = analyse(
            *tables, outcome, spec=request, small_cell_minimum=small_cell_minimum, progress=Part(progress, end, 1.0)
        )
        result["chosen_outcome"] = noted(chosen, sampled)
    if out is not None:
        report_command.write(
            result, out, view, synthetic=synthetic, made=made, rows_in_all=rows_in_all, schema=real.schema, spec=request
        )
    return result


def parse(*, text: str, previous: Path | None, source: str | None, backend: BackendName) -> dict[str, Any]:
    """The turn that the chat would answer ``text`` with, read by ``backend`` as the page Assistant has set it up."""
    from engine.core.settings import settings
    from engine.core.workspace import Workspace
    from engine.services.assistant import Assistant, by_rules

    schema = source_schema(source)
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
    rows = Rows.in_file(table) if table.suffix == ".parquet" else Rows.of(*table_of(table))
    manifest_path = cohort / "manifest.json"
    manifest = read_manifest(manifest_path) if manifest_path.is_file() else {"source": {"file": table.name}}
    export_rows(rows, manifest, format=format, path=out)
    return {
        "rows": rows.count,
        "columns": len(rows.schema.columns),
        "bytes": out.stat().st_size,
        "out": str(out),
    }
