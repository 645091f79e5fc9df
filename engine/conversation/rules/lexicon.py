"""Every phrase that means something for a source: columns and categories, diseases, the words of the grammar."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import lru_cache

from engine.cohort.spec import Criterion
from engine.cohort.vocabulary import chapters, column_words, diseases, grammar, phrases
from engine.conversation.rules.bands import bands_of
from engine.conversation.rules.concepts import concept_of, drugs_of, synonyms_of, units_of
from engine.conversation.rules.naming import counted, spaced, words_for
from engine.conversation.rules.numbers import number_words
from engine.conversation.rules.tokens import key_of
from engine.schema.table import Column, Kind, TableSchema

_MAX_CATEGORIES = 300
# Categories that are everyday words are understood beside their column's name only.
_TOO_COMMON = {
    (word,) for word in ("norm", "not", "other", "unknown", "none", "normal", "missing", "yes", "false", "true")
}
_NEGATIVE = {"no", "none", "never", "0", "false"}


@dataclass(frozen=True)
class Category:
    """A category of a column, as the source writes it."""

    column: str
    value: str


@dataclass(frozen=True)
class Unavailable:
    """A known disease or clinical word that the source has no column or code for."""

    name: str
    wanted: str
    nearest: str = ""


Meaning = str | tuple[str, ...] | tuple[Category, ...] | Criterion | Unavailable


@dataclass
class Lexicon:
    """Phrases (folded words) → part of speech → what they mean; built once per schema."""

    schema: TableSchema
    phrases: dict[tuple[str, ...], dict[str, Meaning]] = field(default_factory=dict)
    prefixes: set[tuple[str, ...]] = field(default_factory=set)
    words: set[str] = field(default_factory=set)
    core: set[str] = field(default_factory=set)
    """The words of columns, categories and comparisons with five letters or more: a four-letter word is one of these
    without a letter, or left alone."""
    letters: dict[str, tuple[Category, ...]] = field(default_factory=dict)
    """Categories of one capital letter ("F"), which are understood as written only."""
    concepts: dict[str, str] = field(default_factory=dict)
    """Concept of the catalogue → the source's column."""

    def add(self, phrase: str, part: str, meaning: Meaning, *, replace: bool = False) -> None:
        """Let ``phrase`` mean ``meaning`` as ``part``; the first meaning of a part stays unless ``replace``."""
        key = key_of(phrase)
        if not key:
            return
        parts = self.phrases.setdefault(key, {})
        if part not in parts or replace:
            parts[part] = meaning
        elif (part == "column" and isinstance(parts[part], tuple) and isinstance(meaning, tuple)) or (
            part == "category" and isinstance(parts[part], tuple) and isinstance(meaning, tuple)
        ):
            parts[part] = tuple(dict.fromkeys((*parts[part], *meaning)))  # type: ignore[assignment]
        for length in range(1, len(key)):
            self.prefixes.add(key[:length])
        words = [word for word in key if len(word) > 3 and word.isalpha()]
        self.words.update(words)
        if part in ("column", "category", "operator", "patients"):
            self.core.update(word for word in words if len(word) > 4)

    def column_for(self, concept: str) -> Column | None:
        """The source's column for a concept of the catalogue."""
        name = self.concepts.get(concept)
        return self.schema[name] if name else None

    @property
    def code_column(self) -> Column | None:
        """The column of diagnosis codes (ICD-9-CM), the primary one first."""
        coded = [column for column in self.schema.features if column.code_system == "icd9"]
        return next((column for column in coded if "primary" in column.name), coded[0] if coded else None)


@lru_cache(maxsize=8)
def lexicon_for(schema: TableSchema) -> Lexicon:
    """The lexicon of a source, cached: building it takes tens of milliseconds, reading a request none."""
    lexicon = Lexicon(schema)
    _add_columns(lexicon)
    pieces = _add_categories(lexicon)
    _add_phrases(lexicon)
    _add_diseases(lexicon)
    for column in schema.features:
        # After the curated diseases: "cirrhosis" is narrower than the flag that it is a synonym of in the catalogue.
        concept = concept_of(column)
        _add_condition(
            lexicon, column, (*column_words().get(concept or "", ()), *synonyms_of(concept), *drugs_of(concept))
        )
    for piece, meaning in pieces:
        if key_of(piece) not in lexicon.phrases:
            lexicon.add(piece, "category", meaning)
    _add_units(lexicon)
    lexicon.words.update(word for word in number_words() if len(word) > 4)
    for part, values in grammar().items():
        for value, words in values.items():
            for word in words:
                lexicon.add(word, part, value)
    return lexicon


def positive(column: Column) -> Criterion | None:
    """The criterion that a bare mention of a yes/no column stands for; None for other columns."""
    if column.kind is Kind.BOOLEAN:
        return Criterion(column=column.name, any_of=(True,))
    if column.kind is Kind.CATEGORICAL and column.categories and len(column.categories) <= 4:
        negative = [text for text in column.categories if text.lower() in _NEGATIVE]
        if len(negative) == 1 and len(column.categories) > 1:
            return Criterion(
                column=column.name, any_of=tuple(text for text in column.categories if text not in negative)
            )
    return None


