"""How the words around a demand lean on the previous spec: "also", "and", "only", "instead", "make it", "up to"."""

from collections.abc import Sequence
from dataclasses import replace

from engine.conversation.rules.facts import Demand, Fact, Limit, Manner, Proportion, column_of
from engine.conversation.rules.items import Item, Request

_ENDS = ("up to", "upto", "maximum", "max", "minimum", "min", "maximum of", "minimum of", "until")


def with_manners(facts: Sequence[Fact], request: Request) -> list[Fact]:
    """The facts, each demand with the manner that the words before its first fact and after its last one say.

    "over 60 and also women" joins the women; a mere "and" joins only where the whole request begins with it, since
    between two demands it joins those.
    """
    found: list[Fact] = []
    for i, fact in enumerate(facts):
        if not isinstance(fact, (Limit, Demand, Proportion)) or fact.manner != "plain":
            found.append(fact)
            continue
        before = request.items[(facts[i - 1].last if i else 0) : fact.first]
        after = request.items[fact.last : (facts[i + 1].first if i + 1 < len(facts) else len(request.items))]
        inside = request.span(fact.first, fact.last).lower()
        manner = _manner(fact, before, after, inside, leads=not i)
        if manner == "plain" and i and column_of(fact) and column_of(facts[i - 1]) == column_of(fact):
            manner = getattr(found[-1], "manner", "plain")
        found.append(replace(fact, manner=manner))
    return found


def _manner(fact: Fact, before: list[Item], after: list[Item], inside: str, *, leads: bool) -> Manner:
    clause = _clause(after)
    if any(item.is_("only") for item in (*before, *clause)):
        return "only"
    if any(item.is_("anew", "instead") for item in (*before, *after)):
        return "anew"
    joins = any(item.is_("also", "include") and not item.is_("recorded") for item in (*before, *clause))
    opening = next((item for item in before if not item.is_("symbol")), None)
    starts = leads and opening is not None and opening.is_("and")
    if joins or starts:
        return "join"
    if isinstance(fact, Limit):
        restricts = leads and opening is not None and opening.is_("but")
        if restricts or any(item.is_("not") for item in before):
            return "join"
        if inside.startswith(_ENDS):
            return "end"
    return "plain"


def _clause(after: list[Item]) -> list[Item]:
    """The items up to the next comma or "and": "women too, over 60" says "too" of the women."""
    end = next((i for i, item in enumerate(after) if item.get("symbol") in (",", ".", ";") or _joins(item)), len(after))
    return after[:end]


def _joins(item: Item) -> bool:
    return item.is_("and") and not item.is_("also")
