"""Whether a spec can be met at all: bounds of columns, contradictions, shares against criteria, impossible patients."""

from functools import lru_cache

from engine.cohort.conditions import Condition, bare_code, compile_conditions, in_code_range, restrict
from engine.cohort.plausibility.binding import BoundRule, bind
from engine.cohort.plausibility.demands import demanded
from engine.cohort.spec import CohortSpec, Criterion, Share
from engine.conversation.contract import Warning
from engine.conversation.rules.lexicon import Lexicon
from engine.conversation.rules.remedies import Trouble, dropping, relaxed, warning_of
from engine.conversation.rules.titles import titles
from engine.conversation.rules.wording import phrase, share_phrase
from engine.core.errors import UserError
from engine.schema.table import Kind, TableSchema


def infeasibilities(spec: CohortSpec, lexicon: Lexicon) -> list[Warning]:
    """Why ``spec`` cannot be met, each with ways out; empty where nothing speaks against it. No row is looked at."""

    def check(changed: CohortSpec) -> list[Trouble]:
        return troubles(changed, lexicon)

    return [warning_of(trouble, lambda _: _Nothing(), check) for trouble in check(spec)]


class _Nothing:
    """A spec's ways out are specs: there are no facts to apply."""

    def __init__(self) -> None:
        self.spec: CohortSpec | None = None
        self.troubles: list[Trouble] = []


def troubles(spec: CohortSpec, lexicon: Lexicon) -> list[Trouble]:
    """What speaks against ``spec``, column by column, then what its columns together make impossible."""
    schema = _with_codes(lexicon.schema)  # pyright: ignore[reportArgumentType] - frozen models hash by value
    found: list[Trouble] = []
    conditions: dict[str, Condition] = {}
    for name in dict.fromkeys(part.column for part in (*spec.criteria, *spec.shares)):
        asked = tuple(part for part in spec.criteria if part.column == name)
        shares = tuple(part for part in spec.shares if part.column == name)
        absent = [part for part in asked if _has_no_code(part, lexicon)]
        if absent:
            messages = (f"No record of this source has {phrase(part, schema)}." for part in absent)
            found += [Trouble("infeasible", text, tuple(dropping(spec, name, schema))) for text in messages]
            continue
        if schema[name].kind is Kind.CATEGORICAL and not schema[name].categories:
            continue
        try:
            conditions |= compile_conditions(CohortSpec(criteria=asked, shares=shares), schema)
        except UserError as error:
            ways = (*relaxed(spec, name, schema), *dropping(spec, name, schema))
            found.append(Trouble("infeasible", str(error), ways))
    return found or _against_nature(spec, conditions, schema)


def _against_nature(spec: CohortSpec, conditions: dict[str, Condition], schema: TableSchema) -> list[Trouble]:
    """The first rule that every such patient would break: pregnant men, newborns of 60 years."""
    rules = _impossible(schema)  # pyright: ignore[reportArgumentType] - frozen models hash by value
    cases: list[tuple[Share | None, dict[str, Condition]]] = [(None, conditions)]
    for share in spec.shares:
        column = schema[share.column]
        if share.share > 0 and not column.kind.is_ordered:
            text = str(share.category).lower() if isinstance(share.category, bool) else str(share.category)
            cases.append((share, {**conditions, share.column: restrict(conditions.get(share.column), column, text)}))
    for share, case in cases:
        broken = demanded(case, rules) if len(case) > 1 else None
        if broken is not None:
            names = [column.name for column in broken.columns]
            said = [phrase(part, schema) for part in spec.criteria if part.column in names]
            said += [share_phrase(share, schema)] if share is not None and share.column in names else []
            message = f"No patient can have {' with '.join(said)}: {broken.rule.message}"
            ways = [way for name in names for way in dropping(spec, name, schema)]
            return [Trouble("infeasible", message, tuple(ways))]
    return []


@lru_cache(maxsize=16)
def _impossible(schema: TableSchema) -> tuple[BoundRule, ...]:
    return tuple(bound for bound in bind(schema) if bound.rule.severity == "impossible")


@lru_cache(maxsize=16)
def _with_codes(schema: TableSchema) -> TableSchema:
    """``schema`` with every code of the classification where the source does not say which of them it has."""
    changed = [
        column.model_copy(update={"categories": tuple(titles())})
        for column in schema.features
        if column.code_system == "icd9" and not column.categories
    ]
    return schema.replace(*changed)


def _has_no_code(criterion: Criterion, lexicon: Lexicon) -> bool:
    """Whether none of the source's codes is among those that the criterion asks for."""
    known = lexicon.schema[criterion.column].categories or ()
    prefixes, ranges = criterion.starts_with or (), criterion.between_codes or ()
    if not known or not (prefixes or ranges):
        return False
    wanted = (code for code in map(bare_code, known) if code.startswith(prefixes) or not prefixes)
    return not any(not ranges or any(in_code_range(code, *pair) for pair in ranges) for code in wanted)
