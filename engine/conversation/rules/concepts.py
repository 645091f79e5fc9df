"""Which concept of the clinical catalogue a source's column is, and what a value in another unit is in the column's."""

from contextlib import suppress
from functools import lru_cache

from engine.cohort.vocabulary import column_words
from engine.conversation.rules.tokens import key_of
from engine.core.errors import UserError
from engine.schema.catalogue import catalogue, unit_key
from engine.schema.table import Column

_DIGITS = 4
_SCALES = (
    {"cm": 1.0, "m": 100.0, "mm": 0.1, "inch": 2.54, "ft": 30.48},
    {"kg": 1.0, "g": 0.001, "lb": 0.45359237, "stone": 6.35029318},
    {"mmhg": 1.0, "kpa": 7.500617},
)
"""Length, weight, pressure: unit → how much of the first one it is."""

_HOURS = {"minutes": 1 / 60, "hours": 1.0, "days": 24.0, "weeks": 168.0, "months": 730.5, "years": 8766.0}
_TIME_NAMES = {"h": "hours", "hour": "hours", "hours": "hours", "d": "days", "day": "days", "days": "days",
               "years": "years", "year": "years", "y": "years", "weeks": "weeks", "months": "months",
               "min": "minutes", "minutes": "minutes"}  # fmt: skip


def concept_of(column: Column) -> str | None:
    """Name of the catalogue's concept that ``column`` records, by its name, words or label; None: unknown."""
    return _concept(column.name, column.label, column.code_system is not None)


@lru_cache(maxsize=4096)
def _concept(name: str, label: str, is_code: bool) -> str | None:
    book = catalogue()
    if name in book:
        return name
    spaced = name.replace("_", " ")
    for text in filter(None, (spaced, label)):
        found = book.find(text)
        # An uploaded "diagnosis" need not hold codes.
        if found is not None and (is_code or found.code_system is None):
            return found.name
    keys = {key_of(text) for text in (spaced, label) if text}
    for concept, words in column_words().items():
        if any(key_of(word) in keys for word in words) and (is_code or concept != "primary_icd9_code"):
            return concept
    return None


def synonyms_of(concept: str | None) -> tuple[str, ...]:
    """The catalogue's synonyms of a concept; empty where it knows none."""
    return catalogue().concept(concept).synonyms if concept is not None and concept in catalogue() else ()


def drugs_of(concept: str | None) -> tuple[str, ...]:
    """The drugs that a concept stands for, as a prescription names them; empty for others."""
    return catalogue().concept(concept).mimic3.drugs if concept is not None and concept in catalogue() else ()


def units_of(concept: str | None) -> tuple[str, ...]:
    """The units that the catalogue converts to a concept's own."""
    return tuple(catalogue().concept(concept).units) if concept is not None and concept in catalogue() else ()


def convert(value: float, *, unit: str | None, column: Column, concept: str | None) -> float | None:
    """``value`` in ``unit`` as a value in the column's unit; None where the two units do not go together."""
    if unit is None or column.unit is None or unit_key(unit) == unit_key(column.unit):
        return value
    if unit in _HOURS and (own := time_unit(column)) is not None:
        return value * _HOURS[unit] / _HOURS[own]
    converted = None
    known = catalogue().concept(concept).unit if concept is not None and concept in catalogue() else None
    if concept is not None and known is not None and unit_key(known) == unit_key(column.unit):
        with suppress(UserError):
            converted = catalogue().convert(concept, value, unit)
    if converted is None and (factor := _plain_factor(unit, column.unit)) is not None:
        converted = value * factor
    # Digits that only the conversion factor made are not meant: 152 µmol/L is 1.72 mg/dL.
    return None if converted is None else round(converted, _DIGITS)


def _plain_factor(unit: str, own: str) -> float | None:
    """What one ``unit`` of length, weight or pressure is in ``own``; None for others."""
    for scale in _SCALES:
        if unit_key(unit) in scale and unit_key(own) in scale:
            return scale[unit_key(unit)] / scale[unit_key(own)]
    return None


def is_time(unit: str | None) -> bool:
    """Whether ``unit`` is one of time."""
    return unit in _HOURS


def hours(unit: str) -> float:
    """The hours of a unit of time."""
    return _HOURS[unit]


def time_unit(column: Column) -> str | None:
    """The column's unit as one of the grammar's units of time; None for other columns."""
    return _TIME_NAMES.get((column.unit or "").lower())
