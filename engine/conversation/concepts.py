"""Which concept of the clinical catalogue a source's column is, and what a value in another unit is in the column's."""

from engine.cohort.vocabulary import category_words, column_words, phrases
from engine.conversation.tokens import key_of
from engine.schema.table import Column, Kind

_HOURS = {"minutes": 1 / 60, "hours": 1.0, "days": 24.0, "weeks": 168.0, "months": 730.5, "years": 8766.0}
_TIME_NAMES = {"h": "hours", "hour": "hours", "hours": "hours", "d": "days", "day": "days", "days": "days",
               "years": "years", "year": "years", "y": "years", "weeks": "weeks", "months": "months",
               "min": "minutes", "minutes": "minutes"}  # fmt: skip


def concept_of(column: Column) -> str | None:
    """Name of the catalogue's concept that ``column`` records, by its own name, its synonyms or its label."""
    known = {*column_words(), *category_words(), *(phrase.criterion.column for phrase in phrases())}
    if column.name in known:
        return column.name
    key = key_of(column.name.replace("_", " "))
    for name, words in column_words().items():
        if any(key_of(word) == key for word in words) and _suits(column, name):
            return name
    return column.name


def synonyms_of(concept: str | None) -> tuple[str, ...]:
    """The catalogue's synonyms of a concept; empty where it knows none."""
    return ()


def convert(value: float, *, unit: str | None, column: Column, concept: str | None) -> float | None:
    """``value`` in ``unit`` as a value in the column's unit; None where the two units do not go together."""
    if unit is None or column.unit is None or _plain(unit) == _plain(column.unit):
        return value
    if unit in _HOURS:
        own = _TIME_NAMES.get(column.unit.lower())
        return value * _HOURS[unit] / _HOURS[own] if own else None
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


def _plain(unit: str) -> str:
    return unit.lower().replace("²", "2").replace("µ", "u").replace(" ", "").replace("^", "")


def _suits(column: Column, concept: str) -> bool:
    # "diagnosis" names the code column of MIMIC; an uploaded column of that name need not hold codes.
    return concept != "primary_icd9_code" or column.code_system is not None or column.kind is Kind.CATEGORICAL
