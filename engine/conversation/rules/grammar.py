"""The grammar: at each item the first matcher that recognises something takes it; the rest is filler or unknown."""

from collections.abc import Callable
from dataclasses import replace

from engine.conversation.rules.bounds import moved
from engine.conversation.rules.categories import (
    category,
    column_then_category,
    is_only_a_noun,
    names_its_category,
)
from engine.conversation.rules.column_lists import column_list
from engine.conversation.rules.column_runs import column_run
from engine.conversation.rules.counts import count, population, restart
from engine.conversation.rules.diagnoses import codes
from engine.conversation.rules.facts import Demand, Fact, Limit, column_of
from engine.conversation.rules.figures import figure
from engine.conversation.rules.illnesses import condition, either_way, flag_value, title, unavailable
from engine.conversation.rules.limits import column_then_range, range_then_column
from engine.conversation.rules.ranked_lists import ranked_list
from engine.conversation.rules.reading import Reading
from engine.conversation.rules.references import reference_then_column
from engine.conversation.rules.removals import any_of_it, removal, swapped, unneeded
from engine.conversation.rules.sandwiches import aged_person, blood_pressure, sandwiched
from engine.conversation.rules.shares import shares
from engine.conversation.rules.sizes import resized
from engine.conversation.rules.tokens import key_of

_QUIET = frozenset(
    [
        "filler",
        "patients",
        "but",
        "verb",
        "and",
        "or",
        "not",
        "to",
        "also",
        "only",
        "instead",
        "same",
        "all",
        "limit",
        "size",
        "columns",
        "include",
        "symbol",
        "between",
        "exclusion_heading",
        "inclusion_heading",
        "plural_s",
        "recorded",
        "remove",
        "code",
        "half",
        "high",
        "low",
        "normal",
        "upward",
        "bullet",
        "exclusion_clause",
        "bothof",
        "anew",
        "move",
        "swap",
        "unneeded",
        "hide",
        "another",
    ]
)
Matcher = Callable[[Reading, int], Fact | list[Fact] | None]


def find_facts(reading: Reading) -> list[tuple[int, int]]:
    """Fill ``reading.facts``; returns the stretches of items (first, last) that nothing and no filler accounts for."""
    unknown: list[tuple[int, int]] = []
    at = 0
    while at < len(reading.items):
        _note_negation(reading, at)
        _turn_round(reading, at)
        found = _first_match(reading, at)
        if found:
            for fact in found:
                reading.add(_joined(reading, fact))
            at = max(fact.last for fact in found)
            continue
        if not _is_quiet(reading, at):
            adjoins = bool(unknown) and unknown[-1][1] == at
            unknown[-1:] = [(unknown[-1][0], at + 1)] if adjoins else [*unknown[-1:], (at, at + 1)]
        at += 1
    return unknown


def _joined(reading: Reading, fact: Fact) -> Fact:
    """The fact, a limit marked where an "or" alone stands between it and the fact before on another column."""
    before = reading.facts[-1] if reading.facts else None
    if not isinstance(fact, Limit) or before is None or reading.excluding or reading.scope is not None:
        return fact
    between = reading.items[before.last : fact.first]
    either = any(item.is_("or") and not item.is_("and") for item in between)
    alone = all(item.is_("or", "filler") or item.get("symbol") == "," for item in between)
    return replace(fact, joined_by_or=True) if either and alone and column_of(before) != fact.column else fact


def _first_match(reading: Reading, at: int) -> list[Fact]:
    for matcher in _MATCHERS:
        found = matcher(reading, at)
        if found:
            return found if isinstance(found, list) else [found]
    return []


def _note_negation(reading: Reading, at: int) -> None:
    item = reading.items[at]
    if item.is_("exclusion_heading") and _is_heading(reading, at):
        reading.excluding, reading.scope = True, None
    elif item.is_("inclusion_heading") and _is_heading(reading, at):
        reading.excluding, reading.scope = False, None
    elif item.is_("exclusion_clause"):
        reading.excluding, reading.until_stop, reading.scope = True, True, None
    elif reading.until_stop and item.get("symbol") == "." and reading.request.ends_a_sentence(at):
        reading.excluding, reading.until_stop = False, False
    elif item.is_("not") and not item.is_("category", "condition"):
        reading.open_scope(at)


def _turn_round(reading: Reading, at: int) -> None:
    """In "HIV or sepsis excluded" the exclusion comes last: the demands joined before it are negated."""
    if reading.request.span(at, at + 1).lower() != "excluded" or _is_heading(reading, at):
        return
    end = at
    for i in range(len(reading.facts) - 1, -1, -1):
        fact = reading.facts[i]
        between = reading.items[fact.last : end]
        joined = all(item.is_("and", "or", "filler") or item.get("symbol") == "," for item in between)
        if not joined or not isinstance(fact, Demand):
            return
        reading.facts[i] = replace(fact, negated=not fact.negated)
        end = fact.first


def _is_heading(reading: Reading, at: int) -> bool:
    following = reading.at(at + 1)
    if following is None:
        return False
    return following.get("symbol") in (":", "-", "–") or reading.request.tokens[following.first].opens_line


def _is_quiet(reading: Reading, at: int) -> bool:
    item = reading.items[at]
    if item.is_("category") and is_only_a_noun(reading, at):
        return True
    if item.is_("column") and names_its_category(reading, at):
        return True
    if item.is_("operator") and not item.is_("symbol") and not _has_number(reading, at):
        return True  # "admitted under elective type": a preposition
    if item.is_("number", "icd", "unknown", "operator", "unit", "title", "decade", "category", "condition"):
        return item.is_("filler") and not item.is_("number")
    if item.is_("column"):
        # "in hospital" names the stay only beside a range.
        words = key_of(reading.request.span(at, at + 1))
        return all("filler" in reading.lexicon.phrases.get((word,), {}) for word in words)
    return bool(_QUIET & item.parts.keys())


def _has_number(reading: Reading, at: int) -> bool:
    following = reading.at(at + 1)
    if following is not None and following.is_("code"):
        return False
    return any(item.is_("number", "upper_limit", "lower_limit") for item in reading.items[at + 1 : at + 4])


_MATCHERS: tuple[Matcher, ...] = (
    restart, swapped, moved, resized, unneeded, blood_pressure, either_way, figure, removal, any_of_it, population,
    ranked_list, column_list, column_run, shares, codes, reference_then_column, column_then_range,
    column_then_category, flag_value, sandwiched, aged_person, count, range_then_column, category, condition, title,
    unavailable,
)  # fmt: skip
