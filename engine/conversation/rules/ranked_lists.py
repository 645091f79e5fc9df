"""Wishes for columns by importance: "20 important diabetes observations", "the top 10 heart failure labs"."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.cohort.spec import CohortSpec, Criterion
from engine.conversation.contract import Answer, RankedColumn
from engine.conversation.knowledge.guidelines import Guideline, guideline_of, guidelines
from engine.conversation.knowledge.ranking import Wish, rank
from engine.conversation.knowledge.records import Associations
from engine.conversation.rules.concepts import concept_of
from engine.conversation.rules.facts import Columns, Count, Demand, Fact, Limit, Problem
from engine.conversation.rules.lexicon import Lexicon
from engine.conversation.rules.reading import Reading
from engine.conversation.rules.wording import phrase
from engine.schema.icd9 import comorbidity_names, comorbidity_prefixes
from engine.schema.table import Kind

USUAL = 20
"""Length of a list where none is given."""
_LONGEST = 12
_BASES = {
    "guideline": "from guidelines",
    "association": "from associations with the diagnosis in the source's patients",
    "cohort": "to say who the patients are",
}
_SAYS_WHAT = ("observations", "observation_kind", "columns")


@dataclass(frozen=True)
class Ranked(Columns):
    """The wish; its columns are settled when the whole request is known (:func:`settled`)."""

    length: int = USUAL
    disease: str = ""
    diagnosis: Criterion | None = None
    concept: str = ""
    """The catalogue's column of a disease that the source does not record."""
    kinds: tuple[str, ...] = ()
    """Keys of ``GROUPS`` ("labs and vitals"); empty for columns of every kind."""


def ranked_list(reading: Reading, at: int) -> Fact | None:
    """The wish that starts at item ``at`` with its number, its word for importance or its noun."""
    found = Ranked(at, at)
    number = noun = important = False
    for i in range(at, min(len(reading.items), at + _LONGEST)):
        item = reading.items[i]
        following = reading.at(i + 1)
        if item.is_("importance"):
            important, found = True, replace(found, last=i + 1)
        elif item.is_("number") and not (number or noun) and not (following is not None and following.is_("unit")):
            number, found = True, replace(found, length=int(item.get("number").value), last=i + 1)
        elif item.is_(*_SAYS_WHAT) and not _is_disease(reading, i):
            kind = (item.get("observation_kind"),) if item.is_("observation_kind") else ()
            noun, found = True, replace(found, last=i + 1, kinds=(*found.kinds, *kind))
        elif _is_disease(reading, i) and not found.disease:
            found = replace(_with_disease(found, reading, i), last=i + 1)
        elif item.is_("and") and following is not None and following.is_("observation_kind") and found.kinds:
            continue
        elif i == at or not item.is_("filler", "to", "limit") or item.is_("symbol", "number"):
            break
    if not noun or not (important or number) or found.length < 1:
        return None
    if found.kinds and not (important or found.disease):
        return None  # "20 medications" are taken, not listed
    words = reading.request.span(at, found.last).lower()
    counted = any(isinstance(fact, Count) for fact in reading.facts)
    if number and not important and not found.disease and "observation" in words and not counted:
        # "generate 500 observations" are rows.
        return Count(at, found.last, patients=found.length)
    adds = any(item.is_("also", "include") for item in reading.items[max(0, at - 3) : at])
    return replace(found, how="add" if adds else "set")


def settled(
    facts: Sequence[Fact], *, previous: CohortSpec | None, lexicon: Lexicon, associations: Associations | None
) -> tuple[list[Fact], tuple[RankedColumn, ...], Answer | None]:
    """The facts with each wish's columns in place, those columns with their reasons, and an answer that sums them up.

    A disease that the wish does not name is that of the request or else of ``previous``.
    """
    kept: list[Fact] = []
    ranked: tuple[RankedColumn, ...] = ()
    told: Answer | None = None
    criteria = _criteria(facts, previous)
    for fact in facts:
        if not isinstance(fact, Ranked):
            kept.append(fact)
            continue
        wish = _wish(fact, criteria, lexicon)
        if wish is None:
            message = f"Important for what? Name a disease; guidelines are recorded for {_diseases()}."
            kept.append(Problem(fact.first, fact.last, code="invalid", message=message))
            continue
        ranked = rank(wish, lexicon, associations)
        if not any(one.basis != "cohort" for one in ranked):
            message = (
                f"No guideline is recorded for {wish.disease}, and no association with it is known from the source, so "
                f"its important columns are not known. Guidelines are recorded for {_diseases()}."
            )
            kept.append(Problem(fact.first, fact.last, code="invalid", message=message))
            ranked = ()
            continue
        told = _told(wish, ranked, at_hand=associations is not None)
        adds = fact.how == "add" and previous is not None and previous.columns is not None
        # Who the patients are comes first in the table, whatever its importance.
        order = sorted(ranked, key=lambda one: one.basis != "cohort")
        said = f"the {len(ranked)} most important columns for {wish.disease}"
        notes = []
        if len(ranked) < wish.count:
            notes.append(f"the source has {len(ranked)} that can be justified, not {wish.count}")
        if not any(_is_diagnosis(one, lexicon) for one in criteria):
            notes.append(f"for all patients, with or without {wish.disease}")
        note = "; ".join(notes)
        names = tuple(one.column for one in order)
        kept.append(replace(fact, names=names, how="add" if adds else "set", said=said, note=note))
    return kept, ranked, told


