"""What a request states, as one short line: the language that the second opinion's small model writes.

``n = 500; sex = F; age_years >= 65; creatinine > 152 umol/L; not disease gout; 30 % died_in_hospital yes``. Numbers and
units are the text's own, so that nothing has to be calculated; what they mean is settled by the product's conversion
and editing. Each statement is one fact of the parser's grammar.
"""

import math
import re
from dataclasses import dataclass
from functools import lru_cache

from engine.cohort.conditions import Interval
from engine.cohort.spec import CohortSpec, Criterion
from engine.cohort.vocabulary import chapters, diseases, grammar, phrases
from engine.conversation.fine_tuning.pairs import Pair
from engine.conversation.fine_tuning.phrases import fact_of
from engine.conversation.rules.concepts import concept_of, convert
from engine.conversation.rules.editing import edit, starts_afresh
from engine.conversation.rules.facts import (
    Columns,
    Count,
    Demand,
    Fact,
    Limit,
    Population,
    Proportion,
    Removal,
    Restart,
)  # fmt: skip
from engine.conversation.rules.items import read_items
from engine.conversation.rules.lexicon import Lexicon
from engine.schema.catalogue import unit_key
from engine.schema.table import Column, Kind

OTHER_INTENTS = ("question", "refuse", "out_of_scope", "unclear")
_PARTS = {"": (0, 10), "early ": (0, 4), "mid ": (4, 7), "late ": (7, 10)}
_THIRDS = (1 / 3, 2 / 3)
_RANGE = re.compile(r"[<>]=? [\d.]+(?:(?: or)? [<>]=? [\d.]+)*")


@dataclass(frozen=True)
class Said:
    """The numbers, units, decades and factors that a text holds: all that statements about it may contain."""

    numbers: tuple[float, ...]
    units: tuple[str, ...]
    decades: tuple[float, ...]
    factors: tuple[float, ...]


def said_in(text: str, lexicon: Lexicon) -> Said:
    """What ``text`` says in numbers; fractions are percentages."""
    found: dict[str, dict] = {"numbers": {}, "units": {}, "decades": {}, "factors": {}}
    for item in read_items(text, lexicon).items:
        if item.is_("number"):
            value = item.get("number").value
            found["numbers"][value] = None
            if value in range(10, 100, 10):
                found["decades"][value] = None
        if item.is_("decade"):
            found["decades"][float(item.get("decade"))] = None
        if item.is_("fraction"):
            found["numbers"][round(float(item.get("fraction")) * 100, 6)] = None
        if item.is_("multiply"):
            found["factors"][float(item.get("multiply"))] = None
        if item.is_("unit"):
            found["units"][_spelled(item.get("unit"))] = None
    return Said(**{name: tuple(values) for name, values in found.items()})


@lru_cache(maxsize=256)
def _spelled(unit: str) -> str:
    """The grammar's spelling of a unit, so that one unit has one spelling."""
    return next((name for name in grammar()["unit"] if unit_key(name) == unit_key(unit)), unit)


def plain(number: float) -> str:
    """``number`` with the digits that it needs."""
    return f"{number:.10g}"


@lru_cache(maxsize=1)
def worded_ranges() -> dict[str, Criterion]:
    """Words that stand for a range ("elderly") → its criterion."""
    return {one.say[0]: one.criterion for one in phrases() if one.criterion.any_of is None}


@lru_cache(maxsize=1)
def _codes_of() -> dict[str, tuple[str, ...]]:
    return {disease.name: disease.icd9 for disease in diseases()}


@lru_cache(maxsize=1)
def _name_of() -> dict[tuple[str, ...], str]:
    return {codes: name for name, codes in _codes_of().items()}


# -- writing -----------------------------------------------------------------------------------------------------------


def line_of(pair: Pair, lexicon: Lexicon) -> str | None:
    """The line that states what ``pair`` does; None where its text does not hold every number (misspelled ones)."""
    if pair.spec is None:
        return pair.intent
    said = said_in(pair.text, lexicon)
    written = [_written(fact, pair, said, lexicon) for fact in pair.facts]
    known = [one for one in written if one is not None]
    return "; ".join([*["instead"] * pair.instead, *known]) if len(known) == len(written) else None


def _written(fact: Fact, pair: Pair, said: Said, lexicon: Lexicon) -> str | None:
    match fact:
        case Count():
            if fact.factor is not None:
                return f"n * {plain(fact.factor)}"
            return f"n = {plain(fact.patients)}" if fact.patients in said.numbers else None
        case Limit():
            return _limit(fact, lexicon.schema[fact.column], said)
        case Demand():
            return _demand(fact, lexicon, pair.text)
        case Proportion():
            return _proportion(fact, pair, said)
        case Columns():
            sign = {"add": "+ ", "drop": "- "}.get(fact.how, "")
            return "columns all" if fact.how == "all" else f"columns {sign}{', '.join(fact.names)}"
        case Removal():
            return f"drop {', '.join(fact.columns)}"
        case _:
            return {"Population": "us", "Restart": "restart"}.get(type(fact).__name__)


