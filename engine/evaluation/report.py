"""The comparison of a synthetic cohort with real rows: aggregates only, in one JSON value.

Sections are made one after the other, pictures first, and the report can be published after each. Its keys:

- ``version``, ``small_cell_minimum``, ``notes`` (sentences for a person), ``seconds``, ``internal``
- ``sections``: per section ``{state, reason, seconds}``; ``state`` is ``"pending"``, ``"done"`` or ``"failed"``, and a
  section that is not done has no key of its own below
- ``reference``: which real rows it was compared with (:mod:`engine.evaluation.reference`); ``synthetic_rows``
- ``weights``: whether real rows were weighted to the proportions that the cohort was asked for, per ``real`` and
  ``holdout`` (:meth:`engine.evaluation.weights.Weights.as_dict`)
- ``cards``: the findings at a glance (:mod:`engine.evaluation.cards`)
- ``columns``, ``table_one``, ``plausibility`` (:mod:`.sections.pictures`) and ``impossible_rows``, its total in words
- ``associations`` (:mod:`.sections.associated`), ``scores`` (:mod:`.sections.scores`)
- ``detection``, ``conclusions``, ``privacy`` (:mod:`.sections.modelled`)

Whatever was computed on real rows is for the people who may see the real data (``internal``); it is not part of a
release.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from engine.cohort.reference_tables import reference_table
from engine.cohort.spec import CohortSpec
from engine.core.errors import Cancelled, CohortStudioError
from engine.core.progress import Part, Progress
from engine.evaluation.cards import cards
from engine.evaluation.sections import associated, modelled, pictures, scores
from engine.evaluation.study import Study
from engine.evaluation.tables import HOLDOUT, REAL
from engine.schema.table import TableSchema

VERSION = 2


@dataclass(frozen=True)
class Section:
    """A part of the report.

    Attributes:
        name: its key.
        build: from the study, a progress and the sections it ``needs`` (by keyword) to its JSON value.
        share: of the whole report's time.
        needs: sections before it.
    """

    name: str
    build: Callable[..., Any]
    share: float
    needs: tuple[str, ...] = ()


SECTIONS = (
    Section("columns", pictures.columns, 0.03),
    Section("table_one", pictures.table_one, 0.03),
    Section("plausibility", pictures.rules, 0.02),
    Section("associations", associated.associations, 0.07),
    Section("scores", scores.scores, 0.2, needs=("associations",)),
    Section("detection", modelled.detection, 0.25),
    Section("conclusions", modelled.conclusions, 0.2),
    Section("privacy", modelled.privacy, 0.2),
)

Failed = Callable[[str, Exception], None]


def compare(
    train: pd.DataFrame,
    holdout: pd.DataFrame,
    synthetic: pd.DataFrame,
    schema: TableSchema,
    *,
    spec: CohortSpec,
    small_cell_minimum: int,
    progress: Progress,
    publish: Callable[[dict[str, Any]], None] | None = None,
    failed: Failed | None = None,
) -> dict[str, Any]:
    """Compare ``synthetic`` with the rows of ``train`` that meet the spec, the hold-out beside (see the module).

    Args:
        train: real rows the generator learned, conformed to ``schema``.
        holdout: real rows it did not see, conformed; may be empty.
        synthetic: the cohort, conformed to the features it has.
        schema: the real table's.
        spec: what the cohort was asked for.
        small_cell_minimum: counts of real patients below this are not shown.
        progress: told of each step; may cancel.
        publish: given the report so far, after each section.
        failed: told the name of a section that failed, and its exception; the others are made nevertheless.

    Raises:
        DataError: the tables share no feature column, or the synthetic or the training table has no rows.
        UserError: a criterion or a share of ``spec`` does not fit ``schema``.
    """
    started = time.monotonic()
    progress.update(0.0, "Choosing the real reference")
    study = Study.of(train, holdout, synthetic, schema, spec=spec, minimum=small_cell_minimum)
    report = _head(study)
    begin = 0.0
    for section in SECTIONS:
        part = Part(progress, begin, begin + section.share)
        begin += section.share
        _make(section, study, report, part, failed)
        report |= {"notes": _notes(study, report), "cards": cards(report)}
        report["seconds"] = round(time.monotonic() - started, 2)
        if publish is not None:
            publish(report)
    progress.update(1.0, "Compared")
    return report


def analyse(
    train: pd.DataFrame,
    holdout: pd.DataFrame,
    synthetic: pd.DataFrame,
    schema: TableSchema,
    key: str,
    *,
    spec: CohortSpec,
    small_cell_minimum: int,
    progress: Progress,
) -> dict[str, Any]:
    """The analysis of the outcome ``key`` (:func:`.sections.modelled.analysis`); the rest as :func:`compare`.

    Raises:
        UserError: the columns offer no such outcome; and as :func:`compare`.
    """
    # Loaded first, so that its linear algebra is limited too.
    import scipy.linalg  # noqa: F401
    from threadpoolctl import threadpool_limits

    progress.update(0.0, "Choosing the real reference")
    outcome = modelled.outcome_named(key, schema)
    study = Study.of(train, holdout, synthetic, schema, spec=spec, minimum=small_cell_minimum)
    with threadpool_limits(limits=1):
        return modelled.analysis(study, outcome, Part(progress, 0.02, 1.0))


def _head(study: Study) -> dict[str, Any]:
    return {
        "version": VERSION,
        "internal": True,
        "small_cell_minimum": study.minimum,
        "sections": {one.name: {"state": "pending", "reason": "", "seconds": None} for one in SECTIONS},
        "reference": study.reference.as_dict(study.train, study.held, study.schema, minimum=study.minimum),
        "synthetic_rows": len(study.synthetic.frame),
        "weights": {REAL: study.weights.as_dict(), HOLDOUT: study.holdout_weights.as_dict()},
    }


def _make(section: Section, study: Study, report: dict[str, Any], progress: Progress, failed: Failed | None) -> None:
    """Put the section into the report, or why there is none."""
    from threadpoolctl import threadpool_limits

    started = time.monotonic()
    missing = [name for name in section.needs if name not in report]
    state, reason = "done", ""
    if missing:
        state, reason = "failed", f"It needs the section {missing[0]!r}, which failed."
    else:
        try:
            # Threads of linear algebra that wait for each other take far longer where other work has the cores.
            with threadpool_limits(limits=1):
                report[section.name] = section.build(study, progress, **{one: report[one] for one in section.needs})
        except (Cancelled, MemoryError):
            raise
        except Exception as error:
            state, reason = "failed", cause_of(error)
            if failed is not None:
                failed(section.name, error)
    if section.name == "plausibility" and state == "done":
        impossible = report["plausibility"]["totals"]["impossible"]
        report["impossible_rows"] = {table: impossible[table]["text"] for table in study.samples}
    report["sections"][section.name] = {
        "state": state, "reason": reason, "seconds": round(time.monotonic() - started, 2),
    }  # fmt: skip


def cause_of(error: Exception) -> str:
    """The cause in words. The text of a foreign exception can quote a cell; its type cannot."""
    if isinstance(error, CohortStudioError):
        return str(error)
    return f"This section failed with {type(error).__name__}: a fault of the program."


def _asked(study: Study) -> str:
    """Which proportions the cohort was asked for with."""
    labels = dict.fromkeys(study.schema[one.column].label or one.column for one in study.spec.shares)
    shares = f"set proportions of {', '.join(labels)}" if labels else ""
    name = study.spec.reference_population
    followed = f"the proportions of the {reference_table(name).title}" if name else ""
    return f"The cohort was asked for with {' and '.join(filter(None, (followed, shares)))}."


def _notes(study: Study, report: dict[str, Any]) -> list[str]:
    notes = []
    if study.spec.shares or study.spec.reference_population:
        told = study.weights.as_dict()
        notes.append(f"{_asked(study)} {told['sentence']}")
        notes += told["notes"]
        if told["weighted"] and study.holdout_weights.reason:
            notes.append("Held-out real rows could not be weighted alike: their figures differ for that alone.")
    if study.reference.dropped:
        notes.append("The reference is larger than the cohort asked for: see the reference.")
    entries = report.get("columns", [])
    left_out = sum(not entry["shown"] for entry in entries)
    if left_out:
        notes.append(f"{left_out} of {len(entries)} columns have too few real values to be shown.")
    if not len(study.holdout.frame):
        notes.append("No hold-out row belongs to the reference, so the hold-out figures are not assessable.")
    return notes
