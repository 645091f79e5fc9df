"""What a turn says about its words: the stretches that were understood, with their meaning, and those that were not."""

from engine.cohort.reference_tables import reference_table
from engine.conversation.contract import Understood
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
    column_of,
    share_of,
)  # fmt: skip
from engine.conversation.rules.items import Request
from engine.conversation.rules.lexicon import Lexicon
from engine.conversation.rules.wording import phrase, share_phrase


def understood(facts: list[Fact], request: Request, result: Edit, lexicon: Lexicon) -> tuple[Understood, ...]:
    """One entry for each fact, in the text's order."""
    entries = []
    for fact in facts:
        if isinstance(fact, Problem):
            continue
        text = request.span(fact.first, fact.last)
        if isinstance(fact, (Limit, Demand)):
            column = column_of(fact)
            criteria = result.criteria.get(column, ())
            criterion = criteria[0] if criteria else None
            meaning = phrase(criterion, lexicon.schema) if criterion else f"any {column.replace('_', ' ')}"
            entries.append(Understood(text=text, criterion=criterion, meaning=meaning, note=fact.note))
        elif isinstance(fact, Proportion):
            share = share_of(fact) if 0 <= fact.share <= 1 else None
            meaning = share_phrase(share, lexicon.schema) if share else "a share that is not possible"
            entries.append(Understood(text=text, share=share, meaning=meaning, note=fact.note))
        else:
            note = fact.note or request.notes(fact.first, fact.last)
            entries.append(Understood(text=text, meaning=_meaning(fact, lexicon), note=note))
    return tuple(entries)


def unread(facts: list[Fact], unknown: list[tuple[int, int]], request: Request) -> tuple[str, ...]:
    """The exact words that stayed without sense, in the text's order."""
    stretches = [*unknown, *((fact.first, fact.last) for fact in facts if isinstance(fact, Problem))]
    return tuple(dict.fromkeys(request.span(first, last) for first, last in sorted(stretches)))


def _meaning(fact: Fact, lexicon: Lexicon) -> str:
    match fact:
        case Count(factor=None):
            return f"{fact.patients:,g} patients" if fact.patients < 1e6 else f"{fact.patients:,.0f} patients"
        case Count(factor=1.0):
            return f"{abs(fact.patients):,g} patients {'more' if fact.patients > 0 else 'fewer'}"
        case Count():
            return f"{fact.factor:g} times as many patients"
        case Columns(said=said) if said:
            return said
        case Columns(how="all"):
            return "every column"
        case Columns():
            names = ", ".join(lexicon.schema[name].label or name for name in fact.names)
            return {"set": "only the columns", "add": "also the columns", "drop": "not the columns"}[
                fact.how
            ] + f" {names}"
        case Removal(wanted=False):
            return f"any {', '.join(name.replace('_', ' ') for name in fact.columns)}"
        case Removal():
            return f"no demand on {', '.join(name.replace('_', ' ') for name in fact.columns)}"
        case Population():
            return f"follows the {reference_table(fact.name).title}"
        case Restart():
            return "a new cohort"
        case Aside():
            return fact.meaning
    return ""
