"""Commands that make and use models: ``train`` and ``generate``, in the foreground, on files.

Each function returns what ``--json`` prints. Only ``engine.__main__`` imports this module: it may load torch.
"""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from engine.cohort.spec import CohortSpec
from engine.core.errors import UserError
from engine.core.progress import Progress
from engine.core.workspace import read_json, write_json
from engine.jobs.memory import peak_megabytes
from engine.jobs.steps import FIT_REPORT
from engine.services.budgets import foreground_run, privacy_options, settle_abandoned
from engine.services.command_files import named_model, prepared_table, read_spec, validated
from engine.services.shipped import model_folder
from engine.storage.folders import folder_bytes


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
    prepared = prepared_table(table, schema_path=schema, patient_key=patient_key, progress=progress)
    model = create(generator)
    checkpoint = out.with_name(out.name + ".checkpoint")
    if checkpoint.exists() and not resume:
        settle_abandoned(checkpoint)
        shutil.rmtree(checkpoint)
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
    shutil.rmtree(checkpoint)
    return {
        **{key: value for key, value in report.as_dict().items() if key != "history"},
        # The model of a private training knows its patients' number with noise only; who trains it sees the table.
        "rows": len(prepared.table),
        "patients": prepared.report.patients,
        "peak_memory_mb": peak_megabytes(),
        "model_bytes": folder_bytes(out),
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
        request = validated({**request.as_json(), "patients": patients})
    if seed is not None:
        request = validated({**request.as_json(), "seed": seed})
    model, named = named_model(model)
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
        "peak_memory_mb": peak_megabytes(),
        "out": str(out),
    }


def _manifest(spec: CohortSpec, *, model: Path, named: str, generator: str, notes: list[str]) -> dict[str, Any]:
    from engine.export.manifest import manifest, stated

    source = {"model": named}
    report = read_json(model / FIT_REPORT) if (model / FIT_REPORT).is_file() else {}
    return manifest(
        spec, source=source, generator={"name": generator}, seed=spec.seed, notes=tuple(notes), privacy=stated(report)
    )
