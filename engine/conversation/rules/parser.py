"""The embedded parser: a person's sentence, a source's columns and the previous spec become a :class:`Turn`.

A pure function without network or model. It reads in four steps: what must not be processed is refused (``safety``),
the text is cut into items (``items``), the grammar finds facts in them (``grammar``), and the facts edit the previous
spec (``editing``), which is checked for what cannot be met (``feasibility``). Every word ends in ``understood``, in
``not_understood``, or is filler.
"""

import re
import time
from collections.abc import Callable

from engine.cohort.spec import CohortSpec
from engine.conversation.contract import Answer, Intent, Turn, Warning
from engine.conversation.knowledge import answers
from engine.conversation.knowledge.records import KnowledgeContext
from engine.conversation.rules import safety
from engine.conversation.rules.absent import nearest, with_known_diseases
from engine.conversation.rules.choices import nearest_diagnoses, settle_alternatives
from engine.conversation.rules.counts import bare_number
from engine.conversation.rules.editing import edit, starts_afresh
from engine.conversation.rules.facts import Aside, Columns, Count, Demand, Fact, Limit, Problem
from engine.conversation.rules.grammar import find_facts
from engine.conversation.rules.items import Request, read_items
from engine.conversation.rules.lexicon import lexicon_for
from engine.conversation.rules.manners import with_manners
from engine.conversation.rules.ranked_lists import settled
from engine.conversation.rules.reading import Reading
from engine.conversation.rules.reporting import understood, unread
from engine.schema.table import TableSchema

MAX_CHARACTERS = 4000
_KNOWING = re.compile(
    r"\b(?:like|love|want|wish|need) to (?:know|learn|hear|understand)\b|^\W*(?:please )?(?:describe|explain)\b|"
    r"\bi am curious\b|\bi wonder\b",
    re.IGNORECASE,
)
_UNDOING = re.compile(
    r"\W*(?:please |can you |now |no |wait )*(?:undo(?: (?:that|it|this|the last (?:change|step|one)|last))?|"
    r"go back(?: one step| a step)?|"
    r"revert(?: (?:that|it))?|take (?:that|it) back|(?:go )?back to (?:the )?(?:previous|last|earlier)(?: \w+)?|"
    r"never ?mind(?: that)?|previous version)(?: please)?\W*",
    re.IGNORECASE,
)
_COUNTING = re.compile(r"\bhow many\b|\bnumber of\b|\bcount\b|\bwhich patients\b", re.IGNORECASE)
_FOLLOWING = ("also", "instead", "same", "remove", "multiply")
_MAKING = ("generate", "create", "make", "give", "i need", "i want", "i would", "i'd", "build", "simulate", "produce",
           "need", "want", "synth", "we need", "get me", "draw")  # fmt: skip


def parse(
    text: str,
    *,
    schema: TableSchema,
    previous: CohortSpec | None = None,
    context: KnowledgeContext | None = None,
) -> Turn:
    """What ``text`` asks for, in terms of the columns of ``schema``; a follow-up edits ``previous``.

    ``context`` is what the caller can add to answers: manifest, reports and the source's associations.
    """
    started = time.perf_counter()
    turn = _parse(text, schema, previous, context)
    return turn.model_copy(update={"seconds": round(time.perf_counter() - started, 4)})


