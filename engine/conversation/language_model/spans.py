"""Which words of a request each criterion of a model's reading came from."""

from engine.cohort.spec import CohortSpec, Criterion, Share
from engine.conversation.contract import Understood
from engine.conversation.language_model.stated import limits_of
from engine.conversation.rules.concepts import concept_of, convert
from engine.conversation.rules.items import Item, Request, read_items
from engine.conversation.rules.lexicon import lexicon_for
from engine.conversation.rules.parser import parse
from engine.conversation.rules.wording import phrase, share_phrase
from engine.schema.table import Column, TableSchema


def understood(
    spec: CohortSpec, text: str, *, schema: TableSchema, previous: CohortSpec | None = None
) -> tuple[Understood, ...]:
    """One entry for each criterion and share that ``previous`` lacks, with the words it came from.

    They are the rules' words where the rules read the same; else the words that name its column, category or number;
    else the whole text.
    """
    before = previous or CohortSpec()
    turn = parse(text, schema=schema, previous=previous)
    ruled = turn.understood
    request = read_items(text, lexicon_for(schema))  # pyright: ignore[reportArgumentType] - frozen models hash by value
    entries = []
    if turn.spec is not None and (turn.spec.patients, turn.spec.columns) == (spec.patients, spec.columns):
        entries += [entry for entry in ruled if entry.criterion is None and entry.share is None]
    for criterion in spec.criteria:
        if criterion not in before.criteria:
            same = next((entry for entry in ruled if entry.criterion == criterion), None)
            said = same.text if same is not None else _words(criterion, request, schema[criterion.column])
            note = same.note if same is not None else ""
            meaning = phrase(criterion, schema)
            entries.append(Understood(text=said, criterion=criterion, meaning=meaning, note=note))
    for share in spec.shares:
        if share not in before.shares:
            same = next((entry for entry in ruled if entry.share == share), None)
            said = same.text if same is not None else _words(share, request, schema[share.column])
            entries.append(Understood(text=said, share=share, meaning=share_phrase(share, schema)))
    return tuple(entries)


def _words(asked: Criterion | Share, request: Request, column: Column) -> str:
    """From the first to the last item that speaks of ``asked``; the whole text where none does."""
    values = {100 * asked.share, asked.share} if isinstance(asked, Share) else set(limits_of(asked))
    found = [
        at
        for at, item in enumerate(request.items)
        if _names(item, column) or _is_one_of(item, request.items[at + 1 : at + 2], values, column)
    ]
    return request.span(found[0], found[-1] + 1) if found else request.text.strip()


def _names(item: Item, column: Column) -> bool:
    condition = item.get("condition")
    categories = [category.column for category in item.get("category") or ()]
    return column.name in (*(item.get("column") or ()), *categories, condition.column if condition else "")


def _is_one_of(item: Item, following: list[Item], values: set[float], column: Column) -> bool:
    if not item.is_("number"):
        return False
    number = item.get("number").value
    unit = following[0].get("unit") if following else None
    converted = convert(number, unit=unit, column=column, concept=concept_of(column))
    return any(abs(one - value) < 1e-9 for one in values for value in (number, converted) if value is not None)
