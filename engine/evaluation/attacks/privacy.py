"""Attacks on a synthetic cohort: what it tells about the patients it was learned from, beyond what others share.

Every figure has its control, the same attack on patients whom the generator has not seen, and a 95 % interval. Keys of
the result (JSON values, an internal view: it is computed on real rows):

- ``version``, ``internal``, ``small_cell_minimum``, ``reason`` (why nothing is assessable, else empty, and then)
- ``membership`` (:mod:`.membership`), ``attribute`` (:mod:`.attribute`), ``singling_out`` (:mod:`.singling_out`),
  ``copies`` (:mod:`.copies`), each with its own ``reason``
- ``closest``: distance to the closest synthetic record, a sanity figure: ``training``, ``holdout`` (``median`` and
  ``low``, the 5th percentile, in ranges per column), ``sentence``
- ``sampled``: what was drawn at random; ``seconds``

Every training patient counts the same, whatever the cohort's criteria and weights: what is asked is whether the
patients who were in the training are exposed.
"""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.core.progress import Part, Progress, Silent
from engine.core.randomness import generator
from engine.evaluation.attacks import attribute, singling_out
from engine.evaluation.attacks.attribute import attribute_inference
from engine.evaluation.attacks.copies import exact_copies
from engine.evaluation.attacks.membership import LEAST_PATIENTS, Scored, attacked, membership
from engine.evaluation.attacks.records import Coder, one_each
from engine.evaluation.attacks.singling_out import Patients
from engine.evaluation.cells import Sample
from engine.schema.table import Column

VERSION = 1
DISTANCE_SENTENCE = (
    "Distance to the closest record is a sanity figure: it says nothing about membership, and a cohort can pass it and "
    "still expose patients."
)


def attacks(
    train: Sample,
    holdout: Sample,
    synthetic: Sample,
    columns: Sequence[Column],
    *,
    minimum: int,
    seed: int,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Every attack (see the module), on all rows that the generator learned, not only those of the cohort's criteria.

    Args:
        train: all real rows the generator learned, conformed.
        holdout: real rows of other patients, conformed.
        synthetic: the cohort, conformed to ``columns``.
        columns: features that all tables have.
        minimum: counts of real patients below this are not shown.
        seed: of the patients, conditions and guesses that are drawn.
        progress: told of each attack; may cancel.
    """
    started = time.monotonic()
    progress = progress or Silent()
    entry: dict[str, Any] = {"version": VERSION, "internal": True, "small_cell_minimum": minimum, "reason": ""}
    if not columns or not len(synthetic.frame) or not len(train.frame):
        return entry | {"reason": "Not assessable: the tables share no column, or one of them has no rows."}
    rng = {name: generator(seed, "attacks", name) for name in ("rows", "membership", "attribute", "singling out")}
    progress.update(0.0, "Attacks on the cohort")
    coder = Coder.of((train.frame, holdout.frame), synthetic.frame, columns)
    learned, held, made = (coder.records(one.frame) for one in (train, holdout, synthetic))
    singles = [one_each(one, rng["rows"]) for one in (train, holdout)]
    mine, others = learned.take(singles[0]), held.take(singles[1])
    entry["copies"] = exact_copies(train, holdout.take(singles[1]), synthetic, columns, minimum=minimum)
    least = max(LEAST_PATIENTS, minimum)
    scored: Scored | None = None
    if min(len(mine), len(others)) < least:
        reason = f"Not assessable: fewer than {least} patients were trained on, or held out."
        entry["membership"], entry["closest"] = {"reason": reason}, {"reason": reason}
    else:
        scored = attacked(mine, others, made, rng["membership"], Part(progress, 0.05, 0.5))
        entry["membership"] = membership(scored, rng["membership"], minimum=minimum)
        entry["closest"] = closest(scored, len(columns))
    entry["attribute"] = attribute_inference(
        mine, others, made, coder, rng["attribute"], minimum=minimum, progress=Part(progress, 0.5, 0.8)
    )
    patients = [
        np.arange(len(one.frame)) if one.patients is None else np.asarray(one.patients) for one in (train, holdout)
    ]
    everyone = Patients.of((learned, patients[0]), (held, patients[1]), rng["singling out"])
    entry["singling_out"] = singling_out.singling_out(
        everyone, made, coder, rng["singling out"], minimum=minimum, progress=Part(progress, 0.8, 1.0)
    )
    progress.update(1.0, "Attacks done")
    return entry | {
        "sampled": _sampled(train, (len(mine), len(others)), len(made), scored),
        "seconds": round(time.monotonic() - started, 2),
    }


def closest(scored: Scored, columns: int) -> dict[str, Any]:
    """Typical distance of training and of held-out patients to the closest synthetic record, per column."""
    rows = scored.groups["all"]
    found: dict[str, Any] = {"reason": ""}
    for name, side in (("training", scored.is_member[rows]), ("holdout", ~scored.is_member[rows])):
        low, median = np.quantile(scored.closest[rows][side] / columns, (0.05, 0.5))
        found[name] = {"median": round(float(median), 3), "low": round(float(low), 3)}
    return found | {"sentence": DISTANCE_SENTENCE}


def _sampled(train: Sample, patients: tuple[int, int], synthetic: int, scored: Scored | None) -> list[str]:
    notes = []
    if train.patients is not None and patients[0] < len(train.frame):
        notes.append("Membership and attribute inference use one row of each patient, drawn at random.")
    if scored is not None:
        each = len(scored.groups["all"]) // 2
        if each < max(patients):
            notes.append(f"Membership inference attacks {each:,} patients of each side, and of the rarest up to 500.")
    if min(patients) > attribute.MOST_TARGETS:
        notes.append(f"Attribute inference attacks {attribute.MOST_TARGETS:,} patients of each side.")
    if synthetic > singling_out.MOST_CONDITIONS:
        notes.append(f"Singling out starts from {singling_out.MOST_CONDITIONS:,} synthetic rows.")
    return notes
