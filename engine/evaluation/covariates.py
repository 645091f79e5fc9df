"""The covariates of a regression: which ones, in which steps, and which must stay out so that no small cell is told."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.cohort.conditions import as_numbers, as_text
from engine.evaluation.associations import correlation_ratio
from engine.evaluation.cells import Sample
from engine.evaluation.outcome_book import meanings, outcome_book
from engine.evaluation.tables import label_of
from engine.schema.catalogue import catalogue, unit_key
from engine.schema.table import Column, Kind

MOST_PARAMETERS = 10
_MOST_LEVELS = 5
_LEAST_PRESENT = 0.8
_MOST_EXPLAINED = 0.8
_OTHER = "other"


@dataclass(frozen=True)
class Covariate:
    """One column of a regression, as one or more parameters.

    Attributes:
        column: its schema entry.
        labels: one text per parameter: ``Age, per 10 years``; ``Admission type: URGENT, not ELECTIVE``.
        increment: numbers are divided by it; 0 for categories.
        levels: categories told by name, the first of them the one that the others are compared with.
        pooled: whether the categories beyond ``levels`` form one more, ``other``.
    """

    column: Column
    labels: tuple[str, ...]
    increment: float = 0.0
    levels: tuple[str, ...] = ()
    pooled: bool = False

    def matrix(self, frame: pd.DataFrame) -> np.ndarray:
        """(n_rows, n_parameters) floats, NaN where the row has no value."""
        if self.increment:
            return as_numbers(frame[self.column.name], self.column)[:, None] / self.increment
        codes = _codes(frame, self.column, self.levels).astype(float)
        codes[(codes < 0) | ((codes == len(self.levels)) & (not self.pooled))] = np.nan
        wanted = np.arange(1, len(self.levels) + self.pooled)
        return np.where(np.isnan(codes)[:, None], np.nan, codes[:, None] == wanted)


def _codes(frame: pd.DataFrame, column: Column, levels: Sequence[str]) -> np.ndarray:
    text = as_text(frame[column.name], column).astype("object")
    codes = pd.Categorical(text, categories=list(levels)).codes.astype(int)
    return np.where((codes < 0) & text.notna().to_numpy(), len(levels), codes)


def covariate(column: Column, real: Sample, value: np.ndarray, *, is_event: bool, minimum: int) -> Covariate | str:
    """``column`` as covariate, coded by the real rows; or why it cannot be one.

    Args:
        column: a feature.
        real: the real rows whose outcome is known.
        value: (n_rows,) their outcome.
        is_event: whether it is 0 or 1: then a category needs ``minimum`` patients with the event and as many without.
        minimum: counts of real patients below this are not told.
    """

    def is_large(rows: np.ndarray) -> bool:
        parts = [rows & (value == 0), rows & (value == 1)] if is_event else [rows]
        return all(int(real.support(part).sum()) >= minimum for part in parts)

    label = label_of(column)
    if column.kind.is_ordered:
        numbers = as_numbers(real.frame[column.name], column)
        distinct = np.unique(numbers[~np.isnan(numbers)])
        if len(distinct) < 2:
            return "it has one value in the real rows"
        if len(distinct) == 2 and not all(is_large(numbers == one) for one in distinct):
            return "too few real patients have one of its values and the outcome"
        increment, text = _increment(column, float(np.nanstd(numbers)))
        return Covariate(column, (f"{label}, {text}",), increment)
    text = as_text(real.frame[column.name], column)
    counts = text.value_counts()
    levels = [str(level) for level in counts.index if is_large((text == level).to_numpy())][:_MOST_LEVELS]
    if column.kind is Kind.BOOLEAN:
        levels.sort()
    rest = text.notna().to_numpy() & ~text.isin(levels).to_numpy()
    while rest.any() and not is_large(rest) and len(levels) > 1:
        rest |= (text == levels.pop()).to_numpy()
    pooled = bool(rest.any())
    if (pooled and not is_large(rest)) or len(levels) + pooled < 2:
        return "too few real patients have one of its values and the outcome"
    if column.kind is Kind.BOOLEAN:
        return Covariate(column, (label,), levels=tuple(levels))
    names = [*levels[1:], *([_OTHER] if pooled else [])]
    labels = tuple(f"{label}: {name}, not {levels[0]}" for name in names)
    return Covariate(column, labels, levels=tuple(levels), pooled=pooled)


def choose(
    columns: Sequence[Column], real: Sample, value: np.ndarray, *, is_event: bool, minimum: int, most: int
) -> list[Covariate]:
    """Age and sex, then those most strongly associated with the outcome, of at most ``most`` parameters in all.

    Left out are columns without a value in a fifth of the rows, with many categories, or that the ones before explain.
    """
    offered = [column for column in columns if real.frame[column.name].notna().mean() >= _LEAST_PRESENT]
    first = [column for name in ("age_years", "sex") for column in offered if name in meanings(column)]
    others = [column for column in offered if column not in first]
    strength = {column.name: _strength(real.frame, column, value) for column in others}
    others.sort(key=lambda column: -strength[column.name])
    chosen: list[Covariate] = []
    design = np.empty((len(value), 0))
    for column in [*first, *(column for column in others if strength[column.name] > 0)]:
        one = covariate(column, real, value, is_event=is_event, minimum=minimum)
        if isinstance(one, str) or design.shape[1] + len(one.labels) > most:
            continue
        own = one.matrix(real.frame)
        if not _is_explained(own, design):
            chosen.append(one)
            design = np.column_stack([design, own])
    return chosen


def _strength(frame: pd.DataFrame, column: Column, value: np.ndarray) -> float:
    if column.kind.is_ordered:
        ranks = frame[column.name].astype("float64").rank().to_numpy()
        both = ~np.isnan(ranks)
        if both.sum() < 3 or np.ptp(ranks[both]) == 0 or np.ptp(value[both]) == 0:
            return 0.0
        return abs(float(np.corrcoef(ranks[both], value[both])[0, 1]))
    codes = as_text(frame[column.name], column).astype("category").cat.codes.to_numpy().astype(int)
    if codes.max(initial=0) > 3 * _MOST_LEVELS:
        return 0.0
    return float(np.nan_to_num(correlation_ratio(codes, value[:, None])[0]))


def _is_explained(own: np.ndarray, design: np.ndarray) -> bool:
    rows = ~np.isnan(np.column_stack([own, design])).any(1)
    if not design.shape[1] or rows.sum() <= design.shape[1] + 1:
        return False
    known = np.column_stack([np.ones(int(rows.sum())), design[rows]])
    centred = own[rows] - own[rows].mean(0)
    left = centred - known @ np.linalg.lstsq(known, centred, rcond=None)[0]
    total = np.maximum((centred**2).sum(0), 1e-12)
    return bool((1 - (left**2).sum(0) / total > _MOST_EXPLAINED).any())


def _increment(column: Column, deviation: float) -> tuple[float, str]:
    """Units that an effect is told per: clinical ones where they are declared, else the real standard deviation."""
    for name in meanings(column):
        step = outcome_book().increments.get(name)
        unit = catalogue().concept(name).unit if name in catalogue() else None
        if step is not None and unit_key(column.unit or "") == unit_key(unit or ""):
            return step, f"per {step:g} {column.unit}" if column.unit else f"per {step:g}"
    rounded = float(f"{deviation:.2g}") or 1.0
    unit = f" {column.unit}" if column.unit else ""
    return rounded, f"per {rounded:g}{unit} (1 SD)"