def _parse(
    text: str,
    schema: TableSchema,
    previous: CohortSpec | None,
    context: KnowledgeContext | None,
    *,
    offering: bool = True,
) -> Turn:
    """As :func:`parse`; without ``offering``, what no column records is only reported."""
    refused = _refusal(text)
    if refused is not None:
        return refused
    if _UNDOING.fullmatch(text):
        reply = "Use Undo under the last proposal: it brings the cohort before it back."
        return Turn(intent="refine", answer=Answer(text=reply))
    lexicon = lexicon_for(schema)  # pyright: ignore[reportArgumentType] - frozen models hash by value
    request = read_items(text, lexicon)
    if safety.asks_for_advice(text):
        return _elsewhere()
    answered = answers.find(request, lexicon, context)
    if answered is not None:
        return Turn(intent="question", answer=answered)
    reading = Reading(request, lexicon, previous)
    unknown = find_facts(reading)
    if previous is not None and not reading.facts and (changed := bare_number(reading, previous)) is not None:
        reading.facts, unknown = [changed], []
    facts = with_manners(settle_alternatives(reading), request)
    about_patients = any(item.is_("patients") or item.get("category") for item in request.items)
    asks_a_figure = any(isinstance(fact, Aside) for fact in facts)
    if _wants_to_know(text) and previous is None and not asks_a_figure and (unknown or not about_patients):
        if safety.is_about_something_else(text):
            return _elsewhere()
        return Turn(intent="unclear", not_understood=(text.strip(),), answer=answers.nothing_recorded())
    base = None if _is_new(request, facts) else previous
    intent: Intent = "generate" if base is None else "refine"
    instead = any(item.is_("instead") for item in request.items)
    facts = with_known_diseases(facts, request, lexicon)
    offers = nearest_diagnoses(unknown, request, lexicon, facts)
    if offering:
        offers += nearest(unknown, request, lexicon, facts, offered=offers, reread=_reread(schema, previous))
    associations = context.associations if context is not None else None
    facts, ranked, told = settled(facts, previous=base, lexicon=lexicon, associations=associations)
    result = edit(facts, previous=base, lexicon=lexicon, instead=instead, offers=offers)
    if not any(not isinstance(fact, (Problem, Aside)) or (isinstance(fact, Problem) and fact.blocks) for fact in facts):
        lost = unread(facts, unknown, request)
        if not lost and not result.warnings and (about_patients or facts):
            read = understood(facts, request, result, lexicon)
            return Turn(intent=intent, spec=previous or CohortSpec(), understood=read)
        return _without_facts(request, lost, tuple(result.warnings))
    return Turn(
        intent=intent,
        spec=result.spec,
        understood=understood(facts, request, result, lexicon),
        not_understood=unread(facts, unknown, request),
        warnings=tuple(result.warnings),
        answer=told,
        ranked=ranked,
    )


def _reread(schema: TableSchema, previous: CohortSpec | None) -> Callable[[str], CohortSpec | None]:
    def read(text: str) -> CohortSpec | None:
        turn = _parse(text, schema, previous, None, offering=False)
        return turn.spec if not turn.not_understood else None

    return read


def _elsewhere() -> Turn:
    reply = "This is outside of what Cohort Studio does: it makes synthetic cohorts and gives no medical advice."
    return Turn(intent="out_of_scope", answer=Answer(text=reply))


def _wants_to_know(text: str) -> bool:
    """Whether the text is a question about something else than a number of patients."""
    return answers.is_question(text) or bool(_KNOWING.search(text) and not _COUNTING.search(text))


def _refusal(text: str) -> Turn | None:
    kind = safety.personal_data(text)
    if kind is not None:
        message = f"The text seems to hold {kind}, so it was not read and is not kept. Describe patients without it."
        return Turn(intent="refuse", warnings=(Warning(code="personal_data", message=message),))
    if safety.asks_for_real_rows(text):
        reply = "Records of real patients are never shown. Synthetic cohorts and aggregate comparisons are available."
        return Turn(intent="refuse", answer=Answer(text=reply))
    if len(text) > MAX_CHARACTERS:
        message = f"The text has {len(text):,} characters; at most {MAX_CHARACTERS:,} are read. Shorten it."
        return Turn(intent="unclear", warnings=(Warning(code="invalid", message=message),))
    return None


def _without_facts(request: Request, lost: tuple[str, ...], warnings: tuple[Warning, ...]) -> Turn:
    if _wants_to_know(request.text) and not warnings:
        return Turn(intent="unclear", not_understood=lost, warnings=warnings, answer=answers.nothing_recorded())
    reply = "Nothing here could be turned into a cohort. Try “500 women over 65 with heart failure, 30 % mortality”."
    if any(warning.actions for warning in warnings):
        reply = "This can be read in more than one way: choose one, or say it in other words."
    return Turn(intent="unclear", not_understood=lost, warnings=warnings, answer=Answer(text=reply))


def _is_new(request: Request, facts: list[Fact]) -> bool:
    """Whether the request describes a whole cohort of its own rather than a change."""
    if starts_afresh(facts):
        return True
    if any(item.is_(*_FOLLOWING) for item in request.items):
        return False
    counted = any(isinstance(fact, Count) and fact.factor is None for fact in facts)
    described = any(isinstance(fact, (Demand, Limit, Columns)) for fact in facts)
    return counted and described and request.text.strip().lower().startswith(_MAKING)