def _add_columns(lexicon: Lexicon) -> None:
    for column in lexicon.schema.features:
        concept = concept_of(column)
        if concept and concept not in lexicon.concepts:
            lexicon.concepts[concept] = column.name
        own = [column.name, spaced(column.name), column.label, *counted(column.name)]
        for phrase in (*own, *column_words().get(concept or "", ()), *synonyms_of(concept)):
            lexicon.add(phrase, "column", (column.name,))
        _add_condition(lexicon, column, own)


def _add_condition(lexicon: Lexicon, column: Column, words: Collection[str]) -> None:
    criterion = positive(column)
    if criterion is not None and column.name != lexicon.concepts.get("died_in_hospital"):
        for phrase in words:
            lexicon.add(phrase, "condition", criterion)


def _add_categories(lexicon: Lexicon) -> list[tuple[str, tuple[Category, ...]]]:
    """Add every category under its own text and words; returns the parts of compound ones ("Surgery/Trauma")."""
    pieces: list[tuple[str, tuple[Category, ...]]] = []
    for column in lexicon.schema.features:
        known = column.categories or ()
        if column.kind is not Kind.CATEGORICAL or column.code_system or len(known) > _MAX_CATEGORIES:
            continue
        if bands_of(column):
            continue
        words = words_for(column)
        for value in known:
            meaning = (Category(column.name, value),)
            if len(value) == 1 and value.isupper():
                lexicon.letters.setdefault(value, meaning)
            written = spaced(value)
            said = [written]
            for category, synonyms in words.items():
                folded = {key_of(text) for text in (category, *synonyms)}
                if key_of(written) in folded:
                    said += [category, *synonyms]
            for phrase in said:
                if len(phrase.strip()) > 2 and key_of(phrase) not in _TOO_COMMON:
                    lexicon.add(phrase, "category", meaning)
            cut = re.split(r"[/()]", written)
            pieces += [(piece, meaning) for piece in cut if len(piece) > 3 and len(cut) > 1]
        for synonyms in words.values():
            # A category that the catalogue knows and this source lacks.
            for phrase in synonyms:
                if not {"category", "column"} & lexicon.phrases.get(key_of(phrase), {}).keys():
                    lexicon.add(phrase, "unavailable", Unavailable(synonyms[0], column.name))
    return pieces


def _add_units(lexicon: Lexicon) -> None:
    """The units of the columns, and those that the catalogue converts to them."""
    for column in lexicon.schema.features:
        for unit in (column.unit, *units_of(concept_of(column))):
            if unit and key_of(unit) not in lexicon.phrases:
                lexicon.add(unit, "unit", unit)


def _add_phrases(lexicon: Lexicon) -> None:
    for phrase in phrases():
        column = lexicon.column_for(phrase.criterion.column)
        for words in phrase.say:
            if column is None:
                if any("column" in lexicon.phrases.get(key_of(words)[:length], {}) for length in (1, 2, 3)):
                    continue
                lexicon.add(words, "unavailable", Unavailable(words, phrase.criterion.column))
            elif column.kind is Kind.BOOLEAN or phrase.criterion.any_of is None:
                criterion = phrase.criterion.model_copy(update={"column": column.name})
                lexicon.add(words, "condition", criterion)
            elif (criterion := positive(column)) is not None and phrase.criterion.any_of == (True,):
                lexicon.add(words, "condition", criterion)


def _add_diseases(lexicon: Lexicon) -> None:
    codes = lexicon.code_column
    for disease in diseases():
        flag = lexicon.column_for(disease.flag) if disease.flag else None
        meaning: Criterion | Unavailable
        if flag is not None and positive(flag) is not None:
            meaning = positive(flag) or Unavailable(disease.name, disease.name)
        elif codes is not None:
            meaning = Criterion(column=codes.name, starts_with=disease.icd9)
        else:
            meaning = Unavailable(disease.name, disease.flag or disease.name, _nearest(lexicon, disease.icd9[0]))
        part = "unavailable" if isinstance(meaning, Unavailable) else "condition"
        own = lexicon.phrases.get(key_of(disease.name), {}).get("category")
        if own is not None and isinstance(meaning, Unavailable):
            # The source's own category of that name: "diabetes(250)".
            part, meaning = "category", own  # type: ignore[assignment]
        for phrase in (disease.name, *disease.also):
            measured = part == "condition" and "condition" in lexicon.phrases.get(key_of(phrase), {})
            lexicon.add(phrase, "coded" if measured else part, meaning)
    for chapter in chapters():
        for name in chapter.names:
            if codes is not None:
                lexicon.add(name, "condition", Criterion(column=codes.name, between_codes=(chapter.range,)))
        known = [lexicon.phrases.get(key_of(name), {}).get("category") for name in chapter.names]
        if codes is None and (category := next((meaning for meaning in known if meaning), None)):
            for name in chapter.names:
                lexicon.add(name, "category", category)


def _nearest(lexicon: Lexicon, code: str) -> str:
    """The source's category for the chapter of ``code``, as a hint."""
    for chapter in chapters():
        if chapter.range[0] <= code.ljust(3, "0") <= chapter.range[1]:
            for name in chapter.names:
                meaning = lexicon.phrases.get(key_of(name), {}).get("category")
                if isinstance(meaning, tuple) and isinstance(meaning[0], Category):
                    return f"{meaning[0].column} = {meaning[0].value}"
    return ""
