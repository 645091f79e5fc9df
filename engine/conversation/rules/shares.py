"""Target shares: "half women", "60/40 male to female", "30 % mortality", "equal numbers of men and women"."""

import re

from engine.cohort.spec import Criterion
from engine.conversation.rules.facts import Count, Fact, Problem, Proportion
from engine.conversation.rules.reading import Reading
from engine.schema.table import Column, Kind

_OUT_OF = ("in", "out of", "out", "of", "every", "each")
_BETWEEN = ("filler", "patients", "but", "limit", "all")


def shares(reading: Reading, at: int) -> list[Fact] | None:
    """The shares that start at item ``at``."""
    for matcher in (_counted, _ratio, _named_ratio, _equal, _part_of, _rate):
        found = matcher(reading, at)
        if found:
            return found
    return None


def _part_of(reading: Reading, at: int) -> list[Fact] | None:
    """Reads "30 % women", "a quarter with COPD", "40 percent of the patients died"."""
    share, i = _share_at(reading, at)
    if share is None:
        return None
    i = reading.skip(i, *_BETWEEN, symbols="-")
    negated = False
    if (item := reading.at(i)) is not None and item.is_("not"):
        negated, i = True, reading.skip(i + 1, *_BETWEEN, symbols="-")
    target = _target(reading, i, negated=negated)
    if target is None:
        ranged = reading.at(i)
        if ranged is not None and ranged.is_("operator", "between", "decade"):
            message = "A share of a range of numbers is not possible yet; shares are of categories."
            return [Problem(at, i, code="invalid", message=message)]
        return None
    column, category, end = target
    bound = reading.items[at - 1] if at else None
    if bound is not None and bound.is_("operator") and bound.get("operator") != "=" and category is not None:
        message = f"A share is met exactly, it is not a limit: {share * 100:.3g} % was taken."
        limit = Problem(at - 1, at, code="extrapolated", message=message)
        return [limit, Proportion(at, end, reading.request.notes(at, end), column, category, share)]
    if category is None:
        message = f"A share of this is not possible: it is not one category of {column}."
        return [Problem(at, end, code="invalid", message=message)]
    return [Proportion(at, end, reading.request.notes(at, end), column, category, share)]


def _rate(reading: Reading, at: int) -> list[Fact] | None:
    """Reads "mortality of 15 %", "women: 60 %", "men (40 %)"."""
    item = reading.items[at]
    named = item.is_("column") and not item.is_("category")
    column, category, end = _target(reading, at) or ("", None, at)
    if category is None:
        return None
    i = reading.skip(end, "filler", "but", symbols=":=(") if named else reading.skip(end, symbols=":=(", most=2)
    if (link := reading.at(i)) is not None and link.is_("to") and any(x.is_("move") for x in reading.items[:at]):
        named, i = True, i + 1  # "raise the share of women to 45 %"
    if (op := reading.at(i)) is not None and op.get("operator") == "=":
        i += 1
    if not named and i == end:
        return None
    share, last = _share_at(reading, i)
    if share is None or not reading.items[i].is_("number"):
        return None
    if (closing := reading.at(last)) is not None and closing.get("symbol") == ")":
        last += 1
    elif _target(reading, reading.skip(last, "filler", "but", most=2)) is not None:
        return None  # "with COPD, of whom 60 % smoke": the share is of what follows
    return [Proportion(at, last, reading.request.notes(at, last), column, category, share)]


def _counted(reading: Reading, at: int) -> list[Fact] | None:
    """Reads "120 women and 80 men" (patients and their shares), "one woman for every three men" (shares)."""
    counted: list[tuple[float, str, bool | str]] = []
    i, end, ratio = at, at, False
    while (item := reading.at(i)) is not None and item.is_("number"):
        found = _target(reading, reading.skip(i + 1, "filler", most=1))
        if found is None or found[1] is None:
            break
        counted.append((item.get("number").value, found[0], found[1]))
        end = i = found[2]
        while (link := reading.at(i)) is not None and i - end < 3 and not link.is_("number"):
            ratio = ratio or reading.request.span(i, i + 1).lower() in ("every", "per", "for", "to")
            if not (link.is_("and", "filler", "to", "all") or link.get("symbol") in (",", ":")):
                break
            i += 1
    if len(counted) < 2 or len({column for _, column, _ in counted}) > 1 or len({one for *_, one in counted}) < 2:
        return None
    total = sum(number for number, *_ in counted)
    facts: list[Fact] = [Proportion(at, end, "", column, value, number / total) for number, column, value in counted]
    told = any(isinstance(fact, Count) for fact in reading.facts)
    return facts if ratio or told else [Count(at, end, patients=total), *facts]


def _ratio(reading: Reading, at: int) -> list[Fact] | None:
    """Reads "60/40 male to female", "1:1 men and women"."""
    numbers, i = _pair(reading, at)
    if numbers is None:
        return None
    first = _target(reading, i) or _target(reading, reading.skip(i, "filler", "unit"))
    if first is None or first[1] is None:
        return None
    j = reading.skip(first[2], "to", "and", symbols="/:-,")
    second = _target(reading, j)
    if second is None or second[1] is None or second[0] != first[0]:
        return None
    return _split(at, second[2], (first, second), numbers)


