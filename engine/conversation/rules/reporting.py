"""What a turn says about its words: the stretches that were understood, with their meaning, and those that were not."""

from engine.conversation.contract import Understood, Warning
from engine.conversation.rules.editing import Edit
from engine.conversation.rules.facts import (
    Aside,
    Columns,
    Count,
    Demand,
    Fact,
    Limit,
    Population,
    Problem,
    Proportion,
    Removal,
    Restart,
    share_of,
)  # fmt: skip
from engine.conversation.rules.items import Item, Request
from engine.conversation.rules.lexicon import Lexicon
from engine.conversation.rules.near_titles import nearest_titles
from engine.conversation.rules.reading import Reading
from engine.conversation.rules.wording import phrase, share_phrase


def leave_out_alternatives(reading: Reading) -> list[Fact]:
    """The facts, with "A or B" on different columns exchanged for a problem: a cohort demands all of its criteria."""
    kept: list[Fact] = []
    for fact in reading.facts:
        before = kept[-1] if kept else None
        if fact.first in reading.combined and before is not None:
            text = reading.request.span(before.first, fact.last)
            message = f"A combination (“{text}”) cannot be excluded; exclude one of its parts."
            kept[-1] = Problem(before.first, fact.last, code="invalid", message=message)
            continue
        if isinstance(fact, Demand) and fact.joined_by_or and not fact.negated and before is not None:
            own = fact.criterion.column if fact.criterion is not None else ""
            other = _column(before)
            negated = isinstance(before, Demand) and before.negated
            if other and other != own and not negated:
                text = reading.request.span(before.first, fact.last)
                message = (
                    f"“{text}” asks for one of two different columns; a cohort demands all of its criteria. "
                    "Name one of them."
                )
                kept[-1] = Problem(before.first, fact.last, code="invalid", message=message)
                continue
        kept.append(fact)
    return kept


def understood(facts: list[Fact], request: Request, result: Edit, lexicon: Lexicon) -> tuple[Understood, ...]:
    """One entry for each fact, in the text's order."""
    entries = []
    for fact in facts:
        if isinstance(fact, Problem):
            continue
        text = request.span(fact.first, fact.last)
        if isinstance(fact, (Limit, Demand)):
            column = _column(fact)
            criteria = result.criteria.get(column, ())
            criterion = criteria[0] if criteria else None
            meaning = phrase(criterion, lexicon.schema) if criterion else f"any {column.replace('_', ' ')}"
            entries.append(Understood(text=text, criterion=criterion, meaning=meaning, note=fact.note))
        elif isinstance(fact, Proportion):
            share = share_of(fact) if 0 <= fact.share <= 1 else None
            meaning = share_phrase(share, lexicon.schema) if share else "a share that is not possible"
            entries.append(Understood(text=text, share=share, meaning=meaning, note=fact.note))
        else:
            entries.append(Understood(text=text, meaning=_meaning(fact, lexicon), note=fact.note))
    return tuple(entries)


def unread(facts: list[Fact], unknown: list[tuple[int, int]], request: Request) -> tuple[str, ...]:
    """The exact words that stayed without sense, in the text's order."""
    stretches = [*unknown, *((fact.first, fact.last) for fact in facts if isinstance(fact, Problem))]
    return tuple(dict.fromkeys(request.span(first, last) for first, last in sorted(stretches)))


def offers(unknown: list[tuple[int, int]], request: Request, lexicon: Lexicon) -> tuple[Warning, ...]:
    """For words that may be a disease, the titles of the classification that come nearest; a person chooses."""
    warnings = []
    for first, last in _gathered(unknown, request) if lexicon.code_column is not None else ():
        tokens = request.tokens[request.items[first].first : request.items[last - 1].last]
        words = [token.key for token in tokens if token.kind == "word" and len(token.key) > 3]
        found = nearest_titles(words) if words else []
        if found:
            shown = "; ".join(f"{title} ({code})" for code, title in found)
            message = f"No column for “{request.span(first, last)}”. Nearest diagnoses: {shown}."
            warnings.append(Warning(code="invalid", message=message))
    return tuple(warnings)


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


def _column(fact: Fact) -> str:
    if isinstance(fact, Limit):
        return fact.column
    return fact.criterion.column if isinstance(fact, Demand) and fact.criterion is not None else ""


def _meaning(fact: Fact, lexicon: Lexicon) -> str:
    match fact:
        case Count(factor=None):
            return f"{fact.patients:,g} patients" if fact.patients < 1e6 else f"{fact.patients:,.0f} patients"
        case Count():
            return f"{fact.factor:g} times as many patients"
        case Columns(how="all"):
            return "every column"
        case Columns():
            names = ", ".join(lexicon.schema[name].label or name for name in fact.names)
            return {"set": "only the columns", "add": "also the columns", "drop": "not the columns"}[
                fact.how
            ] + f" {names}"
        case Removal():
            return f"no demand on {', '.join(name.replace('_', ' ') for name in fact.columns)}"
        case Population():
            return "follows the US population"
        case Restart():
            return "a new cohort"
        case Aside():
            return fact.meaning
    return ""
