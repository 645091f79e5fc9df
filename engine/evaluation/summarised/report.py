"""The comparison of a cohort with a differentially private summary, where no real row ships with the model.

The report of :mod:`engine.evaluation.report`, section by section. ``reference.kind`` is ``"summary"``; what would need
real rows says so in its ``reason``; and where that report has held-out real patients beside a figure, this one has what
a fresh draw of the summary's noise makes (``noise``). The summary is covered by the model's (ε, δ), so the report is
not internal.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from engine.cohort.spec import CohortSpec
from engine.core.errors import DataError
from engine.core.progress import Progress
from engine.core.randomness import generator
from engine.evaluation.cards import NOT_ASSESSABLE, card, few_differences
from engine.evaluation.cells import Sample
from engine.evaluation.fidelity import Figure
from engine.evaluation.plausibility import plausibility
from engine.evaluation.report import SECTIONS, VERSION, Failed, cause_of
from engine.evaluation.summarised import associations, columns, table_one
from engine.evaluation.summarised.group import Group, choose
from engine.evaluation.tables import HOLDOUT, REAL, SYNTHETIC
from engine.privacy.summary import PrivateSummary
from engine.schema.table import conform

KIND = "summary"
_NO_ROW = "no real row ships with this model"
_UNMADE = {
    "detection": f"Not assessable: {_NO_ROW}, and a classifier needs real rows to tell synthetic ones from.",
    "conclusions": f"Not assessable: {_NO_ROW}, and a conclusion on real patients needs them.",
    "privacy": f"Not assessable: {_NO_ROW}, so no attack can be checked against the patients who were learned from.",
}


def compare(
    summary: PrivateSummary,
    synthetic: pd.DataFrame,
    *,
    spec: CohortSpec,
    small_cell_minimum: int,
    progress: Progress,
    publish: Callable[[dict[str, Any]], None] | None = None,
    failed: Failed | None = None,
) -> dict[str, Any]:
    """Compare ``synthetic`` (conformed to the features it has) with the patients of ``summary`` that ``spec`` asks for.

    ``publish``, ``failed`` and ``progress`` as of :func:`engine.evaluation.report.compare`.

    Raises:
        DataError: the cohort has no row, or no column of the summary.
        UserError: the spec does not suit the summary's columns.
    """
    started = time.monotonic()
    progress.update(0.0, "Choosing the reference")
    indices = [at for at, margin in enumerate(summary.margins) if margin.column.name in synthetic.columns]
    if not len(synthetic) or not indices:
        raise DataError("the cohort has nothing to compare", remedy="Generate it again.")
    schema = summary.schema.select([summary.margins[at].column.name for at in indices])
    made = conform(synthetic[schema.names], schema)
    group, random = choose(summary, spec), generator(spec.seed, "summary")
    report = _head(group, len(made), small_cell_minimum)
    sections: dict[str, Callable[[], Any]] = {
        "columns": lambda: [columns.describe(group, index, made, random) for index in indices],
        "table_one": lambda: table_one.table_one(group, indices, made),
        "plausibility": lambda: _plausibility(made, schema, small_cell_minimum),
        "associations": lambda: associations.associations(group, indices, made, random),
        "scores": lambda: _scores(report),
        "detection": lambda: {"reason": _UNMADE["detection"]},
        "conclusions": lambda: {"outcomes": [], "reason": _UNMADE["conclusions"]},
        "privacy": lambda: {"reason": f"{_UNMADE['privacy']} {_guarantee(summary)}"},
    }
    for place, section in enumerate(SECTIONS):
        progress.update(place / len(SECTIONS), f"Comparing: {section.name.replace('_', ' ')}")
        _make(section.name, sections[section.name], report, failed)
        report |= {"cards": _cards(report, summary), "seconds": round(time.monotonic() - started, 2)}
        if publish is not None:
            publish(report)
    progress.update(1.0, "Compared")
    return report


def _head(group: Group, rows: int, minimum: int) -> dict[str, Any]:
    labels = {margin.column.name: margin.column.label or margin.column.name for margin in group.summary.margins}
    patients = round(group.patients)
    return {
        "version": VERSION,
        "internal": False,
        "small_cell_minimum": minimum,
        "sections": {one.name: {"state": "pending", "reason": "", "seconds": None} for one in SECTIONS},
        "reference": {
            "kind": KIND, "sentence": group.sentence, "dropped": [labels[name] for name in group.dropped],
            "train_text": f"about {patients:,} patients", "train_patients": patients, "train_rows": None,
            "holdout_text": "none", "meeting_text": "", **dict(group.summary.statement),
        },
        "synthetic_rows": rows,
        "weights": {},
        "notes": [*group.notes, "What noise alone makes stands where held-out real patients otherwise stand."],
    }  # fmt: skip


def _make(name: str, build: Callable[[], Any], report: dict[str, Any], failed: Failed | None) -> None:
    started, state, reason = time.monotonic(), "done", ""
    try:
        report[name] = build()
    except MemoryError:
        raise
    except Exception as error:
        state, reason = "failed", cause_of(error)
        if failed is not None:
            failed(name, error)
    if name == "plausibility" and state == "done":
        impossible = report["plausibility"]["totals"]["impossible"]
        report["impossible_rows"] = {table: impossible[table]["text"] for table in (REAL, HOLDOUT, SYNTHETIC)}
    report["sections"][name] = {"state": state, "reason": reason, "seconds": round(time.monotonic() - started, 2)}


def _plausibility(made: pd.DataFrame, schema: Any, minimum: int) -> dict[str, Any]:
    samples = {REAL: Sample(made.iloc[:0]), HOLDOUT: Sample(made.iloc[:0]), SYNTHETIC: Sample(made)}
    found = plausibility(samples, schema, minimum=minimum)
    return found | {"notes": [*found["notes"], f"Only synthetic rows are checked: {_NO_ROW}."]}


def _scores(report: dict[str, Any]) -> dict[str, Any]:
    similar = [entry["similarity"] for entry in report.get("columns", []) if "similarity" in entry]
    difference = report.get("associations", {}).get("mean_difference", {})
    nothing = Figure.of(None, _NO_ROW).as_dict()

    def mean(name: str) -> dict[str, Any]:
        known = [one[name] for one in similar if one.get(name) is not None]
        return Figure.of(float(np.mean(known)) if known else None, "no column can be compared").as_dict()

    def pair(name: str) -> dict[str, Any]:
        return Figure.of(
            difference.get(name), "pairs of columns can be compared for cohorts without criteria"
        ).as_dict()

    figures = {
        "shapes": {
            "label": "Column shapes",
            "meaning": "How alike each column is distributed (KS and TV complement by measured interval, mean).",
            SYNTHETIC: mean(SYNTHETIC), "noise": mean("noise"), HOLDOUT: nothing, "halves": nothing,
        },
        "associations": {
            "label": "Association difference",
            "meaning": "Mean absolute difference of the association measures; 0 is alike.",
            SYNTHETIC: pair(SYNTHETIC), "noise": pair("noise"), HOLDOUT: nothing, "halves": nothing,
        },
    }  # fmt: skip
    notes = ["Noise alone: the summary against itself with a fresh draw of its noise, the level that none can pass."]
    return {"figures": figures, "most_rows": report["synthetic_rows"], "pair_columns": 0, "notes": notes}


def _cards(report: dict[str, Any], summary: PrivateSummary) -> dict[str, dict[str, Any]]:
    about = ("Fidelity", "How alike columns are distributed as in the private summary; 100 % is alike.")
    fidelity = card(*about, "pending")
    if report["sections"]["scores"]["state"] != "pending":
        shapes = report.get("scores", {}).get("figures", {}).get("shapes", {})
        value, noise = (_share(shapes.get(name)) for name in (SYNTHETIC, "noise"))
        fidelity = card(
            *about, "done", value, f"A fresh draw of the noise: {noise}", few_differences(report, "the summary")
        )
    told = summary.statement
    utility = card(
        "Utility", "How well models learned from synthetic rows predict real patients.", "done", NOT_ASSESSABLE, "",
        f"Not assessable here: {_NO_ROW}. The model's card states what was measured when it was made.",
    )  # fmt: skip
    privacy = card(
        "Privacy", "The guarantee of the model: what anybody can learn about one patient from it is bounded by ε.",
        "done", f"ε {told['epsilon']:.2f}", f"δ {told['delta']:g}, for each {told['unit']}", _guarantee(summary),
    )  # fmt: skip
    return {"fidelity": fidelity, "utility": utility, "privacy": privacy}


def _guarantee(summary: PrivateSummary) -> str:
    told = summary.statement
    return (
        f"The model is differentially private: (ε, δ) = ({told['epsilon']:.3g}, {told['delta']:g}) for each "
        f"{told['unit']} ({told['neighbours']}). Cohorts and this comparison are covered by it."
    )


def _share(figure: dict[str, Any] | None) -> str:
    return NOT_ASSESSABLE if figure is None or figure["value"] is None else f"{figure['value']:.1%}"
