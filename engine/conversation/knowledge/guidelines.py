"""Clinical guidelines as data: what each says of a disease, where it says so, and which columns it speaks of.

A guideline is claimed only where the product acts on it: every entry names columns that it puts on the list of the
disease's important ones (:mod:`engine.conversation.knowledge.ranking`).
"""

import re
from collections.abc import Collection
from functools import lru_cache
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from engine.conversation.contract import Source
from engine.conversation.knowledge.passages import Passage
from engine.core.workspace import ASSETS
from engine.schema.catalogue import catalogue

FOLDER = ASSETS / "guidelines"
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Publication(_Record):
    """A guideline, consensus or validation study, in one edition."""

    title: str
    publisher: str
    edition: str
    year: int = Field(ge=1950, le=2100)
    citation: str

    @property
    def name(self) -> str:
        """Title with publisher and year."""
        return f"{self.title} ({self.publisher}, {self.year})"


class Entry(_Record):
    """One statement, in the project's own words."""

    id: str
    statement: str
    source: str
    """Key of one of the file's publications."""
    section: str
    concepts: tuple[str, ...] = Field(min_length=1)
    """Columns of the catalogue that the statement speaks of."""
    priority: int = Field(ge=1, le=9)
    """1 comes first in a list of important columns."""
    only: tuple[str, ...] = ()
    """The diagnosis columns that it holds for; empty: all of the file."""


class Guideline(_Record):
    """What is recorded for a disease."""

    disease: str
    diagnoses: tuple[str, ...] = Field(min_length=1)
    """The catalogue's columns that say that a patient has the disease."""
    sources: dict[str, Publication]
    entries: tuple[Entry, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_are_known(self) -> "Guideline":
        book = catalogue()
        ids = [entry.id for entry in self.entries]
        if len(ids) != len(set(ids)):
            raise ValueError(f"{self.disease}: an id occurs twice")
        for entry in self.entries:
            if entry.source not in self.sources:
                raise ValueError(f"{self.disease}, {entry.id}: there is no source {entry.source!r}")
            if not set(entry.only) <= set(self.diagnoses):
                raise ValueError(f"{self.disease}, {entry.id}: {entry.only} are not all diagnoses of the file")
            unknown = [name for name in (*entry.concepts, *self.diagnoses) if name not in book]
            if unknown:
                raise ValueError(f"{self.disease}, {entry.id}: the catalogue has no {', '.join(unknown)}")
        return self

    def entries_for(self, diagnosis: str | None) -> list[Entry]:
        """The entries that hold for a diagnosis column of the file (None: for any), the most important first."""
        held = [entry for entry in self.entries if not entry.only or diagnosis is None or diagnosis in entry.only]
        return sorted(held, key=lambda entry: entry.priority)

    def source_of(self, entry: Entry) -> Source:
        """Publication and section of an entry."""
        return Source(title=self.sources[entry.source].name, section=entry.section)


@lru_cache(maxsize=1)
def guidelines() -> tuple[Guideline, ...]:
    """Every file of ``assets/guidelines``, checked.

    Raises:
        ValidationError: a file lacks a field, or names a source or a column that does not exist.
    """
    paths = sorted(FOLDER.glob("*.yaml"))
    return tuple(Guideline.model_validate(yaml.load(path.read_text(encoding="utf-8"), _LOADER)) for path in paths)


def guideline_of(diagnoses: Collection[str]) -> Guideline | None:
    """The file about one of these diagnosis columns of the catalogue."""
    return next((one for one in guidelines() if set(one.diagnoses) & set(diagnoses)), None)


def passage_about(
    concepts: Collection[str], guideline: Guideline | None = None, saying: re.Pattern[str] | None = None
) -> Passage | None:
    """The most important statement about one of these columns of the catalogue, in one file or (None) in any.

    Diseases that have a file of their own are not looked for. ``saying`` has to occur in the statement.
    """
    about = set(concepts) - {name for one in guidelines() for name in one.diagnoses}
    said = [
        (one, entry)
        for one in ((guideline,) if guideline is not None else guidelines())
        for entry in one.entries
        if about & set(entry.concepts) and (saying is None or saying.search(entry.statement))
    ]
    return _quoted(*min(said, key=lambda pair: pair[1].priority)) if said else None


def card_of(guideline: Guideline) -> str:
    """Title of the card that lists a disease's publications."""
    return f"Guidelines for {guideline.disease}"


@lru_cache(maxsize=1)
def passages() -> tuple[Passage, ...]:
    """The list of diseases, each disease's publications, and every entry under its publication and section."""
    diseases = ", ".join(one.disease for one in guidelines())
    found = [Passage("Guidelines", "Diseases", f"Guidelines are recorded for {diseases}.")]
    for one in guidelines():
        publications = "; ".join(f"{source.name}. {source.citation}" for source in one.sources.values())
        found.append(Passage(card_of(one), "Sources", f"{publications}.", f"guidelines for {one.disease}"))
        found += [_quoted(one, entry) for entry in one.entries]
    return tuple(found)


def _quoted(one: Guideline, entry: Entry) -> Passage:
    source, citation = one.source_of(entry), one.sources[entry.source].citation
    initials = "".join(re.findall(r"\b[A-Z]", one.sources[entry.source].publisher))
    words = f"{one.disease} {' '.join(entry.concepts)} {source.title} {initials}".replace("_", " ")
    return Passage(source.title, source.section, f"{entry.statement} ({citation})", words)