def _proportion(fact: Proportion, pair: Pair, said: Said) -> str | None:
    category = {True: "yes", False: "no"}[fact.category] if isinstance(fact.category, bool) else fact.category
    percent = fact.share * 100
    if any(abs(percent - number) < 1e-6 for number in said.numbers):
        return f"{plain(round(percent, 6))} % {fact.column} {category}"
    beside = [one for one in pair.facts if isinstance(one, Proportion) and one.column == fact.column]
    return f"equal % {fact.column} {category}" if len(beside) == 2 and fact.share == 0.5 else None


def _limit(fact: Limit, column: Column, said: Said) -> str | None:
    parts = fact.intervals
    only = parts[0]
    if len(parts) == 1 and concept_of(column) == "age_years" and not only.include_high:
        for part, (first, last) in _PARTS.items():
            if only.low - first in said.decades and only.high - only.low == last - first and only.include_low:
                return f"{column.name} {part}{plain(only.low - first)}s"
        if only.high == only.low + 1 and _in_text(only.low, column, said):
            return f"{column.name} = {plain(only.low)}"
    ends = [end for part in parts for end in (part.low, part.high) if math.isfinite(end)]
    if not all(_in_text(end, column, said) for end in ends):
        return _in_other_words(parts, column)
    unit, written = None, []
    for part in parts:
        bounds = []
        for end, sign, included in ((part.low, ">", part.include_low), (part.high, "<", part.include_high)):
            found = _in_text(end, column, said) if math.isfinite(end) else None
            if found is not None:
                unit = found[1] or unit
                bounds.append(f"{sign}{'=' * included} {plain(found[0])}")
        written.append(" ".join(bounds))
    return f"{column.name} {' or '.join(written)}" + (f" {unit}" if unit else "")


def _in_other_words(parts: tuple[Interval, ...], column: Column) -> str | None:
    for negated in (False, True):
        for words, criterion in worded_ranges().items():
            fact = fact_of(criterion, negated=negated)
            if criterion.column == column.name and isinstance(fact, Limit) and fact.intervals == parts:
                return f"{'not ' * negated}{words}"
    for word, interval in _reference(column).items():
        if parts == (interval,):
            return f"{column.name} {word}"
    return None


def _in_text(value: float, column: Column, said: Said) -> tuple[float, str | None] | None:
    """The text's number, and its unit, that is ``value`` in the column's unit."""
    for unit in (None, *said.units):
        for number in said.numbers:
            made = convert(number, unit=unit, column=column, concept=concept_of(column))
            if made is not None and math.isclose(made, value, rel_tol=1e-9, abs_tol=1e-9):
                return number, unit
    return None


def _demand(fact: Demand, lexicon: Lexicon, text: str) -> str | None:
    criterion = fact.criterion
    if criterion is None:
        return None
    column, negated = lexicon.schema[criterion.column], "not " * fact.negated
    if criterion.recorded is not None:
        return f"{column.name} {'recorded' if criterion.recorded else 'missing'}"
    if criterion.any_of is not None and column.kind is Kind.BOOLEAN:
        return f"{'+' if bool(criterion.any_of[0]) != fact.negated else '-'}{column.name}"
    if criterion.any_of is not None:
        return f"{column.name} {'!=' if fact.negated else '='} {' | '.join(map(str, criterion.any_of))}"
    if criterion.starts_with is not None:
        named = _name_of().get(criterion.starts_with)
        if named is not None and criterion.starts_with[0] not in text.replace(".", "").upper():
            return f"{negated}disease {named}"
        return f"{negated}code {' | '.join(criterion.starts_with)}"
    ranges = criterion.between_codes or ()
    chapter = next((one.number for one in chapters() if ranges == (one.range,)), None)
    if chapter is not None:
        return f"{negated}chapter {chapter}"
    return f"{negated}code {' | '.join(f'{low}..{high}' for low, high in ranges)}"


def _reference(column: Column) -> dict[str, Interval]:
    low = -math.inf if column.reference_low is None else column.reference_low
    high = math.inf if column.reference_high is None else column.reference_high
    return {
        "high": Interval(low=high, include_low=False), "low": Interval(high=low, include_high=False),
        "normal": Interval(low, high),
    }  # fmt: skip


# -- reading -----------------------------------------------------------------------------------------------------------


