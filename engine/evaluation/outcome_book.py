"""``assets/outcomes.yaml`` as frozen data, and which of its names the columns of a table mean."""

from functools import lru_cache

import yaml
from pydantic import BaseModel, ConfigDict

from engine.cohort.plausibility.rules import rule_book
from engine.core.workspace import ASSETS
from engine.schema.catalogue import normalised
from engine.schema.linking import concept_of, named_unit
from engine.schema.table import Column


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Usual(_Record):
    """An outcome that clinicians usually ask about, where a table has its columns."""

    column: str
    events: tuple[str, ...] = ()
    label: str = ""
    time: str | None = None
    leave_out: tuple[str, ...] = ()
    fallback: bool = False


class Stage(_Record):
    """Columns that are known only ``when``."""

    when: str
    columns: tuple[str, ...]


class OutcomeBook(_Record):
    """``assets/outcomes.yaml``, whose comments say what each part means."""

    words: dict[str, tuple[str, ...]]
    usual: tuple[Usual, ...]
    stages: tuple[Stage, ...]
    defining: dict[str, tuple[str, ...]]
    increments: dict[str, float]


@lru_cache(maxsize=1)
def outcome_book() -> OutcomeBook:
    """The file that ships with the product, read once."""
    return OutcomeBook.model_validate(yaml.safe_load((ASSETS / "outcomes.yaml").read_text(encoding="utf-8")))


def meanings(column: Column) -> frozenset[str]:
    """Names of the catalogue's concepts and the rules' terms that a column's name means."""
    parts = normalised(column.name).split()
    readings = {" ".join(parts)}
    if named_unit(column.name) is not None:
        readings |= {" ".join(parts[:-size]) for size in (1, 2)}
    concept = concept_of(column.name)
    found = {name for reading in readings for name in _terms().get(reading, ())}
    return frozenset(found if concept is None else {*found, concept.name})


@lru_cache(maxsize=1)
def _terms() -> dict[str, set[str]]:
    words: dict[str, set[str]] = {}
    terms = [(term.name, term.synonyms) for term in rule_book().terms]
    for name, synonyms in (*terms, *outcome_book().words.items()):
        for word in (name, *synonyms):
            words.setdefault(normalised(word), set()).add(name)
    return words
