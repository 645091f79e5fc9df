"""Reference populations in a conversation: which group a request follows, or why it cannot."""

from engine.cohort.population import Target, fits, target
from engine.cohort.reference_tables import population_names, reference_table
from engine.cohort.spec import CohortSpec
from engine.conversation.contract import Turn, Understood, Warning
from engine.core.errors import UserError
from engine.schema.table import TableSchema


def population_lines(spec: CohortSpec, schema: TableSchema) -> list[str]:
    """Whom the cohort follows and what to know of it, in sentences; empty without a population.

    Raises:
        UserError: it cannot be followed.
    """
    found = target(spec, schema)
    return [] if found is None else [found.sentence, *found.notes]


def fitting(schema: TableSchema) -> dict[str, str]:
    """Label by name of the populations that ship and that ``schema`` can be held against, ``us`` first."""
    tables = [reference_table(name) for name in population_names() if fits(name, schema)]
    return {one.name: one.title if one.years in one.title else f"{one.title} ({one.years})" for one in tables}


def with_population(turn: Turn, schema: TableSchema) -> Turn:
    """``turn``, which says whom its population stands for; without the population where it cannot be followed.

    Also what a warning's button proposes is without it then: a form that holds one could not be generated.
    """
    offered = [action.spec for warning in turn.warnings for action in warning.actions]
    asking = [spec for spec in (turn.spec, *offered) if spec is not None and spec.reference_population]
    if not asking:
        return turn
    meaning = f"follows the {reference_table(str(asking[0].reference_population)).title}"
    found: Target | None = None
    refusals: list[UserError] = []
    for spec in asking:
        try:
            found = found or target(spec, schema)
        except UserError as error:
            refusals.append(error)
    if not refusals and found is not None:
        return turn.model_copy(update={"understood": _noted(turn, meaning, found.sentence)})
    message = f"{refusals[0].what[:1].upper()}{refusals[0].what[1:]}. The cohort follows the source's own patients."
    warnings = tuple(
        warning.model_copy(
            update={
                "actions": tuple(
                    action.model_copy(update={"spec": _of_source(action.spec)}) for action in warning.actions
                )
            }
        )
        for warning in turn.warnings
    )
    return turn.model_copy(
        update={
            "spec": None if turn.spec is None else _of_source(turn.spec),
            "understood": _noted(turn, meaning, "not possible here, see the warning"),
            "warnings": (*warnings, Warning(code="infeasible", message=message)),
        }
    )


def _noted(turn: Turn, meaning: str, note: str) -> tuple[Understood, ...]:
    return tuple(
        part.model_copy(update={"note": note}) if part.meaning == meaning else part for part in turn.understood
    )


def _of_source(spec: CohortSpec) -> CohortSpec:
    return spec.model_copy(update={"reference_population": None})
