"""What may predict an outcome: every feature that is known before it and neither defines nor follows from it."""

from dataclasses import dataclass

from engine.cohort.plausibility.binding import bind
from engine.cohort.plausibility.constraints import Icd9Flag, Implies, column_names
from engine.cohort.plausibility.rules import Rule
from engine.evaluation.outcome_book import meanings, outcome_book
from engine.evaluation.outcomes import Outcome
from engine.evaluation.tables import label_of
from engine.schema.table import Column, Kind, TableSchema

_ALWAYS = ("sex", "age_years")
_DIAGNOSIS = ("primary_icd9_code", "primary_icd9_group", "primary_icd9_chapter", "icd9_code")


@dataclass(frozen=True)
class Excluded:
    """A column that may not predict the outcome, and why."""

    column: str
    label: str
    reason: str

    def as_dict(self) -> dict[str, str]:
        """JSON values."""
        return {"column": self.column, "label": self.label, "reason": self.reason}


def predictors(schema: TableSchema, outcome: Outcome) -> tuple[list[Column], list[Excluded]]:
    """The features that may predict ``outcome``, and those that may not.

    Not allowed are the outcome's own columns and others for the same concept, what is known only at the outcome's time
    or later, what defines or treats it (``assets/outcomes.yaml``), what an impossible or discordant plausibility rule
    computes from it, and dates. Sex and age are always allowed.
    """
    reasons = _related(schema, outcome)
    kept, excluded = [], []
    for column in schema.features:
        reason = _reason(column, schema, outcome) or reasons.get(column.name, "")
        if column.name in outcome.columns:
            continue
        if reason and not meanings(column) & set(_ALWAYS):
            excluded.append(Excluded(column.name, label_of(column), reason))
        else:
            kept.append(column)
    return kept, excluded


def _reason(column: Column, schema: TableSchema, outcome: Outcome) -> str:
    if column.kind is Kind.DATE:
        return "a date"
    own, book = meanings(column), outcome_book()
    asked = frozenset[str]().union(*(meanings(schema[name]) for name in outcome.columns))
    if own & asked:
        return "the same as the outcome"
    stage = _stage(own)
    if stage and stage >= min(_stage(meanings(schema[name])) for name in outcome.columns):
        return f"known only {book.stages[stage - 1].when}"
    if any(own & set(book.defining.get(name, ())) for name in asked):
        return "defines the outcome, follows from it or treats it"
    if asked & set(_flags()) and own & set(_DIAGNOSIS):
        return "the diagnosis code that the outcome is read from"
    return ""


def _flags() -> tuple[str, ...]:
    from engine.schema.icd9 import comorbidity_names

    return tuple(comorbidity_names())


def _stage(names: frozenset[str]) -> int:
    """0: known before the end of the stay; else the position of the stage, from 1."""
    stages = outcome_book().stages
    return max((place + 1 for place, stage in enumerate(stages) if names & set(stage.columns)), default=0)


def _related(schema: TableSchema, outcome: Outcome) -> dict[str, str]:
    """Columns that a plausibility rule ties to the outcome's, with the rule's title."""
    found: dict[str, str] = {}
    for bound in bind(schema):
        if bound.rule.severity == "rare":
            continue
        for instance in bound.instances:
            named = {term: source.column.name for term, source in instance.items() if _ties(term, bound.rule)}
            if set(named.values()) & set(outcome.columns):
                others = [name for name in named.values() if name not in outcome.columns]
                others = others if _is_tie(bound.rule, schema, outcome, others) else []
                found.update(dict.fromkeys(others, f"tied by a rule: {bound.rule.title}"))
    return found


def _ties(term: str, rule: Rule) -> bool:
    # Conditions of a rule say when it holds, not what it computes; statistics bind columns by their own names.
    named = column_names(rule.constraint)
    return not named or term in named


def _is_tie(rule: Rule, schema: TableSchema, outcome: Outcome, others: list[str]) -> bool:
    if isinstance(rule.constraint, Icd9Flag):
        # Flags are read from the code, not from each other; the code itself is excluded by its own reason.
        return False
    if isinstance(rule.constraint, Implies):
        stages = {_stage(meanings(schema[name])) for name in (*outcome.columns, *others)}
        return len(stages) == 1
    return True
