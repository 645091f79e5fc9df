"""What a fit says about itself: figures, sentences, and the statement of its privacy."""

from typing import Any

from engine.generators.base import FitReport
from engine.generators.dp_cgan.fitting import Learned
from engine.generators.dp_cgan.material import PrivateFit
from engine.privacy.accounting import epsilon

_PUBLIC = (
    "column names, kinds, roles and units as confirmed; bounds of the clinical catalogue and declared ones; category "
    "lists that are marked public; options and seed"
)


def private_statement(private: PrivateFit) -> dict[str, Any]:
    """What was guaranteed and how: JSON values. ``epsilon`` is the larger of two accountants' figures."""
    events = [*private.earlier, *private.events]
    spent = epsilon(events, private.budget.delta)
    return {
        "epsilon": spent.epsilon,
        "delta": private.budget.delta,
        "unit": "patient",
        "neighbours": "add or remove one patient",
        "rows_per_patient": 1,
        "public": _PUBLIC,
        "accountants": {"ours": spent.ours, "dp_accounting": spent.second},
        "events": [event.as_json() for event in events],
        "identity": private.identity,
    }


def fit_report(
    learned: Learned,
    privacy: dict[str, Any],
    *,
    generator: str,
    seed: int,
    cpu_seconds: float,
    wall_seconds: float,
    size: tuple[int, int] | None,
) -> FitReport:
    """The report of a fit. ``size`` are rows and patients; None states the noisy number, which a private model may."""
    patients = round(learned.material.patients)
    rows, patients = size or (patients, patients)
    return FitReport(
        generator=generator, rows=rows, patients=patients, columns=len(learned.order), seed=seed,
        epsilon=privacy.get("epsilon"), delta=privacy.get("delta"), fit_cpu_seconds=cpu_seconds,
        fit_wall_seconds=wall_seconds, history=learned.history, notes=_notes(learned, privacy), privacy=privacy,
    )  # fmt: skip


def _notes(learned: Learned, privacy: dict[str, Any]) -> list[str]:
    encoding = learned.material.encoding
    names = [encoding.columns[column].column.name for column in learned.order]
    if privacy:
        notes = [
            f"(ε, δ) = ({privacy['epsilon']:.4g}, {privacy['delta']:g}) for each patient: nothing in this model "
            "depends on one patient by more than that.",
            "One row of each patient was drawn, so the model describes patients rather than admissions; the number of "
            "patients is noisy too.",
        ]
        empty = [code.column.name for code in encoding.columns if not code.counts[:-1].any()]
        if empty:
            notes.append(
                f"Too few patients for this ε to tell anything of: {', '.join(empty)}. They are missing throughout; a "
                "larger ε, more patients, or public category lists would help."
            )
    else:
        notes = ["No formal privacy: the model learned from the patients without a bound on what it remembers of one."]
    if learned.held and not privacy:
        notes.append(f"Weights of epoch {learned.best_epoch}, the best on {learned.held:,} rows of patients held back.")
    weights = learned.pool.weights
    effective = weights.sum() ** 2 / (weights**2).sum() / len(weights)
    notes.append(f"Raking to the columns' distributions keeps {effective:.0%} of the rows' effective number.")
    notes += [
        f"{names[part.coarse]} follows from {names[part.fine]} and is kept consistent." for part in learned.nestings
    ]
    return notes
