"""Columns that are worked out from measured ones: body mass index and the Glasgow coma scale."""

import pandas as pd

from engine.preparation.measurements import FirstValues
from engine.preparation.report import Tally

SAME_TIME_SECONDS = 3600


def body_mass_index(
    height_cm: pd.Series, weight_kg: pd.Series, *, low: float | None, high: float | None
) -> tuple[pd.Series, int]:
    """kg/m² where both are known, missing where the result is impossible, and how often that was the case.

    Height and weight can each be possible and still not belong together (a height typed in inches as centimetres, a
    weight in pounds as kilograms): the result is held to its own range.
    """
    index = (weight_kg / (height_cm / 100) ** 2).round(1)
    impossible = pd.Series(False, index=index.index)
    if low is not None:
        impossible |= index < low
    if high is not None:
        impossible |= index > high
    return index.mask(impossible), int(impossible.sum())


def sum_of_parts(
    values: FirstValues, parts: tuple[str, ...], admissions: pd.Series, *, column: str, tally: Tally
) -> pd.Series:
    """Sum of the first values of ``parts`` where all of them were charted within an hour, otherwise missing."""
    numbers = pd.DataFrame({part: values.column(part, admissions) for part in parts})
    seconds = pd.DataFrame({part: values.seconds(part, admissions) for part in parts})
    together = numbers.notna().all(axis=1) & (seconds.max(axis=1) - seconds.min(axis=1) <= SAME_TIME_SECONDS)
    tally.column(column).sources[f"sum of {len(parts)} parts"] += int(together.sum())
    return numbers.sum(axis=1).where(together)
