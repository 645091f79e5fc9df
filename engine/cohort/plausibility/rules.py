"""Plausibility rules as frozen data: ``assets/plausibility.yaml``, what it may say, and what makes it invalid.

A rule names its columns as the catalogue does (:mod:`engine.schema.catalogue`) or as the file's own ``terms``; which
columns of a table those are is decided in :mod:`.binding`, and whether a row breaks the rule in :mod:`.checkers`.

Severities: *impossible* – no patient can be so (a contradiction in terms, arithmetic, a definition); *discordant* –
parts that should agree do not, as measurement and coding make happen now and then; *rare* – possible but unusual.
"""

from functools import lru_cache
from typing import Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from engine.cohort.plausibility.constraints import Clause, Constraint, Icd9Flag, Record, column_names
from engine.core.errors import DataError
from engine.core.workspace import ASSETS
from engine.schema.catalogue import Conversion, catalogue, unit_key
from engine.schema.icd9 import comorbidity_names

Severity = Literal["impossible", "discordant", "rare"]
SEVERITIES: tuple[Severity, ...] = ("impossible", "discordant", "rare")
FILE = ASSETS / "plausibility.yaml"


class Term(Record):
    """A column that rules name: one the catalogue lacks, or further words for one that it has.

    ``meanings`` gives the categories that mean the same (``F``: female, woman); ``every``: all columns that match are
    meant, each by itself (a patient's several diagnosis codes), not the one that matches best.
    """

    name: str
    label: str = ""
    kind: Literal["numeric", "integer", "categorical", "boolean", "date"] | None = None
    unit: str | None = None
    units: dict[str, Conversion] = Field(default_factory=dict)
    synonyms: tuple[str, ...] = ()
    meanings: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    every: bool = False


class Rule(Record):
    """One rule. ``units`` repeats the unit in which each quantity's numbers are meant, for the reader.

    ``same_unit``: the constraint holds in any unit that its quantities share, declared or not. ``per_statistic``: it
    also holds between the minima, means, first values … of the columns, each with each.
    """

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str = Field(min_length=5)
    severity: Severity
    message: str = Field(min_length=10)
    citation: str = Field(min_length=10)
    units: dict[str, str] = Field(default_factory=dict)
    same_unit: bool = False
    per_statistic: bool = False
    where: tuple[Clause, ...] = ()
    constraint: Constraint

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the terms it is about, each once."""
        clauses = [clause.column for clause in self.where]
        return tuple(dict.fromkeys([*column_names(self.constraint), *clauses]))


class RuleBook(Record):
    """The rules with the words they use.

    Raises (as ``ValidationError``): a name is used twice, a rule names a column that neither the catalogue nor the
    terms have, or repeats a unit that is not the column's.
    """

    statistics: tuple[str, ...] = ()
    """Words before or after a column's name that say which of several measurements it is."""
    terms: tuple[Term, ...] = ()
    rules: tuple[Rule, ...]

    @model_validator(mode="after")
    def _is_consistent(self) -> "RuleBook":
        for what, names in (("rules", [r.id for r in self.rules]), ("terms", [t.name for t in self.terms])):
            doubled = sorted({name for name in names if names.count(name) > 1})
            if doubled:
                raise ValueError(f"{what} occur twice: {', '.join(doubled)}")
        own = {term.name: term for term in self.terms}
        for rule in self.rules:
            for name in (*rule.columns, *rule.units):
                if name not in own and name not in catalogue():
                    raise ValueError(f"rule {rule.id}: there is no column {name!r} in the catalogue or the terms")
            for name, unit in rule.units.items():
                known = self.term(name).unit
                if known is None or unit_key(known) != unit_key(unit):
                    raise ValueError(f"rule {rule.id}: {name} is measured in {known}, not in {unit}")
            if isinstance(rule.constraint, Icd9Flag):
                undefined = set(rule.constraint.flags) - set(comorbidity_names())
                if undefined:
                    raise ValueError(f"rule {rule.id}: no codes define {', '.join(sorted(undefined))}")
        return self

    def term(self, name: str) -> Term:
        """The term, completed from the catalogue where that has a concept of the name."""
        own = next((term for term in self.terms if term.name == name), Term(name=name))
        if name not in catalogue():
            return own
        concept = catalogue().concept(name)
        kind = None if concept.kind in ("key", "excluded") else concept.kind
        known = {"label": concept.label, "kind": kind, "unit": concept.unit, "units": concept.units}
        return own.model_copy(update=known)


def read_rules(text: str) -> RuleBook:
    """The rule book in a YAML text.

    Raises:
        DataError: it is not YAML or not valid; says which rule, and why.
    """
    try:
        return RuleBook.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise DataError("the plausibility rules are not YAML", where=str(getattr(error, "problem_mark", ""))) from error
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise DataError(
            f"the plausibility rules are not valid: {first['msg'].removeprefix('Value error, ')}", where=where
        ) from error


@lru_cache(maxsize=1)
def rule_book() -> RuleBook:
    """The rules that ship with the product, read once."""
    return read_rules(FILE.read_text(encoding="utf-8"))
