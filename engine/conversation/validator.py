"""The one check that every backend's turn passes before a person sees it: the same for rules, model and endpoint."""

from pydantic import ValidationError

from engine.cohort.spec import LARGE, CohortSpec
from engine.conversation.contract import Action, Turn, Warning
from engine.conversation.rules.amounts import large_labels, large_message
from engine.conversation.rules.feasibility import infeasibilities
from engine.conversation.rules.lexicon import lexicon_for
from engine.core.errors import UserError
from engine.schema.table import Role, TableSchema


def validated(turn: Turn, *, text: str, schema: TableSchema) -> Turn:
    """``turn`` with a spec that the source can be asked for, or without one and with the reasons in ``warnings``.

    Stretches that are said to be of ``text`` but do not occur there are dropped.

    Raises:
        UserError: the spec is no CohortSpec of ``schema`` at all: a column that is not there, values out of order.
    """
    kept = tuple(entry for entry in turn.understood if entry.text in text)
    turn = turn.model_copy(update={"understood": kept})
    if turn.spec is None:
        return turn
    spec = _of_schema(turn.spec, schema)
    found = infeasibilities(spec, lexicon_for(schema))  # pyright: ignore[reportArgumentType] - frozen models hash
    if spec.patients > LARGE and not any(warning.code == "large" for warning in turn.warnings):
        specs = (spec.model_copy(update={"patients": LARGE}), spec)
        actions = tuple(
            Action(label=label, spec=one) for label, one in zip(large_labels(spec.patients), specs, strict=True)
        )
        found.append(Warning(code="large", message=large_message(spec.patients), actions=actions))
    stops = any(warning.code == "infeasible" for warning in found)
    warnings = tuple(dict.fromkeys((*turn.warnings, *found)))
    return turn.model_copy(update={"spec": None if stops else spec, "warnings": warnings})


def _of_schema(spec: CohortSpec, schema: TableSchema) -> CohortSpec:
    try:
        # A model's copy may have been built without validation.
        again = CohortSpec.model_validate(spec.model_dump())
    except ValidationError as error:
        reason = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
        raise UserError(f"the reading is not a valid request: {reason}") from error
    for name in (*(part.column for part in (*again.criteria, *again.shares)), *(again.columns or ())):
        if schema[name].role is not Role.FEATURE:
            raise UserError(f"column {name!r} is not generated, so nothing can be asked of it")
    return again
