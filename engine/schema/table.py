"""What a patient table is: its columns, their kinds and roles, and the data frame types that go with them.

A prepared table is a ``pandas.DataFrame`` whose columns are exactly those of its :class:`TableSchema`, typed by
:func:`conform`: numeric → float64, integer → Int64, categorical → category of str, boolean → boolean,
date → datetime64[s]. A missing value is always NA/NaN/NaT, never a code.
"""

from enum import StrEnum

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, model_validator

from engine.core.errors import DataError, UserError


class Kind(StrEnum):
    """What the values of a column are."""

    NUMERIC = "numeric"
    INTEGER = "integer"
    CATEGORICAL = "categorical"
    BOOLEAN = "boolean"
    DATE = "date"

    @property
    def is_ordered(self) -> bool:
        """Whether ranges make sense."""
        return self in (Kind.NUMERIC, Kind.INTEGER, Kind.DATE)


class Role(StrEnum):
    """What a column is for."""

    FEATURE = "feature"
    """Learned and generated."""
    PATIENT_KEY = "patient_key"
    """Names the patient; groups rows, is never learned or generated."""
    EXCLUDED = "excluded"
    """Kept in the source, never learned or generated (record numbers, names, free text)."""


class Column(BaseModel):
    """One column. ``minimum`` and ``maximum`` are in ``unit``; for dates they are days since 1970-01-01."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Kind
    role: Role = Role.FEATURE
    label: str = ""
    unit: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    bounds_are_public: bool = False
    """True when the bounds come from the catalogue or were declared, not read from patients' rows."""
    decimals: int | None = None
    """Digits after the decimal point that a numeric column is recorded with."""
    categories: tuple[str, ...] | None = None
    categories_are_public: bool = False
    code_system: str | None = None
    """``"icd9"`` when the categories are ICD-9-CM codes (written without the dot)."""
    group: str | None = None
    """Heading under which forms and plots show the column."""
    description: str = ""
    loinc: str | None = None
    reference_low: float | None = None
    reference_high: float | None = None

    @model_validator(mode="after")
    def _bounds_in_order(self) -> "Column":
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"column {self.name}: minimum ({self.minimum}) is above maximum ({self.maximum})")
        return self

    @property
    def title(self) -> str:
        """Label with unit, for axes and table headings."""
        label = self.label or self.name.replace("_", " ")
        return f"{label} ({self.unit})" if self.unit else label


class TableSchema(BaseModel):
    """The columns of a table, in order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: tuple[Column, ...]

    @model_validator(mode="after")
    def _names_are_unique(self) -> "TableSchema":
        names = [column.name for column in self.columns]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(f"column names occur twice: {', '.join(doubled)}")
        if sum(column.role is Role.PATIENT_KEY for column in self.columns) > 1:
            raise ValueError("more than one column is the patient key")
        return self

    @property
    def names(self) -> list[str]:
        """All column names."""
        return [column.name for column in self.columns]

    @property
    def features(self) -> list[Column]:
        """The columns that are learned and generated."""
        return [column for column in self.columns if column.role is Role.FEATURE]

    @property
    def patient_key(self) -> str | None:
        """Name of the column that names the patient; None when each row is a patient of its own."""
        return next((column.name for column in self.columns if column.role is Role.PATIENT_KEY), None)

    def __contains__(self, name: object) -> bool:
        return any(column.name == name for column in self.columns)

    def __getitem__(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise UserError(
            f"there is no column {name!r}",
            remedy=f"Columns are: {', '.join(column.name for column in self.features[:40])}.",
        )

    def select(self, names: list[str]) -> "TableSchema":
        """The schema of the named columns, in that order."""
        return TableSchema(columns=tuple(self[name] for name in names))

    def released(self) -> "TableSchema":
        """This schema without bounds that were read from patients' rows: each of them is a patient's value."""
        own = {"minimum": None, "maximum": None}
        return TableSchema(
            columns=tuple(one if one.bounds_are_public else one.model_copy(update=own) for one in self.columns)
        )

    def replace(self, *changed: Column) -> "TableSchema":
        """This schema with the columns of the same names exchanged."""
        new = {column.name: column for column in changed}
        return TableSchema(columns=tuple(new.get(column.name, column) for column in self.columns))


_LARGEST_EXACT = 2.0**53
"""Whole numbers beyond this are not exact as float64."""

_TYPES = {
    Kind.NUMERIC: "float64", Kind.INTEGER: "Int64", Kind.BOOLEAN: "boolean", Kind.DATE: "datetime64[s]",
}  # fmt: skip
_TRUTH = {
    "true": True, "false": False, "yes": True, "no": False, "y": True, "n": False, "t": True, "f": False,
    "1": True, "0": False, "1.0": True, "0.0": False,
}  # fmt: skip


def conform(frame: pd.DataFrame, schema: TableSchema) -> pd.DataFrame:
    """``frame`` with the schema's columns in the schema's order and types.

    Raises:
        DataError: a column is absent, or holds values that are not of its kind (rows are counted, cells not shown).
    """
    absent = [name for name in schema.names if name not in frame.columns]
    if absent:
        raise DataError(f"columns are absent: {', '.join(absent)}", remedy="Use the table that the schema describes.")
    return pd.DataFrame({column.name: _conform(frame[column.name], column) for column in schema.columns})


def _are_texts(categories: pd.Index) -> bool:
    return categories.dtype == object and all(isinstance(one, str) for one in categories)


def _conform(values: pd.Series, column: Column) -> pd.Series:
    if column.role is Role.PATIENT_KEY or column.kind is Kind.CATEGORICAL:
        is_key = column.role is Role.PATIENT_KEY
        if not is_key and isinstance(values.dtype, pd.CategoricalDtype) and _are_texts(values.cat.categories):
            return values
        text = values.astype("string").astype(object).where(values.notna(), float("nan"))
        return text if is_key else text.astype("category")
    if values.dtype == _TYPES[column.kind] and (column.kind is not Kind.NUMERIC or not np.isinf(values).any()):
        return values
    present = int(values.notna().sum())
    if column.kind is Kind.BOOLEAN:
        text = values.astype("string").str.strip().str.lower()
        typed = text.map(_TRUTH).astype("boolean")
    elif column.kind is Kind.DATE:
        moments = pd.to_datetime(values, errors="coerce")
        if isinstance(moments.dtype, pd.DatetimeTZDtype):
            moments = moments.dt.tz_localize(None)  # the date on the wall, as written
        typed = moments.astype("datetime64[s]")
    else:
        typed = pd.to_numeric(values.astype("object"), errors="coerce").astype("float64")
        typed = typed.where(np.isfinite(typed))
        if column.kind is Kind.INTEGER:
            typed = typed.where(typed.abs() <= _LARGEST_EXACT)
        if column.kind is Kind.INTEGER and not (typed.dropna() % 1 == 0).all():
            fractional = int((typed.dropna() % 1 != 0).sum())
            raise DataError(
                f"{fractional} values of the integer column {column.name!r} have decimals",
                remedy="Make the column numeric.",
            )
        typed = typed.astype("Int64") if column.kind is Kind.INTEGER else typed
    lost = present - int(typed.notna().sum())
    if lost:
        first = int((values.notna() & typed.isna()).to_numpy().argmax())
        raise DataError(
            f"{lost} values of column {column.name!r} are not {column.kind.value}",
            where=f"first in row {first + 1}",
            remedy="Change the column's kind or correct the file.",
        )
    return typed
