"""A bake-off: several generators learn the same rows under the same limits and are held against the same yardstick.

The result (JSON values; aggregates of real rows, so an internal view) has these keys:

- ``version``, ``internal``, ``small_cell_minimum``, ``notes``; ``asked``: :meth:`Contest.as_json`
- ``train_rows``, ``holdout_rows``, ``columns``: how many; ``outcome``: ``{key, label, score, model,
  model_label}`` or None
- ``ceiling``, ``floor``: the references' lines, None until they are made; ``contenders``: one line each, in order

A line has ``key``, ``label``, ``state`` (``"pending"``, ``"running"``, ``"done"`` or ``"failed"``), ``reason``, and
once it is done ``figures`` and ``cost`` (:mod:`engine.evaluation.bake_off.figure_book`), ``privacy`` (``{epsilon,
delta}`` or None) and ``notes``. The result is published after every line. A contender that fails, or runs past its
time, says so in its line and ends no other. What a contender drew is kept in its folder: an interrupted bake-off
neither fits a finished one again nor measures it twice.
"""

import gc
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from engine.core.errors import Cancelled, CohortStudioError
from engine.core.progress import Part, Progress
from engine.core.workspace import read_json, write_json
from engine.evaluation.bake_off.figure_book import COSTS, figure
from engine.jobs.contenders import Contender, Contest
from engine.jobs.memory import peak_megabytes, reset_peak

if TYPE_CHECKING:
    import pandas as pd

    from engine.evaluation.bake_off.yardstick import Yardstick
    from engine.generators.base import FitReport, Generator
    from engine.schema.table import TableSchema

VERSION = 1
SPEED_ROWS = 50_000
"""Rows of the draw that is timed: a small one is mostly what every draw costs, however many its rows."""
_DRAWN = "drawn.parquet"
_COST = "drawn.json"

Publish = Callable[[dict[str, Any]], None]
Failed = Callable[[str, BaseException], None]


class Fit(Protocol):
    """Teaches a contender's generator the training rows, paying for its privacy."""

    def __call__(self, contender: Contender, generator: "Generator", /, *, progress: Progress) -> "FitReport":
        """The fit's report."""
        ...


class TimeLimitError(Cancelled):
    """A fit ran past its time. A :class:`Cancelled`, so every long task lets it through."""


class _Limited:
    """A fit's progress that ends it after its time. The fit's own figures are left out: contenders share one job."""

    def __init__(self, progress: Progress, label: str, seconds: float) -> None:
        self._progress, self._label, self._end = progress, label, time.monotonic() + seconds

    def update(self, fraction: float, message: str, **_figures: float) -> None:
        self._progress.update(fraction, f"{self._label}: {message}")
        if time.monotonic() > self._end:
            raise TimeLimitError


def hold(
    contest: Contest,
    *,
    train: "pd.DataFrame",
    holdout: "pd.DataFrame",
    schema: "TableSchema",
    minimum: int,
    folders: Callable[[str], Path],
    fit: Fit,
    before: dict[str, Any] | None,
    publish: Publish,
    failed: Failed,
    progress: Progress,
) -> dict[str, Any]:
    """Hold the bake-off (see the module); returns the result.

    Args:
        contest: what is compared.
        train: real rows to learn, conformed to ``schema``.
        holdout: real rows of other patients.
        schema: of both.
        minimum: counts of real patients below this are not shown.
        folders: from a contender's key to the folder of its checkpoints and drawn rows.
        fit: teaches a generator ``train``.
        before: the result of an interrupted attempt at the same contest, which is continued.
        publish: given the result so far.
        failed: told what failed, and the exception.
        progress: told of each step; may cancel.

    Raises:
        UserError: the columns offer no such outcome, or there are too few patients.
    """
    from engine.evaluation.bake_off.yardstick import Yardstick
    from engine.evaluation.sections.modelled import outcome_named

    outcome = None if contest.outcome is None else outcome_named(contest.outcome, schema)
    yardstick = Yardstick.of(
        train, holdout, schema, outcome=outcome, minimum=minimum, seed=contest.seed,
        failed=lambda names, error: failed(f"the figures {names}", error),
    )  # fmt: skip
    result = before or _begun(contest, yardstick)
    yardstick = _references(contest, yardstick, result, publish, Part(progress, 0.0, 0.08))
    share = 0.92 / len(contest.contenders)
    for place, (contender, line) in enumerate(zip(contest.contenders, result["contenders"], strict=True)):
        part = Part(progress, 0.08 + place * share, 0.08 + (place + 1) * share)
        if line["state"] in ("done", "failed"):
            continue
        line |= {"state": "running", "reason": ""}
        publish(result)
        try:
            line |= _line(contest, contender, yardstick, folders(contender.key), fit, part) | {"state": "done"}
        except TimeLimitError:
            seconds = f"{contest.limit_seconds:,.0f} s"
            line |= {"state": "failed", "reason": f"Its training took longer than the limit of {seconds}."}
        except Cancelled:
            raise
        except Exception as error:
            failed(f"contender {contender.key}", error)
            line |= {"state": "failed", "reason": _told(error)}
        publish(result)
    return result


