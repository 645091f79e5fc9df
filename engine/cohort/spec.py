"""CohortSpec: the one typed object that chat, form, engine and export share.

A spec is data. What it means for a table is in :mod:`engine.cohort.predicate` (which rows satisfy it) and
:mod:`engine.cohort.conditions` (which values each column may take).
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, field_validator, model_validator

from engine.cohort.reference_tables import population_names

MAX_PATIENTS = 10_000_000
"""Most patients of one cohort; beyond, the files outgrow what analyses and disks of one machine take."""
LARGE = 1_000_000
"""More patients than this are drawn in parts, take minutes, and are confirmed before."""

Value = bool | int | FiniteFloat | str


class Criterion(BaseModel):
    """A demand on one column; what is given must all hold, and a missing value satisfies only exclusions.

    - ``minimum``/``maximum`` with ``include_…``: one range, in the column's unit (ISO text for dates).
    - ``ranges``: several ranges of which one must hold, ``[[null, 20], [35, null]]``, ends included. Dates and numbers.
    - ``any_of`` / ``none_of``: categories (``true``/``false`` for booleans; numbers for numeric columns).
    - ``starts_with`` / ``not_starts_with``: code prefixes, for code columns ("250" is every diabetes code of ICD-9-CM).
    - ``between_codes``: code ranges of which one must hold, ends included with all their sub-codes
      (``[["250", "250.93"]]``); dots are ignored.
    - ``recorded``: True demands a value, False demands that it is missing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    column: str
    minimum: FiniteFloat | str | None = None
    maximum: FiniteFloat | str | None = None
    include_minimum: bool = True
    include_maximum: bool = True
    ranges: tuple[tuple[FiniteFloat | None, FiniteFloat | None], ...] | None = None
    any_of: tuple[Value, ...] | None = None
    none_of: tuple[Value, ...] | None = None
    starts_with: tuple[str, ...] | None = None
    not_starts_with: tuple[str, ...] | None = None
    between_codes: tuple[tuple[str, str], ...] | None = None
    recorded: bool | None = None

    @model_validator(mode="after")
    def _demands_something(self) -> "Criterion":
        parts = (self.minimum, self.maximum, self.ranges, self.any_of, self.none_of, self.starts_with,
                 self.not_starts_with, self.between_codes, self.recorded)  # fmt: skip
        if all(part is None for part in parts):
            raise ValueError(f"the criterion on {self.column!r} demands nothing")
        low, high = self.minimum, self.maximum
        if isinstance(low, (int, float)) and isinstance(high, (int, float)) and low > high:
            raise ValueError(f"minimum ({low:g}) of {self.column!r} is above maximum ({high:g})")
        for low, high in self.ranges or ():
            if low is not None and high is not None and low > high:
                raise ValueError(f"range of {self.column!r}: {low:g} is above {high:g}")
        if self.any_of is not None and not self.any_of:
            raise ValueError(f"any_of of {self.column!r} is empty")
        return self


class Share(BaseModel):
    """A target proportion: ``share`` of the returned rows have ``category`` in ``column``, to the nearest row."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    column: str
    category: Value
    share: float = Field(ge=0, le=1)


class CohortSpec(BaseModel):
    """A request for a synthetic cohort. ``columns`` None means every column of the source."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    patients: int = Field(default=1000, ge=1, le=MAX_PATIENTS)
    criteria: tuple[Criterion, ...] = ()
    shares: tuple[Share, ...] = ()
    columns: tuple[str, ...] | None = None
    reference_population: str | None = None
    """Name of a population that ships (:mod:`engine.cohort.reference_tables`)."""
    seed: int = Field(default=7, ge=0, le=2**32 - 1)

    @field_validator("patients", mode="before")
    @classmethod
    def _patients_are_countable(cls, patients: Any) -> Any:
        # Before the type's own check: one sentence for zero, fractions and too many, with the limits.
        if isinstance(patients, (int, float)) and not (1 <= patients <= MAX_PATIENTS and patients == int(patients)):
            raise ValueError(
                f"{patients:,.12g} patients is not possible: ask for a whole number from 1 to {MAX_PATIENTS:,}"
            )
        return patients

    @field_validator("reference_population")
    @classmethod
    def _population_ships(cls, name: str | None) -> str | None:
        if name is not None and name not in population_names():
            known = ", ".join(repr(one) for one in population_names())
            raise ValueError(f"no reference population is called {name!r}; there are {known}")
        return name

    @field_validator("columns")
    @classmethod
    def _columns_are_distinct(cls, columns: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if columns is not None and (not columns or len(set(columns)) < len(columns)):
            raise ValueError("columns must be distinct names, or null for all")
        return columns

    @model_validator(mode="after")
    def _shares_fit(self) -> "CohortSpec":
        totals: dict[str, float] = {}
        seen: set[tuple[str, Any]] = set()
        for share in self.shares:
            if (share.column, share.category) in seen:
                raise ValueError(f"two shares for {share.category!r} of {share.column!r}")
            seen.add((share.column, share.category))
            totals[share.column] = totals.get(share.column, 0.0) + share.share
        for column, total in totals.items():
            if total > 1 + 1e-9:
                raise ValueError(f"the shares of {column!r} add up to {total:.0%}, more than 100 %")
        return self

    def as_json(self) -> dict[str, Any]:
        """The spec as JSON values, without fields that were not asked for."""
        spec = self.model_dump(mode="json")
        spec["criteria"] = [_slim(criterion) for criterion in self.criteria]
        return spec


def _slim(criterion: Criterion) -> dict[str, Any]:
    out = criterion.model_dump(mode="json", exclude_none=True)
    if criterion.minimum is None:
        out.pop("include_minimum")
    if criterion.maximum is None:
        out.pop("include_maximum")
    return out
