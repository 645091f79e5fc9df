"""From what a person types to a CohortSpec that the form shows."""

from engine.cohort.spec import CohortSpec
from engine.conversation.contract import Turn, Warning
from engine.conversation.rules.parser import parse
from engine.schema.table import TableSchema
from engine.services.context import Context
from engine.storage.tables import read_schema


class Chat:
    """Understands requests against one data set's columns; it never sees a patient's row."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def reply(self, text: str, *, dataset_id: str, previous: CohortSpec | None) -> Turn:
        """What was understood of ``text``, given the spec so far."""
        schema = read_schema(self._context.workspace.dataset(dataset_id) / "table.parquet")
        return understand(text, schema=schema, previous=previous)


def understand(text: str, *, schema: TableSchema, previous: CohortSpec | None) -> Turn:
    """Parse ``text``; a reference population that no shipped table backs is taken out, with a warning."""
    turn = parse(text, schema=schema, previous=previous)
    if turn.spec is None or turn.spec.reference_population is None:
        return turn
    note = Warning(
        code="infeasible",
        message="No population table ships with this source yet, so the cohort follows the source's own patients.",
    )
    spec = turn.spec.model_copy(update={"reference_population": None})
    return turn.model_copy(update={"spec": spec, "warnings": (*turn.warnings, note)})
