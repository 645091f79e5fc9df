"""What is taken back of the previous spec: "drop the age limit", "both sexes", "COPD isn't needed", "swap X for Y"."""

from engine.cohort.spec import Criterion
from engine.conversation.rules.facts import Columns, Fact, Removal
from engine.conversation.rules.reading import Reading
from engine.schema.table import Kind

EVERYTHING = "*"
"""Stands for every column that something is demanded of."""
_DEMANDING = ("operator", "number", "between", "category", "recorded", "high", "low", "normal", "to")
_EXCLUDING = ("leave", "remove", "drop", "take", "without", "get rid", "delete", "do without", "kick", "throw")
_ARROWS = ("->", "→", "=>", "-->")


def any_of_it(reading: Reading, at: int) -> Fact | None:
    """Reads "both sexes", "all ages", "regardless of ethnicity": whatever was demanded of it is dropped."""
    if not reading.items[at].is_("bothof"):
        return None
    i = reading.skip(at + 1, "limit", most=1) if not reading.items[at].is_("filler") else at + 1
    names = (item.get("column") if (item := reading.at(i)) is not None else None) or ()
    following = reading.at(i + 1)
    column = reading.column(names[0]) if names else None
    if column is None or column.kind is Kind.BOOLEAN or (following is not None and following.is_(*_DEMANDING)):
        return None
    return Removal(at, i + 1, columns=(column.name,), wanted=False)


def removal(reading: Reading, at: int) -> Fact | None:
    """Reads "drop the age limit", "without the diabetes criterion", "remove sex", "drop the column BMI"."""
    item = reading.items[at]
    cue = reading.request.span(at, at + 1).lower()
    takes_back = item.is_("remove") or (item.is_("instead") and cue in ("instead of", "rather than"))
    if not takes_back and not item.is_("not"):
        return None
    hides = item.is_("hide")
    i = reading.skip(at + 1, "filler", "all", "limit", "also", "patients", "bothof", most=3)
    if (named := reading.at(i)) is not None and named.is_("columns"):
        hides, i = True, reading.skip(i + 1, "filler")
    if takes_back and i > at + 1 and reading.items[i - 1].is_("limit") and reading.at(i) is None:
        return Removal(at, i, columns=(EVERYTHING,))  # "drop all criteria"
    named, last, limited = _listed(reading, i)
    limited = limited or any(one.is_("limit") and not one.is_("filler") for one in reading.items[at + 1 : i])
    if not named:
        return None
    if takes_back and (noun := reading.at(last)) is not None and noun.is_("columns"):
        hides, last = True, last + 1  # "remove the BMI column"
    names = tuple(dict.fromkeys(column for column, _ in named))
    if limited:
        return Removal(at, last, columns=names)
    if not takes_back:
        return None  # "without diabetes" is a demand; only "without the diabetes criterion" takes one back.
    if hides:
        return Columns(at, last, names=names, how="drop")
    criteria = tuple(criterion for _, criterion in named if criterion is not None)
    excludes = cue.startswith(_EXCLUDING) and len(criteria) == len(named)
    return Removal(at, last, columns=names, criteria=criteria, excludes=excludes)


def _listed(reading: Reading, at: int) -> tuple[list[tuple[str, Criterion | None]], int, bool]:
    """The columns named one after another from item ``at`` on, the item after them, and whether "limit" was said."""
    named: list[tuple[str, Criterion | None]] = []
    last, limited, i = at, False, at
    while reading.at(i) is not None:
        found = _named(reading, i)
        if not found:
            break
        named += found
        last = i + 1
        while (noun := reading.at(last)) is not None and noun.is_("limit") and not noun.is_("columns"):
            limited, last = True, last + 1
        i = reading.skip(last, "and", symbols=",")
        if i == last:
            break
        i = reading.skip(i, "filler") if not (reading.at(i) and _named(reading, i)) else i
    return named, last, limited


def unneeded(reading: Reading, at: int) -> Fact | None:
    """Reads "COPD isn't needed any more", "the sex does not matter"."""
    named = _named(reading, at)
    i = reading.skip(at + 1, "limit")
    told = reading.at(i)
    if not named or told is None or not told.is_("unneeded"):
        return None
    return Removal(at, i + 1, columns=tuple(dict.fromkeys(column for column, _ in named)), wanted=False)


def swapped(reading: Reading, at: int) -> Fact | None:
    """Reads what goes in "swap X for Y", "replace X with Y", "X -> Y", "not X but Y"; Y is read as any demand is."""
    i, links = at, _ARROWS
    if reading.items[at].is_("swap"):
        i, links = reading.skip(at + 1, "filler", "patients"), ("for", "with", "by", "to", "into", *_ARROWS)
    elif reading.items[at].is_("not"):
        i, links = reading.skip(at + 1, "filler"), ("but",)
    named = _named(reading, i) if reading.at(i) is not None else []
    link = reading.skip(i + 1, "limit", "patients", "plural_s") if named else i
    if reading.at(link) is None or reading.request.span(link, link + 1).lower() not in links:
        return None
    target = reading.skip(link + 1, "filler", "patients")
    if (new := reading.at(target)) is None or not new.is_("category", "condition"):
        return None
    names = tuple(dict.fromkeys(column for column, _ in named))
    criteria = tuple(criterion for _, criterion in named if criterion is not None)
    return Removal(at, link + 1, columns=names, wanted=False, criteria=criteria)


def _named(reading: Reading, at: int) -> list[tuple[str, Criterion | None]]:
    """The columns that item ``at`` is about, each with the criterion that it stands for (None for a column's name)."""
    item = reading.items[at]
    if (criterion := item.get("condition")) is not None:
        return [(criterion.column, criterion)]
    if (categories := item.get("category")) is not None:
        return [(one.column, Criterion(column=one.column, any_of=(one.value,))) for one in categories]
    names = item.get("column")
    return [(names[0], None)] if names is not None else []
