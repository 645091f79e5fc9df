"""Where two readings of one request differ, fact by fact: what they demand is compared, not how it is written."""

from collections.abc import Hashable
from dataclasses import dataclass

from engine.cohort.conditions import category_text, compile_conditions
from engine.cohort.reference_tables import reference_table
from engine.cohort.spec import CohortSpec, Criterion
from engine.conversation.rules.wording import phrase, share_phrase
from engine.core.errors import UserError
from engine.schema.table import TableSchema


@dataclass(frozen=True)
class Difference:
    """One fact in words, as each of two readings has it; None where a reading does not have it."""

    subject: str
    first: str | None
    second: str | None

    def told(self, first: str, second: str) -> str:
        """In a sentence part, the readings called ``first`` and ``second``."""
        if self.first is None or self.second is None:
            return f"{self.first or self.second} ({first if self.second is None else second} only)"
        return f"{self.first} ({first}) or {self.second} ({second})"


def differences(first: CohortSpec, second: CohortSpec, schema: TableSchema) -> list[Difference]:
    """What ``first`` and ``second`` disagree on; empty where they ask for the same cohort."""
    mine, theirs = _facts(first, schema), _facts(second, schema)
    return [
        Difference(subject, mine[subject].words if subject in mine else None,
                   theirs[subject].words if subject in theirs else None)
        for subject in dict.fromkeys((*mine, *theirs))
        if subject not in mine or subject not in theirs or mine[subject].meaning != theirs[subject].meaning
    ]  # fmt: skip


@dataclass(frozen=True)
class _Fact:
    meaning: Hashable
    words: str


def _facts(spec: CohortSpec, schema: TableSchema) -> dict[str, _Fact]:
    facts = {"patients": _Fact(spec.patients, f"{spec.patients:,} patients")}
    criteria: dict[str, list[Criterion]] = {}
    for part in spec.criteria:
        criteria.setdefault(part.column, []).append(part)
    for name, parts in criteria.items():
        words = " and ".join(phrase(part, schema) for part in parts)
        facts[f"criteria {name}"] = _Fact(_demand(tuple(parts), schema), words)
    for share in spec.shares:
        key = f"share {share.column} {category_text(share.category)}"
        facts[key] = _Fact(round(share.share, 6), share_phrase(share, schema))
    if spec.columns is not None:
        titles = ", ".join(schema[name].label or name.replace("_", " ") for name in spec.columns)
        facts["columns"] = _Fact(frozenset(spec.columns), f"only the columns {titles}")
    if spec.reference_population is not None:
        facts["population"] = _Fact(
            spec.reference_population, f"following the {reference_table(spec.reference_population).title}"
        )
    if spec.seed != CohortSpec().seed:
        facts["seed"] = _Fact(spec.seed, f"seed {spec.seed}")
    return facts


def _demand(parts: tuple[Criterion, ...], schema: TableSchema) -> Hashable:
    """Which values the criteria leave: "not false" and "true" are the same demand on a yes/no column."""
    try:
        return compile_conditions(CohortSpec(criteria=parts), schema)[parts[0].column]
    except UserError:
        return frozenset(parts)  # an open code list, of which only the criteria themselves can be compared
