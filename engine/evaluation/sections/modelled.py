"""The sections that fit models: telling the rows apart, what a cohort is good for, and attacks on it.

``conclusions`` has ``outcomes``: one analysis (see :func:`analysis`) per outcome that is shown before the user picks
any, and ``reason`` why there is none, else empty.
"""

from typing import Any

from engine.core.errors import UserError
from engine.core.progress import Part, Progress
from engine.evaluation.attacks.privacy import attacks
from engine.evaluation.conclusion import conclusion
from engine.evaluation.detection import detection as tell_apart
from engine.evaluation.outcomes import Outcome, default_outcomes, possible_outcomes
from engine.evaluation.study import Study
from engine.evaluation.survival import survival
from engine.evaluation.utility import utility
from engine.schema.table import TableSchema


def detection(study: Study, progress: Progress) -> dict[str, Any]:
    """:func:`engine.evaluation.detection.detection` over every column."""
    return tell_apart(
        study.real, study.holdout, study.synthetic, study.columns, minimum=study.minimum, seed=study.spec.seed,
        weights=study.weights.values, holdout_weights=study.holdout_weights.values, progress=progress,
    )  # fmt: skip


def conclusions(study: Study, progress: Progress) -> dict[str, Any]:
    """The analyses of the outcomes that clinicians usually ask about."""
    names = {column.name for column in study.columns}
    usual = [one for one in default_outcomes(study.schema) if names.issuperset(one.columns)]
    if not usual:
        return {"outcomes": [], "reason": "No column is an outcome that is usually asked about: choose one."}
    found = []
    for place, outcome in enumerate(usual):
        part = Part(progress, place / len(usual), (place + 1) / len(usual))
        found.append(analysis(study, outcome, part))
    return {"outcomes": found, "reason": ""}


def analysis(study: Study, outcome: Outcome, progress: Progress) -> dict[str, Any]:
    """What the cohort says about ``outcome``, beside what real rows say.

    Keys: ``outcome`` ``{key, label, kind, unit}``; ``utility``, ``conclusion`` and ``survival``, the entries of the
    modules of these names; None where they do not apply to this kind of outcome.
    """
    weights = {"weights": study.weights.values, "holdout_weights": study.holdout_weights.values}
    told = {"key": outcome.key, "label": outcome.label, "kind": outcome.kind, "unit": outcome.unit}
    entry: dict[str, Any] = {"outcome": told, "utility": None, "conclusion": None, "survival": None, "internal": True}
    tables = (study.real, study.holdout, study.synthetic, study.schema, outcome)
    progress.update(0.0, f"Would a conclusion on {outcome.label} change?")
    entry["conclusion"] = conclusion(
        study.real, study.synthetic, study.schema, outcome, minimum=study.minimum, seed=study.spec.seed,
        weights=study.weights.values,
    )  # fmt: skip
    if outcome.kind == "time_to_event":
        progress.update(0.5, f"Survival curves: {outcome.label}")
        entry["survival"] = survival(*tables, minimum=study.minimum, **weights)
    else:
        progress.update(0.3, f"Models that predict {outcome.label}")
        entry["utility"] = utility(*tables, minimum=study.minimum, seed=study.spec.seed, **weights)
    progress.update(1.0, f"Analysed {outcome.label}")
    return entry


def outcome_named(key: str, schema: TableSchema) -> Outcome:
    """The outcome whose :attr:`Outcome.key` is ``key``.

    Raises:
        UserError: the columns of ``schema`` offer none.
    """
    possible = {one.key: one for one in possible_outcomes(schema)}
    if key not in possible:
        remedy = f"Possible: {', '.join(list(possible)[:12])}." if possible else "The table offers none."
        raise UserError(f"there is no outcome {key!r}", remedy=remedy)
    return possible[key]


def privacy(study: Study, progress: Progress) -> dict[str, Any]:
    """:func:`engine.evaluation.attacks.privacy.attacks`, on every patient of the training, criteria or not."""
    return attacks(
        study.train, study.held, study.synthetic, study.columns, minimum=study.minimum, seed=study.spec.seed,
        progress=progress,
    )  # fmt: skip