def _is_disease(reading: Reading, at: int) -> bool:
    item = reading.items[at]
    criterion = item.get("condition")
    if criterion is not None:
        return _is_diagnosis(criterion, reading.lexicon)
    if (missing := item.get("unavailable")) is not None:
        return guideline_of([missing.wanted]) is not None
    categories = item.get("category")
    return categories is not None and categories[0].column.startswith("diag")


def _with_disease(found: Ranked, reading: Reading, at: int) -> Ranked:
    item, words = reading.items[at], reading.request.span(at, at + 1)
    if (criterion := item.get("condition")) is not None:
        return replace(found, disease=words, diagnosis=criterion)
    if (missing := item.get("unavailable")) is not None:
        return replace(found, disease=words, concept=missing.wanted)
    category = item.get("category")[0]
    diagnosis = Criterion(column=category.column, any_of=(category.value,))
    return replace(found, disease=words, diagnosis=diagnosis, concept=(_named(words) or ""))


def _is_diagnosis(criterion: Criterion, lexicon: Lexicon) -> bool:
    column = lexicon.schema[criterion.column]
    return column.code_system is not None or (
        concept_of(column) in comorbidity_names() and criterion.any_of is not None and column.kind is Kind.BOOLEAN
    )


def _criteria(facts: Sequence[Fact], previous: CohortSpec | None) -> list[Criterion]:
    """What the cohort is defined by: the request's demands first."""
    demands = [fact.criterion for fact in facts if isinstance(fact, Demand) and fact.criterion and not fact.negated]
    limits = [Criterion(column=fact.column, recorded=True) for fact in facts if isinstance(fact, Limit)]
    return [*demands, *limits, *(previous.criteria if previous is not None else ())]


def _wish(fact: Ranked, criteria: Sequence[Criterion], lexicon: Lexicon) -> Wish | None:
    of_cohort = [one for one in criteria if _is_diagnosis(one, lexicon)]
    diagnosis, disease = fact.diagnosis, fact.disease
    guideline = guideline_of([fact.concept]) if fact.concept else _guideline(diagnosis, lexicon)
    if not disease:
        if not of_cohort:
            return None
        diagnosis = next((one for one in of_cohort if _guideline(one, lexicon) is not None), of_cohort[0])
        guideline = _guideline(diagnosis, lexicon)
        disease = phrase(diagnosis, lexicon.schema)
    elif guideline is not None:
        # "type 2 diabetes patients with 20 diabetes observations": the cohort's diagnosis is the narrower one.
        own = next((one for one in of_cohort if _guideline(one, lexicon) is guideline), None)
        diagnosis, disease = (own, phrase(own, lexicon.schema)) if own is not None else (diagnosis, disease)
    columns = tuple({one.column: one for one in criteria}.values())
    return Wish(fact.length, disease, diagnosis, guideline, columns, fact.kinds)


def _guideline(criterion: Criterion | None, lexicon: Lexicon) -> Guideline | None:
    """The guideline of a diagnosis, by its column or by its codes ("cirrhosis" is a liver disease)."""
    if criterion is None:
        return None
    concept = concept_of(lexicon.schema[criterion.column])
    if concept in comorbidity_names():
        return guideline_of([concept])
    codes = criterion.starts_with or ()
    for one in guidelines():
        prefixes = tuple(prefix for name in one.diagnoses for prefix in comorbidity_prefixes(name))
        if codes and all(code.startswith(prefixes) for code in codes):
            return one
    return None


def _named(words: str) -> str | None:
    wanted = words.lower()
    return next((name for one in guidelines() for name in one.diagnoses if name.replace("_", " ") in wanted), None)


def _diseases() -> str:
    return ", ".join(one.disease for one in guidelines())


def _told(wish: Wish, ranked: tuple[RankedColumn, ...], *, at_hand: bool) -> Answer:
    """Which columns came from where, in a sentence."""
    numbers = {basis: sum(one.basis == basis for one in ranked) for basis in _BASES}
    said = ", ".join(f"{numbers[basis]} {words}" for basis, words in _BASES.items() if numbers[basis])
    text = f"{len(ranked)} columns for {wish.disease}: {said}."
    if len(ranked) < wish.count:
        text += (
            f" That is fewer than the {wish.count} that were asked for: the source has no more that can be justified."
        )
    if not at_hand:
        text += " Associations in the source were not at hand, so the list is from guidelines only."
    return Answer(text=text, sources=tuple(dict.fromkeys(one.source for one in ranked)))
