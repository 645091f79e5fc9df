"""Figures of a column whose patients are known by noisy counts: moments, quantiles, and their noise."""

import numpy as np
import pandas as pd

from engine.cohort.conditions import as_numbers, as_text
from engine.evaluation.summarised.group import Distribution
from engine.privacy.summary import Margin
from engine.schema.table import Kind

Z = 1.96
"""Standard deviations of a 95 % interval."""
_DRAWS = 20


def codes(margin: Margin, series: pd.Series) -> np.ndarray:
    """The cell of each row of ``series`` (conformed), int64; -1 where it has no value."""
    if margin.column.kind.is_ordered:
        numbers = as_numbers(series, margin.column)
        place = np.searchsorted(margin.cells[:, 1] + margin.step / 2, np.nan_to_num(numbers))
        return np.where(np.isnan(numbers), -1, np.clip(place, 0, max(len(margin.cells) - 1, 0)))
    text = as_text(series, margin.column).astype("object")
    return pd.Categorical(text, categories=list(margin.categories)).codes.astype(np.int64)


def counted(margin: Margin, series: pd.Series) -> Distribution:
    """The rows of ``series`` as a distribution without noise."""
    found = codes(margin, series)
    cells = np.bincount(found[found >= 0], minlength=len(margin.level)).astype(np.float64)
    return Distribution(margin, cells, float((found < 0).sum()), np.zeros(margin.size), 0.0)


def moments(found: Distribution) -> tuple[float, float] | None:
    """Mean and standard deviation of an ordered column; None without a value. Values lie evenly inside their cells."""
    if found.present <= 0:
        return None
    low, high = found.margin.cells.T
    positions = np.rint((high - low) / found.margin.step) + 1
    middle, inside = (low + high) / 2, (positions**2 - 1) / 12 * found.margin.step**2
    mean = float((found.cells * middle).sum() / found.present)
    return mean, float((found.cells * ((middle - mean) ** 2 + inside)).sum() / found.present) ** 0.5


def mean_noise(found: Distribution) -> float:
    """Standard deviation of the noise in the mean of an ordered column."""
    told = moments(found)
    if told is None:
        return float("nan")
    middle = found.margin.levels.mean(1)
    return float((found.level_noise**2 * (middle - told[0]) ** 2).sum()) ** 0.5 / found.present


def quantile(found: Distribution, level: float) -> float | None:
    """The value that the share ``level`` of the patients with a value does not exceed; None without a value."""
    if found.present <= 0:
        return None
    reached = np.cumsum(found.cells) / found.present
    at = min(int(np.searchsorted(reached, level)), len(reached) - 1)
    before = reached[at - 1] if at else 0.0
    low, high = found.margin.cells[at]
    part = float(np.clip((level - before) / max(reached[at] - before, 1e-12), 0, 1))
    return float(np.rint((part * (high - low)) / found.margin.step) * found.margin.step + low)


def share_noise(found: Distribution) -> np.ndarray:
    """Standard deviation of the noise in the share of each level among the patients with a value, (levels,)."""
    return found.level_noise / max(found.present, 1.0)


def similarity(first: Distribution, second: Distribution) -> float | None:
    """KS complement of an ordered column, TV complement of the others, by level; None where one has no value."""
    if first.present <= 0 or second.present <= 0:
        return None
    one, other = (part.levels / part.levels.sum() for part in (first, second))
    if first.margin.column.kind.is_ordered:
        return float(1 - np.abs(np.cumsum(one) - np.cumsum(other)).max())
    return float(1 - 0.5 * np.abs(one - other).sum())


def similarity_floor(found: Distribution, random: np.random.Generator) -> float | None:
    """Mean similarity of the distribution to itself under fresh noise: what a perfect cohort would reach about."""
    drawn = [similarity(found, found.redrawn(random)) for _ in range(_DRAWS)]
    told = [value for value in drawn if value is not None]
    return float(np.mean(told)) if told else None


def metric(margin: Margin) -> str:
    """Name of the column's similarity."""
    return "KS complement" if margin.column.kind.is_ordered else "TV complement"


def category_label(name: str, margin: Margin) -> str:
    """A category for the screen."""
    return {"true": "Yes", "false": "No"}[name] if margin.column.kind is Kind.BOOLEAN else name
