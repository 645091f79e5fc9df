"""Measured columns of the patient table, and those worked out from them: body mass index and Glasgow coma scale."""

import pandas as pd

from engine.preparation.concepts import BODY_MASS_INDEX, COMA_SCALE, COMA_SCALE_PARTS
from engine.preparation.measurements import FirstValues
from engine.preparation.report import Tally
from engine.schema.catalogue import catalogue

SAME_TIME_SECONDS = 3600


def add_measurements(rows: pd.DataFrame, values: FirstValues, *, tally: Tally) -> pd.DataFrame:
    """``rows`` with the first value of every measured column, body mass index and total coma scale."""
    admissions = rows["admission_id"]
    added = {name: values.column(name, admissions, tally=tally) for name in values.columns}
    if {"height_cm", "weight_kg"} <= added.keys():
        low, high = catalogue().concept(BODY_MASS_INDEX).plausible or (None, None)
        index, impossible = body_mass_index(added["height_cm"], added["weight_kg"], low=low, high=high)
        added[BODY_MASS_INDEX] = index
        column = tally.column(BODY_MASS_INDEX)
        column.dropped_impossible += impossible
        column.note = "From the first height and weight of the admission; missing unless both are known."
    if set(COMA_SCALE_PARTS) <= added.keys():
        total = sum_of_parts(values, COMA_SCALE_PARTS, admissions, column=COMA_SCALE, tally=tally)
        charted = added.get(COMA_SCALE, total.where(total.isna()))
        tally.column(COMA_SCALE).sources["sum of parts"] += int((charted.isna() & total.notna()).sum())
        added[COMA_SCALE] = charted.fillna(total)
    return rows.assign(**added)


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
    tally.column(column).note = "The charted total, or else the sum of its parts charted within one hour."
    return numbers.sum(axis=1).where(together)
