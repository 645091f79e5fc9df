"""``python -m engine bake-off``: generators on one table in the foreground, on files."""

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.core.errors import UserError
from engine.core.progress import Part, Progress
from engine.core.settings import settings
from engine.core.workspace import read_json, write_json
from engine.generators.registry import generator_names, info
from engine.jobs.contenders import LEAST_ROWS, MOST_ROWS, Contender, Contest
from engine.jobs.contest import hold
from engine.jobs.logs import places
from engine.jobs.steps import HOLDOUT_SHARE
from engine.preparation.splitting import split_by_patient
from engine.services.bake_off import columns, predictable
from engine.services.bake_off import table as shown_table
from engine.services.budgets import foreground_run, settle_abandoned
from engine.services.command_files import aligned, prepared_table
from engine.storage.folders import sha256

if TYPE_CHECKING:
    from engine.generators.base import FitReport, Generator
    from engine.preparation.pipeline import PreparedTable

log = logging.getLogger(__name__)


def bake_off(
    *,
    table: Path,
    holdout: Path | None,
    out: Path,
    generators: Sequence[str] | None,
    epsilon: Sequence[float],
    delta: float | None,
    outcome: str | None,
    schema: Path | None,
    patient_key: str | None,
    rows: int | None,
    seed: int,
    limit_seconds: float,
    resume: bool,
    progress: Progress,
) -> dict[str, Any]:
    """Fit ``generators`` (all, for None) on a table and write their figures into ``out``, contender by contender.

    Of each generator that can be private: once without privacy, and once for each ``epsilon`` at ``delta``, reserved
    from the ledger of the table. Without a ``holdout`` file, 30 % of the table's patients are held out.

    Raises:
        UserError: see :class:`engine.jobs.contenders.Contest`; or the file to resume is of another bake-off.
    """
    if out.suffix != ".json":
        raise UserError(f"--out ({out.name}) must end in .json")
    asked = contenders(generators or generator_names(), epsilon, delta)
    prepared = prepared_table(table, schema_path=schema, patient_key=patient_key, progress=Part(progress, 0.0, 0.02))
    if holdout is not None:
        train, held = prepared.table, aligned(holdout, prepared.schema)
    else:
        parts = split_by_patient(prepared.table, prepared.schema, holdout=HOLDOUT_SHARE, seed=seed)
        train, held = (prepared.table.iloc[part].reset_index(drop=True) for part in parts)
    key = outcome if outcome is not None else next((one.key for one in predictable(prepared.schema)), None)
    if key is not None and key not in {one.key for one in predictable(prepared.schema)}:
        raise UserError(
            f"there is no outcome {key!r} that a model could predict",
            remedy=f"Possible: {', '.join(one.key for one in predictable(prepared.schema)[:12])}.",
        )
    count = min(MOST_ROWS, max(LEAST_ROWS, len(train))) if rows is None else rows
    contest = Contest.of(asked, rows=count, seed=seed, outcome=key, limit_seconds=limit_seconds)
    checkpoint = out.with_name(out.name + ".checkpoint")
    rows_of = {"table": sha256(table), "holdout": None if holdout is None else sha256(holdout)}
    before = _before(out, checkpoint, contest, rows_of, resume=resume)

    def fit(contender: Contender, generator: "Generator", *, progress: Progress) -> "FitReport":
        return _fit(prepared, train, contender, generator, table=table, seed=seed, checkpoint=checkpoint, told=progress)

    result = hold(
        contest, train=train, holdout=held, schema=prepared.schema, minimum=settings().small_cell_minimum,
        folders=lambda key: checkpoint / key, fit=fit, before=before,
        publish=lambda found: write_json(out, found | {"rows_of": rows_of}),
        failed=lambda what, error: log.warning("%s failed\n%s", what, places(error)),
        progress=Part(progress, 0.02, 1.0),
    )  # fmt: skip
    shutil.rmtree(checkpoint, ignore_errors=True)
    progress.update(1.0, "Done")
    return {**result, "out": str(out)}


def contenders(
    generators: Sequence[str], epsilon: Sequence[float], delta: float | None
) -> list[tuple[str, dict[str, Any]]]:
    """(generator, options) pairs.

    Raises:
        UserError: epsilon and delta are not given together, or no generator can honour them.
    """
    if bool(epsilon) != (delta is not None):
        raise UserError("--epsilon and --delta are given together", remedy="Neither has a default.")
    capable = [name for name in generators if any(one.name == "private" for one in info(name).options)]
    if epsilon and not capable:
        raise UserError(
            f"none of these generators gives an (epsilon, delta) guarantee, so --epsilon ({epsilon[0]:g}) cannot be "
            "honoured",
            remedy="Add dp_cgan, or leave --epsilon and --delta out.",
        )
    asked: list[tuple[str, dict[str, Any]]] = []
    for name in generators:
        asked.append((name, {"private": False} if name in capable else {}))
        if name in capable:
            asked += [(name, {"private": True, "epsilon": one, "delta": delta}) for one in epsilon]
    return asked


def show(result: dict[str, Any]) -> str:
    """The table as text, one line for each generator."""
    heads = ["generator", *(one.label for one in columns())]
    lines = []
    for one in shown_table(result, active=False):
        measured = [one.label, *one.cells.values()]
        lines.append(measured if one.cells["quality"] else [one.label, one.reason or one.state])
    whole = [heads, *(line for line in lines if len(line) == len(heads))]
    widths = [max(len(line[at]) for line in whole) for at in range(len(heads))]
    texts = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=False)) for line in (heads, *lines)
    ]
    outcome = result["outcome"]
    said = f"outcome: {outcome['label']} ({outcome['score']}, {outcome['model_label']})" if outcome else "no outcome"
    return "\n".join([*(text.rstrip() for text in texts), f"{said}; ★ best; internal: aggregates of real patients"])


def _before(
    out: Path, checkpoint: Path, contest: Contest, rows_of: dict[str, str | None], *, resume: bool
) -> dict[str, Any] | None:
    """The result to continue; where there is none or without ``resume``, what an earlier bake-off left is cleared.

    A result is of the same bake-off where contest and tables are (``rows_of``: their digests, in the internal result).
    """
    if resume and out.exists():
        try:
            before = read_json(out)
        except ValueError:
            before = None
        if not isinstance(before, dict) or before.get("asked") != contest.as_json() or before.get("rows_of") != rows_of:
            raise UserError(
                f"{out.name} is of another bake-off",
                remedy="Repeat it with the same tables and arguments, or without --resume.",
            )
        return before
    for folder in checkpoint.iterdir() if checkpoint.exists() else ():
        settle_abandoned(folder)
    shutil.rmtree(checkpoint, ignore_errors=True)
    return None


def _fit(
    prepared: "PreparedTable", train: Any, contender: Contender, generator: "Generator", *, table: Path, seed: int,
    checkpoint: Path, told: Progress,
) -> "FitReport":  # fmt: skip
    folder = checkpoint / contender.key
    run = foreground_run(
        generator, prepared, table=table, options=contender.options, seed=seed, checkpoint=folder, learned=train
    )
    with run as paying:
        report = generator.fit(
            train, prepared.schema, seed=seed, options=contender.options, progress=told, checkpoint=folder
        )
        if paying is not None:
            paying.finished(report)
    return report
