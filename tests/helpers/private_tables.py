"""Patient tables with a planted structure, and their private encoding at a given budget."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from engine.generators.dp_cgan.budget import Budget, bins_for, cells_for
from engine.generators.private_encoding import PrivateEncoding, learn_privately
from engine.privacy.measurement import Histogram, Measurer
from engine.privacy.noise import NoiseStream
from engine.schema.table import Column, Kind, TableSchema, conform

DELTA = 1e-6


@cache
def budget(epsilon: float, delta: float = DELTA) -> Budget:
    """The budget; solving it takes a second."""
    return Budget.of(epsilon=epsilon, delta=delta)


def schema_of(**columns: Kind | dict[str, Any]) -> TableSchema:
    """A schema from kinds, or from fields of columns."""
    fields = {name: about if isinstance(about, dict) else {"kind": about} for name, about in columns.items()}
    return TableSchema(columns=tuple(Column.model_validate({"name": name, **about}) for name, about in fields.items()))


def simulated(rows: int, seed: int = 0) -> tuple[pd.DataFrame, TableSchema]:
    """Integers, decimals, dates, moments, booleans and categories; nothing about them is public but their kinds."""
    random = np.random.default_rng(seed)
    value = np.round(random.normal(13.0, 2.0, rows), 1)
    day = pd.Timestamp("2015-01-01") + pd.to_timedelta(random.integers(0, 1_500, rows), unit="D")
    frame = pd.DataFrame(
        {
            "years": random.integers(18, 91, rows),
            "value": np.where(random.random(rows) < 0.25, np.nan, value),
            "fine": np.round(random.lognormal(0.0, 0.6, rows), 3),
            "day": day,
            "moment": day + pd.to_timedelta(random.integers(0, 86_400, rows), unit="s"),
            "flag": random.random(rows) < 0.3,
            "group": random.choice(["north", "south", "east"], rows, p=[0.5, 0.3, 0.2]),
        }
    )
    schema = schema_of(
        years=Kind.INTEGER, value=Kind.NUMERIC, fine=Kind.NUMERIC, day=Kind.DATE, moment=Kind.DATE, flag=Kind.BOOLEAN,
        group=Kind.CATEGORICAL,
    )  # fmt: skip
    return conform(frame, schema), schema


def encode(
    table: pd.DataFrame,
    schema: TableSchema,
    *,
    square: float | None = None,
    epsilon: float = 1.0,
    key: bytes = b"key",
    measurer: Measurer | None = None,
) -> PrivateEncoding:
    """The private encoding: at ``epsilon``, or with μ² ``square`` for shapes and for margins."""
    if square is None:
        asked = budget(epsilon)
        shape, margin, richness = asked.shape, asked.margins, asked.richness
    else:
        shape = margin = square
        # As many cells as at a large epsilon.
        richness = lambda patients: 20.0 * patients  # noqa: E731
    return learn_privately(
        table, schema, measurer=measurer or Measurer(len(table), NoiseStream(key), lambda events: None),
        shape_square=shape, margin_square=margin, threshold_delta=0.1 * DELTA,
        cells=lambda patients: cells_for(richness(patients)),
        bins=lambda patients: bins_for(patients, patients / richness(patients) * 10),
    )  # fmt: skip


@dataclass
class Watching(Measurer):
    """Keeps the counts before noise, and may release what it is told instead of what it measured.

    Attributes:
        counts: of each histogram, exact, by purpose.
        asked: the histograms, by purpose.
        released: what was released, by purpose.
        script: what to release instead; a function of the purpose.
    """

    counts: dict[tuple[str, ...], np.ndarray] = field(default_factory=dict)
    asked: dict[tuple[str, ...], Histogram] = field(default_factory=dict)
    released: dict[tuple[str, ...], np.ndarray] = field(default_factory=dict)
    script: Callable[[tuple[str, ...]], np.ndarray] | None = None

    def measure(self, histograms: Sequence[Histogram]) -> list[np.ndarray]:
        for histogram in histograms:
            cells = histogram.cells()
            assert cells.shape == (self.patients,)
            self.counts[histogram.purpose] = np.bincount(cells[cells >= 0].astype(int), minlength=histogram.size)
            self.asked[histogram.purpose] = histogram
        measured = super().measure(histograms)
        if self.script is not None:
            measured = [self.script(histogram.purpose) for histogram in histograms]
        self.released |= {histogram.purpose: part for histogram, part in zip(histograms, measured, strict=True)}
        return measured
