"""Passages made of the product's tables: the data dictionary, comorbidities, clinical words and plausibility rules."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

import yaml

from engine.cohort.plausibility.rules import rule_book
from engine.cohort.spec import Criterion
from engine.cohort.vocabulary import phrases
from engine.conversation.knowledge.passages import Passage
from engine.conversation.rules.concepts import concept_of
from engine.core.workspace import ASSETS
from engine.schema.catalogue import catalogue
from engine.schema.table import Column, Kind, TableSchema

DICTIONARY = "Data dictionary"
COMORBIDITIES = "Comorbidity definitions"
WORDS = "Clinical words"
RULES = "Plausibility rules"
ALL_COLUMNS = "all columns"
_MOST_CATEGORIES = 40
_LABORATORY = frozenset({"Blood count", "Chemistry", "Blood gas"})
GROUPS: dict[str, frozenset[str]] = {
    "labs": _LABORATORY,
    "vitals": frozenset({"Vital signs"}),
    "drugs": frozenset({"Drugs"}),
    "comorbidities": frozenset({"Comorbidities"}),
    "measurements": _LABORATORY | {"Body", "Vital signs"},
}
"""Kinds of columns, as requests name them → groups of the catalogue."""
_ORIGINS = {
    "quan_2005": "Enhanced ICD-9-CM coding of the Elixhauser conditions, Quan H et al., Med Care 2005;43:1130-9.",
    "own": "Categories of ICD-9-CM chosen for this product.",
}


@dataclass(frozen=True)
class ColumnEntry:
    """What the data dictionary says of a column, a sentence for each thing that people ask."""

    column: Column

    @property
    def name(self) -> str:
        """The column as the screen names it."""
        return self.column.label or self.column.name.replace("_", " ")

    @property
    def unit(self) -> str:
        """Its unit."""
        return f"{self.name} is in {self.column.unit}." if self.column.unit else f"{self.name} has no unit."

    @property
    def ranges(self) -> str:
        """Reference and plausible range; bounds that were read from patients are not told."""
        column, parts = self.column, []
        unit = f" {column.unit}" if column.unit else ""
        if column.reference_low is not None or column.reference_high is not None:
            parts.append(f"reference range {_ends(column.reference_low, column.reference_high)}{unit}")
        if column.bounds_are_public and (column.minimum is not None or column.maximum is not None):
            parts.append(f"plausible range {_ends(column.minimum, column.maximum)}{unit}")
        return f"{self.name}: {'; '.join(parts) or 'no range is recorded'}."

    @property
    def meaning(self) -> str:
        """Description and categories."""
        column = self.column
        text = f"{self.name}: {(column.description or column.kind.value).rstrip('.')}"
        if column.kind is Kind.CATEGORICAL and column.categories and len(column.categories) <= _MOST_CATEGORIES:
            text += f". Categories: {', '.join(column.categories)}"
        return f"{text}."

    @property
    def code(self) -> str:
        """Its LOINC code."""
        return f"{self.name} has the LOINC code {self.column.loinc}." if self.column.loinc else ""

    @property
    def passage(self) -> Passage:
        """All of it; answers quote a sentence."""
        text = " ".join(filter(None, (self.meaning, self.unit, self.ranges, self.code)))
        return Passage(DICTIONARY, self.column.name, text)


def all_columns(schema: TableSchema) -> Passage:
    """The list of the source's columns."""
    names = ", ".join(ColumnEntry(column).name for column in schema.features)
    return Passage(DICTIONARY, ALL_COLUMNS, f"The source has {len(schema.features)} columns: {names}.")


def columns_of_kind(schema: TableSchema, kind: str) -> Passage:
    """The list of the source's columns of one kind, a key of ``GROUPS``."""
    names = [ColumnEntry(column).name for column in schema.features if is_of_groups(column, GROUPS[kind])]
    return Passage(DICTIONARY, kind, f"The source has these {kind}: {', '.join(names) or 'none'}.")


def is_of_groups(column: Column, groups: Collection[str] | None) -> bool:
    """Whether a column belongs to one of these groups of the catalogue (None: to any)."""
    if groups is None:
        return True
    concept = concept_of(column)
    return (column.group or (catalogue().concept(concept).group if concept is not None else None)) in groups


@lru_cache(maxsize=1)
def comorbidities() -> dict[str, Passage]:
    """Comorbidity → its definition by codes, with where that is from."""
    book = catalogue()
    parts = yaml.safe_load((ASSETS / "comorbidities.yaml").read_text(encoding="utf-8"))
    return {
        name: Passage(
            COMORBIDITIES,
            name,
            f"{book.concept(name).label if name in book else name}: ICD-9-CM codes that begin with {', '.join(codes)}. "
            f"{_ORIGINS[origin]}",
        )
        for origin, definitions in parts.items()
        for name, codes in definitions.items()
    }


@lru_cache(maxsize=1)
def clinical_words() -> dict[str, Passage]:
    """Word of requests that stands for a range → the range, with the source of its limits."""
    found = {}
    for phrase in phrases():
        if phrase.criterion.minimum is None and phrase.criterion.maximum is None:
            continue
        said = _range(phrase.criterion)
        source = f" Source: {phrase.source}." if phrase.source else ""
        for word in phrase.say:
            found.setdefault(word, Passage(WORDS, word, f"“{word}” is read as {said}.{source}"))
    return found


@lru_cache(maxsize=1)
def plausibility_rules() -> tuple[Passage, ...]:
    """Every plausibility rule with its severity and citation."""
    return tuple(
        Passage(RULES, rule.title, f"{rule.message} Severity: {rule.severity}. Source: {rule.citation}.", rule.title)
        for rule in rule_book().rules
    )


def _range(criterion: Criterion) -> str:
    book = catalogue()
    concept = book.concept(criterion.column)
    unit = f" {concept.unit}" if concept.unit else ""
    low, high = criterion.minimum, criterion.maximum
    parts = []
    if low is not None:
        parts.append(f"{'at least' if criterion.include_minimum else 'above'} {low:g}{unit}")
    if high is not None:
        parts.append(f"{'at most' if criterion.include_maximum else 'below'} {high:g}{unit}")
    return f"{concept.label} {' and '.join(parts)}"


def _ends(low: float | None, high: float | None) -> str:
    if low is None:
        return f"up to {high:g}"
    return f"from {low:g}" if high is None else f"{low:g} to {high:g}"
