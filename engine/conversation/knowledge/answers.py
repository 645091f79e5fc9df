"""Answers to questions about the product, its data and its cohorts: quoted from a card, or said to be not recorded.

Nothing is written for the occasion. A rule knows where the answer stands (:mod:`.topics`), or retrieval finds the
passage that covers enough of the question (:mod:`.retrieval`); what is found is quoted verbatim with card and section.
"""

import re
from functools import lru_cache

from engine.conversation.contract import Answer
from engine.conversation.knowledge import guidelines, records, tables
from engine.conversation.knowledge.passages import cards
from engine.conversation.knowledge.records import KnowledgeContext
from engine.conversation.knowledge.retrieval import Hit, Index
from engine.conversation.knowledge.topics import by_topic, goal, guideline_is_missing
from engine.conversation.rules.items import Request
from engine.conversation.rules.lexicon import Lexicon

THRESHOLD = 0.65
"""Share of the question's information that a passage has to cover. Chosen on the tuning part of
tests/conversation/provenance_questions.yaml."""
_RULES = re.compile(r"\b(?:rules?|(?:im)?plausib\w*|(?:im)?possible|discordant|check\w*|allowed)\b", re.IGNORECASE)
"""Plausibility rules speak of clinical facts in passing; they answer only who asks for them."""
_WHOLLY, _ALIKE = 0.9, 0.5
"""Coverage and likeness that words which are no question must reach."""
_OF_REQUESTS = (
    "column", "condition", "category", "number", "unavailable", "title", "icd", "remove", "restart", "same", "instead",
    "also", "importance", "population_us", "recorded", "multiply",
)  # fmt: skip
_ASKS = re.compile(
    r"^\W*(?:what|which|where|how|who(?! (?:are|have|had|were|died|survived)\b)|why|when|is|are|does|do|can|could|may|"
    r"according to|tell me|explain|describe)\b|\?\s*$",
    re.IGNORECASE,
)
_COHORT = re.compile(r"\bhow many\b|\bnumber of\b|\bcount\b(?! as\b)|\bwhich patients\b", re.IGNORECASE)
_WISH = re.compile(
    r"\b(?:what|how) about\b|\b(?:can|could|would) (?:you|i|we)\b.{0,12}\b(?:generate|create|make|give|get|have|build|"
    r"simulate|add|drop|remove|exclude|include|change|limit|use)\b(?!.*\b(?:this|it|for)\b)",
    re.IGNORECASE,
)
_PRODUCT = re.compile(
    r"\b(?:mimic\S*|demo|data ?sets?|data ?base|tables?|source|model|train(?:ed|ing)|columns?|variables|rows|values|"
    r"formats|guidelines|i generate)\b",
    re.IGNORECASE,
)

_OWN_SIZE = re.compile(
    r"\b(?:how many|number of)\b.*\b(?:rows|patients|admissions|records)\b.*"
    r"\b(?:(?:this|my|our|the) (?:data ?set|data|table|source|file|upload)|here)\b",
    re.IGNORECASE,
)
"""Asks for the size of the data set at hand, which only its records tell."""


def is_question(text: str) -> bool:
    """Whether ``text`` is worded as a question that does not describe patients."""
    return bool(_ASKS.search(text)) and not _COHORT.search(text) and not _WISH.search(text)


def find(request: Request, lexicon: Lexicon, context: KnowledgeContext | None = None) -> Answer | None:
    """The quote that answers ``request``; None where it is no question or nothing that ships answers it."""
    if not _may_ask(request):
        return _said_as_a_topic(request, lexicon, context)
    quoted = by_topic(request, lexicon)
    if quoted is not None:
        text, passage = quoted
        return Answer(text=text, sources=(passage.source,))
    hit = None if guideline_is_missing(request) else best(request.text, context)
    if _OWN_SIZE.search(request.text) and (hit is None or hit.passage.card != records.PREPARATION):
        return nothing_recorded()  # a card speaks of other data
    if hit is None or hit.coverage < THRESHOLD:
        return None
    return Answer(text=hit.passage.text, sources=(hit.passage.source,))


def _said_as_a_topic(request: Request, lexicon: Lexicon, context: KnowledgeContext | None) -> Answer | None:
    """The answer to words that are no question but name a subject of a card, all of them: "citation of MIMIC-III"."""
    if not any(item.is_("patients", "number") for item in request.items) and (quoted := goal(request, lexicon)):
        text, passage = quoted
        return Answer(text=text, sources=(passage.source,))
    if any(item.is_(*_OF_REQUESTS) for item in request.items):
        return None
    hit = best(request.text, context)
    if hit is None or hit.coverage < _WHOLLY or hit.likeness < _ALIKE:
        return None
    return Answer(text=hit.passage.text, sources=(hit.passage.source,))


def best(text: str, context: KnowledgeContext | None = None) -> Hit | None:
    """The passage that answers ``text`` best, whatever its coverage; records of ``context`` go before cards."""
    about_rules = _RULES.search(text) is not None
    shipped = [hit for hit in _index().search(text) if about_rules or hit.passage.card != tables.RULES]
    own = Index(records.passages(context)).search(text) if context is not None else []
    near = [hit for hit in own if hit.coverage >= THRESHOLD]
    if near and (not shipped or near[0].coverage >= shipped[0].coverage):
        return near[0]
    return shipped[0] if shipped else None


def nothing_recorded() -> Answer:
    """The reply to a question that nothing which ships answers."""
    titles = ", ".join(f"“{title}”" for title in dict.fromkeys(passage.card for passage in cards()))
    return Answer(
        text=f"That is not recorded in this release. Recorded are the cards {titles}, guidelines for "
        f"{', '.join(one.disease for one in guidelines.guidelines())}, and the columns of the source."
    )


def _may_ask(request: Request) -> bool:
    text = request.text
    if is_question(text):
        return True
    counts = _COHORT.search(text) is not None and _ASKS.search(text) is not None and _PRODUCT.search(text) is not None
    return counts and not any(item.is_("condition", "category", "number", "unavailable") for item in request.items)


@lru_cache(maxsize=1)
def _index() -> Index:
    return Index((*cards(), *guidelines.passages(), *tables.plausibility_rules()))
