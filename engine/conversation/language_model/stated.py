"""What a request states: the numbers, codes and dates that a model may write, and no others.

They come from the text, from the rules' reading of it (conversions, decades, reference ranges, named bands), and from
the spec that a follow-up changes.
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from engine.cohort.spec import MAX_PATIENTS, CohortSpec, Criterion
from engine.cohort.vocabulary import phrases
from engine.conversation.language_model.stated_codes import code_lists, code_ranges
from engine.conversation.rules.concepts import concept_of, convert
from engine.conversation.rules.facts import Count, Fact, Limit, Problem, Proportion, column_of
from engine.conversation.rules.grammar import find_facts
from engine.conversation.rules.items import Item, read_items
from engine.conversation.rules.lexicon import Lexicon, lexicon_for
from engine.conversation.rules.reading import Reading
from engine.schema.table import Kind, TableSchema

_MOST_LISTED = 40
_DATE = re.compile(r"(?<!\d)\d{4}-\d{2}-\d{2}(?!\d)")
_REST = re.compile(r"\b(?:rest|remaind\w+|remaining|others?|otherwise)\b", re.IGNORECASE)
_POPULATION = re.compile(r"\bpopulation|\bcensus|\bunited states|\bamerica|\bU\.?S\.?\b", re.IGNORECASE)
_SILENT = frozenset(["filler", "symbol", "patients", "verb", "and", "or", "but", "to", "plural_s", "unit", "operator"])


@dataclass(frozen=True)
class Stated:
    """What a request and the spec before it state.

    Attributes:
        patients: how many may be asked for.
        seeds: likewise the seed.
        shares: between 0 and 1.
        numbers: ordered column → the numbers that may limit it, in its unit.
        dates: as ISO text.
        code_lists: lists of code prefixes that belong together, each of a disease, a code or the spec before.
        code_ranges: first and last code.
        columns: names of the columns that text and previous spec mention, the text's first.
        lists_columns: whether the text may ask for a list of columns.
        listed: how many columns such a list may hold.
        population: whether a reference population is spoken of.
        demands: how many criteria there can be: no more than words that may stand for one.
    """

    patients: tuple[int, ...]
    seeds: tuple[int, ...]
    shares: tuple[float, ...]
    numbers: dict[str, tuple[float, ...]]
    dates: tuple[str, ...]
    code_lists: tuple[tuple[str, ...], ...]
    code_ranges: tuple[tuple[str, str], ...]
    columns: tuple[str, ...]
    lists_columns: bool
    listed: int
    population: bool
    demands: int


def stated(text: str, schema: TableSchema, previous: CohortSpec | None = None) -> Stated:
    """What ``text``, said of ``previous``, states about the columns of ``schema``."""
    lexicon = lexicon_for(schema)  # pyright: ignore[reportArgumentType] - frozen models hash by value
    request = read_items(text, lexicon)
    reading = Reading(request, lexicon)
    stretches = find_facts(reading)
    facts, items = list(_with_choices(reading.facts)), request.items
    has_unknown_words = any(item.is_("unknown") for first, last in stretches for item in items[first:last])
    before = previous or CohortSpec()
    amounts = list(_amounts(items))
    whole = {int(value) for value, _ in amounts if value == int(value) and 1 <= value <= MAX_PATIENTS}
    columns = _columns(items, facts, before, lexicon)
    ranked = any(item.is_("observations", "observation_kind") for item in items)
    asks_for_columns = any(item.is_("columns", "only", "include", "also", "all_columns") for item in items)
    return Stated(
        patients=tuple(sorted(whole | _counts(facts, previous))),
        seeds=tuple(sorted({before.seed} - {CohortSpec().seed} | (whole if "seed" in text.lower() else set()))),
        shares=_shares(text, items, facts, before),
        numbers=_numbers(items, facts, before, lexicon, any_band=has_unknown_words),
        dates=tuple(dict.fromkeys((*_DATE.findall(text), *(end for end in _ends(before) if isinstance(end, str))))),
        code_lists=code_lists(request, facts, before),
        code_ranges=code_ranges(request, facts, before),
        columns=columns,
        lists_columns=ranked or asks_for_columns or before.columns is not None or has_unknown_words,
        listed=min(_MOST_LISTED, max(1, len(columns), *(whole if ranked else ()))),
        population=before.reference_population is not None or bool(_POPULATION.search(text)),
        demands=max(1, sum(bool(item.parts.keys() - _SILENT) for item in items)) + len(before.criteria),
    )


def _with_choices(facts: Iterable[Fact]) -> Iterator[Fact]:
    """The facts, with the demands that are offered for a choice. Offered ranges may be in units that nobody typed."""
    for fact in facts:
        yield fact
        for choice in fact.choices if isinstance(fact, Problem) else ():
            yield from (part for part in choice.facts if not isinstance(part, Limit))


def _amounts(items: list[Item]) -> Iterator[tuple[float, str | None]]:
    """Every number with its unit. One whose unit may be an everyday word ("10 in") comes without it, too."""
    for at, item in enumerate(items):
        if not item.is_("number"):
            continue
        beside = items[at + 1 : at + 3]
        if len(beside) == 2 and beside[0].get("symbol") == "-":
            beside = beside[1:]
        unit = beside[0].get("unit") if beside else None
        if unit is None or beside[0].is_("filler", "but"):
            yield item.get("number").value, None
        if unit is not None:
            yield item.get("number").value, unit


def _counts(facts: list[Fact], previous: CohortSpec | None) -> set[int]:
    found = {previous.patients} if previous is not None else set()
    for fact in facts:
        if isinstance(fact, Count):
            wanted = fact.patients if fact.factor is None else fact.factor * (previous or CohortSpec()).patients
            if wanted == int(wanted) and 1 <= wanted <= MAX_PATIENTS:
                found.add(int(wanted))
    return found


def _shares(text: str, items: list[Item], facts: list[Fact], before: CohortSpec) -> tuple[float, ...]:
    found = {share.share for share in before.shares}
    found |= {fact.share for fact in facts if isinstance(fact, Proportion)}
    found |= {float(item.get("fraction")) for item in items if item.is_("fraction")}
    amounts = list(_amounts(items))
    percents = any(unit == "%" for _, unit in amounts)
    # "10, 20 and 70 %": the sign stands once. Where there is none, 0.3 is a share and 30 is not.
    found |= {value / 100 for value, unit in amounts if unit == "%" or (percents and unit is None)}
    found |= {value for value, unit in amounts if unit is None and 0 < value < 1}
    found = {share for share in found if 0 <= share <= 1}
    if _REST.search(text):
        found |= {round(1 - share, 6) for share in found} | {max(0.0, round(1 - sum(found), 6))}
    return tuple(sorted(found))


def _numbers(
    items: list[Item], facts: list[Fact], before: CohortSpec, lexicon: Lexicon, *, any_band: bool
) -> dict[str, tuple[float, ...]]:
    amounts = list(_amounts(items))
    units = {unit for _, unit in amounts if unit is not None and unit != "%"}
    # A number without a unit may share another's: "between 5 and 11 mmol/L".
    every = {*amounts, *((value, unit) for value, own in amounts if own is None for unit in units)}
    found: dict[str, set[float]] = defaultdict(set)
    for column in lexicon.schema.features:
        if column.kind in (Kind.NUMERIC, Kind.INTEGER):
            concept = concept_of(column)
            values = (convert(value, unit=unit, column=column, concept=concept) for value, unit in every)
            found[column.name] |= {value for value in values if value is not None}
            found[column.name] |= {float(item.get("decade")) + step for item in items if item.is_("decade")
                                   for step in (0, 10) if concept == "age_years"}  # fmt: skip
    for name, value in _limits(items, facts, before, lexicon, any_band=any_band):
        found[name].add(value)
    return {name: tuple(sorted(values)) for name, values in found.items()}


def _limits(
    items: list[Item], facts: list[Fact], before: CohortSpec, lexicon: Lexicon, *, any_band: bool
) -> Iterator[tuple[str, float]]:
    """Column and number of every range that the rules read, of every band that is named, and of the spec before."""
    for fact in facts:
        if isinstance(fact, Limit):
            yield from ((fact.column, end) for part in fact.intervals for end in (part.low, part.high)
                        if math.isfinite(end))  # fmt: skip
    named = [item.get("condition") for item in items if item.is_("condition")]
    # A word that the rules do not know may be another word for a band: "OAPs" are elderly.
    for phrase in phrases() if any_band else ():
        column = lexicon.column_for(phrase.criterion.column)
        if column is not None:
            named.append(phrase.criterion.model_copy(update={"column": column.name}))
    for criterion in (*named, *before.criteria):
        yield from ((criterion.column, end) for end in limits_of(criterion))


def _ends(spec: CohortSpec) -> list[float | str]:
    return [end for criterion in spec.criteria for end in _ends_of(criterion)]


def limits_of(criterion: Criterion) -> list[float]:
    """Every number that limits the criterion's column."""
    return [end for end in _ends_of(criterion) if isinstance(end, float)]


def _ends_of(criterion: Criterion) -> list[float | str]:
    pairs = ((criterion.minimum, criterion.maximum), *(criterion.ranges or ()))
    ends = [end for pair in pairs for end in pair if end is not None]
    values = [value for given in (criterion.any_of, criterion.none_of) for value in given or ()]
    numbers = [value for value in values if isinstance(value, (int, float)) and not isinstance(value, bool)]
    return [end if isinstance(end, str) else float(end) for end in (*ends, *numbers)]


def _columns(items: list[Item], facts: list[Fact], before: CohortSpec, lexicon: Lexicon) -> tuple[str, ...]:
    found: list[str] = []
    for item in items:
        found += item.get("column") or ()
        found += [category.column for category in item.get("category") or ()]
        criterion = item.get("condition")
        found += [criterion.column] if criterion is not None else []
    found += [column_of(fact) or getattr(fact, "column", "") for fact in facts]
    found += [part.column for part in (*before.criteria, *before.shares)]
    found += before.columns or ()
    return tuple(dict.fromkeys(name for name in found if name in lexicon.schema))