def spec_of_line(line: str, previous: CohortSpec | None, lexicon: Lexicon) -> CohortSpec | None:
    """The spec that ``line`` makes of ``previous``; None where it asks for no cohort.

    Raises:
        ValueError: a statement is none, or what it asks for is no criterion.
    """
    if line.strip() in OTHER_INTENTS:
        return None
    stated = [one.strip() for one in line.split("; ") if one.strip()]
    facts = [_read(one, lexicon) for one in stated if one != "instead"]
    base = None if starts_afresh(facts) else previous
    return edit(facts, previous=base, lexicon=lexicon, instead="instead" in stated).spec


def _read(statement: str, lexicon: Lexicon) -> Fact:
    match statement.split(" "):
        case ["us"]:
            return Population(0, 0)
        case ["restart"]:
            return Restart(0, 0)
        case ["n", "=", number]:
            return Count(0, 0, patients=float(number))
        case ["n", "*", number]:
            return Count(0, 0, factor=float(number))
        case ["columns", "all"]:
            return Columns(0, 0, how="all")
        case ["columns", *_]:
            sign, names = re.fullmatch(r"columns ([+-] )?(.+)", statement).groups()  # type: ignore[union-attr]
            how = {None: "set", "+ ": "add", "- ": "drop"}[sign]
            return Columns(0, 0, names=tuple(dict.fromkeys(names.split(", "))), how=how)
        case ["drop", *_]:
            return Removal(0, 0, columns=tuple(statement.removeprefix("drop ").split(", ")))
        case [amount, "%", column, *category]:
            share = 0.5 if amount == "equal" else float(amount) / 100
            share = next((third for third in _THIRDS if abs(third - share) < 1e-6), share)
            said = " ".join(category)
            flag = lexicon.schema[column].kind is Kind.BOOLEAN
            return Proportion(0, 0, "", column, said == "yes" if flag else said, share)
        case [flag] if flag[0] in "+-":
            return Demand(0, 0, "", Criterion(column=flag[1:], any_of=(True,)), flag[0] == "-")
    return _read_code(statement, lexicon) or _read_column(statement, lexicon)


def _read_code(statement: str, lexicon: Lexicon) -> Fact | None:
    negated, said = statement.startswith("not "), statement.removeprefix("not ")
    if said in worded_ranges():
        return fact_of(worded_ranges()[said], negated=negated)
    kind, _, rest = said.partition(" ")
    if kind not in ("disease", "chapter", "code") or lexicon.code_column is None:
        return None
    fields: dict[str, tuple] = {}
    if kind == "disease":
        fields["starts_with"] = _codes_of()[rest]
    elif kind == "chapter":
        fields["between_codes"] = tuple(one.range for one in chapters() if one.number == rest)
    else:
        codes = rest.split(" | ")
        pairs = tuple((low, high or low) for low, _, high in (code.partition("..") for code in codes))
        fields = {"between_codes": pairs} if ".." in rest else {"starts_with": tuple(codes)}
    return Demand(0, 0, "", Criterion(column=lexicon.code_column.name, **fields), negated)


def _read_column(statement: str, lexicon: Lexicon) -> Fact:
    name, _, rest = statement.partition(" ")
    column = lexicon.schema[name]
    if rest in ("recorded", "missing"):
        return Demand(0, 0, "", Criterion(column=name, recorded=rest == "recorded"))
    if rest in ("high", "low", "normal"):
        return Limit(0, 0, "", name, (_reference(column)[rest],))
    if found := re.fullmatch(r"(early |mid |late )?(\d+)s", rest):
        first, last = (float(found[2]) + years for years in _PARTS[found[1] or ""])
        return Limit(0, 0, "", name, (Interval(first, last, include_high=False),))
    operator, _, value = rest.partition(" ")
    if operator in ("=", "!=") and not column.kind.is_ordered:
        return Demand(0, 0, "", Criterion(column=name, any_of=tuple(value.split(" | "))), operator == "!=")
    if operator == "=":
        return Limit(0, 0, "", name, (Interval(float(value), float(value) + 1, include_high=False),))
    return Limit(0, 0, "", name, _intervals(rest, column))


def _intervals(rest: str, column: Column) -> tuple[Interval, ...]:
    matched = _RANGE.match(rest)
    if matched is None:
        raise ValueError(f"{rest!r} is no range")
    body, unit = matched.group(), rest[matched.end() :].strip() or None
    found = []
    for alternative in body.split(" or "):
        interval = Interval()
        for sign, equal, number in re.findall(r"([<>])(=?) ([\d.]+)", alternative):
            value = convert(float(number), unit=unit, column=column, concept=concept_of(column))
            if value is None:
                raise ValueError(f"{column.name} is not measured in {unit}")
            other = (
                Interval(low=value, include_low=bool(equal))
                if sign == ">"
                else Interval(high=value, include_high=bool(equal))
            )
            met = interval.meet(other)
            if met is None:
                raise ValueError("no number lies in the range")
            interval = met
        found.append(interval)
    return tuple(found)
