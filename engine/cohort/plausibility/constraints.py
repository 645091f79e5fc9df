"""What a rule can state: the kinds of constraints, as frozen data. Their checkers are in :mod:`.checkers`.

Columns are named by terms (:mod:`.rules`), and every number is in its term's unit; dates are days since 1970-01-01.
"""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Record(BaseModel):
    """Frozen data that knows no other fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Clause(Record):
    """A statement about one column; everything given must hold. Of a missing value only ``recorded`` can be said.

    ``any_of``/``none_of``: categories or their meanings; ``starts_with``: beginnings of category texts;
    ``codes``: ranges of ICD-9-CM codes, ends with their sub-codes included; the limits are in the term's unit.
    """

    column: str
    any_of: tuple[str, ...] | None = None
    none_of: tuple[str, ...] | None = None
    starts_with: tuple[str, ...] | None = None
    codes: tuple[tuple[str, str], ...] | None = None
    not_codes: tuple[tuple[str, str], ...] | None = None
    at_least: float | None = None
    at_most: float | None = None
    above: float | None = None
    below: float | None = None
    recorded: bool | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "Clause":
        if len(self.model_fields_set) < 2:
            raise ValueError(f"the clause on {self.column!r} says nothing")
        if self.is_about_text and self.is_about_numbers:
            raise ValueError(f"the clause on {self.column!r} asks for categories and for numbers")
        return self

    @property
    def is_about_text(self) -> bool:
        """Whether it asks for categories or codes."""
        parts = (self.any_of, self.none_of, self.starts_with, self.codes, self.not_codes)
        return any(part is not None for part in parts)

    @property
    def is_about_numbers(self) -> bool:
        """Whether it asks for a range."""
        return any(part is not None for part in (self.at_least, self.at_most, self.above, self.below))


class Range(Record):
    """``low`` ≤ value ≤ ``high``, ends included."""

    kind: Literal["range"]
    column: str
    low: float | None = None
    high: float | None = None


class Ordered(Record):
    """Each value is at most the next plus ``slack``; less than the next where ``strict``."""

    kind: Literal["ordered"]
    columns: tuple[str, ...] = Field(min_length=2)
    strict: bool = False
    slack: float = Field(default=0.0, ge=0)


class Ratio(Record):
    """``low`` ≤ numerator / denominator ≤ ``high``; a denominator of zero says nothing."""

    kind: Literal["ratio"]
    numerator: str
    denominator: str
    low: float
    high: float


class Product(Record):
    """``coefficient`` × each column to its power."""

    coefficient: float = 1.0
    powers: dict[str, float] = Field(min_length=1)


class Formula(Record):
    """``column`` is the sum of the products plus the constant, within one of three tolerances.

    ``difference``: column minus formula lies in the range; ``quotient``: column over formula does; otherwise they
    differ by at most ``absolute + relative × |formula|``. ``repair``: columns that may be recomputed from the others,
    the first one that no condition names; only for exact definitions.
    """

    kind: Literal["formula"]
    column: str
    constant: float = 0.0
    products: tuple[Product, ...] = Field(min_length=1)
    absolute: float = Field(default=0.0, ge=0)
    relative: float = Field(default=0.0, ge=0)
    difference: tuple[float, float] | None = None
    quotient: tuple[float, float] | None = None
    repair: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _can_be_solved(self) -> "Formula":
        others = set(self.repair) - {self.column}
        single = len(self.products) == 1 and self.constant == 0
        if others and not (single and others <= set(self.products[0].powers)):
            raise ValueError("only a formula of one product can be solved for one of its factors")
        return self


class Sum(Record):
    """``low`` ≤ sum of the columns ≤ ``high``."""

    kind: Literal["sum"]
    columns: tuple[str, ...] = Field(min_length=2)
    low: float | None = None
    high: float | None = None


class Implies(Record):
    """Where every clause of ``when`` holds, ``then`` holds too. ``repair``: ``then`` may be made true."""

    kind: Literal["implies"]
    when: tuple[Clause, ...] = Field(min_length=1)
    then: Clause
    repair: bool = False

    @model_validator(mode="after")
    def _repair_is_unique(self) -> "Implies":
        one = self.then.any_of is not None and len(self.then.any_of) == 1
        if self.repair and not (one or self.then.recorded is False):
            raise ValueError("a repair needs a conclusion with exactly one value")
        return self


class Icd9Level(Record):
    """``column`` is the group or chapter of the ICD-9-CM code in ``code`` (always recomputable)."""

    kind: Literal["icd9_level"]
    code: str
    column: str
    level: Literal["group", "chapter"]


class Icd9Flag(Record):
    """A comorbidity whose definition covers the code in ``code`` is not false (always repairable)."""

    kind: Literal["icd9_flag"]
    code: str
    flags: tuple[str, ...] = Field(min_length=1)


class Statistics(Record):
    """Minimum ≤ mean, median, first, last ≤ maximum of one measurement, for columns named after these words."""

    kind: Literal["statistics"]
    slack: float = Field(default=0.0, ge=0)


Constraint = Annotated[
    Range | Ordered | Ratio | Formula | Sum | Implies | Icd9Level | Icd9Flag | Statistics, Field(discriminator="kind")
]


def column_names(part: Constraint) -> Iterator[str]:
    """The terms that a constraint is about, repeated where it repeats them."""
    match part:
        case Range():
            yield part.column
        case Ordered() | Sum():
            yield from part.columns
        case Ratio():
            yield from (part.numerator, part.denominator)
        case Formula():
            yield part.column
            for product in part.products:
                yield from product.powers
        case Implies():
            yield from (clause.column for clause in (*part.when, part.then))
        case Icd9Level():
            yield from (part.code, part.column)
        case Icd9Flag():
            yield from (part.code, *part.flags)
        case Statistics():
            return
