"""Questions whose answer is known to stand in one place: columns, units, ranges, guidelines, definitions, words."""

import re

from engine.conversation.knowledge import guidelines, tables
from engine.conversation.knowledge.passages import Passage
from engine.conversation.knowledge.tables import ColumnEntry
from engine.conversation.rules.concepts import concept_of
from engine.conversation.rules.items import Request
from engine.conversation.rules.lexicon import Lexicon
from engine.conversation.rules.tokens import key_of
from engine.schema.table import Column, Kind

_COLUMNS = re.compile(r"\b(?:columns?|variables?|fields|features)\b")
_HAVE = re.compile(r"\b(?:have|has|available|there|are the|list|offer|source|exist|all)\b")
_OF_COLUMNS = re.compile(r"\b(?:important|rank\w*|chosen|choose|absent|missing|computed|defined|left out)\b")
_UNIT = re.compile(r"\bunits?\b|\bmeasured in\b")
_RANGE = re.compile(r"\b(?:normal|reference|plausible|possible) (?:range|interval|values?|limits?)\b")
_VALUES = re.compile(r"\b(?:values|categories|levels|options|are there|(?:pick|choose|select) from)\b")
_MEANING = re.compile(
    r"\bwhat does\b.*\b(?:mean|stand for)|\bmeaning of\b|\bmeant by\b|\bdata dictionary\b|\bdescription\b"
)
_RECORDED = re.compile(r"\bone of the columns\b|^\W*do you (?:have|record)\b|^\W*is there a column\b")
_OFFERED = re.compile(r"\b(?:available|there|covered|offer|have|pick|choose|select)\b")
_LOINC = re.compile(r"\bloinc\b")
_GUIDELINE = re.compile(r"\bguidelines?\b|\bconsensus\b|\bstandards? of care\b")
_GOAL = re.compile(r"\b(?:goal|target)s?\b", re.IGNORECASE)
_DEFINED = re.compile(
    r"\bdefin(?:e|es|ed|ition)\b|\bcodes?\b|\bcoded\b|\bcounts? as\b|\bmean(?:s|t)?\b|\bcriteria (?:of|for)\b"
)
_WORD = re.compile(r"\bmean(?:s|t)?\b|\bdefin|\bcounts? as\b|\bcut-?offs?\b|\bthreshold\b|\bwhen is\b")
_PERSONAL = re.compile(r"\bpatient \d|\b\d{4,}\b")

Quote = tuple[str, Passage]
"""What is quoted, and the passage in which it stands."""


def by_topic(request: Request, lexicon: Lexicon) -> Quote | None:
    """The quote that answers a question about a column, a guideline, a definition or a clinical word."""
    text = request.text.lower()
    if _PERSONAL.search(text):
        return None
    if _GUIDELINE.search(text):
        return _guideline(request, lexicon)
    if (quoted := goal(request, lexicon)) is not None:
        return quoted
    column = _column(request, lexicon)
    if column is None and _COLUMNS.search(text) and _HAVE.search(text) and not _OF_COLUMNS.search(text):
        return _whole(tables.all_columns(lexicon.schema))
    if (kind := _kind(request)) is not None and _OFFERED.search(text):
        return _whole(tables.columns_of_kind(lexicon.schema, kind))
    word = _clinical_word(request) if _WORD.search(text) else None
    if word is not None:
        return _whole(word)
    disease = next((name for name in _concepts(request, lexicon) if name in tables.comorbidities()), None)
    if disease is not None and _DEFINED.search(text):
        return _whole(tables.comorbidities()[disease])
    column = column or _column(request, lexicon, fillers=True)
    strange = any(item.is_("unknown", "patients", "number") for item in request.items)
    return _dictionary(text, column, strange=strange) if column is not None else None


def guideline_is_missing(request: Request) -> bool:
    """Whether the text asks for a guideline: one that is not recorded is not looked for among other cards."""
    return _GUIDELINE.search(request.text.lower()) is not None


