"""Which columns of a table a rule is about, and in what unit they are.

A column is found by the term's name, by the catalogue's words for it, or by the term's own; its kind must suit. A
quantity counts only if its unit is the term's or can be converted: a name alone proves no unit. Where several columns
are called the same and none has the term's very name, the rule says nothing rather than guess.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

from engine.cohort.plausibility.constraints import Clause, Implies, Statistics
from engine.cohort.plausibility.rules import Rule, RuleBook, Term, rule_book
from engine.schema.catalogue import Conversion, normalised, unit_key
from engine.schema.linking import concept_of, named_unit
from engine.schema.table import Column, Kind, TableSchema

_SUITED = {
    "numeric": (Kind.NUMERIC, Kind.INTEGER),
    "integer": (Kind.NUMERIC, Kind.INTEGER),
    "categorical": (Kind.CATEGORICAL,),
    "boolean": (Kind.BOOLEAN, Kind.CATEGORICAL),
    "date": (Kind.DATE,),
}
_LOWEST, _HIGHEST = ("min", "minimum"), ("max", "maximum")
_BETWEEN = ("mean", "average", "avg", "median", "first", "last")


@dataclass(frozen=True)
class Source:
    """A table's column in the place of a term: ``value × factor + offset`` is in the term's unit.

    ``declared``: whether the column's unit is known; ``meanings``: category text (normalised) → meaning.
    """

    column: Column
    factor: float = 1.0
    offset: float = 0.0
    declared: bool = True
    meanings: tuple[tuple[str, str], ...] = ()

    def meaning(self, category: str) -> str:
        """What ``category`` means in the rules: a term's meaning, or itself in lower case."""
        word = normalised(category)
        return next((meaning for known, meaning in self.meanings if known == word), category.lower().strip())


