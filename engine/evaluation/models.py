"""The two models that predict an outcome from real or synthetic rows, and how columns become their numbers.

Both take the same matrix: numbers as they are, categories as codes (the real table's most frequent ones; the others
share one code), missing values as NaN.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from engine.cohort.conditions import as_numbers
from engine.evaluation.associations import MOST_CATEGORIES, Coding
from engine.schema.table import Column

ModelName = Literal["linear", "boosting"]
_BINS = 255
"""As many as scikit-learn's histograms have."""
LABELS: dict[ModelName, str] = {"linear": "Regression (ridge)", "boosting": "Gradient boosting"}


@dataclass(frozen=True)
class Inputs:
    """How the predictors become a matrix; alike for every table."""

    columns: tuple[Column, ...]
    coding: Coding

    @classmethod
    def of(cls, real: pd.DataFrame, columns: list[Column], *, minimum: int) -> "Inputs":
        """Categories of fewer than ``minimum`` real rows share a code with the rare others."""
        return cls(tuple(columns), Coding.of(real, columns, least=minimum))

    def matrix(self, frame: pd.DataFrame) -> np.ndarray:
        """(n_rows, n_columns) floats, NaN where missing."""
        return np.column_stack([self._values(frame, column) for column in self.columns])

    def _values(self, frame: pd.DataFrame, column: Column) -> np.ndarray:
        if column.kind.is_ordered:
            return as_numbers(frame[column.name], column)
        codes = self.coding.codes(frame, column).astype(float)
        return np.where(codes < 0, np.nan, codes)

    @property
    def categorical(self) -> list[int]:
        """Positions of the columns that hold codes."""
        return [place for place, column in enumerate(self.columns) if not column.kind.is_ordered]


def predict(
    name: ModelName, inputs: Inputs, train: np.ndarray, target: np.ndarray, weights: np.ndarray, test: np.ndarray,
    *, is_event: bool, seed: int,
) -> np.ndarray:  # fmt: skip
    """Train on ``train`` (n_rows, n_columns) and predict ``test``: probabilities of an event, or numbers.

    ``linear``: logistic or linear regression with a small L2 penalty after imputing medians, marking missing values and
    standardising. ``boosting``: histogram gradient boosting, 100 trees, which takes missing values as they are.
    """
    from threadpoolctl import threadpool_limits

    linear = name == "linear"
    model = _linear(inputs, is_event=is_event) if linear else _boosting(inputs, is_event=is_event, seed=seed)
    # A column without any value says nothing, and the trees cannot bin it.
    known = ~np.isnan(train).all(0)
    train, test = np.where(known, train, 0.0), np.where(known, test, 0.0)
    if not linear:
        train, test = _binned(train, test)
    key = "model__sample_weight" if linear else "sample_weight"
    with threadpool_limits(limits=1):
        # Threads that wait for each other take ten times as long where other work has the cores.
        model.fit(train, target, **{key: weights})
        return model.predict_proba(test)[:, 1] if is_event else model.predict(test)


def _boosting(inputs: Inputs, *, is_event: bool, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    assert MOST_CATEGORIES < _BINS
    kind: Any = HistGradientBoostingClassifier if is_event else HistGradientBoostingRegressor
    return kind(
        categorical_features=inputs.categorical, max_iter=100, max_leaf_nodes=8, learning_rate=0.08,
        early_stopping=False, random_state=seed,
    )  # fmt: skip


def _binned(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both matrices with columns of many values as the number of their interval, which is what the trees learn from.

    Intervals are those that scikit-learn makes of rows that weigh the same. Given weights, even equal ones, it takes
    longer for them than for the trees.
    """
    train, test = train.copy(), test.copy()
    for learned, asked in zip(train.T, test.T, strict=True):
        present = learned[~np.isnan(learned)]
        if len(np.unique(present)) > _BINS:
            edges = np.percentile(present, np.linspace(0, 100, _BINS + 1)[1:-1], method="averaged_inverted_cdf")
            for values in (learned, asked):
                values[:] = np.where(np.isnan(values), np.nan, np.searchsorted(edges, values, side="left"))
    return train, test


def _linear(inputs: Inputs, *, is_event: bool) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import Pipeline, make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = [place for place in range(len(inputs.columns)) if place not in inputs.categorical]
    medians = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    unknown = SimpleImputer(strategy="constant", fill_value=-1)
    known = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    prepare = ColumnTransformer(
        [
            ("numbers", make_pipeline(medians, StandardScaler()), numbers),
            ("categories", make_pipeline(unknown, known), inputs.categorical),
        ]
    )
    model = LogisticRegression(C=0.1, max_iter=300) if is_event else Ridge(alpha=10.0)
    return Pipeline([("prepare", prepare), ("model", model)])
