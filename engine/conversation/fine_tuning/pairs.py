"""Instruction pairs for a language model: a request, and what it should be understood as.

Requests are composed from templates over the catalogue, the vocabulary and the source's columns; no patient's row is
looked at. What a request states goes through the product's own editing, so a pair's spec follows the same conventions
of merging, conversion and feasibility as the parser's, while the way from text to facts is written down independently.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from random import Random

from engine.cohort.spec import CohortSpec
from engine.conversation.contract import Intent
from engine.conversation.fine_tuning import phrases
from engine.conversation.fine_tuning.follow_ups import follow_up
from engine.conversation.fine_tuning.noise import noisy
from engine.conversation.fine_tuning.sentences import request, tidy
from engine.conversation.fine_tuning.words import Words, templates, words_for
from engine.conversation.rules.editing import edit, starts_afresh
from engine.conversation.rules.facts import Fact
from engine.schema.table import TableSchema

_REFUSALS: tuple[Intent, ...] = ("question", "refuse", "out_of_scope", "unclear")


@dataclass(frozen=True)
class Pair:
    """One example.

    Attributes:
        text: the request.
        previous: the spec that a follow-up changes.
        intent: what kind of request it is.
        spec: what it asks for; None where it asks for no cohort.
        kind: the kind of its first phrase, for counting.
        facts: what its text states, in the order of the text; the spec is ``previous`` edited by them.
        instead: whether the text says that the new replaces the old.
    """

    text: str
    previous: CohortSpec | None
    intent: Intent
    spec: CohortSpec | None
    kind: str
    facts: tuple[Fact, ...] = ()
    instead: bool = False


def pairs(schema: TableSchema, *, number: int, seed: int, leave_out: Collection[str] = ()) -> Iterator[Pair]:
    """``number`` different pairs for a source; the same for the same ``seed``.

    Args:
        schema: the source's columns.
        number: how many.
        seed: of everything that is drawn.
        leave_out: texts that are kept for measuring and must not be taught, whatever their case.
    """
    words, random = words_for(schema), Random(seed)  # pyright: ignore[reportArgumentType] - frozen models hash by value
    kept = {_key(text) for text in leave_out}
    seen: set[tuple[str, CohortSpec | None]] = set()
    while len(seen) < number:
        pair = _pair(words, random)
        if pair is None or _key(pair.text) in kept or (_key(pair.text), pair.previous) in seen:
            continue
        seen.add((_key(pair.text), pair.previous))
        yield pair


def _pair(words: Words, random: Random) -> Pair | None:
    roll = random.random()
    if roll < 0.07:
        return _other(words, random)
    text, facts, kind = request(words, random)
    spec = edit(facts, previous=None, lexicon=words.lexicon, instead=False).spec
    if spec is None:
        return None
    if roll < 0.75:
        return Pair(noisy(text, random), None, "generate", spec, kind, facts)
    changed = follow_up(words, spec, random)
    if changed is None:
        return None
    (text, facts, instead), kind = changed
    afresh = starts_afresh(facts)
    after = edit(facts, previous=None if afresh else spec, lexicon=words.lexicon, instead=instead).spec
    if after is None or (after == spec and not afresh):
        return None
    return Pair(noisy(tidy(text), random), spec, "generate" if afresh else "refine", after, kind, facts, instead)


def _other(words: Words, random: Random) -> Pair:
    intent = random.choice(_REFUSALS)
    named = [said for said in words.columns.values() if said]
    condition = phrases.condition(words, random)
    text = random.choice(templates()[intent]).format(
        c=random.choice(random.choice(named)), x=condition.text if condition else "this", k=random.randint(100, 99_999)
    )
    return Pair(noisy(text, random), None, intent, None, intent)


def _key(text: str) -> str:
    return " ".join(text.casefold().split())