def _begun(contest: Contest, yardstick: "Yardstick") -> dict[str, Any]:
    lines = [{"key": one.key, "label": one.label, "state": "pending", "reason": ""} for one in contest.contenders]
    return {
        "version": VERSION,
        "internal": True,
        "small_cell_minimum": yardstick.minimum,
        "asked": contest.as_json(),
        "train_rows": len(yardstick.train.frame),
        "holdout_rows": len(yardstick.holdout.frame),
        "columns": len(yardstick.columns),
        "outcome": None,
        "notes": [
            "Figures are of rows as the generators make them, before impossible ones are drawn again for a cohort.",
            "One seed: differences of a few thousandths are chance.",
        ],
        "ceiling": None,
        "floor": None,
        "contenders": lines,
    }


def _references(
    contest: Contest, yardstick: "Yardstick", result: dict[str, Any], publish: Publish, progress: Progress
) -> "Yardstick":
    """Make the references where they are missing; returns the yardstick with the model that they chose."""
    from engine.evaluation.models import LABELS

    if result["ceiling"] is None:
        progress.update(0.0, "Choosing the model that predicts the outcome")
        yardstick = yardstick.with_model(yardstick.chosen_model())
        if (outcome := yardstick.outcome) is not None:
            label = None if yardstick.model is None else dict(LABELS)[yardstick.model]  # type: ignore[index]
            score = "AUROC" if yardstick.score == "auroc" else "R²"
            result["outcome"] = {
                "key": outcome.key, "label": outcome.label, "score": score, "model": yardstick.model,
                "model_label": label,
            }  # fmt: skip
        found = yardstick.ceiling(Part(progress, 0.1, 0.6))
        result["ceiling"] = _reference("ceiling", "Real hold-out (ceiling)", found)
        publish(result)
    elif result["outcome"] is not None:
        yardstick = yardstick.with_model(result["outcome"]["model"])
    if result["floor"] is None:
        found = yardstick.figures(yardstick.shuffled(contest.rows), Part(progress, 0.6, 1.0))
        result["floor"] = _reference("floor", "Columns shuffled (floor)", found)
        publish(result)
    return yardstick


def _reference(key: str, label: str, figures: dict[str, Any]) -> dict[str, Any]:
    nothing = {info.name: figure(None, text="–") for info in COSTS}
    return {
        "key": key, "label": label, "state": "done", "reason": "", "figures": figures, "cost": nothing, "privacy": None,
        "notes": [],
    }  # fmt: skip


def _line(
    contest: Contest, contender: Contender, yardstick: "Yardstick", folder: Path, fit: Fit, progress: Progress
) -> dict[str, Any]:
    from engine.storage.tables import read_table

    if not (folder / _COST).exists():
        limited = _Limited(Part(progress, 0.0, 0.8), contender.label, contest.limit_seconds)
        _draw(contest, contender, folder, fit, limited)
    drawn, _ = read_table(folder / _DRAWN)
    told = read_json(folder / _COST)

    class Named:
        def update(self, fraction: float, message: str, **figures: float) -> None:
            progress.update(0.8 + 0.2 * fraction, f"{contender.label}: {message}")

    return told | {"figures": yardstick.figures(drawn, Named())}


def _draw(contest: Contest, contender: Contender, folder: Path, fit: Fit, progress: Progress) -> None:
    """Fit the contender and keep what it draws, the record last."""
    from engine.generators.registry import create
    from engine.storage.tables import write_table

    folder.mkdir(parents=True, exist_ok=True)
    notes = []
    if any(folder.iterdir()):
        notes.append("Continued after an interruption: its times are those since.")
    # What the contender before left behind would count as this one's memory.
    gc.collect()
    reset_peak()
    generator = create(contender.generator)
    report = fit(contender, generator, progress=progress)
    peak = peak_megabytes()
    rows = generator.sample(contest.rows, seed=contest.seed)
    if generator.available() is None:
        started = time.process_time()
        generator.sample(SPEED_ROWS, seed=contest.seed + 1)
        speed = figure(SPEED_ROWS / max(time.process_time() - started, 1e-3), digits=0)
    else:
        speed = figure(None, text="in the fit", reason="Only the rows that were drawn during the fit are kept.")
    digits = {info.name: info.digits for info in COSTS}
    cost = {
        "fit_cpu_seconds": figure(report.fit_cpu_seconds, digits=digits["fit_cpu_seconds"]),
        "fit_wall_seconds": figure(report.fit_wall_seconds, digits=digits["fit_wall_seconds"]),
        "peak_memory_mb": figure(peak, digits=digits["peak_memory_mb"]),
        "rows_per_second": speed,
    }
    privacy = None if report.epsilon is None else {"epsilon": report.epsilon, "delta": report.delta}
    write_table(folder / _DRAWN, rows, generator.schema)
    write_json(folder / _COST, {"cost": cost, "privacy": privacy, "notes": notes})


def _told(error: Exception) -> str:
    """The cause in words. The text of a foreign exception can quote a cell; its type cannot."""
    if isinstance(error, CohortStudioError):
        return str(error)
    if isinstance(error, MemoryError):
        return "The machine's memory was not enough."
    return f"It failed with {type(error).__name__}: a fault of the program."
