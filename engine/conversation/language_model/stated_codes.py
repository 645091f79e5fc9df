"""The diagnosis codes that a request states: those of its text, of the diseases it names, and of the spec before."""

from functools import lru_cache
from itertools import pairwise

from engine.cohort.conditions import bare_code
from engine.cohort.spec import CohortSpec, Criterion
from engine.cohort.vocabulary import diseases
from engine.conversation.rules.facts import Demand, Fact, negate
from engine.conversation.rules.items import Request
from engine.conversation.rules.titles import icd9_of_icd10, is_icd9
from engine.conversation.rules.tokens import key_of
from engine.schema.table import Column, Kind

LONGEST = 24
"""A list of more codes ("no circulatory disease" is every category of a chapter) is left to the rules."""
_MOST_JOINED = 4


def code_lists(request: Request, facts: list[Fact], before: CohortSpec) -> tuple[tuple[str, ...], ...]:
    """Lists of code prefixes that may be asked for: of each disease or code, of neighbours together, of ``before``."""
    found: list[tuple[str, ...]] = []
    for part in (*_coded(facts), *before.criteria):
        found += [codes for codes in (part.starts_with, part.not_starts_with) if codes]
    for at, item in enumerate(request.items):
        found += _disease_codes().get(key_of(request.span(at, at + 1)), ())
        condition = item.get("condition")
        found += [condition.starts_with] if condition is not None and condition.starts_with else []
        found += [(item.get("title"),)] if item.is_("title") else []
    found += [codes for text in _typed(request) if (codes := _icd9(text))]
    found = list(dict.fromkeys(found))
    joined = [
        tuple(dict.fromkeys(code for codes in found[first:last] for code in codes))
        for first in range(len(found))
        for last in range(first + 2, min(len(found), first + _MOST_JOINED) + 1)
    ]
    single = [(code,) for codes in found for code in codes]
    return tuple(dict.fromkeys(codes for codes in (*found, *single, *joined) if len(codes) <= LONGEST))


def code_ranges(request: Request, facts: list[Fact], before: CohortSpec) -> tuple[tuple[str, str], ...]:
    """Ranges of codes that may be asked for: of chapters, between two neighbours of the text, of ``before``."""
    found: list[tuple[str, str]] = []
    for part in (*_coded(facts), *before.criteria):
        found += part.between_codes or ()
    for item in request.items:
        condition = item.get("condition")
        found += (condition.between_codes or ()) if condition is not None else ()
    typed = [codes[0] for text in _typed(request) if (codes := _icd9(text))]
    found += [(first, last) for first, last in pairwise(typed) if first <= last]
    found += [(code, code) for code in typed]
    return tuple(dict.fromkeys(found))


def _coded(facts: list[Fact]) -> list[Criterion]:
    found = []
    for fact in facts:
        if isinstance(fact, Demand) and fact.criterion is not None:
            found.append(fact.criterion)
            if fact.negated and fact.criterion.between_codes:
                found.append(negate(fact.criterion, Column(name=fact.criterion.column, kind=Kind.CATEGORICAL)))
    return found


def _typed(request: Request) -> list[str]:
    return [
        request.span(at, at + 1) for at, item in enumerate(request.items) if item.is_("icd", "number")
    ]  # fmt: skip


def _icd9(text: str) -> tuple[str, ...]:
    code = bare_code(text)
    if len(code) < 3 or not code.isalnum():
        return ()
    # ICD-9-CM codes of external causes begin with a letter as well: "E880" is tried as one first.
    return (code,) if is_icd9(code) else () if code.isdigit() else icd9_of_icd10(code)


@lru_cache(maxsize=1)
def _disease_codes() -> dict[tuple[str, ...], list[tuple[str, ...]]]:
    """Folded name → the codes of the diseases that are called so."""
    found: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for disease in diseases():
        for name in (disease.name, *disease.also):
            lists = found.setdefault(key_of(name), [])
            if disease.icd9 not in lists:
                lists.append(disease.icd9)
    return found
