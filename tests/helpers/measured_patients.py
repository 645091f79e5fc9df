"""A generator without training, whose every row is recognisable, and that tells what it was asked for."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from engine.cohort.conditions import Condition
from engine.core.progress import Progress
from engine.generators.base import FitReport, Generator
from engine.schema.table import Column, Kind, TableSchema, conform

SCHEMA = TableSchema(
    columns=(
        Column(name="weight_kg", kind=Kind.NUMERIC, minimum=30, maximum=200),
        Column(name="systolic_bp", kind=Kind.NUMERIC, unit="mmHg", minimum=60, maximum=200),
        Column(name="diastolic_bp", kind=Kind.NUMERIC, unit="mmHg", minimum=30, maximum=140),
        Column(name="sex", kind=Kind.CATEGORICAL, categories=("F", "M")),
    )
)


class Measured(Generator):
    """No two of its rows have the same weight; ``asked`` keeps (rows, seed) of every draw.

    Every tenth row has an impossible blood pressure, so that drawing must replace it.
    """

    name, label, privacy = "measured", "Measured", "none"
    schema = SCHEMA

    def __init__(self, kept: int | None = None) -> None:
        self.asked: list[tuple[int, int]] = []
        self._kept = kept

    def available(self, conditions: Mapping[str, Condition] | None = None) -> int | None:
        return self._kept

    def fit(
        self, table: pd.DataFrame, schema: TableSchema, *, seed: int, options: Mapping[str, Any], progress: Progress,
        checkpoint: Path | None = None,
    ) -> FitReport:  # fmt: skip
        raise AssertionError("drawing never fits")

    def sample(self, rows: int, *, seed: int, conditions: Mapping[str, Condition] | None = None) -> pd.DataFrame:
        self.asked.append((rows, seed))
        random = np.random.default_rng(seed)
        frame = {
            "weight_kg": random.uniform(30, 200, rows),
            "systolic_bp": random.uniform(90, 200, rows),
            "diastolic_bp": random.uniform(30, 140, rows),
            "sex": random.choice(["F", "M"], rows),
        }
        return conform(pd.DataFrame(frame), SCHEMA)

    def save(self, folder: Path) -> None:
        raise AssertionError

    @classmethod
    def load(cls, folder: Path) -> Self:
        raise AssertionError
