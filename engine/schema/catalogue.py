"""The clinical dictionary: ``assets/catalogue.yaml`` as typed, frozen concepts.

It feeds preparation (item numbers, conversions, plausible ranges), forms and plots (labels, units, reference ranges),
the chat (synonyms, units) and exports (LOINC, descriptions).
"""

from functools import cached_property, lru_cache
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from engine.core.errors import UserError
from engine.core.workspace import ASSETS
from engine.schema.table import Column, Kind, Role, TableSchema

Sex = Literal["F", "M"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Conversion(_Record):
    """``value * factor + offset`` in the concept's unit."""

    factor: float = 1.0
    offset: float = 0.0

    def apply(self, value: float) -> float:
        """``value`` in the concept's unit."""
        return value * self.factor + self.offset


class ChartItem(Conversion):
    """An item of CHARTEVENTS, with the unit that it is recorded in where it is not the concept's."""

    item: int
    unit: str | None = None


class Mimic3(_Record):
    """Where MIMIC-III keeps a concept."""

    lab: tuple[int, ...] = ()
    """Items of LABEVENTS, the preferred one first."""
    chart: tuple[ChartItem, ...] = ()
    """Items of CHARTEVENTS (MetaVision and CareVue), the preferred ones first."""
    drugs: tuple[str, ...] = ()
    """Beginnings of words in drug names, lower case."""
    inputevents: tuple[int, ...] = ()
    """Items of INPUTEVENTS_MV and INPUTEVENTS_CV."""
    procedure_codes: tuple[str, ...] = ()
    """ICD-9-CM procedure codes without the dot, as prefixes."""
    procedureevents: tuple[int, ...] = ()
    """Items of PROCEDUREEVENTS_MV."""
    comorbidity: bool = False
    """Derived from the admission's ICD-9-CM codes (:mod:`engine.schema.icd9`)."""


class Concept(_Record):
    """A column that clinicians know, with its unit, ranges, words and codes.

    ``kind`` is a column kind, or ``"key"`` (names the patient) or ``"excluded"`` (names a record).
    """

    name: str
    label: str
    group: str
    kind: Literal["numeric", "integer", "categorical", "boolean", "date", "key", "excluded"] = "numeric"
    unit: str | None = None
    decimals: int | None = None
    plausible: tuple[float, float] | None = None
    reference: tuple[float, float] | dict[Sex, tuple[float, float]] | None = None
    categories: tuple[str, ...] | None = None
    category_labels: dict[str, str] = Field(default_factory=dict)
    code_system: str | None = None
    synonyms: tuple[str, ...] = ()
    loinc: str | None = None
    units: dict[str, Conversion] = Field(default_factory=dict)
    description: str = ""
    mimic3: Mimic3 = Mimic3()
    in_mimic3: bool = True
    """Whether a table of MIMIC-III can have it; other sources record more."""

    @model_validator(mode="after")
    def _ranges_are_nested(self) -> "Concept":
        if self.reference is not None and self.plausible is not None:
            low, high = self.reference_range()
            if not self.plausible[0] <= low <= high <= self.plausible[1]:
                raise ValueError(f"{self.name}: the reference range is not inside the plausible range")
        return self

    def reference_range(self, sex: Sex | None = None) -> tuple[float, float]:
        """Reference range of one sex, or the one that covers both; ``(-inf, inf)`` where there is none."""
        if self.reference is None:
            return float("-inf"), float("inf")
        if isinstance(self.reference, dict):
            if sex is not None:
                return self.reference[sex]
            lows, highs = zip(*self.reference.values(), strict=True)
            return min(lows), max(highs)
        return self.reference


class Catalogue:
    """The concepts, by name and by what people call them."""

    def __init__(self, concepts: tuple[Concept, ...]) -> None:
        self.concepts = concepts
        self._by_name = {concept.name: concept for concept in concepts}

    @classmethod
    def load(cls) -> "Catalogue":
        """Read the dictionary that ships with the product."""
        entries = yaml.load((ASSETS / "catalogue.yaml").read_text(encoding="utf-8"), Loader=_LOADER)
        return cls(tuple(Concept.model_validate(entry) for entry in entries))

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def concept(self, name: str) -> Concept:
        """The concept of that name.

        Raises:
            UserError: there is none.
        """
        if name not in self._by_name:
            raise UserError(f"the catalogue has no concept {name!r}")
        return self._by_name[name]

    def find(self, text: str) -> Concept | None:
        """The concept whose name, label or synonym is ``text``, whatever its case and punctuation."""
        return self._by_word.get(normalised(text))

    def column(self, name: str) -> Column:
        """The concept as a table's column, with public bounds and categories.

        Raises:
            UserError: there is no such concept.
        """
        concept = self.concept(name)
        low, high = concept.reference_range() if concept.reference is not None else (None, None)
        role = {"key": Role.PATIENT_KEY, "excluded": Role.EXCLUDED}.get(concept.kind, Role.FEATURE)
        return Column(
            name=concept.name,
            kind=Kind.CATEGORICAL if role is not Role.FEATURE else Kind(concept.kind),
            role=role,
            label=concept.label,
            unit=concept.unit,
            minimum=concept.plausible[0] if concept.plausible else None,
            maximum=concept.plausible[1] if concept.plausible else None,
            bounds_are_public=concept.plausible is not None,
            decimals=concept.decimals,
            categories=concept.categories,
            categories_are_public=concept.categories is not None,
            code_system=concept.code_system,
            group=concept.group,
            description=concept.description,
            loinc=concept.loinc,
            reference_low=low,
            reference_high=high,
        )

    def convert(self, name: str, value: float, unit: str) -> float:
        """``value`` given in ``unit`` as the concept's own unit.

        Raises:
            UserError: the concept has no conversion from that unit; names those it has.
        """
        concept = self.concept(name)
        wanted = unit_key(unit)
        if unit_key(concept.unit or "") == wanted:
            return value
        for known, conversion in concept.units.items():
            if unit_key(known) == wanted:
                return conversion.apply(value)
        units = ", ".join(filter(None, [concept.unit, *concept.units]))
        raise UserError(f"{concept.label} is not measured in {unit!r}", remedy=f"Use {units or 'a number'}.")

    def mimic3_schema(self) -> TableSchema:
        """Every column that a complete MIMIC-III folder can give; code lists are left open."""
        recorded = (concept.name for concept in self.concepts if concept.in_mimic3)
        return TableSchema(columns=tuple(self.column(name) for name in recorded))

    @cached_property
    def _by_word(self) -> dict[str, Concept]:
        words: dict[str, Concept] = {}
        for spelled in (_names, _synonyms):  # a name or label wins over another concept's synonym
            for concept in self.concepts:
                for word in spelled(concept):
                    words.setdefault(normalised(word), concept)
        return words


def normalised(text: str) -> str:
    """Lower case, letters and digits only, single blanks between words."""
    return " ".join("".join(sign if sign.isalnum() else " " for sign in text.lower()).split())


def unit_key(unit: str) -> str:
    """A unit's spelling without the differences that mean nothing (``µ``/``u``/``mc``, ``K/uL`` = ``10^9/L``)."""
    key = unit.lower().translate(_SIGNS).removeprefix("degrees").removeprefix("degree").removeprefix("deg")
    key = key.removeprefix("x") if key.startswith("x10") else key
    key = key.replace("mcmol", "umol").replace("mcg", "ug").replace("mcl", "ul")
    return _SAME_UNITS.get(key, key)


_SIGNS = str.maketrans(
    {"μ": "u", "µ": "u", "×": "x", "²": "2", "³": "3", "⁶": "6", "⁹": "9", " ": "", "^": "", "*": "", ".": ""}
)
_SPELLINGS = {
    "%": "percent g/100g",
    "10^9/L": "K/uL K/mm3 10e9/L 10^3/uL 10e3/uL 10^3/mm3 thou/uL thousand/uL thousand/mm3 /nL",
    "10^12/L": "M/uL M/mm3 10e12/L 10^6/uL 10e6/uL 10^6/mm3 million/uL million/mm3",
    # Trials write cells/ml where counts per microlitre are meant; per millilitre no patient would be alive.
    "cells/uL": "/uL /mm3 cells/mm3 cells/cumm cells/ml",
    "g/dL": "gm/dL g/100ml gm/100ml g% gm%",
    "U/L": "IU/L units/L",
    "mIU/L": "uIU/mL uU/mL mU/L",
    "ng/mL": "ug/L",
    "ng/L": "pg/mL",
    "mmHg": "torr",
    "/min": "bpm beats/min beatsperminute breaths/min breathsperminute insp/min perminute 1/min",
    "°C": "C celsius",
    "°F": "F fahrenheit",
    "s": "sec secs second seconds",
    "minutes": "min mins minute",
    "h": "hours hour hrs hr",
    "days": "day d",
    "weeks": "week wk wks",
    "months": "month mo mos",
    "years": "year yrs yr y",
    "kg": "kgs kilo kilos kilogram kilograms",
    "g": "gram grams",
    "lb": "lbs pound pounds",
    "oz": "ounce ounces",
    "stone": "stones st",
    "inch": "inches in",
    "ft": "feet foot",
    "cm": "centimeter centimeters centimetre centimetres",
    "mm": "millimeter millimeters millimetre millimetres",
    "m": "meter meters metre metres",
}
"""One spelling of a unit → the others that people and databases write."""

_SAME_UNITS: dict[str, str] = {}
_SAME_UNITS.update({unit_key(other): unit_key(unit) for unit, others in _SPELLINGS.items() for other in others.split()})
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _names(concept: Concept) -> tuple[str, ...]:
    return (concept.name, concept.label)


def _synonyms(concept: Concept) -> tuple[str, ...]:
    return concept.synonyms


@lru_cache(maxsize=1)
def catalogue() -> Catalogue:
    """The shipped catalogue, read once."""
    return Catalogue.load()