def _named_ratio(reading: Reading, at: int) -> list[Fact] | None:
    """Reads "male to female ratio of 60:40"."""
    first = _target(reading, at) if reading.items[at].is_("category") else None
    if first is None or first[1] is None:
        return None
    second = _target(reading, reading.skip(first[2], "to", "and", symbols="/:-"))
    if second is None or second[1] is None or second[0] != first[0]:
        return None
    numbers, end = _pair(reading, reading.skip(second[2], "filler", symbols=":="))
    if numbers is None:
        return None
    return _split(at, end, (first, second), numbers)


def _split(first: int, last: int, targets: tuple, numbers: tuple[float, float]) -> list[Fact]:
    facts: list[Fact] = []
    for (column, category, _), number in zip(targets, numbers, strict=True):
        facts.append(Proportion(first, last, "", column, category, number / sum(numbers)))
    return facts


def _equal(reading: Reading, at: int) -> list[Fact] | None:
    """Reads "equal numbers of men and women", "as many men as women"."""
    if not reading.items[at].is_("equal_shares"):
        return None
    targets: list[tuple[str, bool | str, int]] = []
    i = reading.skip(at + 1, "filler")
    while (found := _target(reading, i)) is not None and found[1] is not None:
        targets.append((found[0], found[1], found[2]))
        i = reading.skip(found[2], "and", "filler", "equal_shares", symbols=",/")
    if len(targets) < 2 or len({column for column, _, _ in targets}) > 1:
        return None
    facts: list[Fact] = []
    for column, category, _ in targets:
        facts.append(Proportion(at, targets[-1][2], "", column, category, 1 / len(targets)))
    return facts


def _share_at(reading: Reading, at: int) -> tuple[float | None, int]:
    item = reading.at(at)
    if item is None:
        return None, at
    if item.is_("fraction"):
        return float(item.get("fraction")), at + 1
    following = reading.at(at + 1)
    if item.is_("number") and (odds := _odds(reading, at)) is not None:
        return odds
    if item.is_("number") and following is not None and following.is_("ordinal"):
        return item.get("number").value / float(following.get("ordinal")), at + 2  # "two fifths"
    if item.is_("number") and following is not None and following.get("unit") == "%":
        return item.get("number").value / 100, at + 2
    return None, at


def _odds(reading: Reading, at: int) -> tuple[float, int] | None:
    """Reads "one in four", "2 out of 3", "1 in every 10"."""
    i = at + 1
    while (item := reading.at(i)) is not None and reading.request.span(i, i + 1).lower() in _OUT_OF and i - at < 4:
        i += 1
    if item is None or i == at + 1 or not item.is_("number"):
        return None
    part, whole = reading.items[at].get("number").value, item.get("number").value
    return (part / whole, i + 1) if 0 < part < whole <= 1000 and part == int(part) else None


def _pair(reading: Reading, at: int) -> tuple[tuple[float, float] | None, int]:
    one, sign, other = reading.at(at), reading.at(at + 1), reading.at(at + 2)
    if one is None or sign is None or other is None or not (one.is_("number") and other.is_("number")):
        return None, at
    if sign.get("symbol") not in ("/", ":", "-"):
        return None, at
    values = (one.get("number").value, other.get("number").value)
    return (values, at + 3) if min(values) >= 0 and sum(values) > 0 else (None, at)


def _target(reading: Reading, at: int, *, negated: bool = False) -> tuple[str, bool | str | None, int] | None:
    """Column, category and the item after it; the category is None where a share of it cannot be asked."""
    item = reading.at(at)
    if item is None:
        return None
    written = reading.request.span(at, at + 1).upper()
    categories = item.get("category") or (reading.lexicon.letters.get(written) if _is_split(reading, at) else None)
    if categories:
        only = next(iter(categories))
        if len(categories) > 1:
            return None
        column = reading.column(only.column)
        if not negated:
            return only.column, only.value, at + 1
        return only.column, _other(column, only.value), at + 1
    criterion = item.get("condition")
    if criterion is None:
        names = item.get("column")
        if names is None or reading.column(names[0]).kind is not Kind.BOOLEAN:
            return None
        criterion = Criterion(column=names[0], any_of=(True,))
    column = reading.column(criterion.column)
    if column.kind is Kind.BOOLEAN and criterion.any_of is not None:
        return column.name, bool(criterion.any_of[0]) != negated, at + 1
    if criterion.none_of is not None and not negated:
        return column.name, _other(column, str(criterion.none_of[0])), at + 1
    return column.label or column.name, None, at + 1


def _is_split(reading: Reading, at: int) -> bool:
    """Whether item ``at`` is a letter beside another ("m/f"): in lower case a letter alone says nothing."""
    before = reading.request.span(max(0, at - 2), at) if at else ""
    after = reading.request.span(at + 1, at + 3) if at + 2 < len(reading.items) else ""
    return any(re.fullmatch(r"[a-zA-Z] ?[/:-]|[/:-] ?[a-zA-Z]", side.strip()) for side in (before, after) if side)


def _other(column: Column, value: str) -> str | None:
    rest = [text for text in column.categories or () if text != value]
    return rest[0] if len(rest) == 1 else None
