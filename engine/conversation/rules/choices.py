"""Words that become a criterion only by choice: "A or B", excluded combinations, diseases that are near a title."""

from dataclasses import replace

from engine.cohort.spec import Criterion
from engine.conversation.rules.facts import Aside, Choice, Demand, Fact, Limit, Problem, column_of
from engine.conversation.rules.items import Item, Request
from engine.conversation.rules.lexicon import Lexicon
from engine.conversation.rules.near_titles import nearest_titles
from engine.conversation.rules.reading import Reading
from engine.conversation.rules.remedies import Trouble, Way


def settle_alternatives(reading: Reading) -> list[Fact]:
    """The facts, with "A or B" on different columns exchanged for a choice: a cohort demands all of its criteria."""
    kept: list[Fact] = []
    for fact in _with_groups(reading):
        before = kept[-1] if kept else None
        if before is not None and _is_both_ways(reading, before, fact):
            kept[-1] = Aside(before.first, fact.last, meaning="no demand: either is meant")
            continue
        if fact.first in reading.combined and before is not None:
            parts: list[Fact] = [
                replace(part, negated=True) for part in _parts(before, fact) if isinstance(part, Demand)
            ]
            text = reading.request.span(before.first, fact.last)
            message = f"A combination (“{text}”) cannot be excluded; exclude one of its parts."
            kept[-1] = _asked(reading, before.first, fact.last, message, parts, "Exclude")
        elif before is not None and _is_alternative(before, fact):
            text = reading.request.span(before.first, fact.last)
            message = (
                f"“{text}” asks for one of two different columns; a cohort demands all of its criteria. "
                "Name one of them."
            )
            kept[-1] = _asked(reading, before.first, fact.last, message, _parts(before, fact), "Only")
        else:
            kept.append(fact)
    return kept


def _is_both_ways(reading: Reading, before: Fact, fact: Fact) -> bool:
    """Whether "smokers and non-smokers" names both sides of one yes/no column."""
    if not (isinstance(before, Demand) and isinstance(fact, Demand)) or before.negated == fact.negated:
        return False
    between = reading.items[before.last : fact.first]
    joined = any(item.is_("and", "or") for item in between) and all(
        item.is_("and", "or", "not", "symbol") for item in between
    )
    return joined and before.criterion == fact.criterion


def _with_groups(reading: Reading) -> list[Fact]:
    """The facts, with "men over 40 and women over 50" exchanged for a choice: ranges are of the whole cohort."""
    facts, i = list(reading.facts), 0
    while i + 4 <= len(facts):
        parts = facts[i : i + 4]
        if _are_groups(parts):
            first, last = parts[0].first, parts[-1].last
            message = f"“{reading.request.span(first, last)}” gives each group a range of its own; choose one group."
            choices = (_group(reading, parts[:2]), _group(reading, parts[2:]))
            facts[i : i + 4] = [Problem(first, last, code="invalid", message=message, choices=choices)]
        i += 1
    return facts


def _are_groups(parts: list[Fact]) -> bool:
    first, one, second, other = parts
    if not (
        isinstance(first, Demand) and isinstance(second, Demand) and isinstance(one, Limit) and isinstance(other, Limit)
    ):
        return False
    same = column_of(first) == column_of(second) and one.column == other.column
    return same and not first.negated and not second.negated and first.criterion != second.criterion


def _group(reading: Reading, parts: list[Fact]) -> Choice:
    words = reading.request.span(parts[0].first, parts[-1].last)
    return Choice(f"Only {words}", tuple(replace(part, joined_by_or=False) for part in parts))  # type: ignore[call-arg]


def _is_alternative(before: Fact, fact: Fact) -> bool:
    if not isinstance(fact, (Demand, Limit)) or not fact.joined_by_or or getattr(fact, "negated", False):
        return False
    if isinstance(before, Problem) and before.choices:
        return all(column_of(part) for choice in before.choices for part in choice.facts)
    negated = isinstance(before, Demand) and before.negated
    return bool(column_of(before)) and column_of(before) != column_of(fact) and not negated


def _parts(before: Fact, fact: Fact) -> list[Fact]:
    """What stands on both sides; "A or B or C" is a choice already, with one more."""
    if isinstance(before, Problem):
        return [*(part for choice in before.choices for part in choice.facts), fact]
    return [before, fact]


def _asked(reading: Reading, first: int, last: int, message: str, parts: list[Fact], verb: str) -> Problem:
    choices = []
    for part in parts:
        words = reading.request.span(part.first, part.last)
        choices.append(Choice(f"{verb} {words}", (replace(part, joined_by_or=False),)))  # type: ignore[call-arg]
    return Problem(first, last, code="invalid", message=message, choices=tuple(choices))


def nearest_diagnoses(
    unknown: list[tuple[int, int]], request: Request, lexicon: Lexicon, facts: list[Fact]
) -> list[Trouble]:
    """For words that may be a disease, the titles of the classification that come nearest; a person chooses."""
    found = []
    column = lexicon.code_column
    for first, last in _gathered(unknown, request) if column is not None else ():
        tokens = request.tokens[request.items[first].first : request.items[last - 1].last]
        words = [token.key for token in tokens if token.kind == "word" and len(token.key) > 3]
        if all(item.is_("column", "number", "symbol", "filler", "and", "or") for item in request.items[first:last]):
            continue  # what is unclear is what of the column is wanted
        if not may_be_demanded(request, first, last):
            continue
        near = nearest_titles(words) if words else []
        if near and column is not None:
            message = f"No column for “{request.span(first, last)}”. The nearest diagnoses are offered; choose one."
            ways = []
            for code, title in near:
                demand = Demand(first, last, criterion=Criterion(column=column.name, starts_with=(code,)))
                ways.append(Way(f"{title} (ICD-9 {code})", facts=(*facts, demand)))
            found.append(Trouble("invalid", message, tuple(ways), blocks=False))
    return found


def may_be_demanded(request: Request, first: int, last: int) -> bool:
    """Whether something demanded can stand there: first of all, after "with", "and" or "no", or before "patients"."""
    before = first - 1
    while before >= 0 and request.items[before].is_("filler") and not request.items[before].is_("but", "patients"):
        before -= 1
    if before < 0 or (last < len(request.items) and request.items[last].is_("patients", "symbol")):
        return True
    return request.items[before].is_("but", "not", "and", "or", "symbol", "condition", "category", "patients", "code")


def _gathered(unknown: list[tuple[int, int]], request: Request) -> list[tuple[int, int]]:
    """Stretches with only filler between them as one: "ulcer of heel and mid foot"."""
    joined: list[tuple[int, int]] = []
    for first, last in unknown:
        between = request.items[joined[-1][1] : first] if joined else []
        if joined and len(between) <= 3 and all(item.is_("filler", "and") or _is_hyphen(item) for item in between):
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    return joined


def _is_hyphen(item: Item) -> bool:
    return item.get("symbol") == "-"
