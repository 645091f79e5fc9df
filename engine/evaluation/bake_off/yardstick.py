"""The figures of one synthetic table against the rows a generator learned and those it did not see.

The same for every generator of a bake-off: same real rows, same columns, same outcome and model, same seed. Two
references frame them: the hold-out itself (what real rows reach) and training rows with each column shuffled (what
columns alone reach, without anything that connects them). Only the worker and the command line call this.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from engine.core.errors import Cancelled, CohortStudioError, UserError
from engine.core.progress import Progress, Silent
from engine.core.randomness import generator
from engine.evaluation import fidelity
from engine.evaluation.associations import Coding, association_matrix, strongest
from engine.evaluation.attacks.closeness import closer_share
from engine.evaluation.attacks.copies import exact_copies
from engine.evaluation.attacks.records import one_each
from engine.evaluation.bake_off.figure_book import FIGURES, figure, missing
from engine.evaluation.cells import Sample
from engine.evaluation.columns import HOLDOUT, REAL, SYNTHETIC, describe
from engine.evaluation.detection import detection
from engine.evaluation.models import LABELS
from engine.evaluation.outcomes import Outcome
from engine.evaluation.plausibility import plausibility
from engine.evaluation.utility import utility
from engine.schema.table import Column, TableSchema

Cells = dict[str, dict[str, Any]]
Failed = Callable[[str, Exception], None]

MOST_ROWS = 10_000
"""Rows per table given to SDMetrics: pairs take seconds, and small samples look less alike than they are."""
_LEAST_PAIR_ROWS = 20
_MOST_PAIR_ROWS = 5_000


@dataclass(frozen=True)
class Yardstick:
    """What every table of a bake-off is held against.

    Attributes:
        train: the rows that generators learn.
        holdout: rows of other patients.
        schema: of both, conformed.
        columns: the features.
        shown: those with enough real values for figures of single columns.
        pair_columns: those whose pairs are scored.
        outcome: what the models predict; None where the table offers none.
        minimum: counts of real patients below this are not shown.
        seed: of every row and fold that is drawn.
        model: the kind of model that predicts the outcome; chosen with the references, before any generator is seen.
        failed: told which figures failed, and the exception.
    """

    train: Sample
    holdout: Sample
    schema: TableSchema
    columns: tuple[Column, ...]
    shown: tuple[Column, ...]
    pair_columns: tuple[Column, ...]
    outcome: Outcome | None
    minimum: int
    seed: int
    model: str | None = None
    failed: Failed | None = None

    @classmethod
    def of(
        cls, train: pd.DataFrame, holdout: pd.DataFrame, schema: TableSchema, *, outcome: Outcome | None, minimum: int,
        seed: int, failed: Failed | None = None,
    ) -> "Yardstick":  # fmt: skip
        """The yardstick of conformed tables.

        Raises:
            UserError: there are fewer than ``minimum`` patients to learn from, or no feature.
        """
        learned, held = (Sample.of(frame.reset_index(drop=True), schema) for frame in (train, holdout))
        columns = tuple(schema.features)
        if not columns or learned.patient_count < minimum:
            raise UserError(
                f"a bake-off needs a feature column and at least {minimum} patients to learn from",
                remedy="Use a larger data set.",
            )
        entries = [describe({REAL: learned}, column, minimum=minimum) for column in columns]
        shown = tuple(column for column, entry in zip(columns, entries, strict=True) if entry["shown"])
        pairs = _pair_columns(learned, shown, minimum, generator(seed, "bake-off", "pair columns"))
        return cls(learned, held, schema, columns, shown, pairs, outcome, minimum, seed, failed=failed)

    def with_model(self, model: str | None) -> "Yardstick":
        """The same with the kind of model that predicts the outcome."""
        return replace(self, model=model)

    def chosen_model(self) -> str | None:
        """The kind of model that predicts the outcome best after learning from real rows; None where none can."""
        entry = self._utility(self.train)
        if entry is None or entry["reason"]:
            return None
        score = self.score
        return max(LABELS, key=lambda name: entry["models"][name]["figures"][score][REAL]["value"] or 0.0)

    @property
    def score(self) -> str:
        """The figure of TSTR and TRTR: ``"auroc"`` of an event, ``"r2"`` of a number."""
        return "auroc" if self.outcome is not None and self.outcome.kind == "binary" else "r2"

    def figures(self, synthetic: pd.DataFrame, progress: Progress | None = None) -> Cells:
        """Every figure of :data:`FIGURES` of a synthetic table, conformed to the features."""
        made = Sample(synthetic.reset_index(drop=True))
        near = (self.train, self.holdout)
        return self._measured(
            progress or Silent(),
            {
                ("quality", "shapes", "pairs"): lambda: self._fidelity(made.frame),
                ("c2st",): lambda: self._c2st(self.holdout, made),
                ("tstr", "trtr"): lambda: self._prediction(made),
                ("copies", "copies_holdout"): lambda: self._copies(made),
                ("closer",): lambda: self._closer(*near, made),
                ("implausible",): lambda: self._implausible(made, SYNTHETIC),
            },
        )

    def ceiling(self, progress: Progress | None = None) -> Cells:
        """The hold-out in the place of a synthetic table.

        It cannot be told from itself, so it is told from the training rows; models learn from training rows; and two
        random halves of the training patients take the places of training and hold-out for distances.
        """
        return self._measured(
            progress or Silent(),
            {
                ("quality", "shapes", "pairs"): lambda: self._fidelity(self.holdout.frame),
                ("c2st",): lambda: self._c2st(self.train, self.holdout),
                ("tstr", "trtr"): lambda: self._real_prediction(),
                ("copies", "copies_holdout"): lambda: self._real_copies(),
                ("closer",): lambda: self._closer(*self._halves(), self.holdout),
                ("implausible",): lambda: self._implausible(self.holdout, HOLDOUT),
            },
        )

    def shuffled(self, rows: int) -> pd.DataFrame:
        """``rows`` rows of which each column is drawn from the training rows independently of the others."""
        rng = generator(self.seed, "bake-off", "shuffled columns")
        size = len(self.train.frame)
        return pd.DataFrame(
            {
                column.name: self.train.frame[column.name]
                .iloc[rng.permutation(size)[:rows] if rows <= size else rng.integers(0, size, rows)]
                .reset_index(drop=True)
                for column in self.columns
            }
        )

    # -- the single figures --------------------------------------------------------------------------------------------

    def _measured(self, progress: Progress, parts: dict[tuple[str, ...], Callable[[], Cells]]) -> Cells:
        # Loaded first, so that its linear algebra is limited too.
        import scipy.linalg  # noqa: F401
        from threadpoolctl import threadpool_limits

        labels = {info.name: info.label for info in FIGURES}
        found: Cells = {}
        for place, (names, measure) in enumerate(parts.items()):
            progress.update(place / len(parts), f"Measuring {', '.join(labels[name] for name in names)}")
            try:
                with threadpool_limits(limits=1), warnings.catch_warnings():
                    # What cannot be computed is told in its cell.
                    warnings.simplefilter("ignore")
                    found |= measure()
            except (Cancelled, MemoryError):
                raise
            except Exception as error:
                # One figure that cannot be had is no reason to lose the others.
                found |= missing(names, _told(error))
                if self.failed is not None:
                    self.failed(", ".join(names), error)
        progress.update(1.0, "Measured")
        return found

    def _fidelity(self, other: pd.DataFrame) -> Cells:
        # The same real rows beside every table.
        real = fidelity.thinned(self.train.frame, generator(self.seed, "bake-off", "real rows"), MOST_ROWS)
        thinned = fidelity.thinned(other, generator(self.seed, "bake-off", "other rows"), MOST_ROWS)
        found = fidelity.quality(real, thinned, self.shown, self.pair_columns)
        named = {"quality": "overall", "shapes": "shapes", "pairs": "pairs"}
        return {name: figure(found[key].value, reason=found[key].reason) for name, key in named.items()}

    def _c2st(self, real: Sample, other: Sample) -> Cells:
        nobody = Sample(real.frame.iloc[:0])
        entry = detection(real, nobody, other, self.columns, minimum=self.minimum, seed=self.seed)
        if entry["reason"]:
            return missing(("c2st",), entry["reason"])
        area = entry["auc"][SYNTHETIC]
        return {"c2st": figure(area["value"], reason=area["reason"])}

    def _utility(self, synthetic: Sample) -> dict[str, Any] | None:
        if self.outcome is None:
            return None
        return utility(
            self.train, self.holdout, synthetic, self.schema, self.outcome, minimum=self.minimum, seed=self.seed
        )

    def _prediction(self, synthetic: Sample) -> Cells:
        entry = self._utility(synthetic)
        if entry is None:
            return missing(("tstr", "trtr"), "Not assessable: no outcome was chosen.")
        if entry["reason"] or self.model is None:
            return missing(("tstr", "trtr"), entry["reason"] or "Not assessable: the real rows allow no model.")
        found = entry["models"][self.model]["figures"][self.score]
        return {"tstr": figure(found[SYNTHETIC]["value"]), "trtr": figure(found[REAL]["value"])}

    def _real_prediction(self) -> Cells:
        found = self._prediction(self.train)["trtr"]
        return {"tstr": found, "trtr": found}

    def _copies(self, synthetic: Sample) -> Cells:
        entry = self._copied(synthetic)
        if entry["reason"]:
            return missing(("copies", "copies_holdout"), entry["reason"])
        return {"copies": _share(entry["attack"]), "copies_holdout": _share(entry["synthetic_in_holdout"])}

    def _real_copies(self) -> Cells:
        entry = self._copied(self.holdout)
        if entry["reason"]:
            return missing(("copies", "copies_holdout"), entry["reason"])
        return {
            "copies": _share(entry["control"]),
            **missing(("copies_holdout",), "Not assessable: these are the held-out rows."),
        }

    def _copied(self, synthetic: Sample) -> dict[str, Any]:
        singles = one_each(self.holdout, generator(self.seed, "bake-off", "one row each"))
        return exact_copies(self.train, self.holdout.take(singles), synthetic, self.columns, minimum=self.minimum)

    def _closer(self, learned: Sample, unseen: Sample, synthetic: Sample) -> Cells:
        if min(learned.patient_count, unseen.patient_count) < max(self.minimum, _LEAST_PAIR_ROWS):
            return missing(("closer",), "Not assessable: there are too few patients on one side.")
        rng = generator(self.seed, "bake-off", "closer")
        return {"closer": figure(closer_share(learned, unseen, synthetic, self.columns, rng))}

    def _halves(self) -> tuple[Sample, Sample]:
        rng = generator(self.seed, "bake-off", "halves")
        patients = self.train.patients
        keys = np.arange(len(self.train.frame)) if patients is None else patients
        order = rng.permutation(np.unique(keys))
        first = np.isin(keys, order[: len(order) // 2])
        return self.train.take(first), self.train.take(~first)

    def _implausible(self, rows: Sample, table: str) -> Cells:
        entry = plausibility({REAL: self.train, table: rows}, self.schema.select(self._names), minimum=self.minimum)
        total = entry["totals"]["impossible"][table]
        if total["rate"] is None and not total["checked"]:
            return missing(("implausible",), f"Not assessable: {total['text']}.")
        return {"implausible": figure(total["rate"], digits=4, text=total["text"])}

    @property
    def _names(self) -> list[str]:
        return [column.name for column in self.columns]


def _pair_columns(
    train: Sample, columns: tuple[Column, ...], minimum: int, rng: np.random.Generator
) -> tuple[Column, ...]:
    if len(columns) <= fidelity.MOST_PAIR_COLUMNS:
        return columns
    rows = fidelity.thinned(train.frame, rng, _MOST_PAIR_ROWS)
    coding = Coding.of(rows, columns, least=minimum)
    whole = association_matrix(rows, columns, coding=coding, least_rows=max(minimum, _LEAST_PAIR_ROWS))
    return tuple(columns[at] for at in strongest(whole, fidelity.MOST_PAIR_COLUMNS))


def _share(entry: dict[str, Any]) -> dict[str, Any]:
    """A share of rows in words, without the number of rows, which all lines have in common."""
    return figure(entry["value"], digits=4, text=entry["text"].partition(" of ")[0])


def _told(error: Exception) -> str:
    """The cause in words. The text of a foreign exception can quote a cell; its type cannot."""
    if isinstance(error, CohortStudioError):
        return f"Not assessable: {error}"
    return f"Not assessable: it failed with {type(error).__name__}, a fault of the program."