def goal(request: Request, lexicon: Lexicon) -> Quote | None:
    """The goal that a disease's guideline sets for a column, where the text asks for one."""
    found = _concepts(request, lexicon)
    guideline = guidelines.guideline_of(found) or _named(request)
    if guideline is None or _GOAL.search(request.text) is None:
        return None
    passage = guidelines.passage_about(found, guideline, saying=_GOAL)
    return _whole(passage) if passage is not None else None


def _dictionary(text: str, column: Column, *, strange: bool) -> Quote | None:
    entry = ColumnEntry(column)
    if _UNIT.search(text):
        return entry.unit, entry.passage
    if _RANGE.search(text):
        return entry.ranges, entry.passage
    if _LOINC.search(text) and entry.code:
        return entry.code, entry.passage
    if _RECORDED.search(text) and not strange:
        return entry.meaning, entry.passage
    if _MEANING.search(text) or (_VALUES.search(text) and column.kind is Kind.CATEGORICAL):
        return entry.meaning, entry.passage
    return None


def _guideline(request: Request, lexicon: Lexicon) -> Quote | None:
    found = _concepts(request, lexicon)
    guideline = guidelines.guideline_of(found) or _named(request)
    if (spoken := guidelines.passage_about(found, guideline)) is not None:
        return _whole(spoken)
    card = guidelines.card_of(guideline) if guideline is not None else "Guidelines"
    if guideline is None and (found or _names_a_disease(request)):
        return None
    return next((one.text, one) for one in guidelines.passages() if one.card == card)


def _concepts(request: Request, lexicon: Lexicon) -> list[str]:
    """Columns of the catalogue that the request names, and those that its diseases are recorded in."""
    found = []
    for item in request.items:
        criterion = item.get("condition") if not item.is_("filler") else None
        names = [criterion.column] if criterion is not None else list(item.get("column") or ())
        found += [concept_of(lexicon.schema[name]) or name for name in names]
        missing = item.get("unavailable")
        found += [missing.wanted] if missing is not None else []
        found += ["systolic_bp", "diastolic_bp"] if item.is_("pressures") else []
    return found


def _named(request: Request) -> guidelines.Guideline | None:
    words = key_of(request.text)
    for one in guidelines.guidelines():
        name = key_of(one.disease)
        if any(words[i : i + len(name)] == name for i in range(len(words))):
            return one
    return None


def _names_a_disease(request: Request) -> bool:
    return any(item.is_("condition", "unavailable", "title") for item in request.items)


def _kind(request: Request) -> str | None:
    """The kind of columns that the text asks for as a whole ("which drugs are covered?")."""
    strange = (item for item in request.items if item.is_("unknown"))
    if any(_OFFERED.search(str(item.get("unknown"))) is None for item in strange):
        return None
    if any(item.is_("condition", "category", "number", "unavailable") for item in request.items):
        return None
    return next((item.get("observation_kind") for item in request.items if item.is_("observation_kind")), None)


def _clinical_word(request: Request) -> Passage | None:
    words = key_of(request.text)
    found = [
        (len(key), passage)
        for word, passage in tables.clinical_words().items()
        if (key := key_of(word)) and any(words[i : i + len(key)] == key for i in range(len(words)))
    ]
    return max(found, key=lambda one: one[0])[1] if found else None


def _column(request: Request, lexicon: Lexicon, *, fillers: bool = False) -> Column | None:
    """The first column that is named; with ``fillers`` also by a word that means little elsewhere ("ethnicity")."""
    for at, item in enumerate(request.items):
        names = item.get("column")
        # "which units" asks for units of measurement, not for care units.
        is_unit = _UNIT.fullmatch(request.span(at, at + 1).lower()) is not None
        if names and not item.is_("columns") and not is_unit and (fillers or not item.is_("filler")):
            return lexicon.schema[names[0]]
        criterion = item.get("condition")
        if criterion is not None and not item.is_("filler"):  # "does" may also be read as an abbreviation (DOE)
            return lexicon.schema[criterion.column]
    return None


def _whole(passage: Passage) -> Quote:
    return passage.text, passage
