"""Questions about the product and its columns, answered from the data dictionary and ``assets/about.md``."""

import re
from functools import lru_cache

from engine.conversation.contract import Answer, Source
from engine.conversation.rules.items import Request
from engine.conversation.rules.lexicon import Lexicon
from engine.core.workspace import ASSETS
from engine.schema.table import Column, Kind

_ASKS = re.compile(
    r"^\W*(?:what|which|where|how|who(?! (?:are|have|had|were|died|survived)\b)|why|when|is|are|does|do|can|could|"
    r"tell me|explain|describe)\b",
    re.IGNORECASE,
)
_COHORT = re.compile(r"\bhow many\b|\bnumber of\b|\bcount\b|\bwhich patients\b", re.IGNORECASE)
_WISH = re.compile(
    r"\b(?:what|how) about\b|\b(?:can|could|would) (?:you|i|we)\b.{0,12}\b(?:generate|create|make|give|get|have|build|"
    r"simulate|add|drop|remove|exclude|include|change|limit|use)\b",
    re.IGNORECASE,
)
_TOPICS = (
    (
        "Where the data comes from",
        re.compile(r"\bdata\b.*\bfrom\b|\bcome(?:s)? from\b|\bsource\b|\bmimic\b|\borigin\b"),
    ),
    ("privacy", re.compile(r"\bprivate\b|\bprivacy\b|\banonym|\bconfidential|\bsecure\b|\bepsilon\b|\bre-?identif")),
    ("How columns are defined", re.compile(r"\bguidelines?\b|\bdefin(?:ed|itions?)\b|\belixhauser\b|\bcriteria are\b")),
    ("Limits", re.compile(r"\blimit(?:s|ations?)\b|\btrust\b|\baccura|\breliable\b|\bclinical decisions?\b")),
    (
        "What this is",
        re.compile(r"\bwhat (?:is|are) (?:this|you)\b|\bwhat can (?:you|i)\b|\bhow does (?:this|it) work\b"),
    ),
)


def answer(request: Request, lexicon: Lexicon) -> Answer | None:
    """The answer to the request if it is a question about the product or the source's columns; None otherwise."""
    text = request.text.strip()
    if not _ASKS.search(text) or _COHORT.search(text):
        return None
    lowered = text.lower()
    if re.search(r"\b(?:columns?|variables?|fields|features)\b", lowered) and not _column(request, lexicon):
        return _columns(lexicon)
    column = _column(request, lexicon)
    if column is not None and re.search(r"\bunits?\b|\bmeasured in\b", lowered):
        unit = f"is in {column.unit}" if column.unit else "has no unit"
        return _entry(column, f"{_name(column)} {unit}.")
    if column is not None and re.search(r"\b(?:normal|reference|plausible|possible) (?:range|values?)\b", lowered):
        return _entry(column, _ranges(column))
    if column is not None and re.search(
        r"\bare there\b|\bvalues\b|\bcategories\b|\bavailable\b|\bwhat does\b|\bmean", lowered
    ):
        return _entry(column, _meaning(column))
    for title, pattern in _TOPICS:
        if pattern.search(lowered):
            return _card(title)
    return None


def nothing_recorded() -> Answer:
    """The reply to a question that nothing which ships answers."""
    headings = ", ".join(f"“{heading}”" for heading in _about())
    return Answer(
        text=f"That is not recorded in this release. Recorded are: {headings}, and the columns of the source."
    )


def is_question(text: str) -> bool:
    """Whether ``text`` is worded as a question that does not describe patients."""
    return bool(_ASKS.search(text)) and not _COHORT.search(text) and not _WISH.search(text)


def _column(request: Request, lexicon: Lexicon) -> Column | None:
    for item in request.items:
        names = item.get("column")
        if names and not item.is_("columns", "filler"):
            return lexicon.schema[names[0]]
    return None


def _columns(lexicon: Lexicon) -> Answer:
    features = lexicon.schema.features
    text = f"The source has {len(features)} columns: {', '.join(_name(column) for column in features)}."
    return Answer(text=text, sources=(Source(title="Data dictionary", section="all columns"),))


def _entry(column: Column, text: str) -> Answer:
    return Answer(text=text, sources=(Source(title="Data dictionary", section=column.name),))


def _ranges(column: Column) -> str:
    unit = f" {column.unit}" if column.unit else ""
    parts = []
    if column.reference_low is not None or column.reference_high is not None:
        parts.append(f"reference range {_ends(column.reference_low, column.reference_high)}{unit}")
    if column.bounds_are_public and (column.minimum is not None or column.maximum is not None):
        parts.append(f"plausible range {_ends(column.minimum, column.maximum)}{unit}")
    return f"{_name(column)}: {'; '.join(parts) or 'no range is recorded'}."


def _meaning(column: Column) -> str:
    text = f"{_name(column)}: {column.description or column.kind.value}"
    if column.kind is Kind.CATEGORICAL and column.categories and len(column.categories) <= 40:
        text += f". Categories: {', '.join(column.categories)}"
    return f"{text}."


def _ends(low: float | None, high: float | None) -> str:
    if low is None:
        return f"up to {high:g}"
    return f"from {low:g}" if high is None else f"{low:g} to {high:g}"


def _name(column: Column) -> str:
    return column.label or column.name.replace("_", " ")


def _card(topic: str) -> Answer | None:
    for heading, text in _about().items():
        if topic.lower() in heading.lower():
            return Answer(text=text, sources=(Source(title="About & privacy", section=heading),))
    return None


@lru_cache(maxsize=1)
def _about() -> dict[str, str]:
    """Sections of the page "About & privacy": heading → text, verbatim."""
    parts = re.split(r"^### +(.+)$", (ASSETS / "about.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {heading.strip(): text.strip() for heading, text in zip(parts[1::2], parts[2::2], strict=True)}
