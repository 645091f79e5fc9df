"""Reference populations: the tables of ``assets/populations``, checked.

A table tells how a population divides by age band, sex and ethnicity, for all adults and for adults with a disease. It
is derived from a survey by a command, never written by hand; a test derives it again.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from engine.core.errors import DataError, UserError
from engine.core.workspace import ASSETS

FOLDER = ASSETS / "populations"
FEW = 30
"""Participants below which the survey's authors call a proportion unreliable (NCHS, Analytic Guidelines)."""
# C's loader is nine times faster.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_ROUNDED = 0.5
"""Per cent by which rounded cells may miss 100 together."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Cells(_Record):
    """One age band and sex: per cent of the group and participants, by ethnicity in the table's order."""

    age: int
    sex: str
    percent: tuple[float, ...]
    participants: tuple[int, ...]


class Group(_Record):
    """A part of the population that has a table of its own.

    Attributes:
        name: of the catalogue's yes/no column for it; ``adults`` for everybody.
        label: in a sentence.
        definition: how participants were found to belong to it.
        participants: how many there are.
        least: quantities of the catalogue, in its units, from which on a patient belongs to it by definition.
        age_bands: first completed year of each band; the last one is open.
        cells: each band with each sex.
    """

    name: str
    label: str = Field(min_length=2)
    definition: str = Field(min_length=10)
    participants: int = Field(ge=FEW)
    least: dict[str, float] = Field(default_factory=dict)
    age_bands: tuple[int, ...] = Field(min_length=1)
    cells: tuple[Cells, ...]


class ReferenceTable(_Record):
    """A population with its groups, of which the first is everybody.

    Attributes:
        name: of the file, and in requests.
        title: short, in a sentence ("US population").
        label: of which country and years, in a sentence ("the United States, 2015–2018").
        years: of the survey.
        survey: its short name.
        source: citation.
        method: how the figures were made of it.
        caveats: what to know before relying on them.
        sexes: of the catalogue, in the order of the cells.
        ethnicities: of the catalogue, in the order of the figures.
        includes: other categories of the catalogue that one of ``ethnicities`` holds as well.
        groups: everybody first.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    title: str
    label: str
    years: str
    survey: str
    source: str = Field(min_length=20)
    method: str = Field(min_length=20)
    caveats: tuple[str, ...]
    sexes: tuple[str, ...] = Field(min_length=1)
    ethnicities: tuple[str, ...] = Field(min_length=1)
    includes: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    groups: tuple[Group, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _cells_are_whole(self) -> "ReferenceTable":
        if self.groups[0].name != "adults":
            raise ValueError("the first group must be the adults")
        if not set(self.includes) <= set(self.ethnicities):
            raise ValueError("includes names an ethnicity that the table does not have")
        for group in self.groups:
            self._check(group)
        return self

    def _check(self, group: Group) -> None:
        if list(group.age_bands) != sorted(set(group.age_bands)):
            raise ValueError(f"group {group.name}: the age bands do not ascend")
        if [(one.age, one.sex) for one in group.cells] != [(a, s) for a in group.age_bands for s in self.sexes]:
            raise ValueError(f"group {group.name}: its cells are not each age band with each sex, in order")
        if any(len(figures) != len(self.ethnicities) for one in group.cells for figures in _figures(one)):
            raise ValueError(f"group {group.name}: a cell needs one figure for each ethnicity")
        if min(value for one in group.cells for figures in _figures(one) for value in figures) < 0:
            raise ValueError(f"group {group.name}: a figure is negative")
        total = sum(sum(one.percent) for one in group.cells)
        if abs(total - 100) > _ROUNDED:
            raise ValueError(f"group {group.name}: its cells add up to {total:.2f} %, not to 100 %")
        if sum(sum(one.participants) for one in group.cells) != group.participants:
            raise ValueError(f"group {group.name}: the participants of its cells do not add up to {group.participants}")

    def shares(self, group: Group) -> np.ndarray:
        """(age bands, sexes, ethnicities), adding up to 1."""
        percent = np.array([one.percent for one in group.cells], dtype=float)
        return percent.reshape(self._shape(group)) / percent.sum()

    def participants(self, group: Group) -> np.ndarray:
        """(age bands, sexes, ethnicities) participants behind each share."""
        return np.array([one.participants for one in group.cells]).reshape(self._shape(group))

    @property
    def everybody(self) -> Group:
        """The group of all adults."""
        return self.groups[0]

    def _shape(self, group: Group) -> tuple[int, int, int]:
        return len(group.age_bands), len(self.sexes), len(self.ethnicities)


def _figures(cells: Cells) -> tuple[tuple[float, ...], tuple[int, ...]]:
    return cells.percent, cells.participants


@lru_cache(maxsize=1)
def population_names() -> tuple[str, ...]:
    """Names of the populations that ship, ``us`` first, then the latest first."""
    names = sorted((path.stem for path in FOLDER.glob("*.yaml")), reverse=True)
    return tuple(sorted(names, key=lambda name: name != "us"))


@lru_cache(maxsize=16)
def reference_table(name: str) -> ReferenceTable:
    """The population called ``name``.

    Raises:
        UserError: none is called so.
        DataError: its file is not valid.
    """
    if name not in population_names():
        raise UserError(
            f"no reference population is called {name!r}", remedy=f"There are: {', '.join(population_names())}."
        )
    return read_reference_table((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"), name)


def read_reference_table(text: str, name: str) -> ReferenceTable:
    """The population in a YAML text.

    Raises:
        DataError: it is not YAML, not valid, or calls itself otherwise than ``name``; says why.
    """
    where = str(Path("assets/populations") / f"{name}.yaml")
    try:
        table = ReferenceTable.model_validate(yaml.load(text, Loader=_LOADER))
    except yaml.YAMLError as error:
        raise DataError("the reference population is not YAML", where=where) from error
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise DataError(
            f"the reference population is not valid: {first['msg'].removeprefix('Value error, ')}",
            where=f"{where} {'.'.join(str(part) for part in first['loc'])}".strip(),
        ) from error
    if table.name != name:
        raise DataError(f"the reference population calls itself {table.name!r}", where=where)
    return table
