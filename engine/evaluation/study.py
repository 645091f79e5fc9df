"""The tables of one comparison, and what several of its sections need."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from engine.cohort.spec import CohortSpec
from engine.core.errors import DataError
from engine.core.randomness import generator
from engine.evaluation.cells import Sample
from engine.evaluation.columns import describe
from engine.evaluation.reference import Reference, choose
from engine.evaluation.tables import HOLDOUT, REAL, SYNTHETIC
from engine.evaluation.weights import Weights, asked_margins, weigh
from engine.schema.table import Column, TableSchema


@dataclass(frozen=True)
class Study:
    """The rows of a comparison, all with the same feature columns.

    Attributes:
        schema: the real table's.
        spec: what the cohort was asked for.
        columns: the features that real and synthetic rows have.
        train: all real rows that the generator learned.
        held: all real rows that it did not see.
        reference: which of them the cohort is compared with.
        real: those of ``train``.
        holdout: those of ``held``.
        synthetic: the cohort.
        weights: of ``real``, to the proportions that the cohort was asked for.
        holdout_weights: of ``holdout``.
        minimum: counts of real patients below this are not shown.
    """

    schema: TableSchema
    spec: CohortSpec
    columns: tuple[Column, ...]
    train: Sample
    held: Sample
    reference: Reference
    real: Sample
    holdout: Sample
    synthetic: Sample
    weights: Weights
    holdout_weights: Weights
    minimum: int

    @classmethod
    def of(
        cls, train: pd.DataFrame, holdout: pd.DataFrame, synthetic: pd.DataFrame, schema: TableSchema, *,
        spec: CohortSpec, minimum: int,
    ) -> "Study":  # fmt: skip
        """The study of conformed tables.

        Raises:
            DataError: the tables share no feature column, or the synthetic or the training table has no rows.
            UserError: a criterion or a share of ``spec`` does not fit ``schema``.
        """
        columns = tuple(c for c in schema.features if c.name in synthetic.columns and c.name in train.columns)
        if not columns:
            raise DataError("the synthetic table has no column of the real one", remedy="Compare tables of one schema.")
        for name, frame in (("training", train), ("synthetic", synthetic)):
            if not len(frame):
                raise DataError(f"the {name} table has no rows", remedy="Choose tables that hold rows.")
        # Rows are found again by their index, which callers need not keep distinct.
        everyone = [Sample.of(frame.reset_index(drop=True), schema) for frame in (train, holdout)]
        reference = choose(everyone[0], everyone[1], spec, schema)
        real, held = everyone[0].take(reference.train), everyone[1].take(reference.holdout)
        margins = asked_margins(spec, schema)
        weights = weigh(real, margins, schema, minimum=minimum)
        # Where the real rows stay as they are, so do those held out, which say what chance alone makes.
        beside = weigh(held, margins if weights.values is not None else (), schema, minimum=minimum)
        return cls(
            schema, spec, columns, everyone[0], everyone[1], reference, real, held, Sample(synthetic), weights,
            beside, minimum,
        )  # fmt: skip

    def rng(self, section: str) -> np.random.Generator:
        """Random numbers of one section: the same whichever sections ran before."""
        return generator(self.spec.seed, "comparison", section)

    @property
    def samples(self) -> dict[str, Sample]:
        """The reference rows, those held out, and the cohort, by table."""
        return {REAL: self.real, HOLDOUT: self.holdout, SYNTHETIC: self.synthetic}

    @cached_property
    def weighted(self) -> dict[str, Sample]:
        """:attr:`samples` with the weights of the real rows; those without weight are left out."""
        weights = {REAL: self.weights.values, HOLDOUT: self.holdout_weights.values, SYNTHETIC: None}
        return {table: sample.weighted(weights[table]) for table, sample in self.samples.items()}

    @property
    def too_few(self) -> str:
        """Why figures of the real rows are not told at all, else empty."""
        few = self.real.patient_count < self.minimum
        return f"there are fewer than {self.minimum} real patients" if few else ""

    @cached_property
    def entries(self) -> list[dict[str, Any]]:
        """:func:`engine.evaluation.columns.describe` of each column."""
        return [describe(self.weighted, column, minimum=self.minimum) for column in self.columns]

    @property
    def shown(self) -> list[Column]:
        """Columns with enough real values."""
        return [column for column, entry in zip(self.columns, self.entries, strict=True) if entry["shown"]]

    @property
    def told(self) -> list[Column]:
        """Columns whose every category is told: an association with one of a few patients is a figure about those."""
        return [
            column
            for column, entry in zip(self.columns, self.entries, strict=True)
            if entry["shown"] and all(cell[REAL] is not None for cell in entry["bins"])
        ]
