"""Groups of patients in a private summary: how many satisfy criteria, and how a column is distributed among them.

Everything here reads noisy figures that were released, so it costs no budget; what the noise of an answer is, is said
beside it. What lies inside a cell of an ordered column is taken as spread evenly over its values.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from engine.cohort.conditions import Condition
from engine.privacy.summary import Margin, PrivateSummary

_TOLD = 2.0
"""Standard deviations of noise by which a group must depart from independence for its dependence to be used."""
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Estimate:
    """Patients of a group.

    Attributes:
        patients: not negative.
        noise: standard deviation of the noise in it; None where more than two columns are asked for, and dependence
            of more than pairs is not known.
    """

    patients: float
    noise: float | None


def share_within(margin: Margin, condition: Condition) -> np.ndarray:
    """Share of each cell of ``margin``, and of those without a value, that satisfies ``condition``: (cells + 1,)."""
    out = np.zeros(len(margin.counts))
    out[-1] = float(condition.allow_missing)
    if not condition.allow_present:
        return out
    if not margin.column.kind.is_ordered:
        allowed = condition.categories
        out[:-1] = [allowed is None or name in allowed for name in margin.categories]
        return out
    low, step = margin.cells[:, 0], margin.step
    size = np.rint((margin.cells[:, 1] - low) / step) + 1
    if condition.intervals is None:
        inside = size.copy()
    else:
        inside = np.zeros(len(size))
        for part in condition.intervals:
            # Places of the interval's ends among the values of each cell.
            first, last = ((end - low) / step for end in (part.low, part.high))
            first = np.ceil(first - _ROUNDING) if part.include_low else np.floor(first + _ROUNDING) + 1
            last = np.floor(last + _ROUNDING) if part.include_high else np.ceil(last - _ROUNDING) - 1
            inside += np.maximum(np.minimum(last, size - 1) - np.maximum(first, 0) + 1, 0)
    for value in condition.excluded:
        if condition.intervals is not None and not any(part.contains(np.array(value)) for part in condition.intervals):
            continue  # it was not inside
        place = (value - low) / step
        inside -= (np.abs(place - np.rint(place)) < _ROUNDING) & (place > -0.5) & (place < size - 0.5)
    out[:-1] = np.clip(inside / size, 0, 1)
    return out


def level_shares(summary: PrivateSummary, index: int, condition: Condition) -> np.ndarray:
    """Share of each level of a column, and of those without a value, that satisfies ``condition``: (levels + 1,)."""
    margin = summary.margins[index]
    inside, patients = share_within(margin, condition), summary.estimate(index)
    # A level without any estimated patient counts its cells alike.
    weight = patients + _ROUNDING
    return margin.by_level(inside * weight) / np.maximum(margin.by_level(weight), _ROUNDING)


def size_of(summary: PrivateSummary, conditions: Mapping[str, Condition]) -> Estimate:
    """How many patients satisfy all ``conditions`` (by column), estimated.

    One column is read from its margin, two from their table. Each further column multiplies the share that it has among
    those of the earlier column that it depends on most, or its own share where noise hides any dependence.
    """
    if not conditions:
        return Estimate(summary.patients, summary.patients_noise)
    indices = [summary.index(name) for name in conditions]
    single = {
        index: float((share_within(summary.margins[index], condition) * summary.estimate(index)).sum())
        for index, condition in zip(indices, conditions.values(), strict=True)
    }
    first = indices[0]
    if len(indices) == 1:
        (condition,) = conditions.values()
        inside = share_within(summary.margins[first], condition)
        return Estimate(single[first], summary.margins[first].noise * float((inside**2).sum()) ** 0.5)
    levels = {
        index: level_shares(summary, index, condition)
        for index, condition in zip(indices, conditions.values(), strict=True)
    }
    patients, noise = single[first], None
    for place, index in enumerate(indices[1:], start=1):
        share, departure, found = single[index] / summary.patients, 0.0, None
        for earlier in indices[:place]:
            both = together(summary, earlier, levels[earlier], index, levels[index])
            if both is None or single[earlier] <= 0:
                continue
            if both.noise is not None and len(indices) == 2:
                noise = both.noise
            limit = min(single[earlier], single[index])
            count = float(np.clip(both.patients, 0.0, limit))
            expected = single[earlier] * single[index] / summary.patients
            told = abs(count - expected) / max(both.noise or _ROUNDING, _ROUNDING)
            if len(indices) == 2 or (told > _TOLD and told > departure):
                departure, found = told, count / single[earlier]
        patients *= share if found is None else found
    return Estimate(min(patients, *single.values()), noise)


def together(
    summary: PrivateSummary, first: int, first_levels: np.ndarray, second: int, second_levels: np.ndarray
) -> Estimate | None:
    """Patients in the given shares of the levels of two columns, perhaps negative; None: the pair was not measured."""
    measured = summary.pair(first, second)
    if measured is None:
        return None
    counts, noise = measured
    spread = float((first_levels**2).sum() * (second_levels**2).sum()) ** 0.5
    return Estimate(float(first_levels @ counts @ second_levels), noise * spread)
