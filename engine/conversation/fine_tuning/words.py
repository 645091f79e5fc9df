"""What the columns, categories and conditions of a source are called, for writing requests about them."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import yaml

from engine.cohort.spec import Criterion
from engine.cohort.vocabulary import category_words, column_words, diseases, grammar, phrases
from engine.conversation.rules.concepts import concept_of, synonyms_of
from engine.conversation.rules.lexicon import Lexicon, lexicon_for
from engine.conversation.rules.tokens import key_of
from engine.core.workspace import ASSETS
from engine.schema.catalogue import Conversion, catalogue, unit_key
from engine.schema.table import Column, Kind, TableSchema

_AMBIGUOUS_UNITS = {
    "y", "d", "h", "m", "g", "in", "/ul", "/mm3", "year", "day", "hour", "week", "month", "minute", "gram", "pound",
    "meter", "foot", "centimeter", "kilogram", "years age", "year olds", "g/l cells", "hr",
}  # fmt: skip
_USUAL = {"length_of_stay_hours": ("days", "weeks"), "age_years": ("months",)}
"""Units that people give for these, of those that can be converted."""


@lru_cache(maxsize=1)
def templates() -> dict[str, Any]:
    """The sentences of ``assets/fine_tuning/templates.yaml``."""
    return yaml.safe_load((ASSETS / "fine_tuning" / "templates.yaml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Condition:
    """Words for a criterion that needs no number: a disease, a drug, "elderly", "died"."""

    words: str
    criterion: Criterion
    group: str
    """Heading of its column: drugs are taken, diseases are had."""


@dataclass(frozen=True)
class Words:
    """Everything that requests about one source are written with.

    Attributes:
        schema: the source's columns.
        lexicon: the parser's phrases, which decide what a word of two meanings stands for.
        measured: the columns of numbers.
        columns: column → what it is called.
        categories: (column, category) → what it is called.
        values: column → its categories that have words.
        conditions: diseases, drugs and clinical words that have a column of their own, one list per meaning.
        coded: diseases that are only codes of the primary diagnosis, one list per meaning.
        codes: the column of diagnosis codes.
    """

    schema: TableSchema
    lexicon: Lexicon
    measured: tuple[Column, ...]
    columns: dict[str, tuple[str, ...]]
    categories: dict[tuple[str, str], tuple[str, ...]]
    values: dict[str, tuple[str, ...]]
    conditions: tuple[tuple[Condition, ...], ...]
    coded: tuple[tuple[Condition, ...], ...]
    codes: Column | None

    def named(self, concept: str) -> Column | None:
        """The source's column for a concept of the catalogue."""
        return self.lexicon.column_for(concept)


@lru_cache(maxsize=4)
def words_for(schema: TableSchema) -> Words:
    """The words of a source; built once per schema."""
    lexicon = lexicon_for(schema)  # pyright: ignore[reportArgumentType] - frozen models hash by value
    columns = {column.name: _column_words(lexicon, column) for column in schema.features}
    categories, conditions, codes = _categories(lexicon), _conditions(lexicon), lexicon.code_column
    coded = tuple(one for one in conditions if codes is not None and one[0].criterion.column == codes.name)
    return Words(
        schema=schema,
        lexicon=lexicon,
        measured=tuple(
            column for column in schema.features if column.kind in (Kind.NUMERIC, Kind.INTEGER) and columns[column.name]
        ),
        columns=columns,
        categories=categories,
        values={name: tuple(value for own, value in categories if own == name) for name, _ in categories},
        conditions=tuple(one for one in conditions if one not in coded),
        coded=coded,
        codes=codes,
    )


def unit_words(unit: str) -> tuple[str, ...]:
    """Spellings of a unit; the unit itself where the grammar has none."""
    known = next((said for name, said in grammar()["unit"].items() if unit_key(name) == unit_key(unit)), ())
    clear = tuple(one for one in known if one not in _AMBIGUOUS_UNITS)
    return clear or (unit,)


def conversions(column: Column) -> dict[str, Conversion]:
    """Units of the column's concept → conversion into the column's own, for units that requests are read in."""
    concept = concept_of(column)
    if concept is None or concept not in catalogue() or column.unit is None:
        return {}
    known = {unit_key(name): name for name in grammar()["unit"]}
    entry = catalogue().concept(concept)
    if unit_key(entry.unit or "") != unit_key(column.unit):
        return {}
    units = {name: found for name, found in entry.units.items() if name in _USUAL.get(concept, (name,))}
    return {known[unit_key(name)]: found for name, found in units.items() if unit_key(name) in known}


def _column_words(lexicon: Lexicon, column: Column) -> tuple[str, ...]:
    concept = concept_of(column)
    said = (column.name.replace("_", " "), column.label, *column_words().get(concept or "", ()), *synonyms_of(concept))
    kept = []
    for phrase in said:
        meaning = lexicon.phrases.get(key_of(phrase), {})
        condition = meaning.get("condition")
        # "nstemi" is a synonym of a wider column, but asks for a disease of its own.
        other = isinstance(condition, Criterion) and condition.column != column.name
        clear = meaning.get("column") == (column.name,) and not {"unit", "category", "filler"} & meaning.keys()
        if clear and not other and phrase not in kept:
            kept.append(phrase[0].lower() + phrase[1:] if phrase[1:2].islower() else phrase)
    return tuple(dict.fromkeys(kept))


def _categories(lexicon: Lexicon) -> dict[tuple[str, str], tuple[str, ...]]:
    found = {}
    for column in lexicon.schema.features:
        if column.kind is not Kind.CATEGORICAL or column.code_system or not column.categories:
            continue
        known = category_words().get(concept_of(column) or column.name, {})
        for value in column.categories:
            said = [value.replace("_", " ").lower()]
            for category, synonyms in known.items():
                if key_of(value) in {key_of(text) for text in (category, *synonyms)}:
                    said += [category.lower(), *synonyms]
            clear = tuple(
                dict.fromkeys(one for one in said if len(one) > 2 and _stands_for(lexicon, one, (column.name, value)))
            )
            if clear:
                found[column.name, value] = clear
    return found


def _stands_for(lexicon: Lexicon, phrase: str, category: tuple[str, str]) -> bool:
    meaning = lexicon.phrases.get(key_of(phrase), {}).get("category")
    return isinstance(meaning, tuple) and [(one.column, one.value) for one in meaning] == [category]  # type: ignore[union-attr]


def _conditions(lexicon: Lexicon) -> tuple[tuple[Condition, ...], ...]:
    said = [words for phrase in phrases() for words in phrase.say]
    said += [words for disease in diseases() for words in (disease.name, *disease.also)]
    for column in lexicon.schema.features:
        if column.kind is Kind.BOOLEAN:
            said += [column.label, *column_words().get(column.name, ()), *synonyms_of(concept_of(column))]
    by_meaning: dict[Criterion, list[Condition]] = {}
    for words in dict.fromkeys(said):
        criterion = lexicon.phrases.get(key_of(words), {}).get("condition")
        if isinstance(criterion, Criterion) and "filler" not in lexicon.phrases[key_of(words)]:
            group = lexicon.schema[criterion.column].group or ""
            by_meaning.setdefault(criterion, []).append(Condition(words, criterion, group))
    return tuple(tuple(found) for found in by_meaning.values())
