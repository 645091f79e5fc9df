"""What a model may write for one request: a JSON schema made for it, a grammar of the same, and a decoder's mask.

Columns and categories are enumerations of the source's schema; numbers, codes and dates are those that the request
states (:mod:`engine.conversation.language_model.stated`). Lists are as long as the request can justify, so every
draft ends. Importing this module loads neither torch nor transformers.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from engine.cohort.reference_tables import population_names
from engine.cohort.spec import CohortSpec
from engine.conversation.language_model.draft import placeholder, plain
from engine.conversation.language_model.stated import Stated, stated
from engine.schema.table import Column, Kind, TableSchema

if TYPE_CHECKING:
    from transformers import LogitsProcessor, PreTrainedTokenizerBase

MOST_CRITERIA = 16
_MOST_ALTERNATIVES = 8
_MOST_CATEGORIES = 300
"""Of a column with more, only those that the text names are offered."""

Json = dict[str, Any]


def request_grammar(text: str, *, schema: TableSchema, previous: CohortSpec | None = None) -> str:
    """A grammar for llguidance that lets through the drafts of ``text`` and nothing else."""
    from llguidance import LLMatcher

    return LLMatcher.grammar_from_json_schema(
        json.dumps(draft_schema(schema, text, previous), ensure_ascii=False), overrides={"whitespace_flexible": False}
    )


def constrained_processor(grammar: str, tokenizer: "PreTrainedTokenizerBase", **options: Any) -> "LogitsProcessor":
    """What keeps ``generate`` inside ``grammar`` for one sequence; see :class:`.masking.ConstrainedProcessor`."""
    from engine.conversation.language_model.masking import ConstrainedProcessor

    return ConstrainedProcessor(grammar, tokenizer, **options)


def draft_schema(schema: TableSchema, text: str, previous: CohortSpec | None = None) -> Json:
    """The JSON schema of the drafts of ``text``, with keys in the order in which they are written.

    Args:
        schema: the source's columns.
        text: the request.
        previous: the spec that a follow-up changes; without one nothing can be refined.
    """
    said = stated(text, schema, previous)
    without = _object({"intent": _enum(["question", "refuse", "out_of_scope", "unclear"])})
    cohort = _cohort(said, schema, text, previous)
    # A cohort of the usual size need not say so, but a follow-up says how many patients there are then.
    asking = [_object({"intent": _enum(["generate"]), **cohort}, required=("intent",))]
    if previous is not None:
        asking.append(_object({"intent": _enum(["refine"]), **cohort}, required=("intent", "patients")))
    return _any([*asking, without])


def _cohort(said: Stated, schema: TableSchema, text: str, previous: CohortSpec | None) -> Json:
    usual = CohortSpec()
    sizes = {usual.patients, *said.patients} if previous is not None else set(said.patients)
    choices = {column.name: _categories(column, text, previous) for column in schema.features}
    fields: Json = {}
    if sizes:
        fields["patients"] = _enum(sorted(sizes))
    most = min(MOST_CRITERIA, said.demands)
    fields["criteria"] = _list(_any(_criteria(said, schema.features, choices)), most)
    if said.shares and (parts := list(_proportions(said, schema.features, choices))):
        fields["shares"] = _list(_any(parts), _MOST_ALTERNATIVES)
    if said.lists_columns:
        fields["columns"] = _list(_enum([column.name for column in schema.features]), said.listed)
    if said.population:
        fields["reference_population"] = _enum(population_names())
    if said.seeds:
        fields["seed"] = _enum(said.seeds)
    return fields


def _criteria(said: Stated, columns: list[Column], choices: dict[str, list[str]]) -> Iterator[Json]:
    """One alternative per kind of demand; columns of which the same may be asked share it."""
    flags = [column.name for column in columns if column.kind is Kind.BOOLEAN]
    if flags:
        yield _demand(flags, {"any_of": {"enum": [[True], [False]]}})
    yield _demand([column.name for column in columns], {"recorded": _enum([True, False])})
    measured: dict[tuple, list[str]] = defaultdict(list)
    for column in columns:
        if column.kind.is_ordered:
            measured[said.dates if column.kind is Kind.DATE else said.numbers.get(column.name, ())].append(column.name)
    for values, names in measured.items():
        if values:
            yield from _ranges(names, values)
    nominal: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for column in columns:
        if column.kind is Kind.CATEGORICAL and not column.code_system and choices[column.name]:
            nominal[tuple(choices[column.name])].append(column.name)
    for values, names in nominal.items():
        listed = _list(_enum(values), min(len(values), _MOST_ALTERNATIVES))
        yield _demand(names, {"any_of": listed})
        yield _demand(names, {"none_of": listed}, {"recorded": _enum([True])})
    coded = [column.name for column in columns if column.code_system]
    if coded:
        yield from _codes(coded, said)


def _ranges(names: list[str], values: tuple) -> Iterator[Json]:
    one, without = _enum(values), _enum([False])
    yield _demand(names, {"minimum": one}, {"maximum": one, "include_minimum": without, "include_maximum": without})
    yield _demand(names, {"maximum": one}, {"include_maximum": without})
    if not isinstance(values[0], str):
        end = _enum([None, *values])
        pair = {"type": "array", "prefixItems": [end, end], "items": False, "minItems": 2, "maxItems": 2}
        yield _demand(names, {"ranges": _list(pair, _MOST_ALTERNATIVES)})
        yield _demand(names, {"any_of": _list(one, _MOST_ALTERNATIVES)})
        yield _demand(names, {"none_of": _list(one, _MOST_ALTERNATIVES)})


def _codes(names: list[str], said: Stated) -> Iterator[Json]:
    lists = {"enum": [list(codes) for codes in said.code_lists]}
    if said.code_lists:
        yield _demand(names, {"starts_with": lists}, {"not_starts_with": lists})
        yield _demand(names, {"not_starts_with": lists}, {"recorded": _enum([True])})
    if said.code_ranges:
        ranges = _list({"enum": [list(pair) for pair in said.code_ranges]}, _MOST_ALTERNATIVES)
        yield _demand(names, {"between_codes": ranges}, {"not_starts_with": lists} if said.code_lists else {})


def _proportions(said: Stated, columns: list[Column], choices: dict[str, list[str]]) -> Iterator[Json]:
    share = _enum(said.shares)
    by_category: dict[tuple, list[str]] = defaultdict(list)
    for column in columns:
        if column.kind is Kind.BOOLEAN:
            by_category[True, False].append(column.name)
        elif column.kind is Kind.CATEGORICAL and not column.code_system and choices[column.name]:
            by_category[tuple(choices[column.name])].append(column.name)
    for categories, names in by_category.items():
        yield _object({"column": _enum(names), "category": _enum(categories), "share": share})


def _categories(column: Column, text: str, previous: CohortSpec | None) -> list[str]:
    """The categories that may be named, and placeholders of those that a prompt hides (:mod:`.prompt`)."""
    known = list(column.categories or ())
    kept = [
        value
        for part in (previous.criteria if previous is not None else ())
        if part.column == column.name
        for value in (*(part.any_of or ()), *(part.none_of or ()))
    ]
    kept += [part.category for part in (previous.shares if previous is not None else ()) if part.column == column.name]
    if len(known) > _MOST_CATEGORIES:
        folded = text.lower()
        known = [value for value in known if value.lower() in folded or value in kept]
    hidden = [placeholder(value, column) for value in kept if isinstance(value, str)]
    return list(dict.fromkeys([*known, *(value for value in hidden if isinstance(value, str))]))


_ORDER = ("column", "minimum", "maximum", "include_minimum", "include_maximum", "ranges", "any_of", "none_of",
          "starts_with", "not_starts_with", "between_codes", "recorded")  # fmt: skip


def _demand(columns: list[str], needed: Json, optional: Json | None = None) -> Json:
    parts = {"column": _enum(columns), **needed, **(optional or {})}
    return _object({name: parts[name] for name in _ORDER if name in parts}, required=("column", *needed))


def _object(properties: Json, *, required: Iterable[str] | None = None) -> Json:
    needed = list(properties if required is None else required)
    return {"type": "object", "properties": properties, "required": needed, "additionalProperties": False}


def _enum(values: Iterable[Any]) -> Json:
    return {"enum": plain(list(values))}


def _list(items: Json, most: int) -> Json:
    return {"type": "array", "items": items, "minItems": 1, "maxItems": most}


def _any(parts: Iterable[Json]) -> Json:
    return {"anyOf": list(parts)}