@dataclass(frozen=True)
class BoundRule:
    """A rule with the columns of one table that it is about; each instance is a set of columns to hold it against."""

    rule: Rule
    instances: tuple[Mapping[str, Source], ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        """The table's columns, each once."""
        found = {source.column.name: source.column for instance in self.instances for source in instance.values()}
        return tuple(found.values())

    @property
    def column_names(self) -> str:
        """Labels of the columns, for a message."""
        return ", ".join(column.label or column.name for column in self.columns)


@dataclass(frozen=True)
class _Match:
    """A column that a term's words fit: ``statistic`` is the word that says which of several measurements it is."""

    column: Column
    term: str
    statistic: str
    exact: bool


def bind(schema: TableSchema, book: RuleBook | None = None) -> tuple[BoundRule, ...]:
    """The rules of ``book`` (None: those that ship) that can be asked of a table of ``schema``, in their order."""
    rules = book or rule_book()
    terms = {name: rules.term(name) for rule in rules.rules for name in rule.columns}
    found = _matches(schema, terms, rules.statistics)
    bound = []
    for rule in rules.rules:
        instances = _statistics(schema) if isinstance(rule.constraint, Statistics) else _instances(rule, terms, found)
        if instances:
            bound.append(BoundRule(rule, tuple(instances)))
    return tuple(bound)


def _matches(schema: TableSchema, terms: Mapping[str, Term], statistics: tuple[str, ...]) -> list[_Match]:
    words: dict[str, list[str]] = {}
    for term in terms.values():
        for word in (term.name, *term.synonyms):
            words.setdefault(normalised(word), []).append(term.name)
    found = []
    for column in schema.features:
        for name, statistic in _readings(column.name, statistics):
            concept = concept_of(name)
            named = {*words.get(normalised(name), ()), *words.get(normalised(_without_unit(name)), ())}
            if concept is not None and concept.name in terms:
                named.add(concept.name)
            for term in sorted(named):
                if column.kind in _SUITED.get(terms[term].kind or "", ()):
                    found.append(_Match(column, term, statistic, column.name == term))
    return found


def _readings(name: str, statistics: tuple[str, ...]) -> list[tuple[str, str]]:
    """The name as it is, and without a statistic before or behind it."""
    readings = [(name, "")]
    parts = name.replace("-", "_").replace(" ", "_").split("_")
    if len(parts) > 1 and parts[0].lower() in statistics:
        readings.append(("_".join(parts[1:]), parts[0].lower()))
    if len(parts) > 1 and parts[-1].lower() in statistics:
        readings.append(("_".join(parts[:-1]), parts[-1].lower()))
    return readings


def _without_unit(name: str) -> str:
    unit = named_unit(name)
    if unit is None:
        return name
    # The suffix is as long as the shortest ending that still names the unit.
    return next((name[:cut] for cut in range(len(name) - 1, 0, -1) if named_unit(name[cut:]) == unit), name)


def _instances(rule: Rule, terms: Mapping[str, Term], found: list[_Match]) -> list[dict[str, Source]]:
    statistics = list(dict.fromkeys(match.statistic for match in found)) if rule.per_statistic else [""]
    optional = set(getattr(rule.constraint, "flags", ()))
    instances = []
    for statistic in statistics:
        options = []
        names = []
        for name in rule.columns:
            columns = _columns_of(terms[name], statistic, found)
            sources = [source for column in columns if (source := _source(column, terms[name], rule)) is not None]
            if not sources and name in optional:
                continue
            names.append(name)
            options.append(sources)
        if optional and not optional & set(names):
            continue
        instances += [
            dict(zip(names, chosen, strict=True)) for chosen in product(*options) if _one_unit(chosen, names, rule)
        ]
    return instances


def _columns_of(term: Term, statistic: str, found: list[_Match]) -> list[Column]:
    matches = [match for match in found if match.term == term.name and match.statistic == statistic]
    if term.every:
        return list(dict.fromkeys(match.column for match in matches))
    exact = [match.column for match in matches if match.exact]
    return exact or ([matches[0].column] if len(matches) == 1 else [])


def _source(column: Column, term: Term, rule: Rule) -> Source | None:
    meanings = tuple((normalised(word), meaning) for meaning, words in term.meanings.items() for word in words)
    if column.kind not in (Kind.NUMERIC, Kind.INTEGER) or not _is_measured(term.name, rule):
        return Source(column, meanings=meanings)
    conversion = _conversion(column, term)
    if conversion is None:
        return Source(column, declared=False) if rule.same_unit and _unit(column, term) is None else None
    return Source(column, conversion.factor, conversion.offset)


def _is_measured(name: str, rule: Rule) -> bool:
    """Whether the rule uses the numbers of the term: that a value is recorded can be said in any unit."""
    clauses: list[Clause] = list(rule.where)
    if isinstance(rule.constraint, Implies):
        clauses += [*rule.constraint.when, rule.constraint.then]
        return any(clause.column == name and clause.is_about_numbers for clause in clauses)
    return True


def _unit(column: Column, term: Term) -> str | None:
    """The column's unit: declared, at the end of its name, or the term's own among the words of its name."""
    known = column.unit or named_unit(column.name)
    if known is None and term.unit is not None and unit_key(term.unit) in normalised(column.name).split():
        return term.unit
    return known


def _conversion(column: Column, term: Term) -> Conversion | None:
    unit = _unit(column, term)
    if term.unit is None or unit is None:
        return Conversion() if term.unit is None and unit is None else None
    wanted = unit_key(unit)
    if wanted == unit_key(term.unit):
        return Conversion()
    return next((one for known, one in term.units.items() if unit_key(known) == wanted), None)


def _one_unit(chosen: tuple[Source, ...], names: list[str], rule: Rule) -> bool:
    """Undeclared units count as the same only where all are undeclared; and a column is not two terms at once."""
    quantities = [s for s, name in zip(chosen, names, strict=True) if s.column.kind in (Kind.NUMERIC, Kind.INTEGER)]
    if not all(source.declared for source in quantities) and any(source.declared for source in quantities):
        return False
    return len({source.column.name for source in chosen}) == len(chosen)


def _statistics(schema: TableSchema) -> list[dict[str, Source]]:
    """Pairs ``below`` ≤ ``above`` of columns that are named alike but for the word that says which statistic it is."""
    families: dict[tuple[str, str | None], dict[str, Column]] = {}
    for column in schema.features:
        if column.kind in (Kind.NUMERIC, Kind.INTEGER):
            for base, statistic in _readings(column.name, (*_LOWEST, *_BETWEEN, *_HIGHEST)):
                if statistic:
                    families.setdefault((base.lower(), column.unit), {})[statistic] = column
    pairs = []
    for family in families.values():
        low, between, high = ([family[w] for w in words if w in family] for words in (_LOWEST, _BETWEEN, _HIGHEST))
        pairs += [
            {"below": Source(a), "above": Source(b)}
            for below, above in ((low, between), (between, high), (low, high))
            for a, b in product(below, above)
        ]
    return pairs
