"""Which real rows a synthetic cohort is compared with."""

from dataclasses import dataclass
from itertools import combinations, islice
from typing import Any

import numpy as np
import pandas as pd

from engine.cohort.conditions import compile_conditions
from engine.cohort.predicate import satisfied
from engine.cohort.spec import CohortSpec
from engine.evaluation.cells import Sample
from engine.schema.table import TableSchema

LEAST_PATIENTS = 20
"""Fewer real patients than this say too little: the nearest larger group stands in for them."""

_MOST_GROUPS = 5000


@dataclass(frozen=True)
class Reference:
    """The real rows to compare with.

    Attributes:
        kind: ``"all"`` (no criteria), ``"criteria"`` (the rows that meet all) or ``"relaxed"`` (some were dropped).
        train: boolean (n_train_rows,).
        holdout: boolean (n_holdout_rows,).
        meeting: boolean (n_train_rows,): the rows that meet every criterion.
        dropped: columns of the criteria that were dropped.
    """

    kind: str
    train: np.ndarray
    holdout: np.ndarray
    meeting: np.ndarray
    dropped: tuple[str, ...]

    def as_dict(self, train: Sample, holdout: Sample, schema: TableSchema, *, minimum: int) -> dict[str, Any]:
        """JSON values: kind, a sentence for a person, and counts; None for counts that are not shown."""
        counts = {
            "meeting": shown_count(train, self.meeting, minimum),
            "train": shown_count(train, self.train, minimum),
            "holdout": shown_count(holdout, self.holdout, minimum),
        }
        return {
            "kind": self.kind,
            "sentence": self._sentence(counts, schema, minimum),
            "dropped": [schema[name].label or name for name in self.dropped],
            "all_train_rows": len(train.frame),
            "all_holdout_rows": len(holdout.frame),
        } | {f"{name}_{part}": count[part] for name, count in counts.items() for part in ("rows", "patients", "text")}

    def _sentence(self, counts: dict[str, dict[str, Any]], schema: TableSchema, minimum: int) -> str:
        if self.kind == "all":
            return f"Compared with all real rows of the training part: {counts['train']['text']}."
        if self.kind == "criteria":
            return f"Compared with the real rows that meet the criteria: {counts['train']['text']}."
        labels = ", ".join(schema[name].label or name for name in self.dropped)
        return (
            f"Fewer than {LEAST_PATIENTS} real patients meet every criterion ({counts['meeting']['text']}), so the "
            f"nearest larger group is the reference: the rows that meet the criteria without those on {labels} "
            f"({counts['train']['text']}). "
            "Differences in what was left out are expected."
        )


def shown_count(sample: Sample, rows: np.ndarray, minimum: int) -> dict[str, Any]:
    """``rows``, ``patients`` and ``text`` of the chosen rows; no count that tells of fewer than ``minimum`` patients.

    That holds for the chosen rows and for those beside them, which would be the difference from the whole.
    """
    chosen, rest = (int(sample.support(part).sum()) for part in (rows, ~rows))
    hidden = {"rows": None, "patients": None}
    if 0 < chosen < minimum:
        return hidden | {"text": f"fewer than {minimum} patients"}
    if 0 < rest < minimum:
        return hidden | {"text": f"all but fewer than {minimum} patients of {len(rows):,} rows"}
    count = int(rows.sum())
    text = f"{count:,} row" + ("" if count == 1 else "s")
    if sample.patients is not None and chosen != count:
        text += f" of {chosen:,} patients"
    return {"rows": count, "patients": chosen, "text": text}


def choose(train: Sample, holdout: Sample, spec: CohortSpec, schema: TableSchema) -> Reference:
    """The rows that meet the spec's criteria; where they are of too few patients, the nearest larger group.

    The nearest larger group drops as few criteria as it can, and of those groups is the smallest that suffices.

    Raises:
        UserError: as :func:`engine.cohort.conditions.compile_conditions`.
    """
    everyone = np.ones(len(train.frame), dtype=bool)
    if not spec.criteria:
        return Reference("all", everyone, np.ones(len(holdout.frame), dtype=bool), everyone, ())
    compile_conditions(spec, schema)
    masks = [_masks((train.frame, holdout.frame), spec, position, schema) for position in range(len(spec.criteria))]
    meeting = np.logical_and.reduce([mask[0] for mask in masks])
    keep = _nearest_group(train, [mask[0] for mask in masks])
    rows = [
        np.logical_and.reduce([masks[i][side] for i in keep] + [np.ones(len(sample.frame), dtype=bool)])
        for side, sample in enumerate((train, holdout))
    ]
    dropped = tuple(dict.fromkeys(c.column for i, c in enumerate(spec.criteria) if i not in keep))
    return Reference("relaxed" if dropped else "criteria", rows[0], rows[1], meeting, dropped)


def _masks(frames: tuple[pd.DataFrame, ...], spec: CohortSpec, position: int, schema: TableSchema) -> list[np.ndarray]:
    conditions = compile_conditions(CohortSpec(criteria=(spec.criteria[position],)), schema)
    return [satisfied(frame, conditions, schema) for frame in frames]


def _nearest_group(train: Sample, masks: list[np.ndarray]) -> tuple[int, ...]:
    """Positions of the criteria to keep."""
    every = range(len(masks))
    for dropped in range(len(masks)):
        best: tuple[int, tuple[int, ...]] | None = None
        for keep in islice(combinations(every, len(masks) - dropped), _MOST_GROUPS):
            rows = np.logical_and.reduce([masks[i] for i in keep])
            patients = int(train.support(rows).sum())
            if patients >= LEAST_PATIENTS and (best is None or patients < best[0]):
                best = patients, keep
        if best is not None:
            return best[1]
    return ()
